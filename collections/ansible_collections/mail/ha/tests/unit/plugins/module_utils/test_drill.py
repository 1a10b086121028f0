"""Verdicts of drills. Journals are what nodes of the lab said; the ledgers here are written by hand, second by second."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.mail.ha.plugins.module_utils import drill, objectives

FIXTURES = Path(__file__).parent / 'fixtures' / 'drill'
FAILURES = objectives.derive({})['failures']
RUNS = [{'begun': 10.0, 'mended': 20.0, 'watched': 30.0}]


def journal(name):
    """Events of a journal."""
    return drill.journal_events((FIXTURES / name).read_text(encoding='utf-8'))


def ledger(blind=(), services=drill.PROBED, vips=('vip1', 'vip2'), every=0.25, seconds=40):
    """Records from 0 s on: a probe each ``every`` seconds; ``blind`` are ``(service, vip, from, to)`` without an answer."""
    records = [{'e': 'run', 't': -1.0}, {'e': 'sending', 't': 0.0}]
    for step in range(int(seconds / every)):
        time = step * every
        for service in services:
            for vip in vips:
                dead = any(service == of and vip == at and begin < time < end for of, at, begin, end in blind)
                records.append({'e': 'probe', 'p': service, 'vip': vip, 'ok': not dead, 't': time})
    return records


def writes(blind=(), seconds=40):
    """Commits twice a second from 0 s on, but for the times in ``blind``."""
    return [step / 2 for step in range(2 * seconds) if not any(begin < step / 2 < end for begin, end in blind)]


def report(lost=0, duplicated=0):
    """What is looked at in report.json."""
    broken = lost + duplicated
    return {'messages': {'accepted': 800, 'lost': lost, 'duplicated': duplicated},
            'asked': {'probe_interval': {'smtp': 0.125, 'submission': 0.125, 'imap': 0.25}, 'vips': ['vip1', 'vip2']},
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
    assert found['smtp'] == {'seconds': 3.0, 'begin': 11.0, 'end': 14.0, 'vip': 'vip2', 'over': True}
    assert found['imap']['seconds'] == 0.25
    assert 'directory_write' not in found


@pytest.mark.parametrize('fault, seconds', [('haproxy-killed', 15), ('mailserver-cut', 39), ('two-of-three-cut', 41), ('packet-loss', 15)])
def test_a_fault_lasts_until_its_worst_case_is_over(fault, seconds):
    assert drill.hold(FAILURES, fault) == seconds


def test_a_good_drill():
    verdict = judge('loadbalancer-cut', ledger([('smtp', 'vip1', 10, 11), ('imap', 'vip1', 10, 11)]))
    assert verdict['ok'] and verdict['lost'] == 0
    assert verdict['sentences'] == ['800 messages accepted, none lost, none duplicated; every service came back in time.']
    assert row(verdict, 'smtp') == {'service': 'smtp', 'predicted': 0.9, 'measured': 1.0, 'each': [1.0], 'usual': 0.5, 'allowed': 1.0,
                                    'bound': 1.0, 'ok': True, 'wrong': '', 'note': ''}


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
    runs = [{'begun': 5.0, 'mended': 6.0, 'watched': 9.0}, {'begun': 19.0, 'mended': 20.0, 'watched': 24.0}]
    smtp = row(drill.judge('loadbalancer-cut', FAILURES, records, writes(), report(), runs), 'smtp')
    assert smtp['each'] == [1.0, 2.0] and smtp['measured'] == 2.0


def test_between_runs_nobody_writes():
    runs = [{'begun': 5.0, 'mended': 6.0, 'watched': 9.7}, {'begun': 30.0, 'mended': 31.0, 'watched': 34.0}]
    verdict = drill.judge('loadbalancer-cut', FAILURES, ledger(), writes([(9.6, 25)]), report(), runs)
    assert row(verdict, 'directory_write')['each'] == [0.5, 0.5]


def test_a_service_that_one_run_did_not_measure_is_not_measured():
    runs = RUNS + [{'begun': 60.0, 'mended': 65.0, 'watched': 70.0}]
    records = [record for record in ledger() if record.get('p') != 'imap']
    assert row(drill.judge('loadbalancer-cut', FAILURES, records, writes(), report(), runs), 'imap')['measured'] is None


def test_moving_back_counts_too():
    assert not judge('loadbalancer-cut', ledger([('smtp', 'vip1', 21, 24)]))['ok']


def test_what_was_before_the_fault_does_not_count_but_is_usual():
    verdict = judge('haproxy-frozen', ledger([('smtp', 'vip1', 2, 3.5), ('smtp', 'vip1', 10, 14.5)]))
    assert verdict['ok']
    assert row(verdict, 'smtp')['usual'] == 1.5


def test_a_service_may_be_away_before_the_fault_for_one_probe_and_a_late_answer():
    assert drill.calm(report()) == {'smtp': 1.5, 'submission': 1.5, 'imap': 2.0, 'directory_write': 2.0}


@pytest.mark.parametrize('service, blind, written, sentence', [
    ('imap', [('imap', 'vip2', 3, 8)], [], 'imap: the service was not calm before the fault, 5.0 s without an answer, expected 2 s at most, so nothing'),
    ('imap', [('imap', 'vip2', -1, 41)], [], 'imap: the service was not calm before the fault, 10.0 s without'),
    ('directory_write', [], [(3, 8)], 'directory_write: the service was not calm before the fault, 5.0 s without an answer, expected 2 s at most'),
    ('directory_write', [], [(-1, 15)], 'directory_write: nothing was answered before the fault, so nothing is proved'),
])
def test_a_service_that_was_not_calm_before_the_fault_proves_nothing(service, blind, written, sentence):
    verdict = judge('postfix-killed', ledger(blind), writes(written))
    assert [text for text in verdict['sentences'] if text.startswith(sentence)] and not verdict['ok'], verdict['sentences']
    assert [item['service'] for item in verdict['rows'] if not item['ok']] == [service]
    # However long it is away afterwards, and whatever the fault may take: what was broken before excuses nothing.
    for fault in ('two-of-three-cut', 'packet-loss'):
        assert not judge(fault, ledger(blind), writes(written))['ok'], fault


def test_on_a_busy_machine_the_calm_has_the_allowance_too():
    records = ledger([('imap', 'vip2', 3, 6)])
    assert not drill.judge('haproxy-frozen', FAILURES, records, writes(), report(), RUNS, allowance=0.9)['ok']
    assert drill.judge('haproxy-frozen', FAILURES, records, writes(), report(), RUNS, allowance=1.0)['ok']


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


def paused(until):
    """The row of imap where a mailserver is paused and mailboxes are closed from 10 s on."""
    return row(drill.judge('mailserver-paused', FAILURES, ledger([('imap', 'vip1', 10, until)], seconds=80), writes(seconds=80), report(),
                           [{'begun': 10.0, 'mended': 50.0, 'watched': 70.0}]), 'imap')


def test_what_is_known_not_to_hold_has_a_bound_all_the_same():
    known = paused(27.9)
    assert known['ok'] and (known['measured'], known['allowed'], known['bound']) == (18.0, 5.0, 20.5), known
    assert paused(31)['ok'], 'the bound and the rhythm'
    assert paused(31.25)['wrong'] == ('imap: 21.2 s without an answer, expected 20.5 s at most and 0.5 s that are usual between two probes; '
                                      'see the time line in report.html.')


def cut(imap=(10, 50), written=((10, 50),), watched=110.0, **options):
    """A verdict where two of three nodes are cut off from 10 to 50 s."""
    blind = [('imap', vip, *imap) for vip in ('vip1', 'vip2')] if imap else []
    return drill.judge('two-of-three-cut', FAILURES, ledger(blind, seconds=150), writes(written, seconds=150), report(),
                       [{'begun': 10.0, 'mended': 50.0, 'watched': watched}], **options)


def test_what_nothing_ends_has_the_length_of_the_fault_and_some_time_to_recover():
    verdict = cut()
    assert verdict['ok'], verdict['sentences']
    assert (row(verdict, 'imap')['bound'], row(verdict, 'directory_write')['bound']) == (100.0, 70.0)
    assert cut(imap=(10, 110))['ok'] and cut(written=[(10, 80)])['ok']
    late = cut(imap=(10, 111), written=[(10, 81)])
    assert [sentence[:54] for sentence in late['sentences']] == ['imap: 101.0 s without an answer, expected 100 s at mos',
                                                                 'directory_write: 71.0 s without an answer, expected 70']


def test_the_run_that_is_nearest_to_its_bound_counts():
    """The shorter gap is the worse one, because its fault was shorter."""
    runs = [{'begun': 10.0, 'mended': 50.0, 'watched': 90.0}, {'begun': 100.0, 'mended': 101.0, 'watched': 149.0}]
    verdict = drill.judge('two-of-three-cut', FAILURES, ledger(seconds=150), writes([(10, 50), (100, 133)], seconds=150), report(), runs)
    assert row(verdict, 'directory_write')['each'] == [40.0, 33.0]
    assert (row(verdict, 'directory_write')['bound'], row(verdict, 'directory_write')['ok']) == (31.0, False)


def test_what_never_came_back_is_not_excused_by_a_watch_that_was_too_short():
    for verdict, service in ((cut(written=[(10, 150)], watched=60.0), 'directory_write'), (cut(imap=(10, 151), watched=60.0), 'imap')):
        assert verdict['sentences'] == [f'{service}: it had not come back when the watching ended; see the time line in report.html, '
                                        'or watch for longer (drill_heal).']


CLOSED = {'imap': 15.0, 'directory_write': 30.0}


def test_what_fails_closed_refuses_from_some_time_on_until_it_is_mended():
    assert cut(closed=CLOSED)['ok']
    # Until then, and after it, it may answer.
    assert cut(imap=(24.9, 50), written=[(39.9, 50)], closed=CLOSED)['ok']


@pytest.mark.parametrize('answering, sentence', [
    ({'imap': (10, 30)}, 'imap: answered 160 times while it has to refuse, first 20.0 s after the fault, expected never from 15 s on until it was mended'),
    ({'imap': (10, 49.7)}, 'imap: answered 2 times while it has to refuse, first 39.8 s after the fault'),
    ({'imap': None}, 'imap: answered 200 times while it has to refuse, first 15.0 s after the fault'),
    ({'written': [(10, 49.4)]}, 'directory_write: answered 1 times while it has to refuse, first 39.5 s after the fault, expected never from 30 s on'),
])
def test_an_answer_meanwhile_is_told(answering, sentence):
    assert cut(**answering)['ok'], 'nothing else sees it'
    verdict = cut(**answering, closed=CLOSED)
    assert not verdict['ok'] and len(verdict['sentences']) == 1 and verdict['sentences'][0].startswith(sentence), verdict['sentences']


def test_every_run_has_to_refuse():
    runs = [{'begun': 10.0, 'mended': 50.0, 'watched': 60.0}, {'begun': 70.0, 'mended': 110.0, 'watched': 120.0}]
    records = ledger([('imap', vip, 10, 50) for vip in ('vip1', 'vip2')], seconds=150)
    told = drill.not_closed({'imap': 15.0}, records, [], runs)
    assert [text[:48] for text in told] == ['imap: answered 200 times while it has to refuse,']


def test_a_fault_that_was_too_short_or_that_nobody_asked_in_does_not_prove_that_it_refuses():
    short = drill.not_closed({'imap': 45.0, 'directory_write': 40.0}, ledger(seconds=150), [], [{'begun': 10.0, 'mended': 50.0, 'watched': 60.0}])
    assert [text.partition(', so that')[0] for text in short] == ['imap: nobody asked between 45 s after the fault and its mending',
                                                                  'directory_write: nobody asked between 40 s after the fault and its mending']
    unasked = [record for record in ledger() if record.get('p') != 'imap']
    assert drill.not_closed({'imap': 5.0}, unasked, [], RUNS)[0].startswith('imap: nobody asked between 5 s after the fault')


def test_how_a_run_went_on():
    runs = [{'begun': 10.0, 'mended': 20.0, 'watched': 25.0}, {'begun': 28.0, 'mended': 31.0, 'watched': 38.0}]
    events = [{'time': time, 'kind': kind, 'text': text} for time, kind, text in (
        (9.5, 'detection', 'lb1: smtp/mail1 DOWN'), (10.2, 'detection', 'lb1: smtp/mail3 UP'), (10.6, 'detection', 'lb1: smtp/mail2 DOWN'),
        (10.9, 'takeover', 'mail2: seat02 FAULT'), (11.4, 'takeover', 'mail3: seat02 MASTER'), (12.0, 'takeover', 'mail3: seat03 MASTER'),
        (12.5, 'fault', 'mailserver-cut on mail2'), (21.0, 'takeover', 'mail2: seat02 MASTER'), (32.0, 'detection', 'lb1: smtp/mail2 DOWN'))]
    records = ledger([('imap', 'vip1', 10.1, 14), ('smtp', 'vip2', 10, 12.5), ('smtp', 'vip1', 22, 23), ('submission', 'vip1', 33, 33.9)])
    verdict = drill.judge('mailserver-cut', FAILURES, records, writes(), report(), runs, events=events)
    assert verdict['steps'] == [
        {'detection': 0.6, 'takeover': 1.4, 'recovery': 4.0,
         'text': 'Run 1: a balancer gave up a server after 0.6 s, another node took over after 1.4 s, the last longest gap ended after 4.0 s.'},
        {'detection': None, 'takeover': None, 'recovery': None, 'text': 'Run 2: no node acted, and no client missed more than one probe.'}]
    for line in ('db2 patroni[7]: INFO: promoted self to leader by acquiring session lock', 'fw2 ha-mail-firewall[9]: this member is MASTER'):
        took = drill.journal_events(f'20.5 {line}\n')
        assert drill.steps(took, [{}], {}, [{'begun': 10.0, 'mended': 30.0}])[0]['takeover'] == 10.5
    left = drill.journal_events('20.5 fw1 ha-mail-firewall[9]: this member is FAULT\n')
    assert left and drill.steps(left, [{}], {}, [{'begun': 10.0, 'mended': 30.0}])[0]['takeover'] is None


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
