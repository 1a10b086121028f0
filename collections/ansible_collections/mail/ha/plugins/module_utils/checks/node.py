# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""What belongs to every node: commands that change nothing, all at once and each with a deadline."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from ansible_collections.mail.ha.plugins.module_utils.asking import GIVEN_UP, bounded, run as run_command

ARGUMENTS = {
    'commands': {'type': 'list', 'elements': 'dict', 'required': True, 'options': {
        'name': {'type': 'str', 'required': True},
        'argv': {'type': 'list', 'elements': 'str', 'required': True},
        'expected': {'type': 'str'},
        'remedy': {'type': 'str', 'default': ''},
        'environment': {'type': 'dict', 'default': {}, 'no_log': True},
    }},
    'timeout': {'type': 'float', 'default': 15},
}
MOST = 500  # characters of output that are kept


def execute(command, timeout):
    """Run one command -> (exit code, output)."""
    try:
        code, out, err = run_command(bounded(command['argv'], timeout), command['environment'])
    except OSError as error:
        return 127, str(error)
    return code, (out + err).strip()


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


def examine(parameters, run=execute):
    """The answer. ``run(command, timeout)`` is execute() or a stand-in."""
    commands, timeout = parameters['commands'], parameters['timeout']
    with ThreadPoolExecutor(max_workers=max(1, len(commands))) as pool:
        ended = list(pool.map(lambda command: run(command, timeout), commands))
    told = [judge(command, code, output, timeout) for command, (code, output) in zip(commands, ended)]
    return {
        'results': [{'name': command['name'], 'ok': sentence is None, 'output': output[:MOST]}
                    for command, (dummy, output), sentence in zip(commands, ended, told)],
        'problems': [sentence for sentence in told if sentence],
    }


def answer(parameters):
    """The answer of this node."""
    return examine(parameters)
