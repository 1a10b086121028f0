# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The policy of the firewall pair as configuration of VyOS 1.4 and later (docs.vyos.io, "Firewall", "NAT44", "NAT66"). Pure functions, no I/O.

What is ours on the device::

    firewall group * ha-mail*           networks and interfaces
    firewall ipv4|ipv6 name ha-mail     the rules; the last one drops
    firewall ipv4|ipv6 forward filter   rules 1 and 2: whatever comes from or goes to an inner zone jumps to ours
    nat|nat66 source rule               from 1 up

Numbered rules are ours if their description begins with "ha-mail: ". They are the lowest, because the first that fits decides, and a policy
that others come before would not mean what it says. What neither comes from nor goes to an inner zone is left to the device's own rules, and
so is what reaches the device itself ("input filter"). A default action of the forward filter is never asked for inner zones. Zones of VyOS
("firewall zone"), if there are any, decide after these rules and may drop what passes here.

Interfaces are those that packets are seen at: with "rfc3768-compatibility" they come in by an interface such as eth1v10v4; name it with an
asterisk then (eth1v10* does not fit what leaves by eth1, eth1* does, but fits eth10 too).
"""

from __future__ import annotations

import re

from ansible_collections.mail.ha.plugins.module_utils.firewall_dialect import DialectError

NAME = 'ha-mail'
MARK = "description '%s: " % NAME
JUMPS = (('inbound', 1), ('outbound', 2))
# At most so many lines of log in a minute, and so many at once, for one rule.
LOG = ["limit burst '20'", "limit rate '10/minute'", 'log']
# VyOS counts to 255 only (firewall "recent").
MOST = 255
_ROOT = re.compile(r'^set (firewall group \S+ (?P<group>\S+)|firewall ipv[46] name (?P<chain>\S+)|firewall ipv[46] forward filter rule \d+'
                   r'|nat(?:66)? source rule \d+)(?= |$)')
# What is deleted and set as a whole: a rule, a group, a setting of a chain.
_UNIT = re.compile(_ROOT.pattern[:-len('(?= |$)')] + r'(?: rule \d+| default-action)?')
_GROUPS = {4: 'network-group', 6: 'ipv6-network-group'}


def ordered(lines):
    """Lines in normal form: the number of a rule says where it stands, so that the order in which a device shows them means nothing."""
    return sorted(lines, key=lambda line: [(0, int(word), '') if word.isdigit() else (1, 0, word) for word in line.split()])


def split(lines):
    """``(ours, roots of ours, roots of others)``: lines that belong to the policy, and the nodes that hold it, or what others have of the same kind."""
    found = {}
    for line in lines:
        match = _ROOT.match(line)
        if match:
            found.setdefault(match[1], []).append((match['group'] or match['chain'], line))
    mine = [root for root, entries in found.items() if any(
        name == NAME or name.startswith(NAME + '-') if name else line.startswith('set %s %s' % (root, MARK)) for name, line in entries)]
    return (ordered(line for root in mine for _name, line in found[root]), mine, [root for root in found if root not in mine])


def changes(old, new):
    """Lines of configuration mode that turn one policy into another. What stays is not touched: each line takes VyOS a moment."""
    gone = [root for root in split(old)[1] if root not in split(new)[1]]
    before, after = _units(old), _units(new)
    lines = ['delete %s' % root for root in gone]
    lines += ['delete %s' % unit for unit, entries in before.items() if entries != after.get(unit) and _ROOT.match('set ' + unit)[1] not in gone]
    return lines + [line for unit, entries in after.items() if entries != before.get(unit) for line in entries]


def _units(lines):
    found = {}
    for line in lines:
        found.setdefault(_UNIT.match(line)[0][len('set '):], []).append(line)
    return found


def render(policy, member):
    """See Dialect."""
    _check(policy, member)
    groups = _Groups()
    inner = [zone for zone in policy['zones'] if not zone.get('internet')]
    lines = ["set firewall group interface-group %s-inner interface '%s'" % (NAME, member['interfaces'][zone['name']]) for zone in inner]
    for version in (4, 6):
        chain = 'set firewall ipv%d name %s' % (version, NAME)
        lines.append("%s default-action 'drop'" % chain)
        for index, (description, statements) in enumerate(_chain(policy, member, version, groups)):
            head = '%s rule %d' % (chain, 10 * (index + 1))
            lines += ["%s %s%s'" % (head, MARK, description)] + ['%s %s' % (head, statement) for statement in statements]
        for way, number in JUMPS:
            head = 'set firewall ipv%d forward filter rule %d' % (version, number)
            lines += ["%s action 'jump'" % head, "%s jump-target '%s'" % (head, NAME), "%s %s-interface group '%s-inner'" % (head, way, NAME),
                      "%s %s%s'" % (head, MARK, 'from an inner zone' if way == 'inbound' else 'to an inner zone')]
    lines += _nat(policy, member, groups)
    lines += groups.lines()
    return ordered(lines), _notes(policy)


def _check(policy, member):
    missing = [zone['name'] for zone in policy['zones'] if not member['interfaces'].get(zone['name'])]
    if missing:
        raise DialectError('found no interface for the zone %s; name it in the interfaces of the member.' % ', '.join(missing))
    used = [member['interfaces'][zone['name']] for zone in policy['zones']]
    for name in used:
        if not re.match(r'^[A-Za-z][A-Za-z0-9.*_-]*$', name):
            raise DialectError("found the interface '%s', expected a name such as eth1 or bond0.20." % name)
    if len(set(used)) != len(used):
        raise DialectError('found the same interface for two zones (%s), expected one for each; what crosses them cannot be told otherwise.' % ', '.join(used))


class _Groups:
    """Networks that rules refer to. One network needs no group."""

    def __init__(self):
        self.known = {}

    def match(self, side, networks, name, negate=False):
        """Statements that fit a side of a packet against networks; none for no networks."""
        if not networks:
            return []
        no = '!' if negate else ''
        networks = tuple(sorted(set(networks)))
        if len(networks) == 1:
            return ["%s address '%s%s'" % (side, no, networks[0])]
        version = 6 if ':' in networks[0] else 4
        name = '%s-%s' % (NAME, re.sub(r'[^A-Za-z0-9.-]', '_', name))
        if self.known.setdefault((version, name), networks) != networks:
            raise DialectError("two groups of networks would be called '%s'; give the zones names that differ in more than spaces and underlines." % name)
        return ["%s group network-group '%s%s'" % (side, no, name)]

    def lines(self):
        """What defines the groups."""
        return ["set firewall group %s %s network '%s'" % (_GROUPS[version], name, network)
                for (version, name), networks in self.known.items() for network in networks]


def _networks(zone, version):
    return [network for network in zone.get('networks', []) if (':' in network) == (version == 6)]


def _chain(policy, member, version, groups):
    """``(description, statements)`` of each rule, in order."""
    inner = [zone for zone in policy['zones'] if not zone.get('internet')]
    for zone in policy['zones']:
        # RFC 2827: nobody sends in the name of another zone.
        if zone.get('internet'):
            networks = [network for other in inner for network in _networks(other, version)]
            origin = groups.match('source', networks, 'zones') if networks else None
        else:
            origin = groups.match('source', _networks(zone, version), 'zone-' + zone['name'], negate=True)
        if origin is not None:
            yield 'spoofed', ["action 'drop'", "inbound-interface name '%s'" % member['interfaces'][zone['name']], *origin]
    yield 'answers', ["action 'accept'", "state 'established'", "state 'related'"]
    yield 'invalid', ["action 'drop'", "state 'invalid'"]
    for index, rule in enumerate(policy['rules']):
        for family in rule['families']:
            if family['version'] != version:
                continue
            fits = ["inbound-interface name '%s'" % member['interfaces'][rule['from']], "outbound-interface name '%s'" % member['interfaces'][rule['to']]]
            fits += groups.match('source', family['sources'], '%d-from' % (index + 1))
            fits += groups.match('destination', family['destinations'], '%d-to' % (index + 1))
            fits += _protocol(rule, version)
            if rule['limit'] and rule['action'] == 'allow':
                count, time = _limit(rule)
                yield rule['name'] + ', too many', ["action 'drop'", "state 'new'", "recent count '%d'" % count, "recent time '%s'" % time, *fits]
            if rule['log']:
                yield rule['name'] + ', log', ["action 'continue'", *LOG, *fits]
            yield rule['name'], ["action '%s'" % ('accept' if rule['action'] == 'allow' else 'drop'), *fits]
    yield 'dropped by policy', ["action 'drop'", *LOG]


def _protocol(rule, version):
    """Statements for protocol and ports; none for any protocol."""
    if rule['protocol'] == 'any':
        return []
    word = 'ipv6-icmp' if (rule['protocol'], version) == ('icmp', 6) else rule['protocol']
    return ["protocol '%s'" % word] + (["destination port '%s'" % ','.join(rule['ports'])] if rule['ports'] else [])


def _limit(rule):
    """``(count, time)``: a source that comes more often in that time is too much. The count is what may come at once, too."""
    wanted = rule['limit']['per_minute']
    if wanted <= MOST:
        return wanted, 'minute'
    if -(-wanted // 60) > MOST:
        raise DialectError("'%s': found a limit of %d a minute, expected at most %d; VyOS cannot count that far. Set less, or none." % (
            rule['name'], wanted, MOST * 60))
    return -(-wanted // 60), 'second'


def _nat(policy, member, groups):
    """Connections that leave under another address. NAT66 knows one network for a rule, and no groups."""
    lines = []
    zones = {zone['name']: zone for zone in policy['zones']}
    numbers = {4: 0, 6: 0}
    for index, entry in enumerate(policy['nat']):
        for version, key, node in ((4, 'address', 'nat'), (6, 'address6', 'nat66')):
            sources = [source for source in entry['sources'] or zones[entry['from']].get('networks', []) if (':' in source) == (version == 6)]
            if not entry[key] or not sources:
                continue
            origins = [groups.match('source', sources, 'nat-%d' % (index + 1))] if version == 4 else [["source prefix '%s'" % source] for source in sources]
            for origin in origins:
                numbers[version] += 1
                head = 'set %s source rule %d' % (node, numbers[version])
                fits = ["outbound-interface name '%s'" % member['interfaces'][entry['to']], *origin]
                protocol = _protocol(entry, version)
                lines += ["%s %s%s'" % (head, MARK, entry['name']), "%s translation address '%s'" % (head, entry[key])]
                lines += ['%s %s' % (head, statement) for statement in fits + protocol]
    return lines


def _notes(policy):
    limited = [rule for rule in policy['rules'] if rule['limit'] and rule['action'] == 'allow']
    notes = []
    for name, limit in {rule['name']: rule['limit'] for rule in limited}.items():
        count, time = _limit({'name': name, 'limit': limit})
        if count != limit['burst'] or time != 'minute':
            notes.append("'%s': a source may begin %d connections a %s, as many of them at once, instead of %d a minute and %d at once." % (
                name, count, time, limit['per_minute'], limit['burst']))
    if limited:
        notes.append('Limits: VyOS remembers 65535 sources for each limit and forgets them when the firewall is committed; others pass without limit then.')
        if any(family['version'] == 6 for rule in limited for family in rule['families']):
            notes.append('Limits: VyOS counts each IPv6 address by itself, not its /64.')
    return notes
