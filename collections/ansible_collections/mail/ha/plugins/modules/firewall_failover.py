#!/usr/bin/python
# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

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
  action:
    description: The work is done by an action plugin on the control node.
    support: full
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
