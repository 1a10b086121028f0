# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rules for the addresses of a site: networks, hosts, service VIPs, seats, VRIDs. IPv4 and IPv6 alike."""

from __future__ import annotations

import ipaddress
import re

from ansible_collections.mail.ha.plugins.module_utils.inventory_finding import WARNING, enumerate_names, finding, nearest, show

# RFC 9568 section 5.2.3: a virtual router identifier is 1..255.
VRID_MIN = 1
VRID_MAX = 255

# Variables of a host that hold an address.
HOST_ADDRESSES = ('ansible_host', 'mail_address', 'mail_address6')


def parse_address(value):
    """``ipaddress`` object, or None when the value is no plain address (no prefix length, no name)."""
    try:
        return ipaddress.ip_address(str(value))
    except ValueError:
        return None


def parse_network(value):
    """``ipaddress`` network object; host bits are allowed here, :func:`check_networks` reports them."""
    try:
        return ipaddress.ip_network(str(value), strict=False)
    except ValueError:
        return None


def networks_of(values):
    """``[(name, network)]`` of mail_networks; entries that are no networks are left out."""
    pairs = [(str(entry['name']), parse_network(entry['cidr'])) for entry in values.get('mail_networks', [])]
    return [(name, network) for name, network in pairs if network is not None]


def network_of(address, networks):
    """``(name, network)`` that holds the address, or None. A name stands for one layer-2 segment, with one range per family."""
    return next(((name, network) for name, network in networks if address.version == network.version and address in network), None)


def check_networks(values):
    """Check mail_networks (form, host bits, overlaps) and mail_admin_networks."""
    result = []
    seen = []
    places = [(f"mail_networks[{index}] ({entry['name']})", entry['name'], entry['cidr'])
              for index, entry in enumerate(values.get('mail_networks', []))]
    for place, name, cidr in places:
        problem = _network_problem(place, cidr)
        if problem:
            result.append(problem)
        network = parse_network(cidr)
        if network is None:
            continue
        for other_name, other in seen:
            if other.version == network.version and other.overlaps(network):
                result.append(finding(place, f"{show(cidr)} overlaps {show(str(other))} of '{other_name}'",
                                      'networks that share no address', 'correct the prefix length or the address of one of the two'))
        seen.append((name, network))
    admin = values.get('mail_admin_networks')
    if admin is not None and not admin:
        result.append(finding('mail_admin_networks', 'the list is empty', 'the networks from which ssh is allowed',
                              'add the network of this control node, or the host firewall locks you out'))
    for index, cidr in enumerate(admin or []):
        place = f'mail_admin_networks[{index}]'
        problem = _network_problem(place, cidr)
        if problem:
            result.append(problem)
        elif parse_network(cidr).prefixlen == 0:
            result.append(finding(place, f'{show(cidr)} is the whole Internet', 'the networks of your administrators',
                                  'name them, unless ssh is meant to be open to everybody', severity=WARNING))
    return result


def check_hosts(hosts, values):
    """Check that every node has an address, and one that lies in a network of the site.

    :param hosts: ``{host: {groups, ansible_host, mail_address, mail_address6}}``
    """
    result = []
    networks = networks_of(values)
    for name, host in sorted(hosts.items()):
        # A firewall is no node: it has an address in each of its zones, see inventory_firewall.py.
        if {'lab_infrastructure', 'firewalls'} & set(host['groups']):
            continue
        if host.get('mail_address') in (None, ''):
            result.append(finding('mail_address', 'it is not set', "the node's own address in a service network",
                                  'set it beside the host in the hosts file', host=name))
        for variable in ('mail_address', 'mail_address6'):
            if host.get(variable) not in (None, ''):
                result += _check_host_address(variable, host[variable], name, networks)
    return result


def _check_host_address(variable, value, host, networks):
    family = 'an IPv6' if variable.endswith('6') else 'an IPv4 or IPv6'
    address = parse_address(value)
    if address is None or variable.endswith('6') and address.version != 6:
        return [finding(variable, f'found {show(value)}', f'{family} address without prefix length', 'write the address alone', host=host)]
    home = network_of(address, networks)
    if home is None:
        return [finding(variable, f'{value} lies in none of mail_networks', f'an address in {_ranges(networks)}',
                        'correct the address, or add its network to mail_networks', host=host)] if networks else []
    if _is_reserved(address, home[1]):
        return [finding(variable, f"{value} is the network or broadcast address of '{home[0]}' ({home[1]})",
                        'an address that a host can have', 'choose another one', host=host)]
    return []


def check_vips(values, balancers):
    """Check the service VIPs: address, network, preferred holder.

    :param balancers: hosts of the group ``loadbalancers``
    """
    result = []
    preferred = {}
    for entry in values.get('mail_service_vips', []):
        prefers = entry.get('prefers')
        if prefers is None:
            continue
        if prefers not in balancers:
            close = nearest(prefers, balancers)
            result.append(finding(
                f"mail_service_vips ({entry['name']})", f'prefers {show(prefers)}',
                f'a host of the group loadbalancers ({enumerate_names(balancers) or "it is empty"})',
                f'write {close}' if close else 'name one of them'))
        else:
            address = parse_address(entry['address'])
            preferred.setdefault(address.version if address else 0, {}).setdefault(prefers, []).append(entry['name'])
    for by_host in preferred.values():
        if len(by_host) == 1 and len(balancers) > 1:
            host, vips = next(iter(by_host.items()))
            if len(vips) > 1:
                result.append(finding('mail_service_vips', f'{enumerate_names(vips)} prefer {host} and no other load balancer is preferred',
                                      'a VIP for each load balancer, so that both carry traffic',
                                      'let one of them prefer another load balancer', severity=WARNING))
    return result


def check_virtual(variable, values, hosts, holders, group):
    """Check VIPs or seats: addresses, and that they lie in the network of the machines that hold them.

    :param variable: ``mail_service_vips`` or ``mail_seats``
    :param holders: hosts that may hold them
    :param group: the group they come from
    """
    result = []
    networks = networks_of(values)
    homes = {}
    families = {}
    for name in holders:
        for address in (parse_address(hosts[name].get(key)) for key in ('mail_address', 'mail_address6')):
            home = network_of(address, networks) if address else None
            if home:
                homes.setdefault(name, set()).add(home[0])
                families.setdefault(name, set()).add(address.version)
    for entry in values.get(variable, []):
        place = f"{variable} ({entry['name']})"
        address = parse_address(entry['address'])
        if address is None:
            result.append(finding(f'{place}.address', f"found {show(entry['address'])}", 'an IPv4 or IPv6 address without prefix length',
                                  'write the address alone'))
            continue
        home = network_of(address, networks)
        if home is None:
            if networks:
                result.append(finding(place, f'{address} lies in none of mail_networks', f'an address in {_ranges(networks)}',
                                      'correct the address, or add its network to mail_networks'))
            continue
        if _is_reserved(address, home[1]):
            result.append(finding(place, f"{address} is the network or broadcast address of '{home[0]}' ({home[1]})",
                                  'an address that a host can have', 'choose another one'))
        strangers = [name for name, at in sorted(homes.items()) if home[0] not in at]
        if strangers:
            result.append(finding(
                place, f"{address} lies in network '{home[0]}', without {enumerate_names(strangers)}",
                f'an address of all {group} there as well, for VRRP moves addresses within one network only',
                'correct the address, or that of the hosts'))
        mute = [name for name, has in sorted(families.items()) if address.version not in has]
        if mute and not strangers:
            result.append(finding(
                place, f"{address} is an IPv{address.version} address, and {enumerate_names(mute)} {'have' if len(mute) > 1 else 'has'} none",
                f'an IPv{address.version} address of all {group}, for VRRP speaks the family of what it moves',
                f"set {'mail_address6' if address.version == 6 else 'an IPv4 mail_address'} in the hosts file"))
    return result


def check_vrids(values):
    """Check that every VRID is in range and has one owner per network and address family (RFC 9568 section 5.2.3)."""
    result = []
    owners = {}
    networks = networks_of(values)
    for variable in ('mail_service_vips', 'mail_seats'):
        for entry in values.get(variable, []):
            place = f"{variable} ({entry['name']})"
            vrid = int(entry['vrid'])
            if not VRID_MIN <= vrid <= VRID_MAX:
                result.append(finding(f'{place}.vrid', f'found {vrid}', f'a number from {VRID_MIN} to {VRID_MAX}', 'choose a free one'))
                continue
            address = parse_address(entry['address'])
            home = network_of(address, networks) if address else None
            key = (home[0] if home else '', address.version if address else 4, vrid)
            owners.setdefault(key, []).append((variable, entry['name']))
    for (network, version, vrid), users in sorted(owners.items()):
        if len(users) > 1:
            taken = {other for _network, _version, other in owners}
            free = next((number for number in range(vrid + 1, VRID_MAX + 1) if number not in taken), None) \
                or next((number for number in range(VRID_MIN, VRID_MAX + 1) if number not in taken), None)
            result.append(finding(
                users[-1][0], f"{enumerate_names([name for _variable, name in users])} have vrid {vrid} in network '{network}' (IPv{version})",
                'a vrid of its own for each',
                f'give {users[-1][1]} a free one, for instance {free}' if free else 'move some of them to another network'))
    return result


def check_unique(hosts, values):
    """Find addresses that have two owners: hosts (both addresses), VIPs, seats."""
    owners = {}
    for name, host in sorted(hosts.items()):
        # A node may well be managed through its service address, so its own two addresses may be one.
        own = {parse_address(host.get(variable)): variable for variable in HOST_ADDRESSES}
        for address, variable in own.items():
            if address is not None:
                owners.setdefault(address, []).append((f'host {name}', variable))
    for variable, word in (('mail_service_vips', 'VIP'), ('mail_seats', 'seat')):
        for entry in values.get(variable, []):
            address = parse_address(entry['address'])
            if address:
                owners.setdefault(address, []).append((f"{word} {entry['name']}", variable))
    return [
        finding(users[-1][1], f'{address} belongs to {enumerate_names([owner for owner, _variable in users])}',
                'an address of its own for each', f'give {users[-1][0]} another address')
        for address, users in sorted(owners.items(), key=lambda item: (item[0].version, int(item[0]))) if len(users) > 1
    ]


def check_servers(values):
    """Check name and time servers: addresses (time servers may be names); one alone is worth a warning."""
    result = []
    for index, value in enumerate(values.get('mail_nameservers', [])):
        if parse_address(value) is None:
            result.append(finding(f'mail_nameservers[{index}]', f'found {show(value)}', 'an IPv4 or IPv6 address',
                                  'write the address, for a name cannot be looked up without a name server'))
    for index, value in enumerate(values.get('mail_ntp_servers', [])):
        if parse_address(value) is None and not re.fullmatch(r'[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?', str(value)):
            result.append(finding(f'mail_ntp_servers[{index}]', f'found {show(value)}', 'an address or a host name', 'correct it'))
    for variable in ('mail_nameservers', 'mail_ntp_servers'):
        servers = values.get(variable, [])
        for value in sorted({str(server) for server in servers if servers.count(server) > 1}):
            result.append(finding(variable, f'{show(value)} is there twice', 'each server once', 'remove one of the two'))
    return result


def _network_problem(place, cidr):
    network = parse_network(cidr)
    if network is None or '/' not in str(cidr):
        return finding(place, f'found {show(cidr)}', 'a network such as 192.0.2.0/24 or 2001:db8::/64',
                       'write the network with its prefix length')
    try:
        ipaddress.ip_network(str(cidr))
    except ValueError:
        return finding(place, f'{show(cidr)} has host bits set', 'the address of the network', f'write {network}')
    return None


def _is_reserved(address, network):
    """Network and broadcast address of an IPv4 range; the subnet-router anycast address of an IPv6 one (RFC 4291, 2.6.1)."""
    if network.prefixlen >= network.max_prefixlen - 1:
        return False
    return address == network.network_address or (network.version == 4 and address == network.broadcast_address)


def _ranges(networks):
    return enumerate_names([f'{network} ({name})' for name, network in networks])
