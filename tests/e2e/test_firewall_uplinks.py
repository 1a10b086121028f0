"""A Linux firewall pair with two providers, on real kernels: one is dead behind its link, and mail goes on by the other.

Runs on the control host of the layout `pair` (LAYOUT=pair) after playbooks/firewalls.yml. `outside` talks to the service through isp-a under its own
address, and through isp-b under a second one. What moves has PAIR_BUDGET seconds for it (5 unless given), what does not concern a session a fifth of
that: on a machine with other work to do gaps prove nothing. That a session breaks always fails the test.
"""

import contextlib
import json
import os
import subprocess
import time

import pytest
from firewall_lab import LAB, MEMBERS, SERVE, borrowed, mail_server, node, own, podman, providers, roles

BUDGET = float(os.environ.get("PAIR_BUDGET") or 5)
CALM = BUDGET / 5
VERSIONS = (4, 6)
ISPS = {"wan_a": "isp-a", "wan_b": "isp-b"}
# What dead_after, alive_after and the rhythm of the looks come to, and half as much again for a slow machine.
DIES, RETURNS = 5, 12

# python3 -c SESSION FROM ADDRESS PORT SECONDS: one session that says something fifty times a second. Prints JSON: its longest gap, and what broke it.
SESSION = """
import json, socket, sys, time
source, address, port, seconds = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
times, error = [], ""
try:
    with socket.create_connection((address, port), 5, (source, 0)) as sock:
        sock.settimeout(40)
        end = time.time() + seconds
        while time.time() < end:
            sock.sendall(b"x")
            if not sock.recv(1):
                raise OSError("closed by the other side")
            times.append(time.time())
            time.sleep(0.02)
except OSError as problem:
    error = repr(problem)
gap, began = max([(later - sooner, sooner) for sooner, later in zip(times, times[1:])], default=(seconds, 0))
print(json.dumps({"error": error, "gap": gap, "began": began, "count": len(times)}))
"""
# Something again and again, whether or not the one before has ended. Prints JSON: when (epoch) those began that were answered within a second.
OFTEN = """
import asyncio, json, sys, time
times = []
async def once(talk):
    begun = time.time()
    try:
        await asyncio.wait_for(talk(), 1)
        times.append(begun)
    except (OSError, AssertionError, asyncio.TimeoutError, asyncio.IncompleteReadError):
        pass
async def often(talk, seconds, pause):
    end, talks = time.time() + seconds, []
    while time.time() < end:
        talks.append(asyncio.create_task(once(talk)))
        await asyncio.sleep(pause)
    await asyncio.gather(*talks)
    print(json.dumps(sorted(times)))
"""
# python3 -c KNOCK ADDRESS PORT SECONDS: twenty new connections a second.
KNOCK = OFTEN + """
address, port, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
async def knock():
    reader, writer = await asyncio.open_connection(address, port)
    try:
        writer.write(b"x")
        await reader.readexactly(1)
    finally:
        writer.close()
asyncio.run(often(knock, seconds, 0.05))
"""
# python3 -c GREET FROM ADDRESS SECONDS: two SMTP sessions a second, which is what the limit of a source refills, up to the answer to EHLO.
GREET = OFTEN + """
source, address, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
async def greet():
    reader, writer = await asyncio.open_connection(address, 25, local_addr=(source, 0) if source else None)
    try:
        assert (await reader.readline()).startswith(b"220 ")
        writer.write(b"EHLO prober.example.org\\r\\n")
        while (line := await reader.readline())[:4] != b"250 ":
            assert line.startswith(b"250-")
        writer.write(b"QUIT\\r\\n")
        await reader.readline()
    finally:
        writer.close()
asyncio.run(often(greet, seconds, 0.5))
"""
# The provider's router is well and answers whoever pings it; what it should pass on goes nowhere.
DEAD = """table inet dead {
    chain pass { type filter hook forward priority -10; policy drop; }
}
"""
# Which answers of the service a provider carries, by the client.
CARRIED = """table inet carried {{
    chain pass {{
        type filter hook forward priority -20
        {}
    }}
}}
"""
CUT = """table netdev cut {
    chain in { type filter hook ingress device upa0 priority -500; policy drop; }
    chain out { type filter hook egress device upa0 priority -500; policy drop; }
}
"""


class World:
    """Addresses on both sides of the pair, by the version of IP, and where `outside` sends what is for the service."""

    def __init__(self):
        self.server = {version: own("mail1", "dmz0", version)[0] for version in VERSIONS}
        # The second one may be there still, where a run was killed.
        first = {version: next(address for address in own("outside", "wan0", version) if not address.endswith("42")) for version in VERSIONS}
        # Under which address `outside` speaks through which uplink.
        self.clients = {"wan_a": first, "wan_b": {4: first[4].rpartition(".")[0] + ".42", 6: first[6].rpartition(":")[0] + ":42"}}
        self.routers = {uplink: {version: own(isp, "wan0", version)[0] for version in VERSIONS} for uplink, isp in ISPS.items()}
        self.service = {4: self.server[4].rpartition(".")[0] + ".0/24", 6: self.server[6].partition("::")[0] + "::/64"}

    def turn(self, uplink):
        """Everybody else's routers know by now that the service is reached by this provider."""
        for version in VERSIONS:
            node("outside", "ip", f"-{version}", "route", "replace", self.service[version], "via", self.routers[uplink][version])


@pytest.fixture(name="world", scope="module")
def fixture_world():
    """The second address of `outside`, whose packets take isp-b; and servers on both sides that give everything back."""
    world = World()
    second = world.clients["wan_b"]
    for name in ("mail1", "outside"):
        # A run that was killed left it.
        node(name, "systemctl", "stop", "uplinks-server", check=False)
        node(name, "systemd-run", "--quiet", "--collect", "--unit=uplinks-server", "python3", "-c", SERVE, "7000" if name == "mail1" else "7001")
    with borrowed("outside", "wan0", *second.values()):
        for version in VERSIONS:
            node("outside", "ip", f"-{version}", "rule", "del", "from", second[version], "lookup", "42", check=False)
            node("outside", "ip", f"-{version}", "rule", "add", "from", second[version], "lookup", "42")
            node("outside", "ip", f"-{version}", "route", "replace", world.service[version], "via", world.routers["wan_b"][version], "table", "42")
        yield world
        for version in VERSIONS:
            node("outside", "ip", f"-{version}", "rule", "del", "from", second[version], "lookup", "42")
    for name in ("mail1", "outside"):
        node(name, "systemctl", "stop", "uplinks-server")


@pytest.fixture(name="whole", autouse=True)
def fixture_whole(world):
    """Each test begins and ends with a whole pair and two providers that work."""
    mend(world)
    yield roles()
    mend(world)


def mend(world):
    """Whatever was broken works again, and both members know it."""
    for name, table in (("isp-a", "inet dead"), ("isp-b", "inet dead"), ("isp-a", "inet carried"), ("isp-b", "inet carried"),
                        ("fw1", "netdev cut"), ("fw2", "netdev cut")):
        node(name, "nft", f"destroy table {table}")
    world.turn("wan_a")
    roles()
    for member in MEMBERS:
        wait_for(member, {"wan_a": "alive", "wan_b": "alive"}, RETURNS)


def wait_for(member, states, seconds):
    """Wait until a member says that of its uplinks, in both families."""
    expected = {(uplink, version): state for uplink, state in states.items() for version in VERSIONS}
    deadline = time.monotonic() + seconds
    while providers(member) != expected:
        assert time.monotonic() < deadline, f"{member}: {providers(member)} after {seconds} s, expected {expected}"
        time.sleep(0.2)


def kill_provider(uplink):
    node(ISPS[uplink], "nft", "-f", "-", input=DEAD)


def mend_provider(uplink):
    node(ISPS[uplink], "nft", "delete table inet dead")


class Started:
    """Programs on nodes whose JSON is read later."""

    def __init__(self, stack):
        self.stack, self.running = stack, {}

    def run(self, key, name, *arguments):
        """Start one; it is stopped with the test at the latest."""
        process = subprocess.Popen(["podman", "exec", f"{LAB}-{name}", "python3", "-c", *map(str, arguments)], stdout=subprocess.PIPE, text=True)
        self.stack.callback(process.kill)
        self.running[key] = process

    def said(self):
        """What all of them found."""
        return {key: json.loads(process.communicate(timeout=90)[0]) for key, process in self.running.items()}


@pytest.fixture(name="started")
def fixture_started():
    with contextlib.ExitStack() as stack:
        yield Started(stack)


def sessions_inwards(started, world, seconds):
    """A session through each uplink, over each version of IP: keys are (uplink, version)."""
    for uplink, clients in world.clients.items():
        for version in VERSIONS:
            started.run((uplink, version), "outside", SESSION, clients[version], world.server[version], 7000, seconds)


def knocks_outwards(started, world, seconds):
    """New connections from inside to outside, over each version of IP: keys are ("new", version)."""
    for version in VERSIONS:
        started.run(("new", version), "mail1", KNOCK, world.clients["wan_a"][version], 7001, seconds)


def sessions_outwards(started, world, key, seconds):
    """A session from inside to outside, over each version of IP: keys are (key, version)."""
    for version in VERSIONS:
        started.run((key, version), "mail1", SESSION, world.server[version], world.clients["wan_a"][version], 7001, seconds)


def marks(member, version, source, destination, port):
    """Marks of the connections that a member knows between two addresses."""
    listing = node(member, "conntrack", "-L", "-f", f"ipv{version}", "-p", "tcp", "--state", "ESTABLISHED", "--orig-src", source, "--orig-dst", destination,
                   "--dport", str(port))
    return {int(line.split("mark=")[1].split()[0]) for line in listing.splitlines() if "mark=" in line}


def unbroken(found):
    """No session broke, and each said something."""
    for key, session in found.items():
        if isinstance(session, dict):
            assert session["error"] == "" and session["count"] > 50, f"{key}: {session}"


def test_both_uplinks_serve_and_an_answer_leaves_by_the_uplink_of_its_question(world, whole, started):
    active, standby = whole
    rules = "\n".join(f"{word} daddr {clients[version]} tcp sport 7000 counter comment \"{uplink}\""
                      for uplink, clients in world.clients.items() for version, word in ((4, "ip"), (6, "ip6")))
    for isp in ISPS.values():
        node(isp, "nft", "-f", "-", input=CARRIED.format(rules))
    sessions_inwards(started, world, 10)
    time.sleep(2)
    for number, (uplink, clients) in enumerate(world.clients.items(), 1):
        for version in VERSIONS:
            for member in (active, standby):
                assert marks(member, version, clients[version], world.server[version], 7000) == {number}, f"{member}: {uplink} over IPv{version}"
    found = started.said()
    unbroken(found)
    for uplink, isp in ISPS.items():
        listing = json.loads(node(isp, "nft", "--json", "list table inet carried"))["nftables"]
        counted = [(entry["rule"]["comment"], part["counter"]["packets"]) for entry in listing if "rule" in entry
                   for part in entry["rule"]["expr"] if "counter" in part]
        assert len(counted) == 4 and all((packets > 50) == (comment == uplink) for comment, packets in counted), f"{isp}: {counted}"


def test_a_provider_that_is_dead_behind_its_link(world, whole, started):
    active, _standby = whole
    sessions_inwards(started, world, 34)
    knocks_outwards(started, world, 34)
    time.sleep(2)
    died = time.time()
    kill_provider("wan_a")
    time.sleep(1)
    world.turn("wan_b")
    for member in MEMBERS:
        wait_for(member, {"wan_a": "dead", "wan_b": "alive"}, DIES)
    time.sleep(5)
    # It belongs to wan_b, and stays there.
    sessions_outwards(started, world, "late", 20)
    time.sleep(2)
    returned = time.time()
    mend_provider("wan_a")
    time.sleep(1)
    world.turn("wan_a")
    wait_for(active, {"wan_a": "alive", "wan_b": "alive"}, RETURNS)
    assert time.time() - returned < 2 * BUDGET, "it took too long to be preferred again"
    sessions_outwards(started, world, "again", 4)
    time.sleep(1.5)
    for version in VERSIONS:
        outwards = world.server[version], world.clients["wan_a"][version], 7001
        assert marks(active, version, *outwards) == {1, 2}, "a new one takes wan_a, and the late one is still with wan_b"
        assert marks(active, version, world.clients["wan_b"][version], world.server[version], 7000) == {2}
    found = started.said()
    unbroken(found)
    for version in VERSIONS:
        good, bad, late, new = (found[key, version] for key in ("wan_b", "wan_a", "late", "new"))
        for session in (good, late):
            assert session["gap"] < CALM, (f"IPv{version}: a session of wan_b stood still for {session['gap']:.2f} s, {session['began'] - died:.2f} s after "
                                           f"wan_a had died and {session['began'] - returned:.2f} s after it was back")
        assert bad["gap"] < BUDGET, f"IPv{version}: a session of wan_a stood still for {bad['gap']:.2f} s"
        gap, began = max((later - sooner, sooner) for sooner, later in zip(new, new[1:]))
        print(f"IPv{version}: session of wan_a {bad['gap']:.2f} s, new outbound connections {gap:.2f} s, session of wan_b {good['gap']:.2f} s")
        assert gap < BUDGET, f"IPv{version}: no new outbound connection for {gap:.2f} s, {began - died:.2f} s after wan_a had died"
    assert roles() == whole, "the pair has nothing to do with it"


def test_mail_goes_in_and_out_by_the_provider_that_is_left(world, whole, started):
    """At the addresses of the service, from which all that leaves on port 25 has to come, by whichever provider."""
    with mail_server() as vips:
        service = {version: next(vip for vip in vips if (":" in vip) == (version == 6)) for version in VERSIONS}
        for version in VERSIONS:
            for uplink, clients in world.clients.items():
                started.run((uplink, version), "outside", GREET, clients[version], service[version], 20)
            started.run(("out", version), "mail1", GREET, "", world.clients["wan_a"][version], 20)
        time.sleep(3)
        died = time.time()
        kill_provider("wan_a")
        time.sleep(1)
        world.turn("wan_b")
        for member in MEMBERS:
            wait_for(member, {"wan_a": "dead", "wan_b": "alive"}, DIES)
        found = started.said()
    assert roles() == whole
    for (way, version), times in found.items():
        gap, began = max((later - sooner, sooner) for sooner, later in zip(times, times[1:]))
        print(f"IPv{version}, {way}: no SMTP session for {gap:.2f} s")
        assert times[0] < died - 2 and times[-1] > died + 2 * BUDGET, f"IPv{version}, {way}: from {times[0] - died:.2f} to {times[-1] - died:.2f} s"
        # Two a second: what comes in by wan_b has nothing to wait for.
        budget = CALM + 0.5 if way == "wan_b" else BUDGET
        assert gap < budget, f"IPv{version}, {way}: no SMTP session for {gap:.2f} s, {began - died:.2f} s after wan_a had died"
    log = node("outside", "journalctl", "--quiet", "-t", "postfix/smtpd", "--output=cat", f"--since=@{int(died) + 1}")
    peers = {line.rpartition("[")[2].rstrip("]") for line in log.splitlines() if line.startswith("connect from ")}
    # Names differ, and addresses of the lab's own health checks do not pass the firewalls.
    inner = {address for address in peers if any(address.startswith(service[version].rpartition("." if version == 4 else "::")[0]) for version in VERSIONS)}
    assert inner == {service[version] for version in VERSIONS}, peers


def switch_over(active):
    node(active, "/usr/local/sbin/ha-mail-firewall", "yield")


def kill(active):
    podman("kill", "--signal", "KILL", f"{LAB}-{active}")


@pytest.mark.parametrize("end", [switch_over, kill], ids=["planned", "killed"])
def test_a_failover_while_a_provider_is_dead(end, world, whole, started):
    active, standby = whole
    sessions_inwards(started, world, 16)
    sessions_outwards(started, world, "out", 16)
    time.sleep(2)
    kill_provider("wan_a")
    time.sleep(1)
    world.turn("wan_b")
    for member in MEMBERS:
        wait_for(member, {"wan_a": "dead", "wan_b": "alive"}, DIES)
    # Sessions of the dead uplink have to be under way again, or the gap would be that of two faults.
    time.sleep(3)
    failed = time.time()
    end(active)
    found = started.said()
    if end is kill:
        podman("start", f"{LAB}-{active}")
    unbroken(found)
    for key, session in found.items():
        assert session["gap"] < BUDGET, f"{key} stood still for {session['gap']:.2f} s, {session['began'] - failed:.2f} s after the failover"
        if key[0] == "wan_b":
            assert session["began"] >= failed - 1 or session["gap"] < CALM, f"{key} stood still for {session['gap']:.2f} s before the failover"
    assert roles() == (standby, active)


def test_both_providers_dead_and_back(world, whole, started):
    sessions_inwards(started, world, 34)
    knocks_outwards(started, world, 34)
    time.sleep(2)
    for uplink in ISPS:
        kill_provider(uplink)
    for member in MEMBERS:
        wait_for(member, {"wan_a": "dead", "wan_b": "dead"}, DIES)
        # Nobody knows better, so everything stays as it was.
        for version in VERSIONS:
            rules = node(member, "ip", f"-{version}", "rule")
            assert "fwmark 0x1/0xff" in rules and "fwmark 0x2/0xff" in rules
            assert node(member, "ip", f"-{version}", "route", "show", "default", "proto", "213").count("default via") == 2
    returned = time.time()
    for uplink in ISPS:
        mend_provider(uplink)
    for member in MEMBERS:
        wait_for(member, {"wan_a": "alive", "wan_b": "alive"}, RETURNS)
    found = started.said()
    unbroken(found)
    for version in VERSIONS:
        again = min(moment for moment in found["new", version] if moment > returned) - returned
        assert again < BUDGET, f"IPv{version}: no new outbound connection for {again:.2f} s after both were back"
        assert max(found["new", version]) > returned + 2 * BUDGET, "and they go on"
    assert roles() == whole


def test_the_link_of_one_uplink_cut_at_the_active_member_is_the_pairs_business(world, whole, started):
    active, standby = whole
    sessions_inwards(started, world, 9)
    time.sleep(2)
    node(active, "nft", "-f", "-", input=CUT)
    time.sleep(3)
    node(active, "nft", "destroy table netdev cut")
    found = started.said()
    unbroken(found)
    for key, session in found.items():
        assert session["gap"] < BUDGET, f"{key} stood still for {session['gap']:.2f} s"
    assert roles() == (standby, active)
