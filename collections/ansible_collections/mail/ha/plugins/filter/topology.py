"""Filters over module_utils/topology.py for wiring.yml."""

from __future__ import annotations

from ansible_collections.mail.ha.plugins.module_utils import cluster_health, topology


class FilterModule:
    """Expose the topology functions to templates."""

    def filters(self):
        """Return the filters by name."""
        return {
            "members": topology.members,
            "cluster_nodes": topology.cluster_nodes,
            "near": topology.near,
            "health_checks": cluster_health.checks,
            "members_of_seats": topology.members_of_seats,
            "seat_holders": topology.seat_holders,
            "vip_holders": topology.vip_holders,
            "firewall_rules": topology.firewall_rules,
            "endpoints": topology.endpoints,
        }
