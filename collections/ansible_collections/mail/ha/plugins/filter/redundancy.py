"""Filters over module_utils/redundancy.py for check-redundancy.yml."""

from __future__ import annotations

from ansible.errors import AnsibleFilterError
from ansible_collections.mail.ha.plugins.module_utils import redundancy, redundancy_text


def spof_report(groups, hostvars, facts):
    """The report with its text and its picture; see ``redundancy.report`` and ``redundancy_text``."""
    site = redundancy.site_of(groups, hostvars, facts)
    try:
        report = redundancy.report(site)
    except ValueError as error:
        raise AnsibleFilterError(str(error)) from error
    return dict(report, text=redundancy_text.screen(report), picture=redundancy_text.picture(site, report))


class FilterModule:
    """Expose the report to playbooks."""

    def filters(self):
        """Return the filters by name."""
        return {"spof_report": spof_report}
