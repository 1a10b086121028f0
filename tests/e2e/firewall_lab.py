"""The nodes of the layout `pair`, as the tests of the firewall pair see and handle them."""

import contextlib
import json
import os
import pathlib
import socket
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
LAB = os.environ["LAB"]
MEMBERS = ["fw1", "fw2"]

# python3 -c SERVE PORT: gives everything back that comes.
SERVE = """
import asyncio, sys
async def serve(reader, writer):
    while some := await reader.read(65536):
        writer.write(some)
        await writer.drain()
    writer.close()
async def main():
    async with await asyncio.start_server(serve, None, int(sys.argv[1])) as server:
        await server.serve_forever()
asyncio.run(main())
"""
# python3 -c PROBE ADDRESS PORT SECONDS: one session that says something fifty times a second, one that sends without a pause, and twenty new
# connections a second. Prints JSON: for sessions and connections when the longest gap began (epoch) and how long it was, and what failed.
PROBE = """
import asyncio, json, os, sys, time
address, port, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
end = time.time() + seconds
times = {"session": [], "transfer": [], "new": []}
errors = []
async def session():
    reader, writer = await asyncio.wait_for(asyncio.open_connection(address, port), 5)
    while time.time() < end:
        writer.write(b"x")
        await asyncio.wait_for(reader.readexactly(1), 20)
        times["session"].append(time.time())
        await asyncio.sleep(0.02)
    writer.close()
async def transfer():
    reader, writer = await asyncio.wait_for(asyncio.open_connection(address, port), 5)
    while time.time() < end:
        some = os.urandom(16384)
        writer.write(some)
        if await asyncio.wait_for(reader.readexactly(len(some)), 20) != some:
            raise OSError("other bytes came back")
        times["transfer"].append(time.time())
        await asyncio.sleep(0.02)
    writer.close()
async def knock():
    try:
        reader, writer = await asyncio.wait_for(asyncio.open_connection(address, port), 3)
        writer.write(b"x")
        await asyncio.wait_for(reader.readexactly(1), 3)
        times["new"].append(time.time())
        writer.close()
    except (OSError, asyncio.TimeoutError, asyncio.IncompleteReadError):
        pass
async def new():
    knocks = []
    while time.time() < end:
        knocks.append(asyncio.create_task(knock()))
        await asyncio.sleep(0.05)
    await asyncio.gather(*knocks)
async def main():
    for name, outcome in zip(("session", "transfer", "new"), await asyncio.gather(session(), transfer(), new(), return_exceptions=True)):
        if outcome is not None:
            errors.append("%s: %r" % (name, outcome))
asyncio.run(main())
gaps = {}
for name, found in times.items():
    found.sort()
    gaps[name] = max([(later - sooner, sooner) for sooner, later in zip(found, found[1:])], default=(seconds, 0))
print(json.dumps({"gaps": gaps, "errors": errors, "counts": {name: len(found) for name, found in times.items()}}))
"""


def node(name, *command, check=True, timeout=120, **options):
    """Run a command on a node."""
    done = subprocess.run(["podman", "exec", "-i", f"{LAB}-{name}", *command], capture_output=True, text=True, timeout=timeout, check=False, **options)
    assert not check or done.returncode == 0, f"{name}: {command}: {done.stderr}"
    return done.stdout


def podman(*arguments):
    """What happens to a whole machine."""
    subprocess.run(["podman", *arguments], check=True, capture_output=True, timeout=120)


def status(member):
    """Facts of a member, as its own program tells them; an empty dict if it says nothing."""
    lines = [line.partition(" ") for line in node(member, "/usr/local/sbin/ha-mail-firewall", "status", check=False).splitlines()]
    found = {name: rest for name, _space, rest in lines if name != "address"}
    found["addresses"] = [rest.split()[-1] for name, _space, rest in lines if name == "address"]
    return found


def providers(member):
    """What a member says of what lies behind its uplinks: {(name, version of IP): state}."""
    lines = node(member, "/usr/local/sbin/ha-mail-firewall", "status").splitlines()
    return {(line.split()[1], int(line.split()[2])): line.split()[3] for line in lines if line.startswith("uplink ")}


def roles():
    """(active, standby), once the pair is whole: one member has all addresses, the other none, and both know it."""
    deadline = time.monotonic() + 60
    while True:
        found = {member: status(member) for member in MEMBERS}
        active = [member for member in MEMBERS if found[member].get("state") == "MASTER" and set(found[member]["addresses"]) == {"here"}]
        standby = [member for member in MEMBERS if found[member].get("state") == "BACKUP" and set(found[member]["addresses"]) == {"elsewhere"}]
        if len(active) == len(standby) == 1 and all(one["peer"] in ("MASTER", "BACKUP") and one["conntrackd"] == "active" for one in found.values()):
            return active[0], standby[0]
        assert time.monotonic() < deadline, f"the pair is not whole: {found}"
        time.sleep(1)


def wait_for_ssh(member):
    """Whoever was restarted has another MAC address, and this machine asks for it only when the old one has not answered for a while."""
    address = node(member, "ip", "-4", "-o", "address", "show", "dev", "eth0").split()[3].partition("/")[0]
    deadline = time.monotonic() + 120
    while True:
        try:
            socket.create_connection((address, 22), 3).close()
            return
        except OSError:
            assert time.monotonic() < deadline, f"{member} does not answer at {address}:22"


def own(name, device, version):
    """Global addresses of a node on a device."""
    listing = json.loads(node(name, "ip", f"-{version}", "-json", "address", "show", "dev", device, "scope", "global"))
    return [entry["local"] for part in listing for entry in part.get("addr_info", []) if "local" in entry]


@contextlib.contextmanager
def borrowed(name, device, *addresses):
    """Further addresses on a device, for a while."""
    for address in addresses:
        # As keepalived does: who opens a connection and does not say from where takes another one (RFC 6724 section 5, rule 3).
        more = ["nodad", "preferred_lft", "0"] if ":" in address else []
        node(name, "ip", "address", "replace", f"{address}/{128 if ':' in address else 32}", "dev", device, *more)
    try:
        yield
    finally:
        for address in addresses:
            node(name, "ip", "address", "del", f"{address}/{128 if ':' in address else 32}", "dev", device)


def install(name, package):
    """A Debian package that the lab's image carries (lab/package_list.py) on a node, if it is not there."""
    node(name, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq", "-y", "--no-install-recommends", "install", package, timeout=300)


def show_policy():
    """The policy of the layout as data."""
    done = subprocess.run(["ansible-playbook", "playbooks/show-firewall-policy.yml", "-e", "show_firewall_format=json"], cwd=ROOT, capture_output=True,
                          text=True, timeout=120, check=False,
                          env={**os.environ, "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default", "ANSIBLE_CALLBACK_RESULT_FORMAT": "json"})
    assert done.returncode == 0, done.stdout
    return json.JSONDecoder().raw_decode(done.stdout, done.stdout.index('{\n    "msg"'))[0]["msg"]


def service_addresses(policy):
    """(VIPs, ports, limit) of the service for clients, IPv4 first."""
    rules = [rule for rule in policy["rules"] if rule["name"] == "mail for clients" and rule["from"] == "wan"]
    vips = [network.partition("/")[0] for rule in rules for family in rule["families"] for network in family["destinations"]]
    return vips, [int(port) for port in rules[0]["ports"]], rules[0]["limit"]


@contextlib.contextmanager
def mail_server():
    """A Postfix behind the pair that answers at all addresses of the service and stores mail for root@localhost; these addresses."""
    vips, _ports, _limit = service_addresses(show_policy())
    install("mail1", "postfix")
    node("mail1", "sh", "-ec", "postconf -e inet_interfaces=all inet_protocols=all mydestination=localhost alias_maps=; systemctl restart postfix")
    with borrowed("mail1", "dmz0", *vips):
        try:
            yield vips
        finally:
            node("mail1", "systemctl", "stop", "postfix")


def running(member):
    """What a member runs, and what it would start with."""
    return node(member, "/usr/local/sbin/ha-mail-firewall", "show", "running"), node(member, "/usr/local/sbin/ha-mail-firewall", "show", "saved")
