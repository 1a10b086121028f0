#!/usr/bin/python
# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r'''
---
module: firewall_info
short_description: Role, peer, synchronisation and policy of a firewall
version_added: 0.4.0
description:
  - Reads one member of a firewall pair over the connection P(mail.ha.netmiko#connection), and judges it.
options:
  gather_policy:
    description: Whether to read the policy in force and the saved one too.
    type: bool
    default: false
  expected_role:
    description: Role that the member has to have. Another one is told in RV(problems).
    type: str
    choices: [any, active, standby]
    default: any
  new_login:
    description: Whether to log in anew first, which proves that somebody still can.
    type: bool
    default: false
    version_added: 0.5.0
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
    description: Changes nothing in any case.
    support: full
  diff_mode:
    description: Changes nothing in any case.
    support: none
seealso:
  - module: mail.ha.firewall_config
  - module: mail.ha.firewall_failover
'''

EXAMPLES = r'''
- name: Ask both members
  hosts: firewalls
  connection: mail.ha.netmiko
  gather_facts: false
  tasks:
    - name: The pair can lose either of them
      mail.ha.firewall_info:
        platform: "{{ mail_firewall_platform }}"
      register: firewall
      failed_when: firewall is failed or firewall.problems | length > 0
'''

RETURN = r'''
facts:
  description: What the member says of itself and of its peer.
  returned: success
  type: dict
  sample: {platform: juniper_junos, version: 21.4R3-S5.4, hostname: fw1, model: srx345, role: active, peer: standby, in_sync: true,
           sync: "configuration synchronised, no monitor failures", sessions: 812, uplinks: [{name: reth0, up: true}], providers: [], armed: null}
  contains:
    platform:
      description: Platform, in netmiko's words.
      returned: always
      type: str
    version:
      description: Version of its software.
      returned: always
      type: str
    hostname:
      description: Its own name.
      returned: always
      type: str
    model:
      description: Its model, if it names one.
      returned: always
      type: str
    role:
      description: V(active), V(standby), V(fault) (cannot take over) or V(alone) (has no peer).
      returned: always
      type: str
    peer:
      description: V(active), V(standby), V(fault) or V(absent), as seen from here.
      returned: always
      type: str
    in_sync:
      description: Whether configuration and sessions of both are the same.
      returned: always
      type: bool
    sync:
      description: What the device says about that.
      returned: always
      type: str
    sessions:
      description: Sessions in its table; null if it does not say.
      returned: always
      type: int
    uplinks:
      description: Interfaces that it watches, each with C(name) and C(up).
      returned: always
      type: list
      elements: dict
    providers:
      description: >-
        What lies behind the uplinks of a Linux member that has more than one, each with C(name) of the uplink, C(version) of IP and C(alive), whether
        something out there answers. One that is dead is no problem of the member.
      returned: always
      type: list
      elements: dict
      version_added: 0.9.0
    armed:
      description: Seconds until it takes a change back by itself; null if none waits for a confirmation.
      returned: always
      type: int
problems:
  description: Sentences about what is not as declared, or keeps the peer from taking over.
  returned: success
  type: list
  elements: str
  sample: []
replicated:
  description: Whether the pair takes changes at its active member only, which sends them to the other one.
  returned: success
  type: bool
  sample: true
running:
  description: The policy in force, in the normal form of the platform.
  returned: when O(gather_policy=true)
  type: list
  elements: str
  sample: [set groups ha-mail security policies from-zone wan to-zone dmz policy ...]
common:
  description: Those lines of the policy in force that have to be the same on both members.
  returned: when O(gather_policy=true)
  type: list
  elements: str
  sample: []
restored:
  description: Those lines of the policy in force that come back when a change is taken back. On Linux, packages and programs stay as they are then.
  returned: when O(gather_policy=true)
  type: list
  elements: str
  sample: []
  version_added: 0.10.0
saved:
  description: The policy after a reboot.
  returned: when O(gather_policy=true)
  type: list
  elements: str
  sample: []
'''
