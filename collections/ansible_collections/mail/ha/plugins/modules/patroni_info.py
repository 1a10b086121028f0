#!/usr/bin/python
# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The database cluster as one of its members sees it."""

from __future__ import annotations

DOCUMENTATION = r'''
---
module: patroni_info
short_description: State of the PostgreSQL cluster as one member's Patroni sees it
version_added: 0.2.0
description:
  - Asks Patroni on this node for the cluster and for itself, over its REST API, whose certificate is verified.
  - Patroni answers from memory when etcd is gone. So the age of what it knows and its failsafe mode are judged too.
  - A cluster that is broken, or a Patroni that does not answer, is reported in RV(problems), not as a failure.
options:
  url:
    description: Patroni's REST API on this node, by a name that its certificate is valid for.
    type: str
    required: true
  members:
    description: Names of all members that the cluster should have.
    type: list
    elements: str
    required: true
  max_lag_bytes:
    description: Most that a replica may be behind, in bytes.
    type: int
    default: 1048576
  max_lag_seconds:
    description:
      - Most seconds that this member may be behind in replaying what it received, as a replica; Patroni's bytes count only what did not arrive.
      - Twice the 30 s for which PostgreSQL itself lets a query hold up the replay (C(max_standby_streaming_delay)); otherwise it takes milliseconds.
      - One that seems to be further behind is asked again a second later. It is not, if by then it has replayed what it had received at first.
    type: float
    default: 60
    version_added: 0.8.0
  max_dcs_age:
    description: Most seconds that may have passed since this member last reached etcd.
    type: float
    default: 20
  ca_file:
    description: PEM file of the authority that must have signed the certificate.
    type: path
    default: /etc/ha-mail/tls/ca.crt
  timeout:
    description: Limit of each question, in seconds.
    type: float
    default: 5
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
    description: Patroni 4.
    support: full
    platforms: posix
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
'''

EXAMPLES = r'''
- name: Ask for the health of the databases
  mail.ha.patroni_info:
    url: https://db1.nodes.example.org:8008
    members: [db1, db2, db3]
  register: databases
  failed_when: databases.problems | length > 0
'''

RETURN = r'''
problems:
  description: One sentence for everything that is not as it should be; empty when the cluster is at full strength.
  returned: always
  type: list
  elements: str
  sample: ["db3 is a replica and its state is stopped, expected streaming. ..."]
scope:
  description: Name of the cluster.
  returned: when Patroni answered
  type: str
  sample: ha-mail
leader:
  description: Name of the leader; none when there is not exactly one.
  returned: when Patroni answered
  type: str
  sample: db1
paused:
  description: Whether automatic failover is switched off.
  returned: when Patroni answered
  type: bool
  sample: false
scheduled_switchover:
  description: The switchover that is to come, with C(at), C(from) and C(to); none without one.
  returned: when Patroni answered
  type: dict
  sample: {"at": "2027-01-01T03:00:00+00:00", "from": "db1", "to": "db2"}
members:
  description:
    - The members, by name. RV(ignore:lag) is in bytes and none when it is unknown.
    - RV(ignore:replay_delay) is the age of the last change replayed, in seconds, and 0 when all that was received is replayed. It is known only of the
      member that was asked, and only when it is a replica.
  returned: when Patroni answered
  type: list
  elements: dict
  sample:
    - name: db1
      role: quorum_standby
      state: streaming
      timeline: 4
      lag: 0
      synchronous: true
      pending_restart: false
      tags: {}
      replay_delay: 0.0
this:
  description:
    - What the member says of itself. RV(ignore:dcs_age) are the seconds since it last reached etcd.
    - RV(ignore:standbys) are the replicas that are connected to it.
  returned: when Patroni answered
  type: dict
  sample:
    name: db1
    state: running
    primary: false
    timeline: 4
    replay_delay: 0.0
    replay_paused: false
    failsafe: false
    dcs_age: 0.4
    standbys: []
'''

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mail.ha.plugins.module_utils.checks import end, patroni


def main():
    """Entry point."""
    module = AnsibleModule(argument_spec=patroni.ARGUMENTS, supports_check_mode=True)
    end(module, patroni)


if __name__ == '__main__':
    main()
