# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a node can be asked, a module each: alone by the module of that name, all together by node_report_info.

A check has ``ARGUMENTS``, the argument_spec of its parameters, perhaps ``RULES``, further keywords of AnsibleModule, and
``answer(parameters)``, which returns what is found (dict) or raises CheckError. Answers come from threads side by side, so a check starts
programs with asking.run and changes nothing of the process that it runs in.
"""

from __future__ import annotations


class CheckError(Exception):
    """There is no answer; the text says why, and what to do."""


def end(module, check):
    """End ``module`` (AnsibleModule) with what ``check`` finds, or fail with why it has no answer."""
    try:
        found = check.answer(module.params)
    except CheckError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, **found)
