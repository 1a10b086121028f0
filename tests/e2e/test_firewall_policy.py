"""What the policy of the firewall pair lets pass, on a real kernel: its nftables rules on router1, which stands between `wan` and `dmz`.

Runs on the control host of a lab (LAB) that is up and whole, and takes the rules away again. All connections are bounded in number and time.
"""

import json
import os
import pathlib
import subprocess
import time

import pytest
from ansible_collections.mail.ha.plugins.module_utils import firewall_nftables

ROOT = pathlib.Path(__file__).resolve().parents[2]
LAB = os.environ["LAB"]
INTERFACES = {"wan": "wan0", "dmz": "dmz0", "management": "eth0"}
NAT = "{name: mail leaves as the service, from: dmz, to: wan, protocol: tcp, ports: ['25'], address: %s}"
# A host that scans comes at most this often; the limit of the service has to be above what the scan itself opens.
LIMIT = 120

# python3 -c SCAN FROM SECONDS ADDRESS... -- PORT...: those that were opened, as JSON [[address, port]].
SCAN = """
import asyncio, json, sys
source, seconds, *rest = sys.argv[1:]
at = rest.index("--")
async def knock(address, port, few):
    async with few:
        try:
            reader, writer = await asyncio.wait_for(asyncio.open_connection(address, port, local_addr=(source, 0)), float(seconds))
            writer.close()
            return [address, port]
        except (OSError, asyncio.TimeoutError):
            return None
async def main():
    few = asyncio.Semaphore(600)
    found = await asyncio.gather(*(knock(address, int(port), few) for port in rest[at + 1:] for address in rest[:at]))
    print(json.dumps([entry for entry in found if entry]))
asyncio.run(main())
"""
# python3 -c SPOOF FROM TO COUNT: UDP packets with a source address that is not ours (RFC 791, RFC 768).
SPOOF = """
import socket, struct, sys
source, target, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
packet = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 36, 1, 0, 64, 17, 0, socket.inet_aton(source), socket.inet_aton(target)) + struct.pack("!HHHH", 9, 9, 16, 0) + b"spoofed!"
for _ in range(count):
    raw.sendto(packet, (target, 0))
"""


def node(name, *command, **options):
    """Run a command on a node; it has to end well."""
    done = subprocess.run(["podman", "exec", "-i", f"{LAB}-{name}", *command], capture_output=True, text=True, timeout=120, check=False, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout


def opened(source, targets, ports, seconds=1):
    """What could be reached from `outside`: {(address, port)}."""
    found = node("outside", "python3", "-c", SCAN, source, str(seconds), *targets, "--", *map(str, ports))
    return {(address, port) for address, port in json.loads(found)}


def shown(*arguments):
    """The policy of the lab as data."""
    command = ["ansible-playbook", "playbooks/show-firewall-policy.yml", "-e", "show_firewall_format=json", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
                          env={**os.environ, "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default", "ANSIBLE_CALLBACK_RESULT_FORMAT": "json"})
    assert done.returncode == 0, done.stdout
    return json.JSONDecoder().raw_decode(done.stdout, done.stdout.index('{\n    "msg"'))[0]["msg"]


@pytest.fixture(name="lab", scope="module")
def fixture_lab():
    """Addresses of the lab, with the rules on router1."""
    network = node("router1", "ip", "-4", "-o", "address", "show", "dev", "dmz0").split()[3].rpartition(".")[0]
    wan = node("outside", "ip", "-4", "-o", "address", "show", "dev", "wan0").split()[3].partition("/")[0]
    zones = {"zones": [{"name": "wan", "internet": True}, {"name": "dmz", "networks": [f"{network}.0/24"]},
                       {"name": "management", "networks": [network.rpartition(".")[0] + ".0.0/24"]}],
             "nat": [{"name": "mail leaves as the service", "from": "dmz", "to": "wan", "protocol": "tcp", "ports": ["25"], "address": f"{network}.101"}]}
    policy = shown("-e", json.dumps({"mail_firewall": zones}))
    local = [{"name": "ssh", "protocol": "tcp", "ports": [22], "sources4": [zones["zones"][2]["networks"][0]], "sources6": []}]
    node("router1", "nft", "-f", "-", input=firewall_nftables.render(policy, {"interfaces": INTERFACES, "local": local}))
    try:
        yield {"dmz": network, "outside": wan, "other": wan.rpartition(".")[0] + ".99", "policy": policy}
    finally:
        node("router1", "nft", "destroy table inet ha_mail_firewall")


@pytest.fixture(name="other", scope="module")
def fixture_other(lab):
    """A second client address at `outside`."""
    node("outside", "ip", "address", "add", f"{lab['other']}/32", "dev", "wan0")
    try:
        yield lab["other"]
    finally:
        node("outside", "ip", "address", "del", f"{lab['other']}/32", "dev", "wan0")


def counted(comment):
    """Packets that the rules with this comment have met."""
    rules = json.loads(node("router1", "nft", "--json", "list table inet ha_mail_firewall"))["nftables"]
    return sum(part["counter"]["packets"] for rule in rules if rule.get("rule", {}).get("comment") == comment
               for part in rule["rule"]["expr"] if isinstance(part.get("counter"), dict))


def test_a_port_scan_finds_exactly_what_the_catalogue_opens(lab):
    rule = next(rule for rule in lab["policy"]["rules"] if rule["name"] == "mail for clients" and rule["from"] == "wan")
    vips = [network.partition("/")[0] for family in rule["families"] for network in family["destinations"]]
    ports = {int(port) for port in rule["ports"]}
    nodes = [f"{lab['dmz']}.{last}" for last in (2, 11, 12, 21, 22, 23, 31)]
    some = sorted(ports | set(range(1, 1025)) | {2379, 2380, 2424, 5432, 8008, 9199, 10025, 10100, 12340, 24007, 49152})
    assert opened(lab["outside"], vips + nodes, some) == {(vip, port) for vip in vips for port in ports}


def test_nobody_sends_in_the_name_of_another_zone(lab):
    before = counted("spoofed")
    node("outside", "python3", "-c", SPOOF, f"{lab['dmz']}.21", f"{lab['dmz']}.101", "20")
    assert counted("spoofed") == before + 20


def test_a_source_that_comes_too_often_is_held_up_and_nobody_else(lab, other):
    vip = f"{lab['dmz']}.101"
    found = node("outside", "python3", "-c", SCAN, other, "2", vip, "--", *["993"] * (2 * LIMIT))
    # What is refilled while this runs passes too: one connection in half a second.
    assert LIMIT - 10 <= len(json.loads(found)) <= LIMIT + 30
    assert opened(lab["outside"], [vip], [993]) == {(vip, 993)}


def test_mail_leaves_under_the_address_of_the_service(lab):
    since = node("outside", "date", "+%s").strip()
    node("mail1", "bash", "-c", f"exec 3<>/dev/tcp/{lab['outside']}/25; read -t 20 line <&3; [[ $line == 220* ]]; echo QUIT >&3; read -t 5 line <&3")
    for _ in range(20):
        log = node("outside", "journalctl", "--quiet", "-t", "postfix/smtpd", f"--since=@{since}")
        if f"[{lab['dmz']}.101]" in log:
            break
        time.sleep(0.5)
    assert f"[{lab['dmz']}.101]" in log and f"[{lab['dmz']}.21]" not in log
    done = subprocess.run(["podman", "exec", f"{LAB}-lb1", "timeout", "3", "bash", "-c", f"exec 3<>/dev/tcp/{lab['outside']}/25"], check=False)
    assert done.returncode != 0, "a balancer sends no mail"
