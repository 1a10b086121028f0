"""How Patroni follows the maintenance switch: the rank of a member, and to whom a leader hands over."""

import json
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = "roles/postgresql/files/patroni-maintenance"


def member(name, role="Quorum Standby", state="streaming", priority=2, lag=0):
    """A line of `patronictl list --format json` (Patroni 4.0.7)."""
    line = {"Cluster": "ha-mail", "Member": name, "Host": f"{name}.nodes.ha.test", "Role": role, "State": state, "TL": 1}
    return line | ({"Lag in MB": lag} if role != "Leader" else {}) | ({"Tags": {"failover_priority": priority}} if priority else {})


@pytest.fixture(name="follower", scope="module")
def fixture_follower(load):
    return load(PROGRAM)


@pytest.mark.parametrize("members, heir", [
    ([member("mail1", "Leader", "running", 1), member("mail2"), member("mail3")], "mail2"),
    ([member("mail1", "Leader", "running", 2), member("mail2", lag=3), member("mail3")], "mail3"),  # its own rank is not published yet
    ([member("mail1", "Leader", "running", 1), member("mail2", "Replica"), member("mail3", lag=3)], "mail3"),
    ([member("mail1", "Leader", "running", 1), member("mail2", "Replica"), member("mail3", "Replica", "starting")], "mail2"),
    ([member("mail1", "Leader", "running", 1), member("mail2", priority=1), member("mail3")], "mail3"),
    # All others are in maintenance as well, or have never been told what they are worth.
    ([member("mail1", "Leader", "running", 1), member("mail2", priority=1), member("mail3", priority=None)], None),
    ([member("mail1", "Leader", "running", 1)], None),
    # It does not lead, or nobody does.
    ([member("mail1", priority=1), member("mail2", "Leader", "running"), member("mail3")], None),
    ([member("mail1", priority=1), member("mail2"), member("mail3")], None),
    ([], None),
])
def test_who_takes_over(follower, members, heir):
    assert follower.heir(members, "mail1", 1) == heir


def test_nobody_is_able_to_take_over(follower):
    members = [member("mail1", "Leader", "running", 1), member("mail2", "Replica", "stopped"), member("mail3", priority=1)]
    with pytest.raises(follower.MaintenanceError, match=r"mail1 leads in maintenance.*found mail2 \(Replica, stopped\)\."):
        follower.heir(members, "mail1", 1)


@pytest.fixture(name="node")
def fixture_node(tmp_path):
    """Run the program among stand-ins for systemctl and patronictl, which note down what they are asked."""
    for name in ("systemctl", "patronictl"):
        (tmp_path / name).write_text(f'#!/bin/sh\necho "{name} $*" >>{tmp_path}/asked\n[ "$3" != list ] || cat {tmp_path}/members\n')
        (tmp_path / name).chmod(0o755)

    class Node:
        """Its files and its answers."""
        state, rank, members = tmp_path / "state", tmp_path / "rank.yml", tmp_path / "members"

        @staticmethod
        def run(command):
            """Exit code, standard error and what was asked."""
            (tmp_path / "asked").write_text("")
            done = subprocess.run([sys.executable, ROOT / PROGRAM, command, "mail1", "--state-file", Node.state, "--rank-file", Node.rank],
                                  env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, capture_output=True, text=True, timeout=60, check=False)
            return done.returncode, done.stderr, (tmp_path / "asked").read_text().splitlines()
    return Node


LIST = "patronictl -c /etc/patroni/config.yml list --format json"
RELOAD = "systemctl try-reload-or-restart patroni.service"


def test_before_patroni_starts(node):
    assert node.run("rank") == (0, "", [])
    assert node.rank.read_text() == "tags:\n  failover_priority: 2\n"
    node.state.write_text("drain\n")
    assert node.run("rank") == (0, "", [])
    assert node.rank.read_text() == "tags:\n  failover_priority: 1\n"


def test_a_leader_hands_over(node):
    node.state.write_text("maint\n")
    node.members.write_text(json.dumps([member("mail1", "Leader", "running"), member("mail2")]))
    switchover = "patronictl -c /etc/patroni/config.yml switchover --leader mail1 --candidate mail2 --force"
    assert node.run("follow") == (0, "", [RELOAD, LIST, switchover])
    node.state.write_text("ready\n")
    assert node.run("follow") == (0, "", [RELOAD])
    assert node.rank.read_text() == "tags:\n  failover_priority: 2\n"


def test_a_change_that_comes_meanwhile_is_seen(node, tmp_path):
    node.state.write_text("drain\n")
    node.members.write_text("[]")
    systemctl = tmp_path / "systemctl"
    systemctl.write_text(systemctl.read_text() + f"rm -f {node.state}\n")
    assert node.run("follow") == (0, "", [RELOAD, LIST, RELOAD])
    assert node.rank.read_text() == "tags:\n  failover_priority: 2\n"


def test_a_state_that_is_none_changes_nothing(node):
    node.run("rank")
    node.state.write_text("sleep\n")
    code, error, asked = node.run("follow")
    assert (code, asked) == (1, [])
    assert error == f"{node.state}: found 'sleep', expected one of ready, drain, maint; Patroni keeps the rank it has.\n"
    assert node.rank.read_text() == "tags:\n  failover_priority: 2\n"


def test_an_answer_that_is_none_and_a_place_that_is_missing_are_sentences(node):
    node.state.write_text("drain\n")
    node.members.write_text("no table\n")
    assert node.run("follow")[:2] == (1, "patronictl list: found 'no table', expected JSON.\n")
    node.rank = node.rank.parent / "missing/rank.yml"
    code, error, _asked = node.run("rank")
    assert code == 1 and "missing/rank.yml" in error and len(error.splitlines()) == 1


def test_a_tool_that_fails_says_so(node, tmp_path):
    node.state.write_text("drain\n")
    (tmp_path / "patronictl").write_text("#!/bin/sh\necho no etcd >&2\nexit 3\n")
    assert node.run("follow")[:2] == (1, f"{LIST}: exit code 3, no etcd\n")
