"""Verdicts of drills. Journals are what nodes of the lab said; the ledgers here are written by hand, second by second."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.mail.ha.plugins.module_utils import drill, objectives

FIXTURES = Path(__file__).parent / 'fixtures' / 'drill'
FAILURES = objectives.derive({})['failures']
RUNS = [{'begun': 10.0, 'watched': 30.0}]


def journal(name):
    """Events of a journal."""
    return drill.journal_events((FIXTURES / name).read_text(encoding='utf-8'))


def ledger(blind=(), services=drill.PROBED, vips=('vip1', 'vip2'), every=0.25):
    """Records from 0 to 40 s: a probe each ``every`` seconds; ``blind`` are ``(service, vip, from, to)`` without an answer."""
    records = [{'e': 'run', 't': -1.0}, {'e': 'sending', 't': 0.0}]
    for step in range(int(40 / every)):
        time = step * every
        for service in services:
            for vip in vips:
                dead = any(service == of and vip == at and begin < time < end for of, at, begin, end in blind)
                records.append({'e': 'probe', 'p': service, 'vip': vip, 'ok': not dead, 't': time})
    return records


def writes(blind=()):
    """Commits twice a second from 0 to 40 s, but for the times in ``blind``."""
    return [step / 2 for step in range(80) if not any(begin < step / 2 < end for begin, end in blind)]


def report(lost=0, duplicated=0):
    """What is looked at in report.json."""
    broken = lost + duplicated
    return {'messages': {'accepted': 800, 'lost': lost, 'duplicated': duplicated},
            'verdict': {'ok': not broken, 'sentences': [f'{broken} of 800 messages: broken.' if broken else 'All is well.']}}


def judge(fault, records=None, written=None, reported=None):
    """A verdict where everything that is not given is fine."""
    return drill.judge(fault, FAILURES, ledger() if records is None else records, writes() if written is None else written,
                       reported or report(), RUNS)


def guarded(*sessions):
    """A verdict on a fault that sessions have to live through; ``(time, up)`` of sessions, besides one from the start."""
    records = ledger() + [{'e': 'session', 'to': 'anna', 'by': 'idle', 'vip': 'vip1', 'up': up, 't': time, 'kind': '' if up else 'closed'}
                          for time, up in sessions]
    return drill.judge('firewall-killed', FAILURES, records, writes(), report(), RUNS, sessions_live=True)


def row(verdict, service):
    """The row of a service."""
    return next(item for item in verdict['rows'] if item['service'] == service)


def test_a_balancer_gives_up_and_takes_back():
    events = [event['text'] for event in journal('journal-lb1') if event['kind'] == 'detection']
    assert 'lb1: health_dovecot/mail2 DOWN' in events
    assert events[-1] == 'lb1: health_dovecot/mail2 UP'
    assert len(events) == len(set(events)), 'said twice: on stderr, and by those that follow another one'


def test_seats_move_at_the_time_that_keepalived_says():
    events = journal('journal-mail2')
    assert {'time': 1795559104.077169, 'kind': 'takeover', 'text': 'mail2: seat02 MASTER'} in events
    assert all(event['time'] <= later['time'] for event, later in zip(events, events[1:]))
    assert not [event for event in events if 'RX_LOWER' in event['text']]


def test_a_firewall_says_who_it_is():
    text = ('1795556351.25 fw2 ha-mail-firewall: this member is MASTER\n1795556352.5 fw2 ha-mail-firewall[3121]: this member is BACKUP\n'
            '1795556353.0 fw2 ha-mail-firewall-watch[810]: state FAULT, silent: none, fault 0, yield 0\n')
    assert [(event['time'], event['kind'], event['text']) for event in drill.journal_events(text)] == [
        (1795556351.25, 'takeover', 'fw2: firewall MASTER'), (1795556352.5, 'takeover', 'fw2: firewall BACKUP')]


def test_lines_of_others_are_no_events():
    assert drill.journal_events('') == []
    assert drill.journal_events('-- No entries --\n1795559104.07 mail2 systemd[1]: Started haproxy.service\n') == []


def test_gaps_reach_over_the_edges_of_the_window():
    assert drill.gaps([8, 13, 31], 10, 30) == [(18, 13, 31), (5, 8, 13)]
    assert drill.gaps([], 10, 30) == [(20, 10, 30)]


def test_the_address_that_was_worst_counts():
    found = drill.longest_gaps(ledger([('smtp', 'vip2', 11, 14)]), [], 10, 30)
    assert found['smtp'] == {'seconds': 3.0, 'begin': 11.0, 'end': 14.0, 'vip': 'vip2'}
    assert found['imap']['seconds'] == 0.25
    assert 'directory_write' not in found


@pytest.mark.parametrize('fault, seconds', [('haproxy-killed', 15), ('mailserver-cut', 39), ('two-of-three-cut', 41), ('packet-loss', 15)])
def test_a_fault_lasts_until_its_worst_case_is_over(fault, seconds):
    assert drill.hold(FAILURES, fault) == seconds


def test_a_good_drill():
    verdict = judge('loadbalancer-cut', ledger([('smtp', 'vip1', 10, 11), ('imap', 'vip1', 10, 11)]))
    assert verdict['ok'] and verdict['lost'] == 0
    assert verdict['sentences'] == ['800 messages accepted, none lost, none duplicated; every service came back in time.']
    assert row(verdict, 'smtp') == {'service': 'smtp', 'predicted': 0.9, 'measured': 1.0, 'each': [1.0], 'usual': 0.5, 'allowed': 1.0, 'ok': True,
                                    'note': ''}


def test_a_budget_that_is_exceeded():
    verdict = judge('loadbalancer-cut', ledger([('imap', 'vip1', 10, 17)]))
    assert not verdict['ok']
    assert verdict['sentences'] == ['imap: 7.0 s without an answer, expected 1 s at most and 0.5 s that are usual between two probes; '
                                    'see the time line in report.html.']


def test_a_writer_that_came_late_is_not_usual():
    verdict = judge('haproxy-frozen', written=[time for time in writes() if time > 8])
    assert row(verdict, 'directory_write')['usual'] == 0.5


def test_an_allowance_is_on_top_of_the_budget():
    records = ledger(blind=[('smtp', 'vip1', 12, 18)])
    assert not judge('haproxy-frozen', records)['ok']
    assert drill.judge('haproxy-frozen', FAILURES, records, writes(), report(), RUNS, allowance=3.0)['ok']


def test_the_worst_run_counts_and_what_lies_between_runs_does_not():
    records = ledger([('smtp', 'vip1', 5, 6), ('smtp', 'vip1', 10, 15), ('smtp', 'vip1', 20, 22)])
    runs = [{'begun': 5.0, 'watched': 9.0}, {'begun': 19.0, 'watched': 24.0}]
    smtp = row(drill.judge('loadbalancer-cut', FAILURES, records, writes(), report(), runs), 'smtp')
    assert smtp['each'] == [1.0, 2.0] and smtp['measured'] == 2.0


def test_between_runs_nobody_writes():
    runs = [{'begun': 5.0, 'watched': 9.7}, {'begun': 30.0, 'watched': 34.0}]
    verdict = drill.judge('loadbalancer-cut', FAILURES, ledger(), writes([(9.6, 25)]), report(), runs)
    assert row(verdict, 'directory_write')['each'] == [0.5, 0.5]


def test_a_service_that_one_run_did_not_measure_is_not_measured():
    runs = [{'begun': 10.0, 'watched': 30.0}, {'begun': 60.0, 'watched': 70.0}]
    records = [record for record in ledger() if record.get('p') != 'imap']
    assert row(drill.judge('loadbalancer-cut', FAILURES, records, writes(), report(), runs), 'imap')['measured'] is None


def test_moving_back_counts_too():
    assert not judge('loadbalancer-cut', ledger([('smtp', 'vip1', 21, 24)]))['ok']


def test_what_was_before_the_fault_does_not_count_but_is_usual():
    verdict = judge('loadbalancer-cut', ledger([('smtp', 'vip1', 2, 6), ('smtp', 'vip1', 10, 15)]))
    assert verdict['ok']
    assert row(verdict, 'smtp')['usual'] == 4.0


def test_a_service_that_the_fault_does_not_touch_stays():
    verdict = judge('postfix-killed', ledger([('imap', 'vip1', 11, 13)]))
    assert not verdict['ok']
    assert row(verdict, 'imap')['allowed'] == 0.0
    assert judge('postfix-killed', ledger([('smtp', 'vip1', 11, 13)]))['ok']
    assert judge('postfix-killed', ledger([('imap', 'vip1', 11, 11.8)]))['ok'], 'one late answer is no outage'


def test_a_leader_may_be_away_for_its_time():
    assert judge('postgresql-leader-killed', written=writes([(10, 29)]))['ok']
    verdict = judge('postgresql-leader-killed', ledger([('imap', 'vip1', 10, 15)]), writes([(10, 29)]))
    assert [sentence.split(':')[0] for sentence in verdict['sentences']] == ['imap']


def test_what_is_known_not_to_hold_is_reported_with_its_reason():
    verdict = judge('two-of-three-cut', ledger([('imap', 'vip1', 10, 25)]), writes([(10, 25)]))
    assert verdict['ok']
    assert row(verdict, 'imap')['measured'] == 15.0 and row(verdict, 'imap')['predicted'] is None
    assert row(verdict, 'imap')['note'] == 'fails closed until one of the two is back'


def test_a_fault_that_nobody_has_worked_out_is_only_measured():
    verdict = judge('packet-loss', ledger([('imap', 'vip1', 10, 25)]))
    assert verdict['ok'] and row(verdict, 'imap')['allowed'] is None
    assert not judge('packet-loss', reported=report(lost=1))['ok'], 'but mail must not be lost'


def test_lost_and_duplicated_mail_comes_first():
    verdict = judge('loadbalancer-cut', ledger([('smtp', 'vip1', 10, 20)]), reported=report(lost=2, duplicated=1))
    assert verdict['sentences'][0] == '3 of 800 messages: broken.'
    assert (verdict['lost'], verdict['duplicated'], len(verdict['sentences'])) == (2, 1, 2)


def test_what_nobody_watched_proves_nothing():
    assert judge('loadbalancer-cut', written=[])['sentences'] == [
        'directory_write: it was not measured, so nothing is proved; look for the probes in the ledger.']
    assert not judge('loadbalancer-cut', ledger(services=('smtp', 'submission')))['ok']


def test_the_table_shows_the_worst_of_all_runs():
    runs = [{'fault': 'loadbalancer-cut', 'runs': 1, **judge('loadbalancer-cut', ledger([('smtp', 'vip1', 10, end)]))} for end in (11, 14)]
    runs.append({'fault': 'packet-loss', 'runs': 1, **judge('packet-loss')})
    runs.append({'fault': 'two-of-three-cut', 'runs': 1, 'ok': False, 'rows': [], 'lost': 0, 'duplicated': 0})
    assert drill.table(runs)[2:5] == [
        '| loadbalancer-cut | 2 | 4.0 (0.9, 1) | 0.2 (0.9, 1) | 0.2 (0.9, 1) | 0.5 (0, 0) | 0 | 0 | 1 of 2 broken |',
        '| packet-loss | 1 | 0.2 | 0.2 | 0.2 | 0.5 | 0 | 0 | kept |',
        '| two-of-three-cut | 1 |  |  |  |  |  |  | 1 of 1 broken |',
    ]


def test_sessions_have_to_live_on_where_the_fault_says_so():
    assert guarded((0.5, True))['ok']
    begun = RUNS[0]['begun']
    told = guarded((0.5, True), (begun + 1, False), (begun + 2, True))
    assert not told['ok'] and told['sentences'][0].startswith('1 long-lived IMAP sessions broke (closed), expected none'), told
    assert guarded((0.5, True), (begun - 1, False), (begun - 0.5, True))['ok'], 'what broke before was not the fault'


def test_that_sessions_live_on_is_not_proved_without_any():
    assert guarded()['sentences'][0].startswith('No IMAP session was there when it broke')
