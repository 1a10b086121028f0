#!/usr/bin/python
# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: mail_directory_schema
short_description: Create and migrate the database of the directory
version_added: 0.1.0
description:
  - Makes the database, its login roles, its tables and views (by numbered migrations) and its list of seats what they should be.
  - Runs on every database node over its UNIX socket. Only the leader, whichever node that is, is changed; on a replica the module
    waits until the replica has what was asked for.
  - Each migration is applied once, in one transaction; an advisory lock keeps two runs apart.
options:
  socket_directory:
    description: Directory of PostgreSQL's UNIX socket. The module must run as the operating system user of the superuser.
    type: path
    default: /run/postgresql
  port:
    description: Port of PostgreSQL, part of the socket's name.
    type: int
    default: 5432
  database:
    description: Name of the database.
    type: str
    default: mail
  roles:
    description: Login roles by name. They have no right but to log in; what they may read or write is granted by migrations.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the role.
        type: str
        required: true
      password:
        description: Password, ASCII.
        type: str
        required: true
      connection_limit:
        description: How many connections it may have on one node.
        type: int
        default: -1
      settings:
        description: Server parameters for its sessions, by name; others that were set for the role are reset.
        type: dict
        default: {}
  migrations:
    description: SQL by file name (C(001-tables.sql)); numbered without gaps.
    type: dict
    required: true
  seats:
    description: All seats. One that is not listed is removed; while it has accounts that is refused.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the seat.
        type: str
        required: true
      address:
        description: Its IPv4 or IPv6 address.
        type: str
        required: true
      fqdn:
        description: Its host name, as in the certificates of those who hold it.
        type: str
        required: true
  timeout:
    description:
      - Seconds a statement may take, waits for locks and replicas included.
      - Also how long the module waits on a replica for what the leader was given.
    type: int
    default: 60
attributes:
  check_mode:
    description: Can run in check mode; says what would change and changes nothing.
    support: full
  diff_mode:
    description: Lists what would be done, without passwords.
    support: full
requirements:
  - python3-psycopg2
author: ha-mail (@ha-mail)
"""

EXAMPLES = r"""
- name: The directory
  mail.ha.mail_directory_schema:
    roles:
      - {name: mail_reader, password: "{{ directory_reader_password }}", settings: {statement_timeout: 5s}}
    migrations:
      001-tables.sql: "{{ lookup('ansible.builtin.file', 'migrations/001-tables.sql') }}"
    seats:
      - {name: seat01, address: 192.0.2.201, fqdn: seat01.nodes.example.org}
  become: true
  become_user: postgres
"""

RETURN = r"""
leader:
  description: Whether this node is the leader.
  returned: success
  type: bool
  sample: true
actions:
  description: What was done, or would be in check mode.
  returned: success
  type: list
  elements: str
  sample: ["migration 001-tables.sql"]
"""

import ipaddress
import time

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.mail.ha.plugins.module_utils import connection, schema

# The same for all who change the schema: a number of ours, for pg_advisory_lock.
SCHEMA_LOCK = 7_245_246


def options_for(params, database):
    """Connection options over the socket, as superuser."""
    return {'hosts': [params['socket_directory']], 'port': params['port'], 'database': database, 'user': 'postgres',
            'ca_file': None, 'timeout': params['timeout'], 'any_host': True}


def one(cursor, statement, values=None):
    """First column of the only row."""
    cursor.execute(statement, values)
    return cursor.fetchone()[0]


def present_role(cursor, name):
    """A role as role_statements wants it, or None."""
    cursor.execute('SELECT rolpassword, rolconnlimit, rolcanlogin, NOT (rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR '
                   'rolbypassrls), coalesce((SELECT setconfig FROM pg_db_role_setting WHERE setrole = r.oid AND setdatabase = 0), '
                   "'{}') FROM pg_authid r WHERE rolname = %s", (name,))
    row = cursor.fetchone()
    return row and {'password': row[0], 'connection_limit': row[1], 'login': row[2], 'plain': row[3],
                    'settings': dict(item.split('=', 1) for item in row[4])}


def present_contents(cursor):
    """Applied migrations, seats, accounts per seat; all empty in a database that holds nothing of ours yet."""
    if one(cursor, "SELECT to_regclass('mail.schema_migrations')") is None:
        return {}, {}, {}
    cursor.execute('SELECT name, checksum FROM mail.schema_migrations')
    applied = dict(cursor.fetchall())
    if one(cursor, "SELECT to_regclass('mail.accounts')") is None:
        return applied, {}, {}
    cursor.execute('SELECT name, address, host FROM mail.seats')
    seats = {name: {'address': address, 'fqdn': host} for name, address, host in cursor.fetchall()}
    cursor.execute('SELECT seat, count(*) FROM mail.accounts GROUP BY seat')
    return applied, seats, dict(cursor.fetchall())


def plan(params, maintenance, contents):
    """What is missing: ``(role statements, create the database?, migrations, seat statements)``; DirectoryError on a refusal."""
    roles = []
    for role in params['roles']:
        roles += schema.role_statements(role['name'], role, present_role(maintenance, role['name']))
    create = contents is None
    applied, seats, accounts = ({}, {}, {}) if create else contents
    migrations, errors = schema.pending_migrations(params['migrations'], applied)
    wanted = {seat['name']: {'address': seat['address'], 'fqdn': seat['fqdn']} for seat in params['seats']}
    changes, seat_errors = schema.seat_statements(wanted, seats, accounts)
    if errors or seat_errors:
        raise connection.DirectoryError('; '.join(errors + seat_errors))
    return roles, create, migrations, changes


def words(roles, create, database, migrations, seats):
    """The plan for people."""
    return ([f'database {database}: create'] if create else []) + [entry[2] for entry in roles] \
        + [f'migration {name}' for name in migrations] + [entry[2] for entry in seats]


def read_contents(params, maintenance):
    """Contents of the database, None where there is no such database."""
    if not one(maintenance, 'SELECT EXISTS (SELECT FROM pg_database WHERE datname = %s)', (params['database'],)):
        return None
    with connection.connected(options_for(params, params['database'])) as link, link.cursor() as cursor:
        return present_contents(cursor)


def apply(params, maintenance, roles, create, migrations, seats):
    """Do it; the maintenance connection is in autocommit mode and holds the lock."""
    for statement, values, _words in roles:
        maintenance.execute(statement, values or None)
    if create:
        # The builtin locale sorts alike on every node and release, unlike the C library's.
        maintenance.execute(f"CREATE DATABASE {params['database']} TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER builtin "
                            "BUILTIN_LOCALE 'C.UTF-8' LOCALE 'C'")
    if not migrations and not seats:
        return
    with connection.connected(options_for(params, params['database'])) as link, link.cursor() as cursor:
        if migrations:
            cursor.execute('CREATE SCHEMA IF NOT EXISTS mail')
            cursor.execute('CREATE TABLE IF NOT EXISTS mail.schema_migrations '
                           '(name text PRIMARY KEY, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())')
            connection.commit(link)
        for name in migrations:
            cursor.execute(params['migrations'][name])
            cursor.execute('INSERT INTO mail.schema_migrations (name, checksum) VALUES (%s, %s)',
                           (name, schema.checksum(params['migrations'][name])))
            connection.commit(link)
        for statement, values, _words in seats:
            cursor.execute(statement, values)
        connection.commit(link)


def main():
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            'socket_directory': {'type': 'path', 'default': '/run/postgresql'},
            'port': {'type': 'int', 'default': 5432},
            'database': {'type': 'str', 'default': 'mail'},
            'roles': {'type': 'list', 'elements': 'dict', 'required': True, 'options': {
                'name': {'type': 'str', 'required': True},
                'password': {'type': 'str', 'required': True, 'no_log': True},
                'connection_limit': {'type': 'int', 'default': -1},
                'settings': {'type': 'dict', 'default': {}},
            }},
            'migrations': {'type': 'dict', 'required': True},
            'seats': {'type': 'list', 'elements': 'dict', 'required': True, 'options': {
                'name': {'type': 'str', 'required': True},
                'address': {'type': 'str', 'required': True},
                'fqdn': {'type': 'str', 'required': True},
            }},
            'timeout': {'type': 'int', 'default': 60},
        },
        supports_check_mode=True,
    )
    if connection.PSYCOPG2_IMPORT_ERROR:
        module.fail_json(msg=missing_required_lib('psycopg2'), exception=connection.PSYCOPG2_IMPORT_ERROR)
    params = module.params
    try:
        for seat in params['seats']:
            seat['address'] = str(ipaddress.ip_address(seat['address']))
        leader, actions = converge(params, module.check_mode)
    except (connection.DirectoryError, ValueError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=bool(actions) and leader, leader=leader, actions=actions if leader else [],
                     diff={'before': '', 'after': ''.join(f'{action}\n' for action in actions) if leader else ''})


def converge(params, check_mode):
    """``(is this the leader?, what was or would be done)``."""
    deadline = time.monotonic() + params['timeout']
    while True:
        with connection.connected(options_for(params, 'postgres')) as link:
            link.autocommit = True
            with link.cursor() as maintenance:
                leader = not one(maintenance, 'SELECT pg_is_in_recovery()')
                if leader and not check_mode:
                    maintenance.execute('SELECT pg_advisory_lock(%s)', (SCHEMA_LOCK,))
                steps = plan(params, maintenance, read_contents(params, maintenance))
                roles, create, migrations, seats = steps
                actions = words(roles, create, params['database'], migrations, seats)
                if leader and actions and not check_mode:
                    del link.notices[:]
                    apply(params, maintenance, *steps)
                    connection.check_replicated(link)
        if leader or check_mode or not actions:
            return leader, actions
        # A replica: the leader is being given the same right now. Look again, over a new connection, as it may become leader.
        if time.monotonic() > deadline:
            raise connection.DirectoryError(
                f"this node is a replica and after {params['timeout']} s it still misses: {', '.join(actions)}. Is the leader among the "
                'hosts of this run, and does replication work? `patronictl list` shows both')
        time.sleep(0.5)


if __name__ == '__main__':
    main()
