"""TLS: which versions, which certificate, and where AUTH is offered."""

import concurrent.futures
import socket
import ssl
import warnings

import mail_clients
import pytest

IMPLICIT = [465, 993, 995]
STARTTLS = {25: "smtp", 587: "smtp", 4190: "sieve"}


def handshake(site, vip, port, context):
    """Complete a TLS handshake on any of the service's ports; return the TLS socket."""
    import served_certificate  # pylint: disable=import-outside-toplevel

    sock = mail_clients.connect(site.address(vip), port, 20)
    served_certificate.STARTTLS[STARTTLS.get(port, "none")](sock)
    return context.wrap_socket(sock, server_hostname=site.name)


@pytest.mark.parametrize("port", IMPLICIT + list(STARTTLS))
def test_certificate_is_valid_for_the_service_name(site, vip, port):
    with handshake(site, vip, port, site.context) as tls:
        assert tls.version() in ("TLSv1.2", "TLSv1.3")


@pytest.mark.parametrize("port", IMPLICIT + list(STARTTLS))
def test_tls_before_1_2_is_refused(site, port):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    # The client must be willing, or this would test the client.
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionError)):
        handshake(site, 0, port, context)


def test_auth_is_offered_inside_tls_only(site):
    client = mail_clients.SMTP(site.vips[0], 587, site.name, 20)
    client.ehlo()
    assert not client.has_extn("auth")
    client.starttls(context=site.context)
    client.ehlo()
    assert client.has_extn("auth")
    client.quit()


def test_port_25_never_offers_auth(site):
    with site.smtp(tls=True) as client:
        assert not client.has_extn("auth")


def test_nothing_else_is_open(site, vip):
    def answers(port):
        try:
            socket.create_connection((site.address(vip), port), 1).close()
        except OSError:
            return False
        return True

    ports = [110, 143, 10025, 10993, 2424, 12340, 5432, 2379, 8008, 9199]
    with concurrent.futures.ThreadPoolExecutor(len(ports)) as pool:
        assert not [port for port, answer in zip(ports, pool.map(answers, ports)) if answer]
