#!/usr/bin/python
# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whom this node's Dovecot serves, whom it passes on, and how full it is."""

from __future__ import annotations

DOCUMENTATION = r'''
---
module: dovecot_info
short_description: Sessions, seats and limits of this node's Dovecot
version_added: 0.2.0
description:
  - Asks C(doveadm) who is logged in, and tells apart who is served here and who is only passed on to another node.
  - Tells which seats this node holds, and which services of Dovecot are nearly full or fail again and again.
  - A Dovecot that gives no answer is reported in RV(problems), not as a failure.
  - Whether a user is served by two nodes at once shows only when the answers of all nodes are put side by side.
options:
  seats:
    description: Addresses, by name, of all seats of the site.
    type: dict
    default: {}
  timeout:
    description: Limit of each question, in seconds.
    type: float
    default: 5
author:
  - ha-mail (@ha-mail)
attributes:
  check_mode:
    description: Only reads.
    support: full
  diff_mode:
    description: Changes nothing.
    support: none
  platform:
    description: Dovecot 2.4.
    support: full
    platforms: posix
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
'''

EXAMPLES = r'''
- name: Ask whom this node serves
  mail.ha.dovecot_info:
    seats:
      seat01: 192.0.2.201
      seat02: 192.0.2.202
  register: dovecot
  failed_when: dovecot.problems | length > 0
'''

RETURN = r'''
problems:
  description: One sentence for everything that is not as it should be; empty when all is well.
  returned: always
  type: list
  elements: str
  sample: ["service imap has 950 clients and takes 1000: raise its limit."]
seats:
  description: Names of the seats whose address is on this node.
  returned: when Dovecot answered
  type: list
  elements: str
  sample: [seat01]
sessions:
  description: Number of sessions that are served here and of those that are passed on, by protocol.
  returned: when Dovecot answered
  type: dict
  sample: {"served": {"imap": 2, "lmtp": 1}, "proxied": {"imap": 5}}
served:
  description: Users whose mailboxes are open here, with the number of their sessions by protocol.
  returned: when Dovecot answered
  type: dict
  sample: {"anna@example.org": {"imap": 2, "lmtp": 1}}
proxied:
  description: Users whose sessions are passed on to the holder of their seat, perhaps this node itself, with their number by protocol.
  returned: when Dovecot answered
  type: dict
  sample: {"ben@example.org": {"imap": 5}}
services:
  description: Processes and clients of each of Dovecot's services that is in use, and how many clients it takes at once.
  returned: when Dovecot answered
  type: list
  elements: dict
  sample: [{"name": "imap", "processes": 2, "process_limit": 1000, "clients": 2, "capacity": 1000, "waiting": false, "throttled": false}]
'''

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mail.ha.plugins.module_utils.checks import dovecot, end


def main():
    """Entry point."""
    module = AnsibleModule(argument_spec=dovecot.ARGUMENTS, supports_check_mode=True)
    end(module, dovecot)


if __name__ == '__main__':
    main()
