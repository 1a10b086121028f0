"""What the tests of the service know about the site. They run on `outside`, a host that is nobody to the cluster."""

import email.message
import email.utils
import json
import os
import pathlib
import smtplib
import time

import mail_clients
import pytest

TIMEOUT = 20


class Site:
    """The service as a client sees it: addresses, one name, accounts with passwords. VIPs are counted round: after the last the first."""

    def __init__(self, facts):
        self.vips = facts["vips"]
        self.name = facts["service_name"]
        self.passwords = facts["passwords"]
        self.foreign_domain = facts["foreign_domain"]
        self.size_limit = facts["size_limit"]
        self.context = mail_clients.tls_context(facts["ca_file"])

    def address(self, vip):
        """The address of a service VIP."""
        return self.vips[vip % len(self.vips)]

    def smtp(self, vip=0, tls=False):
        """An inbound SMTP connection, as from a foreign mail server."""
        client = mail_clients.SMTP(self.address(vip), 25, self.name, TIMEOUT)
        client.ehlo(f"mx.{self.foreign_domain}")
        if tls:
            client.starttls(context=self.context)
            client.ehlo(f"mx.{self.foreign_domain}")
        return client

    def submission(self, user, vip=0, password=None, port=465):
        """An authenticated submission session."""
        if port == 465:
            client = mail_clients.SMTPS(self.address(vip), 465, self.name, TIMEOUT, self.context)
        else:
            client = mail_clients.SMTP(self.address(vip), port, self.name, TIMEOUT)
            client.starttls(context=self.context)
        client.login(user, password or self.passwords[user])
        return client

    def imap(self, user, vip=0, folder="INBOX"):
        """A logged-in IMAP session with a folder selected."""
        client = mail_clients.IMAPS(self.address(vip), 993, self.name, TIMEOUT, self.context)
        client.login(user, self.passwords[user])
        if folder:
            assert client.select(folder)[0] == "OK"
        return client

    def wait_for(self, user, message_id, vip=1, folder="INBOX", seconds=20):
        """Wait for a message and return it; None when it is not there in time."""
        deadline = time.monotonic() + seconds
        with self.imap(user, vip, folder) as client:
            while time.monotonic() < deadline:
                found = client.uid("SEARCH", "HEADER", "Message-ID", message_id)[1][0].split()
                if found:
                    assert len(found) == 1, f"{message_id} was delivered {len(found)} times"
                    return email.message_from_bytes(client.uid("FETCH", found[0], "(BODY.PEEK[])")[1][0][1])
                time.sleep(0.1)
                client.noop()
        return None


def make_message(sender, recipient, subject="test", body="body"):
    """A message with an id of its own."""
    message = email.message.EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, recipient, subject
    message["Date"] = email.utils.formatdate()
    message["Message-ID"] = email.utils.make_msgid(domain="tests.invalid")
    message.set_content(body)
    return message


def refusal(function, *args, **kwargs):
    """Call what must be refused by an SMTP server; return (code, text)."""
    try:
        function(*args, **kwargs)
    except smtplib.SMTPRecipientsRefused as error:
        code, text = next(iter(error.recipients.values()))
    except smtplib.SMTPResponseException as error:
        code, text = error.smtp_code, error.smtp_error
    else:
        pytest.fail("was accepted, and must not be")
    return code, text.decode() if isinstance(text, bytes) else text


def facts():
    """The site under test, as the file describes it that E2E_SITE names."""
    return json.loads(pathlib.Path(os.environ["E2E_SITE"]).read_text())


@pytest.fixture(scope="session")
def site():
    """The site under test."""
    return Site(facts())


def pytest_generate_tests(metafunc):
    """A test that takes `vip` is run for every service VIP of the site, of both families where it has both."""
    if "vip" in metafunc.fixturenames:
        vips = facts()["vips"]
        metafunc.parametrize("vip", range(len(vips)), ids=vips)
