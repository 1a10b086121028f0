# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

"""The modules and their connection, over a stand-in for psycopg2's connection; the real thing is tried by molecule/directory."""

from __future__ import annotations

import contextlib
import json

import pytest

from ansible.module_utils.testing import patch_module_args
from ansible_collections.mail.ha.plugins.module_utils import connection, passwords
from ansible_collections.mail.ha.plugins.modules import mail_account, mail_alias, mail_directory, mail_domain

CONNECTION = {'hosts': ['db1.x.test', 'db2.x.test'], 'password': 'hidden-connection'}
STORED = passwords.make_hash('hidden-one', 'SSHA512')


class Cursor:
    """Answers the reads of connection.read_state and notes everything else."""

    def __init__(self, written):
        self.written = written
        self.rows = []

    def execute(self, statement, values=None):
        answers = {
            'FROM mail.seats': [('seat01',), ('seat02',)],
            'FROM mail.domains': [('a.test', None, True)],
            'FROM mail.accounts': [('anna@a.test', STORED, 5, 'seat01', True)],
            'FROM mail.aliases': [('info@a.test', ['anna@a.test'])],
        }
        if statement.startswith('SELECT pg_advisory'):
            self.written.append('lock')
        elif statement.startswith('SELECT'):
            self.rows = next(rows for part, rows in answers.items() if part in statement)
        else:
            self.written.append((statement, values))

    def fetchall(self):
        return self.rows

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        return None


class Link:
    """A connection whose commits end as the test wants."""

    def __init__(self, notices=()):
        self.written = []
        self.notices = []
        self.coming = list(notices)

    def cursor(self):
        return Cursor(self.written)

    def commit(self):
        self.written.append('commit')
        self.notices += self.coming


@pytest.fixture(name='run')
def fixture_run(monkeypatch, capsys):
    monkeypatch.setattr(connection, 'PSYCOPG2_IMPORT_ERROR', None)

    def run(module, link=None, check=False, **params):
        link = link or Link()
        monkeypatch.setattr(connection, 'connected', lambda options: contextlib.nullcontext(link))
        with patch_module_args({'connection': CONNECTION, '_ansible_check_mode': check, **params}), pytest.raises(SystemExit):
            module.main()
        output = capsys.readouterr().out
        assert 'hidden' not in output.partition('"invocation"')[0]
        assert STORED not in output
        return json.loads(output), link.written
    return run


def test_nothing_to_do(run):
    for module, params in ((mail_domain, {'name': 'a.test'}), (mail_account, {'address': 'anna@a.test', 'password': 'hidden-one', 'scheme': 'SSHA512'}),
                           (mail_alias, {'address': 'info@a.test', 'destinations': ['anna@a.test']})):
        result, written = run(module, **params)
        assert result['changed'] is False
        assert result['changes'] == []
        assert written == ['lock']


def test_changes_are_written_in_one_transaction(run):
    result, written = run(mail_directory, domains=[{'name': 'b.test'}], aliases=[{'address': 'x@b.test', 'destinations': ['anna@a.test']}],
                          accounts=[{'address': 'ben@b.test', 'password': 'hidden-two', 'quota': '1MB'}], scheme='SSHA512')
    assert result['changed'] is True
    assert result['counts'] == {'created': 3, 'updated': 0, 'removed': 0}
    assert result['changes'][1]['after'] == {'enabled': True, 'password': '(changed)', 'quota_bytes': 1048576, 'seat': 'seat02'}
    assert written[0] == 'lock'
    assert written[-1] == 'commit'
    assert written.count('commit') == 1
    assert len(written) == 7


@pytest.mark.parametrize(('module', 'params'), [
    (mail_domain, {'name': 'b.test'}),
    (mail_domain, {'name': 'a.test', 'state': 'absent', 'force': True}),
    (mail_account, {'address': 'ben@a.test', 'password': 'hidden-two', 'scheme': 'SSHA512'}),
    (mail_alias, {'address': 'info@a.test', 'state': 'absent'}),
    (mail_directory, {'domains': [{'name': 'b.test'}]}),
])
def test_check_mode_reports_and_leaves_nothing(run, module, params):
    result, written = run(module, check=True, **params)
    assert result['changed'] is True
    assert result['diff']['before'] != result['diff']['after']
    assert written == []
    really, _written = run(module, **params)
    assert really['changes'] == result['changes']


@pytest.mark.parametrize(('module', 'params', 'part'), [
    (mail_domain, {'name': 'a.test', 'state': 'absent'}, 'still has 1 account(s)'),
    (mail_account, {'address': 'x@b.test', 'password': 'hidden'}, "the domain 'b.test' does not exist"),
    (mail_account, {'address': 'x@a.test', 'password': 'hidden', 'scheme': 'BLF-CRYPT', 'cost': {'rounds': 2}}, 'from 4 to 31'),
    (mail_account, {'address': 'x@a.test', 'password': 'hidden', 'password_hash': '{SSHA512}hidden'}, 'mutually exclusive'),
    (mail_alias, {'address': 'x@a.test', 'destinations': ['nobody@a.test']}, 'neither an account nor an alias'),
    (mail_directory, {'domains': [{'name': 'b.test'}, {'name': 'b.test'}]}, 'is there twice'),
])
def test_refusals_write_nothing(run, module, params, part):
    result, written = run(module, **params)
    assert result['failed'] is True
    assert part in result['msg']
    assert 'commit' not in written


def test_a_commit_without_a_replica_is_a_failure(run):
    link = Link(['WARNING:  canceling wait for synchronous replication due to user request\n'])
    result, _written = run(mail_domain, link, name='b.test')
    assert result['failed'] is True
    assert 'no replica confirmed it' in result['msg']


def test_connection_parameters():
    options = {'hosts': ['db1.x.test', 'db2.x.test'], 'port': 5432, 'database': 'mail', 'user': 'mail_writer', 'password': 'hidden',
               'ca_file': '/ca.crt', 'timeout': 30}
    found = connection.parameters(options)
    assert found['host'] == 'db1.x.test,db2.x.test'
    assert found['target_session_attrs'] == 'read-write'
    assert found['sslmode'] == 'verify-full'
    assert found['connect_timeout'] == 5
    assert found['options'] == '-c statement_timeout=30000 -c lock_timeout=15000'
    assert connection.parameters({**options, 'timeout': 2})['connect_timeout'] == 2
    assert 'password' not in connection.parameters({**options, 'password': None})
