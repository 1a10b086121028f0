#!/usr/bin/python
# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Say which files are newer than a unit's last start or reload."""

from __future__ import annotations

DOCUMENTATION = r"""
module: unit_outdated_info
short_description: Say which files a running unit has not read since they changed
version_added: 0.2.0
description:
  - Compares the modification times of files with the time at which a systemd unit was last started or reloaded.
  - A handler is lost when a run is killed between a change and its end; the next run finds the file as it should be, and the
    daemon goes on with what it read before. Files that were edited by hand and never loaded are found the same way.
author: ["ha-mail authors (@ha-mail)"]
attributes:
  check_mode:
    description: Reads only. A unit that does not exist is no error in check mode, because its package may not be installed yet.
    support: full
options:
  unit:
    description: Name of the unit.
    type: str
    required: true
  files:
    description: Absolute paths or shell patterns of what it reads. Those that do not exist are left out.
    type: list
    elements: str
    required: true
  since:
    description: Whether a reload makes the unit read these files, or only a start does.
    type: str
    choices: [reload, start]
    default: reload
"""

EXAMPLES = r"""
- name: Find configuration that the running Postfix has not read
  mail.ha.unit_outdated_info:
    unit: postfix.service
    files: [/etc/postfix/*.cf]
  register: outdated
  changed_when: outdated.files | length > 0
  notify: Reload postfix
"""

RETURN = r"""
files:
  description: Paths that changed after the unit read them, sorted; empty too when the unit does not run.
  returned: always
  type: list
  elements: str
  sample: [/etc/postfix/main.cf]
read_at:
  description: When the unit was last started or reloaded, in seconds since the epoch; null when it does not run.
  returned: always
  type: float
  sample: 1795556305.366549
"""

import glob
import os

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mail.ha.plugins.module_utils import unit


def main():
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "unit": {"type": "str", "required": True},
            "files": {"type": "list", "elements": "str", "required": True},
            "since": {"type": "str", "choices": list(unit.PROPERTIES), "default": "reload"},
        },
        supports_check_mode=True,
    )
    params = module.params
    relative = [path for path in params["files"] if not os.path.isabs(path)]
    if relative:
        module.fail_json(msg=f"files: found {', '.join(relative)}, expected absolute paths")
    _code, output, _error = module.run_command(unit.show_command(params["unit"]), check_rc=True)
    try:
        read_at = unit.parse(output, params["since"])
    except unit.UnknownUnitError as error:
        if not module.check_mode:
            module.fail_json(msg=f"{params['unit']}: {error}")
        read_at = None  # a rehearsal on a node that has not got the package yet
    except unit.UnitError as error:
        module.fail_json(msg=f"{params['unit']}: {error}")
    paths = {path for pattern in params["files"] for path in glob.glob(pattern)}
    module.exit_json(changed=False, read_at=read_at, files=unit.outdated(read_at, {path: os.stat(path).st_mtime for path in paths}))


if __name__ == "__main__":
    main()
