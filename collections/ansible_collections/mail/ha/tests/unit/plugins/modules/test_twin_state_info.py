# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The module with a stand-in for the node's commands: what it asks, what an answer that does not come does."""

from __future__ import annotations

from ansible_collections.mail.ha.plugins.modules import twin_state_info

PARAMETERS = {'subjects': [], 'packages': ['postfix*'], 'sysctl_files': [], 'map_keys': ['anna@alpha.test'], 'endpoints': [], 'own_certificates': False,
              'seal_key': 'key'}


class Commands:
    """Answers by the beginning of the command."""

    def __init__(self, **answers):
        self.answers = answers
        self.asked = []

    def __call__(self, arguments, **options):
        self.asked.append((arguments, options))
        return self.answers.get(arguments[0], (127, '', 'not found'))


def examine(subjects, commands):
    return twin_state_info.examine(dict(PARAMETERS, subjects=subjects), commands)


def test_one_that_cannot_be_asked_does_not_hide_the_others():
    found = examine(['dovecot', 'postfix'], Commands(postconf=(0, 'x = 1\n', '')))
    assert found['state']['postfix']['x'] == '1'
    assert found['errors'] == ['dovecot: doveconf -n ended with 127: not found']


def test_maps_are_asked_for_the_keys_and_no_answer_is_an_answer():
    commands = Commands(postconf=(0, 'virtual_alias_maps = proxy:pgsql:/etc/postfix/directory/routes.cf\n', ''), postmap=(1, '', ''))
    found = examine(['maps'], commands)
    assert commands.asked[-1] == (['postmap', '-q', '-', 'pgsql:/etc/postfix/directory/routes.cf'], {'data': 'anna@alpha.test\n'})
    assert found['state']['maps']['routes.cf'].startswith('0 answers') and not found['errors']


def test_secrets_do_not_leave_the_node():
    found = examine(['dovecot'], Commands(doveconf=(0, 'pgsql a {\n  password = hidden\n}\n', '')))
    assert 'hidden' not in str(found)


def test_an_answer_that_is_none_is_an_error():
    assert examine(['postgresql'], Commands(runuser=(0, '', '')))['errors'][0].startswith('postgresql: ')


def test_the_clock_is_left_to_the_control_node():
    assert examine(['clock'], Commands()) == {'state': {}, 'served': {}, 'errors': []}
