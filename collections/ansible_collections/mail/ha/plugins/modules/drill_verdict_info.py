#!/usr/bin/python
# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a drill has shown."""

from __future__ import annotations

DOCUMENTATION = r'''
---
module: drill_verdict_info
short_description: Compare what a drill measured with what was predicted and allowed
version_added: 0.2.0
description:
  - Reads the evidence of a drill and measures, for each service, the longest time without an answer between the fault and the return to
    full strength, at the service address where it was longest.
  - That time lies between two successful probes, so the longest one that was usual before the fault is allowed on top of the budget. It may
    be no longer than the rhythm of the probes explains; a drill on a service that was not calm before proves nothing, and is not RV(ok).
  - What is known not to keep its budget has a bound of its own.
  - A broken promise is reported in RV(ok), not as a failure; evidence that is missing or damaged is a failure.
options:
  fault:
    description: Name of the fault.
    type: str
    required: true
  failures:
    description: What the objectives predict and allow, C(failures) of what P(mail.ha.objectives#filter) returns.
    type: list
    elements: dict
    required: true
  directory:
    description:
      - Directory of the evidence, on the host where this module runs.
      - C(ledger.jsonl) and C(report.json) are the loss ledger's; C(writes) holds the times at which the directory took a change, one a line;
        C(events.jsonl) holds what P(mail.ha.drill_events#filter) found in journals, and other events, one a line.
    type: path
    required: true
  runs:
    description:
      - How often it was broken, once at the least; the worst run counts.
      - Each has C(begun), when the fault began, C(mended), when it was mended, and C(watched), until when clients were watched, healing
        included; all in seconds since the epoch. Other keys are ignored.
    type: list
    elements: dict
    required: true
  allowance:
    description: Seconds on top of every budget, for a machine that has other things to do. What is kept with it is no proof of a budget.
    type: float
    default: 0
  sessions_live:
    description: Whether long-lived sessions that were there before have to live on, as they do when a firewall with a synchronised peer is lost.
    type: bool
    default: false
    version_added: 0.8.0
  closed:
    description:
      - Services (C(smtp), C(submission), C(imap), C(directory_write)) that have to refuse while it is broken, each with the seconds after the
        fault from which on nothing may succeed until it is mended.
      - A fault that was mended before proves nothing, and is not RV(ok).
    type: dict
    default: {}
    version_added: 0.8.0
author:
  - ha-mail (@ha-mail)
attributes:
  check_mode:
    description: Only reads.
    support: full
  diff_mode:
    description: Changes nothing.
    support: none
  platform:
    description: Any system with Python.
    support: full
    platforms: posix
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
'''

EXAMPLES = r'''
- name: Judge
  mail.ha.drill_verdict_info:
    fault: mailserver-cut
    failures: "{{ ({} | mail.ha.objectives).failures }}"
    directory: .cache/drills/20260101T120000Z-mailserver-cut
    runs: [{begun: 1767268800.5, mended: 1767268840.0, watched: 1767268885.9}]
  register: drill
  failed_when: not drill.ok
'''

RETURN = r'''
ok:
  description: Whether every promise and every budget was kept.
  returned: always
  type: bool
  sample: true
sentences:
  description: One sentence for each promise or budget that was broken, else one that says that none was.
  returned: always
  type: list
  elements: str
  sample: ["imap: 7.4 s without an answer, expected 5 s at most and 1.1 s that are usual between two probes; see the time line in report.html."]
lost:
  description: Messages that were accepted and are in no mailbox.
  returned: always
  type: int
  sample: 0
duplicated:
  description: Messages that were delivered more often than any lost answer explains.
  returned: always
  type: int
  sample: 0
rows:
  description: The figures of each service, in seconds.
  returned: always
  type: list
  elements: dict
  contains:
    service:
      description: Name of the service.
      type: str
      sample: imap
    predicted:
      description: Worst case by the objectives; none where nothing ends it, or where nobody has worked it out.
      type: float
      sample: 4.4
    measured:
      description: Longest time without an answer in any run; none where nothing watched.
      type: float
      sample: 3.9
    each:
      description: The same for each run.
      type: list
      elements: float
      sample: [3.9, 2.1]
    usual:
      description: The longest such time before the fault, half a second at the least; it is allowed on top of RV(rows[].bound).
      type: float
      sample: 1.1
    allowed:
      description: Budget of this fault; none for a fault that nobody has worked out.
      type: float
      sample: 5.0
    bound:
      description:
        - What the run that is nearest to it, or farthest beyond it, was held against, in seconds. The budget, but for what is known not to hold.
        - None for a fault that nobody has worked out.
      type: float
      sample: 5.0
    ok:
      description: Whether it was measured, on a service that was calm before, and RV(rows[].bound) was kept.
      type: bool
      sample: true
    wrong:
      description: The sentence that says why RV(rows[].ok) is false, else nothing.
      type: str
      sample: ''
    note:
      description: Why it is known not to hold, else nothing.
      type: str
      sample: ''
steps:
  description: How each run went on.
  returned: always
  type: list
  elements: dict
  contains:
    detection:
      description: Seconds from the fault until a balancer gave up a server; none where none did before it was mended.
      type: float
      sample: 0.6
    takeover:
      description: Seconds from the fault until another node had taken an address, or the lead of the database; none where none did before it was mended.
      type: float
      sample: 0.9
    recovery:
      description:
        - Seconds from the fault to the end of the longest time without an answer, of the service where that end was latest.
        - None where no service missed more than one probe.
      type: float
      sample: 3.9
    text:
      description: The same in words.
      type: str
      sample: "Run 1: a balancer gave up a server after 0.6 s, another node took over after 0.9 s, the last longest gap ended after 3.9 s."
table:
  description: The rows as lines of Markdown.
  returned: always
  type: list
  elements: str
  sample: ["| fault | runs | smtp | ..."]
'''

import json
import os

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mail.ha.plugins.module_utils import drill


class EvidenceError(Exception):
    """A file of the evidence is missing or damaged; the text says which."""


def read(place):
    """The evidence in a directory.

    :returns: ``(records, writes, report, events)`` as ``drill.judge`` takes them
    :raises EvidenceError: a file is missing or damaged
    """
    found = []
    for name, parse in (('ledger.jsonl', _each(json.loads)), ('writes', _each(float)), ('report.json', json.loads),
                        ('events.jsonl', _each(json.loads))):
        path = os.path.join(place, name)
        try:
            with open(path, encoding='utf-8') as handle:
                found.append(parse(handle.read()))
        except (OSError, ValueError) as error:
            raise EvidenceError(f'{path} cannot be read ({error}), expected what a drill leaves there; run the drill again') from error
    return tuple(found)


def _each(parse):
    """Apply ``parse`` to every line that holds something."""
    return lambda text: [parse(line) for line in text.splitlines() if line.strip()]


def times_of(runs):
    """The runs with nothing but their times.

    :raises ValueError: there is none, or one lacks a time
    """
    names = ('begun', 'mended', 'watched')
    try:
        times = [{name: float(run[name]) for name in names} for run in runs]
    except (KeyError, TypeError, ValueError):
        times = []
    if not times:
        raise ValueError(f"runs: found {runs}, expected at least one, each with {', '.join(names)} in seconds since the epoch.")
    return times


def seconds_of(closed):
    """Services that have to refuse, with their seconds as floats.

    :raises ValueError: a service that nobody watches, or what is no number of seconds
    """
    try:
        seconds = {service: float(after) for service, after in closed.items()}
    except (TypeError, ValueError):
        seconds = {}
    if len(seconds) < len(closed) or not set(seconds) <= set(drill.SERVICES) or any(not after >= 0 for after in seconds.values()):
        raise ValueError(f"closed: found {closed}, expected seconds, 0 or more, for some of {', '.join(drill.SERVICES)}.")
    return seconds


def main():
    """Read the evidence and judge it."""
    module = AnsibleModule(
        argument_spec={
            'fault': {'type': 'str', 'required': True},
            'failures': {'type': 'list', 'elements': 'dict', 'required': True},
            'directory': {'type': 'path', 'required': True},
            'runs': {'type': 'list', 'elements': 'dict', 'required': True},
            'allowance': {'type': 'float', 'default': 0},
            'sessions_live': {'type': 'bool', 'default': False},
            'closed': {'type': 'dict', 'default': {}},
        },
        supports_check_mode=True,
    )
    params = module.params
    try:
        runs, closed = times_of(params['runs']), seconds_of(params['closed'])
        records, writes, report, events = read(params['directory'])
    except (EvidenceError, ValueError) as error:
        module.fail_json(msg=str(error))
    verdict = drill.judge(params['fault'], params['failures'], records, writes, report, runs, events=events, allowance=params['allowance'],
                          sessions_live=params['sessions_live'], closed=closed)
    module.exit_json(changed=False, table=drill.table([{'fault': params['fault'], 'runs': len(runs), **verdict}]), **verdict)


if __name__ == '__main__':
    main()
