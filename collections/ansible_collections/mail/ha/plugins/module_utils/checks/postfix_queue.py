# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Postfix's queues on this node."""

from __future__ import annotations

import os
import time

from ansible_collections.mail.ha.plugins.module_utils import postfix_queue
from ansible_collections.mail.ha.plugins.module_utils.asking import NoAnswer, lines

ARGUMENTS = {
    'max_deferred': {'type': 'int'},
    'max_age': {'type': 'float'},
    'delivery_socket': {'type': 'path'},
    'max_undelivered': {'type': 'float'},
    'domains': {'type': 'list', 'elements': 'str', 'default': []},
    'max_waiting': {'type': 'float'},
    'max_destinations': {'type': 'int', 'default': 100},
    'spool': {'type': 'path', 'default': '/var/spool/postfix'},
    'timeout': {'type': 'float', 'default': 30},
}
RULES = {'required_by': {'max_undelivered': ['delivery_socket']}}
COMMAND = ['postqueue', '-j']


def corrupt(spool, now):
    """The queue ``corrupt`` as the files of its directory show it."""
    with os.scandir(os.path.join(spool, 'corrupt')) as files:
        found = [entry.stat() for entry in files if entry.is_file()]
    return {
        'messages': len(found),
        'bytes': sum(entry.st_size for entry in found),
        'oldest': max((round(now - entry.st_mtime) for entry in found), default=None),
    }


def examine(parameters, ask, now):
    """The answer. ``now`` is the time.

    :param ask: called with a list for remarks, gives the lines of ``postqueue -j``; iterating them may raise NoAnswer.
    """
    remarks = []
    try:
        found = postfix_queue.summarize(ask(remarks), now, parameters['max_destinations'], parameters['delivery_socket'],
                                        parameters['domains'])
        found['queues']['corrupt'] = corrupt(parameters['spool'], now)
    except (NoAnswer, OSError, ValueError) as error:
        return {'problems': ['the queue could not be read: %s. Look at "systemctl status postfix".' % error]}
    # "Mail system is down -- accessing queue directly": the counts are right, and nobody delivers.
    found['problems'] = ['postqueue says: %s. Look at "systemctl status postfix".' % remark.strip() for remark in remarks if remark.strip()]
    found['problems'] += postfix_queue.verdict(
        found, parameters['max_deferred'], parameters['max_age'], parameters['max_undelivered'], parameters['max_waiting'])
    return found


def answer(parameters):
    """The answer of this node."""
    return examine(parameters, lambda remarks: lines(COMMAND, parameters['timeout'], remarks), time.time())
