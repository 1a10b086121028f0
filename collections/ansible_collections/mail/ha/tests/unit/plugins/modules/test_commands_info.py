# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Real commands of this machine."""

from __future__ import annotations

import time

import pytest

from ansible_collections.mail.ha.plugins.module_utils.checks import node as check


def command(*argv, **others):
    return dict({'name': 'thing', 'argv': list(argv), 'expected': None, 'remedy': 'Look at it.', 'environment': {}}, **others)


def examine(*commands, timeout=5):
    return check.examine({'commands': list(commands), 'timeout': timeout})


def test_all_well():
    answer = examine(command('true'), command('echo', 'active', expected='active'))
    assert answer == {'problems': [], 'results': [
        {'name': 'thing', 'ok': True, 'output': ''}, {'name': 'thing', 'ok': True, 'output': 'active'}]}


@pytest.mark.parametrize('argv, expected, sentence', [
    (['sh', '-c', 'echo no >&2; exit 3'], None, 'thing: found exit code 3, "no", expected exit code 0 from "sh -c echo no >&2; exit 3". Look at it.'),
    (['echo', 'pending'], 'active', 'thing: found "pending", expected "active" from "echo pending". Look at it.'),
    (['sleep', '5'], None, 'thing: found no answer within 0.2 s, expected exit code 0 from "sleep 5". Look at it.'),
])
def test_what_is_wrong(argv, expected, sentence):
    assert examine(command(*argv, expected=expected), timeout=0.2)['problems'] == [sentence]


def test_a_command_that_is_not_there():
    problem, = examine(command('/nowhere/program'))['problems']
    assert problem.startswith('thing: found exit code 127, ') and 'No such file' in problem


def test_all_at_the_same_time():
    started = time.monotonic()
    examine(command('sleep', '0.5'), command('sleep', '0.5'), command('sleep', '0.5'))
    assert time.monotonic() - started < 1.4


def test_a_secret_is_passed_and_not_told():
    asked = command('sh', '-c', 'test "$PGPASSWORD" = secret', environment={'PGPASSWORD': 'secret'})
    assert examine(asked)['problems'] == []
    asked['environment'] = {'PGPASSWORD': 'wrong'}
    assert 'wrong' not in examine(asked)['problems'][0]
