"""The Linux firewall pair, on real kernels: whatever happens to one member, connections through the pair live on, and no change locks anybody out.

Runs on the control host of the layout `pair` (LAYOUT=pair) after playbooks/firewalls.yml. RUNS=5 breaks everything five times; the longest
gaps are printed at the end and, as JSON, to PAIR_RESULTS. On a machine with other work to do the gaps prove nothing, so PAIR_BUDGET (seconds,
5 unless given) is what fails the test; that a session breaks always does.
"""

import json
import os
import pathlib
import subprocess
import time

import pytest
import yaml
from firewall_lab import LAB, MEMBERS, PROBE, ROOT, SERVE, mail_server, node, own, podman, roles, running, status, wait_for_ssh

RUNS = int(os.environ.get("RUNS") or 1)
BUDGET = float(os.environ.get("PAIR_BUDGET") or 5)

# A cut is one in both directions at the device itself; a rule of the family inet would let ARP pass.
CUT = """table netdev cut {{
    chain in {{ type filter hook ingress device {0} priority -500; policy drop; }}
    chain out {{ type filter hook egress device {0} priority -500; policy drop; }}
}}
"""

# The members hear each other, but not what conntrackd sends.
STATELESS = """table netdev cut {
    chain in { type filter hook ingress device sync0 priority -500; udp dport 3780 drop; }
}
"""
# python3 -c HOLD ADDRESS PORT: one session that says something twenty times a second, until its standard input ends.
HOLD = """
import socket, sys, threading, time
over = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), over.set()), daemon=True).start()
with socket.create_connection((sys.argv[1], int(sys.argv[2])), 5) as sock:
    sock.settimeout(20)
    while not over.is_set():
        sock.sendall(b"x")
        if not sock.recv(1):
            sys.exit("closed by the other side")
        time.sleep(0.05)
"""
# python3 -c AGAIN FROM ADDRESS PORT COUNT: that many connections, always from the same ports, which are closed by RST; prints how many were answered.
AGAIN = """
import socket, struct, sys, time
source, address, port, count = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
socks, answered = [], 0
for number in range(count):
    sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.settimeout(5)
    sock.bind((source, 20000 + number))
    sock.connect((address, port))
    sock.sendall(b"x")
    socks.append(sock)
end = time.monotonic() + 5
for sock in socks:
    sock.settimeout(max(0.01, end - time.monotonic()))
    try:
        answered += sock.recv(1) == b"x"
    except OSError:
        pass
    sock.close()
print(answered)
"""
# python3 -c SEND ADDRESS NAME PARTS: one message over SMTP, a hundred lines every tenth of a second; prints its answer and the seconds since the last line.
SEND = """
import smtplib, sys, time
address, name, parts = sys.argv[1], sys.argv[2], int(sys.argv[3])
with smtplib.SMTP(address, timeout=30) as smtp:
    smtp.ehlo()
    smtp.mail("prober@example.org")
    smtp.rcpt("root@localhost")
    code, said = smtp.docmd("DATA")
    assert code == 354, said
    smtp.send("Subject: %s\\r\\n\\r\\n" % name)
    for part in range(parts):
        smtp.send("".join("%s %06d %s\\r\\n" % (name, 100 * part + line, "x" * 60) for line in range(100)))
        time.sleep(0.1)
    ended = time.monotonic()
    smtp.send(".\\r\\n")
    print(smtp.getreply()[0], time.monotonic() - ended)
"""


def connections(member):
    """Source ports of the connections to the server that a member knows as established."""
    listing = node(member, "conntrack", "-L", "-p", "tcp", "--state", "ESTABLISHED", "--dport", "7000", check=False)
    return {line.split("sport=")[1].split()[0] for line in listing.splitlines() if "sport=" in line}


def live():
    """Source ports of the connections that the client really has."""
    listing = node("outside", "ss", "-Htn", "state", "established", "dport = :7000")
    return {line.split()[2].rpartition(":")[2] for line in listing.splitlines()}


def wait_for_sessions(number):
    """Until so many connections of the client last: what has only just begun when its firewall dies is known to nobody else yet."""
    deadline, sooner = time.monotonic() + 20, set()
    while len(sooner & (now := live())) < number:
        assert time.monotonic() < deadline, f"{len(sooner & now)} connections last, expected {number}"
        sooner = now
        time.sleep(0.5)
    time.sleep(0.5)


@pytest.fixture(name="server", scope="module")
def fixture_server():
    """Something that answers behind the pair; its addresses, by the version of IP."""
    # A run that was killed left it.
    node("mail1", "systemctl", "stop", "pair-server", check=False)
    node("mail1", "systemd-run", "--quiet", "--collect", "--unit=pair-server", "python3", "-c", SERVE, "7000")
    yield {version: own("mail1", "dmz0", version)[0] for version in (4, 6)}
    node("mail1", "systemctl", "stop", "pair-server")


@pytest.fixture(name="results", scope="module")
def fixture_results():
    """Longest gaps of all runs."""
    found = {}
    yield found
    lines = [f"{fault:38} " + "  ".join(f"{name} {gap:5.2f} s" for name, gap in gaps.items()) for fault, gaps in found.items()]
    print("\n" + "\n".join(lines))
    if os.environ.get("PAIR_RESULTS"):
        pathlib.Path(os.environ["PAIR_RESULTS"]).write_text(json.dumps(found, indent=1), encoding="utf-8")


def planned_switchover(active, _standby):
    node(active, "/usr/local/sbin/ha-mail-firewall", "yield")


def kill(active, _standby):
    podman("kill", "--signal", "KILL", f"{LAB}-{active}")


def power_off(active, _standby):
    node(active, "sh", "-c", "for device in dmz0 upa0 upb0 sync0 eth0; do ip link set $device down; done")
    podman("kill", "--signal", "KILL", f"{LAB}-{active}")


def start_again(active, _standby):
    podman("start", f"{LAB}-{active}")


def cut(side, victim):
    def act(active, standby):
        node(active if victim == "active" else standby, "nft", "-f", "-", input=CUT.format(side))
    return act


def heal(active, standby):
    for member in (active, standby):
        node(member, "nft", "destroy table netdev cut")


def kill_daemon(name):
    def act(active, _standby):
        node(active, "pkill", "--signal", "KILL", "-x", name)
    return act


# name: (what breaks it, what mends it, whether the standby takes over)
FAULTS = {
    "planned switchover": (planned_switchover, None, True),
    "active member killed": (kill, start_again, True),
    "active member, power off": (power_off, start_again, True),
    "active member cut off at dmz": (cut("dmz0", "active"), heal, True),
    "active member cut off at wan_a": (cut("upa0", "active"), heal, True),
    "standby cut off at dmz": (cut("dmz0", "standby"), heal, False),
    "standby cut off at wan_a": (cut("upa0", "standby"), heal, False),
    "link between the two cut": (cut("sync0", "active"), heal, False),
    "keepalived killed": (kill_daemon("keepalived"), None, True),
    "conntrackd killed": (kill_daemon("conntrackd"), None, False),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_sessions_live_on(fault, server, results):
    hurt, mend, moves = FAULTS[fault]
    for _run in range(RUNS):
        active, standby = roles()
        assert node(active, "sysctl", "-n", "net.netfilter.nf_conntrack_tcp_loose").strip() == "0"
        probes = {version: subprocess.Popen(["podman", "exec", f"{LAB}-outside", "python3", "-c", PROBE, address, "7000", "9"],
                                            stdout=subprocess.PIPE, text=True) for version, address in server.items()}
        try:
            wait_for_sessions(2 * len(probes))
            before = time.time()
            hurt(active, standby)
            time.sleep(3.5)
            if mend:
                mend(active, standby)
            said = {version: json.loads(probe.communicate(timeout=90)[0]) for version, probe in probes.items()}
        finally:
            for probe in probes.values():
                probe.kill()
        for version, found in said.items():
            assert found["errors"] == [] and min(found["counts"].values()) > 100, f"IPv{version}: {found}"
        after = roles()
        assert after == ((standby, active) if moves else (active, standby)), f"{fault}: {after} of {(active, standby)}"
        for version, found in said.items():
            for name, (gap, began) in found["gaps"].items():
                row = results.setdefault(f"{fault}, IPv{version}", {})
                row[name] = max(gap, row.get(name, 0))
                assert gap < BUDGET, f"{fault}: {name} over IPv{version} for {gap:.2f} s, {began - before:.2f} s after it"


def test_the_standby_knows_what_the_active_member_knows(server):
    active, standby = roles()
    # For longer than all that is looked at takes on a busy machine.
    command = ["podman", "exec", f"{LAB}-outside", "python3", "-c", PROBE, server[4], "7000", "15"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as probe:
        time.sleep(1.5)
        sooner = live()
        time.sleep(2)
        # Those that last; the others come and go between two looks.
        lasting = sooner & live()
        assert len(lasting) == 2 and lasting <= connections(active) and lasting <= connections(standby)
        probe.communicate(timeout=60)


def test_who_comes_back_learns_the_sessions_that_are_older(server):
    active, standby = roles()
    command = ["podman", "exec", "-i", f"{LAB}-outside", "python3", "-c", HOLD, server[4], "7000"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as held:
        try:
            wait_for_sessions(1)
            kill(active, standby)
            start_again(active, standby)
            assert roles() == (standby, active)
            # It has not seen the session begin, and its kernel takes none that it does not know.
            planned_switchover(standby, active)
            assert roles() == (active, standby)
            time.sleep(1)
            _said, errors = held.communicate(timeout=60)
        finally:
            held.kill()
    assert held.returncode == 0, errors


def restart_conntrackd(_active, standby):
    node(standby, "systemctl", "restart", "conntrackd")


@pytest.mark.parametrize("act, moves", [(planned_switchover, True), (restart_conntrackd, False)], ids=["of before a switchover", "read at its start"])
def test_what_a_standby_remembers_does_not_end_connections_of_the_active_member(act, moves, server):
    active, standby = roles()

    def connect():
        said = {version: node("outside", "python3", "-c", AGAIN, own("outside", "wan0", version)[0], address, "7000", "40")
                for version, address in server.items()}
        return {version: json.loads(numbers) for version, numbers in said.items()}
    # Both members keep a closed connection for 10 s (nf_conntrack_tcp_timeout_close), and for some seconds more until it is swept up.
    assert connect() == {4: 40, 6: 40}
    act(active, standby)
    time.sleep(14)
    assert connect() == {4: 40, 6: 40}, "some connections from ports that were used before stand still"
    assert roles() == ((standby, active) if moves else (active, standby))


@pytest.mark.parametrize("fault", ["planned switchover", "active member killed"])
def test_a_message_on_its_way_arrives_whole(fault):
    hurt, mend, _moves = FAULTS[fault]
    for _run in range(RUNS):
        active, standby = roles()
        name = f"on-its-way-{time.time_ns()}"
        with mail_server() as vips:
            with subprocess.Popen(["podman", "exec", f"{LAB}-outside", "python3", "-c", SEND, vips[0], name, "50"], stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, text=True) as sending:
                while sending.poll() is None and not node("mail1", "ss", "-Htn", "state", "established", "sport = :25"):
                    time.sleep(0.1)
                # What has only just begun when its firewall dies is known to nobody else yet.
                time.sleep(1)
                assert sending.poll() is None, sending.communicate()
                hurt(active, standby)
                said, errors = sending.communicate(timeout=60)
            if mend:
                mend(active, standby)
            code, took = said.split() if said else (None, None)
            assert code == "250" and float(took) < BUDGET, (said, errors)
            # Every line of it, and each once.
            deadline, lines = time.monotonic() + 20, []
            while len(lines) < 5000:
                assert time.monotonic() < deadline, f"{len(lines)} lines of 5000"
                lines = [line for line in node("mail1", "cat", "/var/mail/root", check=False).splitlines() if line.startswith(f"{name} ")]
                time.sleep(0.2)
        assert [line.split()[1] for line in lines] == [f"{number:06d}" for number in range(5000)]
        assert roles() == (standby, active)


def test_states_that_do_not_get_through_are_seen_by_both():
    active, standby = roles()

    def wait_for(*expected):
        deadline = time.monotonic() + 20
        while (found := [status(member).get("states") for member in (active, standby)]) != list(expected):
            assert time.monotonic() < deadline, found
            time.sleep(0.5)
    wait_for("heard heard", "heard heard")
    node(standby, "nft", "-f", "-", input=STATELESS)
    try:
        # What the active member sends does not arrive, and it says so itself.
        wait_for("heard silent", "silent heard")
    finally:
        node(standby, "nft", "destroy table netdev cut")
    wait_for("heard heard", "heard heard")


# ---- changes

def test_without_networks_of_administrators_nothing_is_touched():
    for member in MEMBERS:
        wait_for_ssh(member)
    before = [running(member) for member in MEMBERS]
    done = subprocess.run(["ansible-playbook", "playbooks/firewalls.yml", "-e", '{"mail_admin_networks": []}'], cwd=ROOT, capture_output=True, text=True,
                          timeout=300, check=False)
    assert done.returncode != 0 and "mail_admin_networks: the list is empty" in " ".join(done.stdout.split()), done.stdout + done.stderr
    assert [running(member) for member in MEMBERS] == before


def test_a_second_run_changes_nothing():
    for member in MEMBERS:
        wait_for_ssh(member)
    done = subprocess.run(["ansible-playbook", "playbooks/firewalls.yml"], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0 and done.stdout.count("changed=0") == 2, done.stdout + done.stderr


def play(tmp_path, change, state="present", deadline=30):
    """Bring the policy of the layout, with something changed, to the standby; return (exit code, what was said)."""
    _active, standby = roles()
    (tmp_path / "play.yml").write_text(yaml.safe_dump([{
        "hosts": standby, "connection": "mail.ha.netmiko", "strategy": "ansible.builtin.linear", "gather_facts": False,
        "vars": {"firewall_pair_deadline": deadline, **change},
        "tasks": [{"name": "Role", "ansible.builtin.include_role": {"name": "firewall_pair"}}] if state == "present" else [
            {"name": "Role, but armed only", "ansible.builtin.include_role": {"name": "firewall_pair"}, "vars": {"firewall_pair_state": state}}],
    }]), encoding="utf-8")
    # Beside the playbooks, whose group_vars hold the wiring.
    place = ROOT / "playbooks" / f".test-pair-{os.getpid()}.yml"
    place.write_text((tmp_path / "play.yml").read_text(encoding="utf-8"), encoding="utf-8")
    try:
        done = subprocess.run(["ansible-playbook", str(place)], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    finally:
        place.unlink()
    return done.returncode, done.stdout + done.stderr


def test_a_policy_that_does_not_let_us_in_is_refused_before_anything_is_touched(tmp_path):
    _active, standby = roles()
    before = running(standby)
    code, said = play(tmp_path, {"mail_admin_networks": ["203.0.113.0/24"]})
    assert code != 0 and "nothing was changed: the firewall sees this login come from" in said and "lets nobody from there log in" in said, said
    assert running(standby) == before and status(standby)["armed"] == "-"


# The right networks, at a device by which nobody comes: what only a new login can show.
LOCKED_OUT = """
{%- set rules = mail_admin_networks | mail.ha.firewall_local_rules(firewall_pair_sides, firewall_pair_sync) -%}
{{ rules[1:] + [rules[0] | combine({'device': 'sync0'})] }}
"""


def test_a_policy_that_locks_us_out_is_gone_by_itself_and_the_play_says_why(tmp_path):
    _active, standby = roles()
    before = running(standby)
    started = time.monotonic()
    code, said = play(tmp_path, {"firewall_pair_local": LOCKED_OUT.strip()})
    assert code != 0 and "nobody can log in any more with the new policy" in said and "The old policy is in force again" in said, said
    assert time.monotonic() - started > 28
    assert running(standby) == before and status(standby)["armed"] == "-"


def test_a_generation_of_which_one_part_does_not_start_is_taken_back_whole(tmp_path):
    _active, standby = roles()
    before = running(standby)
    code, said = play(tmp_path, {"firewall_pair_sync": {"device": "nowhere0", "address": "192.0.2.1", "peer": "192.0.2.2"}})
    assert code != 0 and "did not load; the saved one runs again" in said and "The old policy is in force again" in said, said
    roles()
    assert running(standby) == before and status(standby)["armed"] == "-"


def test_the_control_node_dies_between_apply_and_confirm(tmp_path):
    _active, standby = roles()
    before = running(standby)
    code, said = play(tmp_path, {"firewall_pair_silent_after": 450}, state="armed")
    assert code == 0, said
    assert int(status(standby)["armed"]) > 0 and running(standby)[0] != before[0] and running(standby)[1] == before[1]
    deadline = time.monotonic() + 60
    while status(standby)["armed"] != "-":
        assert time.monotonic() < deadline
        time.sleep(1)
    assert running(standby) == before


@pytest.mark.parametrize("moment", ["/home/fwadmin/.ha-mail-firewall/*/keepalived.conf", "/run/ha-mail-firewall/until"],
                         ids=["while files come", "while it is put in force"])
def test_the_connection_drops_in_mid_push(tmp_path, moment):
    _active, standby = roles()
    before = running(standby)
    node(standby, "systemd-run", "--quiet", "--collect", "--unit=pair-cutter", "sh", "-c",
         f"until ls {moment} >/dev/null 2>&1; do sleep 0.01; done; pkill -KILL -u fwadmin")
    try:
        code, said = play(tmp_path, {"firewall_pair_silent_after": 450})
        assert node(standby, "systemctl", "is-active", "pair-cutter", check=False).strip() == "inactive", "nothing was cut"
    finally:
        node(standby, "systemctl", "stop", "pair-cutter", check=False)
    assert code != 0 and "The old policy is in force again" in said, said
    assert running(standby) == before and status(standby)["armed"] == "-"


def test_a_run_waits_for_what_a_killed_one_left_armed(tmp_path):
    _active, standby = roles()
    before = running(standby)
    code, said = play(tmp_path, {"firewall_pair_silent_after": 450}, state="armed", deadline=45)
    assert code == 0 and running(standby)[0] != before[0], said
    done = subprocess.run(["ansible-playbook", "playbooks/firewalls.yml"], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0 and "FAILED - RETRYING" in done.stdout and done.stdout.count("changed=0") == 2, done.stdout + done.stderr
    assert running(standby) == before and status(standby)["armed"] == "-"


def test_a_reboot_before_the_confirmation_ends_with_the_saved_policy(tmp_path):
    _active, standby = roles()
    before = running(standby)
    code, said = play(tmp_path, {"firewall_pair_silent_after": 450}, state="armed", deadline=600)
    assert code == 0, said
    podman("restart", "--time", "0", f"{LAB}-{standby}")
    roles()
    wait_for_ssh(standby)
    assert running(standby) == before and status(standby)["armed"] == "-"


def test_what_was_changed_by_hand_is_seen_and_mended(tmp_path):
    _active, standby = roles()
    before = running(standby)
    node(standby, "nft", "insert", "rule", "inet", "ha_mail_firewall", "pass", "accept")
    assert "changed by hand" in running(standby)[0]
    code, said = play(tmp_path, {})
    assert code == 0 and "changed=1" in said, said
    assert running(standby) == before


@pytest.mark.parametrize("change, words", [
    ({"firewall_pair_local": []}, "found no rule for SSH"),
    ({"mail_firewall_version": "12"}, "found the version 13, expected 12"),
    ({"mail_firewall_platform": "vyos"}, "found several interfaces for the zone wan, expected one with the platform vyos"),
    ({"mail_firewall_platform": "vyos", "firewall_pair_interfaces": {"wan": "upa0", "dmz": "dmz0"}}, "of the declared platform"),
])
def test_what_cannot_be_right_is_refused_before_anything_is_sent(tmp_path, change, words):
    _active, standby = roles()
    before = running(standby)
    code, said = play(tmp_path, change)
    assert code != 0 and words in said, said
    assert running(standby) == before
