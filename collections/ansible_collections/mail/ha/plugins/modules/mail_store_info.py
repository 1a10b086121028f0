#!/usr/bin/python
# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Can this node store mail, and how many more failures does the store take?"""

from __future__ import annotations

DOCUMENTATION = r'''
---
module: mail_store_info
short_description: State of the mail store as one mailserver sees it
version_added: 0.2.0
description:
  - Lets C(mail-store-probe) write to the store, compares what is mounted there with what should be, and asks GlusterFS for peers, bricks
    and heals where it is the engine.
  - A store that is broken is reported in RV(problems), not as a failure.
options:
  engine:
    description: What keeps the store, as in role C(mail_store).
    type: str
    choices: [glusterfs, mounted]
    required: true
  path:
    description: Mount point of the store.
    type: path
    default: /srv/mail
  probe:
    description: The probe of role C(mail_store). It knows which types of file system are right, and the deadline of a write.
    type: path
    default: /usr/local/lib/ha-mail/mail-store-probe
  source:
    description:
      - What should be mounted at O(path) with O(engine=mounted), as C(findmnt --nofsroot --output SOURCE) shows it on the node.
      - When empty, any file system of a right type will do. With O(engine=glusterfs) it is O(volume), from any of O(volume.members).
    type: str
    default: ''
    version_added: 0.8.0
  volume:
    description: The GlusterFS volume; needed with O(engine=glusterfs).
    type: dict
    suboptions:
      name:
        description: Name of the volume.
        type: str
        required: true
      address:
        description: IP address of this node, one of O(volume.members).
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
        description: Absolute path of the brick directory on the nodes of O(volume.brick_members).
        type: path
        required: true
  timeout:
    description: Limit of each question to GlusterFS and of the probe, in seconds; more than the probe's own deadline.
    type: float
    default: 30
author:
  - ha-mail (@ha-mail)
attributes:
  check_mode:
    description: Changes nothing but the probe's own file, which is gone again afterwards.
    support: full
  diff_mode:
    description: Changes nothing.
    support: none
  platform:
    description: GlusterFS 11, or any file system that is mounted.
    support: full
    platforms: posix
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
'''

EXAMPLES = r'''
- name: Ask for the health of the store
  mail.ha.mail_store_info:
    engine: glusterfs
    volume:
      name: mail
      address: 192.0.2.21
      members: [192.0.2.21, 192.0.2.22, 192.0.2.23]
      brick_members: [192.0.2.21, 192.0.2.22, 192.0.2.23]
      brick_path: /var/lib/ha-mail/brick
  register: store
  until: not store.problems
  retries: 30
  delay: 2

- name: Prove that this node can store mail, and that it goes where it should
  mail.ha.mail_store_info:
    engine: mounted
    source: nfs.example.org:/export/mail
  register: store
  failed_when: store.problems | length > 0
'''

RETURN = r'''
problems:
  description: One sentence for everything that is not as it should be; empty when the store is healthy.
  returned: always
  type: list
  elements: str
  sample: ["brick 192.0.2.22:/var/lib/ha-mail/brick is not online"]
writable:
  description: Whether a write, sync, read and unlink were done before the probe's deadline.
  returned: always
  type: bool
  sample: true
write_seconds:
  description: How long they took, in seconds; none when they were not done.
  returned: always
  type: float
  sample: 0.016
mount:
  description: What is mounted at O(path), from the kernel's table of mounts; none when nothing is.
  returned: always
  type: dict
  sample:
    type: fuse.glusterfs
    source: 192.0.2.21:mail
    options: [rw, nosuid, nodev, noexec, relatime]
    read_only: false
quorum:
  description: How many bricks must be online for writes, how many are, and whether that is enough.
  returned: when O(engine=glusterfs)
  type: dict
  sample: {"needed": 2, "online": 3, "met": true}
bricks:
  description: The bricks that the volume should have, and whether each is online.
  returned: when O(engine=glusterfs)
  type: list
  elements: dict
  sample: [{"name": "192.0.2.22:/var/lib/ha-mail/brick", "online": true}]
pending:
  description: Files that wait to be healed, the largest number that any brick reports.
  returned: when O(engine=glusterfs)
  type: int
  sample: 0
split_brain:
  description: Files that differ between bricks without a right one, the largest number that any brick reports.
  returned: when O(engine=glusterfs)
  type: int
  sample: 0
'''

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mail.ha.plugins.module_utils.checks import end, mail_store


def main():
    """Entry point."""
    module = AnsibleModule(argument_spec=mail_store.ARGUMENTS, supports_check_mode=True, **mail_store.RULES)
    end(module, mail_store)


if __name__ == '__main__':
    main()
