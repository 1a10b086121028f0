"""How Ansible behaves where our playbooks depend on it.

Seven facts decide the shape of rolls and gates here (each test names its fact). They are not what one would expect, and a new
version of ansible-core may change them: then one of these tests says so, and the playbooks that build on it can be simpler, or
have to be different. Real ansible-playbook, hosts that exist (local connection) and hosts that do not (ssh to a closed port).
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ANSIBLE_PLAYBOOK = Path(sys.executable).parent / "ansible-playbook"
UNREACHABLE = 4
FAILED = 2


@pytest.fixture(name="closed_port", scope="module")
def fixture_closed_port():
    """A port of 127.0.0.1 which refuses connections for as long as the tests run: bound, but not listened on."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


class Result:
    """Exit code, output, and which host came by where."""

    def __init__(self, code: int, output: str, trace: Path):
        self.code = code
        self.output = output
        self.trace = trace.read_text(encoding="utf-8").split() if trace.exists() else []

    def __repr__(self) -> str:
        return f"exit code {self.code}, trace {self.trace}, output:\n{self.output}"


@pytest.fixture(name="play")
def fixture_play(tmp_path, closed_port):
    """Run plays against live1, dead, live2 (in this order); `mark(name)` is a task that leaves `name:host` in the trace."""
    trace = tmp_path / "trace"
    configuration = tmp_path / "ansible.cfg"
    configuration.write_text("[defaults]\n", encoding="utf-8")
    inventory = tmp_path / "hosts.yml"
    live = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    dead = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": closed_port}
    inventory.write_text(yaml.safe_dump({"all": {"children": {"nodes": {"hosts": {"live1": live, "dead": dead, "live2": live}}}}},
                                        sort_keys=False), encoding="utf-8")
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")},
        "ANSIBLE_CONFIG": str(configuration), "ANSIBLE_LOCAL_TEMP": str(tmp_path / "tmp"), "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_SSH_ARGS": "-F none -o BatchMode=yes -o ControlMaster=no", "ANSIBLE_ROLES_PATH": str(tmp_path / "roles"),
    }

    def run(plays: list[dict], folder: str = ".") -> Result:
        path = tmp_path / folder / "playbook.yml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump([{"gather_facts": False, **one} for one in plays], sort_keys=False), encoding="utf-8")
        done = subprocess.run(
            [ANSIBLE_PLAYBOOK, "-i", inventory, path, "-e", f"trace={trace}"], cwd=tmp_path, env=environment, text=True, timeout=900,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, check=False)
        return Result(done.returncode, done.stdout, trace)

    return run


def mark(name: str, **keywords) -> dict:
    """A task that leaves a trace without reaching for the host, and so runs wherever Ansible still runs anything."""
    command = f"echo {name}:{{{{ inventory_hostname }}}} >>{{{{ trace }}}}"
    return {"name": f"Mark {name}", "ansible.builtin.raw": command, "vars": {"ansible_connection": "local"}, **keywords}


def reach(**keywords) -> dict:
    """A task that needs the host."""
    return {"name": "Reach", "ansible.builtin.raw": "true", **keywords}


FAIL = {"name": "Fail", "ansible.builtin.fail": {"msg": "on purpose"}}


def test_1_an_unreachable_host_does_not_stop_a_serial_play(play):
    """serial + any_errors_fatal: the batch after the unreachable host runs. So a roll gates at the start of each batch."""
    result = play([{"hosts": "nodes", "serial": 1, "any_errors_fatal": True, "tasks": [reach(), mark("batch")]}])
    assert result.trace == ["batch:live1", "batch:live2"]
    assert result.code == UNREACHABLE


def test_1_a_failed_host_does_stop_it(play):
    """The counterpart: a failure, unlike an unreachable host, ends the roll."""
    result = play([{"hosts": "nodes", "serial": 1, "tasks": [mark("batch"), dict(FAIL, when="inventory_hostname == 'live1'")]}])
    assert result.trace == ["batch:live1"]
    assert result.code == FAILED


@pytest.mark.parametrize("fatal, trace", [
    (False, ["next:live1", "next:live2"]),
    (True, []),
])
def test_2_only_any_errors_fatal_makes_a_gate_of_a_play(play, fatal, trace):
    """A gate play with one host unreachable stops what follows with any_errors_fatal: true only."""
    result = play([
        {"hosts": "nodes", "any_errors_fatal": fatal, "tasks": [reach()]},
        {"hosts": "live*", "tasks": [mark("next")]},
    ])
    assert sorted(result.trace) == trace
    assert result.code == UNREACHABLE


@pytest.mark.parametrize("end, trace, code", [
    ([], ["rescue:live1", "rescue:live2"], 0),
    ([FAIL], ["rescue:live1"], FAILED),
], ids=["without fail", "with fail"])
def test_3_a_rescue_that_does_not_fail_lets_the_roll_go_on(play, end, trace, code):
    """A rescue counts as a success, exit code 0 included. So every rescue ends in fail."""
    result = play([{"hosts": "live*", "serial": 1, "tasks": [{"name": "Change", "block": [FAIL], "rescue": [mark("rescue"), *end]}]}])
    assert result.trace == trace
    assert result.code == code


def test_4_an_unreachable_host_runs_neither_rescue_nor_always(play):
    """Nothing that a block has promised to do afterwards is done for a host that is gone."""
    result = play([{"hosts": "live1,dead", "tasks": [
        {"name": "Change", "block": [reach()], "rescue": [mark("rescue")], "always": [mark("always")]}]}])
    assert result.trace == ["always:live1"]
    assert result.code == UNREACHABLE


def test_4_later_plays_do_not_run_after_an_abort(play):
    """An undo play at the end is never reached once all hosts of a play have failed."""
    result = play([
        {"hosts": "live*", "tasks": [FAIL]},
        {"hosts": "live*", "tasks": [mark("undo")]},
        {"hosts": "localhost", "tasks": [mark("report")]},
    ])
    assert result.trace == []
    assert result.code == FAILED


def test_5_a_registered_variable_is_defined_for_an_unreachable_host(play):
    """`is defined` proves nothing: a gate wants the very value that a healthy host gives, and counts those."""
    result = play([
        {"hosts": "nodes", "tasks": [reach(register="answer")]},
        {"hosts": "live1", "tasks": [
            mark("defined", when="hostvars['dead'].answer is defined"),
            mark("unreachable", when="hostvars['dead'].answer.unreachable | default(false)"),
            mark("evidence", when="hostvars['dead'].answer.rc | default(-1) == 0"),
            mark("counter_evidence", when="hostvars['live2'].answer.rc | default(-1) == 0"),
        ]},
    ])
    assert result.trace == ["defined:live1", "unreachable:live1", "counter_evidence:live1"]


@pytest.mark.parametrize("flush, trace", [
    ([], ["change:live1", "gate:live1", "handler:live1"]),
    ([{"name": "Flush", "ansible.builtin.meta": "flush_handlers"}], ["change:live1", "handler:live1", "gate:live1"]),
], ids=["without flush", "with flush"])
def test_5_handlers_run_after_the_gate_unless_they_are_flushed(play, flush, trace):
    """An exit gate among the tasks sees the daemon before its restart, unless handlers are flushed before it."""
    change = mark("change", changed_when=True, notify="Restart it")
    result = play([{"hosts": "live1", "tasks": [change, *flush, mark("gate")], "handlers": [mark("handler", listen="Restart it")]}])
    assert result.trace == trace
    assert result.code == 0


@pytest.mark.parametrize("loop", [{}, {"loop": [1, 2]}], ids=["once", "in a loop"])
def test_7_who_is_asked_for_all_and_cannot_be_reached_takes_all_into_the_rescue(play, loop):
    """Only with ignore_unreachable, and then although it is ignored: nothing behind that task runs. Without it, see fact 4."""
    ask = reach(delegate_to="dead", run_once=True, ignore_unreachable=True, register="answer", **loop)
    result = play([{"hosts": "live*", "any_errors_fatal": True, "tasks": [
        {"name": "Change", "block": [ask, mark("next")], "rescue": [mark("rescue"), mark("known", when="answer.unreachable"), FAIL]}]}])
    assert sorted(result.trace) == ["known:live1", "known:live2", "rescue:live1", "rescue:live2"]
    assert result.code == FAILED


@pytest.mark.parametrize("folder, trace", [
    ("playbooks", ["wired:live1"]),
    ("playbooks/rolls", ["lost:live1"]),
])
def test_6_a_playbook_in_a_subfolder_loses_group_vars(play, tmp_path, folder, trace):
    """group_vars beside the playbook's own file count, those one level up do not, and nobody says so."""
    variables = tmp_path / "playbooks/group_vars/all/wiring.yml"
    variables.parent.mkdir(parents=True)
    variables.write_text("wired: true\n", encoding="utf-8")
    result = play([{"hosts": "live1", "tasks": [
        mark("wired", when="wired is defined"), mark("lost", when="wired is not defined")]}], folder)
    assert result.trace == trace
    assert result.code == 0


@pytest.mark.parametrize("variables, code", [
    ({"thing_size": 5, "thing_szie": 6}, 0),
    ({"thing_size": "five"}, FAILED),
], ids=["misspelt name", "wrong type"])
def test_6_argument_specs_do_not_see_a_misspelt_variable(play, tmp_path, variables, code):
    """They refuse a wrong type, but a name they do not know is not an argument to them. So we check names ourselves."""
    role = tmp_path / "roles/thing"
    (role / "meta").mkdir(parents=True)
    (role / "tasks").mkdir()
    (role / "meta/argument_specs.yml").write_text(yaml.safe_dump(
        {"argument_specs": {"main": {"options": {"thing_size": {"type": "int"}}}}}), encoding="utf-8")
    (role / "tasks/main.yml").write_text(yaml.safe_dump([mark("role")]), encoding="utf-8")
    result = play([{"hosts": "live1", "vars": variables, "roles": ["thing"]}])
    assert result.code == code
    assert result.trace == (["role:live1"] if code == 0 else [])
