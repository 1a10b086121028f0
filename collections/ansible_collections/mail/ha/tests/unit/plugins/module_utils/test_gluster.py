# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The fixtures are what GlusterFS 11.1 said on the first of three nodes while the third was down."""

from __future__ import annotations

import os

import pytest

from ansible_collections.mail.ha.plugins.module_utils import gluster

ONE, TWO, THREE = '192.0.2.21', '192.0.2.22', '192.0.2.23'
MEMBERS = [ONE, TWO, THREE]
BRICKS = [member + ':/var/lib/ha-mail/brick' for member in MEMBERS]


def said(name):
    with open(os.path.join(os.path.dirname(__file__), 'fixtures', 'gluster', name + '.xml'), encoding='utf-8') as handle:
        return handle.read()


def peers():
    return gluster.peers(said('peer_status'))


def volume():
    return gluster.volume(said('volume_info'), 'mail')


def test_peers():
    assert {peer['names'][0]: (peer['connected'], peer['in_cluster']) for peer in peers()} == {TWO: (True, True), THREE: (False, True)}


def test_volume():
    found = volume()
    assert found['started']
    assert [brick['name'] for brick in found['bricks']] == BRICKS
    assert found['options']['network.ping-timeout'] == '3'
    assert found['options']['auth.allow'] == ','.join(MEMBERS)


def test_unknown_volume_is_none():
    assert gluster.volume(said('volume_info'), 'other') is None


def test_services_name_bricks_as_the_volume_does():
    online = [service['name'] for service in gluster.services(said('volume_status')) if service['online']]
    assert set(BRICKS[:2]) <= set(online)
    assert BRICKS[2] not in online
    assert gluster.SELF_HEAL_DAEMON in online


def test_heals_of_a_brick_that_is_down():
    heals = gluster.heals(said('heal_summary'))
    assert [heal['connected'] for heal in heals] == [True, True, False]
    assert [heal['pending'] for heal in heals] == [0, 1, 0]


def test_an_error_is_raised_with_its_reason():
    with pytest.raises(gluster.GlusterError, match='invalid time format "x"'):
        gluster.parse(said('volume_set_refused'))


@pytest.mark.parametrize('text, reason', [
    ('Connection failed. Please check if gluster daemon is operational.\n', 'Connection failed'),
    ('', 'no answer'),
])
def test_no_xml_is_an_error(text, reason):
    with pytest.raises(gluster.GlusterError, match=reason):
        gluster.parse(text)


def test_uuids_include_the_node_that_was_asked():
    known = gluster.uuids(MEMBERS, peers(), volume())
    assert known == {brick['name'].rpartition(':')[0]: brick['uuid'] for brick in volume()['bricks']}
    assert sorted(known) == MEMBERS


def test_nothing_to_do():
    assert gluster.steps(ONE, MEMBERS, BRICKS, {'network.ping-timeout': '3'}, peers(), volume()) == []


def test_only_options_that_differ_are_set():
    options = {'network.ping-timeout': '4', 'performance.quick-read': 'off', 'cluster.heal-timeout': '60'}
    assert gluster.steps(ONE, MEMBERS, BRICKS, options, peers(), volume()) == [('set', {'network.ping-timeout': '4'})]


def test_a_stopped_volume_is_started():
    assert gluster.steps(ONE, MEMBERS, BRICKS, {}, peers(), {**volume(), 'started': False}) == [('start', None)]


def test_from_nothing():
    assert gluster.steps(ONE, MEMBERS, BRICKS, {'a': '1'}, [], None) == [
        ('probe', TWO), ('probe', THREE), ('create', BRICKS), ('set', {'a': '1'}), ('start', None)]


def test_a_peer_known_by_name_first_is_probed_by_address():
    found = [{**peer, 'names': ['mail2.nodes.example'] + peer['names']} if TWO in peer['names'] else peer for peer in peers()]
    assert gluster.steps(ONE, MEMBERS, BRICKS, {}, found, volume()) == [('probe', TWO)]


def test_moved_bricks_are_refused():
    with pytest.raises(gluster.GlusterError, match='replace-brick'):
        gluster.steps(ONE, MEMBERS, BRICKS[:2] + ['192.0.2.24:/var/lib/ha-mail/brick'], {}, peers(), volume())


def test_problems_of_a_cluster_with_a_dead_node():
    told = gluster.problems(ONE, MEMBERS, BRICKS, peers(), volume(), gluster.services(said('volume_status')),
                            gluster.heals(said('heal_summary')))
    assert told == ['%s is not connected' % THREE, 'brick %s is not online' % BRICKS[2],
                    '1 files wait to be healed according to %s' % BRICKS[1]]


def test_no_problems():
    services = [{'name': name, 'uuid': '', 'online': True} for name in BRICKS + [gluster.SELF_HEAL_DAEMON]]
    whole = [{**peer, 'connected': True} for peer in peers()]
    heals = [{'name': name, 'connected': True, 'pending': 0, 'split_brain': 0} for name in BRICKS]
    assert gluster.problems(ONE, MEMBERS, BRICKS, whole, volume(), services, heals) == []
    # No answer is no good answer.
    assert gluster.problems(ONE, MEMBERS, BRICKS, whole, volume(), services, []) == ['nobody says what waits to be healed']
    heals[1]['connected'] = False
    assert gluster.problems(ONE, MEMBERS, BRICKS, whole, volume(), services, heals) == ['what waits to be healed on %s is not known' % BRICKS[1]]


@pytest.mark.parametrize('heal, sentence', [
    ({'name': 'b', 'connected': True, 'pending': 0, 'split_brain': 2}, '2 files in split-brain on b'),
    ({'name': 'b', 'connected': True, 'pending': 7, 'split_brain': 0}, '7 files wait to be healed according to b'),
])
def test_heals_are_problems(heal, sentence):
    services = [{'name': name, 'uuid': '', 'online': True} for name in BRICKS + [gluster.SELF_HEAL_DAEMON]]
    whole = [{**peer, 'connected': True} for peer in peers()]
    assert gluster.problems(ONE, MEMBERS, BRICKS, whole, volume(), services, [heal]) == [sentence]


def test_no_volume_is_one_problem():
    assert gluster.problems(ONE, MEMBERS, BRICKS, [], None, [], []) == ['this node knows no such volume']


def test_a_node_that_asks_at_the_same_time_is_waited_for():
    busy = '<cliOutput><opRet>-1</opRet><opErrstr>Another transaction is in progress for mail. Please try again after some time.</opErrstr></cliOutput>'
    answers, pauses = [busy, busy, said('peer_status')], []
    asked = {'name': 'nothing', 'address': '', 'members': [], 'brick_members': [], 'brick_path': '/b'}
    found = gluster.state(asked, lambda argv: (0, answers.pop(0) if answers else said('volume_info'), ''), pauses.append)
    assert len(pauses) == 2 and 'glusterd gave no useful answer' not in ' '.join(found['problems'])
    for_ever = gluster.state(asked, lambda argv: (0, busy, ''), pauses.append)
    assert for_ever['problems'] == ['glusterd gave no useful answer: Another transaction is in progress for mail. Please try again after some time.']
    assert len(pauses) == 2 + gluster.TRIES
