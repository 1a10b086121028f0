# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The policy of the firewall pair as a configuration group of Junos on SRX (Security Policies, NAT and Attack Detection guides, 21.4). Pure functions.

Everything is in the group ``ha-mail``, so that one ``delete`` replaces it and nothing of others is touched. What the group says is inherited at the
top (CLI guide, "configuration groups"): where others say something else of the same thing, theirs holds; named things of both are merged; and
of ordered things, which are security policies and rules of NAT, theirs come first. Policies of others between two of our zones therefore decide
before ours, and our last one, which drops the rest, decides before global policies of others.

Rendered here and not by Aerleon: the text of its srx generator replaces all policies, address books and applications, so it would have to be parsed
and taken apart again; addresses have to be written as a naming database first; and NAT, screens and the order between zones remain to be done. That
is more code than the rules below.

Shapes, beside those of firewall_policy.py::

    member  {interfaces: {zone name: security zone on the device}, local: [local]}
    line    ``set groups ha-mail ...``, or the last one, ``set apply-groups ha-mail``
"""

from __future__ import annotations

import hashlib
import ipaddress
import re

from ansible_collections.mail.ha.plugins.module_utils.firewall_dialect import DialectError

GROUP = 'ha-mail'
APPLIED = 'set apply-groups %s' % GROUP
SPOOFED, REST = 'spoofed', 'rest'
# Letters in a name; the second for screens and NAT, whose names are shorter in some releases.
LONGEST, SHORT = 63, 31
LEAST = 4  # the device takes no lower source-threshold
_ZONE = re.compile(r'^(?!junos-|ha-mail)[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$')
_SET = 'set groups %s ' % GROUP
# Only of these does the order mean something.
_ORDERED = re.compile(r'^(%ssecurity (?:policies from-zone \S+ to-zone \S+ policy|nat source rule-set \S+ rule)) (\S+)' % _SET)
_DESCRIPTION = re.compile(r'( description )"?([^"]*?)"?$')


def render(policy, member):
    """``(lines, notes)`` in normal form. :raises DialectError: something cannot be said to this device in a way that is safe"""
    zones = _zones(policy, member)
    names = _names([rule['name'] for rule in policy['rules']], LONGEST, (SPOOFED, REST))
    lines, notes = [], []
    for start in policy['zones']:
        for end in policy['zones']:
            if start is not end:
                made, told = _between(start, end, policy, zones, names)
                lines += made
                notes += told
    limited, told = _limits(policy, zones)
    lines += limited + _translations(policy, zones)
    notes += told
    notes.append('Policies of others between two of these zones decide before ours; what fits neither is dropped before global policies are looked at.')
    notes.append('Every drop by the last policy is logged: a policy has no limit for that, only "security log rate-cap" of the whole device.')
    if member.get('local'):
        notes.append('What may reach the firewall itself (%s) is decided by host-inbound-traffic of its zones, which is not ours.'
                     % ', '.join(dict.fromkeys(rule['name'] for rule in member['local'])))
    return normal([_SET + line for line in dict.fromkeys(lines)] + [APPLIED]), notes


def normal(lines):
    """Lines in an order that does not depend on that in which the device shows kinds of statements and things that have no order."""
    lines = [_DESCRIPTION.sub(r'\1"\2"', line) for line in lines]
    places = {}
    for line in lines:
        match = _ORDERED.match(line)
        if match:
            places.setdefault(match[1], {}).setdefault(match[2], len(places[match[1]]))

    def key(line):
        match = _ORDERED.match(line)
        # The group has to be there before it is applied.
        return (line == APPLIED,) + ((match[1], places[match[1]][match[2]], line) if match else (line, -1, ''))
    return sorted(lines, key=key)


# ---- names -----------------------------------------------------------------------------------------------------------------

def _zones(policy, member):
    """``{zone name: security zone}``"""
    found = {}
    for zone in policy['zones']:
        name = member['interfaces'].get(zone['name'])
        if name is None or not _ZONE.match(name):
            raise DialectError("zone '%s': found the security zone %r, expected the name of one on the device (letters, digits and _.-, not beginning with "
                               'junos- or ha-mail); set it in interfaces of the member.' % (zone['name'], name))
        if name in found.values():
            raise DialectError("zone '%s': found the security zone '%s', which is that of another zone, expected one of its own." % (zone['name'], name))
        found[zone['name']] = name
    return found


def _names(texts, longest, reserved=()):
    """``{text: name on the device}``, different for different texts."""
    texts = list(dict.fromkeys(texts))
    plain = {text: re.sub(r'[^a-z0-9]+', '-', text.lower()).strip('-') for text in texts}
    taken = list(plain.values()) + list(reserved)
    names = {}
    for text in texts:
        name = plain[text]
        room = longest - len(GROUP) - 1
        if taken.count(name) > 1 or len(name) > room:
            name = '%s-%s' % (name[:room - 8], hashlib.sha256(text.encode()).hexdigest()[:7])
        names[text] = '%s-%s' % (GROUP, name)
    return names


def _address(network):
    """``(name, line)`` of an address of the global book. Names hold letters, digits and dashes, for some releases take nothing else."""
    # As the device writes it.
    network = str(ipaddress.ip_network(network))
    name = '%s-%s' % (GROUP, re.sub(r'[.:/]', '-', network))
    return name, 'security address-book global address %s %s' % (name, network)


def _application(protocol, port):
    """``(name, lines)`` of an application."""
    name = '-'.join(filter(None, [GROUP, protocol, port]))
    number = {'vrrp': '112'}.get(protocol, protocol)
    head = 'applications application %s ' % name
    return name, ['%sprotocol %s' % (head, number)] + (['%sdestination-port %s' % (head, port)] if port else [])


# ---- what passes -----------------------------------------------------------------------------------------------------------

def _between(start, end, policy, zones, names):
    """``(lines, notes)``: the policies from one zone to another. First what pretends to come from inside, then the rules, then the rest."""
    head = 'security policies from-zone %s to-zone %s policy ' % (zones[start['name']], zones[end['name']])
    lines, notes = [], []
    if start.get('internet'):
        # By policies, not by "screen ... ip spoofing": a zone has one screen, and it holds for everybody's traffic. Inside, every policy names sources.
        inner = [network for zone in policy['zones'] if not zone.get('internet') for network in zone['networks']]
        if inner:
            lines += _policy(head + '%s-%s' % (GROUP, SPOOFED), 'nobody outside has an address of a zone inside', inner, ['any'], ['any'], 'deny', True)
    for rule in policy['rules']:
        if (rule['from'], rule['to']) != (start['name'], end['name']):
            continue
        sources, destinations, versions = [], [], []
        for family in rule['families']:
            some = family['sources'] or _whole(start, family['version'])
            if some:
                versions.append(family['version'])
                sources += some
                destinations += family['destinations'] or ['any-ipv%d' % family['version']]
        if not sources:
            notes.append("'%s' from %s to %s has no policy: nobody in that zone has an address of its family." % (rule['name'], start['name'], end['name']))
            continue
        made, applications = [], _applications(rule, versions)
        for name, some in applications.items():
            made += some
        lines += made + _policy(head + names[rule['name']], rule['name'], _both(sources), _both(destinations), list(applications),
                                'permit' if rule['action'] == 'allow' else 'deny', rule['log'])
    return lines + _policy(head + '%s-%s' % (GROUP, REST), 'what fits no rule', ['any'], ['any'], ['any'], 'deny', True), notes


def _whole(zone, version):
    """Sources that stand for all of a zone. Those of a zone inside are its networks, so that nobody in it can pretend to be elsewhere."""
    if zone.get('internet'):
        return ['any-ipv%d' % version]
    return [network for network in zone['networks'] if (':' in network) == (version == 6)]


def _both(ends):
    return ['any'] if {'any-ipv4', 'any-ipv6'} <= set(ends) else ends


def _applications(rule, versions):
    """``{name: lines that define it}``. ICMP is predefined; its errors belong to sessions and need no policy."""
    if rule['protocol'] == 'any':
        return {'any': []}
    if rule['protocol'] == 'icmp':
        return {{4: 'junos-icmp-all', 6: 'junos-icmp6-all'}[version]: [] for version in versions}
    return dict(_application(rule['protocol'], port) for port in rule['ports'] or [''])


def _policy(head, description, sources, destinations, applications, action, log):
    """Lines of one policy, with the addresses that it names."""
    lines = ['%s description "%s"' % (head, description)]
    for side, ends in (('source', sources), ('destination', destinations)):
        for end in ends:
            name, line = (end, None) if end.startswith('any') else _address(end)
            lines += ([line] if line else []) + ['%s match %s-address %s' % (head, side, name)]
    lines += ['%s match application %s' % (head, name) for name in applications]
    return lines + ['%s then %s' % (head, action)] + (['%s then log session-init' % head] if log else [])


# ---- limits ----------------------------------------------------------------------------------------------------------------

def _limits(policy, zones):
    """``(lines, notes)``: the screen of each zone that limited rules come from."""
    lines, notes = [], []
    screens = _names(zones.values(), SHORT)
    for name, zone in zones.items():
        rules = [rule for rule in policy['rules'] if rule['limit'] and rule['action'] == 'allow' and rule['from'] == name]
        counted = [rule for rule in rules if rule['protocol'] == 'tcp']
        if counted:
            # Whoever stays below all limits must not be dropped: a burst may come within one second.
            most = max(LEAST, max(rule['limit']['burst'] + -(-rule['limit']['per_minute'] // 60) for rule in counted))
            lines += ['security screen ids-option %s tcp syn-flood source-threshold %d' % (screens[zone], most),
                      # As a pattern, which fits an existing zone only: a wrong name must be an error, not a new zone.
                      'security zones security-zone <%s> screen %s' % (zone, screens[zone])]
            notes.append('Limits of %s: a screen knows neither rules nor minutes. One source can begin %d TCP connections a second from zone %s, to all '
                         'services together; each IPv6 address counts by itself. If the zone has a screen of others, that one holds and this limit does not.'
                         % (', '.join("'%s'" % rule['name'] for rule in counted), most, zone))
        others = ["'%s'" % rule['name'] for rule in rules if rule not in counted]
        if others:
            notes.append('Limits of %s are not kept: there are none for one source and other protocols than TCP.' % ', '.join(others))
    return lines, notes


# ---- translations ----------------------------------------------------------------------------------------------------------

def _translations(policy, zones):
    """Source NAT. It comes after the decision of the policy, so policies see the addresses from before. No proxy ARP: the addresses are of zones
    inside, and routed here.
    """
    lines = []
    networks = {zone['name']: zone.get('networks', []) for zone in policy['zones']}
    # To each name, the version and a number are appended.
    names = _names([entry['name'] for entry in policy['nat']], SHORT - 6)
    several = _names(['%s to %s' % (zones[entry['from']], zones[entry['to']]) for entry in policy['nat']], SHORT)
    for entry in policy['nat']:
        start, end = zones[entry['from']], zones[entry['to']]
        head = 'security nat source rule-set %s ' % several['%s to %s' % (start, end)]
        for version, key in ((4, 'address'), (6, 'address6')):
            sources = [_address(source)[1].split()[-1] for source in entry['sources'] or networks[entry['from']] if (':' in source) == (version == 6)]
            if not entry[key] or not sources:
                continue
            pool = '%s-%d' % (names[entry['name']], version)
            lines += ['security nat source pool %s address %s' % (pool, ipaddress.ip_network(entry[key])),
                      '%sfrom zone %s' % (head, start), '%sto zone %s' % (head, end)]
            # A rule takes eight ports at most; one for each port has no such limit.
            for number, port in enumerate(entry['ports'] or [''], 1):
                rule = '%srule %s-%d' % (head, pool, number)
                lines += ['%s match source-address %s' % (rule, source) for source in sources]
                if entry['protocol'] != 'any':
                    lines.append('%s match protocol %s' % (rule, 'icmp6' if (entry['protocol'], version) == ('icmp', 6) else entry['protocol']))
                if port:
                    lines.append('%s match destination-port %s' % (rule, port.replace('-', ' to ')))
                lines.append('%s then source-nat pool %s' % (rule, pool))
    return lines


# ---- what the device shows ------------------------------------------------------------------------------------------------

def statements(text):
    """Set lines of the group in a whole configuration in braces, as ``show system rollback`` gives it. There are hashes of passwords in it, and where it
    is garbled they can be anywhere: errors quote nothing.

    :raises DialectError: its end is missing, or something in the group is not understood
    """
    lines = text.rstrip().splitlines()
    if not any(re.match(r'version \S+;$', line) for line in lines) or not re.match(r'\}$|\S.*;$', lines[-1]):
        raise DialectError('found %d lines, expected a whole configuration with a version and an end.' % len(lines))
    made, path, inside, groups = [], [], False, False
    for number, line in enumerate(lines, 1):
        if not inside:
            # By indentation, so that nothing of others has to be understood.
            groups = line == 'groups {' or (groups and line != '}')
            match = re.match(r'    (inactive: )?%s \{$' % GROUP, line)
            inside = groups and match is not None
            if inside and match[1]:
                made.append('deactivate groups %s' % GROUP)
            if re.match(r'(?:inactive: )?apply-groups .*(?<![\w-])%s(?![\w-])' % GROUP, line):
                made += [APPLIED] + ([] if line.startswith('apply') else ['deactivate apply-groups'])
            continue
        if line == '    }':
            inside = False
            continue
        made += _statement(line.strip(), path, number)
    return normal(made)


def _statement(line, path, number):
    """Lines of one line in braces. :param path: blocks around it, which it may change"""
    inactive, line = line.startswith('inactive: '), line.removeprefix('inactive: ')
    if not line or line.startswith(('##', '/*')):
        return []
    if line == '}' and path:
        path.pop()
        return []
    match = re.match(r'(.+?)(?: \[ (.+) \])?(;| \{)$', line)
    if match is None or (match[3] == ' {' and match[2]):
        raise DialectError('found something else in line %d of the configuration, expected a statement.' % number)
    made = [' '.join([*path, match[1], *more]) for more in ([[word] for word in match[2].split()] if match[2] else [[]])]
    told = ['deactivate groups %s %s' % (GROUP, statement) for statement in made if inactive]
    if match[3] == ' {':
        path.append(match[1])
        return told
    return [_SET + statement for statement in made] + told
