# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rules for a given service certificate: it is there, fits its key, covers the names and stays valid for a while."""

from __future__ import annotations

import datetime

from ansible_collections.mail.ha.plugins.module_utils.inventory_finding import WARNING, enumerate_names, finding

try:
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization
    HAS_CRYPTOGRAPHY = True
except ImportError:
    HAS_CRYPTOGRAPHY = False

CERTIFICATE = 'mail_service_certificate_file'
KEY = 'mail_service_certificate_key_file'


def covers(pattern, name):
    """True when a dNSName of a certificate covers a host name (RFC 9525 section 6.3: '*' is one whole leftmost label)."""
    pattern = pattern.lower().rstrip('.')
    name = name.lower().rstrip('.')
    if pattern.startswith('*.'):
        return '.' in name and name.partition('.')[2] == pattern[2:]
    return pattern == name


def check_service_certificate(files, names, now, days):
    """Check the certificate that clients will see.

    :param files: ``{variable: {'path': str, 'content': bytes or None, 'problem': str}}`` of the two variables that are set
    :param names: mail_service_name and the alternative names
    :param now: aware ``datetime``
    :param days: how many days before its end a certificate is worth a warning
    :returns: findings; never holds anything of the key
    """
    if not files:
        return []
    result = []
    for variable, other in ((CERTIFICATE, KEY), (KEY, CERTIFICATE)):
        if variable not in files:
            result.append(finding(variable, f'it is not set, but {other} is', 'both or neither',
                                  'set it, or remove the other one to use the internal authority'))
        elif files[variable]['content'] is None:
            result.append(finding(variable, f"'{files[variable]['path']}' cannot be read ({files[variable]['problem']})",
                                  'a PEM file on the control node', 'correct the path, or put the file there'))
    if not HAS_CRYPTOGRAPHY:
        return result
    certificate = _load(_load_certificate, CERTIFICATE, files, 'a PEM certificate, followed by its intermediates',
                        'write the certificate in PEM form', result)
    key = _load(_load_key, KEY, files, 'a PEM private key without passphrase',
                'remove the passphrase and protect the file with ansible-vault instead, or correct the file', result)
    if certificate is not None:
        path = files[CERTIFICATE]['path']
        result += _check_names(certificate, names, path) + _check_dates(certificate, now, days, path)
        if key is not None and _public(certificate) != _public(key):
            result.append(finding(KEY, f"'{files[KEY]['path']}' is not the key of '{path}'", 'the key that the certificate was made for',
                                  'give the key and the certificate of the same request'))
    return result


def _check_names(certificate, names, path):
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        covered = extension.value.get_values_for_type(x509.DNSName)
    except x509.ExtensionNotFound:
        covered = []
    missing = [name for name in names if not any(covers(pattern, name) for pattern in covered)]
    if not missing:
        return []
    return [finding(CERTIFICATE, f"'{path}' covers {enumerate_names(covered) or 'no name'}, not {enumerate_names(missing)}",
                    'mail_service_name and all mail_service_alternative_names',
                    'have a certificate issued for all of them, or correct the names')]


def _check_dates(certificate, now, days, path):
    start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    remedy = 'renew it and put the new one there'
    if end <= now:
        return [finding(CERTIFICATE, f"'{path}' expired on {end:%Y-%m-%d}", 'a certificate that is valid', remedy)]
    if start > now:
        return [finding(CERTIFICATE, f"'{path}' is not valid before {start:%Y-%m-%d %H:%M} UTC", 'a certificate that is valid now',
                        'correct the clock of this control node, or wait')]
    if end - now < datetime.timedelta(days=days):
        return [finding(CERTIFICATE, f"'{path}' expires on {end:%Y-%m-%d}", f'at least {days} days left', remedy, severity=WARNING)]
    return []


def _load(load, variable, files, expected, remedy, result):
    """Parse one of the files; what is no such thing becomes a finding in ``result``."""
    content = files.get(variable, {}).get('content')
    if content is None:
        return None
    try:
        return load(content)
    except (ValueError, TypeError):
        result.append(finding(variable, f"'{files[variable]['path']}' cannot be parsed", expected, remedy))
        return None


def _load_certificate(content):
    return x509.load_pem_x509_certificates(content)[0]


def _load_key(content):
    return serialization.load_pem_private_key(content, password=None)


def _public(owner):
    return owner.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
