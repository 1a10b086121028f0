#!/usr/bin/python
# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: mail_directory
short_description: Manage many domains, accounts and aliases of the directory at once
version_added: 0.1.0
description:
  - Brings all listed domains, accounts and aliases to the wanted state in one transaction, so either all of it or nothing.
  - >-
    The lists are complete descriptions, as in an inventory. What an entry leaves out has its default and is not kept as it is;
    only the seat and the password of an existing account are.
  - What is not listed is left alone.
options:
  domains:
    description: Domains.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The domain.
        type: str
        required: true
      catch_all:
        description: Address that receives the mail of all unknown addresses; none unless given.
        type: str
      enabled:
        description: Whether mail is accepted and logins are allowed; true unless given.
        type: bool
      state:
        description: Whether the domain exists.
        type: str
        default: present
        choices: [present, absent]
  accounts:
    description: Accounts.
    type: list
    elements: dict
    default: []
    suboptions:
      address:
        description: Address and login name.
        type: str
        required: true
      password:
        description: The password in clear.
        type: str
      password_hash:
        description: The password as Dovecot stores it.
        type: str
      quota:
        description: Size of the mailbox; C(1GB) unless given, C(0) for no limit.
        type: str
      seat:
        description: The seat; chosen for a new account, kept for an existing one.
        type: str
      enabled:
        description: Whether the account receives mail and may log in; true unless given.
        type: bool
      state:
        description: Whether the account exists.
        type: str
        default: present
        choices: [present, absent]
  aliases:
    description: Aliases.
    type: list
    elements: dict
    default: []
    suboptions:
      address:
        description: The alias.
        type: str
        required: true
      destinations:
        description: Addresses to which its mail goes.
        type: list
        elements: str
      state:
        description: Whether the alias exists.
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
- name: Everything of one site
  mail.ha.mail_directory:
    connection: {hosts: [mail1.example.net, mail2.example.net], password: "{{ directory_writer_password }}"}
    domains:
      - {name: example.org, catch_all: office@example.org}
    accounts:
      - {address: office@example.org, password: "{{ office_password }}"}
      - {address: former@example.org, state: absent}
    aliases:
      - {address: info@example.org, destinations: [office@example.org]}
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
  sample: {created: 3, updated: 0, removed: 1}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mail.ha.plugins.module_utils import addresses, connection, directory


def main():
    """Run the module."""
    state = {'type': 'str', 'default': 'present', 'choices': ['present', 'absent']}
    module = AnsibleModule(
        argument_spec={
            'connection': connection.ARGUMENT,
            'domains': {'type': 'list', 'elements': 'dict', 'default': [], 'options': {
                'name': {'type': 'str', 'required': True},
                'catch_all': {'type': 'str'},
                'enabled': {'type': 'bool'},
                'state': state,
            }},
            'accounts': {'type': 'list', 'elements': 'dict', 'default': [], 'options': {
                'address': {'type': 'str', 'required': True},
                'password': {'type': 'str', 'no_log': True},
                'password_hash': {'type': 'str', 'no_log': True},
                'quota': {'type': 'str'},
                'seat': {'type': 'str'},
                'enabled': {'type': 'bool'},
                'state': state,
            }},
            'aliases': {'type': 'list', 'elements': 'dict', 'default': [], 'options': {
                'address': {'type': 'str', 'required': True},
                'destinations': {'type': 'list', 'elements': 'str'},
                'state': state,
            }},
            **connection.PASSWORD_ARGUMENTS,
        },
        supports_check_mode=True,
    )
    wanted = {kind: module.params[kind] for kind in directory.KINDS}
    repeated = addresses.check_repeated(wanted)
    if repeated:
        module.fail_json(msg='. '.join(repeated))
    connection.run(module, directory.with_defaults(wanted), **connection.password_settings(module.params))


if __name__ == '__main__':
    main()
