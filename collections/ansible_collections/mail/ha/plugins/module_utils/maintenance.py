# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The one maintenance switch of a node: what its program says, and what has to be done. Pure functions.

Shape::

    status  {state: 'ready' | 'drain' | 'maint' | 'invalid', vrrp_weight: int or None}
"""

from __future__ import annotations

import json

STATES = ('ready', 'drain', 'maint')
# The numbers for keepalived are the program's own (roles/node_agent/files/maintenance); check mode has to know them beforehand.
WEIGHTS = {'ready': 0, 'drain': -250, 'maint': -250}


class MaintenanceError(Exception):
    """The program gave no useful answer; the text says what it gave."""


def parse(text):
    """``maintenance status`` -> status. Raises MaintenanceError for anything else."""
    try:
        found = json.loads(text)
        return {'state': found['state'], 'vrrp_weight': found['vrrp_weight']}
    except (ValueError, TypeError, KeyError) as error:
        raise MaintenanceError('found %r, expected a state and a VRRP weight in JSON' % text.strip()[:200]) from error


def wanted(state):
    """The status that belongs to ``state``."""
    return {'state': state, 'vrrp_weight': WEIGHTS[state]}


def command(state):
    """Arguments of the program that set ``state``."""
    return ['exit'] if state == 'ready' else ['enter', state]
