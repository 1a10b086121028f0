# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The answers are those of roles/node_agent/files/maintenance on a node."""

from __future__ import annotations

import pytest

from ansible_collections.mail.ha.plugins.module_utils import maintenance
from ansible_collections.mail.ha.plugins.modules import node_maintenance

READY = {'state': 'ready', 'vrrp_weight': 0}
DRAIN = {'state': 'drain', 'vrrp_weight': -250}


class Node:
    """A stand-in for asking.run: a node with the switch."""

    def __init__(self, state='ready', weight=0, stuck=False):
        self.state = state
        self.weight = weight
        self.stuck = stuck
        self.commands = []

    def run(self, command):
        assert command[0] == node_maintenance.PROGRAM
        words = command[1:]
        if words == ['status']:
            return (0 if self.state != 'invalid' else 1,
                    '{"state": "%s", "vrrp_weight": %s}\n' % (self.state, 'null' if self.weight is None else self.weight), '')
        self.commands.append(words)
        if not self.stuck:
            self.state = 'ready' if words == ['exit'] else words[1]
            self.weight = maintenance.WEIGHTS[self.state]
        return 0, 'changed: %s (was ready)\n' % self.state, ''


def test_the_switch_is_set_once():
    node = Node()
    answer = node_maintenance.ensure('drain', False, node.run)
    assert answer == {'changed': True, 'old': READY, 'new': DRAIN,
                      'diff': {'before': 'state ready\nvrrp_weight 0\n', 'after': 'state drain\nvrrp_weight -250\n'}}
    assert node_maintenance.ensure('drain', False, node.run)['changed'] is False
    assert node.commands == [['enter', 'drain']]
    assert node_maintenance.ensure('ready', False, node.run)['new'] == READY
    assert node.commands[1:] == [['exit']]


@pytest.mark.parametrize('state, changed', [('drain', True), ('maint', True), ('ready', False)])
def test_check_mode_tells_the_change_and_leaves_nothing(state, changed):
    node = Node()
    answer = node_maintenance.ensure(state, True, node.run)
    assert (answer['changed'], answer['old'], answer['new']) == (changed, READY, maintenance.wanted(state))
    assert (answer['diff']['before'] != answer['diff']['after']) == changed
    assert node.commands == []


@pytest.mark.parametrize('node', [Node('invalid', 0), Node('ready', None), Node('ready', -250)])
def test_a_state_that_makes_no_sense_and_a_number_that_does_not_follow_are_mended(node):
    assert node_maintenance.ensure('ready', True, node.run)['changed']
    assert node_maintenance.ensure('ready', False, node.run)['new'] == READY
    assert node.commands == [['exit']]


def test_a_switch_that_does_not_move_is_a_failure():
    with pytest.raises(maintenance.MaintenanceError, match=r"enter drain: exit code 0.*found .*'ready'.*expected .*'drain'"):
        node_maintenance.ensure('drain', False, Node(stuck=True).run)


def test_a_node_without_the_program_is_named_with_the_cure():
    def run(command):
        raise FileNotFoundError(2, 'No such file or directory')
    with pytest.raises(maintenance.MaintenanceError, match='maintenance cannot be run: .* Apply the role node_agent'):
        node_maintenance.ensure('drain', False, run)


def test_an_answer_that_is_none_is_shown():
    with pytest.raises(maintenance.MaintenanceError, match="maintenance status: found 'Traceback"):
        node_maintenance.ensure('drain', True, lambda command: (1, '', 'Traceback'))
