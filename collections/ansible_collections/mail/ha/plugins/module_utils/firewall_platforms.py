# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The platforms that there are, and the arguments that all firewall modules share."""

from __future__ import annotations

from ansible_collections.mail.ha.plugins.module_utils import (
    firewall_cisco_asa, firewall_fortinet, firewall_juniper_junos, firewall_linux, firewall_vyos)

DIALECTS = {module.DIALECT.platform: module.DIALECT for module in (
    firewall_cisco_asa, firewall_fortinet, firewall_juniper_junos, firewall_linux, firewall_vyos)}
ARGUMENTS = {
    'platform': {'type': 'str', 'choices': sorted(DIALECTS), 'required': True},
    'version': {'type': 'str', 'default': ''},
}


def lines(policy, platform, interfaces):
    """A policy in the words of a platform, for people.

    :param interfaces: {zone: what the device calls it; or the interfaces of uplinks, which only Linux has, and others call by the zone's name}
    :raises ValueError: there is no such platform, or it cannot express the policy
    """
    if platform not in DIALECTS:
        raise ValueError("platform: found '%s', expected one of %s." % (platform, ', '.join(sorted(DIALECTS))))
    if platform != 'linux':
        interfaces = {zone: name if isinstance(name, str) else zone for zone, name in interfaces.items()}
    return DIALECTS[platform].shown(policy, interfaces)
