# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Give one member of a firewall pair the active role, or take it away."""

from __future__ import annotations

import time

from ansible.module_utils.connection import ConnectionError as DeviceError

from ansible_collections.mail.ha.plugins.module_utils import firewall_pair
from ansible_collections.mail.ha.plugins.module_utils.firewall_dialect import DialectError
from ansible_collections.mail.ha.plugins.plugin_utils.firewall_action import FirewallAction, RefusedError

POLL = 0.5


def wait(dialect, role, deadline, clock=time.monotonic, sleep=time.sleep):
    """Wait until the member has its role and is whole again; return the last facts, or None if it never answered."""
    end, facts = clock() + deadline, None
    while True:
        try:
            facts = dialect.facts()
            if facts['role'] == role and not firewall_pair.spare_problems(facts):
                return facts
        except (DeviceError, DialectError):
            pass  # the session may end with the address that it came by
        if clock() >= end:
            return facts
        sleep(POLL)


class ActionModule(FirewallAction):
    """See the documentation of the module."""

    OPTIONS = {'state': {'type': 'str', 'choices': ['active', 'standby'], 'required': True}, 'deadline': {'type': 'int', 'default': 60}}

    def act(self, dialect, wanted):
        """See FirewallAction."""
        before = dialect.facts()
        problems = firewall_pair.member_problems(before, {'platform': wanted['platform'], 'version': wanted['version']})
        if before['role'] != wanted['state']:
            problems += firewall_pair.spare_problems(before)
        if problems:
            raise RefusedError('No switchover: %s' % ' '.join(problems), facts=before)
        changed, start = before['role'] != wanted['state'], time.monotonic()
        if changed and not self._task.check_mode:
            dialect.switchover()
            after = wait(dialect, wanted['state'], wanted['deadline'])
            problems = ['it does not answer any more.'] if after is None else firewall_pair.spare_problems(after)
            if problems or after['role'] != wanted['state']:
                raise RefusedError('The switchover was asked for, and %d s later it is not whole: found it %s, expected %s. %s' % (
                    wanted['deadline'], 'silent' if after is None else after['role'], wanted['state'], ' '.join(problems)), facts=after)
        return {'changed': changed, 'seconds': round(time.monotonic() - start, 1),
                'diff': {'before': before['role'] + '\n', 'after': wanted['state'] + '\n'}}
