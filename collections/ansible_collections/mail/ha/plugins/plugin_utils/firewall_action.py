# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the actions on firewalls share: options, the session of the play, and errors in one sentence."""

from __future__ import annotations

from ansible.module_utils.connection import Connection
from ansible.module_utils.connection import ConnectionError as DeviceError
from ansible.plugins.action import ActionBase

from ansible_collections.mail.ha.plugins.module_utils import firewall_platforms
from ansible_collections.mail.ha.plugins.module_utils.firewall_change import ChangeError
from ansible_collections.mail.ha.plugins.module_utils.firewall_dialect import DialectError
from ansible_collections.mail.ha.plugins.plugin_utils.plain import plain


class RefusedError(Exception):
    """Ends the task with this sentence, and with further results as keywords."""

    def __init__(self, message, **found):
        super().__init__(message)
        self.found = found


class FirewallAction(ActionBase):
    """An action and not a module, whose process and payload would take as much time as the question itself: there is no Python on the other side anyway."""

    TRANSFERS_FILES = False
    OPTIONS = {}  # beside those of firewall_platforms.ARGUMENTS

    def act(self, dialect, wanted):
        """Do it, and return the result (dict).

        :param dialect: that of the platform, over the session of the play
        :param wanted: the options, validated (dict)
        :raises DeviceError, DialectError, ChangeError, RefusedError: with one sentence
        """
        raise NotImplementedError

    def run(self, tmp=None, task_vars=None):
        """See the documentation of the module."""
        result = super().run(tmp, task_vars)
        _validation, wanted = self.validate_argument_spec(dict(firewall_platforms.ARGUMENTS, **self.OPTIONS))
        try:
            result.update(self.act(self._dialect(wanted['platform']), plain(wanted)))
        except RefusedError as error:
            result.update(error.found, failed=True, msg=str(error))
        except (DeviceError, DialectError, ChangeError) as error:
            result.update(failed=True, msg=str(error))
        return result

    def _dialect(self, platform):
        socket_path = getattr(self._connection, 'socket_path', None)
        if not socket_path:
            raise RefusedError("found no session with the device, expected one by the connection mail.ha.netmiko; "
                               "set 'connection: mail.ha.netmiko' for the play.")
        return firewall_platforms.DIALECTS[platform](Connection(socket_path))
