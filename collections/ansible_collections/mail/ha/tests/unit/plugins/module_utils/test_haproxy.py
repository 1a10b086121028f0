# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The fixtures are what the Runtime API of HAProxy 3.0.11 said on one of two loadbalancers before three mailservers: all well; mail3 in
maintenance, by its agent; mail1 drained in two backends by haproxy_server and HAProxy reloaded after it; Postfix of mail3 stopped;
Dovecot of mail2 not answering, and that of mail1 not once. Columns after `algo` and most lines of "show info" were cut off."""

from __future__ import annotations

import os
import socket
import threading

import pytest

from ansible_collections.mail.ha.plugins.module_utils import haproxy
from ansible_collections.mail.ha.plugins.module_utils.checks import haproxy as check

SERVICES = ['smtp', 'submissions', 'submission', 'imaps', 'pop3s', 'sieve']


def answers(case):
    """{command: answer} of a fixture."""
    with open(os.path.join(os.path.dirname(__file__), 'fixtures', 'haproxy', case + '.txt'), encoding='utf-8') as handle:
        return {part.partition('\n')[0]: part.partition('\n')[2] for part in handle.read().split('=== ')[1:]}


def servers(case):
    return haproxy.servers(answers(case)['show stat'], answers(case)['show servers state'])


def of(found, backend, name):
    return next(entry for entry in found if (entry['backend'], entry['name']) == (backend, name))


def test_the_module_says_it_all():
    answer = check.examine(answers('healthy').get)
    assert (answer['version'], answer['uptime'], answer['services'], answer['problems']) == ('3.0.11-1+deb13u5', 615, SERVICES, [])
    assert len(answer['servers']) == (len(SERVICES) + 2) * 3
    assert of(answer['servers'], 'imaps', 'mail2') == {
        'backend': 'imaps', 'name': 'mail2', 'address': '10.77.1.22:10993', 'status': 'UP', 'status_text': 'UP', 'usable': True,
        'admin': 'ready', 'tracks': 'health_dovecot/mail2', 'check': 'L7OK', 'agent': 'L7OK',
        'reason': 'check L7OK Layer7 check passed (tcp-check); agent L7OK via agent : up', 'sessions': 0, 'last_change': 75}


@pytest.mark.parametrize('case, name, status, text, admin, usable', [
    ('healthy', 'smtp/mail3', 'UP', 'UP', 'ready', True),
    ('mail3_drained', 'smtp/mail3', 'DRAIN', 'DRAIN (agent)', 'ready', False),
    ('mail3_maint', 'smtp/mail3', 'MAINT', 'MAINT (via health_postfix/mail3)', 'ready', False),
    ('mail1_drained_here', 'imaps/mail1', 'DRAIN', 'DRAIN (agent)', 'drain', False),
    ('mail1_drained_here', 'sieve/mail1', 'UP', 'UP', 'ready', True),
    ('mail3_postfix_down', 'smtp/mail3', 'DOWN', 'DOWN', 'ready', False),
    ('mail2_dovecot_down', 'imaps/mail1', 'UP', 'UP 1/2', 'ready', True),
])
def test_states(case, name, status, text, admin, usable):
    found = of(servers(case), *name.split('/'))
    assert (found['status'], found['status_text'], found['admin'], found['usable']) == (status, text, admin, usable)


def test_sessions():
    assert [of(servers('mail2_dovecot_down'), 'submissions', name)['sessions'] for name in ('mail1', 'mail2', 'mail3')] == [0, 3, 2]


@pytest.mark.parametrize('case', ['healthy', 'mail3_drained', 'mail3_maint', 'mail1_drained_here'])
def test_what_was_asked_for_is_no_problem(case):
    assert haproxy.problems(servers(case)) == []


def test_a_server_that_is_down_is_told_once_with_what_it_takes_along():
    assert haproxy.problems(servers('mail3_postfix_down')) == [
        'Server health_postfix/mail3 (10.77.1.23:10026) is DOWN for smtp, submissions, submission, expected UP: check L4CON Layer4 connection '
        'problem Connection refused at initial connection step of tcp-check; agent L7OK via agent : up.']


def test_nobody_is_held_back_where_all_is_well_or_a_check_says_why():
    for case in ('healthy', 'mail3_postfix_down', 'mail2_dovecot_down'):
        assert haproxy.held_back(servers(case)) == {}, case


def test_held_back_by_the_runtime_api():
    assert haproxy.held_back(servers('mail1_drained_here')) == {'mail1': [
        'imaps/mail1, pop3s/mail1: found set to drain here, expected ready and UP, for mail1 is in service. New sessions do not go there. Set them to '
        'ready with mail.ha.haproxy_server, or each with "echo set server BACKEND/SERVER state ready | socat - /run/haproxy/admin.sock".']}


@pytest.mark.parametrize('case, status, admin', [
    ('mail3_drained', 'DRAIN (agent)', 'drain'), ('mail3_maint', 'MAINT (via health_%s/mail3)', 'maint')])
def test_held_back_by_the_agent(case, status, admin):
    """True of a node that is in service all the same; whether it is, the caller knows."""
    (name, sentences), = haproxy.held_back(servers(case)).items()
    assert name == 'mail3'
    assert [sentence.partition(', expected')[0] for sentence in sentences] == [
        '%s: found %s, for health_%s/mail3 is set to %s' % (
            ', '.join(service + '/mail3' for service in services), status.replace('%s', check), check, admin)
        for check, services in (('postfix', SERVICES[:3]), ('dovecot', SERVICES[3:]))]
    assert all('look at "systemctl status ha-mail-agent" there (last: ' in sentence for sentence in sentences)


def test_derived_held_back_and_down_besides():
    """It will be missed when it comes up again."""
    found = servers('mail3_postfix_down')
    of(found, 'smtp', 'mail3')['admin'] = 'drain'
    assert haproxy.held_back(found)['mail3'][0].startswith('smtp/mail3: found set to drain here, expected ready and UP')


def test_derived_held_back_by_its_weight():
    said = answers('healthy')
    stat = said['show stat'].replace(',UP,1,', ',UP,0,', 1)
    (name, (sentence,)), = haproxy.held_back(haproxy.servers(stat, said['show servers state'])).items()
    assert name == 'mail1' and sentence.startswith('smtp/mail1: found UP with a weight of 0, expected ready and UP, for mail1 is in service.')
    assert 'socat - /run/haproxy/admin.sock", each.' in sentence and 'weight 100% |' in sentence


def test_derived_the_last_usable_server_is_gone():
    """mail1 and mail2 drained, while mail3 is down."""
    said = answers('mail3_postfix_down')
    stat = '\n'.join(line.replace(',UP,', ',DRAIN (agent),', 1) if line.startswith(('smtp,mail1,', 'smtp,mail2,')) else line
                     for line in said['show stat'].splitlines())
    problems = haproxy.problems(haproxy.servers(stat, said['show servers state']))
    assert problems[0] == ('Service smtp has no usable server: mail1 is DRAIN (agent), mail2 is DRAIN (agent), mail3 is DOWN. New sessions are '
                           'refused until one is UP; look at the mailservers.')
    assert len(problems) == 2


def test_derived_a_server_with_a_check_of_its_own_is_told_by_itself():
    stat = '# pxname,svname,scur,status,weight,lastchg,tracked,type,check_status,last_chk,last_agt,agent_status,check_desc,addr\n' \
           'web,a,0,DOWN,1,5,,2,L4TOUT,,,,Layer4 timeout,192.0.2.1:80\nweb,b,0,no check,1,5,,2,,,,,,192.0.2.2:80\n'
    assert haproxy.problems(haproxy.servers(stat, '1\n# be_name srv_name srv_admin_state\n')) == [
        'Server web/a (192.0.2.1:80) is DOWN, expected UP: check L4TOUT Layer4 timeout.']


@pytest.mark.parametrize('names, backends, message', [
    (['mail9'], [], 'Backend smtp has no server mail9; it has mail1, mail2, mail3.'),
    (['mail1', 'mail9'], ['imaps'], 'Backend imaps has no server mail9; it has mail1, mail2, mail3.'),
    (['mail1'], ['http'], 'There is no backend http; there are smtp, submissions, submission, imaps, pop3s, sieve.'),
    (['mail1'], ['imaps', 'health_dovecot'], 'Backend health_dovecot takes no traffic; it is only tracked'),
])
def test_what_does_not_exist_is_refused(names, backends, message):
    with pytest.raises(haproxy.HaproxyError) as error:
        haproxy.select(servers('healthy'), names, backends)
    assert message in str(error.value)


def test_without_a_backend_all_that_take_traffic_are_meant():
    assert [(entry['backend'], entry['name']) for entry in haproxy.select(servers('healthy'), ['mail1'], [])] == [
        (service, 'mail1') for service in SERVICES]


@pytest.mark.parametrize('parse', [haproxy.info, haproxy.admin_states, lambda text: haproxy.servers(text, '')])
def test_an_answer_that_is_none_is_an_error(parse):
    for text in ('', 'Permission denied\n', "Unknown command: 'show'\n"):
        with pytest.raises(haproxy.HaproxyError, match='HAProxy answered'):
            parse(text)


def test_the_socket_is_asked_and_read_to_its_end(tmp_path):
    path = str(tmp_path / 'admin.sock')
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(1)

    def serve():
        with listener, listener.accept()[0] as sock:
            assert sock.recv(100) == b'show stat\n'
            for _turn in range(3):
                sock.sendall(b'x' * 100000)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    assert haproxy.ask('show stat', path) == 'x' * 300000
    thread.join()
    with pytest.raises(haproxy.HaproxyError, match='HAProxy does not answer "show stat" at .*admin.sock: .*Connection refused.*systemctl status haproxy'):
        haproxy.ask('show stat', path)
