# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The fixture is what postqueue of Postfix 3.10 listed while mail waited for hosts that do not exist."""

from __future__ import annotations

import json
import os
import sys

import pytest

from ansible_collections.mail.ha.plugins.module_utils import asking, postfix_queue
from ansible_collections.mail.ha.plugins.modules import postfix_queue_info

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
                  'max_destinations': 100, 'spool': str(tmp_path), **limits}
    return postfix_queue_info.examine(parameters, ask, NOW)


def run(argv, seconds):
    """A real process."""
    return lambda remarks: asking.lines(argv, seconds, remarks)


def test_the_module(tmp_path):
    answer = examine(tmp_path, lambda remarks: listing(), max_deferred=10)
    assert answer['problems'] == []
    assert answer['queues']['corrupt'] == {'messages': 0, 'bytes': 0, 'oldest': None}


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
