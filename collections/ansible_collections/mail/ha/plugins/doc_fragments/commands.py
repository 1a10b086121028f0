# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The option of modules that run commands to check a node."""

from __future__ import annotations


class ModuleDocFragment:
    """See module_utils/checks/node.py."""

    DOCUMENTATION = r"""
options:
  commands:
    description: The commands.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: What is asked, for the sentences.
        type: str
        required: true
      argv:
        description: The command and its arguments; no shell is involved.
        type: list
        elements: str
        required: true
      expected:
        description: What its output must be, without spaces around it. Without it the exit code 0 is enough.
        type: str
      remedy:
        description: A sentence that says what to do when it fails.
        type: str
        default: ''
      environment:
        description: Variables that are added to the environment; a place for secrets, which are not shown.
        type: dict
        default: {}
"""
