"""The name and the address ranges of the lab (LAB), as plain values.

Labs are named, and each name has address ranges of its own, so that several exist side by side (LAB=name). As templates in the inventory they
were a quarter of the processor time of check-health.yml: every address of the lab contains one, and a template is evaluated anew wherever it is used.
Only inventories beside group_vars/all/lab.yml are the lab's; others get nothing from here.
"""

import hashlib
import os

from ansible.inventory.group import Group
from ansible.plugins.vars import BaseVarsPlugin

MARK = "group_vars/all/lab.yml"


def ranges(name):
    """{variable: value} of the lab called ``name`` (str)."""
    # Second octet of every address: 77 for the lab called "lab", 128..247 from the name for all others.
    octet = 77 if name == "lab" else 128 + int(hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()[:6], 16) % 120
    return {
        "lab_name": name,
        "lab_octet": octet,
        "lab_management_prefix": f"10.{octet}.0",
        "lab_dmz_prefix": f"10.{octet}.1",
        "lab_wan_prefix": f"10.{octet}.2",
        # Between the two firewalls, where there are two.
        "lab_sync_prefix": f"10.{octet}.3",
        # Between the firewalls and two providers, where a layout has them.
        "lab_upa_prefix": f"10.{octet}.4",
        "lab_upb_prefix": f"10.{octet}.5",
        # Unroutable for the control host while a lab exists: nothing that is aimed at a stopped lab may leave the machine.
        "lab_range": f"10.{octet}.0.0/16",
    }


class VarsModule(BaseVarsPlugin):
    """Variables of all hosts of the lab."""

    def get_vars(self, loader, path, entities, cache=True):  # pylint: disable=unused-argument
        """The variables of ``entities`` (a group, a host, or a list of them) in the inventory whose folder is ``path``."""
        super().get_vars(loader, path, entities)
        entities = entities if isinstance(entities, list) else [entities]
        if any(isinstance(entity, Group) and entity.name == "all" for entity in entities) and os.path.exists(os.path.join(path, MARK)):
            return ranges(os.environ.get("LAB") or "lab")
        return {}
