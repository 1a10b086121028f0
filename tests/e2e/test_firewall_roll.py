"""playbooks/roll-firewalls.yml on a real pair, with a real SMTP server behind it: what a roll changes, and what it takes back.

Runs on the control host of the layout `pair` (LAYOUT=pair) after playbooks/firewalls.yml.
"""

import contextlib
import json
import os
import signal
import subprocess
import threading
import time

import pytest
import yaml
from firewall_lab import LAB, PROBE, ROOT, SERVE, mail_server, node, own, podman, roles, running, service_addresses, show_policy, status, wait_for_ssh

WRAPPER = """#!/bin/sh
case "$*" in *--check*) echo refused on purpose >&2; exit 1 ;; esac
exec /root/nft.real "$@"
"""
# When the member becomes active: SMTP of sessions that began before is dropped, as if their states had never come.
FORGETFUL = """#!/bin/sh
case "$*" in *-B*) nft -f - <<'END'
table inet forgotten {
    set begun { type ipv4_addr . inet_service; flags dynamic; timeout 10m; }
    chain forward {
        type filter hook forward priority -1;
        tcp dport 25 tcp flags & (syn | ack) == syn add @begun { ip saddr . tcp sport }
        tcp dport 25 ip saddr . tcp sport != @begun drop
    }
}
END
esac
exec /root/conntrackd.real "$@"
"""


def roll(*arguments, playbook="roll-firewalls.yml"):
    """Run the playbook; return (exit code, what it said)."""
    done = subprocess.run(["ansible-playbook", f"playbooks/{playbook}", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=400, check=False)
    # As the screen breaks no lines, a sentence is one.
    return done.returncode, " ".join((done.stdout + done.stderr).split())


def with_rule(**rule):
    """Arguments for a policy that has one more rule of the site."""
    firewall = yaml.safe_load((ROOT / "tests/layouts/pair/group_vars/all.yml").read_text(encoding="utf-8"))["mail_firewall"]
    firewall["rules"].append(rule)
    return "-e", json.dumps({"mail_firewall": firewall})


def pinhole(port):
    """A rule that harms nobody."""
    return with_rule(**{"name": f"pinhole {port}", "from": ["any"], "to": ["mailservers"], "ports": [str(port)]})


def kept():
    """What rolls have kept of what members ran."""
    return set((ROOT / ".cache/firewalls").glob("fw[12].*.before"))


@pytest.fixture(name="service", scope="module", autouse=True)
def fixture_service():
    """A Postfix behind the pair that answers at all addresses of the service, and something that gives back what comes; their addresses."""
    node("mail1", "systemctl", "stop", "pair-server", check=False)
    node("mail1", "systemd-run", "--quiet", "--collect", "--unit=pair-server", "python3", "-c", SERVE, "7000")
    with mail_server() as vips:
        yield {"vips": vips, "echo": own("mail1", "dmz0", 4)[0]}
    node("mail1", "systemctl", "stop", "pair-server")


@pytest.fixture(autouse=True)
def fixture_whole():
    """Each test begins and ends with a whole pair on the policy of the layout. One that leaves another has failed, and the next one finds it mended."""
    roles()
    before = running("fw1"), running("fw2")
    yield
    for member in ("fw1", "fw2"):
        wait_for_ssh(member)
    roles()
    if (running("fw1"), running("fw2")) != before:
        to_the_layout()
        pytest.fail("the test has left another policy")


def to_the_layout():
    """Bring the policy of the layout to both."""
    code, said = roll(playbook="firewalls.yml")
    assert code == 0, said


def test_a_change_goes_to_both_members_and_no_session_notices(service):
    active, standby = roles()
    before = kept()
    try:
        with subprocess.Popen(["podman", "exec", f"{LAB}-outside", "python3", "-c", PROBE, service["echo"], "7000", "70"], stdout=subprocess.PIPE,
                              text=True) as probe:
            code, said = roll(*pinhole(7001))
            found = json.loads(probe.communicate(timeout=120)[0])
        assert code == 0 and "+rules.nft:" in said, said
        assert found["errors"] == [] and found["gaps"]["session"][0] < 5 and found["gaps"]["new"][0] < 5, found
        assert roles() == (standby, active), said
        for member in (active, standby):
            now, saved = running(member)
            assert now == saved and "pinhole 7001" in now and status(member)["armed"] == "-"
        files = kept() - before
        assert len(files) == 2 and not [file for file in files if "pinhole" in file.read_text(encoding="utf-8")]
    finally:
        to_the_layout()


def test_without_a_change_nothing_is_touched():
    before = roles(), running("fw1"), running("fw2")
    code, said = roll()
    assert code == 0 and said.count("changed=0") == 2, said
    assert (roles(), running("fw1"), running("fw2")) == before


def test_check_mode_shows_what_would_be_and_touches_nothing():
    before = roles(), running("fw1"), running("fw2"), kept()
    code, said = roll("--check", *pinhole(7002))
    assert code == 0 and "+rules.nft:" in said and "pinhole 7002" in said, said
    assert (roles(), running("fw1"), running("fw2"), kept()) == before


def taken_back(before, code, said):
    """Both run what they ran, and the traffic is where it was."""
    assert code != 0 and "The change was not made" in said, said
    assert "2 of 2 members run the policy from before" in said and "The pair is whole, and the traffic is where it was." in said, said
    assert (roles(), running("fw1"), running("fw2")) == before
    assert status("fw1")["armed"] == status("fw2")["armed"] == "-"


def test_a_policy_that_shuts_the_service_is_taken_back_on_both():
    before = roles(), running("fw1"), running("fw2")
    code, said = roll(*with_rule(name="shut", action="deny", **{"from": ["any"], "to": [service_addresses(show_policy())[0][0]], "ports": ["25"]}))
    taken_back(before, code, said)
    assert "The SMTP session with" in said, said


@contextlib.contextmanager
def covered(member, program, wrapper):
    """A wrapper in a program's place; the program itself is /root/<program>.real meanwhile."""
    node(member, "sh", "-ec", f"cp /usr/sbin/{program} /root/{program}.real; cat >/root/{program}; chmod 755 /root/{program}; "
         f"mount --bind /root/{program} /usr/sbin/{program}", input=wrapper)
    try:
        yield
    finally:
        node(member, "umount", f"/usr/sbin/{program}")


@pytest.mark.parametrize("playbook", ["roll-firewalls.yml", "firewalls.yml"])
def test_a_member_that_refuses_after_the_other_was_changed_takes_both_back(playbook):
    before = roles(), running("fw1"), running("fw2")
    active, _standby = before[0]
    with covered(active, "nft", WRAPPER):
        code, said = roll(*pinhole(7003), playbook=playbook)
    taken_back(before, code, said)
    assert "refused on purpose" in said and "nft refuses the rules" in said, said


def test_a_switchover_that_no_session_survives_is_taken_back():
    """New ones come about all the same."""
    before = roles(), running("fw1"), running("fw2")
    _active, standby = before[0]
    try:
        with covered(standby, "conntrackd", FORGETFUL):
            code, said = roll(*pinhole(7006))
    finally:
        node(standby, "nft", "destroy", "table", "inet", "forgotten")
    taken_back(before, code, said)
    assert "it ended with" in said and "expected it to go on" in said, said


def test_a_member_that_dies_after_the_other_was_changed_leaves_the_old_policy(service):
    before = roles(), running("fw1"), running("fw2")
    active, standby = before[0]

    def kill_after_the_switchover():
        deadline = time.monotonic() + 200
        while status(standby).get("state") != "MASTER" and time.monotonic() < deadline:
            time.sleep(0.2)
        podman("kill", "--signal", "KILL", f"{LAB}-{active}")
    killer = threading.Thread(target=kill_after_the_switchover)
    killer.start()
    try:
        code, said = roll(*pinhole(7004))
        killer.join()
        assert code != 0 and f"1 of 2 members run the policy from before ({standby})" in said and "What is left to mend" in said, said
        # The one that is left serves, with the old policy.
        assert running(standby)[0] == before[1 if standby == "fw1" else 2][0] and status(standby)["state"] == "MASTER"
        node("outside", "timeout", "10", "bash", "-c", f"exec 3<>/dev/tcp/{service['vips'][0]}/25; read -t 9 line <&3; [[ $line == 220* ]]")
    finally:
        podman("start", f"{LAB}-{active}")
    assert roles() == (standby, active)
    assert (running("fw1"), running("fw2")) == before[1:]


def test_a_control_node_that_dies_after_the_switchover_leaves_the_old_policy_and_no_session_notices(service):
    before = roles(), running("fw1"), running("fw2")
    active, standby = before[0]
    with (subprocess.Popen(["podman", "exec", f"{LAB}-outside", "python3", "-c", PROBE, service["echo"], "7000", "100"], stdout=subprocess.PIPE,
                           text=True) as probe,
          subprocess.Popen(["ansible-playbook", "playbooks/roll-firewalls.yml", "-e", "roll_deadline=60", *pinhole(7008)], cwd=ROOT,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True) as control):
        deadline = time.monotonic() + 90
        while status(standby).get("state") != "MASTER" and control.poll() is None and time.monotonic() < deadline:
            time.sleep(0.2)
        assert control.poll() is None, "the run ended by itself"
        os.killpg(control.pid, signal.SIGKILL)
        assert status(standby)["armed"] != "-" and "pinhole 7008" in running(standby)[0], "nothing was to be taken back"
        deadline = time.monotonic() + 75
        while any(status(member).get("armed") != "-" for member in (active, standby)):
            assert time.monotonic() < deadline
            time.sleep(1)
        found = json.loads(probe.communicate(timeout=120)[0])
    assert found["errors"] == [] and found["gaps"]["session"][0] < 5 and found["gaps"]["new"][0] < 5, found
    assert (running("fw1"), running("fw2")) == before[1:]
    # The pair is whole, and whoever comes next finds nothing to do.
    assert roles() == (standby, active)
    code, said = roll()
    assert code == 0 and said.count("changed=0") == 2, said


def test_a_pair_that_is_not_whole_is_not_touched():
    before = roles(), running("fw1"), running("fw2")
    _active, standby = before[0]
    node(standby, "systemctl", "stop", "conntrackd")
    try:
        code, said = roll(*pinhole(7005))
    finally:
        node(standby, "systemctl", "start", "conntrackd")
    assert code != 0 and "out of sync" in said, said
    assert (running("fw1"), running("fw2")) == before[1:]
