"""What the service accepts and refuses by SMTP."""

import pathlib
import smtplib
import time

import pytest
from conftest import make_message, refusal


@pytest.mark.parametrize("tls", [False, True])
def test_foreign_server_delivers(site, vip, tls):
    message = make_message(f"someone@{site.foreign_domain}", "anna@alpha.test")
    with site.smtp(vip, tls) as client:
        client.send_message(message)
    assert site.wait_for("anna@alpha.test", message["Message-ID"], vip + 1)


@pytest.mark.parametrize("port", [465, 587])
def test_submission_delivers(site, vip, port):
    message = make_message("anna@alpha.test", "cora@beta.test")
    with site.submission("anna@alpha.test", vip, port=port) as client:
        client.send_message(message)
    assert site.wait_for("cora@beta.test", message["Message-ID"], vip + 1)


def test_no_open_relay(site):
    with site.smtp() as client:
        client.mail(f"someone@{site.foreign_domain}")
        code, text = client.rcpt("victim@elsewhere.test")
    assert code in (550, 554), text


def test_own_domain_as_sender_gives_no_right_to_relay(site):
    with site.smtp() as client:
        client.mail("anna@alpha.test")
        assert client.rcpt("victim@elsewhere.test")[0] in (550, 554)


def test_submission_without_login_is_refused(site):
    import mail_clients  # pylint: disable=import-outside-toplevel

    client = mail_clients.SMTPS(site.vips[0], 465, site.name, 20, site.context)
    client.ehlo()
    code, _text = client.mail("anna@alpha.test")
    if code == 250:
        code, _text = client.rcpt("ben@alpha.test")
    assert 500 <= code <= 599
    client.close()


def test_unknown_recipient_is_550_at_rcpt(site):
    with site.smtp() as client:
        client.mail(f"someone@{site.foreign_domain}")
        code, text = client.rcpt("nobody@beta.test")
    assert code == 550 and b"5.1.1" in text


def test_too_large_is_552_before_the_data(site):
    with site.smtp() as client:
        code, _text = client.docmd("MAIL", f"FROM:<someone@{site.foreign_domain}> SIZE={site.size_limit + 1}")
    assert code == 552


def test_over_quota_is_552_at_rcpt(site):
    """The mailbox of `tiny` holds 1 MB."""
    recipient = "tiny@beta.test"
    body = ("x" * 76 + "\n") * 9000  # 0.69 MB
    for _attempt in range(2):
        message = make_message("cora@beta.test", recipient, body=body)
        with site.submission("cora@beta.test") as client:
            try:
                client.send_message(message)
            except smtplib.SMTPRecipientsRefused:
                break
        if not site.wait_for(recipient, message["Message-ID"], seconds=10):
            break
    with site.smtp() as client:
        # What is announced does not fit any more, and is refused before it is sent.
        client.docmd("MAIL", f"FROM:<someone@{site.foreign_domain}> SIZE={len(body)}")
        code, text = client.rcpt(recipient)
    assert code == 552 and b"5.2.2" in text
    with site.imap(recipient) as client:
        client.store("1:*", "+FLAGS.SILENT", r"(\Deleted)")
        client.expunge()


def test_alias_reaches_all_its_destinations(site):
    message = make_message(f"someone@{site.foreign_domain}", "info@alpha.test")
    with site.smtp() as client:
        client.send_message(message)
    assert site.wait_for("anna@alpha.test", message["Message-ID"])
    assert site.wait_for("cora@beta.test", message["Message-ID"])


def test_catch_all_takes_what_nobody_else_does(site):
    message = make_message(f"someone@{site.foreign_domain}", "whoever@alpha.test")
    with site.smtp() as client:
        client.send_message(message)
    assert site.wait_for("catchall@alpha.test", message["Message-ID"])


@pytest.mark.parametrize("user", ["ben@alpha.test", "dave@beta.test"])
def test_subaddress_reaches_its_account_also_beside_a_catch_all(site, user):
    local, domain = user.split("@")
    message = make_message(f"someone@{site.foreign_domain}", f"{local}+shop@{domain}")
    with site.smtp() as client:
        client.send_message(message)
    assert site.wait_for(user, message["Message-ID"])


def test_recipients_are_found_whatever_their_case(site):
    message = make_message(f"someone@{site.foreign_domain}", "BEN@Alpha.TEST")
    with site.smtp() as client:
        client.send_message(message)
    assert site.wait_for("ben@alpha.test", message["Message-ID"])


def test_wrong_password_is_refused_and_delayed(site):
    started = time.monotonic()
    code, _text = refusal(site.submission, "anna@alpha.test", password="wrong")
    assert code == 535
    assert time.monotonic() - started > 1


def test_sending_as_somebody_else_is_refused(site):
    with site.submission("anna@alpha.test") as client:
        code, text = refusal(client.sendmail, "ben@alpha.test", ["cora@beta.test"], b"Subject: no\r\n\r\nno\r\n")
    assert code == 553 and "5.7.1" in text


def test_sending_as_an_alias_of_oneself_is_allowed(site):
    message = make_message("info@alpha.test", "ben@alpha.test")
    with site.submission("anna@alpha.test") as client:
        client.send_message(message)
    assert site.wait_for("ben@alpha.test", message["Message-ID"])


def test_outbound_mail_reaches_the_foreign_exchanger_with_a_name_in_helo(site):
    """The foreign exchanger is this host's own Postfix, which keeps what it receives in one maildir."""
    message = make_message("anna@alpha.test", f"friend@{site.foreign_domain}")
    with site.submission("anna@alpha.test") as client:
        client.send_message(message)
    inbox = pathlib.Path("/var/mail/foreign/new")
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        for path in inbox.glob("*") if inbox.exists() else []:
            text = path.read_text(errors="replace")
            if message["Message-ID"] in text:
                received = " ".join(text.split("\nReceived: ", 1)[-1].split()[:6])
                # "from HELO (reverse name [address])": said and true are the same
                words = received.replace("(", "").split()
                helo, reverse = words[words.index("from") + 1:][:2]
                assert helo.startswith("mail") and helo == reverse, received
                return
        time.sleep(0.2)
    pytest.fail("not received within 20 s")
