# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The layouts of inventories/lab and inventories/example, one thing spoilt in each case, and what the report has to say."""

from __future__ import annotations

import copy

import pytest
from ansible_collections.mail.ha.plugins.module_utils import redundancy, redundancy_text
from ansible_collections.mail.ha.plugins.module_utils.topology import seat_holders, vip_holders

LAB = {
    'site_a': ['lb1', 'lb2', 'mail1', 'mail2', 'mail3', 'ops1'],
    'loadbalancers': ['lb1', 'lb2'], 'mailservers': ['mail1', 'mail2', 'mail3'], 'databases': ['mail1', 'mail2', 'mail3'],
    'monitors': ['ops1'], 'backups': ['ops1'], 'lab_infrastructure': ['outside'],
}
EXAMPLE = {
    'site_a': ['fw1', 'fw2', 'lb1', 'lb2', 'mail1', 'mail2', 'mail3', 'db1', 'db2', 'db3', 'ops1'],
    'firewalls': ['fw1', 'fw2'], 'loadbalancers': ['lb1', 'lb2'], 'mailservers': ['mail1', 'mail2', 'mail3'],
    'databases': ['db1', 'db2', 'db3'], 'monitors': ['ops1'], 'backups': ['ops1'],
}


def site(groups, racks=None, seats=None, **changes):
    """A site of these groups, with twelve seats and two VIPs."""
    facts = {
        'vips': vip_holders([{'name': f'vip{number}', 'prefers': name} for number, name in enumerate(groups['loadbalancers'], 1)],
                            groups['loadbalancers']),
        'seats': seat_holders(seats or [{'name': f'seat{number:02}'} for number in range(1, 13)], groups['mailservers']),
        'store': {'engine': 'glusterfs'}, 'synchronous_standbys': 1, 'nameservers': ['192.0.2.53', '192.0.2.54'],
        'ntp_servers': ['a', 'b', 'c', 'd'], 'uplinks': 1, 'own_authority': True, 'allow_all': False, 'accepted': ['site_a'],
    }
    names = {name for hosts in groups.values() for name in hosts}
    hostvars = {name: {'mail_rack': racks[name]} if racks and name in racks else {} for name in names}
    return redundancy.site_of(groups, hostvars, {**facts, **changes})


def report(*arguments, **changes):
    return redundancy.report(site(*arguments, **changes))


def loss(found, name):
    return next(item for item in found['losses'] if item['name'] == name)


def states(item):
    return {service: answer['state'] for service, answer in item['services'].items()}


def spoilt(groups, **changes):
    return {**copy.deepcopy(groups), **changes}


@pytest.mark.parametrize('groups', [LAB, EXAMPLE], ids=['lab', 'example'])
def test_every_service_survives_each_host(groups):
    found = report(groups)
    assert not found['failures']
    for item in found['losses']:
        if item['kind'] == 'host':
            assert [states(item)[service] for service in redundancy.FELT] == ['up'] * 3, item['name']
    assert loss(found, 'nothing')['services']['smtp'] == {'state': 'up', 'margin': 1}
    assert set(states(loss(found, 'site_a')).values()) == {'down'}


def test_a_lost_mailserver_says_who_takes_over_and_what_is_left():
    item = loss(report(LAB), 'mail1')
    assert sorted(move['to'] for move in item['seats'].values()) == ['mail2', 'mail2', 'mail3', 'mail3']
    assert (item['load'], item['load_factor']) == ({'mail2': 6, 'mail3': 6}, 1.5)
    assert item['etcd'] == {'alive': 2, 'members': 3, 'quorum': 2}
    assert item['postgresql'] == {'alive': 2, 'leader': True, 'synchronous': True}
    assert item['store'] == {'alive': 2, 'copies': 3, 'writable': True}
    assert item['services']['smtp']['margin'] == 0


def test_a_lost_loadbalancer_moves_its_vip():
    assert loss(report(LAB), 'lb1')['vips'] == {'vip1': {'from': 'lb1', 'to': 'lb2'}}


def test_no_standby_left_is_told_although_a_leader_is_possible():
    item = loss(report(LAB, synchronous_standbys=2), 'mail1')
    assert item['postgresql'] == {'alive': 2, 'leader': True, 'synchronous': False}
    assert 'NO synchronous standby' in redundancy_text.screen(report(LAB, synchronous_standbys=2))


def test_all_databases_in_one_rack():
    found = report(EXAMPLE, {name: 'r1' if name.startswith('db') else name for name in EXAMPLE['site_a']})
    sentence, = found['failures']
    assert sentence.startswith('r1 (rack): smtp, imap and accounts lost with it, for it holds 3 of 3 etcd members (db1, db2 and db3), 2 are needed')
    assert sentence.endswith('or accept it: mail_accepted_single_points: [r1]')


def test_two_etcd_members_in_one_site_of_two():
    groups = spoilt(EXAMPLE, site_a=[name for name in EXAMPLE['site_a'] if name != 'db3'], site_b=['db3'])
    found = report(groups, accepted=[])
    assert [sentence.partition(' ')[0] for sentence in found['failures']] == ['site_a']
    assert '2 of 3 etcd members (db1 and db2), 2 are needed' in found['failures'][0]
    assert states(loss(found, 'site_b'))['accounts'] == 'up'


def test_two_copies_of_the_store_in_one_rack():
    found = report(EXAMPLE, {'mail1': 'r1', 'mail2': 'r1', 'mail3': 'r2'})
    assert 'r1 (rack): smtp and imap lost with it, for it holds 2 of 3 copies of the store' in found['failures'][0]


def test_one_loadbalancer():
    groups = spoilt(LAB, site_a=[name for name in LAB['site_a'] if name != 'lb2'], loadbalancers=['lb1'])
    sentence, = report(groups)['failures']
    assert sentence.startswith('lb1 (host): smtp and imap lost with it, for it holds the only one of loadbalancers (lb1)')


def test_seats_whose_holders_share_a_rack():
    groups = spoilt(LAB, mailservers=['mail1', 'mail2', 'mail3', 'mail4', 'mail5'], site_a=LAB['site_a'] + ['mail4', 'mail5'])
    seats = [{'name': 'seat01', 'holders': ['mail4', 'mail5']}, {'name': 'seat02'}]
    found = report(groups, {'mail4': 'r4', 'mail5': 'r4'}, seats)
    assert states(loss(found, 'r4'))['imap'] == 'partly'
    sentence, = found['failures']
    assert sentence.startswith('r4 (rack): imap lost with it, for it holds all holders of seat01')


def test_one_resolver_fails_and_none_warns():
    assert 'dns (outside): outbound mail lost with it, for 192.0.2.53 is the only resolver' in report(LAB, nameservers=['192.0.2.53'])['failures'][0]
    found = report(LAB, nameservers=[])
    assert not found['failures'] and any(sentence.startswith('dns (outside)') for sentence in found['warnings'])


def test_things_that_no_inventory_shows_twice_are_warnings_with_a_reason_and_a_remedy():
    warnings = report(LAB, ntp_servers=[], store={'engine': 'mounted'})['warnings']
    for name in ('ops1 (host)', 'zone (outside)', 'ntp (outside)', 'firewall (outside)', 'shared_store (outside)', 'control_node (outside)',
                 'ca_key (outside)', 'mail_rack'):
        assert any(sentence.startswith(name) for sentence in warnings), name
    assert not any(sentence.startswith('firewall') for sentence in report(EXAMPLE)['warnings'])


@pytest.mark.parametrize('groups, uplinks, named', [(EXAMPLE, 0, True), (EXAMPLE, 2, False), (LAB, 0, False)])
def test_one_provider_is_worth_a_warning_where_the_firewalls_are_ours(groups, uplinks, named):
    found = report(groups, uplinks=uplinks)
    assert any(sentence.startswith('provider (outside)') for sentence in found['warnings']) == named
    assert not found['failures'], 'whether the provider has two of everything is not in the inventory'
    for point in report(LAB)['single_points']:
        assert point['why'] and point['bearable'] and point['remedy']


def test_accepted_ones_are_warnings():
    assert any(sentence.startswith('site_a (site)') and sentence.endswith('(accepted)') for sentence in report(LAB)['warnings'])
    assert not report(LAB, accepted=[], allow_all=True)['failures']
    assert len(report(LAB, accepted=[])['failures']) == 1


def test_an_accepted_name_that_does_not_exist_is_an_error_and_one_that_is_none_any_more_a_warning():
    with pytest.raises(ValueError, match='mail_accepted_single_points: lb9 is nothing that can fail here'):
        report(LAB, accepted=['site_a', 'lb9'])
    assert 'mail_accepted_single_points: lb2 is no single point of failure any more; remove it from the list' in report(
        LAB, accepted=['site_a', 'lb2'])['warnings']


def test_a_site_that_cannot_work_at_all_fails():
    groups = spoilt(LAB, databases=[])
    assert 'accounts: it cannot work even with all hosts of the inventory' in ' '.join(report(groups)['failures'])


def test_half_a_pair_of_copies_is_enough_when_the_first_is_among_them():
    groups = spoilt(EXAMPLE, mailservers=['mail1', 'mail2'])
    found = report(groups)
    assert loss(found, 'mail2')['store']['writable'] and not loss(found, 'mail1')['store']['writable']


def test_the_screen_is_one_screen():
    lines = redundancy_text.screen(report(LAB)).splitlines()
    assert len(lines) < 25
    assert [line.split()[0] for line in lines[:3]] == ['WITHOUT', 'nothing', 'lb1']
    assert lines[-1].startswith('Every service survives')


def test_the_picture_shows_places_and_marks():
    lab = site(LAB, {'mail1': 'r1', 'mail2': 'r1', 'mail3': 'r2'})
    text = redundancy_text.picture(lab, redundancy.report(lab))
    assert text.startswith('```mermaid\nflowchart TB\n') and text.endswith('```\n')
    assert text.count('subgraph') == text.count('  end') == 3
    assert 'class rack_r1 single' in text and 'class site_site_a accepted' in text
    assert 'host_lb1 --> host_mail1' in text and 'host_mail1 --> host_mail2' not in text
