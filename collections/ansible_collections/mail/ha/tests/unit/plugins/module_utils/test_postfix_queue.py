# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The fixture is what postqueue of Postfix 3.10 listed while mail waited for hosts that do not exist."""

from __future__ import annotations

import json
import os
import sys

import pytest

from ansible_collections.mail.ha.plugins.module_utils import asking, postfix_queue
from ansible_collections.mail.ha.plugins.module_utils.checks import postfix_queue as check

NOW = 1795557726  # when the fixture was taken


def listing():
    with open(os.path.join(os.path.dirname(__file__), 'fixtures', 'postfix_queue', 'waiting.json'), encoding='utf-8') as handle:
        yield from handle


def found():
    return postfix_queue.summarize(listing(), NOW)


def test_queues():
    assert found()['queues'] == {
        'active': {'messages': 2, 'bytes': 522, 'oldest': 6},
        'incoming': {'messages': 0, 'bytes': 0, 'oldest': None},
        'deferred': {'messages': 4, 'bytes': 1048, 'oldest': 6},
        'hold': {'messages': 1, 'bytes': 261, 'oldest': 6},
        'maildrop': {'messages': 0, 'bytes': 0, 'oldest': None},
    }
    assert found()['queued'] == 7


def test_destinations():
    assert found()['destinations_total'] == 5
    assert found()['destinations'][0] == {'domain': '[10.77.1.99]', 'recipients': 4, 'oldest': 6,
                                          'reason': 'connect to 10.77.1.99[10.77.1.99]:25: No route to host'}
    assert [entry['domain'] for entry in postfix_queue.summarize(listing(), NOW, 2)['destinations']] == ['[10.77.1.99]', '[10.77.0.31]']


def test_the_reason_is_that_of_the_youngest_message_that_was_tried():
    def message(arrived, reason):
        recipient = {'address': 'a@Example.ORG', **({'delay_reason': reason} if reason else {})}
        return json.dumps({'queue_name': 'deferred', 'queue_id': 'x', 'arrival_time': arrived, 'message_size': 1, 'recipients': [recipient]})
    destination, = postfix_queue.summarize([message(NOW - 30, 'old'), message(NOW - 10, 'new'), message(NOW - 20, 'between'), message(NOW, '')],
                                           NOW)['destinations']
    assert destination == {'domain': 'example.org', 'recipients': 4, 'oldest': 30, 'reason': 'new'}


def test_an_empty_queue():
    empty = postfix_queue.summarize([], NOW)
    assert (empty['queued'], empty['destinations'], postfix_queue.verdict(empty, 0, 0)) == (0, [], [])


def test_limits():
    assert postfix_queue.verdict(found(), 4, 6) == []
    problem, = postfix_queue.verdict(found(), max_deferred=3)
    assert problem == ('4 messages are deferred, expected at most 3. Most of those that were tried wait for [10.77.1.99] '
                       '(connect to 10.77.1.99[10.77.1.99]:25: No route to host).')
    assert [sentence.partition(' has')[0] for sentence in postfix_queue.verdict(found(), max_age=5)] == [
        'the oldest message in the queue active', 'the oldest message in the queue deferred']


def test_deliveries_to_mailboxes_that_were_put_off():
    def message(age, reason):
        return json.dumps({'queue_name': 'deferred', 'queue_id': 'x', 'arrival_time': NOW - age, 'message_size': 1,
                           'recipients': [{'address': 'a@example.org', **({'delay_reason': reason} if reason else {})}]})
    refused = 'host mail1.example.org[/run/dovecot/lmtp-postfix] said: 451 4.3.0 Temporary internal error'
    lines = [message(20, refused), message(70, refused + ' again'), message(900, 'connect to 192.0.2.1[192.0.2.1]:25: timed out'), message(99, '')]
    report = postfix_queue.summarize(lines, NOW, socket='/run/dovecot/lmtp-postfix')
    assert report['undelivered'] == {'recipients': 2, 'oldest': 70, 'reason': refused + ' again'}
    assert postfix_queue.verdict(report, max_undelivered=70) == []
    problem, = postfix_queue.verdict(report, max_undelivered=60)
    assert problem.startswith('2 deliveries to mailboxes of the service were put off, the oldest for 70 s, expected at most 60 s (host mail1')
    assert postfix_queue.summarize(lines, NOW)['undelivered']['oldest'] is None


def waiting(*messages):
    """The report on messages given as (queue, age, address, reason), in the form of the fixture's lines (derived)."""
    lines = []
    for queue, age, address, reason in messages:
        message = dict(json.loads(next(listing())), queue_name=queue, arrival_time=NOW - age)
        lines.append(json.dumps(dict(message, recipients=[{'address': address, **({'delay_reason': reason} if reason else {})}] if address else [])))
    return postfix_queue.summarize(lines, NOW, socket='/run/dovecot/lmtp-postfix', domains=['Alpha.test', 'beta.test'])


DOWN = 'connect to mx.example.com[192.0.2.9]:25: Connection timed out'
REFUSED = 'host mail1.example.org[/run/dovecot/lmtp-postfix] said: 451 4.3.0 Temporary internal error'


def test_mail_for_others_may_wait():
    """Thousands of messages, for a day; some of them are tried again just now, and none of that is a fault of this service."""
    report = waiting(*[('deferred', 86000, 'a@example.com', DOWN)] * 5000, *[('active', 86000, 'a@example.com', '')] * 20)
    assert report['queued'] == 5020 and report['own'] == {'recipients': 0, 'oldest': None, 'reason': ''}
    assert postfix_queue.verdict(report, max_undelivered=60, max_waiting=120) == []


@pytest.mark.parametrize('queue, reason, shown', [
    ('deferred', 'mail transport unavailable', 'mail transport unavailable'),
    ('active', '', 'no delivery has failed since it was last taken up'),
])
def test_mail_for_mailboxes_of_the_service_may_not(queue, reason, shown):
    report = waiting(('deferred', 86000, 'a@example.com', DOWN), (queue, 121, 'ben@ALPHA.test', reason), (queue, 20, 'anna@beta.test', ''))
    assert report['own'] == {'recipients': 2, 'oldest': 121, 'reason': reason}
    assert postfix_queue.verdict(report, max_undelivered=60, max_waiting=121) == []
    problem, = postfix_queue.verdict(report, max_undelivered=60, max_waiting=120)
    assert problem == ('2 recipients in domains of the service wait for their mail, the oldest for 121 s, expected at most 120 s (%s). Look at '
                       '"journalctl -u postfix -u dovecot" here and at the holders of the seats.' % shown)


@pytest.mark.parametrize('queue, address', [('incoming', 'a@example.com'), ('maildrop', '')])
def test_whoever_it_is_for_it_is_taken_up_at_once(queue, address):
    """Of a message in the queue maildrop, postqueue knows no recipient."""
    report = waiting((queue, 121, address, ''))
    assert postfix_queue.verdict(report, max_waiting=121) == [] and postfix_queue.verdict(report) == []
    problem, = postfix_queue.verdict(report, max_waiting=120)
    assert problem.startswith('1 messages in the queue %s wait to be taken up, the oldest for 121 s, expected at most 120 s.' % queue)


def test_what_was_put_off_is_told_once():
    report = waiting(('deferred', 200, 'ben@alpha.test', REFUSED), ('incoming', 10, 'ben@alpha.test', ''))
    problem, = postfix_queue.verdict(report, max_undelivered=60, max_waiting=120)
    assert problem.startswith('1 deliveries to mailboxes of the service were put off, the oldest for 200 s')
    problem, = postfix_queue.verdict(report, max_waiting=120)
    assert problem.startswith('2 recipients in domains of the service wait')
    report = waiting(('deferred', 200, 'ben@alpha.test', REFUSED), ('deferred', 900, 'ben@alpha.test', 'mail transport unavailable'))
    assert [sentence.partition(' s, ')[0] for sentence in postfix_queue.verdict(report, max_undelivered=60, max_waiting=120)] == [
        '1 deliveries to mailboxes of the service were put off, the oldest for 200',
        '2 recipients in domains of the service wait for their mail, the oldest for 900'], 'what is older has another reason'


def test_what_is_on_hold_waits_for_a_person():
    report = waiting(('hold', 86000, 'ben@alpha.test', REFUSED))
    assert report['queues']['hold']['messages'] == 1
    assert postfix_queue.verdict(report, max_undelivered=60, max_waiting=120) == []


def test_thousands_of_messages_are_counted_without_being_kept():
    real = list(listing())

    class Line(str):
        alive = 0
        most = 0

        def __init__(self, dummy):
            Line.alive += 1
            Line.most = max(Line.most, Line.alive)

        def __del__(self):
            Line.alive -= 1

    counted = postfix_queue.summarize((Line(real[number % len(real)]) for number in range(7000)), NOW)
    assert counted['queued'] == 7000
    assert Line.most < 5


@pytest.mark.parametrize('line', ['postqueue: warning: mail system is down', '[]', '{"queue_name": "active"}'])
def test_a_line_that_is_no_message(line):
    with pytest.raises(ValueError, match='no message'):
        postfix_queue.summarize([line], NOW)


def examine(tmp_path, ask, **limits):
    os.makedirs(tmp_path / 'corrupt', exist_ok=True)
    parameters = {'max_deferred': None, 'max_age': None, 'delivery_socket': None, 'max_undelivered': None,
                  'domains': [], 'max_waiting': None, 'max_destinations': 100, 'spool': str(tmp_path), **limits}
    return check.examine(parameters, ask, NOW)


def run(argv, seconds):
    """A real process."""
    return lambda remarks: asking.lines(argv, seconds, remarks)


def test_the_module(tmp_path):
    answer = examine(tmp_path, lambda remarks: listing(), max_deferred=10)
    assert answer['problems'] == []
    assert answer['queues']['corrupt'] == {'messages': 0, 'bytes': 0, 'oldest': None}


def test_the_module_judges_what_waits(tmp_path):
    answer = examine(tmp_path, lambda remarks: listing(), domains=['[10.77.1.99]'], max_waiting=5)
    assert answer['own'] == {'recipients': 4, 'oldest': 6, 'reason': 'connect to 10.77.1.99[10.77.1.99]:25: No route to host'}
    problem, = answer['problems']
    assert problem.startswith('4 recipients in domains of the service wait for their mail, the oldest for 6 s')


def test_a_corrupt_message(tmp_path):
    os.makedirs(tmp_path / 'corrupt')
    (tmp_path / 'corrupt' / '4jYxc83R9tzFKVt').write_bytes(b'xx')
    os.utime(tmp_path / 'corrupt' / '4jYxc83R9tzFKVt', (NOW - 60, NOW - 60))
    answer = examine(tmp_path, lambda remarks: listing())
    assert answer['queues']['corrupt'] == {'messages': 1, 'bytes': 2, 'oldest': 60}
    assert answer['problems'] == ['1 messages are in the queue corrupt, expected none. Look at them with "postcat", and at '
                                  '"journalctl -u postfix".']


def test_a_postqueue_that_fails(tmp_path):
    """It writes a line and then ends with an error."""
    command = [sys.executable, '-c', 'import sys; print(%r); sys.exit("postqueue: fatal: no")' % next(listing()).strip()]
    problem, = examine(tmp_path, run(command, 10))['problems']
    assert 'ended with exit code 1 and said: postqueue: fatal: no' in problem


def test_a_postfix_that_is_stopped(tmp_path):
    """postqueue really says this then, lists the queue itself and ends with exit code 0."""
    warning = 'postqueue: warning: Mail system is down -- accessing queue directly (Connect to the Postfix showq service: Connection refused)'
    command = [sys.executable, '-c', 'import sys; print(%r); print(%r, file=sys.stderr)' % (next(listing()).strip(), warning)]
    answer = examine(tmp_path, run(command, 10))
    assert answer['queued'] == 1
    assert answer['problems'] == ['postqueue says: %s. Look at "systemctl status postfix".' % warning]


def test_a_postqueue_that_hangs(tmp_path):
    problem, = examine(tmp_path, run(['sleep', '60'], 0.2))['problems']
    assert '"sleep 60" gave no answer within 0.2 s' in problem


def test_no_postqueue(tmp_path):
    problem, = examine(tmp_path, run(['/nonexistent/postqueue', '-j'], 5))['problems']
    assert 'No such file or directory' in problem
