#!/usr/bin/python
# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r'''
---
module: node_report_info
short_description: Ask one node everything that belongs to the health of a cluster
version_added: 0.2.0
description:
  - Does what the modules of the checks do that a node must answer, in one task and side by side, and keeps what each found.
  - A check without an answer is part of the report, not a failure. A node that cannot be reached is unreachable, as with any other module.
options:
  round:
    description: Name of the round, which is returned. It tells a new report from an old one.
    type: str
    required: true
  checks:
    description: Names of the checks, as P(mail.ha.health_checks#filter) returns them.
    type: list
    elements: str
    required: true
    choices: [node, maintenance, vrrp, haproxy, mail_store, postfix_queue, dovecot, patroni, etcd, certificates]
  questions:
    description:
      - For each check the options of its module. There may be more than O(checks) names.
      - Check V(maintenance) has none, for it only reads. Those of check V(node) are O(commands).
    type: dict
    required: true
  deadline:
    description: A check that has not answered after so many seconds counts as failed.
    type: float
    default: 25
author:
  - ha-mail (@ha-mail)
attributes:
  check_mode:
    description: Only reads.
    support: full
  diff_mode:
    description: Changes nothing.
    support: none
  platform:
    description: Nodes with the roles of this repository.
    support: full
    platforms: posix
extends_documentation_fragment:
  - mail.ha.commands
  - ansible.builtin.action_common_attributes
seealso:
  - module: mail.ha.cluster_health_info
'''

EXAMPLES = r'''
- name: Ask a loadbalancer
  mail.ha.node_report_info:
    round: "2027-01-01T03:00:00"
    checks: [node, maintenance, haproxy]
    commands:
      - {name: clock, argv: [chronyc, -c, -n, tracking]}
    questions:
      maintenance: {}
      haproxy: {}
  register: report
'''

RETURN = r'''
round:
  description: O(round).
  returned: success
  type: str
  sample: "2027-01-01T03:00:00"
checks:
  description: For each of O(checks) what its module returns, or RV(ignore:failed) and RV(ignore:msg).
  returned: success
  type: dict
  sample: {"maintenance": {"old": {"state": "ready", "vrrp_weight": 0}}}
'''

import queue
import threading
import time

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.mail.ha.plugins.module_utils.checks import (
    CheckError, certificates, dovecot, etcd, haproxy, mail_store, maintenance, node, patroni, postfix_queue, vrrp)

CHECKS = {
    'node': node, 'maintenance': maintenance, 'vrrp': vrrp, 'haproxy': haproxy, 'mail_store': mail_store, 'postfix_queue': postfix_queue,
    'dovecot': dovecot, 'patroni': patroni, 'etcd': etcd, 'certificates': certificates,
}
AT_ONCE = 2  # checks: most start programs, and a small node has few processors to spare


def ask(check, options):
    """What one check says (dict), its failure included.

    :param check: a value of CHECKS.
    :param options: for it (dict), or None where nobody gave any.
    """
    try:
        if options is None:
            raise CheckError('found no options for it in questions, expected those of its module.')
        found = ArgumentSpecValidator(check.ARGUMENTS, **getattr(check, 'RULES', {})).validate(options)
        if found.error_messages:
            raise CheckError('; '.join(found.error_messages))
        return check.answer(found.validated_parameters)
    except CheckError as error:
        return {'failed': True, 'msg': str(error)}
    except Exception as error:  # pylint: disable=broad-except # whatever went wrong, the other checks are to be asked
        return {'failed': True, 'msg': '%s: %s' % (type(error).__name__, error)}


def ask_all(questions, deadline, checks):
    """What all checks say, asked side by side -> {name: answer}.

    :param questions: {name: options or None}.
    :param deadline: seconds for all together (float).
    :param checks: CHECKS or stand-ins.
    """
    waiting, found = queue.SimpleQueue(), {}
    for name in questions:
        waiting.put(name)

    def work():
        try:
            while True:
                name = waiting.get_nowait()
                found[name] = ask(checks[name], questions[name])
        except queue.Empty:
            pass

    # Daemons: one that hangs does not keep the report from being sent.
    threads = [threading.Thread(target=work, daemon=True) for dummy in range(AT_ONCE)]
    end = time.monotonic() + deadline
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0, end - time.monotonic()))
    late = {'failed': True, 'msg': 'it gave no answer within %g s.' % deadline}
    return {name: found.get(name, late) for name in questions}


def main():
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            'round': {'type': 'str', 'required': True},
            'checks': {'type': 'list', 'elements': 'str', 'required': True, 'choices': list(CHECKS)},
            'commands': node.ARGUMENTS['commands'],
            'questions': {'type': 'dict', 'required': True},
            'deadline': {'type': 'float', 'default': 25},
        },
        supports_check_mode=True,
    )
    wanted = module.params
    questions = dict(wanted['questions'], node={'commands': wanted['commands']})
    found = ask_all({check: questions.get(check) for check in wanted['checks']}, wanted['deadline'], CHECKS)
    module.exit_json(changed=False, round=wanted['round'], checks=found)


if __name__ == '__main__':
    main()
