# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The N+1 proof on paper: take each host, rack and site away, and say what is lost. Pure functions.

Shape of a ``site`` (what the inventory says; see :func:`site_of`)::

    {hosts: {name: {groups: [str], site: str, rack: str}},      rack '' where the inventory names none
     vips: [{name, holders: [host]}], seats: [{name, holders: [host]}],
     store: {engine: 'glusterfs' or 'mounted', copies: [host]}, synchronous_standbys: int,
     nameservers: [str], ntp_servers: [str], uplinks: int, own_authority: bool,      uplinks of the firewall pair that lead to different providers
     allow_all: bool, accepted: [str]}

What each service needs follows docs and roles: two of three bricks for a write (cluster.quorum-type auto), a majority of etcd
for a leader, any one database for lookups, one loadbalancer and one mailserver for everything.
"""

from __future__ import annotations

import collections
import itertools

from ansible_collections.mail.ha.plugins.module_utils import redundancy_outside
from ansible_collections.mail.ha.plugins.module_utils.inventory_finding import enumerate_names

SMTP, IMAP, ACCOUNTS, MONITORING, BACKUPS = 'smtp', 'imap', 'accounts', 'monitoring', 'backups'
SERVICES = (SMTP, IMAP, ACCOUNTS, MONITORING, BACKUPS)
# Users notice the loss of these within minutes; the others are missed when something else goes wrong.
FELT = (SMTP, IMAP, ACCOUNTS)
UP, PARTLY, DOWN = 'up', 'partly', 'down'
# Margins are counted by trying all combinations, up to this many further hosts.
MARGIN_MAX = 2
# GlusterFS copies, whatever the number of mailservers (role mail_store).
COPIES = 3
_GROUPS = ('firewalls', 'loadbalancers', 'mailservers', 'databases', 'monitors', 'backups')


def site_of(groups, hostvars, facts):
    """Gather a ``site`` from an inventory.

    :param groups: ``{group: [host]}``
    :param hostvars: ``{host: variables}``, of which only ``mail_rack`` is read
    :param facts: the other keys of a ``site``; ``store`` may leave ``copies`` out
    :returns: the site, of the hosts that have a role in it
    """
    members = {name: list(groups.get(name, [])) for name in _GROUPS}
    sites = {host: name for name in sorted(groups) if name.startswith('site_') for host in groups[name]}
    hosts = {}
    for group in _GROUPS:
        for name in members[group]:
            host = hosts.setdefault(name, {'groups': [], 'site': sites.get(name, ''), 'rack': str(hostvars[name].get('mail_rack') or '')})
            host['groups'].append(group)
    store = dict(facts['store'])
    store.setdefault('copies', members['mailservers'][:COPIES] if store['engine'] == 'glusterfs' else [])
    return dict(facts, hosts=hosts, store=store)


def report(site):
    """Take everything away, one after the other.

    :returns: ``{losses, single_points, warnings, failures}``; ``losses`` as :func:`without` gives them, with the empty one first (nothing
        lost); ``single_points`` ``[{name, kind, service: bool, accepted: bool, loses, why, bearable, remedy}]``; ``warnings`` and
        ``failures`` are sentences, and a failure is a single point of a service which nobody accepted.
    :raises ValueError: an accepted name is none of this site's hosts, racks, sites or outside things
    """
    losses = [without(site, '', 'nothing', [])] + [without(site, *unit) for unit in units(site)]
    points = _inside(site, losses) + redundancy_outside.points(site)
    known = [loss['name'] for loss in losses[1:]] + list(redundancy_outside.NAMES)
    unknown = sorted(set(site['accepted']) - set(known))
    if unknown:
        raise ValueError(f"mail_accepted_single_points: {enumerate_names(unknown)} is nothing that can fail here, "
                         f"expected names out of {enumerate_names(known, 40)}; correct or remove it")
    for point in points:
        point['accepted'] = bool(site['allow_all'] or point['name'] in site['accepted'])
    failures = [f'{service}: it cannot work even with all hosts of the inventory; run check-inventory.yml, which says what is missing'
                for service in FELT if losses[0]['services'][service]['state'] != UP]
    failures += [_sentence(point) + f"; or accept it: mail_accepted_single_points: [{point['name']}]"
                 for point in points if point['service'] and not point['accepted']]
    warnings = [_sentence(point) + (' (accepted)' if point['accepted'] else '')
                for point in points if point['accepted'] or not point['service']]
    warnings += [f'{service}: no host of the inventory does it' for service in (MONITORING, BACKUPS)
                 if losses[0]['services'][service]['state'] != UP]
    warnings += _racks(site)
    warnings += [f'mail_accepted_single_points: {name} is no single point of failure any more; remove it from the list'
                 for name in site['accepted'] if name not in [point['name'] for point in points]]
    return {'losses': losses, 'single_points': points, 'warnings': warnings, 'failures': failures}


def units(site):
    """What can fail as a whole: ``[(kind, name, [host])]``, hosts first, then racks, then sites."""
    found = [('host', name, [name]) for name in site['hosts']]
    for kind in ('rack', 'site'):
        together = collections.defaultdict(list)
        for name, host in site['hosts'].items():
            if host[kind]:
                together[host[kind]].append(name)
        found += [(kind, name, together[name]) for name in sorted(together)]
    return found


def without(site, kind, name, lost):
    """What is left of a site without some hosts.

    :param lost: the hosts that are gone
    :returns: ``{kind, name, hosts, services: {service: {state, margin}}, vips: {name: {from, to}}, seats: {name: {from, to}},
        load: {mailserver: seats}, load_factor: float or None, etcd: {alive, members, quorum}, postgresql: {alive, leader: bool,
        synchronous: bool}, store: {alive, copies, writable: bool}}``. ``to`` is None where nobody is left to hold it; ``margin`` is the number
        of further hosts, whichever they are, that the service survives, at most MARGIN_MAX.
    """
    gone = set(lost)
    relevant = [host for host in site['hosts'] if host not in gone]
    services = {}
    for service, state in _states(site, gone).items():
        margin = 0
        while state == UP and margin < MARGIN_MAX and all(
                _states(site, gone | set(more))[service] == UP for more in itertools.combinations(relevant, margin + 1)):
            margin += 1
        services[service] = {'state': state, 'margin': margin}
    before, after = _load(site, set()), _load(site, gone)
    databases = _members(site, 'databases')
    alive = [host for host in databases if host not in gone]
    leader = _quorate(site, gone)
    return {
        'kind': kind, 'name': name, 'hosts': list(lost), 'services': services,
        'vips': _moved(site['vips'], gone), 'seats': _moved(site['seats'], gone),
        'load': after, 'load_factor': round(max(after.values()) / max(before.values()), 2) if any(after.values()) and any(before.values()) else None,
        'etcd': {'alive': len(alive), 'members': len(databases), 'quorum': len(databases) // 2 + 1},
        'postgresql': {'alive': len(alive), 'leader': leader, 'synchronous': leader and len(alive) > site['synchronous_standbys']},
        'store': {'alive': len([copy for copy in site['store']['copies'] if copy not in gone]), 'copies': len(site['store']['copies']),
                  'writable': _writable(site, gone)},
    }


def _members(site, group):
    return [name for name, host in site['hosts'].items() if group in host['groups']]


def _alive(site, group, gone):
    return any(name not in gone for name in _members(site, group))


def _quorate(site, gone):
    databases = _members(site, 'databases')
    return 2 * len([name for name in databases if name not in gone]) > len(databases)


def _writable(site, gone):
    """Two of three copies; with an even number, half is enough when the first is among them (GlusterFS, cluster.quorum-type auto)."""
    copies = site['store']['copies']
    if not copies:
        return True  # the site's own file system: judged as a thing outside
    alive = [copy for copy in copies if copy not in gone]
    return 2 * len(alive) > len(copies) or 2 * len(alive) == len(copies) and copies[0] in alive


def _holder(entry, gone):
    return next((host for host in entry['holders'] if host not in gone), None)


def _moved(entries, gone):
    """``{name: {from, to}}`` of the addresses whose preferred holder is gone."""
    return {entry['name']: {'from': entry['holders'][0], 'to': _holder(entry, gone)}
            for entry in entries if entry['holders'] and entry['holders'][0] in gone}


def _load(site, gone):
    """``{mailserver: seats}`` of those that are left."""
    load = {name: 0 for name in _members(site, 'mailservers') if name not in gone}
    for seat in site['seats']:
        holder = _holder(seat, gone)
        if holder in load:
            load[holder] += 1
    return load


def _states(site, gone):
    """``{service: state}`` without the hosts that are gone."""
    firewall = not _members(site, 'firewalls') or _alive(site, 'firewalls', gone)
    addresses = [_holder(vip, gone) for vip in site['vips']]
    mail = firewall and any(addresses) and _alive(site, 'mailservers', gone) and _alive(site, 'databases', gone) and _writable(site, gone)
    seats = [_holder(seat, gone) for seat in site['seats']]
    imap = DOWN if not mail or not any(seats) else UP if all(seats) else PARTLY
    return {
        SMTP: UP if mail else DOWN,
        IMAP: imap,
        ACCOUNTS: UP if _quorate(site, gone) else DOWN,
        MONITORING: UP if _alive(site, 'monitors', gone) else DOWN,
        BACKUPS: UP if _alive(site, 'backups', gone) else DOWN,
    }


# ---- words ---------------------------------------------------------------------------------------------------------------

_BEARABLE = {
    SMTP: 'minutes: other mail servers queue and try again, people cannot send at once',
    IMAP: 'minutes: the users concerned cannot read mail',
    ACCOUNTS: 'hours: mail flows, but no account can be changed',
    MONITORING: 'hours: nobody is told of the next failure, which then is one too many',
    BACKUPS: 'a day: until the next backup would have been made',
}
_REMEDIES = {
    'host': 'add another host that can do the same to its groups',
    'rack': 'move hosts into other racks until each quorum and each pair survives',
    'site': 'a second site with an inventory of its own, for disaster recovery',
}


def _inside(site, losses):
    """Single points among hosts, racks and sites. What a rack or site loses only because one of its hosts does is not told again."""
    healthy = losses[0]['services']
    points = []
    seen = {}
    for loss in losses[1:]:
        loses = [service for service in SERVICES if healthy[service]['state'] == UP and loss['services'][service]['state'] != UP]
        inherited = set().union(*(seen[host] for host in loss['hosts'] if host in seen)) if loss['kind'] != 'host' else set()
        if loss['kind'] == 'host':
            seen[loss['name']] = set(loses)
        loses = [service for service in loses if service not in inherited]
        if loses:
            points.append({'name': loss['name'], 'kind': loss['kind'], 'service': any(service in FELT for service in loses), 'loses': loses,
                           'why': _why(site, loss, loses), 'bearable': _BEARABLE[loses[0]], 'remedy': _REMEDIES[loss['kind']]})
    return points


def _why(site, loss, loses):
    """The reasons why services end with a loss, as half sentences."""
    gone = set(loss['hosts'])
    reasons = []
    for group in ('firewalls', 'loadbalancers', 'mailservers'):
        members = _members(site, group)
        if members and gone.issuperset(members) and set(loses) & {SMTP, IMAP}:
            reasons.append(f"{'all' if len(members) > 1 else 'the only one'} of {group} ({enumerate_names(members)})")
    if ACCOUNTS in loses:
        members = _members(site, 'databases')
        reasons.append(f"{len(gone & set(members))} of {len(members)} etcd members ({enumerate_names([name for name in members if name in gone])}), "
                       f"{loss['etcd']['quorum']} are needed")
    if not loss['store']['writable'] and set(loses) & {SMTP, IMAP}:
        reasons.append(f"{loss['store']['copies'] - loss['store']['alive']} of {loss['store']['copies']} copies of the store")
    orphans = [name for name, move in loss['seats'].items() if move['to'] is None]
    if loss['services'][IMAP]['state'] == PARTLY and IMAP in loses:
        reasons.append(f"all holders of {enumerate_names(orphans)}")
    for service, group in ((MONITORING, 'monitors'), (BACKUPS, 'backups')):
        if service in loses and not reasons:
            reasons.append(f"{'all' if len(_members(site, group)) > 1 else 'the only one'} of {group}")
    return f"it holds {'; '.join(reasons)}"


def _racks(site):
    """What the proof does not know about racks."""
    unnamed = [name for name, host in site['hosts'].items() if not host['rack']]
    if not unnamed:
        return []
    which = 'no host has' if len(unnamed) == len(site['hosts']) else f'{enumerate_names(unnamed)} have no'
    return [f'mail_rack: {which} a rack in the inventory, so hosts that share power or a switch are not seen; set mail_rack beside each host']


def _sentence(point):
    loses = f"{enumerate_names(point['loses'])} lost with it" if point['loses'] else 'needed'
    return f"{point['name']} ({point['kind']}): {loses}, for {point['why']}; bearable for {point['bearable']}; {point['remedy']}"
