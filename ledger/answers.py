"""How an attempt to hand a message over ended. Pure functions.

    accepted   250 after the final dot: the server has taken the responsibility
    deferred   4xx: the sender keeps the message and tries again
    denied     5xx before any message was named: this session was turned away, the message was not, and it is tried again
    refused    5xx to the message itself: the sender gives up and tells its author
    failed     the session broke before the end of the data: no server has the message
    uncertain  it broke after that: only the server knows whether it has it
"""

# The stages in which an answer is one to the message.
OF_THE_MESSAGE = ("mail", "rcpt", "data")


def outcome(stage, code=None):
    """What an attempt that did not end in acceptance came to.

    A denied session is tried again because a login is answered 535 by Postfix also where Dovecot cannot tell for a moment, and because a mail
    server goes to the next address when it is greeted with 5xx (Postfix: smtp_skip_5xx_greeting).

    :param stage: connect, greeting, starttls, ehlo, login, mail, rcpt or data.
    :param code: the server's answer; None, or what is no code, where the session broke.
    """
    if code is not None and code >= 500:
        return "refused" if stage in OF_THE_MESSAGE else "denied"
    if code is not None and code >= 400:
        return "deferred"
    return "uncertain" if stage == "data" else "failed"
