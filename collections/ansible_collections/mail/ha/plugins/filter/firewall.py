"""Filters over module_utils/firewall_*.py for wiring.yml and show-firewall-policy.yml."""

from __future__ import annotations

import functools

from ansible.errors import AnsibleFilterError
from ansible_collections.mail.ha.plugins.module_utils import firewall_pair, firewall_platforms, firewall_policy, firewall_text


def told(function):
    """A function whose ValueErrors are told as Ansible's errors."""
    @functools.wraps(function)
    def call(*arguments):
        try:
            return function(*arguments)
        except ValueError as error:
            raise AnsibleFilterError(str(error)) from error
    return call


class FilterModule:
    """Expose the policy of the firewall pair to templates."""

    def filters(self):
        """Return the filters by name."""
        return {"firewall_policy": firewall_policy.build, "firewall_lines": told(firewall_platforms.lines), "firewall_text": firewall_text.text,
                "firewall_sides": told(firewall_pair.sides), "firewall_uplinks": firewall_pair.uplinks, "firewall_local_rules": told(firewall_pair.local_rules),
                "firewall_pair_problems": firewall_pair.pair_problems}
