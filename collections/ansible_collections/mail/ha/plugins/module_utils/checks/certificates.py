# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The certificates that endpoints serve: who signed them, for which names, and for how long."""

from __future__ import annotations

import datetime
import ipaddress
from concurrent.futures import ThreadPoolExecutor

from ansible.module_utils.basic import missing_required_lib
from ansible_collections.mail.ha.plugins.module_utils import served_certificate
from ansible_collections.mail.ha.plugins.module_utils.checks import CheckError

try:
    from cryptography import x509
except ImportError:
    x509 = None

ARGUMENTS = {
    "endpoints": {"type": "list", "elements": "dict", "required": True, "options": {
        "name": {"type": "str", "required": True},
        "address": {"type": "str", "required": True},
        "port": {"type": "int", "required": True},
        "starttls": {"type": "str", "choices": list(served_certificate.STARTTLS), "default": "none"},
        "proxy": {"type": "bool", "default": False},
        "server_name": {"type": "str", "required": True},
    }},
    "ca_file": {"type": "path"},
    "min_days": {"type": "int", "default": 14},
    "timeout": {"type": "float", "default": 5},
}
AT_ONCE = 16  # endpoints


def names_of(certificate):
    """Return the DNS names and IP addresses that a certificate is valid for (list of str)."""
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return extension.get_values_for_type(x509.DNSName) + [str(ip) for ip in extension.get_values_for_type(x509.IPAddress)]


def valid_for(name, names):
    """Whether a certificate with ``names`` covers ``name``; a wildcard stands for one label (RFC 9525, section 6.3)."""
    try:
        return str(ipaddress.ip_address(name)) in names
    except ValueError:
        wildcard = "*." + name.partition(".")[2]
        return name.lower() in [item.lower() for item in names] or wildcard.lower() in [item.lower() for item in names]


def judge(endpoint, certificate, authority, min_days, now):
    """Return the sentences about what is wrong with a certificate (list of str).

    :param endpoint: the endpoint asked (dict).
    :param certificate: the certificate served (cryptography.x509.Certificate).
    :param authority: the certificate that must have signed it, or None.
    :param min_days: least number of days it must still be valid (int).
    :param now: the present time (datetime, UTC).
    """
    place = f"{endpoint['name']} ({endpoint['address']} port {endpoint['port']})"
    problems = []
    days = (certificate.not_valid_after_utc - now).days
    if days < min_days:
        problems.append(f"{place}: {days} days left, expected {min_days} or more. Run site.yml to renew and reload.")
    names = names_of(certificate)
    if not valid_for(endpoint["server_name"], names):
        problems.append(f"{place}: valid for {', '.join(names) or 'no name'}, expected {endpoint['server_name']}. "
                        "Run site.yml to issue and reload.")
    if authority is not None:
        try:
            certificate.verify_directly_issued_by(authority)
        except Exception:  # pylint: disable=broad-except # the library raises several unrelated types for "not signed"
            problems.append(f"{place}: not signed by {authority.subject.rfc4514_string()}. Run site.yml to issue and reload.")
    return problems


def examine(endpoint, authority, min_days, timeout, now):
    """Ask one endpoint -> (its entry in the results, sentences about it). The parameters are those of :func:`judge`."""
    entry = {"name": endpoint["name"], "port": endpoint["port"], "error": ""}
    try:
        der, entry["tls"] = served_certificate.read(
            endpoint["address"], endpoint["port"], endpoint["starttls"], endpoint["server_name"], endpoint["proxy"], timeout)
    except (OSError, served_certificate.ServedCertificateError) as error:
        entry["error"] = str(error)
        return entry, [f"{endpoint['name']} ({endpoint['address']} port {endpoint['port']}): no certificate could be read: "
                       f"{error}. Look whether the daemon runs and the firewall lets this host in."]
    certificate = x509.load_der_x509_certificate(der)
    entry["fingerprint"] = served_certificate.fingerprint(der)
    entry["names"] = names_of(certificate)
    entry["not_after"] = certificate.not_valid_after_utc.isoformat()
    entry["days_left"] = (certificate.not_valid_after_utc - now).days
    return entry, judge(endpoint, certificate, authority, min_days, now)


def answer(parameters):
    """The answer of this node. Raises CheckError."""
    if x509 is None:
        raise CheckError(missing_required_lib("cryptography"))
    authority = None
    if parameters["ca_file"]:
        try:
            with open(parameters["ca_file"], "rb") as file:
                authority = x509.load_pem_x509_certificate(file.read())
        except (OSError, ValueError) as error:
            raise CheckError("ca_file: found %s at %s, expected a certificate in PEM. Run site.yml." % (error, parameters["ca_file"])) from error
    now = datetime.datetime.now(datetime.timezone.utc)
    # All at once: a node that is gone must not make the others wait.
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        answers = list(pool.map(
            lambda endpoint: examine(endpoint, authority, parameters["min_days"], parameters["timeout"], now), parameters["endpoints"]))
    return {"certificates": [entry for entry, told in answers], "problems": [sentence for entry, told in answers for sentence in told]}
