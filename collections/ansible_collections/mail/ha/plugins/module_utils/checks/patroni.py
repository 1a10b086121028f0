# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Patroni as one member sees it."""

from __future__ import annotations

import json
import time
from urllib.error import HTTPError

from ansible.module_utils.urls import open_url
from ansible_collections.mail.ha.plugins.module_utils import patroni

ARGUMENTS = {
    'url': {'type': 'str', 'required': True},
    'members': {'type': 'list', 'elements': 'str', 'required': True},
    'max_lag_bytes': {'type': 'int', 'default': 1048576},
    'max_lag_seconds': {'type': 'float', 'default': 60},
    'max_dcs_age': {'type': 'float', 'default': 20},
    'ca_file': {'type': 'path', 'default': '/etc/ha-mail/tls/ca.crt'},
    'timeout': {'type': 'float', 'default': 5},
}

AGAIN = 1  # seconds until a replica that seems to be behind is asked again


def fetch(url, ca_file, timeout):
    """The JSON object at ``url``. Patroni answers 503 when PostgreSQL does not run, with the same kind of body."""
    try:
        answer = open_url(url, ca_path=ca_file, timeout=timeout, use_proxy=False).read()
    except HTTPError as error:
        answer = error.read()
    return json.loads(answer)


def examine(parameters, ask, now, pause=time.sleep):
    """The answer. ``ask(path)`` returns what Patroni says there (dict) or raises OSError or ValueError; ``now`` is the time."""
    try:
        cluster, answer = ask('/cluster'), ask('/patroni')
        this = patroni.node(answer, now)
        if (this['replay_delay'] or 0) > parameters['max_lag_seconds']:
            pause(AGAIN)
            this = patroni.node(ask('/patroni'), now + AGAIN, answer)
        found = patroni.report(cluster, this)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return {'problems': ['Patroni gave no useful answer at %s: %s. Look at "systemctl status patroni" on this node.'
                             % (parameters['url'], error or type(error).__name__)]}
    found['problems'] = patroni.verdict(found, parameters['members'], parameters['max_lag_bytes'], parameters['max_dcs_age'],
                                        parameters['max_lag_seconds'])
    return found


def answer(parameters):
    """The answer of this node."""
    url = parameters['url'].rstrip('/')
    return examine(parameters, lambda path: fetch(url + path, parameters['ca_file'], parameters['timeout']), time.time())
