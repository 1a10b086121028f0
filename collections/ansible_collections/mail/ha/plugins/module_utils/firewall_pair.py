# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Verdicts about firewalls, from the facts that their dialects read (shapes: firewall_dialect.py). Pure functions, no I/O."""

from __future__ import annotations

import ipaddress

from ansible_collections.mail.ha.plugins.module_utils import firewall_nftables

# Roles of a member through which the traffic goes.
PASSES = ('active', 'alone')
# Routing table of the first uplink, less one. Free on Debian, where only 253 to 255 have a meaning.
TABLES = 100


def sides(zones, own, peer):
    """Zones and uplinks on which a Linux member has an address, as the role firewall_pair wants them.

    :param zones: of the site: ``{name, interface, vrid, virtual: [address/prefix], neighbours: [address]}`` and more; the Internet may have
        ``uplinks: [{name, interface, vrid, virtual, gateways: [address]}]`` instead
    :param own: ``{zone or uplink: address}`` of this member, ``sync`` among them; likewise peer
    :returns: ``[{name, device, address, peer, vrid, virtual, neighbours}]``; name is fit for a variable of a shell
    :raises ValueError: something that the pair needs is missing; the text is one sentence for each
    """
    told = []
    held = [('uplink', dict(uplink, neighbours=uplink.get('gateways'))) for zone in zones for uplink in zone.get('uplinks') or []]
    held += [('zone', zone) for zone in zones if zone.get('virtual')]
    for kind, zone in held:
        missing = [key for key in ('interface', 'vrid', 'virtual') if not zone.get(key)]
        missing += [] if zone['name'] in own and zone['name'] in peer else ['mail_firewall_addresses.%s of both' % zone['name']]
        if missing:
            told.append("%s '%s': found %s and no %s, expected these too." % (
                kind, zone['name'], 'virtual addresses' if zone.get('virtual') else 'it', ', '.join(missing)))
    if told:
        raise ValueError(' '.join(told))
    return [{'name': _word(zone['name']), 'device': zone['interface'], 'address': own[zone['name']], 'peer': peer[zone['name']], 'vrid': zone['vrid'],
             'virtual': zone['virtual'], 'neighbours': zone.get('neighbours') or []} for _kind, zone in held]


def uplinks(zones):
    """Ways to the Internet of a Linux pair, the preferred one first, as the role firewall_pair wants them.

    :param zones: see ``sides``; each uplink has ``gateways`` and ``probes`` too, lists of addresses
    :returns: ``[{name, device, mark, table, gateway4, gateway6, probes4, probes6}]``, gateways '' where the provider has none of that family;
        nothing where the Internet has a single interface
    """
    found = next((zone['uplinks'] for zone in zones if zone.get('uplinks')), [])
    numbers = firewall_nftables.marks([uplink['interface'] for uplink in found])
    return [{'name': _word(uplink['name']), 'device': uplink['interface'], 'mark': numbers[uplink['interface']],
             'table': TABLES + numbers[uplink['interface']],
             **{'gateway%d' % version: next(iter(_of(uplink['gateways'], version)), '') for version in (4, 6)},
             **{'probes%d' % version: _of(uplink['probes'], version) for version in (4, 6)}} for uplink in found]


def _word(name):
    """A name that is fit for a variable of a shell."""
    return ''.join(letter if letter.isalnum() else '_' for letter in name)


def _of(addresses, version):
    return [address for address in addresses if ipaddress.ip_address(address).version == version]


def local_rules(admin_networks, pair_sides, sync):
    """What may reach a Linux member itself: the administrators by SSH, and its peer on the side where it is.

    :param sync: ``{device, peer}`` of the link between the two
    :returns: local rules of firewall_nftables.py
    :raises ValueError: nobody could log in
    """
    if not admin_networks:
        raise ValueError('mail_admin_networks: the list is empty, expected the networks from which ssh is allowed; without them nobody could log in to a '
                         'firewall any more.')

    def rule(name, protocol, ports, sources, device=''):
        return {'name': name, 'protocol': protocol, 'ports': ports, 'sources4': [source for source in sources if ':' not in source],
                'sources6': [source for source in sources if ':' in source], 'device': device}
    return [rule('ssh from the administrators', 'tcp', [22], admin_networks),
            *(rule('vrrp of the pair', 'vrrp', [], [side['peer']], side['device']) for side in pair_sides),
            rule('states and health of the pair', 'udp', [3780, 3781], [sync['peer']], sync['device'])]


def member_problems(facts, declared):
    """What is not as declared at one member.

    :param declared: ``{platform, version, role}``; version is how the version has to begin, role one of the roles; either may be empty
    :returns: sentences
    """
    told = []
    if facts['platform'] != declared['platform']:
        told.append("found the platform %s, expected %s; correct mail_firewall_platform, or the address." % (facts['platform'], declared['platform']))
    if declared.get('version') and not _begins(facts['version'], declared['version']):
        told.append('found the version %s, expected %s...; correct mail_firewall_version, after a test of that version.'
                    % (facts['version'], declared['version']))
    if declared.get('role') and facts['role'] != declared['role']:
        told.append('found it %s, expected %s; see which member of the pair is meant.' % (facts['role'], declared['role']))
    return told


def _begins(version, declared):
    """Whether a version begins so, with whole numbers: 9.18(4) begins with 9.18 and with 9, but not with 9.1."""
    return version.startswith(declared) and not (declared[-1:].isdigit() and version[len(declared):][:1].isdigit())


def spare_problems(facts):
    """Why this member's peer could not take over, or it from its peer; sentences."""
    told = []
    if facts['role'] == 'alone':
        told.append('it has no peer; make it a pair first.')
    elif (facts['role'], facts['peer']) not in (('active', 'standby'), ('standby', 'active')):
        told.append('found it %s and its peer %s, expected one active and one standby; mend the pair first.' % (facts['role'], facts['peer']))
    if not facts['in_sync']:
        told.append('found the pair out of sync (%s), expected it in sync; sessions would be lost. Wait, or mend it first.' % facts['sync'])
    return told


def pair_problems(members):
    """What keeps two members from being a whole pair.

    :param members: ``{name: {facts, running: lines, saved: lines, common: lines}}`` of both; common are those that have to be the same. One without
        facts has not answered.
    :returns: sentences, each beginning with a name
    """
    told, members = [], {name: member for name, member in members.items() if 'facts' in member}
    if len(members) != 2:
        return ['the pair: found answers of %s, expected those of two members.' % (' and '.join(sorted(members)) or 'none')]
    active = [name for name, member in members.items() if member['facts']['role'] == 'active']
    if len(active) != 1:
        told.append('the pair: found %s active, expected exactly one.' % (' and '.join(sorted(active)) or 'neither'))
    for name, member in sorted(members.items()):
        told += ['%s: %s' % (name, problem) for problem in spare_problems(member['facts'])]
        if member['facts']['armed'] is not None:
            told.append('%s: a change is waiting for its confirmation and is taken back in %d s; expected none.' % (name, member['facts']['armed']))
        if member['running'] != member['saved']:
            told.append('%s: what is in force is not what was saved; a reboot would change the policy.' % name)
        told += ['%s: the uplink %s is down.' % (name, uplink['name']) for uplink in member['facts']['uplinks'] if not uplink['up']]
    first, second = (member['common'] for _name, member in sorted(members.items()))
    if first != second:
        told.append('the pair: the members have different policies in force; a failover would change what passes.')
    return told


def provider_problems(members):
    """Providers of whom a member hears nothing, one sentence each. They are none of ``pair_problems``: the pair is whole, and its policy can be
    changed while a provider is down.

    :param members: see ``pair_problems``; those without facts are left out
    """
    silent = {}
    for name, member in sorted(members.items()):
        for provider in member['facts']['providers'] if 'facts' in member else []:
            if not provider['alive']:
                silent.setdefault((provider['name'], provider['version']), []).append(name)
    return ['the uplink %s: nothing behind it answers %s over IPv%d, expected its provider to carry traffic; ask the provider, or correct the probes.'
            % (uplink, ' and '.join(names), version) for (uplink, version), names in silent.items()]
