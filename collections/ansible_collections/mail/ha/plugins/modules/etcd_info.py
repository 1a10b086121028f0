#!/usr/bin/python
# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The etcd cluster as one of its members sees it."""

from __future__ import annotations

DOCUMENTATION = r'''
---
module: etcd_info
short_description: State of the etcd cluster, asked from one of its members
version_added: 0.2.0
description:
  - Asks this node's member for the list of members and for alarms, and each member for its status and its health, through C(etcdctl).
  - A cluster that is broken is reported in RV(problems), not as a failure. Without a quorum, what single members still say is returned.
options:
  url:
    description: Client URL of this node's member, one of those in O(members).
    type: str
    required: true
  members:
    description: Client URLs, by name, of the members that the cluster should have.
    type: dict
    required: true
  ca_file:
    description: PEM file of the authority that must have signed the members' certificates.
    type: path
    default: /etc/ha-mail/tls/ca.crt
  cert_file:
    description: PEM file of the certificate to show to the members.
    type: path
    default: /etc/ha-mail/tls/node.crt
  key_file:
    description: PEM file of its key.
    type: path
    default: /etc/ha-mail/tls/node.key
  timeout:
    description:
      - Limit of each question to each member, in seconds.
      - There are four questions; members are asked for their status one after the other, for their health all at once.
    type: float
    default: 2
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
    description: etcd 3.5.
    support: full
    platforms: posix
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
'''

EXAMPLES = r'''
- name: Ask for the health of etcd
  mail.ha.etcd_info:
    url: https://db1.nodes.example.org:2379
    members:
      db1: https://db1.nodes.example.org:2379
      db2: https://db2.nodes.example.org:2379
      db3: https://db3.nodes.example.org:2379
  register: etcd
  failed_when: etcd.problems | length > 0
'''

RETURN = r'''
problems:
  description: One sentence for everything that is not as it should be; empty when the cluster is at full strength.
  returned: always
  type: list
  elements: str
  sample: ["db3 does not work (context deadline exceeded), expected it to. Look at \"journalctl -u etcd\" there."]
leader:
  description: Name of the leader; none where the members that answer do not agree on one.
  returned: always
  type: str
  sample: db1
term:
  description: Highest raft term that a member told.
  returned: always
  type: int
  sample: 4
quorum:
  description: How many members must work.
  returned: always
  type: int
  sample: 2
healthy:
  description: How many members work.
  returned: always
  type: int
  sample: 3
may_fail:
  description: How many of those that work may still fail.
  returned: always
  type: int
  sample: 1
alarms:
  description: Active alarms, C(NOSPACE) or C(CORRUPT), with the name of the member.
  returned: always
  type: list
  elements: dict
  sample: [{"member": "db1", "alarm": "NOSPACE"}]
unexpected:
  description: Members of the cluster that are not among O(members).
  returned: always
  type: list
  elements: str
  sample: []
members:
  description:
    - One entry for each of O(members). RV(ignore:leader) is whom this member takes for the leader; sizes are in bytes.
    - RV(ignore:known) says whether it is in the cluster's own list, which needs a quorum to be read.
  returned: always
  type: list
  elements: dict
  sample:
    - name: db1
      id: 17699632083855609878
      known: true
      started: true
      learner: false
      answers: true
      healthy: true
      error: ""
      leader: db1
      term: 4
      index: 246
      applied: 246
      db_size: 90112
      db_size_in_use: 90112
      version: 3.5.16
      errors: []
'''

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mail.ha.plugins.module_utils.checks import end, etcd


def main():
    """Entry point."""
    module = AnsibleModule(argument_spec=etcd.ARGUMENTS, supports_check_mode=True)
    end(module, etcd)


if __name__ == '__main__':
    main()
