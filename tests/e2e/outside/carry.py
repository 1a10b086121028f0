"""Carry mail while the cluster is broken on purpose: deliver, keep a list, and prove that nothing on it was lost.

    carry.py deliver LIST            one message to every account, known to be delivered; adds them to LIST
    carry.py survive LIST SECONDS    wait until both VIPs carry mail for every account again, at most SECONDS;
                                     then every message on LIST must be in its mailbox, once
"""

import concurrent.futures
import email.message
import email.utils
import json
import os
import pathlib
import sys
import time

import mail_clients

TIMEOUT = 5


class Carrier:
    """A client of the service."""

    def __init__(self):
        facts = json.loads(pathlib.Path(os.environ["E2E_SITE"]).read_text())
        self.vips, self.name, self.passwords = facts["vips"], facts["service_name"], facts["passwords"]
        self.context = mail_clients.tls_context(facts["ca_file"])

    def imap(self, vip, user):
        """A logged-in session on INBOX."""
        client = mail_clients.IMAPS(vip, 993, self.name, TIMEOUT, self.context)
        client.login(user, self.passwords[user])
        client.select("INBOX")
        return client

    def carry(self, vip, user):
        """One message from and to an account by one VIP; return its id once it was seen in the mailbox."""
        message = email.message.EmailMessage()
        message["From"] = message["To"] = user
        message["Message-ID"] = email.utils.make_msgid(domain="carry.invalid")
        message.set_content("carried")
        client = mail_clients.SMTPS(vip, 465, self.name, TIMEOUT, self.context)
        with client:
            client.login(user, self.passwords[user])
            client.send_message(message)
        deadline = time.monotonic() + TIMEOUT * 3
        with self.imap(vip, user) as session:
            while not self.count(session, message["Message-ID"]):
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{message['Message-ID']} was accepted for {user} and is not delivered")
                time.sleep(0.1)
                session.noop()
        return message["Message-ID"]

    @staticmethod
    def count(session, message_id):
        """How often a message is in the selected folder."""
        return len(session.uid("SEARCH", "HEADER", "Message-ID", message_id)[1][0].split())

    def carry_all(self):
        """Carry one message for every account, by turns through the VIPs; return [[user, id], ...]."""
        users = sorted(self.passwords)
        with concurrent.futures.ThreadPoolExecutor(len(users)) as pool:
            ids = pool.map(lambda pair: self.carry(self.vips[pair[0] % len(self.vips)], pair[1]), enumerate(users))
            return [[user, message_id] for user, message_id in zip(users, ids)]


def survive(carrier, path, seconds):
    """Wait for the service, then reconcile; exit with a sentence where something is missing."""
    started = time.monotonic()
    while True:
        try:
            # once through each VIP for every account
            carrier.carry_all()
            carrier.vips.reverse()
            carrier.carry_all()
            break
        except Exception as error:  # pylint: disable=broad-except # whatever a client may see while a node is lost
            if time.monotonic() - started > seconds:
                sys.exit(f"no service {seconds:.0f} s after the loss: {error}")
            time.sleep(0.2)
    print(f"carried again for every account by both VIPs {time.monotonic() - started:.1f} s after the loss")
    delivered = json.loads(path.read_text())
    for user in sorted(carrier.passwords):
        with carrier.imap(carrier.vips[0], user) as session:
            for message_id in [item[1] for item in delivered if item[0] == user]:
                count = carrier.count(session, message_id)
                if count != 1:
                    sys.exit(f"{message_id} was delivered to {user} before the loss and is there {count} times now")
    print(f"{len(delivered)} messages delivered before are all there, once")


def main():
    """Run the command line."""
    command, path = sys.argv[1], pathlib.Path(sys.argv[2])
    carrier = Carrier()
    if command == "deliver":
        known = json.loads(path.read_text()) if path.exists() else []
        path.write_text(json.dumps(known + carrier.carry_all()))
    else:
        survive(carrier, path, float(sys.argv[3]))


if __name__ == "__main__":
    main()
