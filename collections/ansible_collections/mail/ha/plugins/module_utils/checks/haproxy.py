# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""HAProxy's servers as this loadbalancer sees them."""

from __future__ import annotations

from ansible_collections.mail.ha.plugins.module_utils import haproxy
from ansible_collections.mail.ha.plugins.module_utils.checks import CheckError

ARGUMENTS = {'socket': {'type': 'path', 'default': haproxy.SOCKET}}


def examine(ask):
    """The answer. ``ask(command)`` is haproxy.ask over the socket, or a stand-in. Raises HaproxyError."""
    found = haproxy.servers(ask('show stat'), ask('show servers state'))
    return dict(haproxy.info(ask('show info')), services=haproxy.service_backends(found), servers=found, problems=haproxy.problems(found))


def answer(parameters):
    """The answer of this node. Raises CheckError."""
    try:
        return examine(lambda command: haproxy.ask(command, parameters['socket']))
    except haproxy.HaproxyError as error:
        raise CheckError(str(error)) from error
