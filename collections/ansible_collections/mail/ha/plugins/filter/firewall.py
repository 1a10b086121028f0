"""Filters over module_utils/firewall_*.py for wiring.yml and show-firewall-policy.yml."""

from __future__ import annotations

from ansible.errors import AnsibleFilterError
from ansible_collections.mail.ha.plugins.module_utils import firewall_nftables, firewall_pair, firewall_policy, firewall_text


def render(policy, member):
    """firewall_nftables.render, with its errors as Ansible's."""
    try:
        return firewall_nftables.render(policy, member)
    except ValueError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """Expose the policy of the firewall pair to templates."""

    def filters(self):
        """Return the filters by name."""
        return {"firewall_policy": firewall_policy.build, "firewall_nftables": render, "firewall_text": firewall_text.text,
                "firewall_sides": firewall_pair.sides, "firewall_local_rules": firewall_pair.local_rules,
                "firewall_pair_problems": firewall_pair.pair_problems}
