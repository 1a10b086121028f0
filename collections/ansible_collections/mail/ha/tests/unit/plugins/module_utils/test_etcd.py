# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The fixtures are what etcdctl 3.5.16 said on a node of three: healthy; with the third member stopped, asked from the first and from
the third; with two stopped; with a learner added that never came. The alarm is that of a cluster of one whose quota was 64 KiB."""

from __future__ import annotations

import json
import os

import pytest

from ansible_collections.mail.ha.plugins.module_utils import etcd
from ansible_collections.mail.ha.plugins.module_utils.checks import etcd as check

MEMBERS = {name: 'https://%s.nodes.ha.test:2379' % name for name in ('mail1', 'mail2', 'mail3')}
TINY = {'tiny': 'http://127.0.0.1:12379'}
QUESTIONS = {'member list': 'members', 'alarm list': 'alarms', 'endpoint status': 'status', 'endpoint health': 'health'}


def said(state, name, kind='json'):
    path = os.path.join(os.path.dirname(__file__), 'fixtures', 'etcd', state, '%s.%s' % (name, kind))
    if not os.path.exists(path):  # nothing was written there
        return ''
    with open(path, encoding='utf-8') as handle:
        return handle.read()


def examine(state, members=None, url=None, instead=None):
    """The module's answer in a state; ``instead`` gives answers of another state."""
    def run(argv, environ_update):
        name = QUESTIONS[' '.join(argv[-2:])]
        place = (instead or {}).get(name, state)
        out, err = said(place, name), said(place, name, 'err')
        return 1 if err or 'false' in out else 0, out, err
    members = members or MEMBERS
    return check.examine({'url': url or min(members.values()), 'members': members, 'ca_file': 'ca', 'cert_file': 'cert', 'key_file': 'key',
                          'timeout': 2}, run)


def test_a_healthy_cluster():
    found = examine('healthy')
    assert found['problems'] == []
    assert (found['leader'], found['quorum'], found['healthy'], found['may_fail']) == ('mail1', 2, 3, 1)
    assert found['term'] == 4
    assert [(member['name'], member['leader'], member['started'], member['index'], member['db_size']) for member in found['members']] == [
        (name, 'mail1', True, 246, 90112) for name in ('mail1', 'mail2', 'mail3')]


def test_a_member_is_stopped():
    found = examine('one_stopped')
    assert (found['leader'], found['healthy'], found['may_fail']) == ('mail1', 2, 0)
    assert found['problems'] == [
        'mail3 does not work (context deadline exceeded), expected it to. Look at "journalctl -u etcd" there.']


def test_asked_from_the_member_that_is_stopped():
    found = examine('self_stopped', url=MEMBERS['mail3'])
    assert found['problems'][0].startswith('this member gives no list: ')
    assert 'Error: context deadline exceeded' in found['problems'][0]
    assert found['problems'][1:] == [
        'mail3 does not work (context deadline exceeded), expected it to. Look at "journalctl -u etcd" there.']
    assert found['leader'] == 'mail1'


def test_no_quorum():
    found = examine('no_quorum')
    assert (found['leader'], found['healthy'], found['may_fail']) == (None, 0, 0)
    assert '0 of 3 members work, expected 2 or more for a quorum' in found['problems'][1]
    assert 'there is no leader, expected one.' in found['problems']
    assert found['members'][0]['errors'] == ['etcdserver: no leader']


def test_a_learner_that_never_came():
    found = examine('healthy', instead={'members': 'learner'})
    assert found['problems'] == ['the cluster has a member that is not expected: the one at https://mail3.nodes.ha.test:2399. '
                                 'Remove it with "etcdctl member remove".']
    assert found['quorum'] == 2


def test_a_learner_among_the_members():
    """Derived: the third member of the healthy cluster is made a learner."""
    listed = json.loads(said('healthy', 'members'))
    next(member for member in listed['members'] if member['name'] == 'mail3')['isLearner'] = True
    found = etcd.report(MEMBERS, listed, {}, json.loads(said('healthy', 'status')), json.loads(said('healthy', 'health')))
    assert etcd.verdict(found) == ['mail3 is a learner, which has no vote.']


def test_an_alarm():
    found = examine('alarm', members=TINY)
    assert found['alarms'] == [{'member': 'tiny', 'alarm': 'NOSPACE'}]
    assert any(sentence.startswith('alarm NOSPACE on tiny, expected none.') for sentence in found['problems'])
    assert 'Active Alarm(s): NOSPACE' in found['problems'][1]


def test_members_that_see_different_leaders():
    """Derived: no fault was found that shows two leaders for long enough."""
    status = json.loads(said('healthy', 'status'))
    status[2]['Status']['leader'] = status[1]['Status']['header']['member_id']
    found = etcd.report(MEMBERS, json.loads(said('healthy', 'members')), {}, status, json.loads(said('healthy', 'health')))
    assert found['leader'] is None
    assert etcd.verdict(found) == ['the members see different leaders: mail1 sees mail1, mail2 sees mail1, mail3 sees mail2.']


def test_members_missing():
    found = examine('healthy', members={**MEMBERS, 'mail4': 'https://mail4.nodes.ha.test:2379'})
    assert 'mail4 is not a member, expected it to be one. Run the playbook that builds the cluster.' in found['problems']
    assert found['quorum'] == 3


def test_etcdctl_gets_endpoints_and_files_by_environment():
    asked = []
    check.examine({'url': 'u1', 'members': {'a': 'u1', 'b': 'u2'}, 'ca_file': 'ca', 'cert_file': 'cert',
                   'key_file': 'key', 'timeout': 2}, lambda argv, environ_update: asked.append((argv, environ_update)) or (1, '', ''))
    assert asked[0] == (['timeout', '--kill-after=1', '4', 'etcdctl', '--command-timeout=2s', '--write-out=json', 'member', 'list'],
                        {'ETCDCTL_ENDPOINTS': 'u1', 'ETCDCTL_CACERT': 'ca', 'ETCDCTL_CERT': 'cert', 'ETCDCTL_KEY': 'key'})
    assert asked[1][1]['ETCDCTL_ENDPOINTS'] == 'u1,u2'


def test_no_etcdctl_is_a_problem():
    def run(argv, environ_update):
        return 127, '', "timeout: failed to run command 'etcdctl': No such file or directory"
    found = check.examine({'url': 'u', 'members': MEMBERS, 'ca_file': 'ca', 'cert_file': 'cert', 'key_file': 'key', 'timeout': 2}, run)
    assert len([sentence for sentence in found['problems'] if 'No such file or directory' in sentence]) == 3


@pytest.mark.parametrize('number, name', [(1, 'NOSPACE'), (2, 'CORRUPT'), (9, '9')])
def test_names_of_alarms(number, name):
    found = etcd.report(TINY, {'members': []}, {'alarms': [{'memberID': 5, 'alarm': number}]}, [], [])
    assert found['alarms'] == [{'member': '5', 'alarm': name}]
