"""Read the certificate that a server presents, whatever protocol it speaks before TLS begins."""

from __future__ import annotations

import hashlib
import select
import socket
import time
import struct

from ansible_collections.mail.ha.plugins.module_utils.mail_clients import connect, tls_context


class ServedCertificateError(Exception):
    """The server did not get as far as TLS; the text says what it said instead."""


def _lines(sock, last, command=b""):
    """Send a command and read lines up to the one for which ``last`` is true; return that line."""
    if command:
        sock.sendall(command)
    buffer = b""
    while True:
        data = sock.recv(4096)
        if not data:
            raise ServedCertificateError(f"connection closed after {buffer[-100:]!r}")
        buffer += data
        for line in buffer.split(b"\r\n")[:-1]:
            if last(line):
                return line


def _expect(line, good):
    if not line.startswith(good):
        raise ServedCertificateError(f"found {line!r}, expected an answer that starts with {good!r}")


def _starttls_smtp(sock, hello=b"EHLO"):
    """RFC 3207."""
    def final(line):
        return line[3:4] == b" "
    _expect(_lines(sock, final), b"220")
    _expect(_lines(sock, final, hello + b" probe.invalid\r\n"), b"250")
    _expect(_lines(sock, final, b"STARTTLS\r\n"), b"220")


def _starttls_lmtp(sock):
    """RFC 2033: as SMTP, but the greeting is LHLO."""
    _starttls_smtp(sock, b"LHLO")


def _starttls_imap(sock):
    """RFC 9051, section 6.2.1."""
    _expect(_lines(sock, lambda line: True), b"* OK")
    _expect(_lines(sock, lambda line: line.startswith(b"a "), b"a STARTTLS\r\n"), b"a OK")


def _starttls_pop3(sock):
    """RFC 2595, section 4."""
    _expect(_lines(sock, lambda line: True), b"+OK")
    _expect(_lines(sock, lambda line: True, b"STLS\r\n"), b"+OK")


def _starttls_sieve(sock):
    """RFC 5804, section 2.2."""
    def final(line):
        return line.startswith((b"OK", b"NO", b"BYE"))
    _expect(_lines(sock, final), b"OK")
    _expect(_lines(sock, final, b"STARTTLS\r\n"), b"OK")


def _starttls_postgresql(sock):
    """PostgreSQL documentation, "Message Formats": SSLRequest is answered with one byte."""
    sock.sendall(struct.pack("!II", 8, 80877103))
    answer = sock.recv(1)
    if answer != b"S":
        raise ServedCertificateError(f"found {answer!r}, expected 'S': the server refuses TLS")


STARTTLS = {
    "none": lambda sock: None,
    "smtp": _starttls_smtp,
    "lmtp": _starttls_lmtp,
    "imap": _starttls_imap,
    "pop3": _starttls_pop3,
    "sieve": _starttls_sieve,
    "postgresql": _starttls_postgresql,
}


def read(address, port, starttls="none", server_name=None, proxy=False, timeout=5.0):
    """Return the certificate served.

    :param address: IPv4 or IPv6 address or name (str).
    :param port: TCP port (int).
    :param starttls: what is spoken before TLS, a key of :data:`STARTTLS`.
    :param server_name: name sent in the TLS handshake (SNI; str or None).
    :param proxy: True sends a PROXY v2 LOCAL header first, for ports behind the balancers.
    :param timeout: limit of each network operation in seconds (float).
    :returns: tuple of the certificate in DER form (bytes) and the TLS version (str).
    :raises ServedCertificateError: the dialogue before TLS went wrong.
    :raises OSError: connection or TLS failed.
    """
    with connect(address, port, timeout, proxy) as sock:
        STARTTLS[starttls](sock)
        with tls_context(verify=False).wrap_socket(sock, server_hostname=server_name) as tls:
            found = tls.getpeercert(binary_form=True), tls.version()
            _leave(tls)
            return found


def _leave(tls, silence=0.5, seconds=1.0):
    """End a session so that it is no fault in the server's log: wait for its first word, say so, and read what it still sends until it closes too.

    A client is done with the handshake of TLS 1.3 before the server is (RFC 8446, section 2). What arrives there along with the end of the handshake
    may be taken for its failure, and to close with something unread resets the connection, which can overtake it: Dovecot's LMTP logs errors for both.

    :param silence: how long to wait for the first word, a greeting or a session ticket; not every server has one (float, seconds).
    :param seconds: how long a server may take to close (float).
    """
    try:
        select.select([tls], [], [], silence)
        end = time.monotonic() + seconds
        tls.settimeout(seconds)
        try:
            tls.unwrap()
        except OSError:  # it said something instead of its own farewell
            pass
        tls.shutdown(socket.SHUT_WR)
        while (left := end - time.monotonic()) > 0:
            tls.settimeout(left)
            if not tls.recv(65536):
                break
    except OSError:
        pass


def fingerprint(der):
    """Return the SHA-256 fingerprint of a DER certificate as lower-case hex (str)."""
    return hashlib.sha256(der).hexdigest()
