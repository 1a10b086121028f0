#!/usr/bin/python
# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Is a replicated GlusterFS volume healthy, seen from this node?"""

from __future__ import annotations

DOCUMENTATION = r'''
---
module: gluster_volume_info
short_description: State of a replicated GlusterFS volume as one node sees it
version_added: 1.0.0
description:
  - Asks this node's glusterd for peers, volume, bricks, self-heal daemons and files that wait to be healed.
  - A volume that is missing or broken is reported in RV(problems), not as a failure.
options:
  name:
    description: Name of the volume.
    type: str
    required: true
  address:
    description: IP address of this node, one of O(members).
    type: str
    required: true
  members:
    description: IP addresses of all nodes that should be peers.
    type: list
    elements: str
    required: true
  brick_members:
    description: IP addresses of the nodes that should hold a copy.
    type: list
    elements: str
    required: true
  brick_path:
    description: Absolute path of the brick directory on the nodes of O(brick_members).
    type: path
    required: true
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
    description: GlusterFS 11.
    support: full
    platforms: posix
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
'''

EXAMPLES = r'''
- name: Ask for the health of the store
  mail.ha.gluster_volume_info:
    name: mail
    address: 192.0.2.21
    members: [192.0.2.21, 192.0.2.22, 192.0.2.23]
    brick_members: [192.0.2.21, 192.0.2.22, 192.0.2.23]
    brick_path: /var/lib/ha-mail/brick
  register: store
  until: not store.problems
  retries: 30
  delay: 2
'''

RETURN = r'''
problems:
  description: One sentence for everything that is not as it should be; empty when the volume is healthy.
  returned: always
  type: list
  elements: str
  sample: ["brick 192.0.2.22:/var/lib/ha-mail/brick is not online"]
options:
  description: The options that are set on the volume, by name; empty when there is no such volume.
  returned: always
  type: dict
  sample: {"network.ping-timeout": "3"}
bricks:
  description: The bricks that the volume should have, and whether each is online.
  returned: always
  type: list
  elements: dict
  sample: [{"name": "192.0.2.22:/var/lib/ha-mail/brick", "online": true}]
quorum:
  description: How many bricks must be online for writes, how many are, and whether that is enough.
  returned: always
  type: dict
  sample: {"needed": 2, "online": 3, "met": true}
pending:
  description: Files that wait to be healed, the largest number that any brick reports.
  returned: always
  type: int
  sample: 0
split_brain:
  description: Files that differ between bricks without a right one, the largest number that any brick reports.
  returned: always
  type: int
  sample: 0
'''

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.mail.ha.plugins.module_utils import gluster


def main():
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            'name': {'type': 'str', 'required': True},
            'address': {'type': 'str', 'required': True},
            'members': {'type': 'list', 'elements': 'str', 'required': True},
            'brick_members': {'type': 'list', 'elements': 'str', 'required': True},
            'brick_path': {'type': 'path', 'required': True},
        },
        supports_check_mode=True,
    )
    module.exit_json(changed=False, **gluster.state(module.params, module.run_command))


if __name__ == '__main__':
    main()
