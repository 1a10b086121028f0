#!/usr/bin/python
# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Give one member of a firewall pair the active role, or take it away."""

from __future__ import annotations

DOCUMENTATION = r'''
---
module: firewall_failover
short_description: Planned switchover of a firewall pair
version_added: 0.4.0
description:
  - Makes a member active or standby, and waits until it is. Does nothing where it is already.
  - Refuses when the other member is not ready or the pair is not in sync, since sessions would be lost.
  - Ask the active member to become standby. With C(linux), and with C(fortinet) unless it was failed over before, a standby cannot take the role
    by itself, and the module fails there.
options:
  state:
    description: Role that this member has to have.
    type: str
    choices: [active, standby]
    required: true
  deadline:
    description: Seconds until both members have to have their new roles.
    type: int
    default: 60
extends_documentation_fragment:
  - mail.ha.firewall
  - ansible.builtin.action_common_attributes
author:
  - ha-mail (@ha-mail)
attributes:
  check_mode:
    description: Tells what would be done, refusals included.
    support: full
  diff_mode:
    description: Shows the role.
    support: full
seealso:
  - module: mail.ha.firewall_info
'''

EXAMPLES = r'''
- name: Take fw1 out of the way of the traffic
  mail.ha.firewall_failover:
    platform: "{{ mail_firewall_platform }}"
    state: standby
'''

RETURN = r'''
seconds:
  description: How long it took, as seen from here.
  returned: success
  type: float
  sample: 2.3
'''

import time

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.connection import ConnectionError as DeviceError

from ansible_collections.mail.ha.plugins.module_utils import firewall_pair, firewall_platforms
from ansible_collections.mail.ha.plugins.module_utils.firewall_dialect import DialectError

POLL = 0.5


def wait(dialect, role, deadline, clock=time.monotonic, sleep=time.sleep):
    """Wait until the member has its role and is whole again; return the last facts, or None if it never answered."""
    end, facts = clock() + deadline, None
    while True:
        try:
            facts = dialect.facts()
            if facts['role'] == role and not firewall_pair.spare_problems(facts):
                return facts
        except (DeviceError, DialectError):
            pass  # the session may end with the address that it came by
        if clock() >= end:
            return facts
        sleep(POLL)


def main():
    """Entry point."""
    module = AnsibleModule(
        argument_spec=dict(firewall_platforms.ARGUMENTS, state={'type': 'str', 'choices': ['active', 'standby'], 'required': True},
                           deadline={'type': 'int', 'default': 60}),
        supports_check_mode=True,
    )
    dialect, wanted = firewall_platforms.dialect_of(module), module.params
    try:
        before = dialect.facts()
        problems = firewall_pair.member_problems(before, {'platform': wanted['platform'], 'version': wanted['version']})
        if before['role'] != wanted['state']:
            problems += firewall_pair.spare_problems(before)
        if problems:
            module.fail_json(msg='No switchover: %s' % ' '.join(problems), facts=before)
        changed, start = before['role'] != wanted['state'], time.monotonic()
        if changed and not module.check_mode:
            dialect.switchover()
    except (DeviceError, DialectError) as error:
        module.fail_json(msg=str(error))
    if changed and not module.check_mode:
        after = wait(dialect, wanted['state'], wanted['deadline'])
        problems = ['it does not answer any more.'] if after is None else firewall_pair.spare_problems(after)
        if problems or after['role'] != wanted['state']:
            module.fail_json(msg='The switchover was asked for, and %d s later it is not whole: found it %s, expected %s. %s' % (
                wanted['deadline'], 'silent' if after is None else after['role'], wanted['state'], ' '.join(problems)), facts=after)
    module.exit_json(changed=changed, seconds=round(time.monotonic() - start, 1),
                     diff={'before': before['role'] + '\n', 'after': wanted['state'] + '\n'})


if __name__ == '__main__':
    main()
