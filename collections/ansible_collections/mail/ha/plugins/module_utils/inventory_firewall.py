# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rules for the firewall pair of a site: its members, what they stand between, and what two Linux machines need to be a pair.

What the policy itself may say is checked where it is built (firewall_policy.py).
"""

from __future__ import annotations

import ipaddress
import re

from ansible_collections.mail.ha.plugins.module_utils.inventory_addresses import HOST_ADDRESSES, VRID_MAX, VRID_MIN, parse_address, parse_network
from ansible_collections.mail.ha.plugins.module_utils.inventory_finding import WARNING, enumerate_names, finding, show

# Key of mail_firewall_addresses for the link between the two.
SYNC = 'sync'
# Each has a routing table, a mark and two processes that probe; more providers than that is a mistake.
UPLINKS_MAX = 8
# What an uplink has itself, so that its zone has none of it.
_OF_UPLINKS = ('interface', 'vrid', 'virtual', 'neighbours')
# It names sections of a file and variables of a shell.
_UPLINK_NAME = re.compile(r'^[A-Za-z][A-Za-z0-9_]{0,30}$')


def check_firewalls(hosts, groups, values):
    """Check what the role firewall_pair will be given.

    :param hosts: ``{host: {groups, mail_firewall_addresses, ...}}``
    :param values: site variables; of interest are mail_firewall, mail_firewall_platform, mail_service_vips, mail_seats
    """
    members = groups.get('firewalls', [])
    if not members:
        return []
    result = []
    if len(members) > 2:
        result.append(finding('group firewalls', f'{enumerate_names(members)}', 'two hosts, for a pair is what they become', 'take the others out'))
    if values.get('mail_firewall_platform') is None:
        result.append(finding('mail_firewall_platform', 'it is not set', 'the kind of device that the hosts of the group firewalls are', 'set it'))
    zones = (values.get('mail_firewall') or {}).get('zones')
    if not zones:
        return result + [finding('mail_firewall', 'it has no zones', 'the networks that the pair stands between', 'set mail_firewall.zones')]
    for zone in zones:
        if zone.get('uplinks') is not None:
            result += _check_uplinks(zone, zones, values)
        elif not zone.get('interface'):
            result.append(finding(_place(zone), 'it has no interface', 'what the firewalls call it', 'set interface'))
    if values.get('mail_firewall_platform') == 'linux':
        result += _check_linux(hosts, members, values, zones)
    return result


def _place(zone, key=''):
    """Where something is in the inventory; an uplink is a zone to most of these rules, and says in ``of`` which zone it belongs to."""
    inner = f"({zone['of']}).uplinks ({zone['name']})" if 'of' in zone else f"({zone['name']})"
    return f"mail_firewall.zones {inner}{'.' + key if key else ''}"


def _uplinks(zone):
    """The uplinks of a zone, as zones with their gateways as neighbours."""
    return [dict(uplink, of=zone['name'], virtual=uplink.get('virtual') or [], neighbours=uplink.get('gateways') or []) for uplink in zone.get('uplinks') or []]


def _check_uplinks(zone, zones, values):
    """A zone with several ways out."""
    platform, uplinks = values.get('mail_firewall_platform'), _uplinks(zone)
    if platform not in (None, 'linux'):
        return [finding(_place(zone, 'uplinks'), f'the platform is {platform}', 'them with linux only, for others choose among providers by their own means',
                        'give the zone one interface instead, and set that up on the device')]
    if not zone.get('internet'):
        return [finding(_place(zone, 'uplinks'), 'the zone is not the Internet', 'them at the zone with internet: true', 'give this one an interface instead')]
    result = []
    both = [key for key in _OF_UPLINKS if zone.get(key)]
    if both:
        result.append(finding(_place(zone), f'it has uplinks and {enumerate_names(both)} too', 'these at each uplink', 'take them out of the zone'))
    if not 2 <= len(uplinks) <= UPLINKS_MAX:
        result.append(finding(_place(zone, 'uplinks'), f'found {len(uplinks)}', f'2 to {UPLINKS_MAX}',
                              'give a zone with one way out an interface instead' if len(uplinks) < 2 else 'take some out'))
    others = [other['name'] for other in zones if other is not zone] + [SYNC]
    taken = [other.get('interface') for other in zones] + [values['mail_firewall'].get('sync_interface')]
    for key, elsewhere in (('name', others), ('interface', taken)):
        given = [uplink.get(key) for uplink in uplinks]
        for value in dict.fromkeys(value for value in given if value):
            if given.count(value) > 1 or value in elsewhere:
                result.append(finding(_place(zone, 'uplinks'), f'the {key} {show(value)} is used twice', 'one of its own for each', 'choose another one'))
    for uplink in uplinks:
        if not _UPLINK_NAME.match(str(uplink['name'])):
            result.append(finding(_place(uplink, 'name'), f"found {show(uplink['name'])}", 'letters, digits and underscores, at most 31', 'rename it'))
        if not uplink.get('interface'):
            result.append(finding(_place(uplink), 'it has no interface', 'what the firewalls call it', 'set interface'))
        result += _check_provider(uplink)
    return result


def _check_provider(uplink):
    """By what an uplink reaches the world, and by what it is known to."""
    result = []
    gateways = [parse_address(value) for value in uplink['neighbours']]
    probes = [parse_address(value) for value in uplink.get('probes') or []]
    result += [finding(_place(uplink, 'probes'), f'found {show(value)}', 'an address without prefix length', 'write the address alone')
               for value, address in zip(uplink.get('probes') or [], probes) if address is None]
    if not gateways:
        result.append(finding(_place(uplink, 'gateways'), 'found nothing', "the address of the provider's router", 'set it'))
    networks = [interface.network for _value, interface in _interfaces(uplink) if interface is not None]
    for version in (4, 6):
        ways, looks = ([address for address in addresses if address is not None and address.version == version] for addresses in (gateways, probes))
        if len(ways) > 1:
            result.append(finding(_place(uplink, 'gateways'), f'{enumerate_names(ways)} are both IPv{version}', 'one of each family',
                                  'name the address that the routers of the provider share, or make them two uplinks'))
        if ways and not looks:
            result.append(finding(_place(uplink, 'probes'), f'found none of IPv{version}, but a gateway',
                                  'two addresses that answer pings and lie behind the provider', 'name them, or take the gateway out'))
        if looks and not ways:
            result.append(finding(_place(uplink, 'gateways'), f'found none of IPv{version}, but probes', 'the way that these take',
                                  'name it, or take the probes out'))
        if ways and len(set(looks)) == 1:
            result.append(finding(_place(uplink, 'probes'), f'{looks[0]} is the only one of IPv{version}',
                                  'two or more, for one that fails looks like a dead provider', 'name another one', severity=WARNING))
        near = [address for address in looks if address in ways or any(address in network for network in networks if network.version == version)]
        if near:
            result.append(finding(_place(uplink, 'probes'), f'{enumerate_names(near)} is not behind the provider but before it',
                                  'addresses beyond its network, for one that answers here says nothing about them', 'choose others', severity=WARNING))
    return result


def _check_linux(hosts, members, values, zones):
    """Two machines that become a pair by our means."""
    result = []
    held = [uplink for zone in zones for uplink in _uplinks(zone)] + [zone for zone in zones if zone.get('virtual')]
    if not held:
        result.append(finding('mail_firewall.zones', 'no zone has virtual addresses', 'those that hosts and routers around the pair use as their gateway',
                              'set virtual, with prefix length'))
    if not values['mail_firewall'].get('sync_interface'):
        result.append(finding('mail_firewall.sync_interface', 'it is not set', 'the interface of the link between the two', 'set it'))
    known = [zone['name'] for zone in held] + [SYNC]
    for name in members:
        given = _own(hosts, name)
        if not isinstance(hosts[name].get('mail_firewall_addresses', {}), dict):
            result.append(finding('mail_firewall_addresses', f"found {show(hosts[name]['mail_firewall_addresses'])}", 'one address for each name of a zone',
                                  'write it as in inventories/example/hosts.yml', host=name))
        missing = [key for key in known if key not in given]
        if missing:
            result.append(finding('mail_firewall_addresses', f'no address for {enumerate_names(missing)}', f'one for each of {enumerate_names(known)}',
                                  'set it beside the host in the hosts file', host=name))
        for key, value in sorted(given.items()):
            if parse_address(value) is None:
                result.append(finding(f'mail_firewall_addresses.{key}', f'found {show(value)}', 'an address without prefix length', 'write the address alone',
                                      host=name))
            elif key not in known:
                result.append(finding(f'mail_firewall_addresses.{key}', 'there is no such zone with virtual addresses', f'one of {enumerate_names(known)}',
                                      'correct or remove it', host=name))
    for zone in held:
        result += _check_side(zone, {name: _own(hosts, name).get(zone['name']) for name in members})
    return result + _check_vrids(values, held) + _check_owners(hosts, values, members, held)


def _own(hosts, name):
    """Addresses of a firewall by the names of zones; none where they are something else."""
    given = hosts[name].get('mail_firewall_addresses')
    return given if isinstance(given, dict) else {}


def _interfaces(zone):
    """``[(as written, interface or None)]`` of the virtual addresses of a zone."""
    result = []
    for value in zone['virtual']:
        try:
            result.append((value, ipaddress.ip_interface(str(value)) if '/' in str(value) else None))
        except ValueError:
            result.append((value, None))
    return result


def _check_side(zone, own):
    """One zone with virtual addresses. :param own: ``{member: its address there, or None}``"""
    result = []
    interfaces = _interfaces(zone)
    if not interfaces:
        result.append(finding(_place(zone, 'virtual'), 'found nothing', 'the addresses that the provider routes to', 'set them, with prefix length'))
    for value, interface in interfaces:
        if interface is None:
            result.append(finding(_place(zone, 'virtual'), f'found {show(value)}', 'an address with prefix length, as in 192.0.2.1/24', 'correct it'))
    networks = [interface.network for _value, interface in interfaces if interface is not None]
    own_networks = [network for network in map(parse_network, zone.get('networks') or []) if network is not None]
    for network in networks if own_networks else []:
        if not any(network.version == other.version and network.overlaps(other) for other in own_networks):
            result.append(finding(_place(zone, 'virtual'), f'{network} is none of its networks', f'an address in {enumerate_names(own_networks)}',
                                  'correct one of the two'))
    if zone.get('vrid') is None or not VRID_MIN <= int(zone['vrid']) <= VRID_MAX:
        result.append(finding(_place(zone, 'vrid'), f"found {show(zone.get('vrid'))}", f'a number from {VRID_MIN} to {VRID_MAX}', 'choose a free one'))
    inside = [(f'mail_firewall_addresses.{zone["name"]}', value, name) for name, value in sorted(own.items()) if value]
    inside += [(_place(zone, 'gateways' if 'of' in zone else 'neighbours'), value, '') for value in zone.get('neighbours') or []]
    for place, value, host in inside:
        address = parse_address(value)
        if address is None:
            if not host:
                result.append(finding(place, f'found {show(value)}', 'an address without prefix length', 'write the address alone'))
        elif networks and not any(address in network for network in networks if network.version == address.version):
            result.append(finding(place, f'{address} is in none of the networks of the virtual addresses', f'an address in {enumerate_names(networks)}',
                                  'correct it', host=host))
    neighbours = {parse_address(value) for value in zone.get('neighbours') or []} - {None} - {parse_address(value) for value in own.values()}
    # The gateways of an uplink are all that there is.
    if len(neighbours) < 2 and 'of' not in zone:
        result.append(finding(_place(zone, 'neighbours'), f'{len(neighbours)} that are not the firewalls themselves',
                              'two or more that fail one by one, for where all are silent a firewall takes itself for cut off', 'name more', severity=WARNING))
    return result


def _check_vrids(values, held):
    """The VRID of a zone is none of a service VIP or seat in the same network (RFC 9568 section 5.2.3)."""
    result = []
    others = [(f"{variable} ({entry['name']})", parse_address(entry['address']), int(entry['vrid']))
              for variable in ('mail_service_vips', 'mail_seats') for entry in values.get(variable, [])]
    for zone in held:
        networks = [interface.network for _value, interface in _interfaces(zone) if interface is not None]
        taken = [place for place, address, vrid in others if address is not None and str(vrid) == str(zone.get('vrid'))
                 and any(address.version == network.version and address in network for network in networks)]
        if taken:
            result.append(finding(_place(zone, 'vrid'), f"{zone['vrid']} is that of {enumerate_names(taken)} in the same network", 'one of its own',
                                  'choose a free one'))
    return result


def _check_owners(hosts, values, members, held):
    """No address has two owners."""
    owners = {}
    for zone in held:
        for _value, interface in _interfaces(zone):
            if interface is not None:
                owners.setdefault(interface.ip, []).append(f"the pair ({zone['name']})")
    for name in members:
        for value in _own(hosts, name).values():
            owners.setdefault(parse_address(value), []).append(f'firewall {name}')
    ours = set(owners) - {None}
    for name, host in hosts.items():
        for address in {parse_address(host.get(variable)) for variable in HOST_ADDRESSES}:
            # A firewall may well be managed by one of these.
            if address in ours and f'firewall {name}' not in owners[address]:
                owners[address].append(f'host {name}')
    for variable, word in (('mail_service_vips', 'VIP'), ('mail_seats', 'seat')):
        for entry in values.get(variable, []):
            address = parse_address(entry['address'])
            if address in ours:
                owners[address].append(f"{word} {entry['name']}")
    return [finding('mail_firewall', f'{address} belongs to {enumerate_names(owners[address])}', 'an address of its own for each',
                    'give one of them another address')
            for address in sorted(ours, key=str) if len(owners[address]) > 1]
