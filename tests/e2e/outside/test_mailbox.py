"""Mailboxes: IMAP, POP3, Sieve, and how soon a delivery is seen."""

import base64
import concurrent.futures
import imaplib
import re
import ssl
import time

import mail_clients
import pytest
from conftest import TIMEOUT, make_message


def test_special_use_folders_exist(site):
    with site.imap("anna@alpha.test", folder=None) as client:
        listing = b" ".join(client.list()[1]).decode()
    for flag in ("\\Drafts", "\\Sent", "\\Junk", "\\Trash", "\\Archive"):
        assert flag in listing


def test_wrong_password_is_refused_and_delayed_by_imap(site):
    client = mail_clients.IMAPS(site.vips[0], 993, site.name, TIMEOUT, site.context)
    started = time.monotonic()
    with pytest.raises(imaplib.IMAP4.error):
        client.login("anna@alpha.test", "wrong")
    assert time.monotonic() - started > 1
    client.shutdown()


def test_pop3_retrieves(site):
    message = make_message("anna@alpha.test", "dave@beta.test")
    with site.submission("anna@alpha.test") as client:
        client.send_message(message)
    assert site.wait_for("dave@beta.test", message["Message-ID"])
    client = mail_clients.POP3S(site.vips[1], 995, site.name, TIMEOUT, site.context)
    client.user("dave@beta.test")
    client.pass_(site.passwords["dave@beta.test"])
    count = len(client.list()[1])
    texts = [b"\n".join(client.retr(number + 1)[1]).decode(errors="replace") for number in range(count)]
    client.quit()
    assert any(message["Message-ID"] in text for text in texts)


def test_append_over_quota_is_refused(site):
    with site.imap("tiny@beta.test") as client:
        status, answer = client.append("INBOX", "", imaplib.Time2Internaldate(time.time()),
                                       b"Subject: big\r\n\r\n" + b"x" * 76 * 20000)
    assert status == "NO" and b"OVERQUOTA" in answer[0]


def test_idle_sees_a_delivery_within_a_second(site):
    """The time is counted from the 250 that the sender got (RFC 2177)."""
    with site.imap("cora@beta.test", vip=0) as client:
        client.send(b"i IDLE\r\n")
        assert client.readline().startswith(b"+")
        with site.submission("anna@alpha.test", vip=1) as sender:
            sender.send_message(make_message("anna@alpha.test", "cora@beta.test"))
            accepted = time.monotonic()
        while b" EXISTS" not in client.readline():
            pass
        seen = time.monotonic() - accepted
        client.send(b"DONE\r\n")
        while not client.readline().startswith(b"i OK"):
            pass
    assert seen < 1, f"seen after {seen:.2f} s"


def test_a_fast_client_gets_every_answer(site):
    """Both directions at once, as fast as it goes: proxied sessions have hung for good here (roles/dovecot, proxy_no_multiplex)."""
    users = sorted(site.passwords)

    def talk(number):
        with site.imap(users[number % len(users)], number) as client:
            for _ in range(5):
                assert client.uid("SEARCH", "HEADER", "Message-ID", "nowhere")[0] == "OK"

    with concurrent.futures.ThreadPoolExecutor(len(users)) as pool:
        list(pool.map(talk, range(120)))


class ManageSieve:
    """As much of RFC 5804 as uploading a script needs."""

    def __init__(self, site, user):
        self.sock = mail_clients.connect(site.vips[0], 4190, TIMEOUT)
        self.file = self.sock.makefile("rb")
        self.answer()
        self.command(b"STARTTLS")
        self.sock = site.context.wrap_socket(self.sock, server_hostname=site.name)
        self.file = self.sock.makefile("rb")
        self.answer()
        plain = base64.b64encode(f"\0{user}\0{site.passwords[user]}".encode()).decode()
        self.command(f'AUTHENTICATE "PLAIN" "{plain}"'.encode())

    def answer(self):
        """Read up to the line that ends an answer, which must be OK."""
        while not re.match(rb"(OK|NO|BYE)", line := self.file.readline()):
            assert line, "connection closed"
        assert line.startswith(b"OK"), line

    def command(self, line):
        """Send a line and wait for its OK."""
        self.sock.sendall(line + b"\r\n")
        self.answer()


def test_sieve_script_is_uploaded_and_obeyed(site):
    user = "ben@alpha.test"
    script = b'require ["fileinto","mailbox"];\r\nif header :contains "subject" "sorted" { fileinto :create "Sorted"; }\r\n'
    sieve = ManageSieve(site, user)
    sieve.command(b'PUTSCRIPT "tests" {%d+}\r\n' % len(script) + script)
    sieve.command(b'SETACTIVE "tests"')
    message = make_message("anna@alpha.test", user, subject="to be sorted")
    with site.submission("anna@alpha.test") as client:
        client.send_message(message)
    deadline = time.monotonic() + TIMEOUT
    found = []
    while not found and time.monotonic() < deadline:
        with site.imap(user, vip=1, folder=None) as client:
            if client.select("Sorted")[0] == "OK":
                found = client.uid("SEARCH", "HEADER", "Message-ID", message["Message-ID"])[1][0].split()
        time.sleep(0.2)
    assert found
    sieve.command(b'SETACTIVE ""')
    sieve.command(b'DELETESCRIPT "tests"')


def test_a_certificate_for_another_name_would_be_noticed(site):
    """Guards the tests themselves: the context they use does verify."""
    with pytest.raises(ssl.SSLCertVerificationError):
        mail_clients.IMAPS(site.vips[0], 993, "other.test", TIMEOUT, site.context)
