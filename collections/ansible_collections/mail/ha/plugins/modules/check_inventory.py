#!/usr/bin/python
# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: check_inventory
short_description: Check the inventory of a mail cluster without touching a host
version_added: 1.0.0
description:
  - Gathers groups, addresses and site variables of all hosts, the argument specs of all roles, and a given service
    certificate, and applies all rules of C(module_utils/inventory_rules.py) to them.
  - Fails with one sentence for each error; warnings are printed and do not fail.
  - Runs on the control node only. Variables that playbooks compute are not evaluated, for some of them generate secrets.
author:
  - ha-mail (@ha-mail)
options:
  roles_dir:
    description: Directory of the roles, whose C(meta/argument_specs.yml) say which variables there are, and of which types.
    type: path
    required: true
  wiring_dir:
    description: Directory of the variable files of the playbooks; the variables defined there are known, and computed.
    type: path
    required: true
  certificate_days:
    description: Number of days before its end from which a service certificate is worth a warning.
    type: int
    default: 14
attributes:
  action:
    description: The work is done by an action plugin on the control node.
    support: full
  check_mode:
    description: Nothing is changed, so check mode makes no difference.
    support: full
  diff_mode:
    description: Nothing is changed, so there is no difference to show.
    support: none
"""

EXAMPLES = r"""
- name: Check the inventory
  hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - name: Check the inventory
      mail.ha.check_inventory:
        roles_dir: "{{ playbook_dir | dirname }}/roles"
        wiring_dir: "{{ playbook_dir }}/group_vars/all"
"""

RETURN = r"""
findings:
  description: The warnings, which are printed as well; an empty list when there is nothing to say. Errors are in the message of the failure.
  returned: success
  type: list
  elements: dict
  contains:
    severity:
      description: Always V(warning) here.
      type: str
      sample: warning
    variable:
      description: Name of the variable, or of the part of the inventory.
      type: str
      sample: mail_nameservers
    host:
      description: The host that it is about, or an empty string for the whole site.
      type: str
      sample: ""
    found:
      description: What is there.
      type: str
      sample: 192.0.2.53 is the only one
    expected:
      description: What should be there.
      type: str
      sample: two, for mail waits for the answers of a dead one
    remedy:
      description: What to do about it.
      type: str
      sample: add a second one
    message:
      description: The finding as one sentence.
      type: str
      sample: >-
        mail_nameservers: 192.0.2.53 is the only one, expected two, for mail waits for the answers of a dead one; add a second one.
"""
