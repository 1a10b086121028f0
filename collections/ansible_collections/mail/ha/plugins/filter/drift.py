"""Filter over module_utils/drift.py for check-drift.yml."""

from __future__ import annotations

from ansible_collections.mail.ha.plugins.module_utils import drift


def drift_report(groups, hostvars, domain, register):
    """Gather what the nodes answered, and judge it; see ``drift.report``."""
    hosts = {host for names in groups.values() for host in names}
    identities = {
        host: [host, f"{host}.{domain}"] + [str(hostvars[host][key]) for key in ("mail_address", "mail_address6", "ansible_host")
                                            if hostvars[host].get(key)]
        for host in hosts}
    answers = {name: {host: hostvars[host].get(register + name) for host in names} for name, names in groups.items()}
    return drift.report(groups, answers, identities)


class FilterModule:
    """Expose the report to playbooks."""

    def filters(self):
        """Return the filters by name."""
        return {"drift_report": drift_report}
