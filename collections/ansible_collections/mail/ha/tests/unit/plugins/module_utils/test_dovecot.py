# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The fixtures are what Dovecot 2.4.1 said on three mailservers while six users had IMAP, POP3 and ManageSieve sessions through both
service addresses. In ``twice`` the second node had a seat of the first one's as well, and a session was opened there."""

from __future__ import annotations

import json
import os

import pytest

from ansible_collections.mail.ha.plugins.module_utils import dovecot
from ansible_collections.mail.ha.plugins.module_utils.checks import dovecot as check

HOSTS = ['mail1', 'mail2', 'mail3']
SEATS = {'seat%02d' % number: '10.77.1.2%02d' % number for number in range(1, 13)}


def said(name):
    with open(os.path.join(os.path.dirname(__file__), 'fixtures', 'dovecot', name + '.json'), encoding='utf-8') as handle:
        return json.load(handle)


def report(host, when=''):
    return dovecot.report(dovecot.sessions(said('who_%s%s' % (when, host))), dovecot.seats_held(SEATS, said('ip_%s%s' % (when, host))))


def reports(when=''):
    return {host: report(host, when) for host in HOSTS}


def test_served_and_passed_on_are_told_apart():
    assert report('mail1')['served'] == {'anna@alpha.test': {'imap': 2, 'pop3': 1, 'managesieve': 1}, 'cora@beta.test': {'imap': 2}}
    assert report('mail1')['sessions'] == {'served': {'imap': 4, 'pop3': 1, 'managesieve': 1},
                                           'proxied': {'imap': 4, 'pop3': 1, 'managesieve': 1}}


def test_a_holder_passes_on_to_itself():
    assert report('mail1')['proxied']['anna@alpha.test'] == {'pop3': 1, 'managesieve': 1}
    assert 'anna@alpha.test' in report('mail1')['served']


def test_everyone_is_served_by_the_holder_of_the_seat():
    assert {user for found in reports().values() for user in found['served']} == {
        'anna@alpha.test', 'ben@alpha.test', 'catchall@alpha.test', 'cora@beta.test', 'dave@beta.test', 'tiny@beta.test'}
    assert report('mail1')['seats'] == ['seat01', 'seat04', 'seat07', 'seat10']
    assert dovecot.verdict(reports()) == []


def test_a_user_served_by_two_nodes():
    user, seat = dovecot.verdict(reports('twice_'))
    assert user.startswith('anna@alpha.test is served by 2 nodes at once, expected one: mail1 (2 imap, 1 managesieve, 1 pop3), mail2 (1 imap).')
    assert seat.startswith('seat01 is held by 2 nodes at once, expected one: mail1, mail2.')


def test_a_delivery_whose_recipient_is_not_known_yet_is_nobodys():
    assert dovecot.sessions([{'username': '', 'service': 'lmtp', 'pid': '1', 'ip': '', 'dest_ip': ''}]) == []


def test_seats_are_compared_as_addresses():
    held = dovecot.seats_held({'six': '2001:db8:0::1'}, [{'ifname': 'x', 'addr_info': [{'local': '2001:db8::1'}, {}]}])
    assert held == ['six']


def services():
    return {found['name']: found for found in dovecot.services(said('service_status'), said('process_status'))}


def service(name, **changes):
    """One service of a healthy node, changed."""
    status, = (entry for entry in said('service_status') if entry['name'] == name)
    return {**dovecot.services([{**status, 'process_count': '1'}], [])[0], **changes}


def test_services():
    assert services()['imap-login']['capacity'] == 4000
    # six idle processes of LMTP; four sessions of IMAP, each with a process of its own
    assert (services()['lmtp']['processes'], services()['lmtp']['clients']) == (6, 0)
    assert (services()['imap']['processes'], services()['imap']['clients']) == (4, 4)
    assert 'dict' not in services()  # nobody uses it
    assert dovecot.service_problems(services().values()) == []


@pytest.mark.parametrize('name, changes, sentence', [
    ('imap', {'clients': 950}, 'service imap has 950 clients and takes 1000: raise its limit.'),
    ('auth-worker', {'processes': 4, 'clients': 4}, None),
    ('auth-worker', {'processes': 4, 'clients': 4, 'waiting': True}, 'clients wait for service auth-worker, all 4 processes of which are busy.'),
    ('pop3', {'throttled': True}, 'service pop3 fails again and again and is held back by Dovecot. Look at "journalctl -u dovecot".'),
])
def test_services_at_their_limits(name, changes, sentence):
    """Derived from the real answer of a healthy node."""
    assert dovecot.service_problems([service(name, **changes)]) == ([sentence] if sentence else [])


def run(argv):
    words = argv[3:]
    if words[0] == 'ip':
        return 0, json.dumps(said('ip_mail1')), ''
    return 0, json.dumps(said({'who': 'who_mail1', 'service': 'service_status', 'process': 'process_status'}[words[3]])), ''


def test_the_module():
    answer = check.examine({'seats': SEATS, 'timeout': 5}, run)
    assert answer['problems'] == []
    assert answer['seats'] == ['seat01', 'seat04', 'seat07', 'seat10']
    assert {found['name'] for found in answer['services']} >= {'imap', 'lmtp', 'auth'}


@pytest.mark.parametrize('code, err, reason', [
    # what a stopped Dovecot really says
    (75, 'Fatal: net_connect_unix(/run/dovecot/anvil) failed: Connection refused\n', 'failed: Connection refused'),
    (124, '', 'gave no answer within 5 s'),
])
def test_no_answer_is_a_problem(code, err, reason):
    problem, = check.examine({'seats': SEATS, 'timeout': 5}, lambda argv: (code, '', err))['problems']
    assert reason in problem and 'systemctl status dovecot' in problem
