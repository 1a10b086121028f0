"""Abrupt loss of any one node: mail goes on, nothing delivered is lost, and the node rejoins by itself.

Runs on the control host of a lab (LAB) that is up, with accounts, after playbooks/test-service.yml put the clients on
`outside`. Exact times are another matter; here the bound is 30 s for everything, seen by clients.
"""

import os
import pathlib
import subprocess
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
LAB = os.environ["LAB"]
BUDGET = 30
REJOIN = 180


def run(*command, timeout=120, check=True):
    """Run a command; its output is in the message when it fails."""
    result = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False, cwd=ROOT)
    assert not check or result.returncode == 0, f"{' '.join(command)}:\n{result.stdout[-3000:]}\n{result.stderr[-3000:]}"
    return result


def outside(*command, **kwargs):
    """Run the mail carrier on `outside`."""
    return run("podman", "exec", "--env", "E2E_SITE=/root/e2e/site.json", "--workdir", "/root/e2e", f"{LAB}-outside",
               "python3", "carry.py", *command, **kwargs)


def power_off(node):
    """As when the plug is pulled: first the network, so that no closing packet gets out, then everything."""
    run("podman", "exec", f"{LAB}-{node}", "sh", "-c", "ip link set dmz0 down; ip link set eth0 down")
    run("podman", "kill", "--signal", "KILL", f"{LAB}-{node}")


def healthy():
    """Whether every role's health check passes on every node."""
    return run("ansible-playbook", "playbooks/check-health.yml", timeout=300, check=False)


@pytest.mark.parametrize("node", ["lb1", "lb2", "mail1", "mail2", "mail3"])
def test_loss_of(node, capsys):
    outside("deliver", "delivered.json")
    power_off(node)
    try:
        survived = outside("survive", "delivered.json", str(BUDGET))
    finally:
        run("podman", "start", f"{LAB}-{node}")
    started = time.monotonic()
    while (result := healthy()).returncode != 0:
        assert time.monotonic() - started < REJOIN, result.stdout[-3000:]
    with capsys.disabled():
        print(f"\n{node}: {survived.stdout.strip()}; whole again {time.monotonic() - started:.0f} s after the return (checks included)")
    outside("survive", "delivered.json", str(BUDGET))
