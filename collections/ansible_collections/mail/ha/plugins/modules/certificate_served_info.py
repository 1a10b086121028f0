#!/usr/bin/python
# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Read and judge the certificates that servers really present."""

from __future__ import annotations

DOCUMENTATION = r"""
module: certificate_served_info
short_description: Read the certificates that servers present, and say which are not what they should be
version_added: 0.1.0
description:
  - Connects to each endpoint, reads the certificate served there, and compares it with the names that it must be valid for,
    the days that it must still live, and the authority that must have signed it.
  - What is on disk is not looked at. A daemon that was not reloaded after a renewal is found this way.
author: ["ha-mail authors (@ha-mail)"]
attributes:
  check_mode:
    description: Reads only, so check mode makes no difference.
    support: full
requirements: ["cryptography (Python library) on the host that runs the module"]
options:
  endpoints:
    description: Where to ask.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: What the endpoint is called in the results.
        type: str
        required: true
      address:
        description: IPv4 or IPv6 address or host name.
        type: str
        required: true
      port:
        description: TCP port.
        type: int
        required: true
      starttls:
        description: What is spoken before TLS begins.
        type: str
        choices: [none, smtp, lmtp, imap, pop3, sieve, postgresql]
        default: none
      proxy:
        description: Whether to send a PROXY protocol v2 header first, as the balancers do.
        type: bool
        default: false
      server_name:
        description: DNS name or IP address that the certificate must be valid for.
        type: str
        required: true
  ca_file:
    description: PEM file of the authority that must have signed the certificates; without it the signature is not judged.
    type: path
  min_days:
    description: Least number of days that a certificate must still be valid.
    type: int
    default: 14
  timeout:
    description: Limit of each network operation, in seconds.
    type: float
    default: 5
"""

EXAMPLES = r"""
- name: Read what IMAP serves on a seat
  mail.ha.certificate_served_info:
    ca_file: /etc/ha-mail/tls/ca.crt
    endpoints:
      - {name: imaps on seat01, address: 192.0.2.201, port: 993, server_name: seat01.nodes.example.org}
  register: served
  failed_when: served.problems | length > 0
"""

RETURN = r"""
certificates:
  description: One entry per endpoint.
  returned: always
  type: list
  elements: dict
  sample:
    - name: imaps on seat01
      port: 993
      fingerprint: 1f0e...
      names: [seat01.nodes.example.org, 192.0.2.201]
      not_after: "2027-12-01T00:00:00+00:00"
      days_left: 396
      tls: TLSv1.3
      error: ""
problems:
  description: One sentence per fault, with what was found, what was expected and what to do; empty when all is well.
  returned: always
  type: list
  elements: str
  sample: ["imaps on seat01 (192.0.2.201 port 993): 3 days left, expected 14 or more. Run site.yml to renew."]
"""

import datetime
import ipaddress
import traceback
from concurrent.futures import ThreadPoolExecutor

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.mail.ha.plugins.module_utils import served_certificate

try:
    from cryptography import x509
    IMPORT_ERROR = None
except ImportError:
    IMPORT_ERROR = traceback.format_exc()

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


def main():
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
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
        },
        supports_check_mode=True,
    )
    if IMPORT_ERROR:
        module.fail_json(msg=missing_required_lib("cryptography"), exception=IMPORT_ERROR)
    params = module.params
    authority = None
    if params["ca_file"]:
        with open(params["ca_file"], "rb") as file:
            authority = x509.load_pem_x509_certificate(file.read())
    now = datetime.datetime.now(datetime.timezone.utc)

    def answer(endpoint):
        return examine(endpoint, authority, params["min_days"], params["timeout"], now)

    # All at once: a node that is gone must not make the others wait.
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        answers = list(pool.map(answer, params["endpoints"]))
    certificates = [entry for entry, told in answers]
    problems = [sentence for entry, told in answers for sentence in told]
    module.exit_json(changed=False, certificates=certificates, problems=problems)


if __name__ == "__main__":
    main()
