# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Bring a policy to one member of a firewall pair."""

from __future__ import annotations

import time

from ansible_collections.mail.ha.plugins.module_utils.firewall_change import Change
from ansible_collections.mail.ha.plugins.plugin_utils.firewall_action import FirewallAction, RefusedError

TOO_SHORT = 30  # seconds in which a new login and a look at the policy have room


def ensure(change, state, check_mode):
    """Bring the member to a state; return whether that changes or would change anything."""
    change.look()
    if state == 'reverted':
        return change.facts['armed'] is not None if check_mode else change.reverted()
    if state == 'confirmed':
        waits = change.facts['armed'] is not None or change.saved != change.lines
        if waits and not check_mode:
            change.confirmed()
        return waits
    differs = change.foreseen() if check_mode else change.armed()
    waits = state == 'present' and (differs or change.saved != change.lines)
    if waits and not check_mode:
        change.confirmed()
    return differs or waits


def refuse(wanted):
    """Refuse options that no device should be asked about; RefusedError."""
    policy, interfaces = wanted['policy'], wanted['member'].get('interfaces') or {}
    if policy.get('problems') != []:
        raise RefusedError('policy: found problems or none told, expected a policy without any: %s' % ' '.join(policy.get('problems') or ['?']))
    unnamed = [zone['name'] for zone in policy.get('zones', []) if zone['name'] not in interfaces]
    if unnamed:
        raise RefusedError('member: found no interface for the zone %s, expected one for each zone of the policy.' % ', '.join(unnamed))
    several = [zone for zone, name in interfaces.items() if not isinstance(name, str)]
    if several and wanted['platform'] != 'linux':
        raise RefusedError('member: found several interfaces for the zone %s, expected one with the platform %s; only linux has uplinks.'
                           % (', '.join(several), wanted['platform']))
    if wanted['deadline'] < TOO_SHORT:
        raise RefusedError('deadline: found %d, expected at least %d seconds; a new login needs its time.' % (wanted['deadline'], TOO_SHORT))


class ActionModule(FirewallAction):
    """See the documentation of the module."""

    OPTIONS = {
        'policy': {'type': 'dict', 'required': True},
        'member': {'type': 'dict', 'required': True},
        'state': {'type': 'str', 'choices': ['present', 'armed', 'confirmed', 'reverted'], 'default': 'present'},
        'deadline': {'type': 'int', 'default': 120},
    }

    def act(self, dialect, wanted):
        """See FirewallAction."""
        refuse(wanted)
        check_mode = self._task.check_mode
        lines, notes = dialect.render(wanted['policy'], wanted['member'])
        declared = {'platform': wanted['platform'], 'version': wanted['version']}
        change = Change(dialect, declared, lines, wanted['deadline'], time.monotonic, time.sleep)
        changed = ensure(change, wanted['state'], check_mode)
        armed = change.facts['armed'] if check_mode or not changed else dialect.facts()['armed']
        target = change.saved if wanted['state'] == 'reverted' else lines
        return {'changed': changed, 'notes': wanted['policy'].get('notes', []) + notes, 'armed': armed, 'lines': len(lines), 'diff': {
            'before': ''.join(line + '\n' for line in change.running), 'after': ''.join(line + '\n' for line in target)}}
