"""Verdicts about members and pairs (module_utils/firewall_pair.py), and what wiring derives for Linux members."""

import copy

import pytest

from ansible_collections.mail.ha.plugins.module_utils import firewall_pair, firewall_platforms
from conftest import policy

FACTS = {"platform": "linux", "version": "13", "hostname": "fw1", "model": "", "role": "active", "peer": "standby", "in_sync": True, "sync": "well",
         "sessions": 3, "uplinks": [{"name": "wan", "up": True}], "providers": [], "armed": None}
ZONES = [
    {"name": "the net", "internet": True, "interface": "wan0", "vrid": 11, "virtual": ["198.51.100.2/24"], "neighbours": ["198.51.100.41"]},
    {"name": "dmz", "interface": "dmz0", "vrid": 12, "virtual": ["192.0.2.2/24", "2001:db8::2/64"]},
    {"name": "management", "interface": "eth0"},
]
SYNC = {"device": "sync0", "address": "203.0.113.3", "peer": "203.0.113.4"}
UPLINKS = [
    {"name": "wan_a", "interface": "upa0", "vrid": 13, "virtual": ["198.51.100.2/24", "2001:db8:a::2/64"], "gateways": ["2001:db8:a::1", "198.51.100.1"],
     "probes": ["203.0.113.1", "2001:db8:99::1", "203.0.113.2", "2001:db8:99::2"]},
    {"name": "wan_b", "interface": "upb0", "vrid": 14, "virtual": ["198.18.0.2/24"], "gateways": ["198.18.0.1"], "probes": ["203.0.113.1"]},
]


def pair(**changes):
    """A whole pair; :param changes: what is different at fw1, by dotted name"""
    lines = ["a line", "another"]
    made = {name: {"facts": dict(copy.deepcopy(FACTS), hostname=name), "running": list(lines), "saved": list(lines), "common": list(lines)}
            for name in ("fw1", "fw2")}
    made["fw2"]["facts"].update(role="standby", peer="active")
    for name, value in changes.items():
        (made["fw1"]["facts"] if name in FACTS else made["fw1"])[name] = value
    return made


def test_a_whole_pair_has_no_problems():
    assert firewall_pair.pair_problems(pair()) == []


@pytest.mark.parametrize("changes, words", [
    ({"role": "standby", "peer": "active"}, "the pair: found neither active"),
    ({"peer": "absent"}, "fw1: found it active and its peer absent"),
    ({"in_sync": False, "sync": "conntrackd is failed"}, "out of sync (conntrackd is failed)"),
    ({"armed": 40}, "taken back in 40 s"),
    ({"saved": ["a line"]}, "a reboot would change the policy"),
    ({"uplinks": [{"name": "wan", "up": False}]}, "fw1: the uplink wan is down"),
    ({"common": ["a line"]}, "the members have different policies in force"),
])
def test_every_flaw_is_named(changes, words):
    told = firewall_pair.pair_problems(pair(**changes))
    assert any(words in sentence for sentence in told), told


def test_two_active_members_and_a_silent_one():
    both = pair()
    both["fw2"]["facts"].update(role="active", peer="active")
    assert "the pair: found fw1 and fw2 active, expected exactly one." in firewall_pair.pair_problems(both)
    assert firewall_pair.pair_problems({"fw1": both["fw1"], "fw2": {"msg": "no SSH session"}}) == ["the pair: found answers of fw1, expected those of two members."]


@pytest.mark.parametrize("declared, words", [
    ({"platform": "vyos"}, "found the platform linux, expected vyos"), ({"platform": "linux", "version": "12"}, "found the version 13, expected 12"),
    ({"platform": "linux", "role": "standby"}, "found it active, expected standby"), ({"platform": "linux", "version": "13", "role": "active"}, ""),
    ({"platform": "linux", "version": "1"}, "found the version 13, expected 1..."),
])
def test_a_member_is_what_was_declared(declared, words):
    told = firewall_pair.member_problems(FACTS, declared)
    assert (words in told[0]) if words else told == []


@pytest.mark.parametrize("version, declared, right", [
    ("9.18(4)22", "9.18", True), ("9.18(4)22", "9.18(4)", True), ("9.18(4)22", "9", True), ("9.18(4)22", "9.1", False), ("7.2.10", "7.2.1", False),
    ("7.2.10", "7.", True), ("21.4R3-S5.4", "21.4R3", True), ("21.4R3-S5.4", "21.4R3-S", True), ("1.5-rolling", "1.5", True), ("", "13", False),
])
def test_a_version_is_compared_by_whole_numbers(version, declared, right):
    told = firewall_pair.member_problems({**FACTS, "version": version}, {"platform": "linux", "version": declared})
    assert told == ([] if right else [f"found the version {version}, expected {declared}...; correct mail_firewall_version, after a test of that version."])


@pytest.mark.parametrize("zone, own, words", [
    ({"vrid": None}, {}, "zone 'dmz': found virtual addresses and no vrid"),
    ({"interface": ""}, {}, "zone 'dmz': found virtual addresses and no interface"),
    ({}, {"dmz": None}, "no mail_firewall_addresses.dmz of both"),
])
def test_what_a_pair_needs_is_named_when_it_is_missing(zone, own, words):
    addresses = {"the net": "198.51.100.3", "dmz": "192.0.2.3"}
    mine = {name: address for name, address in {**addresses, **own}.items() if address}
    with pytest.raises(ValueError, match=words):
        firewall_pair.sides([ZONES[0], {**ZONES[1], **zone}, ZONES[2]], mine, addresses)


def test_sides_are_the_zones_in_which_the_pair_holds_addresses():
    own, peer = ({"the net": "198.51.100.%d" % last, "dmz": "192.0.2.%d" % last, "sync": "203.0.113.%d" % last} for last in (3, 4))
    found = firewall_pair.sides(ZONES, own, peer)
    assert [side["name"] for side in found] == ["the_net", "dmz"]
    assert found[0] == {"name": "the_net", "device": "wan0", "address": "198.51.100.3", "peer": "198.51.100.4", "vrid": 11,
                        "virtual": ["198.51.100.2/24"], "neighbours": ["198.51.100.41"]}
    rules = firewall_pair.local_rules(["198.51.100.0/24", "2001:db8:9::/64"], found, SYNC)
    assert [(rule["protocol"], rule["ports"], rule["sources4"], rule["sources6"], rule["device"]) for rule in rules] == [
        ("tcp", [22], ["198.51.100.0/24"], ["2001:db8:9::/64"], ""), ("vrrp", [], ["198.51.100.4"], [], "wan0"), ("vrrp", [], ["192.0.2.4"], [], "dmz0"),
        ("udp", [3780, 3781], ["203.0.113.4"], [], "sync0")]


def test_without_networks_of_administrators_there_are_no_rules():
    with pytest.raises(ValueError, match="mail_admin_networks: the list is empty, expected the networks from which ssh is allowed"):
        firewall_pair.local_rules([], [], SYNC)


def test_uplinks_are_sides_with_their_gateways_as_neighbours():
    zones = [{"name": "wan", "internet": True, "uplinks": UPLINKS}, *ZONES[1:]]
    own, peer = ({"wan_a": "198.51.100.%d" % last, "wan_b": "198.18.0.%d" % last, "dmz": "192.0.2.%d" % last} for last in (3, 4))
    found = firewall_pair.sides(zones, own, peer)
    assert [(side["name"], side["device"], side["address"], side["peer"], side["vrid"], side["neighbours"]) for side in found] == [
        ("wan_a", "upa0", "198.51.100.3", "198.51.100.4", 13, ["2001:db8:a::1", "198.51.100.1"]),
        ("wan_b", "upb0", "198.18.0.3", "198.18.0.4", 14, ["198.18.0.1"]), ("dmz", "dmz0", "192.0.2.3", "192.0.2.4", 12, [])]
    assert found[0]["virtual"] == UPLINKS[0]["virtual"]
    with pytest.raises(ValueError, match="uplink 'wan_b': found virtual addresses and no mail_firewall_addresses.wan_b of both, expected these too."):
        firewall_pair.sides(zones, {**own, "wan": "198.18.0.3"}, {name: address for name, address in peer.items() if name != "wan_b"})
    with pytest.raises(ValueError, match="uplink 'wan_a': found it and no vrid, virtual, expected these too."):
        firewall_pair.sides([{"name": "wan", "uplinks": [{"name": "wan_a", "interface": "upa0"}]}], own, peer)


def test_ways_to_the_internet():
    assert firewall_pair.uplinks(ZONES) == []
    assert firewall_pair.uplinks([*ZONES[1:], {"name": "wan", "internet": True, "uplinks": UPLINKS}]) == [
        {"name": "wan_a", "device": "upa0", "mark": 1, "table": 101, "gateway4": "198.51.100.1", "gateway6": "2001:db8:a::1",
         "probes4": ["203.0.113.1", "203.0.113.2"], "probes6": ["2001:db8:99::1", "2001:db8:99::2"]},
        {"name": "wan_b", "device": "upb0", "mark": 2, "table": 102, "gateway4": "198.18.0.1", "gateway6": "", "probes4": ["203.0.113.1"], "probes6": []}]


def test_a_dead_provider_is_told_but_the_pair_is_whole():
    members = pair(providers=[{"name": "wan_a", "version": 6, "alive": False}, {"name": "wan_b", "version": 6, "alive": True}])
    assert firewall_pair.pair_problems(members) == []
    assert firewall_pair.provider_problems(dict(members, fw3={"msg": "no SSH session"})) == [
        "the uplink wan_a: nothing behind it answers fw1 over IPv6, expected its provider to carry traffic; ask the provider, or correct the probes."]
    assert firewall_pair.provider_problems(pair()) == []


@pytest.mark.parametrize("platform", sorted(set(firewall_platforms.DIALECTS) - {"linux"}))
def test_other_platforms_know_a_zone_with_uplinks_by_its_name(platform):
    interfaces = {"dmz": "dmz0", "management": "eth0"}
    assert firewall_platforms.lines(policy(), platform, {**interfaces, "wan": ["upa0", "upb0"]}) == firewall_platforms.lines(
        policy(), platform, {**interfaces, "wan": "wan"})
