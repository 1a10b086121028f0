"""Filter over module_utils/objectives.py for wiring.yml and show-objectives.yml."""

from __future__ import annotations

from ansible.errors import AnsibleFilterError
from ansible_collections.mail.ha.plugins.module_utils import objectives


def derive(wanted):
    """objectives.derive, with its errors as Ansible's."""
    try:
        return objectives.derive(wanted)
    except objectives.ObjectivesError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """Expose the timers to templates."""

    def filters(self):
        """Return the filters by name."""
        return {"objectives": derive, "objectives_table": objectives.table}
