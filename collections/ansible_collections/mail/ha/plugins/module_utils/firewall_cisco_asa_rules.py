# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The policy of the firewall pair as configuration of a Cisco ASA (CLI Book 2: Firewall, and the command reference, 9.2 and later). Pure functions.

Rendered here and not by Aerleon: its ciscoasa generator leaves IPv6 out without a word, and its output begins with ``clear configure access-list``,
which lets nothing pass until the last line has arrived.

Shapes, beside those of firewall_policy.py::

    member  {interfaces: {zone name: nameif}, local: [local]}
    block   (line, ...) a statement with the lines below it, which are indented as the device shows them
    part    what is replaced as a whole: ``ha-mail-in-<nameif>``, the access list of one interface; ``ha-mail-limit``, limits;
            ``ha-mail-nat-<slug>``, one translation. Every name in a part begins with that of the part.

In normal form, names have no generation, ports are numbers and addresses are addresses. On the device, every name of a part ends with the
generation of the part, so that a new one can be built beside the one in force.
"""

from __future__ import annotations

import ipaddress
import re

from ansible_collections.mail.ha.plugins.module_utils.firewall_dialect import DialectError

# The parser of the device knows these names, and shows them in place of the numbers ("Addresses, Protocols, and Ports" of CLI Book 1).
PORTS = {
    'aol': 5190, 'bgp': 179, 'biff': 512, 'bootpc': 68, 'bootps': 67, 'chargen': 19, 'cifs': 3020, 'citrix-ica': 1494, 'cmd': 514, 'ctiqbe': 2748,
    'daytime': 13, 'discard': 9, 'dnsix': 195, 'domain': 53, 'echo': 7, 'exec': 512, 'finger': 79, 'ftp': 21, 'ftp-data': 20, 'gopher': 70, 'h323': 1720,
    'hostname': 101, 'http': 80, 'https': 443, 'ident': 113, 'imap4': 143, 'irc': 194, 'isakmp': 500, 'kerberos': 750, 'klogin': 543, 'kshell': 544,
    'ldap': 389, 'ldaps': 636, 'login': 513, 'lotusnotes': 1352, 'lpd': 515, 'mobile-ip': 434, 'nameserver': 42, 'netbios-dgm': 138, 'netbios-ns': 137,
    'netbios-ssn': 139, 'nfs': 2049, 'nntp': 119, 'ntp': 123, 'pcanywhere-data': 5631, 'pcanywhere-status': 5632, 'pim-auto-rp': 496, 'pop2': 109,
    'pop3': 110, 'pptp': 1723, 'radius': 1645, 'radius-acct': 1646, 'rip': 520, 'rpc': 111, 'rsh': 514, 'rtsp': 554, 'secureid-udp': 5510, 'sip': 5060,
    'smtp': 25, 'snmp': 161, 'snmptrap': 162, 'sqlnet': 1521, 'ssh': 22, 'sunrpc': 111, 'syslog': 514, 'tacacs': 49, 'talk': 517, 'telnet': 23,
    'tftp': 69, 'time': 37, 'uucp': 540, 'vxlan': 4789, 'who': 513, 'whois': 43, 'www': 80, 'xdmcp': 177,
}
# Errors that belong to connections (RFC 4890, 1191): without them, big packets vanish. The device lets none in unless a rule does, or the inspection
# of ICMP, which is part of a policy of others.
ICMP_ERRORS = {4: ('unreachable', 'time-exceeded'), 6: ('unreachable', 'packet-too-big', 'time-exceeded', 'parameter-problem')}
ANY, ICMP = {4: 'any4', 6: 'any6'}, {4: 'icmp', 6: 'icmp6'}
MOST = 65535  # half-open connections of one source that a class can be given in every release
_NAMEIF = re.compile(r'^(?!ha-mail)[A-Za-z0-9._/-]{1,48}$')
_PART = re.compile(r'(?<=\s)(ha-mail-in-\S+|ha-mail-(?:limit|nat-[a-z0-9-]+))')
_RANKS = ('object', 'object-group', 'access-list', 'access-group', 'class-map', 'policy-map', 'nat', 'service-policy')


def render(policy, member):
    """``(lines, notes)`` in normal form. :raises DialectError: something cannot be said to this device in a way that is safe"""
    interfaces = _interfaces(policy, member)
    zones = {zone['name']: zone for zone in policy['zones']}
    blocks, notes = [], []
    for zone in policy['zones']:
        blocks += _access_list(zone, policy, zones, interfaces[zone['name']])
    limited, told = _limits(policy, zones, interfaces)
    blocks += limited + _translations(policy, zones, interfaces)
    notes += told
    if any(rule['action'] == 'allow' and rule['protocol'] in ('icmp', 'any') for rule in policy['rules']):
        notes.append('Replies to ping are let through by rules of their own, for whether the device inspects ICMP is up to a policy of others.')
    if member['local']:
        notes.append('What may reach the firewall itself (%s) is decided by the ssh, http, icmp and snmp-server statements of the device; access lists of '
                     'interfaces do not apply to it.' % ', '.join(dict.fromkeys(rule['name'] for rule in member['local'])))
    return flat(ordered(blocks)), notes


def ordered(blocks):
    """The order of the normal form: by part, then as the device needs them. Only in access lists does the given order mean something."""
    def key(block):
        word = block[0].split()[0]
        return part_of(block[0]), _RANKS.index(word), '' if word == 'access-list' else '\n'.join(block)
    return sorted(blocks, key=key)


def flat(blocks):
    """Lines of blocks."""
    return [line for block in blocks for line in block]


def blocks_of(lines):
    """Blocks of lines, which are indented below the first of a block."""
    blocks = []
    for line in lines:
        if line.startswith(' ') and blocks:
            blocks[-1] += (line,)
        else:
            blocks.append((line,))
    return blocks


def part_of(line):
    """Name of the part that a statement in normal form belongs to.

    :raises DialectError: to none
    """
    match = _PART.search(line)
    if match is None or line.split()[0] not in _RANKS:
        raise DialectError("found the line '%s', expected statements of the policy as render() gives them." % line)
    return match.group(1)


def normal(line, names):
    """A line as the device shows it, with numbers for ports and addresses for names. :param names: mapping of name to address, of ``name`` statements"""
    if line.split()[2:3] == ['remark']:
        return line.rstrip()
    indent, words = line[:len(line) - len(line.lstrip())], line.split()
    for index, word in enumerate(words):
        if 'eq' in words[max(index - 1, 0):index] or 'range' in words[max(index - 2, 0):index]:
            words[index] = str(PORTS.get(word, word))
        elif index > 0 and words[0] in ('access-list', 'network-object', 'host'):
            words[index] = _address(names.get(word, word))
    # The default of "log" is level 6 and one message in 300 seconds.
    return re.sub(r' log informational(?: interval 300)?$', ' log', indent + ' '.join(words))


def _address(word):
    """IPv6 as it is usually written."""
    try:
        return str(ipaddress.IPv6Interface(word) if '/' in word else ipaddress.IPv6Address(word))
    except ValueError:
        return word


def _interfaces(policy, member):
    names = {}
    for zone in policy['zones']:
        name = member['interfaces'].get(zone['name'])
        if name is None or not _NAMEIF.match(name):
            raise DialectError("zone '%s': found the interface %r, expected the nameif of one, without blanks and not beginning with ha-mail; set it in "
                               'interfaces of the member.' % (zone['name'], name))
        if name in names.values():
            raise DialectError("zone '%s': found the interface '%s', which is that of another zone, expected one of its own; the device tells zones by "
                               'interfaces.' % (zone['name'], name))
        names[zone['name']] = name
    return names


# ---- what passes -----------------------------------------------------------------------------------------------------------

def _access_list(zone, policy, zones, interface):
    """What may come in at an interface. A rule does not know where a packet will leave, so zones are told by addresses: first what goes to
    the zones inside, then nothing more to those, then what goes to the Internet.
    """
    lines = _Entries('ha-mail-in-%s' % interface)
    inner = [other for other in policy['zones'] if not other.get('internet')]
    outside = next(other['name'] for other in policy['zones'] if other.get('internet'))
    if zone.get('internet'):
        # "ip verify reverse-path" would do this for everybody's traffic on the interface. Zones inside need nothing: their rules name the sources.
        networks = [(version, network) for version in (4, 6) for other in inner for network in _networks(other, version)]
        lines.rule('nobody outside has an address of a zone inside', [('deny', 'ip', version, network, None, '', True) for version, network in networks])
    lines.rule('errors that belong to connections', [
        ('permit', ICMP[version], version, source, target, kind, False) for version in (4, 6) for source in _ends(zone, [], version)
        for target in (sum([_networks(other, version) for other in inner], []) if zone.get('internet') else [None]) for kind in ICMP_ERRORS[version]])
    for end in [other['name'] for other in inner if other['name'] != zone['name']]:
        _section(lines, zone['name'], end, policy, zones)
    if not zone.get('internet'):
        lines.rule('nothing else to zones inside', [('deny', 'ip', version, None, network, '', True) for version in (4, 6) for other in inner
                                                    for network in _networks(other, version)])
        _section(lines, zone['name'], outside, policy, zones)
    lines.rule('nothing else', [('deny', 'ip', 0, None, None, '', True)])
    return [(line,) for line in lines.lines] + [('access-group %s in interface %s' % (lines.name, interface),)]


def _section(lines, start, end, policy, zones):
    """Rules from one zone to another, after the replies to pings that went the other way."""
    for rule in policy['rules']:
        if (rule['from'], rule['to']) == (end, start) and rule['action'] == 'allow' and rule['protocol'] in ('icmp', 'any'):
            lines.rule('%s: replies to %s' % (rule['name'], end), [
                ('permit', ICMP[version], version, source, target, 'echo-reply', False)
                for version, target, source in _pairs(rule, zones)])
    for rule in policy['rules']:
        if (rule['from'], rule['to']) == (start, end):
            lines.rule('%s: to %s' % (rule['name'], end), _fits(rule, zones, 'permit' if rule['action'] == 'allow' else 'deny'))


def _fits(rule, zones, action):
    """What a rule fits, as entries."""
    entries = []
    for version, source, target in _pairs(rule, zones):
        protocol = {'any': 'ip', 'icmp': ICMP[version], 'vrrp': '112'}.get(rule['protocol'], rule['protocol'])
        entries += [(action, protocol, version, source, target, _port(port), rule['log']) for port in rule['ports'] or ['']]
    return entries


def _pairs(rule, zones):
    """``(version, source, destination)`` of a rule; None stands for everybody."""
    return [(family['version'], source, target) for family in rule['families'] for source in _ends(zones[rule['from']], family['sources'], family['version'])
            for target in _ends(zones[rule['to']], family['destinations'], family['version'])]


def _ends(zone, networks, version):
    """Networks, or those of the zone if there are none; None is the Internet."""
    return networks or ([None] if zone.get('internet') else _networks(zone, version))


def _networks(zone, version):
    return [network for network in zone.get('networks', []) if (':' in network) == (version == 6)]


def _port(port):
    low, dash, high = port.partition('-')
    return '' if not port else 'range %s %s' % (low, high) if dash and low != high else 'eq %s' % low


def _place(network, version):
    """A network in the words of an access list."""
    if network is None:
        return ANY.get(version, 'any')
    made = ipaddress.ip_network(network)
    if made.num_addresses == 1:
        return 'host %s' % made.network_address
    return str(made) if version == 6 else '%s %s' % (made.network_address, made.netmask)


class _Entries:
    """An access list that grows."""

    def __init__(self, name):
        self.name, self.lines, self._fit = name, [], set()

    def rule(self, remark, entries):
        """Entries ``(action, protocol, version, source, destination, rest, log)`` under a remark."""
        made = []
        for action, protocol, version, source, target, rest, log in entries:
            fits = ' '.join(filter(None, [protocol, _place(source, version), _place(target, version), rest]))
            # The device takes the same fit only once. The first decides, so that the second would not matter.
            if fits not in self._fit:
                self._fit.add(fits)
                # Without "log", whatever is denied is logged packet by packet; with it, once in five minutes for each connection, with a count.
                made.append('access-list %s extended %s %s%s' % (self.name, action, fits, ' log' if log else ' log disable' if action == 'deny' else ''))
        if made:
            self.lines += ['access-list %s remark %s' % (self.name, ' '.join(remark.split())[:100].rstrip()), *made]


# ---- limits and translations -----------------------------------------------------------------------------------------------

def _limits(policy, zones, interfaces):
    """Half-open connections of one source, above which the device answers in the server's place (SYN cookies) and opens nothing for those who do
    not answer. Not per-client-max: it counts all open connections, and would shut out an office behind one address, which opens few a minute
    but keeps many.
    """
    limited = [rule for rule in policy['rules'] if rule['limit'] and rule['action'] == 'allow']
    rules = [rule for rule in limited if rule['protocol'] == 'tcp']
    notes = []
    if rules:
        notes.append('The device cannot count new connections a minute (%s): half-open connections of one source are limited to the burst instead; what one '
                     'source may open a minute has to be limited on the load balancers.' % ', '.join(dict.fromkeys(rule['name'] for rule in rules)))
    others = [rule['name'] for rule in limited if rule not in rules]
    if others:
        notes.append('The device cannot limit anything but TCP (%s): those are let through without a limit.' % ', '.join(dict.fromkeys(others)))
    blocks, policy_map = [], ('policy-map ha-mail-limit',)
    for burst in sorted({min(rule['limit']['burst'], MOST) for rule in rules}):
        name = 'ha-mail-limit_%d' % burst
        lines = _Entries(name)
        for rule in rules:
            if min(rule['limit']['burst'], MOST) == burst:
                lines.rule('%s: from %s to %s' % (rule['name'], rule['from'], rule['to']), _fits(dict(rule, log=False), zones, 'permit'))
        if lines.lines:
            blocks += [*((line,) for line in lines.lines), ('class-map %s' % name, ' match access-list %s' % name)]
            policy_map += (' class %s' % name, '  set connection per-client-embryonic-max %d' % burst)
    if len(policy_map) > 1:
        blocks += [policy_map, *(('service-policy ha-mail-limit interface %s' % interfaces[zone],) for zone in dict.fromkeys(rule['from'] for rule in rules))]
    return blocks, notes


def _translations(policy, zones, interfaces):
    """Twice NAT: it is for certain ports and sources only, and before whatever others translate."""
    blocks, slugs = [], {}
    for entry in policy['nat']:
        slug = re.sub(r'[^a-z0-9]+', '-', entry['name'].lower()).strip('-')[:20].strip('-')
        if slug in slugs:
            raise DialectError("translations '%s' and '%s': found names that are both '%s' on the device, expected different ones; rename one of them."
                               % (slugs[slug], entry['name'], slug))
        slugs[slug] = entry['name']
        if entry['protocol'] not in ('any', 'tcp', 'udp') or (entry['protocol'] == 'any' and entry['ports']):
            raise DialectError("translation '%s': found the protocol '%s'%s, expected tcp or udp, or any without ports; the device can translate nothing else."
                               % (entry['name'], entry['protocol'], ' with ports' if entry['ports'] else ''))
        base = 'ha-mail-nat-%s' % slug
        services = []
        for port in [] if entry['protocol'] == 'any' else entry['ports'] or ['1-65535']:
            services.append('%s_%s-%s' % (base, entry['protocol'], port))
            blocks.append(('object service %s' % services[-1], ' service %s destination %s' % (entry['protocol'], _port(port))))
        for version, key in ((4, 'address'), (6, 'address6')):
            sources = [source for source in entry['sources'] or _networks(zones[entry['from']], version) if (':' in source) == (version == 6)]
            if not entry[key] or not sources:
                continue
            if not entry['ports']:
                _passable(entry, version, sources, policy)
            blocks.append(('object-group network %s_from%d' % (base, version), *(' network-object %s' % _place(source, version) for source in sources)))
            blocks.append(('object network %s_to%d' % (base, version), ' host %s' % ipaddress.ip_address(entry[key])))
            head = 'nat (%s,%s) source dynamic %s_from%d %s_to%d' % (interfaces[entry['from']], interfaces[entry['to']], base, version, base, version)
            blocks += [(head + (' service %s %s' % (service, service) if service else ''),) for service in services or ['']]
    return blocks


def _passable(entry, version, sources, policy):
    """Connections to a host are dropped if what it sends back fits a dynamic translation (message 305013), so that a translation of all ports
    shuts the host for whoever comes from there.
    """
    for rule in policy['rules']:
        if rule['action'] == 'allow' and (rule['from'], rule['to']) == (entry['to'], entry['from']):
            for family in rule['families']:
                if family['version'] == version and (not family['destinations'] or any(
                        ipaddress.ip_network(one).overlaps(ipaddress.ip_network(other)) for one in sources for other in family['destinations'])):
                    raise DialectError("translation '%s': found no ports, but '%s' lets connections in to the same hosts, which this device then drops; name "
                                       'the ports that are translated, or sources that nobody connects to.' % (entry['name'], rule['name']))
