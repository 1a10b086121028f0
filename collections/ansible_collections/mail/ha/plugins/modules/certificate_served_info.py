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

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mail.ha.plugins.module_utils.checks import certificates, end


def main():
    """Entry point."""
    module = AnsibleModule(argument_spec=certificates.ARGUMENTS, supports_check_mode=True)
    end(module, certificates)


if __name__ == '__main__':
    main()
