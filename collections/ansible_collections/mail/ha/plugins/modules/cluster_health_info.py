#!/usr/bin/python
# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r'''
---
module: cluster_health_info
short_description: One verdict over a mail cluster, with its evidence
version_added: 0.2.0
description:
  - Puts side by side what the other modules of this collection said on all nodes, and judges the cluster as a whole.
  - A host without a report, and a check without an answer, are problems. Nothing counts as healthy that was not seen to be.
  - Runs on the control node only and asks nobody. The role C(cluster_gate) gathers the reports.
options:
  reports:
    description:
      - For each host what M(mail.ha.node_report_info) returned there. Whatever has no C(round) and C(checks) is no report.
      - For a member of the firewall pair (a node in the group C(firewalls)) the one check is C(firewall), with what M(mail.ha.firewall_info) returned.
    type: dict
    required: true
  round:
    description: The round that counts. What a host said in another one is old and does not count.
    type: str
    required: true
  nodes:
    description: All nodes that the cluster should have; for each C(groups), those of the inventory, and C(address), its own.
    type: dict
    required: true
  addresses:
    description: The service VIPs and seats, as P(mail.ha.vip_holders#filter) and P(mail.ha.seat_holders#filter) return them.
    type: list
    elements: dict
    required: true
author:
  - ha-mail (@ha-mail)
attributes:
  action:
    description: The work is done by an action plugin on the control node.
    support: full
  check_mode:
    description: Only reads.
    support: full
  diff_mode:
    description: Changes nothing.
    support: none
  platform:
    description: Any control node.
    support: full
    platforms: posix
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
'''

EXAMPLES = r'''
- name: Judge the cluster
  mail.ha.cluster_health_info:
    round: "{{ round }}"
    reports: "{{ dict(nodes | zip(nodes | map('extract', hostvars) | map(attribute='report', default={}))) }}"
    nodes:
      lb1: {groups: [loadbalancers], address: 192.0.2.11}
      mail1: {groups: [mailservers, databases], address: 192.0.2.21}
    addresses:
      - {name: vip1, address: 192.0.2.101, holders: [lb1]}
  register: cluster
  failed_when: not cluster.healthy
'''

RETURN = r'''
healthy:
  description: Whether the cluster is at full strength, that is, without any problem.
  returned: always
  type: bool
  sample: false
strength:
  description: V(full); V(degraded) when mail goes on with less in reserve; V(down) when some of the service is missing or not safe.
  returned: always
  type: str
  sample: degraded
answered:
  description: Hosts that gave a report.
  returned: always
  type: list
  elements: str
  sample: [lb1, mail1]
can_lose:
  description: Hosts that the others would carry on without, each by itself.
  returned: always
  type: list
  elements: str
  sample: [mail1]
why_not:
  description: For each of the other hosts what stands in the way, in sentences.
  returned: always
  type: dict
  sample: {"mail2": ["nobody else can hold seat02 now."]}
problems:
  description: One sentence for everything that is not as it should be, what users feel first.
  returned: always
  type: list
  elements: str
  sample: ["mail3 is in maintenance: its state is drain, expected ready. ..."]
holders:
  description: The one holder of each address; none where there is not exactly one.
  returned: always
  type: dict
  sample: {"vip1": "lb1"}
active_firewall:
  description: The one member of the firewall pair that is active; none where there is not exactly one, or no pair.
  returned: always
  type: str
  sample: fw1
  version_added: 0.8.0
evidence:
  description: What the verdict rests on, one line for each check.
  returned: always
  type: dict
  sample: {"etcd": "3 of 3 answered; leader mail1; 3 of 3 members at work, 1 may fail"}
text:
  description: All of it on one screen.
  returned: always
  type: str
  sample: FULL STRENGTH ...
prometheus:
  description: The same as metrics, in the text format of Prometheus.
  returned: always
  type: str
  sample: "# HELP ha_mail_healthy Whether the cluster is at full strength."
'''
