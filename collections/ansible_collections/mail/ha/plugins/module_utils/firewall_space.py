# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""What rules of the firewall's policy fit, as boxes, and what earlier rules leave of it. Pure functions, no I/O.

Shapes, beside those of firewall_policy.py::

    range  (first, last), both included
    box    one range each of: version of IP, protocol number (IANA), source, destination, port; addresses as whole numbers. A connection fits a rule
           if it is in one of its boxes
"""

from __future__ import annotations

import ipaddress
import itertools

_PROTOCOLS = {'icmp': (1, 1), 'tcp': (6, 6), 'udp': (17, 17), 'vrrp': (112, 112), 'any': (0, 255)}
_EVERYWHERE = ('0.0.0.0/0', '::/0')
_PORTS = (0, 65535)


def span(ports):
    """The range of ``80`` or ``80-90``."""
    low, _dash, high = ports.partition('-')
    return int(low), int(high or low)


def boxes(rule, zones):
    """All boxes of a rule. What is for a whole zone is for all of its networks, and for all addresses if it is the Internet; none if there are none."""
    networks = {zone['name']: _EVERYWHERE if zone.get('internet') else zone['networks'] for zone in zones}
    found = []
    for family in rule['families']:
        version = family['version']
        ends = [_ranges(family[side] or networks[zone], version) for side, zone in (('sources', rule['from']), ('destinations', rule['to']))]
        ports = [span(text) for text in rule['ports']] or [_PORTS]
        found += [((version, version), _PROTOCOLS[rule['protocol']], *parts) for parts in itertools.product(*ends, ports)]
    return found


def _ranges(networks, version):
    return [(int(network[0]), int(network[-1])) for network in map(ipaddress.ip_network, networks) if network.version == version]


def meet(box, other):
    """Whether two boxes have something in common."""
    return all(low <= last and first <= high for (low, high), (first, last) in zip(box, other))


def left(box, others):
    """A part of a box that none of the others holds, or None. In depth first, for most often there is one, and it is near."""
    others = [other for other in others if meet(box, other)]
    parts = [(box, 0)]
    while parts:
        part, index = parts.pop()
        while index < len(others) and not meet(part, others[index]):
            index += 1
        if index == len(others):
            return part
        parts += [(rest, index + 1) for rest in _without(part, others[index])]
    return None


def _without(box, other):
    """What a box has beyond another one that it meets, as boxes that do not meet each other."""
    for side, ((low, high), (first, last)) in enumerate(zip(box, other)):
        before, after = box[:side], box[side + 1:]
        if low < first:
            yield before + ((low, first - 1),) + after
        if last < high:
            yield before + ((last + 1, high),) + after
        box = before + ((max(low, first), min(high, last)),) + after
