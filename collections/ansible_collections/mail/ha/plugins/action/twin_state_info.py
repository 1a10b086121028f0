# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Run the module on the node, and measure its clock against the control node's, which only the control node can do."""

from __future__ import annotations

import time

from ansible.plugins.action import ActionBase

# The quickest of these round trips says most about the clock.
_ROUND_TRIPS = 3


class ActionModule(ActionBase):
    """See the documentation of the module."""

    def run(self, tmp=None, task_vars=None):
        """Run the module, then add the clock when it is asked for."""
        result = super().run(tmp, task_vars)
        result.update(self._execute_module(task_vars=task_vars))
        if not result.get('failed') and 'clock' in (self._task.args.get('subjects') or []):
            clock = self._clock()
            if clock is None:
                result['errors'].append('clock: `date` gave no answer')
            else:
                result['state']['clock'] = clock
        return result

    def _clock(self):
        """``{offset, uncertainty}`` in seconds; Cristian's method: the answer was made somewhere within the round trip."""
        found = []
        for dummy in range(_ROUND_TRIPS):
            before, started = time.time(), time.monotonic()
            answer = self._low_level_execute_command('date +%s.%N', sudoable=False)
            half = (time.monotonic() - started) / 2
            try:
                found.append({'offset': round(float(answer['stdout'].strip()) - before - half, 4), 'uncertainty': round(half, 4)})
            except ValueError:
                continue
        return min(found, key=lambda measured: measured['uncertainty'], default=None)
