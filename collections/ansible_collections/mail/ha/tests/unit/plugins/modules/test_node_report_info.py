# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Checks that answer, fail, hang and are asked wrongly, all in one report."""

from __future__ import annotations

import json
import threading
import time
from types import SimpleNamespace

import pytest

from ansible.module_utils.testing import patch_module_args
from ansible_collections.mail.ha.plugins.module_utils import cluster_health
from ansible_collections.mail.ha.plugins.module_utils.checks import CheckError
from ansible_collections.mail.ha.plugins.modules import node_report_info


def check(answer, **arguments):
    return SimpleNamespace(ARGUMENTS=arguments, answer=answer)


def broken(error):
    def answer(parameters):
        raise error
    return check(answer)


ECHO = check(lambda parameters: parameters, size={'type': 'int', 'required': True}, unit={'type': 'str', 'default': 'kB'})


def test_there_is_a_check_for_all_that_is_judged():
    assert list(node_report_info.CHECKS) == [name for name in cluster_health.ANSWERS if name != 'firewall']


def test_each_says_what_it_says_with_its_options():
    found = node_report_info.ask_all({'a': {'size': '3'}, 'b': {'size': 4, 'unit': 'MB'}}, 5, {'a': ECHO, 'b': ECHO})
    assert found == {'a': {'size': 3, 'unit': 'kB'}, 'b': {'size': 4, 'unit': 'MB'}}


@pytest.mark.parametrize('asked, options, sentence', [
    (broken(CheckError('keepalived is not there.')), {}, 'keepalived is not there.'),
    (broken(KeyError('state')), {}, "KeyError: 'state'"),
    (ECHO, {}, 'missing required arguments: size'),
    (ECHO, {'size': 'many'}, "argument 'size' is of type str and we were unable to convert to int: \"'many'\" cannot be converted to an int"),
    (ECHO, {'size': 1, 'colour': 'red'}, 'colour. Supported parameters include: size, unit.'),
    (ECHO, None, 'found no options for it in questions, expected those of its module.'),
])
def test_one_that_fails_is_part_of_the_report(asked, options, sentence):
    found = node_report_info.ask_all({'bad': options, 'good': {'size': 1}}, 5, {'bad': asked, 'good': ECHO})
    assert found['bad']['failed'] and found['bad']['msg'].endswith(sentence)
    assert found['good'] == {'size': 1, 'unit': 'kB'}


def test_one_that_hangs_holds_nobody_up():
    release, begun = threading.Event(), time.monotonic()
    try:
        found = node_report_info.ask_all({'bad': {}, 'good': {'size': 1}}, 0.5, {'bad': check(lambda parameters: release.wait(20)), 'good': ECHO})
        assert time.monotonic() - begun < 5
    finally:
        release.set()
    assert found == {'bad': {'failed': True, 'msg': 'it gave no answer within 0.5 s.'}, 'good': {'size': 1, 'unit': 'kB'}}


def test_they_are_asked_side_by_side():
    together = threading.Barrier(2, timeout=10)
    meet = check(lambda parameters: {'place': together.wait() >= 0})
    assert node_report_info.ask_all({'a': {}, 'b': {}}, 15, {'a': meet, 'b': meet}) == {'a': {'place': True}, 'b': {'place': True}}


def test_a_secret_of_a_command_stays_secret(capsys):
    command = {'name': 'login', 'argv': ['sh', '-c', 'test "$PGPASSWORD" = Thursday1 && echo "$PGPASSWORD"'], 'environment': {'PGPASSWORD': 'Thursday1'}}
    with patch_module_args({'round': '1', 'checks': ['node'], 'commands': [command], 'questions': {}}), pytest.raises(SystemExit):
        node_report_info.main()
    said = capsys.readouterr().out
    result = json.loads(said)
    assert result['checks']['node']['results'][0]['ok'] and not result['changed']
    assert 'Thursday1' not in said.replace('= Thursday1 &&', '')
