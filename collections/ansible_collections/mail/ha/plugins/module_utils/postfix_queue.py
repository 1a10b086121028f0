# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""What waits in Postfix's queue, counted from ``postqueue -j`` line by line. Pure functions.

Shapes::

    report      {queues: {name: queue}, destinations: [destination], destinations_total: int, queued: int, undelivered: undelivered,
                 own: undelivered}
    queue       {messages: int, bytes: int, oldest: seconds or None}
    destination {domain, recipients: int, oldest: seconds, reason: str}
    undelivered {recipients: int, oldest: seconds or None, reason: str}, of mail that this node's own mail store or its peers did not take;
                 as ``own``, of all mail for the domains of the service. What is on hold is in neither


``postqueue -j`` writes one JSON object a line and message (postqueue(1), "JSON OBJECT FORMAT"); a recipient has a ``delay_reason`` once
a delivery was tried in vain.
"""

from __future__ import annotations

import json

# The queues that postqueue lists (postqueue(1)).
QUEUES = ('active', 'incoming', 'deferred', 'hold', 'maildrop')
# Those whose messages are to move on by themselves; what is on hold waits for a person.
MOVING = ('active', 'incoming', 'deferred', 'maildrop')
# Those that pickup(8) and qmgr(8) empty at once. A message in the active queue is being delivered, by a foreign server's leave for many
# minutes, and one that is tried again comes there with its age.
ARRIVING = ('maildrop', 'incoming')


def domain(address):
    """The part of an address after its last @, in lower case; an address literal keeps its brackets; '' for an address without one."""
    return address.rpartition('@')[2].lower() if '@' in address else ''


def summarize(lines, now, max_destinations=100, socket=None, domains=()):
    """Count a queue.

    :param lines: the lines of ``postqueue -j``, any iterable of str; none is kept.
    :param now: the present time in seconds since the epoch (float).
    :param max_destinations: how many destinations to return, those with the most recipients first (int).
    :param socket: path of the socket at which the node delivers to mailboxes, as it stands in the reasons (str), or None.
    :param domains: domains of the service, whose mailboxes are its own (list of str).
    :returns: report.
    :raises ValueError: a line is no JSON object of a message.
    """
    queues = {name: {'messages': 0, 'bytes': 0, 'oldest': None} for name in QUEUES}
    destinations, newest = {}, {}
    undelivered, own = ({'recipients': 0, 'oldest': None, 'reason': ''} for _turn in range(2))
    domains = {name.lower() for name in domains}
    for line in lines:
        if not line.strip():
            continue
        try:
            message = json.loads(line)
            queue = queues.setdefault(message['queue_name'], {'messages': 0, 'bytes': 0, 'oldest': None})
            age = max(0, round(now - message['arrival_time']))
            queue['messages'] += 1
            queue['bytes'] += message['message_size']
            queue['oldest'] = max(age, queue['oldest'] or 0)
            for recipient in message['recipients']:
                _count(destinations, newest, recipient, age)
                # Postfix names whom it talked to as host[address], and a socket is the address of one.
                if message['queue_name'] in MOVING:
                    if socket and '[%s]' % socket in recipient.get('delay_reason', ''):
                        _wait(undelivered, recipient, age)
                    if domain(recipient['address']) in domains:
                        _wait(own, recipient, age)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError('postqueue -j wrote a line that is no message: %.200r' % line.strip()) from error
    ordered = sorted(destinations.values(), key=lambda entry: (-entry['recipients'], entry['domain']))
    return {
        'queues': queues,
        'destinations': ordered[:max_destinations],
        'destinations_total': len(ordered),
        'queued': sum(queue['messages'] for queue in queues.values()),
        'undelivered': undelivered,
        'own': own,
    }


def _wait(waiting, recipient, age):
    """Count one recipient. The reason kept is that of the oldest message, '' where it was not tried yet."""
    waiting['recipients'] += 1
    if age >= (waiting['oldest'] or 0):
        waiting.update(oldest=age, reason=recipient.get('delay_reason', ''))


def _count(destinations, newest, recipient, age):
    """Add one recipient to its destination. The reason kept is that of the youngest message that has one."""
    name = domain(recipient['address'])
    entry = destinations.setdefault(name, {'domain': name, 'recipients': 0, 'oldest': 0, 'reason': ''})
    entry['recipients'] += 1
    entry['oldest'] = max(entry['oldest'], age)
    if recipient.get('delay_reason') and age <= newest.get(name, age):
        newest[name] = age
        entry['reason'] = recipient['delay_reason']


def verdict(found, max_deferred=None, max_age=None, max_undelivered=None, max_waiting=None):
    """What is wrong with a queue, one sentence each; the empty list means nothing.

    :param found: report, whose queues may have an entry ``corrupt`` beside those that postqueue lists.
    :param max_deferred: most messages that may be deferred (int), or None.
    :param max_age: most seconds that a message may have waited that is not on hold (float), or None.
    :param max_undelivered: most seconds that a message may have waited that was put off at the socket (float), or None.
    :param max_waiting: most seconds that a message may have waited to be taken up, or for a mailbox of the service (float), or None.
    """
    told = []
    queues = found['queues']
    deferred = queues['deferred']['messages']
    if max_deferred is not None and deferred > max_deferred:
        told.append('%d messages are deferred, expected at most %d. %s' % (deferred, max_deferred, _worst(found)))
    for name in MOVING:
        oldest = queues[name]['oldest']
        if max_age is not None and oldest is not None and oldest > max_age:
            told.append('the oldest message in the queue %s has waited for %d s, expected at most %g s. %s' % (name, oldest, max_age, _worst(found)))
    undelivered, told_of = found['undelivered'], 0
    if max_undelivered is not None and undelivered['oldest'] is not None and undelivered['oldest'] > max_undelivered:
        told_of = undelivered['oldest']
        told.append('%d deliveries to mailboxes of the service were put off, the oldest for %d s, expected at most %g s (%s). Look at '
                    '"journalctl -u dovecot" here and at the holders of the seats.'
                    % (undelivered['recipients'], undelivered['oldest'], max_undelivered, undelivered['reason']))
    if max_waiting is not None:
        told += _arriving(queues, max_waiting) + _own(found['own'], max_waiting, told_of)
    if queues.get('corrupt', {}).get('messages'):
        told.append('%d messages are in the queue corrupt, expected none. Look at them with "postcat", and at "journalctl -u postfix".'
                    % queues['corrupt']['messages'])
    return told


def _own(waiting, limit, told_of):
    """``told_of`` is the age of the oldest that was told already; what is older has another reason."""
    if waiting['oldest'] is None or waiting['oldest'] <= max(limit, told_of):
        return []
    return ['%d recipients in domains of the service wait for their mail, the oldest for %d s, expected at most %g s (%s). Look at '
            '"journalctl -u postfix -u dovecot" here and at the holders of the seats.'
            % (waiting['recipients'], waiting['oldest'], limit, waiting['reason'] or 'no delivery has failed since it was last taken up')]


def _arriving(queues, limit):
    return ['%d messages in the queue %s wait to be taken up, the oldest for %d s, expected at most %g s. Look at "systemctl status postfix" '
            'and "journalctl -u postfix".' % (queues[name]['messages'], name, queues[name]['oldest'], limit)
            for name in ARRIVING if queues[name]['oldest'] is not None and queues[name]['oldest'] > limit]


def _worst(found):
    waiting = [entry for entry in found['destinations'] if entry['reason']]
    if not waiting:
        return 'Look at "postqueue -p".'
    return 'Most of those that were tried wait for %s (%s).' % (waiting[0]['domain'] or 'local users', waiting[0]['reason'])
