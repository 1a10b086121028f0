#!/usr/bin/python
# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who holds the floating addresses, as this node and its neighbours see it."""

from __future__ import annotations

DOCUMENTATION = r'''
---
module: vrrp_info
short_description: Holders of floating addresses, as one node says and as its neighbours see it
version_added: 0.2.0
description:
  - Asks this node's keepalived what it holds, and, where wanted, the neighbours in the same network who answers for each address.
  - The neighbours are asked with real ARP requests (IPv4) and neighbour solicitations (IPv6), and all answers are kept. Two answers
    are two holders.
  - A host does not hear itself. Of an address that this node holds, RV(neighbours) lists only those who answer besides it, so
    that nobody is the right answer there; ask on at least one host that does not hold the address.
  - One node cannot judge the cluster. C(verdict()) in C(module_utils/vrrp.py) does, from the answers of all nodes.
options:
  status:
    description:
      - Whether to ask this node's keepalived. Switch it off on a host that has none and only looks at its neighbours.
    type: bool
    default: true
  addresses:
    description: The addresses to ask the neighbours for. Each must lie in a network of this node.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the service VIP or seat.
        type: str
        required: true
      address:
        description: IPv4 or IPv6 address.
        type: str
        required: true
  arp:
    description: Whether to ask the neighbours for O(addresses). Needs root.
    type: bool
    default: false
  wait:
    description: How long to wait for answers of neighbours, in seconds, for all addresses together. Each is asked for three times meanwhile.
    type: float
    default: 0.6
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
    description: Linux, keepalived as the role keepalived sets it up.
    support: full
    platforms: posix
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
'''

EXAMPLES = r'''
- name: Ask every mailserver what it holds, and what its neighbours answer
  mail.ha.vrrp_info:
    arp: true
    addresses:
      - {name: seat01, address: 192.0.2.201}
      - {name: seat02, address: "2001:db8::202"}
  register: vrrp
  failed_when: vrrp.problems | length > 0

- name: Only look, from a host without keepalived
  mail.ha.vrrp_info:
    status: false
    arp: true
    addresses: [{name: seat01, address: 192.0.2.201}]
  register: vrrp
  failed_when: vrrp.neighbours | rejectattr('macs', 'length_is', 1) | length > 0
'''

RETURN = r'''
instances:
  description:
    - The floating addresses that keepalived is responsible for on this node; empty without O(status).
    - RV(instances[].since) is the time of the last transition, in seconds since 1970. RV(instances[].good) says that the state is
      V(MASTER) with the address present, or V(BACKUP) without it.
  returned: always
  type: list
  elements: dict
  sample:
    - {name: seat01, address: 192.0.2.201, state: MASTER, priority: 254, since: 1795556351.640158, address_present: true, good: true}
  contains:
    name:
      description: Name of the service VIP or seat.
      returned: always
      type: str
    address:
      description: Its address; the first, where it has two.
      returned: always
      type: str
    state:
      description: State of the VRRP instance, V(MASTER), V(BACKUP), V(FAULT), V(STOP), or V(UNKNOWN) before its first transition.
      returned: always
      type: str
    priority:
      description: VRRP priority (1 to 254) at the last transition.
      returned: always
      type: int
    since:
      description: Time of the last transition, in seconds since 1970.
      returned: always
      type: float
    address_present:
      description: Whether the address is on an interface of this node.
      returned: always
      type: bool
    good:
      description: Whether state and address agree.
      returned: always
      type: bool
neighbours:
  description: One entry for each of O(addresses), with the MAC of every host that answered; empty without O(arp).
  returned: always
  type: list
  elements: dict
  sample: [{name: seat02, address: 192.0.2.202, macs: ["02:00:00:00:00:22"]}]
macs:
  description: MAC addresses of this node with the names of their interfaces. They tell whose answer a MAC in RV(neighbours) is.
  returned: always
  type: dict
  sample: {"02:00:00:00:00:21": eth0}
problems:
  description:
    - One sentence for everything that is not as it should be, as far as this node can tell; empty when all is well.
    - More than one answer for an address is a problem; so is an answer for one that this node holds.
  returned: always
  type: list
  elements: str
  sample: ["seat01 (192.0.2.201): keepalived is in state FAULT, expected MASTER or BACKUP. journalctl -u keepalived names the check that fails."]
'''

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mail.ha.plugins.module_utils.checks import end, vrrp


def main():
    """Entry point."""
    module = AnsibleModule(argument_spec=vrrp.ARGUMENTS, supports_check_mode=True)
    end(module, vrrp)


if __name__ == '__main__':
    main()
