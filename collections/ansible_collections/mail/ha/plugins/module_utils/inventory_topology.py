# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rules for the layout of a site: groups, sites, what has to be there twice, quorums, who holds a seat."""

from __future__ import annotations

from ansible_collections.mail.ha.plugins.module_utils.inventory_finding import ERROR, WARNING, enumerate_names, finding, nearest, show

NEEDED_GROUPS = ('loadbalancers', 'mailservers', 'databases')
WANTED_GROUPS = ('monitors', 'backups')
SERVICE_GROUPS = ('firewalls',) + NEEDED_GROUPS + WANTED_GROUPS
_SITE = 'site_'

# Groups that cannot share a host, and why.
_CONTRADICTIONS = (
    ('loadbalancers', 'mailservers', 'both listen on the mail ports and both run VRRP'),
    ('firewalls', 'loadbalancers', 'a firewall does nothing else'),
    ('firewalls', 'mailservers', 'a firewall does nothing else'),
    ('firewalls', 'databases', 'a firewall does nothing else'),
    ('firewalls', 'monitors', 'a firewall does nothing else'),
    ('firewalls', 'backups', 'a firewall does nothing else'),
) + tuple(('lab_infrastructure', group, 'the lab infrastructure stands for what is outside of the site') for group in SERVICE_GROUPS)


def check_groups(groups):
    """Find groups that are missing or empty.

    :param groups: ``{group: [host, ...]}``
    """
    result = []
    if not any(groups.values()):
        return [finding('inventory', 'it holds no hosts at all', f'the groups {enumerate_names(NEEDED_GROUPS)}',
                        'name an inventory with -i, for instance a copy of inventories/example')]
    for name in NEEDED_GROUPS + WANTED_GROUPS:
        if groups.get(name):
            continue
        close = nearest(name, [other for other in groups if other not in SERVICE_GROUPS + ('all', 'ungrouped')], 0.75)
        without = {'monitors': 'nothing watches this site', 'backups': 'nothing of this site is backed up'}.get(name, '')
        result.append(finding(
            f'group {name}', ('it is empty' if name in groups else 'it does not exist') + (f' and so {without}' if without else ''),
            'at least one host' if without else 'at least two hosts',
            f"rename the group '{close}' to it" if close else 'add it to the hosts file with its hosts',
            severity=WARNING if without else ERROR))
    return result


def check_membership(hosts, groups):
    """Find hosts in contradictory groups, in no site or in two, and hosts that have no role at all.

    :param hosts: ``{host: {groups: [...]}}``
    """
    result = []
    for first, second, reason in _CONTRADICTIONS:
        for name in sorted(set(groups.get(first, [])) & set(groups.get(second, []))):
            result.append(finding('groups', f"it is in both '{first}' and '{second}'", f'one of the two, for {reason}',
                                  'take it out of one of them', host=name))
    for name, host in sorted(hosts.items()):
        if 'lab_infrastructure' in host['groups']:
            continue
        sites = sorted(group for group in host['groups'] if group.startswith(_SITE))
        if not sites:
            known = sorted(group for group in groups if group.startswith(_SITE))
            result.append(finding('groups', 'it is in no site', 'exactly one group whose name starts with site_',
                                  f'add it to {known[0]}' if known else 'add a group site_a that holds all hosts', host=name))
        elif len(sites) > 1:
            result.append(finding('groups', f'it is in {enumerate_names(sites)}', 'exactly one site', 'take it out of the others', host=name))
        if not set(host['groups']) & set(SERVICE_GROUPS):
            result.append(finding('groups', f"it is in {enumerate_names(sorted(host['groups'])) or 'no group'}",
                                  f'one of {enumerate_names(SERVICE_GROUPS)} as well, for a host without a role gets the base only',
                                  'add it to the group of its role, or remove it', host=name, severity=WARNING))
    return result


def check_redundancy(groups, values, single_points):
    """Find what is there once and has to be there twice, and quorums that cannot work.

    :param single_points: True when the site allows single points of failure: what would be an error is a warning then
    """
    result = []
    severity = WARNING if single_points else ERROR
    way_out = 'or set mail_allow_single_points: true to accept the outage'
    for name in ('loadbalancers', 'mailservers', 'firewalls'):
        members = groups.get(name, [])
        if len(members) == 1:
            result.append(finding(f'group {name}', f'{members[0]} is alone in it', 'at least two hosts, so that one can fail',
                                  f'add a second one, {way_out}', severity=severity))
    databases = groups.get('databases', [])
    if len(databases) == 1:
        result.append(finding('group databases', f'{databases[0]} is alone in it', 'three hosts, so that a majority is left when one fails',
                              f'add two more, {way_out}', severity=severity))
    elif databases and len(databases) % 2 == 0:
        result.append(finding(
            'group databases', f'{len(databases)} members of etcd ({enumerate_names(databases)})', 'an odd number, as in 3 or 5',
            f'add one or take one out: {len(databases)} members survive no more failures than {len(databases) - 1}'))
    vips = values.get('mail_service_vips')
    if vips is not None and len(vips) == 1:
        result.append(finding('mail_service_vips', f"{vips[0]['name']} is the only one", 'two, one for each load balancer to be the master of',
                              f'add a second one, {way_out}', severity=severity))
    elif vips is not None and not vips:
        result.append(finding('mail_service_vips', 'the list is empty', 'two addresses that clients connect to', 'add them'))
    if len(values.get('mail_nameservers', [])) == 1:
        result.append(finding('mail_nameservers', f"{values['mail_nameservers'][0]} is the only one",
                              'two, for mail waits for the answers of a dead one', 'add a second one', severity=WARNING))
    return result


def check_seats(groups, values, single_points):
    """Check that every seat has somebody to hold it and every mailserver something to hold.

    ``holders`` of a seat, where given, names its mailservers in order of preference.
    """
    result = []
    severity = WARNING if single_points else ERROR
    seats = values.get('mail_seats')
    mailservers = groups.get('mailservers', [])
    if seats is not None and not seats:
        result.append(finding('mail_seats', 'the list is empty', 'a few seats for each mailserver (four, say)',
                              'add seats, for users are spread over mailservers by them'))
    if seats and not mailservers:
        result.append(finding('mail_seats', f"{enumerate_names([seat['name'] for seat in seats])} have no holder",
                              'mailservers that can hold them', 'add hosts to the group mailservers'))
    if seats and len(seats) < len(mailservers):
        result.append(finding('mail_seats', f'{len(seats)} seats for {len(mailservers)} mailservers', 'at least one for each mailserver, better four',
                              'add seats, or some mailservers serve no users', severity=WARNING))
    for seat in seats or []:
        place = f"mail_seats ({seat['name']})"
        if 'holders' not in seat or not mailservers:
            continue
        if not seat['holders']:
            result.append(finding(place, 'it has no holder', 'at least two mailservers', "name them, or leave 'holders' out"))
        if len(seat['holders']) == 1:
            result.append(finding(place, f"{seat['holders'][0]} is its only holder", 'at least two, so that one can fail',
                                  'name a second mailserver', severity=severity))
        for holder in seat['holders']:
            if holder not in mailservers:
                close = nearest(holder, mailservers)
                result.append(finding(place, f'its holder {show(holder)} is no mailserver', f'hosts out of {enumerate_names(mailservers)}',
                                      f'write {close}' if close else 'name one of them'))
    return result
