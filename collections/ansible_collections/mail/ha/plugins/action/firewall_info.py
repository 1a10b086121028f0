# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""State of one member of a firewall pair."""

from __future__ import annotations

from ansible_collections.mail.ha.plugins.module_utils import firewall_pair
from ansible_collections.mail.ha.plugins.plugin_utils.firewall_action import FirewallAction


class ActionModule(FirewallAction):
    """See the documentation of the module."""

    OPTIONS = {'gather_policy': {'type': 'bool', 'default': False}, 'new_login': {'type': 'bool', 'default': False},
               'expected_role': {'type': 'str', 'choices': ['any', 'active', 'standby'], 'default': 'any'}}

    def act(self, dialect, wanted):
        """See FirewallAction."""
        if wanted['new_login']:
            dialect.session.renew()
        facts = dialect.facts()
        policy = {'running': dialect.running(), 'saved': dialect.saved()} if wanted['gather_policy'] else {}
        if policy:
            policy.update(common=dialect.common(policy['running']), restored=dialect.restored(policy['running']))
        role = '' if wanted['expected_role'] == 'any' else wanted['expected_role']
        declared = {'platform': wanted['platform'], 'version': wanted['version'], 'role': role}
        return dict(policy, changed=False, facts=facts, replicated=dialect.replicated,
                    problems=firewall_pair.member_problems(facts, declared) + firewall_pair.spare_problems(facts))
