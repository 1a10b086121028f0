# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The fixtures are what Patroni 4.0.7 said on three nodes: healthy, paused, with a switchover to come, with Patroni stopped on a replica
and on the leader (the moment without a leader and the first seconds after it included), and with two of three etcd members stopped."""

from __future__ import annotations

import json
import os

import pytest

from ansible_collections.mail.ha.plugins.module_utils import patroni
from ansible_collections.mail.ha.plugins.module_utils.checks import patroni as check

MEMBERS = ['mail1', 'mail2', 'mail3']


def said(name):
    with open(os.path.join(os.path.dirname(__file__), 'fixtures', 'patroni', name + '.json'), encoding='utf-8') as handle:
        return json.load(handle)


def report(name, age=1):
    """The report ``age`` seconds after the member last reached etcd."""
    answers = said(name)
    return patroni.report(answers['cluster'], patroni.node(answers['patroni'], answers['patroni']['dcs_last_seen'] + age))


def told(name, members=None, **limits):
    return patroni.verdict(report(name), members or MEMBERS, **limits)


@pytest.mark.parametrize('host', MEMBERS)
def test_a_healthy_cluster(host):
    found = report('healthy_' + host)
    assert found['leader'] == 'mail2'
    assert [(member['name'], member['synchronous'], member['lag']) for member in found['members']] == [
        ('mail1', True, 0), ('mail2', False, 0), ('mail3', True, 0)]
    assert found['this']['name'] == host
    assert found['this']['primary'] is (host == 'mail2')
    if host == 'mail2':  # the replicas may still repeat the failsafe mode of the fault provoked before
        assert patroni.verdict(found, MEMBERS) == []


def test_the_leader_tells_who_follows_it():
    assert sorted((standby['name'], standby['sync_state']) for standby in report('healthy_mail2')['this']['standbys']) == [
        ('mail1', 'quorum'), ('mail3', 'quorum')]


def test_replay_delay_is_known_of_the_member_asked():
    delays = {member['name']: member['replay_delay'] for member in report('healthy_mail1')['members']}
    assert delays == {'mail1': 0.0, 'mail2': None, 'mail3': None}


def behind(seconds, received=0, replayed=-8):
    """Derived from a real answer, of a replica on an idle primary: the locations are moved, and the last commit was ``seconds`` ago."""
    answer = said('healthy_mail1')['patroni']
    location = answer['xlog']['received_location']
    answer['xlog'].update(received_location=location + received, replayed_location=location + replayed, replayed_timestamp='2026-11-24 21:39:16+00:00')
    return answer, 1795556356 + seconds


@pytest.mark.parametrize('received, replayed, delay', [(0, -8, 42.0), (0, 0, 0.0), (-8, 0, 0.0)])
def test_replay_delay_counts_only_where_something_is_to_be_replayed(received, replayed, delay):
    assert patroni.node(*behind(42, received, replayed))['replay_delay'] == delay


@pytest.mark.parametrize('changes', [{'received_location': None}, {'replayed_location': None}, {'replayed_timestamp': None}])
def test_replay_delay_that_cannot_be_known(changes):
    answer, now = behind(42)
    answer['xlog'].update(changes)
    assert patroni.node(answer, now)['replay_delay'] is None


def delayed(first, second=None, **limits):
    """What the module says of a replica that gives these answers, and how often it waited; the rest of the answers is real."""
    answers, waited = [first[0], (second or first)[0]], []
    found = check.examine(
        dict(PARAMETERS, **limits), lambda path: said('healthy_mail1')['cluster'] if path == '/cluster' else dict(
            answers[len(waited)], dcs_last_seen=first[1], failsafe_mode_is_active=False), first[1], waited.append)
    return found, waited


def test_a_replica_that_does_not_replay():
    found, waited = delayed(behind(3600))
    assert waited == [1] and found['this']['replay_delay'] == 3601
    assert found['problems'] == [
        'mail1 has not replayed all that it received, and the last change it shows is 3601 s old, expected at most 60 s. Look at "journalctl -u patroni" '
        'there, and in pg_stat_activity for a query that holds it up.']
    assert delayed(behind(59))[0]['problems'] == [] and delayed(behind(61), max_lag_seconds=62)[0]['problems'] == []


def test_a_replica_that_was_seen_while_something_arrived():
    """After an hour of silence; more has arrived by the second answer, and what there was at first is replayed."""
    found, waited = delayed(behind(3600), behind(3601, received=800, replayed=0))
    assert waited == [1] and found['this']['replay_delay'] == 0 and found['problems'] == []
    assert delayed(behind(3600, replayed=0))[1] == [], 'one that is not behind is not asked twice'


def test_a_replay_that_was_paused_is_told_once():
    answer, now = behind(3600)
    answer['xlog']['paused'] = True
    assert delayed((answer, now))[0]['problems'] == ['mail1 does not replay what it receives (pg_wal_replay_pause), expected it to.']


def test_paused():
    assert report('paused')['paused'] is True
    assert 'the cluster is paused' in told('paused')[0]


def test_a_scheduled_switchover_is_told_and_no_problem():
    assert report('scheduled')['scheduled_switchover'] == {'at': '2026-11-24T22:58:23+00:00', 'from': 'mail2', 'to': 'mail1'}
    assert not any('switchover' in sentence for sentence in told('scheduled'))


def test_a_replica_that_is_stopped():
    found = report('replica_stopped')
    assert found['members'][2]['lag'] is None
    assert told('replica_stopped')[0].startswith('mail3 is a replica and its state is stopped, expected streaming.')


def test_no_leader():
    assert report('no_leader')['leader'] is None
    assert told('no_leader')[0].startswith('leaders found: none, expected exactly one.')
    assert any('no member is a streaming synchronous standby' in sentence for sentence in told('no_leader'))


def test_a_replica_on_the_timeline_before_a_failover():
    assert 'mail3 is on timeline 1, expected 2, that of the leader mail1.' in told('old_timeline')


@pytest.mark.parametrize('name', ['etcd_lost_leader', 'etcd_lost_replica'])
def test_a_cluster_without_etcd_looks_healthy_and_is_not(name):
    assert [member['state'] for member in report(name)['members']] == ['streaming', 'running', 'streaming']
    problem, = told(name)
    assert 'failsafe mode is active' in problem


def test_old_knowledge():
    problem, = patroni.verdict(report('healthy_mail2', age=90), MEMBERS)
    assert problem.startswith('mail2 reached etcd 90 s ago, expected within the last 20 s')


def test_members_missing_and_unexpected():
    sentences = told('healthy_mail2', members=['mail1', 'mail2', 'mail4'])
    assert any(sentence.startswith('mail4 is not a member') for sentence in sentences)
    assert 'mail3 is a member and is not expected to be one.' in sentences


@pytest.mark.parametrize('lag, sentence', [
    (2000000, 'mail3 is 2000000 bytes behind, expected at most 1048576.'),
    ('unknown', 'mail3 does not say how far it is behind, expected a number of bytes.'),
])
def test_lag(lag, sentence):
    """Derived from a real answer: on a quiet lab no replica lags for long."""
    answers = said('healthy_mail2')
    answers['cluster']['members'][2]['lag'] = lag
    found = patroni.report(answers['cluster'], patroni.node(answers['patroni'], answers['patroni']['dcs_last_seen']))
    assert patroni.verdict(found, MEMBERS) == [sentence]


def test_nodes_that_agree():
    assert patroni.agreement({host: report('healthy_' + host) for host in MEMBERS}) == []


def test_two_leaders():
    """Two real answers of different moments put side by side: before and after a failover."""
    sentences = patroni.agreement({'mail1': report('leader_stopped_mail1'), 'mail2': report('healthy_mail2')})
    assert sentences == ['databases that take writes: mail1, mail2, expected exactly one.',
                         'the members name different leaders: mail1 by mail1; mail2 by mail2.']


def test_nobody_takes_writes():
    assert patroni.agreement({'mail1': report('no_leader')}) == ['databases that take writes: none, expected exactly one.']


PARAMETERS = {'url': 'https://mail2.nodes.example:8008', 'members': MEMBERS, 'max_lag_bytes': 1048576, 'max_dcs_age': 20, 'max_lag_seconds': 60}


def test_the_module_puts_both_answers_together():
    answers = said('healthy_mail2')
    found = check.examine(PARAMETERS, lambda path: answers[path.strip('/')], answers['patroni']['dcs_last_seen'] + 1)
    assert found['problems'] == []
    assert found['leader'] == 'mail2'


@pytest.mark.parametrize('error', [ConnectionRefusedError(111, 'Connection refused'), ValueError('Expecting value')])
def test_no_answer_is_a_problem(error):
    def ask(path):
        raise error
    problem, = check.examine(PARAMETERS, ask, 0)['problems']
    assert PARAMETERS['url'] in problem and str(error) in problem


def test_an_answer_of_another_shape_is_a_problem():
    problem, = check.examine(PARAMETERS, lambda path: ['who are you'], 0)['problems']
    assert 'no useful answer' in problem
