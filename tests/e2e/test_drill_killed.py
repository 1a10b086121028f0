"""A drill that is killed while something is broken leaves a cluster that mends itself, a ledger that can be ended, and no lock.

Runs on the control host of a lab (LAB) that is up and whole, with accounts, and leaves it so.
"""

import json
import os
import pathlib
import signal
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
DRILLS = ROOT / ".cache/drills"
LOCK = DRILLS / "lock"
LAB = os.environ["LAB"]
TARGET = "mail2"
HOLD, MARGIN = 12, 5  # seconds that it would last, and after which the node no longer waits for the drill to mend it
BEGINS = 600  # seconds for all that a drill does before it breaks anything; it may ask for full strength more than once
# Slowly: what clients see is another test's matter.
LEDGER = {"rate": 1, "probe_interval": {"smtp": 1, "submission": 1, "imap": 4}}
SLACK = 5  # seconds for a busy machine
WHOLE = 120


def run(*command, check=True):
    """Run a command; its output is in the message when it fails."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False, cwd=ROOT)
    assert not check or done.returncode == 0, f"{' '.join(map(str, command))}:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done


def on(node, command):
    """What a shell command prints on a node, however it ends."""
    return run("podman", "exec", f"{LAB}-{node}", "sh", "-c", command, check=False).stdout.split()


def postfix():
    """States of its long-lived processes on the target, T for one that is stopped."""
    return {state[0] for state in on(TARGET, "ps -C master,qmgr -o stat=")}


def moment(what):
    """When the fault began or was mended on the target, or None: not yet."""
    return next(map(float, on(TARGET, f"cat /run/ha-mail-drill/{what}")), None)


def wait(condition, seconds, otherwise):
    """Wait until it holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, otherwise()
        time.sleep(0.5)


def kill(leader):
    """Its group, then those that it had put into groups of their own."""
    children = {}
    for pid, parent in (line.split() for line in run("ps", "-e", "-o", "pid=,ppid=").stdout.splitlines()):
        children.setdefault(int(parent), []).append(int(pid))
    family = [leader]
    for member in family:
        family += children.get(member, [])
    os.killpg(leader, signal.SIGKILL)
    for member in family[1:]:
        try:
            os.kill(member, signal.SIGKILL)
        except ProcessLookupError:
            pass


def test_a_drill_that_is_killed(tmp_path):
    on(TARGET, "rm -rf /run/ha-mail-drill")  # what an earlier drill left
    settings = {"drill_fault": "postfix-frozen", "drill_target": TARGET, "drill_settle": 1, "drill_hold": HOLD, "drill_margin": MARGIN,
                "drill_ledger": LEDGER}
    command = ["ansible-playbook", "playbooks/drill.yml", "-e", json.dumps(settings)]
    with open(tmp_path / "drill.log", "w+", encoding="utf-8") as log:
        def said():
            log.seek(0)
            return log.read()[-3000:]

        with subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log, start_new_session=True) as drill:
            try:
                wait(lambda: drill.poll() is not None or (moment("begun") and postfix() == {"T"}), BEGINS, said)
                assert drill.poll() is None, said()
            finally:
                if drill.poll() is None:
                    kill(drill.pid)
    killed = time.time()
    # What mends it must not begin to count anew: any package's installation does this.
    on(TARGET, "systemctl daemon-reload")
    _pid, _start, name = LOCK.read_text(encoding="utf-8").split()
    assert name.endswith("-postfix-frozen") and moment("mended") is None, "the drill was killed too late"

    # The ledger goes on. It waits for what stands still on the target.
    assert on("outside", "systemctl is-active ha-mail-ledger") == ["active"]
    run("ansible-playbook", "playbooks/ledger-stop.yml", "-e", f"ledger_name={name}")
    assert on("outside", "systemctl is-active ha-mail-ledger") == ["inactive"]

    wait(lambda: moment("mended"), HOLD + MARGIN + SLACK, lambda: "the node did not mend itself")
    began, mended = moment("begun"), moment("mended")
    assert killed < mended <= began + HOLD + MARGIN + SLACK
    assert postfix() and "T" not in postfix()

    # The next drill is let in: the lock, and the gate.
    run(ROOT / "roles/drill/files/one-drill", "take", LOCK, str(os.getpid()), "next")
    run(ROOT / "roles/drill/files/one-drill", "free", LOCK, str(os.getpid()))
    assert not LOCK.exists()
    wait(lambda: run("ansible-playbook", "playbooks/check-health.yml", check=False).returncode == 0, WHOLE, lambda: "the cluster is not at full strength")
    run("ansible-playbook", "playbooks/ledger-report.yml", "-e", f"ledger_name={name}", "-e", "ledger_patience=30")
    on(TARGET, "rm -rf /run/ha-mail-drill")  # which the next drill that breaks something here would do
