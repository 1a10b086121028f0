#!/usr/bin/python
# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The one maintenance switch of a node."""

from __future__ import annotations

DOCUMENTATION = r'''
---
module: node_maintenance
short_description: Maintenance state of this node
version_added: 0.2.0
description:
  - Sets the one switch of a node with the program that the role node_agent installs. The balancers follow it within a second or two
    (agent check), keepalived at once (priority of every service VIP and seat), Patroni within some seconds (a leader hands over). It
    outlives a reboot.
  - Sets the switch and nothing else. That sessions and addresses are gone is seen from the balancers and the neighbours
    (M(mail.ha.haproxy_info), M(mail.ha.vrrp_info)), that another database leads from Patroni (M(mail.ha.patroni_info)).
options:
  state:
    description:
      - V(ready) for in service, V(drain) for no new work while running sessions go on, V(maint) for no part at all.
      - With V(drain) and V(maint) the node is the last choice for VIPs, seats and the database's leader, and still one when all others are gone.
    type: str
    choices: [ready, drain, maint]
    required: true
author:
  - ha-mail (@ha-mail)
attributes:
  check_mode:
    description: Tells what would be set, from the state at present.
    support: full
  diff_mode:
    description: Shows the state and the VRRP weight.
    support: full
  platform:
    description: Nodes with the role node_agent.
    support: full
    platforms: posix
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
seealso:
  - module: mail.ha.haproxy_server
'''

EXAMPLES = r'''
- name: Take this node out of service
  mail.ha.node_maintenance:
    state: drain

- name: Put it back
  mail.ha.node_maintenance:
    state: ready
'''

RETURN = r'''
old:
  description:
    - State and VRRP weight before. The state is V(invalid) when its file held none; the weight is null when there was none, as after a
      reboot until keepalived starts.
  returned: success
  type: dict
  sample: {state: ready, vrrp_weight: 0}
new:
  description: State and VRRP weight after, or what they would be in check mode.
  returned: success
  type: dict
  sample: {state: drain, vrrp_weight: -250}
'''

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.mail.ha.plugins.module_utils import asking, maintenance
from ansible_collections.mail.ha.plugins.module_utils.checks.maintenance import PROGRAM, call, status


def ensure(state, check_mode, run):
    """Bring the node to ``state``. ``run`` is asking.run or a stand-in.

    Returns the module's answer; raises MaintenanceError.
    """
    old, goal = status(run), maintenance.wanted(state)
    new = goal
    if old != goal and not check_mode:
        code, output = call(run, *maintenance.command(state))
        new = status(run)
        if code != 0 or new != goal:
            raise maintenance.MaintenanceError('%s %s: exit code %d, "%s"; found %s afterwards, expected %s. Look who else sets it.' % (
                PROGRAM, ' '.join(maintenance.command(state)), code, output.strip(), new, goal))
    return {'changed': old != goal, 'old': old, 'new': new, 'diff': {'before': listing(old), 'after': listing(goal)}}


def listing(found):
    """A status as lines."""
    return 'state %(state)s\nvrrp_weight %(vrrp_weight)s\n' % found


def main():
    """Entry point."""
    module = AnsibleModule(
        argument_spec={'state': {'type': 'str', 'choices': list(maintenance.STATES), 'required': True}},
        supports_check_mode=True,
    )
    try:
        answer = ensure(module.params['state'], module.check_mode, asking.run)
    except maintenance.MaintenanceError as error:
        module.fail_json(msg=str(error))
    module.exit_json(**answer)


if __name__ == '__main__':
    main()
