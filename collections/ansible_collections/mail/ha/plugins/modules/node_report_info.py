#!/usr/bin/python
# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r'''
---
module: node_report_info
short_description: Ask one node everything that belongs to the health of a cluster
version_added: 0.2.0
description:
  - Runs the modules of the checks that a node must answer, one after the other in one task, and keeps what each said.
  - All nodes are asked at the same time then, without waiting for each other, in a fraction of the time that a task for each module takes.
  - A module that fails is part of the report, not a failure. A node that cannot be reached is unreachable, as with any other module.
options:
  round:
    description: Name of the round, which is returned. It tells a new report from an old one.
    type: str
    required: true
  checks:
    description: Names of the checks, as P(mail.ha.health_checks#filter) returns them.
    type: list
    elements: str
    required: true
    choices: [node, maintenance, vrrp, haproxy, mail_store, postfix_queue, dovecot, patroni, etcd, certificates]
  questions:
    description: For each check the options of its module. There may be more than O(checks) names.
    type: dict
    required: true
  deadline:
    description: After so many seconds no further module is started.
    type: float
    default: 25
author:
  - ha-mail (@ha-mail)
attributes:
  action:
    description: Runs the other modules of this collection on the node.
    support: full
  check_mode:
    description: Only reads. M(mail.ha.node_maintenance) does so in check mode alone, so this must run in check mode, too.
    support: full
  diff_mode:
    description: Changes nothing.
    support: none
  platform:
    description: Nodes with the roles of this repository.
    support: full
    platforms: posix
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
seealso:
  - module: mail.ha.cluster_health_info
'''

EXAMPLES = r'''
- name: Ask a loadbalancer
  mail.ha.node_report_info:
    round: "2027-01-01T03:00:00"
    checks: [maintenance, haproxy]
    questions:
      maintenance: {state: ready}
      haproxy: {}
  check_mode: true
  register: report
'''

RETURN = r'''
round:
  description: O(round).
  returned: success
  type: str
  sample: "2027-01-01T03:00:00"
checks:
  description: For each of O(checks) what its module returned.
  returned: success
  type: dict
  sample: {"maintenance": {"changed": false, "old": {"state": "ready", "vrrp_weight": 0}}}
'''
