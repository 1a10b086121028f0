# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import pytest

from ansible.errors import AnsibleFilterError
from ansible_collections.mail.ha.plugins.filter import directory as directory_filters
from ansible_collections.mail.ha.plugins.filter import passwords as password_filters
from ansible_collections.mail.ha.plugins.test import passwords as password_tests

hashed = password_filters.FilterModule().filters()['dovecot_password']
verifies = password_tests.TestModule().tests()['dovecot_password_verify']


def test_hash_and_verify():
    stored = hashed('word', 'BLF-CRYPT', rounds=4)
    assert stored.startswith('{BLF-CRYPT}$2b$04$')
    assert verifies('word', stored)
    assert not verifies('other', stored)


def test_idempotent():
    stored = hashed('word', 'SHA512-CRYPT', rounds=1000)
    assert hashed('word', 'SHA512-CRYPT', stored=stored, rounds=1000) == stored
    assert hashed('other', 'SHA512-CRYPT', stored=stored, rounds=1000) != stored
    assert hashed('word', 'SSHA512', salt='anna@a.test') == hashed('word', 'SSHA512', salt='anna@a.test')
    assert hashed('word', 'SSHA512') != hashed('word', 'SSHA512')
    assert hashed('word', 'SSHA512', stored='').startswith('{SSHA512}')


@pytest.mark.parametrize(('arguments', 'part'), [
    ({'scheme': 'ROT13'}, 'unknown password scheme ROT13'), ({'salt': 'x'}, '8 characters'), ({'rounds': 5}, 'has no cost rounds'),
    ({'salt': 'long enough', 'stored': '{SSHA512}x'}, 'not both'),
])
def test_bad_arguments(arguments, part):
    with pytest.raises(AnsibleFilterError, match=part) as caught:
        hashed('hidden', **arguments)
    assert 'hidden' not in str(caught.value)


def test_verify_of_a_damaged_hash_is_an_error():
    with pytest.raises(AnsibleFilterError, match='is no SSHA512 hash'):
        verifies('word', '{SSHA512}short')


def test_passwords_are_filled_in():
    filters = directory_filters.FilterModule().filters()
    accounts = [{'address': 'a@x.test'}, {'address': 'b@x.test', 'password': 'own'}, {'address': 'c@x.test', 'password_hash': '{X}y'},
                {'address': 'd@x.test', 'state': 'absent'}, {'address': 'e@x.test', 'state': 'present', 'password': None}]
    assert filters['needs_password'](accounts) == ['a@x.test', 'e@x.test']
    filled = filters['with_passwords'](accounts, {'a@x.test': 'made'}, 'later')
    assert [account.get('password') for account in filled] == ['made', 'own', None, None, 'later']
    assert accounts[0] == {'address': 'a@x.test'}


def test_errors_of_the_lists():
    check = directory_filters.FilterModule().filters()['directory_errors']
    assert check({'domains': [{'name': 'x.test'}], 'accounts': [{'address': 'a@x.test', 'seat': 's'}], 'aliases': []}, ['s']) == []
    assert len(check({'domains': [{'name': 'x.test'}], 'accounts': [{'address': 'a@x.test', 'seat': 's'}], 'aliases': []}, ['t'])) == 1
