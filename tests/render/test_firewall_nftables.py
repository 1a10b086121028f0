"""The policy of the firewall pair as rules of nftables, given to the real nft on a node of the lab."""

from __future__ import annotations

import pytest
from ansible_collections.mail.ha.plugins.module_utils import firewall_nftables, firewall_policy
from test_host_firewall import ONLY_V6, PUBLIC, SSH, VRRP, check

ZONES = [{"name": "wan", "internet": True}, {"name": "dmz", "networks": ["192.0.2.0/24", "2001:db8:1::/64"]},
         {"name": "office of ours", "networks": ["198.51.100.0/24"]}, {"name": "new", "networks": ["2001:db8:2::/64"]}]
CATALOGUE = [{"name": "mail for clients", "from": ["any"], "to": ["lb"], "at": "service_vips", "ports": [25, "49152-49251"],
              "limit": {"per_minute": 60, "burst": 30}}]
EVERY_KIND = [
    {"name": "all of a zone", "from": ["office of ours"], "to": ["dmz"], "protocol": "any", "log": True},
    {"name": "ping", "from": ["any"], "to": ["dmz"], "protocol": "icmp"},
    {"name": "dns", "from": ["192.0.2.0/28", "2001:db8:1::1"], "to": ["wan"], "protocol": "udp", "ports": ["53"]},
    {"name": "shut out", "from": ["203.0.113.0/24"], "to": ["dmz"], "protocol": "tcp", "action": "deny"},
]
NAT = [{"name": "as the service", "from": "dmz", "to": "wan", "protocol": "tcp", "ports": ["25"], "address": "192.0.2.101", "address6": "2001:db8:1::101"},
       {"name": "one family", "from": "dmz", "to": "wan", "protocol": "tcp", "ports": ["80"], "sources": ["192.0.2.9"], "address": "192.0.2.101",
        "address6": "2001:db8:1::101"},
       {"name": "to the office", "from": "dmz", "to": "office of ours", "sources": ["192.0.2.9"], "address": "198.51.100.1"}]


def render(rules=(), nat=(), local=(), **interfaces):
    """The rules of a pair with an interface for each zone; :param interfaces: other ones"""
    site = {"zones": ZONES, "rules": list(rules), "nat": list(nat), "admin_networks": [], "vips": [{"address": "192.0.2.101"}, {"address": "2001:db8:1::101"}]}
    policy = firewall_policy.build(CATALOGUE, site, {"lb": []}, {})
    assert policy["problems"] == []
    interfaces = {**{zone["name"]: f"eth{number}" for number, zone in enumerate(ZONES)}, **interfaces}
    rules = [{"sources4": [], "sources6": [], **rule} for rule in local]
    return firewall_nftables.render(policy, {"interfaces": interfaces, "local": rules})


@pytest.mark.parametrize("rules, nat, local", [([], [], []), (EVERY_KIND, NAT, [SSH, VRRP, PUBLIC, ONLY_V6])], ids=["the service alone", "all kinds"])
def test_nft_takes_the_rules(rules, nat, local):
    assert check(render(rules, nat, local)) == (0, "")


def test_nft_takes_the_rules_of_several_uplinks():
    text = render(EVERY_KIND, NAT, [SSH], wan=["up0", "up1"])
    assert 'iifname { "up0", "up1" }' in text and check(text) == (0, "")


def test_a_translation_of_named_sources_is_for_no_others():
    line, = [line for line in render(nat=NAT).splitlines() if '"one family"' in line]
    assert "ip saddr { 192.0.2.9/32 }" in line


def test_a_zone_of_one_family_sends_nothing_of_the_other():
    assert 'iifname "eth3" meta nfproto ipv4 counter drop comment "spoofed"' in render()


def test_nft_refuses_what_is_none():
    code, said = check(render().replace("tcp dport", "tcp deport", 1))
    assert code != 0 and "deport" in said
