#!/usr/bin/python3
"""Talk to one mailserver as HAProxy would, and print what it answered as JSON: {question: [code, text]}."""
import argparse
import json
import smtplib
import socket
import ssl
import struct
import time
from concurrent.futures import ThreadPoolExecutor

PROXY = b"\r\n\r\n\0\r\nQUIT\n\x21\x11"  # version 2, command PROXY, TCP over IPv4


class Session(smtplib.SMTP):
    """SMTP behind a PROXY header that names `client`; no header when there is no client."""

    def __init__(self, host, port, client, implicit_tls=False):
        self._client, self._implicit_tls = client, implicit_tls
        super().__init__(host, port, local_hostname="client.verify.test", timeout=30)

    def _get_socket(self, host, port, timeout):
        sock = super()._get_socket(host, port, timeout)
        if self._client:
            ends = socket.inet_aton(self._client) + socket.inet_aton(sock.getpeername()[0]) + struct.pack("!HH", 40000, port)
            sock.sendall(PROXY + struct.pack("!H", len(ends)) + ends)
        return tls().wrap_socket(sock) if self._implicit_tls else sock

    def recipient(self, sender, recipient, *options):
        """Return the first refusal of MAIL and RCPT, or the answer to RCPT."""
        self.rset()
        answer = self.mail(sender, options)
        return answer if answer[0] != 250 else self.rcpt(recipient)


def tls():
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def inbound(arguments, answers):
    session = Session(arguments.host, arguments.smtp, arguments.client)
    answers["banner"] = [220, session.ehlo()[1].decode()]
    answers["auth before TLS"] = [0, str(session.has_extn("auth"))]
    session.starttls(context=tls())
    session.ehlo()
    answers["auth on the inbound port"] = [0, str(session.has_extn("auth"))]
    answers["size"] = [0, session.esmtp_features["size"]]
    stranger = "someone@foreign.test"
    answers["unknown recipient"] = session.recipient(stranger, "nobody@" + arguments.account.partition("@")[2])
    answers["known recipient"] = session.recipient(stranger, arguments.account)
    answers["subaddress"] = session.recipient(stranger, arguments.account.replace("@", "+tag@"))
    answers["relay"] = session.recipient(stranger, "someone.else@foreign.test")
    answers["relay as a local sender"] = session.recipient(arguments.account, "someone.else@foreign.test")
    answers["over-size"] = session.recipient(stranger, arguments.account, "SIZE=%d" % (int(answers["size"][1]) + 1))
    session.quit()


def submission(arguments, answers, name, port, implicit_tls):
    session = Session(arguments.host, port, arguments.client, implicit_tls)
    session.ehlo()
    if not implicit_tls:
        answers[name + ": auth before TLS"] = [0, str(session.has_extn("auth"))]
        answers[name + ": mail before TLS"] = session.mail(arguments.account)
        session.starttls(context=tls())
        session.ehlo()
    answers[name + ": without login"] = session.recipient(arguments.account, "someone@foreign.test")
    session.rset()
    start = time.monotonic()
    try:
        session.login(arguments.account, "not " + arguments.password)
        answers[name + ": wrong password"] = [235, "accepted"]
    except smtplib.SMTPAuthenticationError as error:
        answers[name + ": wrong password"] = [error.smtp_code, "%.1f" % (time.monotonic() - start)]
    session.login(arguments.account, arguments.password)
    answers[name + ": foreign name"] = session.recipient("postmaster@foreign.test", "someone@foreign.test")
    answers[name + ": own name"] = session.recipient(arguments.account, "someone@foreign.test")
    session.quit()


def health(arguments, answers):
    session = Session(arguments.host, arguments.health, None)
    answers["health"] = session.ehlo()
    answers["health: mail"] = session.recipient("", arguments.account)
    session.quit()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for option in ("host", "client", "account", "password"):
        parser.add_argument("--" + option, required=True)
    for port in ("smtp", "submission", "submissions", "health"):
        parser.add_argument("--" + port, type=int, required=True)
    arguments = parser.parse_args()
    answers = {}
    # Side by side, for a server lets those wait who make mistakes.
    with ThreadPoolExecutor() as pool:
        asked = [
            pool.submit(inbound, arguments, answers),
            pool.submit(submission, arguments, answers, "submission", arguments.submission, False),
            pool.submit(submission, arguments, answers, "submissions", arguments.submissions, True),
            pool.submit(health, arguments, answers),
        ]
    for conversation in asked:
        conversation.result()
    print(json.dumps({key: [code, text.decode() if isinstance(text, bytes) else text] for key, (code, text) in answers.items()}))


if __name__ == "__main__":
    main()
