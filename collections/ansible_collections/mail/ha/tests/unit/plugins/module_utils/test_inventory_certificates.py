# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The service certificate: real certificates, made here, with one thing wrong each."""

from __future__ import annotations

import datetime

import pytest
from ansible_collections.mail.ha.plugins.module_utils.inventory_certificates import CERTIFICATE, KEY, check_service_certificate, covers

pytest.importorskip('cryptography')

from cryptography import x509  # noqa: E402  only where the library is there
from cryptography.hazmat.primitives import hashes, serialization  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import ec  # noqa: E402

NOW = datetime.datetime(2026, 6, 15, 12, tzinfo=datetime.timezone.utc)
NAMES = ['mail.example.org', 'imap.example.org']


def make(names, start=-10, end=80, key=None):
    """PEM of a self-signed certificate and of its key; start and end in days from NOW."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, 'mail.example.org')])
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key()).serial_number(1)
    builder = builder.not_valid_before(NOW + datetime.timedelta(days=start)).not_valid_after(NOW + datetime.timedelta(days=end))
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM), pem(key)


def pem(key, encryption=None):
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                             encryption or serialization.NoEncryption())


def check(certificate, key, names=None):
    files = {}
    for variable, path, content in ((CERTIFICATE, '/c.pem', certificate), (KEY, '/k.pem', key)):
        if content != 'unset':
            files[variable] = {'path': path, 'content': content, 'problem': '' if content else 'No such file or directory'}
    found = check_service_certificate(files, NAMES if names is None else names, NOW, 14)
    return [(item['severity'], item['message']) for item in found]


def test_good_certificate():
    assert check(*make(NAMES)) == []


def test_wildcard_covers_one_label():
    assert check(*make(['*.example.org'])) == []
    assert covers('*.example.org', 'mail.example.org')
    assert not covers('*.example.org', 'example.org')
    assert not covers('*.example.org', 'a.mail.example.org')
    assert covers('MAIL.example.org', 'mail.example.org')


def test_intermediates_may_follow():
    certificate, key = make(NAMES)
    assert check(certificate + make(['ca.example.org'])[0], key) == []


def test_neither_is_good():
    assert check('unset', 'unset') == []


@pytest.mark.parametrize('certificate, key, variable, other', [
    (make(NAMES)[0], 'unset', KEY, CERTIFICATE),
    ('unset', make(NAMES)[1], CERTIFICATE, KEY),
], ids=['no key', 'no certificate'])
def test_one_without_the_other(certificate, key, variable, other):
    assert check(certificate, key) == [
        ('error', f'{variable}: it is not set, but {other} is, expected both or neither; '
                  'set it, or remove the other one to use the internal authority.')]


def test_missing_file():
    assert ('error', f"{CERTIFICATE}: '/c.pem' cannot be read (No such file or directory), expected a PEM file on the control node; "
                     'correct the path, or put the file there.') in check(None, make(NAMES)[1])


def test_name_not_covered():
    assert check(*make(['mail.example.org'])) == [
        ('error', f"{CERTIFICATE}: '/c.pem' covers mail.example.org, not imap.example.org, "
                  'expected mail_service_name and all mail_service_alternative_names; '
                  'have a certificate issued for all of them, or correct the names.')]


def test_common_name_alone_covers_nothing():
    assert "covers no name, not mail.example.org" in check(*make([]), names=['mail.example.org'])[0][1]


def test_expired():
    assert check(*make(NAMES, -100, -1)) == [
        ('error', f"{CERTIFICATE}: '/c.pem' expired on 2026-06-14, expected a certificate that is valid; renew it and put the new one there.")]


def test_not_yet_valid():
    assert "is not valid before 2026-06-16 12:00 UTC" in check(*make(NAMES, 1, 80))[0][1]


@pytest.mark.parametrize('days, found', [
    (13, [('warning', f"{CERTIFICATE}: '/c.pem' expires on 2026-06-28, expected at least 14 days left; renew it and put the new one there.")]),
    (14, []),
])
def test_expiring_soon(days, found):
    assert check(*make(NAMES, end=days)) == found


def test_key_of_another_certificate():
    assert check(make(NAMES)[0], make(NAMES)[1]) == [
        ('error', f"{KEY}: '/k.pem' is not the key of '/c.pem', expected the key that the certificate was made for; "
                  'give the key and the certificate of the same request.')]


@pytest.mark.parametrize('content', [b'no PEM', b'\x30\x82\x01', b'-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'])
def test_no_certificate(content):
    assert check(content, make(NAMES)[1]) == [
        ('error', f"{CERTIFICATE}: '/c.pem' cannot be parsed, expected a PEM certificate, followed by its intermediates; "
                  'write the certificate in PEM form.')]


def test_key_with_passphrase():
    key = ec.generate_private_key(ec.SECP256R1())
    locked = pem(key, serialization.BestAvailableEncryption(b'hunter2'))
    assert check(make(NAMES, key=key)[0], locked) == [
        ('error', f"{KEY}: '/k.pem' cannot be parsed, expected a PEM private key without passphrase; "
                  'remove the passphrase and protect the file with ansible-vault instead, or correct the file.')]
