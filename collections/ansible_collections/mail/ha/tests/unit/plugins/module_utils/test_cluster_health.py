# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The fixtures are what the role cluster_gate gathered on six nodes of a running cluster, all of it: two loadbalancers, three machines
that are mailservers and databases, a monitor. `healthy`; `ops1_hangs`: its sshd was stopped; `mail3_drained`: in maintenance; `vip1_twice`:
its address was added on lb2 while lb1 held it; `no_leader`: Patroni was stopped on all databases;
`store_lost`: the mail store of mail2 hung, and its seats had gone to the others. What is edited here beyond that is
said to be (derived)."""

from __future__ import annotations

import copy
import json
import os
import re

import pytest

from ansible_collections.mail.ha.plugins.module_utils import cluster_evidence, cluster_health, cluster_metrics

CASES = ['healthy', 'ops1_hangs', 'mail3_drained', 'vip1_twice', 'no_leader', 'store_lost']
NODES = ['lb1', 'lb2', 'mail1', 'mail2', 'mail3', 'ops1']
SITE = {
    'nodes': dict({host: {'groups': ['loadbalancers'], 'address': '10.77.1.1' + host[-1]} for host in NODES[:2]},
                  **{host: {'groups': ['mailservers', 'databases'], 'address': '10.77.1.2' + host[-1]} for host in NODES[2:5]},
                  ops1={'groups': ['monitors', 'backups'], 'address': '10.77.1.31'}),
}


def said(case):
    with open(os.path.join(os.path.dirname(__file__), 'fixtures', 'cluster', case + '.json'), encoding='utf-8') as handle:
        return json.load(handle)


SITE['addresses'] = said('addresses')


@pytest.fixture(name='reports')
def fixture_reports():
    return said('healthy')


def judge(reports, site=None):
    return cluster_health.verdict(reports, site or SITE)


def has(sentences, start):
    return any(sentence.startswith(start) for sentence in sentences)


def leader_of(reports):
    return next(host for host in NODES[2:5] if reports[host]['patroni']['this']['primary'])


def test_full_strength(reports):
    told = judge(reports)
    assert told['problems'] == [] and told['why_not'] == {}
    assert (told['healthy'], told['strength'], told['answered'], told['can_lose']) == (True, 'full', NODES, NODES)
    assert told['holders']['vip1'] == 'lb1' and set(told['holders'].values()) == set(NODES[:5])


def test_a_node_that_hangs():
    told = judge(said('ops1_hangs'))
    assert (told['healthy'], told['strength'], told['answered']) == (False, 'degraded', NODES[:5])
    assert has(told['problems'], 'ops1 gave no report: it could not be reached')
    assert told['can_lose'] == ['ops1'], 'of others nothing is known but that a node is missing already'
    assert has(told['why_not']['lb1'], 'ops1 gave no report')


def test_a_node_in_maintenance_is_not_full_strength_and_can_be_lost():
    told = judge(said('mail3_drained'))
    assert told['strength'] == 'degraded' and 'mail3' in told['can_lose']
    assert has(told['problems'], 'mail3 is in maintenance: its state is drain, expected ready.')
    assert has(told['problems'], 'seat03, ') and told['holders']['seat03'] in ('mail1', 'mail2')


@pytest.mark.parametrize('state', ['maint', 'drain'])
def test_derived_servers_that_a_loadbalancer_was_told_to_leave_out(reports, state):
    """By the Runtime API, of one balancer only, and left so; the node itself is in service."""
    for server in reports['lb1']['haproxy']['servers']:
        if server['name'] == 'mail3' and server['backend'] in reports['lb1']['haproxy']['services']:
            server.update(admin=state, status=state.upper(), status_text=state.upper(), usable=False)
    told = judge(reports)
    assert told['strength'] == 'degraded'
    problem, = told['problems']
    assert problem.startswith('lb1: smtp/mail3, submissions/mail3, submission/mail3, imaps/mail3, pop3s/mail3, sieve/mail3: found set to %s here, '
                              'expected ready and UP, for mail3 is in service.' % state)


def test_what_a_node_in_maintenance_had_said_is_told_once():
    """The servers that follow its agent, and one that was also set by hand (derived)."""
    reports = said('mail3_drained')
    assert not has(judge(reports)['problems'], 'lb')
    for server in reports['lb1']['haproxy']['servers']:
        if (server['backend'], server['name']) == ('smtp', 'mail3'):
            server['admin'] = 'maint'
    assert not has(judge(reports)['problems'], 'lb')
    reports['mail3']['maintenance']['old']['state'] = 'ready'
    problems = judge(reports)['problems']
    assert has(problems, 'lb1: smtp/mail3: found set to maint here')
    assert has(problems, 'lb2: smtp/mail3, submissions/mail3, submission/mail3: found DRAIN (agent), for health_postfix/mail3 is set to drain')


def test_an_address_held_twice_keeps_every_node():
    told = judge(said('vip1_twice'))
    assert told['strength'] == 'down' and told['can_lose'] == []
    assert has(told['problems'], 'vip1: 2 holders, expected one: ')
    assert all(has(told['why_not'][host], 'vip1: not exactly one holder.') for host in NODES)


def test_a_mailserver_without_its_store():
    told = judge(said('store_lost'))
    assert told['strength'] == 'degraded' and has(told['problems'], 'mail_store on mail2: no mail can be stored: ')
    assert 'seat02, seat08: held by mail3, expected mail2, which is preferred.' in ' '.join(told['problems'])
    assert told['can_lose'] == NODES, 'each of the others has somebody left to take over'


def test_no_leader():
    told = judge(said('no_leader'))
    assert told['strength'] == 'down' and told['can_lose'] == []
    assert 'no database is known to run: recipients and logins cannot be looked up.' in told['problems']
    assert 'databases that take writes: none, expected exactly one.' in told['problems']


def test_derived_two_leaders(reports):
    other = next(host for host in NODES[2:5] if host != leader_of(reports))
    reports[other]['patroni']['this']['primary'] = True
    reports[other]['patroni']['leader'] = other
    told = judge(reports)
    assert told['can_lose'] == [] and not told['healthy']
    assert has(told['problems'], 'databases that take writes: ') and has(told['problems'], 'the members name different leaders: ')


@pytest.mark.parametrize('host, check', [
    (host, check) for host in ('lb1', 'mail1', 'ops1') for check in cluster_health.checks(SITE['nodes'][host]['groups'])])
@pytest.mark.parametrize('found', [
    None, {}, {'skipped': True}, {'failed': True, 'msg': 'it broke'}, {'unreachable': True}, {'problems': ['it said nothing useful']}])
def test_derived_a_check_without_an_answer(reports, host, check, found):
    reports[host][check] = found
    if found is None:
        del reports[host][check]
    told = judge(reports)
    assert not told['healthy']
    assert has(told['problems'], '%s on %s gave no answer: ' % (check, host) if reports[host] else host + ' gave no report')
    assert set(told['can_lose']) <= {host}


@pytest.mark.parametrize('host', NODES)
def test_derived_a_node_without_a_report_is_what_can_be_lost(reports, host):
    del reports[host]
    told = judge(reports)
    assert not told['healthy'] and has(told['problems'], host + ' gave no report')
    assert told['can_lose'] == [host]


def test_derived_no_report_at_all():
    told = judge({})
    assert (told['healthy'], told['strength'], told['answered'], told['can_lose']) == (False, 'down', [], [])
    assert cluster_evidence.screen(told, cluster_evidence.evidence({}, SITE, told)).startswith('DOWN')


def test_derived_an_answer_of_a_host_that_is_no_node_counts_for_nothing(reports):
    reports['mail4'] = reports.pop('mail3')
    told = judge(reports)
    assert has(told['problems'], 'mail3 gave no report') and 'mail4' not in told['answered']


def test_derived_an_address_elsewhere_than_preferred(reports):
    site = copy.deepcopy(SITE)
    site['addresses'][0]['holders'].reverse()
    told = judge(reports, site)
    assert has(told['problems'], 'vip1: held by lb1, expected lb2, which is preferred.')
    assert told['strength'] == 'degraded'


def brick(reports, address, **changes):
    for report in reports.values():
        for entry in report.get('mail_store', {}).get('bricks', []):
            if entry['name'].startswith(address + ':'):
                entry.update(changes)


def test_derived_a_brick_that_is_down_is_the_only_one_that_may_go(reports):
    brick(reports, '10.77.1.22', online=False)
    told = judge(reports)
    assert 'mail2' in told['can_lose'] and 'mail1' not in told['can_lose']
    assert told['why_not']['mail1'] == ['1 bricks of the mail store would be left online, expected 2 or more.']


def test_derived_files_to_heal_keep_whoever_may_hold_the_good_copy(reports):
    brick(reports, '10.77.1.22', online=True)
    for host in NODES[2:5]:
        reports[host]['mail_store']['pending'] = 7
    told = judge(reports)
    assert told['why_not']['mail3'] == ['7 files of the mail store wait to be healed, perhaps from its copy.']


def test_derived_a_member_of_etcd_is_down(reports):
    for host in NODES[2:5]:
        reports[host]['etcd']['members'][1]['healthy'] = False
    told = judge(reports)
    assert told['can_lose'] == ['lb1', 'lb2', 'mail2', 'ops1']
    assert told['why_not']['mail1'] == ['1 members of etcd would be left at work, expected 2 or more.']


def test_derived_nobody_to_inherit_the_database(reports):
    leader = leader_of(reports)
    for host in NODES[2:5]:
        for member in reports[host]['patroni']['members']:
            member['synchronous'] = False
    told = judge(reports)
    assert told['why_not'] == {leader: ['no other database is leader or has all that was committed.']}


def test_derived_a_paused_database_keeps_its_leader(reports):
    leader = leader_of(reports)
    for host in NODES[2:5]:
        reports[host]['patroni']['paused'] = True
    assert judge(reports)['why_not'] == {leader: ['it is the leader, and Patroni is paused: nobody would take over.']}


def test_derived_the_last_server_of_a_service(reports):
    for server in reports['lb2']['haproxy']['servers']:
        if server['backend'] == 'imaps' and server['name'] != 'mail1':
            server['usable'] = False
    told = judge(reports)
    assert told['why_not'] == {'mail1': ['lb2 has no other server for imaps.']}


def test_derived_a_service_without_a_server(reports):
    for host in NODES[:2]:
        for server in reports[host]['haproxy']['servers']:
            if server['backend'] == 'smtp':
                server['usable'] = False
    told = judge(reports)
    assert told['strength'] == 'down' and told['problems'][0] == 'service smtp: no loadbalancer has a server for it.'


def test_derived_a_holder_in_fault_cannot_take_over(reports):
    for entry in reports['lb2']['vrrp']['instances']:
        if entry['name'] == 'vip1':
            entry.update(state='FAULT', good=False)
    assert judge(reports)['why_not'] == {'lb1': ['nobody else can hold vip1 now.']}


def test_derived_the_same_words_of_several_nodes_are_told_once(reports):
    for host in ('mail1', 'mail3'):
        reports[host]['patroni']['problems'] = ['the cluster is paused.']
    assert judge(reports)['problems'] == ['patroni on mail1, mail3: the cluster is paused.']


def test_checks_follow_the_groups():
    assert cluster_health.checks(['monitors']) == ['node']
    assert cluster_health.checks(['loadbalancers']) == ['node', 'maintenance', 'vrrp', 'haproxy', 'certificates']
    assert set(cluster_health.checks(['mailservers', 'databases'])) == set(cluster_health.ANSWERS) - {'haproxy', 'firewall'}
    assert cluster_health.checks(['firewalls']) == ['firewall'], 'nothing of ours runs there'


@pytest.mark.parametrize('case', CASES)
def test_one_screen(case):
    reports = said(case)
    told = judge(reports)
    lines = cluster_evidence.screen(told, cluster_evidence.evidence(cluster_health.useful(reports), SITE, told)).splitlines()
    assert len(lines) <= 60 and max(map(len, lines)) <= cluster_evidence.WIDTH


def test_the_screen_of_a_healthy_cluster_counts_what_answered(reports):
    told = judge(reports)
    evidence = cluster_evidence.evidence(reports, SITE, told)
    assert list(evidence) == [check for check in cluster_health.ANSWERS if check != 'firewall'], 'this site has no firewalls of its own'
    assert evidence['vrrp'].startswith('5 of 5 answered; 14 of 14 addresses have one holder: lb1 1, lb2 1, mail1 4, mail2 4, mail3 4')
    assert evidence['etcd'].endswith('3 of 3 members at work, 1 may fail')


def test_derived_the_screen_tells_foreign_mail_that_waits_from_our_own(reports):
    queue = reports['mail1']['postfix_queue']
    queue.update(queued=5003, own={'recipients': 3, 'oldest': 95, 'reason': ''})
    queue['queues']['deferred'].update(messages=5003, oldest=86000)
    evidence = cluster_evidence.evidence(reports, SITE, judge(reports))
    assert evidence['postfix_queue'].endswith('5003 messages, the oldest for 86000 s; 3 recipients of the service wait, the longest for 95 s')
    queue['own'] = {'recipients': 0, 'oldest': None, 'reason': ''}
    assert cluster_evidence.evidence(reports, SITE, judge(reports))['postfix_queue'].endswith('5003 messages, the oldest for 86000 s')


def member(role, peer, **changes):
    """What mail.ha.firewall_info says of a member (derived)."""
    facts = {'platform': 'linux', 'version': '13', 'hostname': 'fw', 'model': '', 'role': role, 'peer': peer, 'in_sync': True, 'sync': 'well',
             'sessions': 12, 'uplinks': [{'name': 'wan0', 'up': True}], 'providers': [], 'armed': None}
    lines = ['a line']
    found = {'facts': facts, 'problems': [], 'running': lines, 'saved': lines, 'common': lines, 'replicated': False}
    for name, value in changes.items():
        (facts if name in facts else found)[name] = value
    return {'firewall': found}


def guarded(reports, first, second):
    """The verdict on a cluster behind a firewall pair, and all that it was made of."""
    site = dict(SITE, nodes=dict(SITE['nodes'], fw1={'groups': ['firewalls'], 'address': ''}, fw2={'groups': ['firewalls'], 'address': ''}))
    reports = dict(reports, **{host: found for host, found in (('fw1', first), ('fw2', second)) if found})
    return cluster_health.verdict(reports, site), cluster_health.useful(reports), site


def test_a_firewall_pair_belongs_to_full_strength(reports):
    told, answers, site = guarded(reports, member('active', 'standby'), member('standby', 'active'))
    assert told['problems'] == [] and told['strength'] == 'full' and told['active_firewall'] == 'fw1'
    assert {'fw1', 'fw2'} <= set(told['can_lose'])
    evidence = cluster_evidence.evidence(answers, site, told)
    assert evidence['firewall'] == '2 of 2 answered; fw1 active, fw2 standby; 2 of 2 in sync, at most 12 sessions'
    text = cluster_metrics.metrics(answers, site, told, 1795556351)
    assert 'ha_mail_firewall_active{node="fw1"} 1' in text and 'ha_mail_firewall_uplink_up{node="fw2",uplink="wan0"} 1' in text


def test_a_site_with_a_dead_provider_is_not_at_full_strength_and_its_pair_is_whole(reports):
    providers = [{'name': 'wan_a', 'version': 4, 'alive': False}, {'name': 'wan_b', 'version': 4, 'alive': True}]
    told, answers, site = guarded(reports, member('active', 'standby', providers=providers), member('standby', 'active', providers=providers))
    assert told['strength'] == 'degraded' and [sentence for sentence in told['problems'] if 'wan_a' in sentence] == [
        'the uplink wan_a: nothing behind it answers fw1 and fw2 over IPv4, expected its provider to carry traffic; ask the provider, or correct the probes.']
    assert {'fw1', 'fw2'} <= set(told['can_lose'])
    assert cluster_evidence.evidence(answers, site, told)['firewall'].endswith('; 2 of 4 looks at providers find them alive')
    text = cluster_metrics.metrics(answers, site, told, 1795556351)
    assert 'ha_mail_firewall_provider_alive{node="fw1",provider="wan_a",version="4"} 0' in text
    assert 'ha_mail_firewall_provider_alive{node="fw2",provider="wan_b",version="4"} 1' in text


@pytest.mark.parametrize('first, second, strength, active, kept, words', [
    (member('active', 'absent', problems=['its peer is gone.']), None, 'degraded', 'fw1', {'fw1'}, 'fw2 gave no report'),
    (member('active', 'standby'), {'firewall': {'failed': True, 'msg': 'no SSH session'}}, 'degraded', 'fw1', {'fw1'},
     'firewall on fw2 gave no answer: no SSH session'),
    (None, None, 'down', None, {'fw1', 'fw2'}, 'firewalls: not exactly one is known to be active'),
    (member('active', 'active'), member('active', 'active'), 'down', None, set(), 'the pair: found fw1 and fw2 active'),
    (member('active', 'standby', in_sync=False, sync='states differ'), member('standby', 'active', in_sync=False, sync='states differ'),
     'degraded', 'fw1', {'fw1'}, 'fw2: found the pair out of sync'),
    (member('active', 'standby', armed=30), member('standby', 'active'), 'degraded', 'fw1', set(), 'fw1: a change is waiting'),
    (member('active', 'standby', version='12', problems=['found the version 12, expected 13...; correct it.']), member('standby', 'active'),
     'degraded', 'fw1', set(), 'fw1: found the version 12'),
])
def test_what_is_wrong_with_a_firewall_pair(reports, first, second, strength, active, kept, words):
    told, _answers, _site = guarded(reports, first, second)
    assert (told['healthy'], told['strength'], told['active_firewall']) == (False, strength, active)
    assert has(told['problems'], words), told['problems']
    assert kept.isdisjoint(told['can_lose']) and {'fw1', 'fw2'} - kept <= set(told['can_lose']), told['why_not']
    assert len(told['problems']) == len(set(told['problems']))


SAMPLE = re.compile(r'(ha_mail_[a-z_]+)(\{[a-z_]+="[^"]*"(,[a-z_]+="[^"]*")*\})? -?[0-9]+(\.[0-9]+)?(e-?[0-9]+)?$')


@pytest.mark.parametrize('case', CASES)
def test_metrics_are_well_formed(case):
    reports = said(case)
    text = cluster_metrics.metrics(cluster_health.useful(reports), SITE, judge(reports), 1795556351)
    samples, typed = [], set()
    assert text.endswith('\n') and text.isascii()
    for line in text.splitlines():
        if line.startswith('# TYPE '):
            assert line.split()[2] not in typed and line.endswith(' gauge')
            typed.add(line.split()[2])
        elif not line.startswith('# HELP '):
            assert SAMPLE.match(line) and SAMPLE.match(line).group(1) in typed, line
            samples.append(line.rpartition(' ')[0])
    assert len(samples) == len(set(samples)), 'the same labels twice'


def test_metrics_say_what_is_known_and_nothing_else():
    reports = said('ops1_hangs')
    del reports['mail2']['mail_store']
    text = cluster_metrics.metrics(cluster_health.useful(reports), SITE, judge(reports), 1795556351)
    assert 'ha_mail_check_time_seconds 1795556351\n' in text
    assert 'ha_mail_healthy 0\n' in text and 'ha_mail_strength{strength="degraded"} 1\n' in text
    assert 'ha_mail_node_answered{node="ops1"} 0\n' in text
    assert 'ha_mail_store_writable{node="mail1"} 1\n' in text and 'ha_mail_store_writable{node="mail2"}' not in text


def test_derived_a_replica_that_is_behind_is_in_the_evidence_and_the_metrics(reports):
    late = next(host for host in NODES[2:5] if host != leader_of(reports))
    reports[late]['patroni']['this']['replay_delay'] = 3600.4
    told = judge(reports)
    assert cluster_evidence.evidence(reports, SITE, told)['patroni'].endswith('at most 0 bytes and 3600 s behind')
    text = cluster_metrics.metrics(reports, SITE, told, 1795556351)
    assert 'ha_mail_database_replay_seconds{node="%s"} 3600.4\n' % late in text
    assert 'ha_mail_database_replay_seconds{node="%s"}' % leader_of(reports) not in text, 'nothing is to be replayed there'


def test_metrics_escape_labels():
    assert cluster_metrics.family('x', 'X.', [({'a': 'b"c\\d\ne'}, True)])[-1] == 'ha_mail_x{a="b\\"c\\\\d\\ne"} 1'
