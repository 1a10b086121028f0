"""A gate refuses what is really wrong: a node that hangs, an address that is held twice, a database without a leader.

Runs on the control host of a lab (LAB) that is up and whole, and leaves it so. Each case asks through playbooks/check-health.yml, which
is the gate without the play behind it; that nothing behind a gate runs is held by tests/playbooks/test_cluster_gate.py.
"""

import json
import os
import pathlib
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
LAB = os.environ["LAB"]
DATABASES = ["mail1", "mail2", "mail3"]
HEALED = 120  # seconds until the cluster must be whole again


def node(name, *command, check=True):
    """Run a command on a node; it has to end well."""
    return subprocess.run(["podman", "exec", f"{LAB}-{name}", *command], capture_output=True, text=True, timeout=90, check=check).stdout


def stop_database(name):
    """Stop Patroni and PostgreSQL on a node. Where that takes too long, say what they did meanwhile."""
    try:
        node(name, "systemctl", "stop", "patroni")
    except subprocess.TimeoutExpired as late:
        said = node(name, "journalctl", "--unit=patroni", "--no-pager", "--output=cat", "--lines=40", check=False)
        left = node(name, "ps", "-u", "postgres", "-o", "pid,stat,etimes,wchan:20,args", check=False)
        raise AssertionError(f"patroni on {name} did not stop within {late.timeout} s.\n{said}\n{left}") from None


WHOLE = []  # whether the test before has left the cluster whole, which need not be asked again


@pytest.fixture(name="ask")
def fixture_ask(tmp_path):
    """Ask for the verdict, with further arguments if there are any -> (exit code, verdict)."""
    def ask(*arguments):
        path = tmp_path / f"verdict{''.join(arguments)}.json"
        path.unlink(missing_ok=True)
        done = subprocess.run(["ansible-playbook", "playbooks/check-health.yml", "-e", f"check_health_json={path}", *arguments],
                              cwd=ROOT, capture_output=True, text=True, timeout=180, check=False)
        assert path.exists(), done.stdout[-3000:] + done.stderr[-1000:]
        return done.returncode, json.loads(path.read_text(encoding="utf-8"))

    if not WHOLE:
        code, verdict = ask()
        assert code == 0, verdict["problems"]
    WHOLE.clear()
    yield ask
    end = time.monotonic() + HEALED
    while (answer := ask())[0] != 0:
        assert time.monotonic() < end, "\n".join(answer[1]["problems"])
    WHOLE.append(True)


def test_a_node_that_hangs(ask):
    """Its sshd is stopped, with the connections that are kept for the next question: new ones are accepted by the kernel, and nothing is ever said."""
    node("ops1", "pkill", "-STOP", "^sshd")
    try:
        # Each waits for the node, so they wait together.
        with ThreadPoolExecutor() as asking:
            answers = asking.map(lambda arguments: ask(*arguments), [[], ["-e", "check_health_may_lose=ops1"], ["-e", "check_health_may_lose=lb1"]])
            (code, verdict), (spared, _verdict), (refused, _verdict) = answers
    finally:
        node("ops1", "pkill", "-CONT", "^sshd")
    assert code != 0 and refused != 0 and spared == 0
    assert verdict["strength"] == "degraded" and verdict["can_lose"] == ["ops1"]
    assert any(sentence.startswith("ops1 gave no report") for sentence in verdict["problems"])


def test_an_address_that_is_held_twice(ask):
    vip, holder = json.loads(node("lb1", "/usr/local/lib/ha-mail/vrrp-addresses", "status"))[0]["address"], "lb1"
    interface = json.loads(node("lb2", "ip", "-json", "route", "get", vip))[0]["dev"]
    node("lb2", "ip", "address", "add", f"{vip}/32", "dev", interface)
    try:
        code, verdict = ask()
    finally:
        node("lb2", "ip", "address", "del", f"{vip}/32", "dev", interface)
        node(holder, "systemctl", "reload", "keepalived")  # neighbours may have learnt the wrong one
    assert code != 0 and verdict["strength"] == "down" and verdict["can_lose"] == []
    assert verdict["holders"]["vip1"] is None
    assert any("has 2 holders: lb1, lb2 say that they hold it" in sentence for sentence in verdict["problems"])


def test_no_leader(ask):
    try:
        for name in DATABASES:
            stop_database(name)
        code, verdict = ask()
    finally:
        for name in DATABASES:
            node(name, "systemctl", "start", "patroni")
    assert code != 0 and verdict["strength"] == "down" and verdict["can_lose"] == []
    assert "databases that take writes: none, expected exactly one." in verdict["problems"]
