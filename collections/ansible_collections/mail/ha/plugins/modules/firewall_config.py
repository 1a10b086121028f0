#!/usr/bin/python
# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Bring a policy to one member of a firewall pair."""

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

import time

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.connection import ConnectionError as DeviceError

from ansible_collections.mail.ha.plugins.module_utils import firewall_platforms
from ansible_collections.mail.ha.plugins.module_utils.firewall_change import Change, ChangeError
from ansible_collections.mail.ha.plugins.module_utils.firewall_dialect import DialectError

TOO_SHORT = 30  # seconds in which a new login and a look at the policy have room


def ensure(change, state, check_mode):
    """Bring the member to a state; return whether that changes or would change anything."""
    change.look()
    if state == 'reverted':
        return change.facts['armed'] is not None if check_mode else change.reverted()
    if state == 'confirmed':
        waits = change.facts['armed'] is not None or change.saved != change.lines
        if waits and not check_mode:
            change.confirmed()
        return waits
    differs = change.foreseen() if check_mode else change.armed()
    waits = state == 'present' and (differs or change.saved != change.lines)
    if waits and not check_mode:
        change.confirmed()
    return differs or waits


def main():
    """Entry point."""
    module = AnsibleModule(
        argument_spec=dict(
            firewall_platforms.ARGUMENTS,
            policy={'type': 'dict', 'required': True},
            member={'type': 'dict', 'required': True},
            state={'type': 'str', 'choices': ['present', 'armed', 'confirmed', 'reverted'], 'default': 'present'},
            deadline={'type': 'int', 'default': 120},
        ),
        supports_check_mode=True,
    )
    dialect, wanted = firewall_platforms.dialect_of(module), module.params
    if wanted['policy'].get('problems') != []:
        module.fail_json(msg='policy: found problems or none told, expected a policy without any: %s' % ' '.join(wanted['policy'].get('problems') or ['?']))
    unnamed = [zone['name'] for zone in wanted['policy'].get('zones', []) if zone['name'] not in (wanted['member'].get('interfaces') or {})]
    if unnamed:
        module.fail_json(msg='member: found no interface for the zone %s, expected one for each zone of the policy.' % ', '.join(unnamed))
    several = [zone for zone, name in wanted['member']['interfaces'].items() if not isinstance(name, str)]
    if several and wanted['platform'] != 'linux':
        module.fail_json(msg='member: found several interfaces for the zone %s, expected one with the platform %s; only linux has uplinks.'
                         % (', '.join(several), wanted['platform']))
    if wanted['deadline'] < TOO_SHORT:
        module.fail_json(msg='deadline: found %d, expected at least %d seconds; a new login needs its time.' % (wanted['deadline'], TOO_SHORT))
    declared = {'platform': wanted['platform'], 'version': wanted['version']}
    try:
        lines, notes = dialect.render(wanted['policy'], wanted['member'])
        change = Change(dialect, declared, lines, wanted['deadline'], time.monotonic, time.sleep)
        changed = ensure(change, wanted['state'], module.check_mode)
        armed = change.facts['armed'] if module.check_mode or not changed else dialect.facts()['armed']
    except (DeviceError, DialectError, ChangeError) as error:
        module.fail_json(msg=str(error))
    target = change.saved if wanted['state'] == 'reverted' else lines
    module.exit_json(changed=changed, notes=wanted['policy'].get('notes', []) + notes, armed=armed, lines=len(lines), diff={
        'before': ''.join(line + '\n' for line in change.running), 'after': ''.join(line + '\n' for line in target)})


if __name__ == '__main__':
    main()
