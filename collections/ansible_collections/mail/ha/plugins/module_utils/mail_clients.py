"""Mail clients of the standard library that connect to one address and verify the certificate for another name.

A service name points to several addresses; a probe must choose one of them (a VIP, a node) and still hold the server to the
name that clients use.
"""

from __future__ import annotations

import imaplib
import poplib
import smtplib
import socket
import ssl
import struct

# PROXY protocol version 2, command LOCAL, no address: "the balancer itself asks", as health checks do.
# (The PROXY protocol, section 2.2, haproxy.org/download/3.0/doc/proxy-protocol.txt)
PROXY_LOCAL = b"\x0d\x0a\x0d\x0a\x00\x0d\x0a\x51\x55\x49\x54\x0a" + struct.pack("!BBH", 0x20, 0x00, 0)


def tls_context(ca_file=None, verify=True):
    """Return a client context: TLS 1.2 or newer, certificate verified unless told otherwise.

    :param ca_file: path of a PEM file with the trusted authorities (str); None means those of the system.
    :param verify: False accepts any certificate, for reading what is served.
    """
    context = ssl.create_default_context(cafile=ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def connect(address, port, timeout, proxy=False):
    """Open a TCP connection.

    :param address: IPv4 or IPv6 address or name (str).
    :param port: TCP port (int).
    :param timeout: limit of every operation on the socket, in seconds (float).
    :param proxy: True sends a PROXY v2 LOCAL header first.
    """
    sock = socket.create_connection((address, port), timeout)
    if proxy:
        sock.sendall(PROXY_LOCAL)
    return sock


class SMTP(smtplib.SMTP):
    """SMTP to ``address``, verified for ``server_name`` at STARTTLS."""

    def __init__(self, address, port, server_name, timeout, proxy=False):
        self._proxy = proxy
        super().__init__(timeout=timeout)
        self.connect(address, port)
        self._host = server_name

    def _get_socket(self, host, port, timeout):
        return connect(host, port, timeout, self._proxy)


class SMTPS(smtplib.SMTP):
    """SMTP with implicit TLS (RFC 8314) to ``address``, verified for ``server_name``."""

    def __init__(self, address, port, server_name, timeout, context, proxy=False):
        self._server_name = server_name
        self._context = context
        self._proxy = proxy
        super().__init__(timeout=timeout)
        self.connect(address, port)

    def _get_socket(self, host, port, timeout):
        return self._context.wrap_socket(connect(host, port, timeout, self._proxy), server_hostname=self._server_name)


class IMAPS(imaplib.IMAP4):
    """IMAP with implicit TLS to ``address``, verified for ``server_name``."""

    def __init__(self, address, port, server_name, timeout, context):
        self._server_name = server_name
        self._context = context
        super().__init__(address, port, timeout)

    def _create_socket(self, timeout):
        return self._context.wrap_socket(connect(self.host, self.port, timeout), server_hostname=self._server_name)


class POP3S(poplib.POP3):
    """POP3 with implicit TLS to ``address``, verified for ``server_name``."""

    def __init__(self, address, port, server_name, timeout, context):
        self._server_name = server_name
        self._context = context
        super().__init__(address, port, timeout)

    def _create_socket(self, timeout):
        return self._context.wrap_socket(connect(self.host, self.port, timeout), server_hostname=self._server_name)
