# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Verdicts about firewalls, from the facts that their dialects read (shapes: firewall_dialect.py). Pure functions, no I/O."""

from __future__ import annotations

# Roles of a member through which the traffic goes.
PASSES = ('active', 'alone')


def sides(zones, own, peer):
    """Zones on which a Linux member has an address, as the role firewall_pair wants them.

    :param zones: of the site: ``{name, interface, vrid, virtual: [address/prefix], neighbours: [address]}`` and more
    :param own: ``{zone: address}`` of this member, ``sync`` among them; likewise peer
    :returns: ``[{name, device, address, peer, vrid, virtual, neighbours}]``; name is fit for a variable of a shell
    :raises ValueError: something that the pair needs is missing; the text is one sentence for each
    """
    told = []
    zones = [zone for zone in zones if zone.get('virtual')]
    for zone in zones:
        missing = [key for key in ('interface', 'vrid') if not zone.get(key)]
        missing += [] if zone['name'] in own and zone['name'] in peer else ['mail_firewall_addresses.%s of both' % zone['name']]
        if missing:
            told.append("zone '%s': found virtual addresses and no %s, expected these too." % (zone['name'], ', '.join(missing)))
    if told:
        raise ValueError(' '.join(told))
    return [{'name': ''.join(letter if letter.isalnum() else '_' for letter in zone['name']), 'device': zone['interface'], 'address': own[zone['name']],
             'peer': peer[zone['name']], 'vrid': zone['vrid'], 'virtual': zone['virtual'], 'neighbours': zone.get('neighbours') or []}
            for zone in zones]


def local_rules(admin_networks, pair_sides, sync_peer):
    """What may reach a Linux member itself: the administrators by SSH, and its peer.

    :returns: local rules of firewall_nftables.py
    """
    def rule(name, protocol, ports, sources):
        return {'name': name, 'protocol': protocol, 'ports': ports, 'sources4': [source for source in sources if ':' not in source],
                'sources6': [source for source in sources if ':' in source]}
    return [rule('ssh from the administrators', 'tcp', [22], admin_networks),
            rule('vrrp of the pair', 'vrrp', [], [side['peer'] for side in pair_sides]),
            rule('states and health of the pair', 'udp', [3780, 3781], [sync_peer])]


def member_problems(facts, declared):
    """What is not as declared at one member.

    :param declared: ``{platform, version, role}``; version is how the version has to begin, role one of the roles; either may be empty
    :returns: sentences
    """
    told = []
    if facts['platform'] != declared['platform']:
        told.append("found the platform %s, expected %s; correct mail_firewall_platform, or the address." % (facts['platform'], declared['platform']))
    if declared.get('version') and not facts['version'].startswith(declared['version']):
        told.append('found the version %s, expected %s...; correct mail_firewall_version, after a test of that version.'
                    % (facts['version'], declared['version']))
    if declared.get('role') and facts['role'] != declared['role']:
        told.append('found it %s, expected %s; see which member of the pair is meant.' % (facts['role'], declared['role']))
    return told


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
