"""Verdicts about members and pairs (module_utils/firewall_pair.py), and what wiring derives for Linux members."""

import copy

import pytest

from ansible_collections.mail.ha.plugins.module_utils import firewall_pair

FACTS = {"platform": "linux", "version": "13", "hostname": "fw1", "model": "", "role": "active", "peer": "standby", "in_sync": True, "sync": "well",
         "sessions": 3, "uplinks": [{"name": "wan", "up": True}], "armed": None}
ZONES = [
    {"name": "the net", "internet": True, "interface": "wan0", "vrid": 11, "virtual": ["198.51.100.2/24"], "neighbours": ["198.51.100.41"]},
    {"name": "dmz", "interface": "dmz0", "vrid": 12, "virtual": ["192.0.2.2/24", "2001:db8::2/64"]},
    {"name": "management", "interface": "eth0"},
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
    ({"platform": "linux", "role": "standby"}, "found it active, expected standby"), ({"platform": "linux", "version": "1", "role": "active"}, ""),
])
def test_a_member_is_what_was_declared(declared, words):
    told = firewall_pair.member_problems(FACTS, declared)
    assert (words in told[0]) if words else told == []


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
    rules = firewall_pair.local_rules(["198.51.100.0/24", "2001:db8:9::/64"], found, "203.0.113.4")
    assert [(rule["protocol"], rule["ports"], rule["sources4"], rule["sources6"]) for rule in rules] == [
        ("tcp", [22], ["198.51.100.0/24"], ["2001:db8:9::/64"]), ("vrrp", [], ["198.51.100.4", "192.0.2.4"], []), ("udp", [3780, 3781], ["203.0.113.4"], [])]
