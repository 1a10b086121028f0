# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The policy of the firewall pair as objects and policies of FortiOS 7. Pure functions, no I/O.

Rendered here and not by aerleon 1.18, whose generator numbers policies from 1, where others have theirs, gives objects no prefix of ours, has no
IP pools and no limits, does not log what 'logging: true' asks for, and allows the service ALL for a term of ICMP without types.

Shapes::

    entry    {table, name, id: int or None, set: {key: value}}; a key of a table in an entry is "anomaly tcp_port_scan threshold"
    member   {interfaces: {zone name: interface or zone of the device}, local: anything}
    lines    table, name and one setting each, with what the device shows beyond its defaults; IDs and UUIDs are not part of it

All of a policy is there twice while it changes: the old and the new *generation*, a and b, differ in the prefix of all names. Lines know
no generation.
"""

from __future__ import annotations

import ipaddress
import math
import re

from ansible_collections.mail.ha.plugins.module_utils.firewall_dialect import DialectError

# In the order in which one needs the other.
OBJECTS = ('firewall address', 'firewall address6', 'firewall service custom', 'firewall ippool', 'firewall ippool6')
POLICIES = ('firewall policy', 'firewall DoS-policy', 'firewall DoS-policy6')
TABLES = OBJECTS + POLICIES
NAME = 'ha-mail '
LONGEST = 35  # characters of the name of a policy
_OURS = re.compile(r'"ha-mail-[ab] ')
_LINE = re.compile(r'^(%s) "(ha-mail [^"]+)" (?:anomaly (\w+) )?set (\S+) (\S.*)$' % '|'.join(re.escape(table) for table in TABLES))
_INTERFACE = re.compile(r'''^[^"'\\<>()#\s][^"'\\<>()#\n]{0,34}$''')
# Anomalies that count new sessions of one source.
_RATES = {'tcp': ['tcp_port_scan'], 'udp': ['udp_scan'], 'icmp': ['icmp_sweep'], 'any': ['tcp_port_scan', 'udp_scan', 'icmp_sweep']}


def render(policy, member):
    """``(lines, notes)``, see firewall_dialect.py.

    :raises DialectError: a zone has no interface, or its name cannot be one
    """
    for zone in policy['zones']:
        interface = member['interfaces'].get(zone['name'])
        if interface is None:
            raise DialectError("no interface is known for the zone '%s'; name it in the interfaces of the member." % zone['name'])
        if not _INTERFACE.match(interface):
            raise DialectError('found the interface %r, expected a name of at most 35 characters without quotes, brackets and #.' % interface)
    made = _Made(policy, member)
    made.spoofed()
    for rule in policy['rules']:
        made.rule(rule)
    made.default()
    return to_lines(made.entries), made.notes()


class _Made:
    """Objects and policies so far."""

    def __init__(self, policy, member):
        self.policy, self.entries, self._names = policy, [], set()
        self.zones = {zone['name']: zone for zone in policy['zones']}
        self.interfaces = member['interfaces']
        self.local = bool(member.get('local'))
        self.inner = [network for zone in policy['zones'] if not zone.get('internet') for network in zone.get('networks', [])]

    def spoofed(self):
        """Nobody sends from the Internet in the name of an inner zone. Inner zones need no such policy: what comes from them is let through
        from their own networks only. The device's own check of the way back does not help, for the default route leads back to anybody.
        """
        for zone in self.policy['zones']:
            networks = {version: _of(self.inner, version) for version in (4, 6)}
            if zone.get('internet') and any(networks.values()):
                settings = self._ends([zone['name']], [name for name in self.zones if name != zone['name']])
                for version in (version for version in (4, 6) if networks[version]):
                    settings.update(self._addresses(version, networks[version], []))
                self._policy('spoofed', dict(settings, **self._service('any', [], 4), logtraffic='all'))

    def rule(self, rule):
        """The policies of a rule: one for each part of it that leaves under another address, then one for both families, or for each if the
        families need different services.
        """
        common = dict(self._ends([rule['from']], [rule['to']]), logtraffic='all' if rule['log'] else 'disable',
                      **({'action': 'accept'} if rule['action'] == 'allow' else {}))
        plain = []
        for family in rule['families']:
            version = family['version']
            sources = self._networks(rule['from'], family['sources'], version)
            destinations = self._networks(rule['to'], family['destinations'], version)
            if sources is None or destinations is None:
                continue  # the zone has nobody of this family
            whole = {'protocol': rule['protocol'], 'ports': rule['ports'], 'sources': sources}
            parts = [(entry, self._translated(rule, whole, entry, version)) for entry in self.policy['nat'] if rule['action'] == 'allow']
            for entry, part in parts:
                if part:
                    self._policy(rule['name'], dict(
                        common, **self._addresses(version, part['sources'], destinations), **self._service(part['protocol'], part['ports'], version),
                        **self._pool(entry, version)))
            if whole not in [part for _entry, part in parts]:
                plain.append(dict(self._addresses(version, sources, destinations), **self._service(rule['protocol'], rule['ports'], version)))
            if rule['limit'] and rule['action'] == 'allow':
                self._limit(rule, version, sources, destinations)
        if len(plain) == 2 and plain[0]['service'] == plain[1]['service']:
            plain = [dict(plain[0], **plain[1])]
        for settings in plain:
            self._policy(rule['name'], dict(common, **settings))

    def default(self):
        """What fits no rule, from one zone to another. Between other interfaces, others' policies decide."""
        for zone in self.zones:
            others = [name for name in self.zones if name != zone]
            if others:
                settings = dict(self._ends([zone], others), **self._addresses(4, [], []), **self._addresses(6, [], []), **self._service('any', [], 4))
                self._policy('default from %s' % zone, dict(settings, logtraffic='all'))

    def notes(self):
        """What is different from what was asked for."""
        told = ['FortiOS cannot limit the log of one policy: everything that fits no rule is logged.']
        if any(rule['limit'] for rule in self.policy['rules']):
            told.append('FortiOS counts new connections of one source by the second only, and of single IPv6 addresses: a limit becomes a DoS policy '
                        'that blocks what is above its burst and a 60th of its minute in one second; a DoS policy of others that stands before it and '
                        'fits goes first.')
        if any(entry['address6'] for entry in self.policy['nat']):
            told.append('An IPv6 pool has no setting whether the firewall answers neighbour solicitations for it: see that answers to it are routed to '
                        'the firewall.')
        if self.local:
            told.append('What reaches the firewall itself is decided at its interfaces (allowaccess, trusted hosts, local-in-policy), not by this policy.')
        return told

    # ---- parts of policies

    def _ends(self, sources, destinations):
        return {'srcintf': _quoted(self.interfaces[name] for name in sources), 'dstintf': _quoted(self.interfaces[name] for name in destinations)}

    def _networks(self, zone, some, version):
        """Networks; an empty list is everybody, None is nobody."""
        if some or self.zones[zone].get('internet'):
            return list(some)
        return _of(self.zones[zone].get('networks', []), version) or None

    def _addresses(self, version, sources, destinations):
        suffix = '' if version == 4 else '6'
        return {key + suffix: _quoted([self._address(network, version) for network in networks] or ['all'])
                for key, networks in (('srcaddr', sources), ('dstaddr', destinations))}

    def _address(self, text, version):
        network = ipaddress.ip_network(text)
        settings = {'subnet': '%s %s' % (network.network_address, network.netmask)} if version == 4 else {'ip6': str(network)}
        return self._object('firewall address' if version == 4 else 'firewall address6', str(network), settings)

    def _service(self, protocol, ports, version):
        table = 'firewall service custom'
        if protocol in ('tcp', 'udp'):
            names = [self._object(table, '%s %s' % (protocol, port), {protocol + '-portrange': port}) for port in ports or ['1-65535']]
        elif protocol == 'icmp':
            names = [self._object(table, 'icmp' if version == 4 else 'icmp6', {'protocol': 'ICMP' if version == 4 else 'ICMP6'})]
        elif protocol == 'any':
            names = [self._object(table, 'any', {'protocol': 'IP'})]
        elif protocol == 'vrrp':
            names = [self._object(table, 'vrrp', {'protocol': 'IP', 'protocol-number': '112'})]
        else:
            raise DialectError("found the protocol '%s', expected tcp, udp, icmp, vrrp or any." % protocol)
        return {'service': _quoted(names)}

    def _translated(self, rule, whole, entry, version):
        """The part of a rule that leaves under another address, or None."""
        if (rule['from'], rule['to']) != (entry['from'], entry['to']) or not entry['address' if version == 4 else 'address6']:
            return None
        if 'any' not in (rule['protocol'], entry['protocol']) and rule['protocol'] != entry['protocol']:
            return None
        protocol = entry['protocol'] if rule['protocol'] == 'any' else rule['protocol']
        ports = _common_ports(whole['ports'], entry['ports'])
        given = _of(entry['sources'], version) if entry['sources'] else self._networks(entry['from'], [], version)
        sources = _common_networks(whole['sources'], given or [])
        if ports is None or not sources:
            return None
        return {'protocol': protocol, 'ports': ports, 'sources': sources}

    def _pool(self, entry, version):
        address = entry['address' if version == 4 else 'address6']
        settings = {'startip': address, 'endip': address}
        if version == 4 and any(ipaddress.ip_address(address) in ipaddress.ip_network(network) for network in _of(self.inner, 4)):
            # It is a host's own address: the firewall must neither answer ARP for it there nor take what is sent to it for itself.
            settings['arp-reply'] = 'disable'
        name = self._object('firewall ippool' if version == 4 else 'firewall ippool6', entry['name'], settings)
        return {'nat': 'enable', 'ippool': 'enable', 'poolname' if version == 4 else 'poolname6': _quoted([name])}

    def _limit(self, rule, version, sources, destinations):
        # Not by concurrent sessions: mail clients keep theirs open for hours. This never blocks what the limit allows.
        threshold = rule['limit']['burst'] + math.ceil(rule['limit']['per_minute'] / 60)
        named = {key.rstrip('6'): value for key, value in self._addresses(version, sources, destinations).items()}
        settings = dict(named, interface='"%s"' % self.interfaces[rule['from']], **self._service(rule['protocol'], rule['ports'], version))
        for anomaly in _RATES.get(rule['protocol'], []):
            settings.update({'anomaly %s %s' % (anomaly, key): value for key, value in (
                ('status', 'enable'), ('log', 'enable'), ('action', 'block'), ('threshold', str(threshold)))})
        table = 'firewall DoS-policy' if version == 4 else 'firewall DoS-policy6'
        self._add(table, self._name(table, rule['name']), settings)

    def _policy(self, title, settings):
        name = self._name('firewall policy', title)
        # The whole of a name that was cut.
        whole = {} if name.startswith('%s%s ' % (NAME, title)) else {'comments': '"%s"' % title}
        self._add('firewall policy', name, dict(settings, schedule='"always"', **whole))

    def _name(self, table, title):
        """A name that no other policy of the table has, and that stays when rules of other names come and go."""
        number = 1
        while True:
            ending = ' %d' % number
            name = NAME + title[:LONGEST - len('ha-mail-a ') - len(ending)].rstrip() + ending
            if (table, name) not in self._names:
                self._names.add((table, name))
                return name
            number += 1

    def _object(self, table, title, settings):
        name = NAME + title
        if not any((entry['table'], entry['name']) == (table, name) for entry in self.entries):
            self._add(table, name, settings)
        return name

    def _add(self, table, name, settings):
        self.entries.append({'table': table, 'name': name, 'id': None, 'set': settings})


def _of(networks, version):
    return [network for network in networks if (':' in network) == (version == 6)]


def _quoted(names):
    return ' '.join('"%s"' % name for name in sorted(names))


def _span(port):
    low, _dash, high = port.partition('-')
    return int(low), int(high or low)


def _common_ports(one, other):
    """Ports that are in both; no ports are all of them. None if there are none in common."""
    if not one or not other:
        return list(one or other)
    spans = [(max(a, c), min(b, d)) for a, b in map(_span, one) for c, d in map(_span, other) if max(a, c) <= min(b, d)]
    return ['%d' % low if low == high else '%d-%d' % (low, high) for low, high in spans] or None


def _common_networks(one, other):
    both = [(ipaddress.ip_network(a), ipaddress.ip_network(b)) for a in one for b in other]
    return [str(a if a.subnet_of(b) else b) for a, b in both if a.overlaps(b)]


# ---- entries and lines -----------------------------------------------------------------------------------------------------

def to_lines(entries):
    """Normal form: objects by name, policies in the order in which they are tried."""
    lines = []
    for table in TABLES:
        some = [entry for entry in entries if entry['table'] == table]
        for entry in sorted(some, key=lambda entry: entry['name']) if table in OBJECTS else some:
            for key, value in sorted(entry['set'].items()):
                inner, _space, last = key.rpartition(' ')
                lines.append('%s "%s" %sset %s %s' % (table, entry['name'], inner + ' ' if inner else '', last, value))
    return lines


def to_entries(lines):
    """What lines stand for.

    :raises DialectError: a line is none of ours
    """
    entries = {}
    for line in lines:
        match = _LINE.match(line)
        if match is None:
            raise DialectError('found the line %r, expected one that was rendered for FortiOS.' % line)
        table, name, anomaly, key, value = match.groups()
        entry = entries.setdefault((table, name), {'table': table, 'name': name, 'id': None, 'set': {}})
        entry['set']['anomaly %s %s' % (anomaly, key) if anomaly else key] = value
    return list(entries.values())


def commands(entries, generation, ids):
    """What creates the entries as a generation, whose policies do nothing yet.

    :param ids: ``{table: [int]}``, free numbers for its policies
    """
    said = []
    for table in TABLES:
        some = [entry for entry in entries if entry['table'] == table]
        if not some:
            continue
        said.append('config ' + table)
        for index, entry in enumerate(some):
            name = '"%s"' % entry['name']
            if table in OBJECTS:
                said.append('edit ' + name)
            else:
                said += ['edit %d' % ids[table][index], 'set name ' + name, 'set status disable']
            said += ['set %s %s' % setting for setting in sorted(entry['set'].items()) if not setting[0].startswith('anomaly ')]
            inner = sorted(setting for setting in entry['set'].items() if setting[0].startswith('anomaly '))
            if inner:
                said.append('config anomaly')
                for anomaly in sorted({key.split()[1] for key, _value in inner}):
                    said.append('edit "%s"' % anomaly)
                    said += ['set %s %s' % (key.split()[2], value) for key, value in inner if key.split()[1] == anomaly]
                    said.append('next')
                said.append('end')
            said.append('next')
        said.append('end')
    return [line.replace('"' + NAME, '"ha-mail-%s ' % generation) for line in said]


def parse(text, table):
    """All entries of a table, from what ``show`` says of it: ``[(key, {setting: value})]``.

    :raises DialectError: it is not the whole of such an answer
    """
    command, entries, stack, over = 'show ' + table, [], [], False
    for line in _whole(text):
        word, _space, rest = line.partition(' ')
        top = stack[-1][0] if stack else None
        if word == 'config' and not over and (top == 'edit' or (top is None and rest == table)):
            stack.append((word, rest))
        elif word == 'edit' and rest and top == 'config':
            stack.append((word, rest.strip('"')))
            if len(stack) == 2:
                entries.append((stack[1][1], {}))
        elif word == 'set' and top == 'edit' and ' ' in rest:
            key, value = rest.split(' ', 1)
            entries[-1][1][' '.join([name for _word, name in stack[2:]] + [key])] = value.strip()
        elif word == 'unset' and top == 'edit':
            pass  # an empty value
        elif (line, top) in (('next', 'edit'), ('end', 'config')):
            stack.pop()
            over = not stack
        else:
            raise DialectError("'%s' answered %r, expected 'config %s' with entries and 'end'. Is the device of the declared platform?"
                               % (command, line[:200], table))
    if not over:
        raise DialectError("'%s' was cut off after %d entries, expected 'end' as its last line." % (command, len(entries)))
    return entries


def _whole(text):
    """Lines, those put together again whose text in quotes has line feeds."""
    lines, started = [], ''
    for line in text.splitlines():
        started += line
        if len(re.findall(r'(?<!\\)"', started)) % 2:
            started += '\n'
        else:
            lines.append(started.strip())
            started = ''
    return [line for line in lines + [started.strip()] if line]


def own(table, parsed):
    """``{generation: [entry]}``: what is ours of a table, in normal form but for its names."""
    found = {'a': [], 'b': []}
    for key, settings in parsed:
        quoted = '"%s"' % key if table in OBJECTS else settings.get('name', '')
        if not _OURS.match(quoted):
            continue
        anomalies = {setting.split()[1] for setting, value in settings.items() if setting.startswith('anomaly ') and setting.endswith(' status')
                     and value == 'enable'}
        kept = {}
        for setting, value in settings.items():
            # The device lists all anomalies with their thresholds; those that are off do nothing.
            if setting in ('uuid', 'name') or (setting.startswith('anomaly ') and setting.split()[1] not in anomalies):
                continue
            names = re.findall(r'"[^"]*"', value)
            if len(names) > 1:
                value = ' '.join(sorted(_OURS.sub('"' + NAME, name) for name in names))
            elif setting == 'ip6':
                value = str(ipaddress.ip_network(value, strict=False))
            kept[setting] = _OURS.sub('"' + NAME, value)
        entry = {'table': table, 'name': _OURS.sub(NAME, quoted).strip('"'), 'id': None if table in OBJECTS else int(key), 'set': kept}
        found[quoted[9]].append(entry)
    return found
