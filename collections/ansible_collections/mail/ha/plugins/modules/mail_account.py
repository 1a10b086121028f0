#!/usr/bin/python
# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: mail_account
short_description: Manage one mail account of the directory
version_added: 0.1.0
description:
  - Creates, changes or removes an account in the ha-mail directory.
  - A password is hashed anew only when the present hash does not verify it or is weaker than wanted.
options:
  address:
    description: The account's address, which is its login name as well; lower case.
    type: str
    required: true
  password:
    description: The password in clear. A new account needs this or O(password_hash).
    type: str
  password_hash:
    description: The password as Dovecot stores it, C({SCHEME}hash).
    type: str
  quota:
    description:
      - Size of the mailbox, as in C(500MB) or C(1GB) (units are powers of 1024), or bytes; C(0) means no limit.
      - A new account has C(1GB) unless given; kept as it is when not given.
    type: str
  seat:
    description: The seat that serves the account. A new account gets the seat with the fewest accounts, an existing one keeps its own.
    type: str
  enabled:
    description: Whether the account receives mail and may log in. A new account is enabled; kept as it is when not given.
    type: bool
  state:
    description: Whether the account exists. Removing it leaves its mail in the store.
    type: str
    default: present
    choices: [present, absent]
  scheme:
    description:
      - Dovecot password scheme for passwords given in clear.
      - A present hash of a weaker scheme is replaced, one of a stronger scheme is kept.
    type: str
    default: ARGON2ID
    choices: [ARGON2ID, ARGON2I, BLF-CRYPT, SHA512-CRYPT, SHA256-CRYPT, PBKDF2, SSHA512, SSHA256]
  cost:
    description:
      - Cost of that scheme; what is left out has the default of the scheme (measured, see role directory).
      - A present hash that costs less is replaced.
    type: dict
    default: {}
    suboptions:
      memory:
        description: Argon2 only. Memory in KiB; 7168 unless given.
        type: int
      time:
        description: Argon2 only. Passes over the memory; 5 unless given.
        type: int
      parallelism:
        description: Argon2 only. Lanes; 1 unless given.
        type: int
      rounds:
        description: Rounds of the other schemes (BLF-CRYPT takes the logarithm, 8 unless given; the others 50000).
        type: int
  update_password:
    description: Whether an existing account gets the given password or hash (C(always)), or only a new one (C(on_create)).
    type: str
    default: always
    choices: [always, on_create]
attributes:
  check_mode:
    description: Can run in check mode; says what would change and changes nothing.
    support: full
  diff_mode:
    description: Shows each object before and after. A password appears as C((changed)) only, a hash never.
    support: full
extends_documentation_fragment:
  - mail.ha.connection
author: ha-mail (@ha-mail)
"""

EXAMPLES = r"""
- name: An account
  mail.ha.mail_account:
    connection: {hosts: [mail1.example.net, mail2.example.net], password: "{{ directory_writer_password }}"}
    address: anna@example.org
    password: "{{ anna_password }}"
    quota: 5GB

- name: Lock an account, password and quota untouched
  mail.ha.mail_account:
    connection: {hosts: [mail1.example.net, mail2.example.net], password: "{{ directory_writer_password }}"}
    address: ben@example.org
    enabled: false
"""

RETURN = r"""
changes:
  description: What was changed, or would be in check mode. A new password appears as C((changed)).
  returned: always
  type: list
  elements: dict
  contains:
    kind:
      description: Kind of the object.
      type: str
      sample: account
    name:
      description: Name or address of the object.
      type: str
      sample: anna@example.org
    action:
      description: One of C(created), C(updated), C(removed).
      type: str
      sample: created
    before:
      description: The object as it was, or null.
      type: dict
      sample: null
    after:
      description: The object as it is now, or null. Quotas are in bytes.
      type: dict
      sample: {enabled: true, quota_bytes: 1073741824, seat: seat01, password: (changed)}
counts:
  description: How many objects were created, updated and removed.
  returned: always
  type: dict
  sample: {created: 1, updated: 0, removed: 0}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mail.ha.plugins.module_utils import connection


def main():
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            'connection': connection.ARGUMENT,
            'address': {'type': 'str', 'required': True},
            'password': {'type': 'str', 'no_log': True},
            'password_hash': {'type': 'str', 'no_log': True},
            'quota': {'type': 'str'},
            'seat': {'type': 'str'},
            'enabled': {'type': 'bool'},
            'state': {'type': 'str', 'default': 'present', 'choices': ['present', 'absent']},
            **connection.PASSWORD_ARGUMENTS,
        },
        mutually_exclusive=[('password', 'password_hash')],
        supports_check_mode=True,
    )
    entry = {key: module.params[key] for key in ('address', 'password', 'password_hash', 'quota', 'seat', 'enabled', 'state')}
    connection.run(module, {'accounts': [entry]}, **connection.password_settings(module.params))


if __name__ == '__main__':
    main()
