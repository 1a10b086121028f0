#!/usr/bin/python
# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: mail_alias
short_description: Manage one mail alias of the directory
version_added: 0.1.0
description:
  - Creates, changes or removes an alias in the ha-mail directory.
  - An alias with the address of an account, a loop, and a destination in our own domains that does not exist are refused.
options:
  address:
    description: The alias, in lower case.
    type: str
    required: true
  destinations:
    description: Addresses to which its mail goes, our own or foreign ones. Kept as they are when not given.
    type: list
    elements: str
  state:
    description: Whether the alias exists.
    type: str
    default: present
    choices: [present, absent]
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
- name: Mail for info goes to two people
  mail.ha.mail_alias:
    connection: {hosts: [mail1.example.net, mail2.example.net], password: "{{ directory_writer_password }}"}
    address: info@example.org
    destinations: [anna@example.org, ben@example.org]
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
            'destinations': {'type': 'list', 'elements': 'str'},
            'state': {'type': 'str', 'default': 'present', 'choices': ['present', 'absent']},
        },
        supports_check_mode=True,
    )
    entry = {key: module.params[key] for key in ('address', 'destinations', 'state')}
    connection.run(module, {'aliases': [entry]})


if __name__ == '__main__':
    main()
