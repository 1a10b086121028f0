"""Every failure that the objectives know can be drilled, and every fault says what it has to."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from ansible_collections.mail.ha.plugins.module_utils import drill, objectives
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
    optional = {"__drill_nodes", "__drill_least", "__drill_ledger", "__drill_packages", "__drill_prepare", "__drill_restore", "__drill_sessions_live",
                "__drill_closed"}
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
def test_a_budget_of_a_second_is_looked_at_often_enough(path):
    """Two addresses in turn: what asks either of them every second sees two seconds of an outage that one probe has met."""
    asks = yaml.safe_load(path.read_text(encoding="utf-8")).get("__drill_ledger", {})
    if isinstance(asks, str):
        own = yaml.safe_load((ROOT / "roles/drill/vars/main.yml").read_text(encoding="utf-8"))
        asks = own[re.fullmatch(r"{{ (\w+) }}", asks)[1]]
    quick = {service for service, seconds in asks.get("probe_interval", {}).items() if 2 * seconds < 1}
    budgets = {item["service"] for item in objectives.derive({})["failures"] if item["fault"] == path.stem and 0 < item["allowed"] <= 1}
    assert budgets & {"submission", "imap"} == quick


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_fails_closed_is_watched_for_long_enough(path):
    """Where nothing ends a failure but mending, that it refuses meanwhile is part of the verdict; ten seconds of it at the least."""
    fault = yaml.safe_load(path.read_text(encoding="utf-8"))
    failures = objectives.derive({})["failures"]
    lasts = max(drill.hold(failures, path.stem), fault.get("__drill_least", 0))
    closed = fault.get("__drill_closed", {})
    assert set(closed) == {item["service"] for item in failures if item["fault"] == path.stem and item["worst"] is None}
    assert all(lasts - after >= 10 for after in closed.values())


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


@pytest.fixture(name="node")
def fixture_node(tmp_path):
    """A root directory on which left-behind can be run; ``left()`` gives its lines, ``tables`` is what nft says, or None where it fails."""
    tools = tmp_path / "tools"
    tools.mkdir()

    class Node:
        root, tables = tmp_path / "root", "table netdev other"

        def left(self):
            said = "exit 1" if self.tables is None else f"printf '%s\\n' '{self.tables}'"
            for name, script in (("nft", said), ("ps", "echo glusterfsd -s 10.0.0.1 --brick-name /var/lib/brick -l log")):
                (tools / name).write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
                (tools / name).chmod(0o755)
            run = subprocess.run([ROOT / "roles/drill/files/left-behind", self.root], env={"PATH": f"{tools}:{os.environ['PATH']}"},
                                 capture_output=True, text=True, check=False)
            return run.returncode, [line.removeprefix(str(self.root)) for line in run.stdout.splitlines()]

    return Node()


def test_a_node_on_which_nothing_is_left(node):
    for name in ("run/systemd/transient/other.timer", "run/systemd/system/postfix.service.d/other.conf", "var/lib/brick/mail"):
        (node.root / name).parent.mkdir(parents=True)
        (node.root / name).touch()
    assert node.left() == (0, [])


@pytest.mark.parametrize("name", [
    "run/ha-mail-drill/fault.sh", "run/systemd/transient/ha-mail-drill-mend.service", "run/systemd/system/postfix.service.d/ha-mail-drill.conf",
    "var/lib/brick.drill", "var/lib/brick.drill.d", "var/lib/brick.before", "var/lib/brick.after", "var/lib/brick/.ha-mail-drill", "etc/faketimerc",
    "etc/ld.so.preload"])
def test_what_is_left_behind_is_named(node, name):
    (node.root / name).parent.mkdir(parents=True)
    (node.root / name).touch()
    code, lines = node.left()
    assert code == 0 and lines == [f"/{name.removesuffix('/fault.sh')}"]


def test_rules_that_are_left_and_rules_that_cannot_be_told(node):
    node.tables = "table netdev other\ntable netdev ha_mail_drill"
    assert node.left() == (0, ["table netdev ha_mail_drill"])
    node.tables = None
    assert node.left()[0] == 1


def test_files_of_somebody_else_are_no_traces(node):
    (node.root / "etc").mkdir(parents=True)
    (node.root / "etc/ld.so.preload").write_text("/usr/lib/libother.so\n", encoding="utf-8")
    assert node.left() == (0, [])
