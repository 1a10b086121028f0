# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""One verdict over a whole cluster, from what the modules said on all of its nodes. Pure functions.

Shapes::

    reports   {host: {check: result of its module}}     a check is a key of ANSWERS; a host that gave none is missing
    expected  {nodes: {host: {groups: [str], address}}, addresses: [{name, address, holders: [host]}, perhaps with address6]}
    verdict   {healthy: bool, strength: 'full' | 'degraded' | 'down', answered: [host], can_lose: [host], why_not: {host: [sentence]},
               problems: [sentence], holders: {name: host or None}, active_firewall: host or None}

Nothing counts but positive evidence: a host without a report, and a check without the value that its module returns when it could
ask, are problems. A module says what is wrong from where it runs; what only shows when nodes are put side by side is judged here.
"""

from __future__ import annotations

from ansible_collections.mail.ha.plugins.module_utils import cluster_spare, dovecot, firewall_pair, haproxy, vrrp

# For each check the value that its module returns only when it could ask.
ANSWERS = {
    'node': 'results',
    'maintenance': 'old',
    'vrrp': 'instances',
    'haproxy': 'servers',
    'mail_store': 'writable',
    'postfix_queue': 'queues',
    'dovecot': 'sessions',
    'patroni': 'members',
    'etcd': 'members',
    'certificates': 'certificates',
    'firewall': 'facts',
}
# A firewall is asked nothing else, for on many of them nothing else runs, and over another connection, in a play of its own
# (check-health.yml). All others are asked by node_report_info.
FIREWALLS = 'firewalls'
OF_EVERY_NODE = ('node',)
OF_GROUPS = {
    'loadbalancers': ('maintenance', 'vrrp', 'haproxy', 'certificates'),
    'mailservers': ('maintenance', 'vrrp', 'mail_store', 'postfix_queue', 'dovecot'),
    'databases': ('maintenance', 'patroni', 'etcd', 'certificates'),
}


def checks(groups):
    """Names of the checks that a node in ``groups`` (list of str) must answer, in the order of ANSWERS."""
    if FIREWALLS in groups:
        return ['firewall']
    due = set(OF_EVERY_NODE).union(*(OF_GROUPS.get(group, ()) for group in groups))
    return [check for check in ANSWERS if check in due]


def useful(reports):
    """``reports`` without what gave no answer: failed, skipped, or without the value of ANSWERS."""
    return {
        host: {check: found for check, found in report.items()
               if check in ANSWERS and isinstance(found, dict) and not found.get('failed') and ANSWERS[check] in found}
        for host, report in reports.items() if report
    }


def by_check(reports, check):
    """{host: result} of one check, of those that answered."""
    return {host: report[check] for host, report in reports.items() if check in report}


def silent(reports, answers, expected):
    """Who gave no answer -> {host: [sentence]}.

    :param reports: as they came, for the reasons.
    :param answers: ``useful(reports)``.
    """
    told = {}
    for host, node in expected['nodes'].items():
        if host not in answers:
            told[host] = ['%s gave no report: it could not be reached, or was lost while it was asked. Look whether it is up, and whether '
                          'ssh gets there.' % host]
            continue
        for check in checks(node['groups']):
            if check not in answers[host]:
                found = reports[host].get(check) or {}
                reason = ' '.join(found.get('problems') or []) or found.get('msg') or 'it was not asked'
                told.setdefault(host, []).append('%s on %s gave no answer: %s' % (check, host, reason))
    return told


def _side_by_side(answers, expected):
    """What no node can see alone, and the holders of the addresses -> ([sentence], holders)."""
    addresses = vrrp.verdict(by_check(answers, 'vrrp'), expected['addresses'])
    told = list(addresses['problems'])
    moved = {}
    for entry in expected['addresses']:
        holder = addresses['holders'][entry['name']]
        if holder and holder != entry['holders'][0]:
            moved.setdefault((holder, entry['holders'][0]), []).append(entry['name'])
    told += ['%s: held by %s, expected %s, which is preferred. Addresses go back by themselves when that one is well; look at '
             '"journalctl -u keepalived" there.' % (', '.join(names), holder, preferred) for (holder, preferred), names in moved.items()]
    states = {host: found['old']['state'] for host, found in sorted(by_check(answers, 'maintenance').items())}
    told += ['%s is in maintenance: its state is %s, expected ready. End it with "/usr/local/lib/ha-mail/maintenance exit" there.' % (host, state)
             for host, state in states.items() if state != 'ready']
    # Of a node in maintenance that is told already. What somebody has set besides is told when it ends.
    told += ['%s: %s' % (balancer, sentence) for balancer, found in sorted(by_check(answers, 'haproxy').items())
             for name, sentences in haproxy.held_back(found['servers']).items() if states.get(name) == 'ready' for sentence in sentences]
    told += cluster_spare.leader_doubts(answers, expected)
    told += _firewalls(by_check(answers, 'firewall'), expected)
    return told + dovecot.verdict(by_check(answers, 'dovecot')), addresses['holders']


def _firewalls(members, expected):
    """Sentences about the pair; nothing about members that gave no answer, of whom others speak."""
    told = ['%s: %s' % (host, sentence) for host, found in members.items() for sentence in found['problems']]
    if members and len(members) == len([host for host, node in expected['nodes'].items() if FIREWALLS in node['groups']]):
        told += firewall_pair.pair_problems(members)
    told += firewall_pair.provider_problems(members)
    return list(dict.fromkeys(told))


def active_firewall(answers):
    """The one member of the firewall pair that is active, or None."""
    found = [host for host, member in by_check(answers, 'firewall').items() if member['facts']['role'] in firewall_pair.PASSES]
    return found[0] if len(found) == 1 else None


def _said(answers):
    """What the modules say of single nodes; what several nodes say in the same words is told once."""
    told = {}
    for check in ANSWERS:
        if check not in ('vrrp', 'firewall'):  # these are told with the host already
            for host, found in answers.items():
                for sentence in found.get(check, {}).get('problems', []):
                    told.setdefault((check, sentence), []).append(host)
    return ['%s on %s: %s' % (check, ', '.join(hosts), sentence) for (check, sentence), hosts in told.items()]


def down(answers, expected):
    """What clients or users have to do without now, one sentence each; the empty list means that mail goes on.

    :param answers: reports with useful answers only.
    """
    wrong = {}
    for entry in expected['addresses']:
        count = vrrp.holders_seen(by_check(answers, 'vrrp'), entry)
        if count != 1:
            wrong.setdefault('%d holders' % count if count else 'no holder that is known', []).append(entry['name'])
    told = ['%s: %s, expected one: whoever uses it is not served, or not safely.' % (', '.join(names), found) for found, names in wrong.items()]
    groups = {group for node in expected['nodes'].values() for group in node['groups']}
    if FIREWALLS in groups and not active_firewall(answers):
        told.append('firewalls: not exactly one is known to be active, and what comes from outside passes there or nowhere.')
    if 'loadbalancers' in groups:
        told += _bare_services(by_check(answers, 'haproxy').values())
    if 'mailservers' in groups and not any(found['writable'] for found in by_check(answers, 'mail_store').values()):
        told.append('no mailserver can write to the mail store: mail waits in the queues, and mailboxes cannot be opened.')
    if 'databases' in groups and not any(found['this']['state'] == 'running' for found in by_check(answers, 'patroni').values()):
        told.append('no database is known to run: recipients and logins cannot be looked up.')
    return told


def _bare_services(balancers):
    """Sentences about services that no loadbalancer has a server for."""
    services = {service for found in balancers for service in found['services']}
    usable = {server['backend'] for found in balancers for server in found['servers'] if server['usable']}
    return ['service %s: no loadbalancer has a server for it.' % service for service in sorted(services - usable)] or (
        [] if services else ['no loadbalancer says which services it has.'])


def verdict(reports, expected):
    """Judge the cluster. See the top of this file for the shapes."""
    answers = useful(reports)
    answers = {host: answers[host] for host in expected['nodes'] if host in answers}
    missing = silent(reports, answers, expected)
    gone = down(answers, expected)
    shared, holders = _side_by_side(answers, expected)
    problems = gone + [sentence for told in missing.values() for sentence in told] + shared + _said(answers)
    why_not = cluster_spare.reasons(answers, expected, missing)
    return {
        'healthy': not problems,
        'strength': 'down' if gone else 'degraded' if problems else 'full',
        'answered': list(answers),
        'can_lose': [host for host in expected['nodes'] if not why_not[host]],
        'why_not': {host: told for host, told in why_not.items() if told},
        'problems': problems,
        'holders': holders,
        'active_firewall': active_firewall(answers),
    }
