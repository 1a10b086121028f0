# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import pytest

from ansible_collections.mail.ha.plugins.module_utils import schema

# From PostgreSQL 17 itself: ALTER ROLE mail_reader PASSWORD 'pencil'; SELECT rolpassword FROM pg_authid
VERIFIER = 'SCRAM-SHA-256$4096:CZtWvxwTYqoaLfA9wlJruw==$Tzbvd7KciP6L+XgjrxncftU7OHZxFsnkKe6A5dkzmkY=:cRWJ1j9d/8o0sL2+A4jxhmuRlOVAZFMSt7ZXUB52FIw='
FILES = {'001-tables.sql': 'CREATE TABLE a ();', '002-views.sql': 'CREATE VIEW b AS SELECT 1;'}
PLAIN = {'password': VERIFIER, 'connection_limit': 5, 'login': True, 'plain': True, 'settings': {'statement_timeout': '5s'}}
WANTED = {'password': 'pencil', 'connection_limit': 5, 'settings': {'statement_timeout': '5s'}}


def test_verifier_of_postgresql():
    assert schema.scram_matches('pencil', VERIFIER)
    assert not schema.scram_matches('pencils', VERIFIER)


@pytest.mark.parametrize('stored', [None, '', 'md5abc', 'SCRAM-SHA-256$'])
def test_other_verifiers(stored):
    assert not schema.scram_matches('pencil', stored)


def test_verifiers_are_salted():
    assert schema.scram_verifier('pencil') != schema.scram_verifier('pencil')
    assert schema.scram_matches('pencil', schema.scram_verifier('pencil'))


def test_a_password_outside_ascii_is_refused():
    with pytest.raises(ValueError, match='must be ASCII'):
        schema.scram_verifier('bücher')


def test_role_as_wanted():
    assert schema.role_statements('r', WANTED, PLAIN) == []


def test_new_role():
    texts = [statement for statement, _values, _words in schema.role_statements('r', WANTED, None)]
    assert texts[0] == 'CREATE ROLE r'
    assert 'NOSUPERUSER' in texts[1]
    assert texts[2:] == ['ALTER ROLE r CONNECTION LIMIT 5', 'ALTER ROLE r PASSWORD %s', 'ALTER ROLE r SET statement_timeout = %s']


@pytest.mark.parametrize(('difference', 'part'), [
    ({'password': None}, 'ALTER ROLE r PASSWORD %s'), ({'connection_limit': -1}, 'CONNECTION LIMIT 5'), ({'login': False}, 'LOGIN'),
    ({'plain': False}, 'NOSUPERUSER'), ({'settings': {'statement_timeout': '6s'}}, 'SET statement_timeout'),
    ({'settings': {'statement_timeout': '5s', 'work_mem': '1GB'}}, 'RESET work_mem'),
])
def test_role_that_differs(difference, part):
    found = schema.role_statements('r', WANTED, {**PLAIN, **difference})
    assert len(found) == 1
    assert part in found[0][0]
    assert 'pencil' not in str(found)


def test_migrations():
    first = {'001-tables.sql': schema.checksum(FILES['001-tables.sql'])}
    assert schema.pending_migrations(FILES, {}) == (['001-tables.sql', '002-views.sql'], [])
    assert schema.pending_migrations(FILES, first) == (['002-views.sql'], [])
    assert schema.pending_migrations(FILES, {name: schema.checksum(text) for name, text in FILES.items()}) == ([], [])


@pytest.mark.parametrize(('files', 'applied', 'part'), [
    ({'1-a.sql': ''}, {}, 'has no name of the form'),
    ({'001-a.sql': '', '003-b.sql': ''}, {}, 'without gap'),
    ({'001-a.sql': '', '001-b.sql': ''}, {}, 'without gap'),
    (FILES, {'001-tables.sql': 'other'}, 'was applied with other contents'),
    (FILES, {'003-new.sql': 'x'}, 'which this version does not know'),
])
def test_bad_migrations(files, applied, part):
    _pending, errors = schema.pending_migrations(files, applied)
    assert part in errors[0]


def test_seats():
    wanted = {'a': {'address': '10.0.0.1', 'fqdn': 'a.x.test'}, 'b': {'address': '2001:db8::1', 'fqdn': 'b.x.test'}}
    statements, errors = schema.seat_statements(wanted, {}, {})
    assert errors == []
    assert [values for _statement, values, _words in statements] == [('a', '10.0.0.1', 'a.x.test'), ('b', '2001:db8::1', 'b.x.test')]
    assert schema.seat_statements(wanted, wanted, {'a': 3}) == ([], [])
    statements, errors = schema.seat_statements({'a': wanted['a']}, wanted, {'a': 3})
    assert errors == []
    assert [words for _statement, _values, words in statements] == ['seat b: remove']
    _statements, errors = schema.seat_statements({'b': wanted['b']}, wanted, {'a': 3})
    assert errors == ['seat a cannot be removed: it still has 3 account(s); give them another seat first (mail.ha.mail_account with seat)']
