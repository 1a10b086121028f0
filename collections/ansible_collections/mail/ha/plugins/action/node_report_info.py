# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ask one node everything: all modules of its checks in one task, one after the other."""

from __future__ import annotations

import time

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.action import ActionBase

from ansible_collections.mail.ha.plugins.module_utils import cluster_health


class ActionModule(ActionBase):
    """Run the module of each check and keep what it said."""

    TRANSFERS_FILES = False

    def run(self, tmp=None, task_vars=None):
        """See the documentation of the module."""
        result = super().run(tmp, task_vars)
        _validation, arguments = self.validate_argument_spec({
            'round': {'type': 'str', 'required': True},
            'checks': {'type': 'list', 'elements': 'str', 'required': True, 'choices': list(cluster_health.MODULES)},
            'questions': {'type': 'dict', 'required': True},
            'deadline': {'type': 'float', 'default': 25.0},
        })
        end = time.monotonic() + arguments['deadline']
        found = {}
        for check in arguments['checks']:
            if time.monotonic() > end:
                found[check] = {'failed': True, 'msg': 'it was not asked any more, %g s were over.' % arguments['deadline']}
                continue
            found[check] = self._ask(cluster_health.MODULES[check], arguments['questions'][check], task_vars)
        result.update(changed=False, round=arguments['round'], checks=found)
        return result

    def _ask(self, module, arguments, task_vars):
        """What a module says, its failure included. A connection that is lost is lost for all that follow, and so not caught."""
        try:
            said = self._execute_module(module_name=module, module_args=dict(arguments), task_vars=task_vars)
        except AnsibleConnectionFailure:
            raise
        except Exception as error:  # pylint: disable=broad-except # whatever went wrong, the other modules are to be asked
            return {'failed': True, 'msg': str(error)}
        return {key: value for key, value in said.items() if key not in ('invocation', 'exception') and not key.startswith('_ansible')}
