"""orphan.py ACCOUNT INBOX: make an IMAP session that does not notice its client's end, and see it ended, unlike one that has a client.

Whoever waits for the lock of the mailbox to tell a client of new mail finds the client gone when it has the lock. INBOX is the folder's
directory in the store.
"""
import contextlib
import fcntl
import os
import smtplib
import socket
import subprocess
import sys
import tempfile
import time


class Session:
    """Dovecot's imap in IDLE in the inbox of an account, started by hand; root is allowed no socket for that."""

    def __init__(self, configuration, account):
        self.client, server = socket.socketpair()
        self.process = subprocess.Popen(["/usr/lib/dovecot/imap", "-c", configuration, "-u", account, "-a", "/run/dovecot/auth-userdb"],
                                        stdin=server, stdout=server, stderr=subprocess.DEVNULL, user="vmail", group="vmail", extra_groups=[])
        self.answers = self.client.makefile("rb")
        server.close()
        self.ask(b"a SELECT INBOX", b"a OK")
        self.ask(b"b IDLE", b"+ idling")

    def ask(self, command, answer):
        """Say something and read until the answer is there.

        :raises SystemExit: the session ended
        """
        self.client.sendall(command + b"\r\n")
        for line in self.answers:
            if line.startswith(answer):
                return
        sys.exit(f"the session ended before {answer}")

    def close(self):
        """Be gone."""
        self.answers.close()
        self.client.close()


@contextlib.contextmanager
def readable_configuration():
    """Yield the path of a copy of Dovecot's configuration that others than root may read: one without the directory's password."""
    with open("/etc/dovecot/dovecot.conf", encoding="utf-8") as whole, tempfile.NamedTemporaryFile("w", encoding="utf-8") as copy:
        copy.writelines(line for line in whole if not line.startswith("!include"))
        copy.flush()
        os.chmod(copy.name, 0o644)
        yield copy.name


def deliver(account):
    """Give the account a message; what is put off is tried again, as Postfix does."""
    for left in reversed(range(10)):
        try:
            with smtplib.LMTP("/run/dovecot/lmtp-postfix", timeout=20) as peer:
                peer.sendmail("", account, "Subject: orphan\r\n\r\nverify\r\n")
            return
        except smtplib.SMTPRecipientsRefused as refused:
            if not left or refused.recipients[account][0] // 100 != 4:
                raise
            time.sleep(1)


def main(account, inbox):
    """Make one orphan beside a session that is none."""
    with readable_configuration() as configuration:
        witness, orphan = Session(configuration, account), Session(configuration, account)
    with open(f"{inbox}/dovecot.index.log", "r+b") as log:
        deliver(account)
        fcntl.lockf(log, fcntl.LOCK_EX)
        time.sleep(2)
        orphan.close()
    time.sleep(1)
    if orphan.process.poll() is not None:
        sys.exit("Dovecot has noticed the client's end by itself: dovecot-orphans is of no more use, or this test is of none")
    orphan.process.wait(40)
    if witness.process.poll() is not None:
        sys.exit("the session with a client has been ended too")
    witness.ask(b"DONE", b"b OK")
    witness.close()
    witness.process.wait(10)
    print(orphan.process.pid)


if __name__ == "__main__":
    main(*sys.argv[1:])
