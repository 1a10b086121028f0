# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The fixtures are what vrrp_info returned on six nodes of a running cluster: two loadbalancers, three mailservers and a host that
takes no part. `mail3_drained`: in maintenance. `seat01_twice`: its address was added on mail2 while mail1 held it. `seats_in_fault`: a check
failed on all mailservers. What is edited here beyond that is said to be."""

from __future__ import annotations

import copy
import json
import os

import pytest

from ansible_collections.mail.ha.plugins.module_utils import topology, vrrp

EXPECTED = topology.vip_holders(
    [{'name': 'vip1', 'address': '10.77.1.101', 'prefers': 'lb1'}, {'name': 'vip2', 'address': '10.77.1.102', 'prefers': 'lb2'}], ['lb1', 'lb2']
) + topology.seat_holders([{'name': 'seat%02d' % number, 'address': '10.77.1.%d' % (200 + number)} for number in range(1, 13)],
                          ['mail1', 'mail2', 'mail3'])
MAIL1, MAIL2 = '36:fd:ae:18:ab:f0', '22:b0:0e:22:88:c6'


def said(case):
    with open(os.path.join(os.path.dirname(__file__), 'fixtures', 'vrrp', case + '.json'), encoding='utf-8') as handle:
        return json.load(handle)


@pytest.fixture(name='reports')
def fixture_reports():
    return said('healthy')


def instance(report, name):
    return next(entry for entry in report['instances'] if entry['name'] == name)


def answers(reports, name):
    return [entry for report in reports.values() for entry in report['neighbours'] if entry['name'] == name]


def test_what_the_node_prints_is_read(reports):
    text = json.dumps(reports['lb1']['instances'])
    assert vrrp.parse(text) == reports['lb1']['instances']
    assert vrrp.problems(vrrp.parse(text)) == []


@pytest.mark.parametrize('text, sentence', [
    ('', "found '', expected a list in JSON"),
    ('Traceback (most recent call last):', "found 'Traceback"),
    ('{"name": "vip1"}', 'expected a list of instances with address, address_present'),
    ('[{"name": "vip1"}]', 'expected a list of instances with address, address_present'),
])
def test_anything_else_is_an_error(text, sentence):
    with pytest.raises(vrrp.VrrpError) as error:
        vrrp.parse(text)
    assert sentence in str(error.value)


def test_a_healthy_cluster(reports):
    assert vrrp.verdict(reports, EXPECTED) == {
        'holders': {entry['name']: entry['holders'][0] for entry in EXPECTED}, 'preferred': True, 'problems': []}


def test_seats_of_a_drained_node_are_elsewhere_and_that_is_no_problem():
    told = vrrp.verdict(said('mail3_drained'), EXPECTED)
    assert told['problems'] == []
    assert told['preferred'] is False
    assert [told['holders'][name] for name in ('seat03', 'seat06', 'seat09', 'seat12')] == ['mail1', 'mail2', 'mail1', 'mail2']


def test_two_holders():
    told = vrrp.verdict(said('seat01_twice'), EXPECTED)
    assert told['holders']['seat01'] is None and told['holders']['seat02'] == 'mail2' and told['preferred'] is False
    assert told['problems'] == [
        'mail2: seat01 (10.77.1.201): the address is on an interface, though the state is BACKUP. Look at: ip address; journalctl -u keepalived.',
        'seat01 (10.77.1.201) has 2 holders: mail1, mail2 say that they hold it, and '
        'mail2 (%s), mail1 (%s) answer for it to neighbours. Look whether VRRP passes between them; if it does, restart keepalived where the address must go.'
        % (MAIL2, MAIL1)]


def test_two_holders_are_seen_by_each_node_alone():
    reports = said('seat01_twice')
    assert vrrp.rivals(reports['ops1']['neighbours'], []) == [
        'seat01 (10.77.1.201): %s, %s answer for it, expected one. One of them must let go: restart keepalived there.' % (MAIL2, MAIL1)]
    assert vrrp.rivals(reports['mail1']['neighbours'], ['seat01', 'seat04']) == [
        'seat01 (10.77.1.201): %s answers for it, expected only this node to hold it. One of them must let go: restart keepalived there.' % MAIL2]


def test_no_holder():
    told = vrrp.verdict(said('seats_in_fault'), EXPECTED)
    assert {name for name, host in told['holders'].items() if host} == {'vip1', 'vip2'}
    assert len(told['problems']) == 3 + 12
    assert told['problems'][0].startswith('mail1: seat01 (10.77.1.201), seat02 (10.77.1.202), ')
    assert told['problems'][0].endswith('keepalived is in state FAULT, expected MASTER or BACKUP. journalctl -u keepalived names the check that fails.')
    assert told['problems'][3] == ('seat01 (10.77.1.201) has no holder: none of mail1, mail2, mail3 says that it holds it, and nobody '
                                   'answers for it. Look at keepalived there.')


@pytest.mark.parametrize('failed', [None, {'failed': True, 'msg': 'unreachable'}])
def test_a_host_without_a_report_is_not_known_to_hold_nothing(reports, failed):
    del reports['mail2']
    if failed:
        reports['mail2'] = failed
    told = vrrp.verdict(reports, EXPECTED)
    assert told['problems'][0].startswith('mail2 gave no report: whether it holds seat01, seat02, ')
    assert ('seat02 (10.77.1.202): none of mail2, mail3, mail1 says that it holds it, but a host that gave no report (%s) answers for it. '
            'Take the address away there.' % MAIL2) in told['problems']
    assert told['holders']['seat01'] == 'mail1' and told['holders']['seat02'] is None


def test_derived_a_frozen_holder_of_whom_nobody_heard(reports):
    """Both say MASTER; only the new one answers, since the old one's network is gone."""
    instance(reports['mail2'], 'seat01').update(state='MASTER', address_present=True)
    for entry in answers(reports, 'seat01'):
        entry['macs'] = [MAIL2]
    assert vrrp.verdict(reports, EXPECTED)['problems'][0].startswith('seat01 (10.77.1.201) has 2 holders: mail1, mail2 say that')


def test_derived_the_node_and_its_neighbours_disagree(reports):
    for entry in answers(reports, 'seat01'):
        entry['macs'] = [MAIL2]
    told = vrrp.verdict(reports, EXPECTED)
    assert told['problems'] == ['seat01 (10.77.1.201): mail1 says that it holds it, but mail2 (%s) answers for it. Look at: ip address, on both.' % MAIL2]
    assert told['holders']['seat01'] is None


def test_derived_a_stranger_answers_besides_the_holder(reports):
    answers(reports, 'seat01')[0]['macs'].append('02:00:00:00:00:99')
    told = vrrp.verdict(reports, EXPECTED)
    assert told['holders']['seat01'] is None
    assert told['problems'] == [
        'seat01 (10.77.1.201) has 2 holders: mail1 says that it holds it, and a host that gave no report (02:00:00:00:00:99), mail1 (%s) answer '
        'for it to neighbours. Look whether VRRP passes between them; if it does, restart keepalived where the address must go.' % MAIL1]


def test_derived_a_holder_that_nobody_hears(reports):
    for entry in answers(reports, 'seat01'):
        entry['macs'] = []
    assert vrrp.verdict(reports, EXPECTED)['problems'] == [
        'seat01 (10.77.1.201): mail1 says that it holds it, but nobody answers for it to lb1, lb2, mail2, mail3, ops1. '
        'Look whether frames pass between them.']


def test_derived_nobody_but_the_holder_asked(reports):
    for host, report in reports.items():
        if host != 'mail1':
            report['neighbours'] = [entry for entry in report['neighbours'] if entry['name'] != 'seat01']
    assert vrrp.verdict(reports, EXPECTED)['problems'] == [
        'seat01 (10.77.1.201): mail1 says that it holds it, but no other host was asked who answers. Run vrrp_info with arp on one, too.']


def test_derived_a_holder_that_does_not_know_the_seat(reports):
    reports['mail3']['instances'] = [entry for entry in reports['mail3']['instances'] if entry['name'] != 'seat01']
    assert vrrp.verdict(reports, EXPECTED)['problems'] == [
        'mail3: keepalived there does not know seat01, of which it should be one of the holders. Run site.yml for it.']


def test_derived_a_second_address_counts_as_well(reports):
    expected = copy.deepcopy(EXPECTED)
    expected[0]['address6'] = '2001:db8:0::101'
    macs = answers({'ops1': reports['ops1']}, 'vip1')[0]['macs']
    reports['ops1']['neighbours'].append({'name': 'vip1', 'address': '2001:db8::101', 'macs': macs})
    assert vrrp.verdict(reports, expected)['problems'] == []
    reports['ops1']['neighbours'][-1]['macs'] = []
    assert vrrp.verdict(reports, expected)['problems'] == [
        'vip1 (2001:db8:0::101): lb1 says that it holds it, but nobody answers for it to ops1. Look whether frames pass between them.']


@pytest.mark.parametrize('state, present, sentence', [
    ('STOP', False, 'keepalived is in state STOP, expected MASTER or BACKUP'),
    ('MASTER', False, 'the state is MASTER, but the address is on no interface'),
])
def test_derived_what_is_wrong_on_one_node(reports, state, present, sentence):
    entry = instance(reports['lb1'], 'vip1')
    entry.update(state=state, address_present=present, good=False)
    problem, = vrrp.problems(reports['lb1']['instances'])
    assert problem.startswith('vip1 (10.77.1.101): ' + sentence)
