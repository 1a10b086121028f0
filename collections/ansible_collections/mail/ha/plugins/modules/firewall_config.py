#!/usr/bin/python
# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r'''
---
module: firewall_config
short_description: Policy of a firewall, changed in a way that cannot lock anybody out
version_added: 0.4.0
description:
  - Renders a policy for the platform, compares it with what is in force, and sends it only where they differ.
  - Before anything is changed, the device is told to take the change back by itself after O(deadline) seconds. The change is confirmed, and
    saved, after it was read back over a new login.
  - Where the change cannot be made as things are, nothing is sent and the module fails, in check mode too.
  - When something fails on the way, the module waits until the old policy is in force again, and says so.
  - Pairs that replicate their configuration take changes at the active member only; at the other one this module finds nothing to do,
    or fails. In check mode it fails there as long as the change was not made.
options:
  policy:
    description: The policy, as the filter P(mail.ha.firewall_policy#filter) makes it. It must have no problems.
    type: dict
    required: true
  member:
    description: >-
      What is particular about this device; C(interfaces) maps each zone to the name that the device has for it, and on Linux the Internet to a list
      where it has uplinks.
    type: dict
    required: true
  state:
    description:
      - V(present) makes the change and confirms it.
      - V(armed) makes the change and leaves its confirmation to a later task, such as one after a failover to this member.
      - V(confirmed) confirms what an earlier task armed.
      - V(reverted) takes back at once what was armed and not confirmed.
    type: str
    choices: [present, armed, confirmed, reverted]
    default: present
  deadline:
    description:
      - Seconds after which the device takes the change back unless it was confirmed.
      - Some platforms count in minutes; the number is rounded up there.
    type: int
    default: 120
extends_documentation_fragment:
  - mail.ha.firewall
  - ansible.builtin.action_common_attributes
author:
  - ha-mail (@ha-mail)
attributes:
  action:
    description: The work is done by an action plugin on the control node.
    support: full
  check_mode:
    description: Reads, renders and compares, and fails where the change could not be made; changes nothing.
    support: full
  diff_mode:
    description: Shows the policy in force and the wanted one, in the normal form of the platform.
    support: full
seealso:
  - module: mail.ha.firewall_info
  - module: mail.ha.firewall_failover
'''

EXAMPLES = r'''
- name: Bring the policy of the site to the pair
  mail.ha.firewall_config:
    platform: juniper_junos
    policy: "{{ __firewall_policy }}"
    member: {interfaces: {wan: untrust, dmz: dmz, management: mgmt}, local: []}
'''

RETURN = r'''
notes:
  description: Sentences about what the platform cannot express, and about what the policy says and may not mean.
  returned: success
  type: list
  elements: str
  sample: ["limits per source count sessions instead of new connections a minute."]
armed:
  description: Seconds until the device takes the change back; null if nothing waits for a confirmation.
  returned: success
  type: int
  sample: null
lines:
  description: How many lines the policy has in the normal form of the platform.
  returned: success
  type: int
  sample: 118
'''
