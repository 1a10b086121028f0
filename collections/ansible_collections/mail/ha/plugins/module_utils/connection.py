# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Talking to the directory's PostgreSQL: the writable host, deadlines, and commits that were really replicated."""

from __future__ import annotations

import contextlib
import select
import time
import traceback

try:
    import psycopg2
    import psycopg2.errors
    import psycopg2.extensions
except ImportError:
    PSYCOPG2_IMPORT_ERROR = traceback.format_exc()
else:
    PSYCOPG2_IMPORT_ERROR = None

from ansible.module_utils.basic import missing_required_lib
from ansible_collections.mail.ha.plugins.module_utils import directory, passwords

CONNECT_TIMEOUT = 5
# One writer of the directory at a time: a number of ours, for pg_advisory_xact_lock.
WRITER_LOCK = 7_245_245

# The option `connection` of every module; documented in the fragment plugins/doc_fragments/connection.py.
ARGUMENT = {
    'type': 'dict',
    'default': {},
    'apply_defaults': True,
    'options': {
        'hosts': {'type': 'list', 'elements': 'str', 'default': ['/run/postgresql']},
        'port': {'type': 'int', 'default': 5432},
        'database': {'type': 'str', 'default': 'mail'},
        'user': {'type': 'str', 'default': 'mail_writer'},
        'password': {'type': 'str', 'no_log': True},
        'ca_file': {'type': 'path', 'default': '/etc/ha-mail/tls/ca.crt'},
        'timeout': {'type': 'int', 'default': 30},
    },
}


PASSWORD_ARGUMENTS = {
    'scheme': {'type': 'str', 'default': passwords.DEFAULT_SCHEME, 'choices': list(passwords.SCHEMES)},
    'cost': {'type': 'dict', 'default': {}, 'no_log': False, 'options': {
        'memory': {'type': 'int'}, 'time': {'type': 'int'}, 'parallelism': {'type': 'int'}, 'rounds': {'type': 'int'}}},
    'update_password': {'type': 'str', 'default': 'always', 'choices': ['always', 'on_create'], 'no_log': False},
}


class DirectoryError(Exception):
    """A sentence for people."""


def parameters(options):
    """libpq's connection parameters from a module's option `connection` (names as in ARGUMENT).

    With ``any_host`` a replica is good enough.
    """
    result = {
        'host': ','.join(options['hosts']),
        'port': options['port'],
        'dbname': options['database'],
        'user': options['user'],
        'target_session_attrs': 'any' if options.get('any_host') else 'read-write',
        'connect_timeout': min(CONNECT_TIMEOUT, options['timeout']),
        'tcp_user_timeout': options['timeout'] * 1000,
        'options': f"-c statement_timeout={options['timeout'] * 1000} -c lock_timeout={options['timeout'] * 500}",
        'application_name': 'mail.ha',
        'sslmode': 'verify-full',  # libpq does not apply it to UNIX sockets
    }
    if options.get('ca_file'):
        result['sslrootcert'] = options['ca_file']
    if options.get('password'):
        result['password'] = options['password']
    return result


def waiter(seconds):
    """A psycopg2 wait callback that gives up: a frozen server still acknowledges at TCP level, so libpq would wait for ever."""
    def wait(connection):
        deadline = time.monotonic() + seconds
        while True:
            state = connection.poll()
            if state == psycopg2.extensions.POLL_OK:
                return
            left = deadline - time.monotonic()
            descriptor = [connection.fileno()]
            readable = state == psycopg2.extensions.POLL_READ
            ready = select.select(descriptor if readable else [], [] if readable else descriptor, [], max(left, 0))
            if not any(ready):
                # psycopg2 drops the connection itself when its callback fails; closing it in here would wait for its own lock.
                raise psycopg2.OperationalError(f'no answer within {seconds} s')
    return wait


@contextlib.contextmanager
def connected(options):
    """A connection to the writable host, closed at the end; database errors come out as DirectoryError."""
    psycopg2.extensions.set_wait_callback(None)
    hosts = ', '.join(options['hosts'])
    try:
        connection = psycopg2.connect(**parameters(options))
    except psycopg2.Error as error:
        raise DirectoryError(f"no database that takes writes among {hosts} (port {options['port']}): {_text(error)}; "
                             '`patronictl list` on a database node shows the leader') from error
    # The server's statement_timeout comes first. This one is for what that does not cover: a server that does not answer at
    # all, and a commit that waits for a replica.
    psycopg2.extensions.set_wait_callback(waiter(options['timeout'] + CONNECT_TIMEOUT))
    try:
        yield connection
    except psycopg2.errors.LockNotAvailable as error:
        raise DirectoryError(f"another change of the directory at {hosts} has not ended within {options['timeout'] / 2:g} s (it may wait for a "
                             'replica, which `patronictl list` shows); run this again') from error
    except psycopg2.Error as error:
        raise DirectoryError(f"the directory at {hosts} refused or did not answer: {_text(error)}") from error
    finally:
        psycopg2.extensions.set_wait_callback(None)
        connection.close()


def commit(connection):
    """Commit, and make sure that a replica has it.

    PostgreSQL reports success with a mere warning when its wait for a replica is cut short, and has no timeout for that wait.
    """
    del connection.notices[:]
    try:
        connection.commit()
    except psycopg2.OperationalError as error:
        raise DirectoryError(f'the change was sent, but its commit was not confirmed ({_text(error)}): no replica has it yet, or the leader '
                             'was lost. It may stay or go; look for a missing replica with `patronictl list`, then run this again') from error
    check_replicated(connection)


def check_replicated(connection):
    """Fail when one of the commits since the notices were cleared was not confirmed by a replica."""
    if any('synchronous replication' in notice for notice in connection.notices):
        raise DirectoryError('the change is on the leader, but no replica confirmed it in time, so it would be lost with the leader; '
                             'see `patronictl list` for a missing replica, then run this again')


def read_state(cursor, with_passwords_of=()):
    """The directory's state in the shape of module_utils/directory.py, hashes only of the given addresses."""
    cursor.execute('SELECT name FROM mail.seats ORDER BY name')
    state = {'seats': [row[0] for row in cursor.fetchall()]}
    cursor.execute('SELECT name, catch_all, enabled FROM mail.domains')
    state['domains'] = {name: {'catch_all': catch_all, 'enabled': enabled} for name, catch_all, enabled in cursor.fetchall()}
    cursor.execute('SELECT address, CASE WHEN address = ANY (%s) THEN password END, quota_bytes, seat, enabled FROM mail.accounts',
                   (list(with_passwords_of),))
    state['accounts'] = {address: {'password': password, 'quota_bytes': quota, 'seat': seat, 'enabled': enabled}
                         for address, password, quota, seat, enabled in cursor.fetchall()}
    cursor.execute('SELECT l.address, array_agg(t.destination ORDER BY t.destination COLLATE "C") FROM mail.aliases l '
                   'JOIN mail.alias_destinations t ON t.alias = l.address GROUP BY l.address')
    state['aliases'] = {address: {'destinations': destinations} for address, destinations in cursor.fetchall()}
    return state


def converge(options, wanted, check_mode, **settings):
    """Read the state, plan, and apply the changes in one transaction.

    :param options: connection options
    :param wanted: see :func:`directory.plan`, as are the settings
    :returns: ``(changes, errors)`` as of :func:`directory.plan`
    """
    with connected(options) as connection, connection.cursor() as cursor:
        if not check_mode:
            cursor.execute('SELECT pg_advisory_xact_lock(%s)', (WRITER_LOCK,))
        names = [entry['address'] for entry in wanted.get('accounts') or [] if isinstance(entry.get('address'), str)]
        state = read_state(cursor, names)
        changes, errors = directory.plan(state, wanted, **settings)
        if changes and not errors and not check_mode:
            for change in changes:
                for statement, values in directory.statements(change):
                    cursor.execute(statement, values)
            commit(connection)
        return changes, errors


def password_settings(params):
    """The arguments of :func:`directory.plan` among a module's parameters (PASSWORD_ARGUMENTS)."""
    return {key: params[key] for key in PASSWORD_ARGUMENTS}


def run(module, wanted, **settings):
    """What every account module does with its parameters: converge, then report; never returns."""
    if PSYCOPG2_IMPORT_ERROR:
        module.fail_json(msg=missing_required_lib('psycopg2'), exception=PSYCOPG2_IMPORT_ERROR)
    try:
        if 'scheme' in settings:
            passwords.complete_cost(settings['scheme'], settings['cost'])
        changes, errors = converge(module.params['connection'], wanted, module.check_mode, **settings)
    except (DirectoryError, passwords.PasswordError) as error:
        module.fail_json(msg=str(error))
    if errors:
        module.fail_json(msg='; '.join(errors), errors=errors)
    described = [directory.describe(change) for change in changes]
    counts = {action: sum(change['action'] == action for change in described) for action in ('created', 'updated', 'removed')}
    module.exit_json(changed=bool(changes), changes=described, counts=counts, diff=directory.diff_of(changes))


def _text(error):
    """The server's main sentence; its details may quote a whole row, hash included, so they stay out."""
    primary = getattr(getattr(error, 'diag', None), 'message_primary', None)
    return primary or ' '.join(str(error).split()) or type(error).__name__
