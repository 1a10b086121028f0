# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the directory's database, its roles, its migrations and its seats need to become what is wanted: pure functions."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re

_VERIFIER = re.compile(r'SCRAM-SHA-256\$(\d+):([A-Za-z0-9+/=]+)\$([A-Za-z0-9+/=]+):([A-Za-z0-9+/=]+)')
_MIGRATION = re.compile(r'(\d{3})-[a-z0-9-]+\.sql')


def scram_verifier(password, salt=None, iterations=4096):
    """A password as PostgreSQL stores it (RFC 5803 with PostgreSQL's field order), so that the clear text is never sent.

    :param password: ASCII text; others would need SASLprep
    :param salt: 16 bytes, random unless given
    """
    if not password.isascii():
        raise ValueError('the password of a database role must be ASCII')
    salt = salt or os.urandom(16)
    salted = hashlib.pbkdf2_hmac('sha256', password.encode(), salt, iterations)
    client = hashlib.sha256(hmac.digest(salted, b'Client Key', 'sha256')).digest()
    server = hmac.digest(salted, b'Server Key', 'sha256')
    salt64, client64, server64 = (base64.b64encode(value).decode() for value in (salt, client, server))
    return f'SCRAM-SHA-256${iterations}:{salt64}${client64}:{server64}'


def scram_matches(password, stored):
    """Whether a stored verifier (or None) belongs to a password."""
    match = _VERIFIER.fullmatch(stored or '')
    if not match:
        return False
    return hmac.compare_digest(scram_verifier(password, base64.b64decode(match.group(2)), int(match.group(1))), stored)


def role_statements(name, wanted, present):
    """Bring one login role to its wanted state.

    :param name: role name, an identifier of our own
    :param wanted: ``{'password', 'connection_limit', 'settings': {parameter: text}}``
    :param present: ``{'password': verifier, 'connection_limit', 'login', 'plain', 'settings'}``, or None where there is no such
        role; ``plain`` says that it has no right beyond logging in
    :returns: list of ``(statement, parameters, words)``, words for people
    """
    result = []
    if present is None:
        result.append((f'CREATE ROLE {name}', (), f'role {name}: create'))
        present = {'password': None, 'connection_limit': -1, 'login': False, 'plain': True, 'settings': {}}
    if not (present['login'] and present['plain']):
        result.append((f'ALTER ROLE {name} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS', (),
                       f'role {name}: log in, and no other right'))
    if present['connection_limit'] != wanted['connection_limit']:
        result.append((f"ALTER ROLE {name} CONNECTION LIMIT {int(wanted['connection_limit'])}", (),
                       f"role {name}: at most {wanted['connection_limit']} connections"))
    if not scram_matches(wanted['password'], present['password']):
        result.append((f'ALTER ROLE {name} PASSWORD %s', (scram_verifier(wanted['password']),), f'role {name}: password (changed)'))
    for parameter, value in sorted(wanted['settings'].items()):
        if present['settings'].get(parameter) != value:
            result.append((f'ALTER ROLE {name} SET {parameter} = %s', (value,), f'role {name}: {parameter} = {value}'))
    for parameter in sorted(set(present['settings']) - set(wanted['settings'])):
        result.append((f'ALTER ROLE {name} RESET {parameter}', (), f'role {name}: {parameter} back to the default'))
    return result


def checksum(text):
    """What is noted of an applied migration."""
    return hashlib.sha256(text.encode()).hexdigest()


def pending_migrations(files, applied):
    """Which migrations are still to be applied.

    :param files: ``{name: SQL text}``, names as in ``001-tables.sql``
    :param applied: ``{name: checksum}`` of the database
    :returns: ``([name, ...] in order, errors)``
    """
    errors = [f'migration {name} has no name of the form 001-what-it-does.sql' for name in sorted(files) if not _MIGRATION.fullmatch(name)]
    if errors:
        return [], errors
    numbers = [int(name[:3]) for name in sorted(files)]
    if numbers != list(range(1, len(numbers) + 1)):
        errors.append(f"the migrations must be numbered 001, 002, ... without gap or repetition, found {', '.join(sorted(files))}")
    for name, noted in sorted(applied.items()):
        if name not in files:
            errors.append(f'the database has the migration {name}, which this version does not know: '
                          'it is newer than this version, which must not touch it; use the version that made it')
        elif checksum(files[name]) != noted:
            errors.append(f'migration {name} was applied with other contents; restore that file and put the change into a new migration')
    pending = [name for name in sorted(files) if name not in applied]
    late = [name for name in pending if applied and name < max(applied)]
    errors += [f'migration {name} comes before {max(applied)}, which is applied already; give it the next number' for name in late]
    return pending, errors


def seat_statements(wanted, present, accounts):
    """Make the table of seats follow the site's list.

    :param wanted: ``{name: {'address', 'fqdn'}}``
    :param present: likewise, from the database
    :param accounts: ``{name: number of accounts}``
    :returns: ``(statements, errors)``, statements as of :func:`role_statements`
    """
    gone = sorted(set(present) - set(wanted))
    errors = [f'seat {name} cannot be removed: it still has {accounts[name]} account(s); give them another seat first '
              '(mail.ha.mail_account with seat)' for name in gone if accounts.get(name)]
    result = [('DELETE FROM mail.seats WHERE name = %s', (name,), f'seat {name}: remove') for name in gone]
    changed = [name for name in sorted(wanted) if wanted[name] != present.get(name)]
    # The unique constraints are checked at commit, so two seats may swap addresses.
    result += [("INSERT INTO mail.seats (name, address, host) VALUES (%s, %s, %s) ON CONFLICT (name) DO UPDATE "
                "SET address = excluded.address, host = excluded.host", (name, wanted[name]['address'], wanted[name]['fqdn']),
                f"seat {name}: {wanted[name]['address']} ({wanted[name]['fqdn']})") for name in changed]
    return result, errors
