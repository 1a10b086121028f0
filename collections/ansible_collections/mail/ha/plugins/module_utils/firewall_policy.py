# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""What may pass the firewall pair, from zone to zone: one policy for all platforms, made of the service catalogue and of the site's own
rules. Pure functions, no I/O.

Shapes::

    zone    {name, networks: [CIDR], internet: bool}; exactly one is the Internet: whatever is in no other zone
    flow    {name, from: [place], to: [place], protocol, ports, at, limit}, as in the service catalogue
    place   a group of the inventory, a zone, an address or network, ``any`` (from everybody, or to the Internet), ``admin`` (the
            administrators' networks) or ``all`` (every host)
    own     a flow with ``action`` (``allow`` or ``deny``), of the site
    rule    {name, origin, action, from: zone name, to: zone name, words: {from: str, to: str}, protocol, ports: [str], families: [family],
            limit, log}; the words are those of the flow, for people
    family  {version: 4 or 6, sources: [CIDR], destinations: [CIDR]}; an empty list stands for the whole zone
    nat     {name, from: zone name, to: zone name, protocol, ports, sources: [CIDR], address, address6}
    limit   {per_minute: int, burst: int}, new connections of one source (IPv6: of its /64); those above it are dropped, not left to other rules
    policy  {zones, rules, nat, direct: [flow names that pass no firewall], notes: [sentence about what may not be meant], problems: [sentence]}

Rules are tried in order and the first that fits decides; what fits none is dropped. The site's own come first, so that it can
shut out somebody whom the service as such would serve.
"""

from __future__ import annotations

import ipaddress
import re

from ansible_collections.mail.ha.plugins.module_utils import firewall_space
from ansible_collections.mail.ha.plugins.module_utils.topology import own_addresses

ANY, ADMIN, ALL = 'any', 'admin', 'all'
PROTOCOLS = ('tcp', 'udp', 'icmp')
ACTIONS = ('allow', 'deny')
_NAME = re.compile(r'^[A-Za-z0-9][A-Za-z0-9 ._-]{0,62}$')
_PORT = re.compile(r'^(\d{1,5})(?:-(\d{1,5}))?$')


def build(catalogue, site, groups, hostvars):
    """The policy of a site.

    :param catalogue: flows of the service; those between hosts of one zone pass no firewall and are only named in ``direct``.
    :param site: ``{zones, rules, nat, admin_networks, vips}``; ``vips`` are ``{address, address6}`` and stand in for the hosts of a flow
        with ``at: service_vips``, which no client talks to by their own addresses.
    :param groups: mapping of group name to host names. :param hostvars: mapping of host name to its variables.
    :returns: policy. With problems, its rules are not to be used.
    """
    problems = _zone_problems(site['zones'])
    if problems:
        return {'zones': site['zones'], 'rules': [], 'nat': [], 'direct': [], 'notes': [], 'problems': problems}
    places = _Places(site, groups, hostvars)
    rules, direct = [], []
    for origin, flows in (('site', site['rules']), ('service', catalogue)):
        for flow in flows:
            found = _flow_problems(flow, origin, places)
            problems += found
            if not found:
                made = _rules(flow, origin, places)
                rules += made
                if not made:
                    direct.append(flow['name'])
                    if origin == 'site':
                        problems.append("the rule '%s' has no effect: its sources and its destinations are in the same zone, and what stays in one "
                                        'zone does not pass the firewall. Name another zone, or drop the rule.' % flow['name'])
    problems += _twice([flow.get('name', '') for flow in site['rules'] + catalogue], 'rule or service')
    nat, found = _nat(site['nat'], places)
    fits = [(rule, firewall_space.boxes(rule, site['zones'])) for rule in rules]
    problems += found + _hidden(fits)
    return {'zones': site['zones'], 'rules': rules, 'nat': nat, 'direct': direct, 'notes': _unlimited(fits), 'problems': problems}


def decide(policy, packet):
    """The first rule that fits a new connection, or None: then it is dropped.

    :param packet: ``{source, destination, protocol, port}``; addresses of one family, port an int or None.
    """
    source, destination = (ipaddress.ip_address(packet[key]) for key in ('source', 'destination'))
    ends = zone_of(policy['zones'], source), zone_of(policy['zones'], destination)
    for rule in policy['rules']:
        if (rule['from'], rule['to']) != ends or rule['protocol'] not in (packet['protocol'], ANY):
            continue
        if rule['ports'] and not any(low <= (packet['port'] or 0) <= high for low, high in map(firewall_space.span, rule['ports'])):
            continue
        for family in rule['families']:
            if family['version'] == source.version and _inside(source, family['sources']) and _inside(destination, family['destinations']):
                return rule
    return None


def zone_of(zones, address):
    """Name of the zone that holds an address or a network: the one with the narrowest network around it, or else the Internet."""
    network = ipaddress.ip_network(address) if not isinstance(address, (ipaddress.IPv4Network, ipaddress.IPv6Network)) else address
    found = [(around.prefixlen, zone['name']) for zone in zones for around in map(ipaddress.ip_network, zone.get('networks', []))
             if around.version == network.version and network.subnet_of(around)]
    return max(found)[1] if found else next(zone['name'] for zone in zones if zone.get('internet'))


class _Places:
    """What the names in ``from`` and ``to`` stand for."""

    def __init__(self, site, groups, hostvars):
        self.zones, self.names = site['zones'], {zone['name'] for zone in site['zones']}
        self.internet = next(zone['name'] for zone in site['zones'] if zone.get('internet'))
        self.admin, self.vips = site['admin_networks'], site['vips']
        self.groups, self.hosts, self.addresses = groups, hostvars, own_addresses(hostvars)

    def has(self, name, version):
        """Whether a zone has networks of a version of IP; the Internet has both."""
        return name == self.internet or any(
            ipaddress.ip_network(network).version == version for zone in self.zones if zone['name'] == name for network in zone.get('networks', []))

    def cut(self, place):
        """The zone that a network has a part of, but not the whole of it; None if there is none."""
        network = _network(place)
        return next((zone['name'] for zone in self.zones for own in map(ipaddress.ip_network, zone.get('networks', []))
                     if network is not None and own.version == network.version and own.overlaps(network) and not network.subnet_of(own)), None)

    def known(self, place):
        """Whether it stands for anything."""
        return place in (ANY, ADMIN, ALL) or place in self.names or place in self.groups or _network(place) is not None

    def resolve(self, places, everybody=()):
        """``{zone name: None for all of it, or its networks in the order given}``. :param everybody: zones that ``any`` stands for"""
        found = {}
        for place in places:
            if place == ANY or place in self.names:
                found.update(dict.fromkeys(everybody if place == ANY else [place]))
                continue
            for network in self._networks(place):
                zone = zone_of(self.zones, network)
                if found.setdefault(zone, []) is not None and network not in found[zone]:
                    found[zone].append(network)
        return found

    def _networks(self, place):
        literal = _network(place)
        if literal is not None:
            return [literal]
        if place == ADMIN:
            return [ipaddress.ip_network(network) for network in self.admin]
        hosts = self.hosts if place == ALL else self.groups[place]
        return [ipaddress.ip_network(address) for host in hosts for address in self.addresses(host)]

    def service(self):
        """The service VIPs, as ``resolve`` gives places."""
        return self.resolve([vip[key] for vip in self.vips for key in ('address', 'address6') if vip.get(key)])


def _rules(flow, origin, places):
    """The rules of one flow, one for each pair of different zones that it connects."""
    sources = places.resolve(flow['from'], [zone['name'] for zone in places.zones])
    destinations = places.service() if flow.get('at') == 'service_vips' else places.resolve(flow['to'], [places.internet])
    rules = []
    for start, some in sources.items():
        for end, others in destinations.items():
            families = [] if start == end else [
                {'version': version, 'sources': _of(some, version), 'destinations': _of(others, version)} for version in (4, 6)
                if (some is None or _of(some, version)) and (others is None or _of(others, version))]
            if families:
                rules.append({
                    'name': flow['name'], 'origin': origin, 'action': flow.get('action', 'allow'), 'from': start, 'to': end,
                    'words': {'from': ', '.join(flow['from']), 'to': 'the service VIPs' if flow.get('at') == 'service_vips' else ', '.join(flow['to'])},
                    'protocol': flow.get('protocol', 'tcp'), 'ports': [str(port) for port in flow.get('ports', [])], 'families': families,
                    'limit': flow.get('limit'), 'log': bool(flow.get('log', False)),
                })
    return rules


def _of(networks, version):
    return [str(network) for network in networks or [] if network.version == version]


def _network(text):
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def _inside(address, networks):
    return not networks or any(address in ipaddress.ip_network(network) for network in networks)


# ---- what is wrong with the input ------------------------------------------------------------------------------------------

def _zone_problems(zones):
    told = _twice([zone.get('name', '') for zone in zones], 'zone')
    internet = [zone.get('name', '') for zone in zones if zone.get('internet')]
    if len(internet) != 1:
        told.append('zones: found %s as the Internet, expected exactly one; set "internet: true" at the zone outside.' % (', '.join(internet) or 'none'))
    networks = []
    for zone in zones:
        if not _NAME.match(zone.get('name', '')):
            told.append("zones: found the name %r, expected letters, digits, spaces and ._-, at most 63." % zone.get('name', ''))
        if not zone.get('internet') and not zone.get('networks'):
            told.append("zone '%s': found no networks, expected at least one; without them nobody is in it." % zone.get('name', ''))
        for text in zone.get('networks', []):
            try:
                networks.append((zone['name'], ipaddress.ip_network(text)))
            except ValueError as error:
                told.append("zone '%s': found %r, expected a network such as 192.0.2.0/24: %s." % (zone.get('name', ''), text, error))
    for index, (name, network) in enumerate(networks):
        for other, wider in networks[:index]:
            if name != other and network.version == wider.version and network.overlaps(wider):
                told.append("zones '%s' and '%s' overlap: %s and %s; a host can be in one zone only." % (other, name, wider, network))
    return told


def _flow_problems(flow, origin, places):
    name = flow.get('name', '')
    here = "rule '%s'" % name if origin == 'site' else "service '%s'" % name
    told = []
    if not isinstance(name, str) or not _NAME.match(name):
        told.append("%s: found the name %r, expected letters, digits, spaces and ._-, at most 63." % (origin, name))
    for side in ('from', 'to'):
        if not flow.get(side):
            told.append('%s: found nothing in "%s", expected where it comes from and goes to.' % (here, side))
        for place in flow.get(side, []):
            if not places.known(place):
                told.append("%s: found '%s' in \"%s\", expected a zone (%s), a group of the inventory, an address or network, any, admin or all."
                            % (here, place, side, ', '.join(sorted(places.names))))
            elif places.cut(place):
                told.append("%s: found '%s' in \"%s\", which is only partly in the zone %s; name zones, or networks within one."
                            % (here, place, side, places.cut(place)))
    protocol = flow.get('protocol', 'tcp')
    # VRRP and the like stay within a network; they need no ports, and no rule here.
    if protocol not in PROTOCOLS + (ANY, 'vrrp'):
        told.append("%s: found the protocol '%s', expected one of %s." % (here, protocol, ', '.join(PROTOCOLS + (ANY,))))
    if flow.get('action', 'allow') not in ACTIONS:
        told.append("%s: found the action '%s', expected allow or deny." % (here, flow['action']))
    ports = [str(port) for port in flow.get('ports', [])]
    if ports and protocol not in ('tcp', 'udp'):
        told.append("%s: found ports with the protocol '%s', expected them with tcp and udp only." % (here, protocol))
    if not ports and protocol in ('tcp', 'udp') and flow.get('action', 'allow') == 'allow':
        told.append('%s: found no ports, expected some; whatever is open is named.' % here)
    for port in ports:
        match = _PORT.match(port)
        if not match or not 1 <= int(match[1]) <= int(match[2] or match[1]) <= 65535:
            told.append("%s: found the port '%s', expected a number from 1 to 65535 or a range such as 49152-49251." % (here, port))
    limit = flow.get('limit')
    if limit is not None and not all(isinstance(limit.get(key), int) and limit[key] > 0 for key in ('per_minute', 'burst')):
        told.append('%s: found the limit %r, expected per_minute and burst, whole numbers above 0.' % (here, limit))
    return told


def _twice(names, what):
    return ["the %s '%s' is there %d times; give each a name of its own." % (what, name, names.count(name))
            for name in dict.fromkeys(names) if names.count(name) > 1]


def _nat(entries, places):
    """``(nat, problems)``: addresses under which connections leave a zone."""
    told, made = _twice([entry.get('name', '') for entry in entries], 'translation'), []
    for entry in entries:
        here = "translation '%s'" % entry.get('name', '')
        bad = [side for side in ('from', 'to') if entry.get(side) not in places.names]
        told += ["%s: found '%s' in \"%s\", expected a zone (%s)." % (here, entry.get(side, ''), side, ', '.join(sorted(places.names))) for side in bad]
        if entry.get('from') == places.internet:
            told.append("%s: found the Internet in \"from\", expected a zone with networks." % here)
        networks = [_network(source) for source in entry.get('sources', [])]
        if None in networks:
            told.append('%s: found the sources %s, expected addresses and networks.' % (here, ', '.join(entry['sources'])))
            continue
        addresses = {key: entry.get(key) for key in ('address', 'address6')}
        for (key, text), version in zip(addresses.items(), (4, 6)):
            network = _network(text) if text else None
            if text and (network is None or network.version != version or network.num_addresses != 1):
                told.append("%s: found the %s '%s', expected one IPv%d address." % (here, key, text, version))
            elif text and not bad:
                told += ["%s: found the %s '%s', but %s has no IPv%d network; drop it, or give the zone one." % (here, key, text, entry[side], version)
                         for side in ('from', 'to') if not places.has(entry[side], version)]
        if not any(addresses.values()):
            told.append('%s: found neither address nor address6, expected the one that connections leave with.' % here)
        if not bad:
            made.append({'name': entry['name'], 'from': entry['from'], 'to': entry['to'], 'protocol': entry.get('protocol', ANY),
                         'ports': [str(port) for port in entry.get('ports', [])], 'sources': [str(network) for network in networks], **addresses})
    for index, entry in enumerate(made):
        for earlier in made[:index]:
            if _same_connections(earlier, entry):
                told.append("translations '%s' and '%s' are for the same connections, from %s to %s; only one address can be used."
                            % (earlier['name'], entry['name'], entry['from'], entry['to']))
    return made, told


def _same_connections(one, other):
    """Whether two translations could both be meant."""
    if (one['from'], one['to']) != (other['from'], other['to']):
        return False
    if ANY not in (one['protocol'], other['protocol']) and one['protocol'] != other['protocol']:
        return False
    spans = [list(map(firewall_space.span, entry['ports'])) for entry in (one, other)]
    if all(spans) and not any(a <= d and c <= b for a, b in spans[0] for c, d in spans[1]):
        return False
    networks = [[ipaddress.ip_network(source) for source in entry['sources']] for entry in (one, other)]
    return not all(networks) or any(a.version == b.version and a.overlaps(b) for a in networks[0] for b in networks[1])


def _hidden(fits):
    """What never decides anything because earlier rules fit everything that it fits, and what contradicts earlier rules.

    That the site opens more than the service needs is no mistake.

    :param fits: ``[(rule, its boxes)]``, in order; see firewall_space.py
    """
    told, idle = [], {}
    for index, (rule, boxes) in enumerate(fits):
        before = _deciders(fits[:index], rule, boxes)
        idle.setdefault((rule['origin'], rule['name']), []).append(before)
        if before and all(earlier['action'] != rule['action'] for earlier in before):
            told.append("'%s' (%s to %s) contradicts %s. Narrow what comes first, or drop what it contradicts."
                        % (rule['name'], rule['from'], rule['to'], _in_words(before, ', which comes first and fits', ', which come first and together fit')))
    for (origin, name), before in idle.items():
        if origin == 'site' and all(before) and not any("'%s' (" % name in sentence for sentence in told):
            told.append("'%s' never decides: %s. Drop one of them." % (name, _in_words(before[0], ' before it fits', ' before it together fit')))
    return told


def _unlimited(fits):
    """Limits that hold nobody up, because what they are for passes by rules of the site that come first. :param fits: see _hidden"""
    told = []
    for index, (rule, boxes) in enumerate(fits):
        free = [(before, space) for before, space in fits[:index] if before['action'] == 'allow' and not before['limit']]
        before = _deciders(free, rule, boxes) if rule['limit'] else []
        if before:
            told.append("'%s' (%s to %s) has a limit that holds nobody up, for %s, and %s it pass; narrow that, or give it a limit too."
                        % (rule['name'], rule['from'], rule['to'], _in_words(before, ' comes first and fits', ' come first and together fit'),
                           'lets' if len(before) == 1 else 'let'))
    return told


def _deciders(fits, rule, boxes):
    """Those of other rules that decide everything that a rule fits: the first that does so alone, else several that do so together; none if something
    is left to the rule.

    :param fits: ``[(other rule, its boxes)]``. :param boxes: those of the rule
    """
    near = [(other, space) for other, space in fits if (other['from'], other['to']) == (rule['from'], rule['to'])
            and any(firewall_space.meet(box, one) for box in boxes for one in space)]
    for some in [*([one] for one in near), near]:
        others = [one for _other, space in some for one in space]
        if some and not any(firewall_space.left(box, others) for box in boxes):
            return [other for other, _space in some]
    return []


def _in_words(rules, one, several):
    """Names and what they do; of many, the first."""
    names = list(dict.fromkeys("'%s'" % rule['name'] for rule in rules))
    names = names if len(names) < 6 else [*names[:4], '%d others' % (len(names) - 4)]
    return '%s%s all that it fits' % (' and '.join(filter(None, [', '.join(names[:-1]), names[-1]])), several if len(names) > 1 else one)
