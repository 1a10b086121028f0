"""Every failure that the objectives know can be drilled, and every fault says what it has to."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from ansible_collections.mail.ha.plugins.module_utils.objectives_failures import FAULTS

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "roles/drill/vars/faults").glob("*.yml"))
MENDS = {"kill": "on", "off": "on", "pause": "unpause", "isolate": "rejoin", "lossy": "rejoin", "switchover": "nothing"}
COMMANDS = ("__drill_break", "__drill_mend", "__drill_prepare", "__drill_restore")


def test_one_file_for_each_failure():
    # Nobody takes a whole site away to see what happens, and one site is all that a lab has.
    assert {path.stem for path in FILES} == set(FAULTS) - {"site-lost"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_fault_says_where_and_how_it_is_mended(path):
    fault = yaml.safe_load(path.read_text(encoding="utf-8"))
    optional = {"__drill_nodes", "__drill_least", "__drill_ledger", "__drill_packages", "__drill_prepare", "__drill_restore", "__drill_sessions_live"}
    assert set(fault) - optional == {"__drill_where", "__drill_break", "__drill_mend"}
    assert ("__drill_prepare" in fault) == ("__drill_restore" in fault), "what is prepared is undone"
    assert fault["__drill_where"] in ("firewall", "loadbalancer", "mailserver", "database")
    # Both members know the connections, so they go on.
    assert fault.get("__drill_sessions_live", False) == (fault["__drill_where"] == "firewall")
    assert all(isinstance(fault[key], str) for key in COMMANDS if key in fault), "on and off need quotes"
    act = re.sub("^isolate .*", "isolate", fault["__drill_break"])
    if act in MENDS:
        assert fault["__drill_mend"] == MENDS[act]
    assert path.read_text(encoding="utf-8").startswith("# "), "it does not say what it stands for"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_its_commands_can_be_read_by_the_shell(path):
    fault = yaml.safe_load(path.read_text(encoding="utf-8"))
    for key in COMMANDS:
        run = subprocess.run(["bash", "-n"], input=fault.get(key, ""), capture_output=True, text=True, check=False)
        assert run.returncode == 0, (key, run.stderr)


def test_no_function_hides_a_program():
    # One named cut made every `... | cut -f1` of a fault cut the node off.
    functions = re.findall(r"^(\w+)\(\)", (ROOT / "roles/drill/templates/fault.sh.j2").read_text(encoding="utf-8"), re.MULTILINE)
    assert "isolate" in functions
    assert [name for name in functions if shutil.which(name)] == []
