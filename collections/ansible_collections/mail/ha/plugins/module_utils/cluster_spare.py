# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which nodes a cluster could do without at this moment: for each of them, what stands in the way. Pure functions.

Shapes are those of cluster_health.py; ``answers`` are reports with useful answers only. That a node is broken is no reason to keep it:
what counts is whether the others, as they are now, carry on without it and lose nothing.
"""

from __future__ import annotations

from ansible_collections.mail.ha.plugins.module_utils import firewall_pair, patroni, vrrp


def _of(answers, check, but):
    """{host: result} of a check on all hosts except ``but``."""
    return {host: report[check] for host, report in answers.items() if check in report and host != but}


def _ready(answers, host):
    return answers.get(host, {}).get('maintenance', {}).get('old', {}).get('state') == 'ready'


def _may_hold(answers, host, name):
    """Whether a host can hold an address now: keepalived is well there, and the node is not in maintenance."""
    instances = answers.get(host, {}).get('vrrp', {}).get('instances', [])
    return _ready(answers, host) and any(entry['name'] == name and entry['good'] for entry in instances)


def _addresses(answers, expected, host):
    alone = [entry['name'] for entry in expected['addresses'] if host in entry['holders']
             and not any(_may_hold(answers, other, entry['name']) for other in entry['holders'] if other != host)]
    return ['nobody else can hold %s now.' % ', '.join(alone)] if alone else []


def _servers(answers, host):
    """Services that would have no server on some other loadbalancer."""
    told, balancers = [], _of(answers, 'haproxy', host)
    for balancer, found in balancers.items():
        left = {server['backend'] for server in found['servers'] if server['usable'] and server['name'] != host}
        bare = [service for service in found['services'] if service not in left]
        if bare:
            told.append('%s has no other server for %s.' % (balancer, ', '.join(bare)))
    return told if balancers else ['no other loadbalancer works, as far as is known.']


def _store(answers, expected, host):
    stores = _of(answers, 'mail_store', host)
    if not any(found['writable'] for found in stores.values()):
        return ['no other mailserver can write to the mail store.']
    told, own = {}, expected['nodes'][host]['address'] + ':'
    for found in stores.values():
        left = sum(brick['online'] for brick in found.get('bricks', []) if not brick['name'].startswith(own))
        needed = found.get('quorum', {}).get('needed', 0)
        if left < needed:
            told['%d bricks of the mail store would be left online, expected %d or more.' % (left, needed)] = None
        if found.get('pending') and any(brick['online'] and brick['name'].startswith(own) for brick in found.get('bricks', [])):
            told['%d files of the mail store wait to be healed, perhaps from its copy.' % found['pending']] = None
    return list(told)


def _consensus(answers, host):
    told, members = {}, _of(answers, 'etcd', host)
    for found in members.values():
        left = sum(member['healthy'] for member in found['members'] if member['name'] != host)
        if left < found['quorum']:
            told['%d members of etcd would be left at work, expected %d or more.' % (left, found['quorum'])] = None
    return list(told) if members else ['no other member of etcd gave an answer.']


def _database(answers, host):
    databases = _of(answers, 'patroni', host)
    if not databases:
        return ['no other database gave an answer.']
    told = {}
    for found in databases.values():
        heirs = [member for member in found['members'] if member['name'] != host and (
            member['role'] in patroni.LEADERS and member['state'] == 'running' or member['synchronous'] and member['state'] == 'streaming')]
        if not heirs:
            told['no other database is leader or has all that was committed.'] = None
        if found['paused'] and found['leader'] == host:
            told['it is the leader, and Patroni is paused: nobody would take over.'] = None
    return list(told)


def _firewall(answers, host):
    """The other member has to be able to carry on, with the connections that there are."""
    others = _of(answers, 'firewall', host)
    if not others:
        return ['the other firewall gave no answer.']
    if any(found['facts']['role'] in firewall_pair.PASSES for found in others.values()):
        return []
    return ['%s could not take over: %s' % (other, sentence) for other, found in others.items()
            for sentence in firewall_pair.spare_problems(found['facts'])]


def leader_doubts(answers, expected):
    """Sentences about a database leader that is not exactly one; none where the only doubt is that the leader gave no answer itself.

    :param answers: reports with useful answers only.
    """
    databases = [host for host, node in expected['nodes'].items() if 'databases' in node['groups']]
    reports = _of(answers, 'patroni', None)
    named = {found['leader'] for found in reports.values()}
    primaries = [host for host, found in reports.items() if found['this']['primary']]
    if not databases or not primaries and len(named) == 1 and named <= set(databases) - set(reports):
        return []
    return patroni.agreement(reports)


def _shared(answers, expected):
    """What must not be made worse, whichever node it is about: a doubtful holder of an address, a doubtful leader."""
    reports = _of(answers, 'vrrp', None)
    wrong = [entry['name'] for entry in expected['addresses'] if vrrp.holders_seen(reports, entry) != 1]
    return (['%s: not exactly one holder.' % ', '.join(wrong)] if wrong else []) + leader_doubts(answers, expected)


def reasons(answers, expected, missing):
    """{host: [sentence]}: what stands in the way of taking this host out now. The empty list means that it can be spared.

    :param missing: {host: [sentence]} about hosts and checks without an answer. Of a host itself none is needed.
    """
    shared, result = _shared(answers, expected), {}
    for host, node in expected['nodes'].items():
        told = shared + [sentence for other, sentences in missing.items() if other != host for sentence in sentences]
        if 'firewalls' in node['groups']:
            result[host] = told + _firewall(answers, host)
            continue
        told += _addresses(answers, expected, host)
        if 'loadbalancers' in node['groups'] or 'mailservers' in node['groups']:
            told += _servers(answers, host)
        if 'mailservers' in node['groups']:
            told += _store(answers, expected, host)
        if 'databases' in node['groups']:
            told += _consensus(answers, host) + _database(answers, host)
        result[host] = told
    return result
