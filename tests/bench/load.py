"""Load from `outside`: deliver messages by SMTP over a number of connections, wait until all are in their mailboxes; log in.

    load.py deliver ADDRESS CONNECTIONS MESSAGES   accepted and delivered messages per second through port 25 of ADDRESS
    load.py login ADDRESS CONNECTIONS LOGINS       IMAP logins per second

E2E_SITE names the file that describes the site: service_name, ca_file and passwords of the accounts. Prints JSON.
"""

import concurrent.futures
import imaplib
import json
import os
import pathlib
import sys
import time

import mail_clients

SITE = json.loads(pathlib.Path(os.environ["E2E_SITE"]).read_text())
CONTEXT = mail_clients.tls_context(SITE["ca_file"])
USERS = [user for user in sorted(SITE["passwords"]) if not user.startswith("tiny")]
TIMEOUT = 60
# 4 kB, about the median of real mail without attachments.
BODY = ("x" * 76 + "\r\n") * 52


def imap(address, user):
    """A logged-in IMAP session."""
    client = mail_clients.IMAPS(address, 993, SITE["service_name"], TIMEOUT, CONTEXT)
    client.login(user, SITE["passwords"][user])
    return client


class Mailbox:
    """How many messages an inbox holds, over one session that is opened anew when it breaks."""

    def __init__(self, address, user):
        self.address, self.user = address, user
        self.session = imap(address, user)
        self.before = self.count()

    def count(self):
        """Number of messages in the inbox."""
        self.session = self.session or imap(self.address, self.user)
        return int(self.session.select("INBOX", readonly=True)[1][0])

    def arrived(self):
        """Number of messages that came since this object was made; 0 while the service does not answer: the deadline judges."""
        try:
            return self.count() - self.before
        except (OSError, imaplib.IMAP4.error) as error:
            print(f"{self.user}: {error}", file=sys.stderr)
            self.session = None
            return 0


def send(address, connection, connections, messages):
    """Send this connection's share, one session for all of it."""
    client = mail_clients.SMTP(address, 25, SITE["service_name"], TIMEOUT)
    with client:
        for number in range(connection, messages, connections):
            user = USERS[number % len(USERS)]
            client.sendmail("bench@foreign.test", [user], f"From: bench@foreign.test\r\nTo: {user}\r\nSubject: {number}\r\n\r\n{BODY}")


def deliver(address, connections, messages):
    """Return accepted and delivered messages per second."""
    send(address, 0, 1, 1)  # so that the greeting test of a first contact is not part of the figure
    time.sleep(2)
    mailboxes = [Mailbox(address, user) for user in USERS]
    started = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(connections) as pool:
        for future in [pool.submit(send, address, number, connections, messages) for number in range(connections)]:
            future.result()
    accepted = time.monotonic()
    while sum(mailbox.arrived() for mailbox in mailboxes) < messages:
        if time.monotonic() - accepted > 300:
            sys.exit("not everything was delivered within 300 s")
        time.sleep(0.1)
    delivered = time.monotonic()
    return {"accepted_per_second": round(messages / (accepted - started), 1),
            "delivered_per_second": round(messages / (delivered - started), 1)}


def login(address, connections, logins):
    """Return IMAP logins per second, connection and TLS handshake included."""
    started = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(connections) as pool:
        list(pool.map(lambda number: imap(address, USERS[number % len(USERS)]).logout(), range(logins)))
    return {"logins_per_second": round(logins / (time.monotonic() - started), 1)}


if __name__ == "__main__":
    print(json.dumps({"deliver": deliver, "login": login}[sys.argv[1]](sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))))
