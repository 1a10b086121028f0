#!/usr/bin/python
# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: mail_domain
short_description: Manage one mail domain of the directory
version_added: 0.1.0
description:
  - Creates, changes or removes a domain in the ha-mail directory.
options:
  name:
    description: The domain, in lower case; international names in their C(xn--) form.
    type: str
    required: true
  catch_all:
    description:
      - Address that receives the mail of all unknown addresses of the domain; an empty text means none.
      - Within our own domains it must be an existing account or alias. Kept as it is when not given.
    type: str
  enabled:
    description: Whether mail is accepted and logins are allowed. A new domain is enabled; kept as it is when not given.
    type: bool
  state:
    description: Whether the domain exists.
    type: str
    default: present
    choices: [present, absent]
  force:
    description:
      - With O(state=absent), remove the domain's accounts and aliases with it. Without it such a domain is not removed.
      - The mail itself stays in the store.
    type: bool
    default: false
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
- name: A domain whose unknown addresses go to one account
  mail.ha.mail_domain:
    connection: {hosts: [mail1.example.net, mail2.example.net], password: "{{ directory_writer_password }}"}
    name: example.org
    catch_all: office@example.org
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
            'name': {'type': 'str', 'required': True},
            'catch_all': {'type': 'str'},
            'enabled': {'type': 'bool'},
            'state': {'type': 'str', 'default': 'present', 'choices': ['present', 'absent']},
            'force': {'type': 'bool', 'default': False},
        },
        supports_check_mode=True,
    )
    entry = {key: module.params[key] for key in ('name', 'catch_all', 'enabled', 'state')}
    connection.run(module, {'domains': [entry]}, force=module.params['force'])


if __name__ == '__main__':
    main()
