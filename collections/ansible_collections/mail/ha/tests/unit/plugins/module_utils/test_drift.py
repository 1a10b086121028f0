# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who is the odd one, and what is no difference."""

from __future__ import annotations

import pytest
from ansible_collections.mail.ha.plugins.module_utils import drift

IDENTITIES = {f'mail{number}': [f'mail{number}', f'mail{number}.nodes.test', f'192.0.2.{number}'] for number in (1, 2, 3, 10)}


def compare(subject='x', **values):
    return drift.compare({host: {subject: {} if value is None else {'setting': value}} for host, value in values.items()}, IDENTITIES)


@pytest.mark.parametrize('values', [
    ('same', 'same', 'same'),
    ('mail1', 'mail2', 'mail3'),
    ('mail1.nodes.test', 'mail2.nodes.test', 'mail3.nodes.test'),
    ('192.0.2.1:25,127.0.0.1', '192.0.2.2:25,127.0.0.1', '192.0.2.3:25,127.0.0.1'),
    ('https://mail1.nodes.test:2379', 'https://mail2.nodes.test:2379', 'https://mail3.nodes.test:2379'),
    ('mail2,mail3', 'mail1,mail3', 'mail1,mail2'),
    ('192.0.2.1 192.0.2.2 192.0.2.3',) * 3,
    ('relay=mail1',) * 3,
    ('inet:192.0.2.1:12340', 'inet:192.0.2.2:12340', 'inet:192.0.2.3:12340'),
], ids=str)
def test_alike(values):
    assert not compare(**dict(zip(('mail1', 'mail2', 'mail3'), values)))


@pytest.mark.parametrize('values,odd', [
    (('a', 'b', 'a'), ['mail2']),
    ((None, 'b', 'b'), ['mail1']),
    (('a', None, None), ['mail1']),
    (('mail1', 'mail9', 'mail3'), ['mail2']),
    (('mail1', 'mail20', 'mail3'), ['mail2']),
    (('192.0.2.1', '192.0.2.2', '192.0.2.30'), ['mail3']),
    (('mail2,mail3', 'mail1,mail3', 'mail1'), ['mail3']),
    # mail3 names itself instead of mail2; or mail1 names other peers than the others do: the values cannot tell.
    (('mail2,mail3', 'mail1,mail3', 'mail1,mail3'), []),
    (('relay=mail1', 'relay=mail1', 'relay=mail2'), []),
    (('a', 'b', 'c'), []),
], ids=str)
def test_the_majority_decides(values, odd):
    found, = compare(**dict(zip(('mail1', 'mail2', 'mail3'), values)))
    assert found['odd'] == odd


def test_mail1_is_not_a_part_of_mail10():
    assert not compare(mail1='name mail1', mail10='name mail10')
    assert compare(mail1='name mail10', mail10='name mail10', mail2='name mail10') == []
    found, = compare(mail1='mail1', mail2='mail2', mail3='mail30')
    assert found['odd'] == ['mail3']


def test_a_setting_may_carry_the_own_name():
    states = {host: {'x': {f'local {IDENTITIES[host][2]} / cert': 'a'}} for host in ('mail1', 'mail2')}
    assert not drift.compare(states, IDENTITIES)


def test_two_nodes_are_both_named():
    found, = compare('postfix', mail1='1', mail2='')
    assert found['odd'] == []
    assert found['message'] == ('postfix setting is 1 on mail1, empty on mail2; no majority says which is right: look, '
                                'then run site.yml --limit HOST.')


def test_long_values_are_cut_to_where_they_differ():
    start = 'reject_unauth_pipelining, ' * 20
    found, = compare(mail1=start + 'permit', mail2=start + 'reject', mail3=start + 'permit')
    assert 'permit' in found['message'] and 'is ...' in found['message'] and len(found['message']) < 300


def test_remedies_belong_to_subjects():
    assert compare('packages', mail1='1', mail2='1', mail3='2')[0]['message'].endswith('upgrade mail3 to the same versions.')


def clocks(**offsets):
    return drift.compare({host: {'clock': {'offset': offset, 'uncertainty': 0.05}} for host, offset in offsets.items()}, IDENTITIES)


def test_clocks():
    assert not clocks(mail1=0.0, mail2=0.4, mail3=-0.1)
    found, = clocks(mail1=100.0, mail2=100.1, mail3=105.1)
    assert found['odd'] == ['mail3']
    assert found['message'] == ('mail3: clock is 5.00 s ahead of the others (mail1, mail2; measured to 0.10 s), expected at most 0.5 s; '
                                'look at `chronyc tracking` on mail3.')
    # What the measurement cannot tell apart is no difference.
    assert not drift.compare({'mail1': {'clock': {'offset': 0, 'uncertainty': 0.5}}, 'mail2': {'clock': {'offset': 1.4, 'uncertainty': 0.5}}}, IDENTITIES)


def test_two_clocks_name_both():
    found, = clocks(mail1=0.0, mail2=3.0)
    assert found['odd'] == [] and found['message'].startswith('mail2 or mail1: clock is 3.00 s')


def report(answers):
    return drift.report({'mailservers': ['mail1', 'mail2']}, {'mailservers': answers}, IDENTITIES)


def answer(value='a', errors=()):
    return {'state': {'postfix': {'x': value}}, 'served': {}, 'errors': list(errors)}


def test_alike_is_said():
    found = report({'mail1': answer(), 'mail2': answer()})
    assert not found['differences'] and not found['problems'] and found['compared'] == {'mailservers': 1}
    assert found['text'].endswith('Nodes that should be alike are.')


@pytest.mark.parametrize('missing', [None, {'unreachable': True, 'msg': 'timed out'}], ids=['never asked', 'unreachable'])
def test_a_node_without_an_answer_is_a_problem(missing):
    problem, = report({'mail1': answer(), 'mail2': missing})['problems']
    assert problem.startswith('mail2: no answer for mailservers')


def test_peers_without_an_answer_are_still_peers():
    states = {'mail1': {'x': {'hosts': 'mail2,mail3'}}, 'mail3': {'x': {'hosts': 'mail1,mail2'}}}
    assert not drift.compare(states, {host: IDENTITIES[host] for host in ('mail1', 'mail2', 'mail3')})


def test_a_subject_without_an_answer_is_a_problem_and_not_compared():
    found = report({'mail1': answer(), 'mail2': {'state': {}, 'errors': ['postfix: postconf ended with 1: no']}})
    assert not found['differences']
    assert found['problems'] == ['mail2: postfix: postconf ended with 1: no; look at the daemon, then run again.']


def test_certificates_are_what_the_balancers_see():
    answers = {'loadbalancers': {'lb1': {'state': {}, 'errors': [], 'served': {'mail1': {'port 10993': 'aa'}, 'mail2': {'port 10993': 'bb'}}}},
               'mailservers': {'mail1': answer(), 'mail2': answer()}}
    found = drift.report({'loadbalancers': ['lb1'], 'mailservers': ['mail1', 'mail2']}, answers, {**IDENTITIES, 'lb1': ['lb1']})
    assert [(item['subject'], item['setting']) for item in found['differences']] == [('certificates', 'port 10993')]
