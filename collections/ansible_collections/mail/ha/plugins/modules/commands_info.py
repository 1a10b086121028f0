#!/usr/bin/python
# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Several questions to one node, all at the same time."""

from __future__ import annotations

DOCUMENTATION = r'''
---
module: commands_info
short_description: Run checks of a node at the same time, and say which fail
version_added: 0.2.0
description:
  - Runs commands that change nothing, all at once and each with a deadline, and reports which of them did not end as they should.
  - A command that fails is reported in RV(problems), not as a failure.
options:
  timeout:
    description: Limit of each command, in seconds.
    type: float
    default: 15
author:
  - ha-mail (@ha-mail)
attributes:
  check_mode:
    description: Runs the commands in check mode, too, for they must not change anything.
    support: full
  diff_mode:
    description: Changes nothing.
    support: none
  platform:
    description: Any with timeout(1).
    support: full
    platforms: posix
extends_documentation_fragment:
  - mail.ha.commands
  - ansible.builtin.action_common_attributes
'''

EXAMPLES = r'''
- name: Ask for the clock and the firewall
  mail.ha.commands_info:
    commands:
      - name: clock
        argv: [chronyc, -c, -n, tracking]
        remedy: Look at "journalctl -u chrony".
      - name: firewall
        argv: [/usr/local/lib/ha-mail/host-firewall, status]
        expected: active
  register: node
  failed_when: node.problems | length > 0
'''

RETURN = r'''
problems:
  description: One sentence for each command that did not end as it should; empty when all did.
  returned: always
  type: list
  elements: str
  sample: ["firewall: found \"pending\", expected \"active\"."]
results:
  description: The commands in their order, whether each ended as it should, and what it wrote (its first 500 characters).
  returned: always
  type: list
  elements: dict
  sample: [{"name": "firewall", "ok": true, "output": "active"}]
'''

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mail.ha.plugins.module_utils.checks import end, node


def main():
    """Entry point."""
    module = AnsibleModule(argument_spec=node.ARGUMENTS, supports_check_mode=True)
    end(module, node)


if __name__ == '__main__':
    main()
