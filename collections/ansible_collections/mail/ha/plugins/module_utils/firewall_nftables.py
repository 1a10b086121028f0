# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The policy of the firewall pair as rules of nftables (nft(8)). Pure functions, no I/O.

Shapes, beside those of firewall_policy.py::

    member     {interfaces: {zone name: interface, or [interface] of the Internet's uplinks}, local: [local]}
    local      {name, protocol: tcp, udp or vrrp, ports, sources4, sources6, device}, what may reach the firewall itself; without sources, nobody may.
               With a device, it comes by that one only
"""

from __future__ import annotations

TABLE = 'ha_mail_firewall'
# Addresses remembered for each limit, and for how long after their last new connection.
REMEMBERED, FORGET = 65536, '2m'
# Bits of a connection's mark that tell its uplink; the others are not ours.
MARKS = 0xff
LOG = 'limit rate 10/minute burst 20 packets log prefix "%s: " flags ip options'
_WORDS = {4: 'ip', 6: 'ip6'}
_TYPES = {4: 'ipv4_addr', 6: 'ipv6_addr'}


def render(policy, member):
    """A file for ``nft -f`` that replaces our table in one transaction and touches no other.

    :param policy: of firewall_policy.build, without problems
    :param member: see the module; every zone of the policy needs an interface
    :returns: text
    :raises ValueError: a zone has no interface
    """
    missing = [zone['name'] for zone in policy['zones'] if zone['name'] not in member['interfaces']]
    if missing:
        raise ValueError('no interface is known for the zone %s' % ', '.join(missing))
    return '\n'.join([
        'table inet %s' % TABLE, 'delete table inet %s' % TABLE, '', 'table inet %s {' % TABLE,
        *_indent(_sets(policy) + _origin(policy, member) + _belong(policy, member) + _local(member) + _forward(policy, member) + _leave(policy)), '}', ''])


def marks(interfaces):
    """``{interface: mark of its connections}`` of the uplinks of a zone; none where it has a single interface."""
    return {} if isinstance(interfaces, str) else {name: number for number, name in enumerate(interfaces, 1)}


def _indent(lines):
    return ['    ' + line if line else '' for line in lines]


def _chain(name, hook, lines):
    return ['chain %s {' % name, *_indent([hook, *lines]), '}', '']


def _devices(word, interfaces, negate=False):
    """A match for one interface, or for any of several."""
    names = ['"%s"' % name for name in ([interfaces] if isinstance(interfaces, str) else interfaces)]
    return '%s %s%s' % (word, '!= ' if negate else '', '{ %s }' % ', '.join(names) if len(names) > 1 else names[0])


def _match(word, networks, negate=False):
    return '%s %s{ %s }' % (word, '!= ' if negate else '', ', '.join(networks))


def _networks(zone, version):
    return [network for network in zone.get('networks', []) if (':' in network) == (version == 6)]


def _sets(policy):
    """One set for each limited rule and family: sources and how often they came."""
    lines = []
    for index, rule in enumerate(policy['rules']):
        for family in rule['families'] if rule['limit'] else []:
            lines += ['# %s' % rule['name'], 'set limit%d_%d {' % (family['version'], index),
                      *_indent(['type %s' % _TYPES[family['version']], 'size %d' % REMEMBERED, 'flags dynamic,timeout', 'timeout %s' % FORGET]), '}', '']
    return lines


def _origin(policy, member):
    """Nobody sends in the name of another zone (RFC 2827). Before connections are tracked, so that it costs little."""
    lines = []
    inner = [zone for zone in policy['zones'] if not zone.get('internet')]
    for zone in policy['zones']:
        interface = _devices('iifname', member['interfaces'][zone['name']])
        for version in (4, 6):
            word = _WORDS[version] + ' saddr'
            if zone.get('internet'):
                foreign = [network for other in inner for network in _networks(other, version)]
                if foreign:
                    lines.append('%s %s counter drop comment "spoofed"' % (interface, _match(word, foreign)))
            else:
                # Neighbour discovery comes from link-local addresses, and those pass no router.
                own = _networks(zone, version) + (['fe80::/10', '::'] if version == 6 else [])
                foreign = _match(word, own, negate=True) if own else 'meta nfproto ipv%d' % version
                lines.append('%s %s counter drop comment "spoofed"' % (interface, foreign))
    for rule in member['local']:
        if rule.get('device'):
            lines += ['%s %s counter drop comment "spoofed: %s"' % (_devices('iifname', rule['device'], negate=True), source, rule['name'])
                      for _version, source in _sources(rule)]
    return _chain('origin', 'type filter hook prerouting priority raw; policy accept;', lines)


def _belong(policy, member):
    """A connection belongs to the uplink by which it came or left. What comes from inside for it is marked, and routes follow marks
    (roles/firewall_pair/files/ha-mail-firewall-uplinks): an answer leaves by the uplink of its question, and a connection stays with its uplink
    when a preferred one comes back. Nothing of it where the Internet has a single interface.
    """
    uplinks = member['interfaces'][next(zone['name'] for zone in policy['zones'] if zone.get('internet'))]
    numbers = marks(uplinks)
    if not numbers:
        return []

    def belongs(side):
        # As long as nobody has answered: what is sent again after its uplink has died belongs to the one that it takes then.
        return ['%s ct state new ct mark set ct mark & 0x%08x | 0x%08x' % (_devices(side, name), MARKS ^ 0xffffffff, number)
                for name, number in numbers.items()]
    follow = '%s ct mark & 0x%08x != 0 meta mark set ct mark & 0x%08x' % (_devices('iifname', uplinks, negate=True), MARKS, MARKS)
    return (_chain('arrive', 'type filter hook prerouting priority mangle; policy accept;', belongs('iifname') + [follow])
            + _chain('depart', 'type filter hook postrouting priority mangle; policy accept;', belongs('oifname')))


def _local(member):
    """What reaches the firewall itself. What has a device, which is the pair's own, comes first: connections are known by addresses and ports alone,
    and what was forged belongs to an established one.
    """
    bound = [rule for rule in member['local'] if rule.get('device')]
    lines = [
        'iifname "lo" accept', *(line for rule in bound for line in _accepted(rule)),
        *dict.fromkeys('%s counter drop comment "%s, from elsewhere"' % (_service(rule), rule['name']) for rule in bound),
        'ct state established,related accept', 'ct state invalid counter drop',
        'icmp type { echo-request, destination-unreachable, time-exceeded, parameter-problem } accept',
        # RFC 4890: without neighbour discovery and "packet too big" there is no IPv6.
        'icmpv6 type { echo-request, destination-unreachable, packet-too-big, time-exceeded, parameter-problem } accept',
        'ip6 hoplimit 255 icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert, nd-redirect } accept',
    ]
    lines += [line for rule in member['local'] if not rule.get('device') for line in _accepted(rule)]
    return _chain('local', 'type filter hook input priority filter; policy drop;', lines + _rest('ha-mail firewall itself'))


def _accepted(rule):
    """A local rule, for each family that it names sources of."""
    device = _devices('iifname', rule['device']) + ' ' if rule.get('device') else ''
    # RFC 9568 section 5.1.1.3: VRRP comes from its own network, or its time to live is less. keepalived does not look where it is told its peers.
    fresh = {4: 'ip ttl 255 ', 6: 'ip6 hoplimit 255 '} if rule['protocol'] == 'vrrp' else {4: '', 6: ''}
    return ['%s%s %s%s counter accept comment "%s"' % (device, source, fresh[version], _service(rule), rule['name']) for version, source in _sources(rule)]


def _service(rule):
    """A match for what a local rule is about."""
    if rule['protocol'] == 'vrrp':
        return 'meta l4proto 112'
    return '%s dport { %s }' % (rule['protocol'], ', '.join(str(port) for port in rule['ports']))


def _sources(rule):
    """``(version, match)`` for each family that a local rule names sources of."""
    return [(version, _match('%s saddr' % _WORDS[version], rule[key])) for version, key in ((4, 'sources4'), (6, 'sources6')) if rule[key]]


def _forward(policy, member):
    """What passes."""
    lines = ['ct state established,related accept', 'ct state invalid counter drop']
    for index, rule in enumerate(policy['rules']):
        for family in rule['families']:
            word = _WORDS[family['version']]
            fits = [_devices(side, member['interfaces'][rule[end]]) for side, end in (('iifname', 'from'), ('oifname', 'to'))]
            fits += [_match('%s %s' % (word, side), family[key]) for side, key in (('saddr', 'sources'), ('daddr', 'destinations')) if family[key]]
            if not family['sources'] and not family['destinations']:
                fits.append('meta nfproto ipv%d' % family['version'])
            fits += _protocol(rule, family['version'])
            head = ' '.join(fits)
            if rule['limit']:
                source = 'ip saddr' if family['version'] == 4 else 'ip6 saddr & ffff:ffff:ffff:ffff::'
                lines.append('%s update @limit%d_%d { %s limit rate over %d/minute burst %d packets } counter drop comment "%s: too many"' % (
                    head, family['version'], index, source, rule['limit']['per_minute'], rule['limit']['burst'], rule['name']))
            if rule['log']:
                lines.append('%s %s' % (head, LOG % ('ha-mail %s' % rule['name'])[:60]))
            lines.append('%s counter %s comment "%s"' % (head, 'accept' if rule['action'] == 'allow' else 'drop', rule['name']))
    return _chain('pass', 'type filter hook forward priority filter; policy drop;', lines + _rest('ha-mail firewall'))


def _protocol(rule, version):
    """Matches for protocol and ports; none for any protocol."""
    protocol = rule['protocol']
    if protocol == 'any':
        return []
    if protocol == 'vrrp':
        return ['meta l4proto 112']
    if protocol == 'icmp':
        return ['meta l4proto %s' % ('icmp' if version == 4 else 'ipv6-icmp')]
    return ['%s dport { %s }' % (protocol, ', '.join(rule['ports']))] if rule['ports'] else ['meta l4proto %s' % protocol]


def _rest(prefix):
    return ['meta pkttype { broadcast, multicast } counter drop', LOG % (prefix + ' drop'), 'counter comment "dropped by policy"']


def _leave(policy):
    """Connections that leave under another address. Zones are told by their networks: the way in is no longer known at this point."""
    lines = []
    zones = {zone['name']: zone for zone in policy['zones']}
    for entry in policy['nat']:
        for version, key in ((4, 'address'), (6, 'address6')):
            sources = [source for source in entry['sources'] or zones[entry['from']].get('networks', []) if (':' in source) == (version == 6)]
            if not entry[key] or not sources:
                continue
            inner = [network for zone in policy['zones'] if not zone.get('internet') for network in _networks(zone, version)]
            target = _match('daddr', inner, negate=True) if zones[entry['to']].get('internet') else _match('daddr', _networks(zones[entry['to']], version))
            what = _protocol(entry, version)
            lines.append(' '.join([_match('%s saddr' % _WORDS[version], sources), '%s %s' % (_WORDS[version], target), *what,
                                   'counter snat %s to %s comment "%s"' % (_WORDS[version], entry[key], entry['name'])]))
    return _chain('leave', 'type nat hook postrouting priority srcnat; policy accept;', lines)[:-1]
