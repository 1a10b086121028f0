#!/usr/bin/python
# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Several questions to one node, all at the same time."""

from __future__ import annotations

DOCUMENTATION = r'''
---
module: commands_info
short_description: Run checks of a node at the same time, and say which fail
version_added: 0.2.0
description:
  - Runs commands that change nothing, all at once and each with a deadline, and reports which of them did not end as they should.
  - A command that fails is reported in RV(problems), not as a failure.
options:
  commands:
    description: The commands.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: What is asked, for the sentences.
        type: str
        required: true
      argv:
        description: The command and its arguments; no shell is involved.
        type: list
        elements: str
        required: true
      expected:
        description: What its output must be, without spaces around it. Without it the exit code 0 is enough.
        type: str
      remedy:
        description: A sentence that says what to do when it fails.
        type: str
        default: ''
      environment:
        description: Variables that are added to the environment; a place for secrets, which are not shown.
        type: dict
        default: {}
  timeout:
    description: Limit of each command, in seconds.
    type: float
    default: 8
author:
  - ha-mail (@ha-mail)
attributes:
  check_mode:
    description: Runs the commands in check mode, too, for they must not change anything.
    support: full
  diff_mode:
    description: Changes nothing.
    support: none
  platform:
    description: Any with timeout(1).
    support: full
    platforms: posix
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
'''

EXAMPLES = r'''
- name: Ask for the clock and the firewall
  mail.ha.commands_info:
    commands:
      - name: clock
        argv: [chronyc, -c, -n, tracking]
        remedy: Look at "journalctl -u chrony".
      - name: firewall
        argv: [/usr/local/lib/ha-mail/host-firewall, status]
        expected: active
  register: node
  failed_when: node.problems | length > 0
'''

RETURN = r'''
problems:
  description: One sentence for each command that did not end as it should; empty when all did.
  returned: always
  type: list
  elements: str
  sample: ["firewall: found \"pending\", expected \"active\"."]
results:
  description: The commands in their order, whether each ended as it should, and what it wrote (its first 500 characters).
  returned: always
  type: list
  elements: dict
  sample: [{"name": "firewall", "ok": true, "output": "active"}]
'''

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mail.ha.plugins.module_utils.asking import GIVEN_UP, bounded

MOST = 500  # characters of output that are kept


def ask(command, timeout):
    """Run one command -> (exit code, output)."""
    try:
        done = subprocess.run(bounded(command['argv'], timeout), env=dict(os.environ, LC_ALL='C', **command['environment']), check=False,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding='utf-8', errors='replace')
    except OSError as error:
        return 127, str(error)
    return done.returncode, done.stdout.strip()


def judge(command, code, output, timeout):
    """The sentence about a command, or None when it ended as it should."""
    if code in GIVEN_UP:
        found = 'no answer within %g s' % timeout
    elif code != 0:
        found = 'exit code %d, "%s"' % (code, output[:MOST])
    elif command['expected'] is not None and output != command['expected']:
        found = '"%s"' % output[:MOST]
    else:
        return None
    wanted = 'exit code 0' if command['expected'] is None else '"%s"' % command['expected']
    return ('%s: found %s, expected %s from "%s". %s' % (command['name'], found, wanted, ' '.join(command['argv']), command['remedy'])).strip()


def examine(parameters, run=ask):
    """The module's answer. ``run(command, timeout)`` is ask() or a stand-in."""
    commands, timeout = parameters['commands'], parameters['timeout']
    with ThreadPoolExecutor(max_workers=max(1, len(commands))) as pool:
        ended = list(pool.map(lambda command: run(command, timeout), commands))
    told = [judge(command, code, output, timeout) for command, (code, output) in zip(commands, ended)]
    return {
        'results': [{'name': command['name'], 'ok': sentence is None, 'output': output[:MOST]}
                    for command, (dummy, output), sentence in zip(commands, ended, told)],
        'problems': [sentence for sentence in told if sentence],
    }


def main():
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            'commands': {'type': 'list', 'elements': 'dict', 'required': True, 'options': {
                'name': {'type': 'str', 'required': True},
                'argv': {'type': 'list', 'elements': 'str', 'required': True},
                'expected': {'type': 'str'},
                'remedy': {'type': 'str', 'default': ''},
                'environment': {'type': 'dict', 'default': {}, 'no_log': True},
            }},
            'timeout': {'type': 'float', 'default': 8},
        },
        supports_check_mode=True,
    )
    module.exit_json(changed=False, **examine(module.params))


if __name__ == '__main__':
    main()
