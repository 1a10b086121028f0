# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The balancer here is small and made up; how a real one answers is in test_haproxy.py."""

from __future__ import annotations

import pytest

from ansible_collections.mail.ha.plugins.module_utils import haproxy
from ansible_collections.mail.ha.plugins.modules.haproxy_server import Servers

BITS = {'ready': 0, 'maint': 1, 'drain': 8}
STATUS = {'ready': 'UP', 'drain': 'DRAIN', 'maint': 'MAINT'}


class Balancer:
    """A stand-in for the admin socket: two services, each with two servers that track a check. A session ends with each second."""

    def __init__(self, sessions=0, deaf=False):
        self.admin = {(backend, name): 'ready' for backend in ('smtp', 'imaps') for name in ('mail1', 'mail2')}
        self.sessions = sessions
        self.deaf = deaf
        self.commands = []
        self.now = 0.0

    def sleep(self, seconds):
        self.now += seconds

    def ask(self, command):
        if command == 'show stat':
            lines = ['# pxname,svname,scur,status,weight,lastchg,tracked,type,check_status,last_chk,last_agt,agent_status,check_desc,addr']
            for (backend, name), state in self.admin.items():
                left = max(0, self.sessions - int(self.now)) if (backend, name) == ('imaps', 'mail1') else 0
                lines.append('%s,%s,%d,%s,1,9,health/%s,2,,,,,,192.0.2.1:1' % (backend, name, left, STATUS[state], name))
            lines.extend('health,%s,0,UP,1,9,,2,L7OK,,,,,192.0.2.1:2' % name for name in ('mail1', 'mail2'))
            return '\n'.join(lines) + '\n\n'
        if command == 'show servers state':
            return '1\n# be_name srv_name srv_admin_state\n' + ''.join(
                '%s %s %d\n' % (backend, name, BITS[state]) for (backend, name), state in self.admin.items()) + '\n'
        self.commands.append(command)
        if self.deaf:
            return 'Permission denied\n'
        target, state = command.split()[2], command.split()[4]
        self.admin[tuple(target.split('/'))] = state
        return '\n'


def servers(balancer, state='drain', names=('mail1',), backends=(), check_mode=False, wait=False, deadline=60):
    return Servers({'servers': list(names), 'backends': list(backends), 'state': state, 'wait': wait, 'deadline': deadline}, check_mode,
                   balancer.ask, clock=lambda: balancer.now, sleep=balancer.sleep).ensure()


def test_a_server_is_drained_in_every_service_and_nowhere_else_and_once():
    balancer = Balancer()
    answer = servers(balancer)
    assert balancer.commands == ['set server smtp/mail1 state drain', 'set server imaps/mail1 state drain']
    assert answer['changed'] and answer['drained']
    assert answer['servers'] == [
        {'backend': backend, 'name': 'mail1', 'old': 'ready', 'new': 'drain', 'status': 'DRAIN', 'sessions': 0} for backend in ('smtp', 'imaps')]
    assert answer['diff'] == {'before': 'smtp/mail1 ready\nimaps/mail1 ready\n', 'after': 'smtp/mail1 drain\nimaps/mail1 drain\n'}
    assert servers(balancer)['changed'] is False
    assert len(balancer.commands) == 2


def test_only_what_differs_is_set():
    balancer = Balancer()
    balancer.admin['smtp', 'mail1'] = 'maint'
    answer = servers(balancer, 'maint', names=('mail1', 'mail2'), backends=('smtp',))
    assert balancer.commands == ['set server smtp/mail2 state maint']
    assert [entry['old'] for entry in answer['servers']] == ['maint', 'ready']


def test_check_mode_tells_the_change_and_leaves_nothing():
    balancer = Balancer(sessions=5)
    answer = servers(balancer, check_mode=True, wait=True)
    assert answer['changed'] and not answer['drained']
    assert answer['diff']['before'] != answer['diff']['after']
    assert (balancer.commands, balancer.now, set(balancer.admin.values())) == ([], 0.0, {'ready'})
    assert servers(balancer, 'ready', check_mode=True)['changed'] is False


def test_it_waits_until_the_sessions_are_gone():
    answer = servers(Balancer(sessions=7), wait=True)
    assert (answer['drained'], answer['waited']) == (True, 7.0)


def test_it_waits_for_a_server_that_was_drained_before():
    balancer = Balancer(sessions=7)
    servers(balancer)
    answer = servers(balancer, wait=True)
    assert (answer['changed'], answer['drained'], answer['waited']) == (False, True, 7.0)


def test_sessions_that_stay_to_the_deadline_are_told():
    answer = servers(Balancer(sessions=100), wait=True, deadline=10)
    assert (answer['drained'], answer['waited'], answer['servers'][1]['sessions']) == (False, 10.0, 90)


def test_nothing_is_waited_for_when_a_server_comes_back():
    assert servers(Balancer(sessions=7), 'ready', wait=True)['waited'] == 0.0


def test_an_unknown_server_changes_nothing():
    balancer = Balancer()
    with pytest.raises(haproxy.HaproxyError, match='Backend smtp has no server mail9; it has mail1, mail2'):
        servers(balancer, names=('mail1', 'mail9'))
    assert balancer.commands == []


def test_a_refusal_is_passed_on():
    with pytest.raises(haproxy.HaproxyError, match='HAProxy answered "Permission denied" to "set server smtp/mail1 state drain"'):
        servers(Balancer(deaf=True))


def test_a_state_that_does_not_stay_is_a_failure():
    balancer = Balancer()

    def ask(command):
        return '\n' if command.startswith('set') else balancer.ask(command)
    with pytest.raises(haproxy.HaproxyError, match='smtp/mail1 is ready after it was set to drain; somebody else sets it, too'):
        Servers({'servers': ['mail1'], 'backends': [], 'state': 'drain', 'wait': False, 'deadline': 1}, False, ask).ensure()
