# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the options that the firewall modules share."""

from __future__ import annotations


class ModuleDocFragment:
    """The options of module_utils/firewall_platforms.py."""

    DOCUMENTATION = r"""
options:
  platform:
    description: Kind of device, in netmiko's words.
    type: str
    choices: [cisco_asa, fortinet, juniper_junos, linux, vyos]
    required: true
  version:
    description: How the version of its software has to begin, such as V(21.4). Any, if empty.
    type: str
    default: ''
requirements:
  - netmiko on the control node
notes:
  - Runs on the control node, over the connection P(mail.ha.netmiko#connection).
attributes:
  platform:
    description: Tried on real systems with C(linux); the others were simulated after their vendors' documents.
    support: full
    platforms: cisco_asa, fortinet, juniper_junos, linux, vyos
"""
