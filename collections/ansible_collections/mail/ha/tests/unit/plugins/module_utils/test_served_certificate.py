"""Reading and judging served certificates, against real TLS servers on loopback."""

from __future__ import annotations

import datetime
import socket
import ssl
import threading
import time

import pytest
from ansible_collections.mail.ha.plugins.module_utils import mail_clients, served_certificate
from ansible_collections.mail.ha.plugins.module_utils.checks import certificates as check

x509 = pytest.importorskip("cryptography.x509")
from cryptography.hazmat.primitives import hashes, serialization  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import ec  # noqa: E402

NOW = datetime.datetime.now(datetime.timezone.utc)


def make_certificate(name, days, issuer=None):
    """Return (certificate, key), signed by ``issuer`` (certificate, key) or by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    signer = issuer[1] if issuer else key
    certificate = (x509.CertificateBuilder()
                   .subject_name(subject)
                   .issuer_name(issuer[0].subject if issuer else subject)
                   .public_key(key.public_key())
                   .serial_number(x509.random_serial_number())
                   .not_valid_before(NOW - datetime.timedelta(days=400))
                   .not_valid_after(NOW + datetime.timedelta(days=days, hours=1))
                   .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
                   .sign(signer, hashes.SHA256()))
    return certificate, key


@pytest.fixture(name="authority", scope="module")
def fixture_authority():
    return make_certificate("authority.test", 1000)


def server_context(certificate, key, directory):
    path = directory / "server.pem"
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


def serve(dialogue, certificate, key, directory, last=None):
    """Serve one connection: an expected dialogue in clear, then TLS. Return the port.

    :param last: a list for what a server that greets first reads then: b'' for a client that took its leave, or the name of an error.
    """
    context = server_context(certificate, key, directory)
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(10)

    def run():
        with listener, listener.accept()[0] as sock:
            for received, sent in dialogue:
                if received and sock.recv(100) != received:
                    return
                sock.sendall(sent)
            try:
                with context.wrap_socket(sock, server_side=True) as tls:
                    if last is not None:
                        tls.sendall(b"220 ready\r\n")
                        time.sleep(0.3)  # until what the client does has arrived
                        last.append(tls.recv(100))
            except OSError as error:
                if last is not None:
                    last.append(type(error).__name__)

    threading.Thread(target=run, daemon=True).start()
    return listener.getsockname()[1]


DIALOGUES = {
    "none": [],
    "smtp": [(b"", b"220-hello\r\n220 ready\r\n"), (b"EHLO probe.invalid\r\n", b"250-x\r\n250 STARTTLS\r\n"), (b"STARTTLS\r\n", b"220 go\r\n")],
    "lmtp": [(b"", b"220 ready\r\n"), (b"LHLO probe.invalid\r\n", b"250 STARTTLS\r\n"), (b"STARTTLS\r\n", b"220 go\r\n")],
    "imap": [(b"", b"* OK ready\r\n"), (b"a STARTTLS\r\n", b"a OK begin\r\n")],
    "pop3": [(b"", b"+OK ready\r\n"), (b"STLS\r\n", b"+OK begin\r\n")],
    "sieve": [(b"", b'"SIEVE" "fileinto"\r\nOK "ready"\r\n'), (b"STARTTLS\r\n", b'OK "begin"\r\n')],
    "postgresql": [(b"\x00\x00\x00\x08\x04\xd2\x16\x2f", b"S")],
}


@pytest.mark.parametrize("protocol", sorted(DIALOGUES))
def test_certificate_is_read_behind_every_protocol(protocol, authority, tmp_path):
    certificate, key = make_certificate("mail.test", 100, authority)
    port = serve(DIALOGUES[protocol], certificate, key, tmp_path)
    der, version = served_certificate.read("127.0.0.1", port, protocol, "mail.test")
    assert x509.load_der_x509_certificate(der) == certificate
    assert version == "TLSv1.3"


def test_leaving_is_no_fault_in_the_log_of_the_server(authority, tmp_path):
    """Which has greeted meanwhile."""
    certificate, key = make_certificate("mail.test", 100, authority)
    last = []
    port = serve([], certificate, key, tmp_path, last)
    assert served_certificate.read("127.0.0.1", port)
    end = time.monotonic() + 10
    while not last and time.monotonic() < end:
        time.sleep(0.01)
    assert last == [b""]


def test_nobody_leaves_before_the_server_is_done_with_the_handshake(authority, tmp_path):
    """One that is slow to read the last message of it finds nothing behind that message."""
    certificate, key = make_certificate("mail.test", 100, authority)
    context = server_context(certificate, key, tmp_path)
    listener = socket.create_server(("127.0.0.1", 0))
    found = []

    def run():
        with listener, listener.accept()[0] as sock:
            received, sent = ssl.MemoryBIO(), ssl.MemoryBIO()
            tls = context.wrap_bio(received, sent, server_side=True)
            for delay in (0, 0.1):
                time.sleep(delay)
                received.write(sock.recv(65536))
                try:
                    tls.do_handshake()
                except ssl.SSLWantReadError:
                    pass
                if not delay:
                    sock.sendall(sent.read())
            try:
                found.append(tls.read(1))
            except ssl.SSLError as error:
                found.append(type(error).__name__)
            sock.sendall(sent.read())  # session tickets

    threading.Thread(target=run, daemon=True).start()
    assert served_certificate.read("127.0.0.1", listener.getsockname()[1])
    assert found == ["SSLWantReadError"]


def test_a_server_that_does_not_close_is_left_after_a_second(authority, tmp_path):
    certificate, key = make_certificate("mail.test", 100, authority)
    wait = threading.Event()
    port = serve([], certificate, key, tmp_path, last=type("Never", (list,), {"append": lambda self, item: wait.wait(20)})())
    started = time.monotonic()
    assert served_certificate.read("127.0.0.1", port)
    assert time.monotonic() - started < 5
    wait.set()


def test_proxy_header_comes_first(authority, tmp_path):
    certificate, key = make_certificate("mail.test", 100, authority)
    port = serve([(mail_clients.PROXY_LOCAL, b"")], certificate, key, tmp_path)
    assert served_certificate.read("127.0.0.1", port, proxy=True)


def test_a_server_that_refuses_tls_is_told_apart_from_a_certificate(authority, tmp_path):
    certificate, key = make_certificate("mail.test", 100, authority)
    port = serve([(b"\x00\x00\x00\x08\x04\xd2\x16\x2f", b"N")], certificate, key, tmp_path)
    with pytest.raises(served_certificate.ServedCertificateError, match="refuses TLS"):
        served_certificate.read("127.0.0.1", port, "postgresql")


def judge(certificate, authority, name="mail.test", min_days=14):
    endpoint = {"name": "imaps", "address": "192.0.2.1", "port": 993, "server_name": name}
    return check.judge(endpoint, certificate, authority[0], min_days, NOW)


def test_a_good_certificate_has_no_problems(authority):
    assert judge(make_certificate("mail.test", 100, authority)[0], authority) == []


@pytest.mark.parametrize("days,name,signed,expected", [
    (3, "mail.test", True, "3 days left, expected 14 or more"),
    (-1, "mail.test", True, "-1 days left"),
    (100, "other.test", True, "valid for other.test, expected mail.test"),
    (100, "mail.test", False, "not signed by CN=authority.test"),
])
def test_faults_are_named(days, name, signed, expected, authority):
    problem, = judge(make_certificate(name, days, authority if signed else None)[0], authority)
    assert expected in problem and "Run site.yml" in problem


@pytest.mark.parametrize("name,names,expected", [
    ("mail.example.org", ["*.example.org"], True),
    ("a.mail.example.org", ["*.example.org"], False),
    ("MAIL.example.org", ["mail.example.org"], True),
    ("2001:db8:0::1", ["2001:db8::1"], True),
    ("192.0.2.1", ["192.0.2.2"], False),
])
def test_names_and_addresses_are_matched(name, names, expected):
    assert check.valid_for(name, names) is expected
