"""What the firewall pair lets pass and what it bears: scans, forged sources, floods, over IPv4 and IPv6, on real kernels.

Runs on the control host of the layout `pair` (LAYOUT=pair) after playbooks/firewalls.yml. All that is sent is bounded in number and time, and goes
to addresses of the lab only.
"""

import contextlib
import ipaddress
import json
import os
import pathlib
import socket
import struct
import subprocess
import time
import xml.etree.ElementTree

import pytest
from firewall_lab import LAB, MEMBERS, borrowed, install, node, own, roles, service_addresses, show_policy

# Listened on behind the pair and open to nobody outside: what a policy that lets too much pass would show.
HIDDEN = [22, 5432, 8008, 9199, 10025, 24007]

# python3 -c LISTEN PORT...: takes connections, says a line, and hangs up when the other side does.
LISTEN = """
import asyncio, sys
async def talk(reader, writer):
    try:
        writer.write(b"220 here\\r\\n")
        while await reader.read(1000):
            pass
    except OSError:
        pass
    finally:
        writer.close()
async def main():
    servers = [await asyncio.start_server(talk, None, int(port), backlog=1024) for port in sys.argv[1:]]
    await asyncio.gather(*(server.serve_forever() for server in servers))
asyncio.run(main())
"""
# python3 -c KNOCK FROM ADDRESS PORT TIMES PAUSE PATIENCE: so many connections one after the other; JSON [seconds or null].
KNOCK = """
import json, socket, sys, time
source, address, port, times, pause, patience = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5]), float(sys.argv[6])
found = []
for _ in range(times):
    begun = time.monotonic()
    try:
        with socket.create_connection((address, port), patience, (source, 0)) as sock:
            found.append(round(time.monotonic() - begun, 3) if sock.recv(100) else None)
    except OSError:
        found.append(None)
    time.sleep(pause)
print(json.dumps(found))
"""
# python3 -c FORGE FROM TO PROTOCOL TTL HEX: so many packets of somebody else within a second.
FORGE = """
import socket, struct, sys, time
source, destination, protocol, ttl, payload = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), bytes.fromhex(sys.argv[5])
header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 0, 0, 0, ttl, protocol, 0, socket.inet_aton(source), socket.inet_aton(destination))
with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as sock:
    for _ in range(20):
        sock.sendto(header + payload, (destination, 0))
        time.sleep(0.05)
"""

# python3 -c FLOOD FROM TO PORT TIMES RATE: so many SYN of somebody else in TIMES / RATE seconds, from another port each, as a flood that fills tables does.
FLOOD = """
import socket, struct, sys, time
source, destination, port, times, rate = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5])
family, level, transparent = (socket.AF_INET6, socket.IPPROTO_IPV6, 75) if ":" in source else (socket.AF_INET, socket.IPPROTO_IP, 19)
def total(data):
    return sum(struct.unpack("!%dH" % (len(data) // 2), data))
# Addresses, protocol and length count in the checksum (RFC 9293 section 3.1).
ends = total(socket.inet_pton(family, source) + socket.inet_pton(family, destination)) + socket.IPPROTO_TCP + 20
def syn(number, checksum=0):
    return struct.pack("!HHIIBBHHH", 1024 + number, port, number, 0, 0x50, 0x02, 1024, checksum, 0)
with socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_TCP) as sock:
    sock.setsockopt(level, transparent, 1)
    sock.bind((source, 0))
    begun = time.monotonic()
    for number in range(times):
        checksum = ends + total(syn(number))
        checksum = (checksum & 0xffff) + (checksum >> 16)
        sock.sendto(syn(number, ~(checksum + (checksum >> 16)) & 0xffff), (destination, 0))
        time.sleep(max(0, begun + number / rate - time.monotonic()))
"""

# What reaches the host behind the pair.
COUNT = """table inet flood {{
    chain in {{
        type filter hook input priority -10
        {} saddr {} tcp dport 25 counter
    }}
}}
"""


def knock(source, address, port, times=1, pause=0.0, patience=2.0):
    """Connections from `outside`: seconds of those that were answered."""
    said = node("outside", "python3", "-c", KNOCK, source, address, str(port), str(times), str(pause), str(patience))
    return [took for took in json.loads(said) if took is not None]


def advert(source, destination, vrid, address):
    """VRRPv3 of somebody who must be active (RFC 9568 section 5.2), in hexadecimal digits."""
    body = struct.pack("!BBBBHH4s", 0x31, vrid, 255, 1, 20, 0, socket.inet_aton(address))
    whole = socket.inet_aton(source) + socket.inet_aton(destination) + struct.pack("!HH", 112, len(body)) + body
    total = sum(struct.unpack(f"!{len(whole) // 2}H", whole))
    total = (total & 0xffff) + (total >> 16)
    return (body[:6] + struct.pack("!H", ~(total + (total >> 16)) & 0xffff) + body[8:]).hex()


def forge(name, *arguments):
    """Packets of somebody else, from a node."""
    node(name, "python3", "-c", FORGE, *map(str, arguments))


def stranger(outside):
    """A /64 beside that of an address, which the firewall does not remember from a run before."""
    return f"{outside.partition('::')[0].rpartition(':')[0]}:{0x1000 + int(time.time()) % 0x1000:x}::"


@contextlib.contextmanager
def routed(name, network, by):
    """A way to a network that a node has not by itself, for a while."""
    node(name, "ip", "route", "replace", network, "via", by)
    try:
        yield
    finally:
        node(name, "ip", "route", "del", network)


def counted(comment):
    """Packets that the rules with this comment have met at the active member."""
    rules = json.loads(node(roles()[0], "nft", "--json", "list table inet ha_mail_firewall"))["nftables"]
    return sum(part["counter"]["packets"] for rule in rules if rule.get("rule", {}).get("comment") == comment
               for part in rule["rule"]["expr"] if isinstance(part.get("counter"), dict))


@contextlib.contextmanager
def kernel_log():
    """What the kernel says meanwhile, a list that is filled in the end. Of network namespaces, as the lab's firewalls are, it says nothing unless told
    to (nf_log_all_netns).
    """
    switch, lines = pathlib.Path("/proc/sys/net/netfilter/nf_log_all_netns"), []
    before = switch.read_text(encoding="ascii")
    with open("/dev/kmsg", "rb", buffering=0) as log:
        os.set_blocking(log.fileno(), False)
        log.seek(0, os.SEEK_END)
        switch.write_text("1", encoding="ascii")
        try:
            yield lines
        finally:
            switch.write_text(before, encoding="ascii")
        while record := log.read(8192):
            lines.append(record.decode().partition(";")[2].splitlines()[0])


@pytest.fixture(name="service", scope="module")
def fixture_service():
    """The service behind the pair, played by mail1: {vips, ports, limit}, with everything open that a host could have open."""
    install("outside", "nmap")
    vips, ports, limit = service_addresses(show_policy())
    assert len(vips) == 4 and 25 in ports and 993 in ports
    subprocess.run(["podman", "exec", f"{LAB}-mail1", "systemctl", "stop", "hostile-service"], check=False, capture_output=True)
    with borrowed("mail1", "dmz0", *vips):
        # 22 is there already.
        node("mail1", "systemd-run", "--quiet", "--collect", "--unit=hostile-service", "--property=LimitNOFILE=65536",
             "python3", "-c", LISTEN, *map(str, ports + HIDDEN[1:]))
        deadline = time.monotonic() + 20
        while len(node("mail1", "ss", "-Hltn").splitlines()) < 2 * len(ports + HIDDEN):
            assert time.monotonic() < deadline
            time.sleep(0.2)
        yield {"vips": vips, "ports": ports, "limit": limit}
        node("mail1", "systemctl", "stop", "hostile-service")


def targets_of(version, service):
    """All addresses: the service's and its host's, and of the pair what it holds together and what each member has."""
    places = [("mail1", "dmz0")] + [(member, device) for member in MEMBERS for device in ("dmz0", "upa0", "upb0")]
    return sorted({address for place in places for address in own(*place, version)} | {vip for vip in service["vips"] if (":" in vip) == (version == 6)})


@pytest.mark.parametrize("version", [4, 6])
def test_a_scan_of_every_port_finds_exactly_what_the_catalogue_opens(version, service):
    vips, targets = [vip for vip in service["vips"] if (":" in vip) == (version == 6)], targets_of(version, service)
    said = node("outside", "nmap", *(["-6"] if version == 6 else []), "-n", "-Pn", "-sS", "-p", "1-65535", "-T5", "--min-rate", "40000", "--max-retries", "1",
                "--open", "-oX", "-", *targets, timeout=600)
    found = {(host.find("address").get("addr"), int(port.get("portid"))) for host in xml.etree.ElementTree.fromstring(said).iter("host")
             for port in host.iter("port") if port.find("state").get("state") == "open"}
    assert found == {(vip, port) for vip in vips for port in service["ports"]}


@pytest.mark.parametrize("version", [4, 6])
def test_nothing_is_open_over_udp(version, service):
    """Whatever passes is answered by the host behind, be it only that nobody listens; what the firewall drops is not."""
    targets, word = targets_of(version, service), "ip6" if version == 6 else "ip"
    node("mail1", "nft", "-f", "-", input=f"table inet seen {{ chain in {{ type filter hook input priority -10; meta nfproto ipv{version} iifname dmz0 "
                                          f"{word} saddr {own('outside', 'wan0', version)[0]} meta l4proto udp counter; }}; }}")
    try:
        said = node("outside", "nmap", *(["-6"] if version == 6 else []), "-n", "-Pn", "-sU", "-p", "1-65535", "-T5", "--min-rate", "40000",
                    "--max-retries", "0", "-oX", "-", *targets, timeout=600)
        arrived = int(node("mail1", "nft", "list", "table", "inet", "seen").split("packets ")[1].split()[0])
    finally:
        node("mail1", "nft", "delete", "table", "inet", "seen")
    # By state, the number of ports of each address: named ones, and those that nmap puts together.
    silent = {}
    for host in xml.etree.ElementTree.fromstring(said).iter("host"):
        address = host.find("address").get("addr")
        silent[address] = sum(int(ports.get("count")) for ports in host.iter("extraports") if ports.get("state") == "open|filtered")
        silent[address] += sum(port.find("state").get("state") == "open|filtered" for port in host.iter("port"))
    assert silent == dict.fromkeys(targets, 65535) and arrived == 0, (silent, arrived)


@pytest.mark.parametrize("version", [4, 6])
def test_nobody_sends_in_the_name_of_another_zone(version, service):
    vip = next(vip for vip in service["vips"] if (":" in vip) == (version == 6))
    forged = vip.rpartition(":" if version == 6 else ".")[0] + (":77" if version == 6 else ".77")
    before = counted("spoofed")
    with borrowed("outside", "wan0", forged):
        assert not knock(forged, vip, 993)
    assert counted("spoofed") > before


@pytest.mark.parametrize("version", [4, 6])
def test_what_is_dropped_is_logged_and_the_log_is_not_flooded(version, service):
    vip, outside = next(vip for vip in service["vips"] if (":" in vip) == (version == 6)), own("outside", "wan0", version)[0]
    dropped = counted("dropped by policy")
    with kernel_log() as lines:
        begun = time.monotonic()
        assert not knock(outside, vip, 22, 100, 0.1, 0.1)
        took = time.monotonic() - begun
    assert counted("dropped by policy") - dropped >= 100
    # The kernel writes out IPv6 addresses in full.
    source, destination = (f"{side}={ipaddress.ip_address(address).exploded} " for side, address in (("SRC", outside), ("DST", vip)))
    told = [line for line in lines if source in line and destination in line and "DPT=22 " in line]
    assert all(line.startswith("ha-mail firewall drop: IN=upa0 OUT=dmz0 ") for line in told), told
    # A burst of 20, unless somebody has just been there, and ten a minute.
    assert took / 6 - 2 < len(told) <= 20 + took / 6 + 1, (took, len(told))


def test_nobody_else_is_the_peer():
    before = active, standby = roles()
    ours, peers = ({device: own(member, device, 4) for device in ("upa0", "upb0", "sync0")} for member in before)
    shared = f"{ours['upa0'][0].rpartition('.')[0]}.2"
    mine, its = (next(address for address in found["upa0"] if address != shared) for found in (ours, peers))
    claim = advert(its, mine, 13, shared)
    said = b"peer FAULT wan_a wan_b dmz"
    since = node(active, "date", "+%s").strip()
    seen = {comment: counted(comment) for comment in (
        "vrrp of the pair, from elsewhere", "spoofed: vrrp of the pair", "spoofed: states and health of the pair")}
    # As it comes through a router, by the right interface; as from a neighbour, by the wrong one; and what is said between the two only.
    forge("isp-a", its, mine, 112, 254, claim)
    with routed("isp-b", f"{mine}/32", ours["upb0"][0]):
        forge("isp-b", its, mine, 112, 255, claim)
    with routed("isp-a", f"{ours['sync0'][0]}/32", mine):
        forge("isp-a", peers["sync0"][0], ours["sync0"][0], 17, 64, (struct.pack("!HHHH", 40000, 3781, 8 + len(said), 0) + said).hex())
    assert roles() == before
    assert not node(active, "journalctl", "--quiet", "-t", "ha-mail-firewall", f"--since=@{since}"), "the active member gave way"
    assert all(counted(comment) >= number + 20 for comment, number in seen.items()), seen


def test_a_source_that_comes_too_often_is_held_up_and_nobody_else(service):
    vip, outside = service["vips"][0], own("outside", "wan0", 4)[0]
    # One that the firewall does not remember from a run before.
    other, burst = f"{outside.rpartition('.')[0]}.{100 + int(time.time()) % 100}", service["limit"]["burst"]
    with borrowed("outside", "wan0", other):
        begun = time.monotonic()
        # Too short for a SYN that is sent again, which would find room.
        served = len(knock(other, vip, 993, burst + 40, patience=0.3))
        # What was refilled meanwhile passes too.
        assert burst <= served <= burst + (time.monotonic() - begun) * service["limit"]["per_minute"] / 60 + 1
        assert served < burst + 40
    assert len(knock(outside, vip, 993, 3)) == 3


def test_over_ipv6_all_addresses_of_one_network_are_one_source(service):
    vip = next(vip for vip in service["vips"] if ":" in vip)
    outside, burst = own("outside", "wan0", 6)[0], service["limit"]["burst"]
    network = stranger(outside)
    first, second = network + "1", network + "2"
    pair = vip.partition("::")[0] + "::2"
    with borrowed("outside", "wan0", first, second), routed("isp-a", network + "/64", outside), routed("mail1", network + "/64", pair):
        begun = time.monotonic()
        mine = len(knock(first, vip, 993, burst, patience=0.3))
        others = len(knock(second, vip, 993, 40, patience=0.3))
        refilled = (time.monotonic() - begun) * service["limit"]["per_minute"] / 60
    assert mine == burst and others < 40 and others <= refilled + 1, (mine, others, refilled)
    # Its neighbour network is somebody else.
    assert len(knock(outside, vip, 993, 3)) == 3


@pytest.mark.parametrize("version", [4, 6])
def test_a_flood_of_syn_on_one_port_is_held_up_and_leaves_the_others_usable(version, service):
    vip = next(vip for vip in service["vips"] if (":" in vip) == (version == 6))
    outside, sent, rate = own("outside", "wan0", version)[0], 10000, 2000
    # One that the firewall does not remember from a run before, and nobody's own, so that nobody ends by RST what it begins.
    other = stranger(outside) + "1" if version == 6 else f"{outside.rpartition('.')[0]}.{100 + int(time.time()) % 100}"
    node("mail1", "nft", "-f", "-", input=COUNT.format("ip6" if version == 6 else "ip", other))
    dropped = counted("mail for clients: too many")
    flood = ["podman", "exec", f"{LAB}-outside", "python3", "-c", FLOOD, other, vip, "25", str(sent), str(rate)]
    try:
        with subprocess.Popen(flood, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as running:
            took = knock(outside, vip, 993, 20, 0.15)
            said = running.communicate(timeout=120)[0]
        arrived = int(node("mail1", "nft", "list", "table", "inet", "flood").split("packets ")[1].split()[0])
    finally:
        node("mail1", "nft", "delete", "table", "inet", "flood")
    assert running.returncode == 0, said
    assert len(took) == 20 and max(took) < 1, took
    # The limit is a burst and what is refilled within a minute at most.
    held = counted("mail for clients: too many") - dropped
    assert held > 1000 and 0 < arrived <= service["limit"]["burst"] + service["limit"]["per_minute"], (arrived, held)


def says_hello(target, vip, instead):
    """mail1 speaks to the foreign mail exchanger, which sees it under the address `vip` and under none of its own (`instead`)."""
    since = node("outside", "date", "+%s").strip()
    node("mail1", "bash", "-c", f"exec 3<>/dev/tcp/{target}/25; read -t 20 line <&3; [[ $line == 220* ]]; echo QUIT >&3; read -t 5 line <&3")
    for _ in range(20):
        log = node("outside", "journalctl", "--quiet", "-t", "postfix/smtpd", f"--since=@{since}")
        if f"[{vip}]" in log:
            break
        time.sleep(0.5)
    assert f"[{vip}]" in log and not any(f"[{address}]" in log for address in instead), log


def test_mail_leaves_under_the_address_of_the_service_whichever_member_is_active(service):
    seen = set()
    for _member in MEMBERS:
        for version in (4, 6):
            vip = next(vip for vip in service["vips"] if (":" in vip) == (version == 6))
            says_hello(own("outside", "wan0", version)[0], vip, set(own("mail1", "dmz0", version)) - {vip})
        seen.add(roles()[0])
        node(roles()[0], "/usr/local/sbin/ha-mail-firewall", "yield")
    assert seen == set(MEMBERS)
    # The name server there listens on it, and no flow of the catalogue goes to it.
    outside = own("outside", "wan0", 4)[0]
    assert ":53 " in node("outside", "ss", "-Hltn")
    reached = node("mail1", "sh", "-c", f"timeout 3 bash -c 'exec 3<>/dev/tcp/{outside}/53' && echo reached", check=False)
    assert reached == "", "what is not allowed to leave has left"
