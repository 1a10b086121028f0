"""Filters over module_utils/drill.py for role drill."""

from __future__ import annotations

from ansible_collections.mail.ha.plugins.module_utils import drill


class FilterModule:
    """Expose what a drill needs while it runs."""

    def filters(self):
        """Return the filters by name."""
        return {"drill_events": drill.journal_events, "drill_hold": drill.hold}
