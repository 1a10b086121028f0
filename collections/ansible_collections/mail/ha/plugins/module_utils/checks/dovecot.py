# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Dovecot's sessions, services and seats on this node."""

from __future__ import annotations

from ansible_collections.mail.ha.plugins.module_utils import dovecot
from ansible_collections.mail.ha.plugins.module_utils.asking import NoAnswer, ask_json, run as run_command

ARGUMENTS = {
    'seats': {'type': 'dict', 'default': {}},
    'timeout': {'type': 'float', 'default': 5},
}


def examine(parameters, run):
    """The answer. ``run`` is asking.run or a stand-in."""
    def ask(*argv):
        return ask_json(run, argv, parameters['timeout'])

    try:
        sessions = dovecot.sessions(ask('doveadm', '-f', 'json', 'who', '-1'))
        services = dovecot.services(ask('doveadm', '-f', 'json', 'service', 'status'), ask('doveadm', '-f', 'json', 'process', 'status'))
        seats = dovecot.seats_held(parameters['seats'], ask('ip', '-json', 'address'))
    except NoAnswer as error:
        return {'problems': ['this node\'s sessions could not be read: %s. Look at "systemctl status dovecot".' % error]}
    return dict(dovecot.report(sessions, seats), services=services, problems=dovecot.service_problems(services))


def answer(parameters):
    """The answer of this node."""
    return examine(parameters, run_command)
