# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The maintenance switch of this node: only read here; the module node_maintenance moves it."""

from __future__ import annotations

from ansible_collections.mail.ha.plugins.module_utils import maintenance
from ansible_collections.mail.ha.plugins.module_utils.asking import run as run_command
from ansible_collections.mail.ha.plugins.module_utils.checks import CheckError

ARGUMENTS = {}
PROGRAM = '/usr/local/lib/ha-mail/maintenance'


def call(run, *arguments):
    """Run the program and return (exit code, output). Raises MaintenanceError when it cannot be run."""
    try:
        code, out, err = run([PROGRAM] + list(arguments))
    except OSError as error:
        raise maintenance.MaintenanceError('%s cannot be run: %s. Apply the role node_agent to this host.' % (PROGRAM, error)) from error
    return code, out if out.strip() else err


def status(run):
    """The state at present. An invalid one makes the program exit with 1 and is still an answer."""
    try:
        return maintenance.parse(call(run, 'status')[1])
    except maintenance.MaintenanceError as error:
        raise maintenance.MaintenanceError('%s status: %s' % (PROGRAM, error)) from error


def answer(parameters):  # pylint: disable=unused-argument # there are none
    """The answer of this node. Raises CheckError."""
    try:
        return {'old': status(run_command)}
    except maintenance.MaintenanceError as error:
        raise CheckError(str(error)) from error
