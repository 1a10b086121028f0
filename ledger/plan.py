"""Which message comes n-th. A pure function of n, so that a prober that was killed goes on with the same messages."""

import email.utils

DOMAIN = "ledger.invalid"
# Ways of a message, as "p" has them in the ledger, and what they are.
DIRECTIONS = {"smtp": "from the Internet", "submission": "from user to user", "outbound": "to the Internet"}
LINE = "The loss ledger counts this message. " * 2 + "\r\n"


def message_id(run, number):
    """The Message-ID of message ``number``."""
    return f"<{run}.{number}@{DOMAIN}>"


def number_of(text, run):
    """The number within a Message-ID of this run, or None."""
    inner = text.strip().strip("<>")
    head, _dot, number = inner.removesuffix(f"@{DOMAIN}").rpartition(".")
    return int(number) if head == run and inner.endswith(f"@{DOMAIN}") and number.isdigit() else None


def planned(site, number):
    """Message ``number``: {p, port, vip (index of the first to try), user (who logs in, or None), to, size}.

    Every address meets every service and account; every foreign_every-th time that it meets a user, his message goes to the Internet.
    """
    vips, services, accounts = site["vips"], site["services"], sorted(site["accounts"])
    turn, vip = divmod(number, len(vips))
    turn, service = divmod(turn, len(services))
    turn, account = divmod(turn, len(accounts))
    (protocol, port), user = services[service], accounts[account]
    to = user
    if protocol != "smtp" and site["foreign_domain"]:
        # Users' messages are counted within each round through everything, and each round begins one further: so each comes in turn.
        of_users = [index for index, (name, _port) in enumerate(services) if name != "smtp"]
        place = (account * len(of_users) + of_users.index(service)) * len(vips) + vip
        if (turn + place) % site["foreign_every"] == 0:
            protocol, to = "outbound", foreign_address(site)
    # Knuth's multiplicative hash: sizes look mixed, and are the same again after a restart.
    lot = number * 2654435761 % 2 ** 32 * 100 // 2 ** 32
    for size, share in site["sizes"]:
        if lot < share:
            break
        lot -= share
    return {"p": protocol, "port": port, "vip": vip, "user": None if protocol == "smtp" else user, "to": to, "size": size}


def foreign_address(site):
    """Who is written to on the Internet."""
    return f"ledger-sink@{site['foreign_domain']}"


def sender_of(site, plan):
    """Who sends it: users write to themselves or to the Internet, everything else comes from outside."""
    return plan["user"] or site["sender"]


def compose(site, run, number, when):
    """The bytes of message ``number``."""
    plan = planned(site, number)
    head = (f"From: {sender_of(site, plan)}\r\nTo: {plan['to']}\r\nSubject: ledger {site['name']} {number}\r\n"
            f"Date: {email.utils.formatdate(when)}\r\nMessage-ID: {message_id(run, number)}\r\n\r\n")
    return (head + LINE * max(1, (plan["size"] - len(head)) // len(LINE))).encode()
