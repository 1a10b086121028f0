"""The rendered keepalived configuration, given to the real keepalived."""

from __future__ import annotations

import re

import pytest
from rendering import on_node, render

PEERS = [{"name": f"lb{n}", "address": f"192.0.2.1{n}"} for n in (1, 2, 3)]
VIP1 = {"name": "vip1", "address": "192.0.2.101", "address6": "2001:db8::101", "vrid": 51, "holders": ["lb1", "lb2"]}
VIP2 = {"name": "vip2", "address": "192.0.2.102", "vrid": 52, "holders": ["lb2", "lb3", "lb1"]}
OTHERS = {"name": "vip3", "address": "192.0.2.103", "vrid": 53, "holders": ["lb2", "lb3"]}
SITE = {"keepalived_address": "192.0.2.11", "keepalived_interface": "eth0",
        "keepalived_peers": PEERS, "keepalived_instances": [VIP1, VIP2, OTHERS], "keepalived_checks": ["haproxy"],
        # A program that every node has, in the place of the mail store's own.
        "keepalived_mail_store_probe": "/usr/bin/true", "keepalived_mail_store_user": "nobody"}
ONLY_V6 = {"keepalived_address": "2001:db8::11",
           "keepalived_peers": [{"name": "lb1", "address": "2001:db8::11"}, {"name": "lb2", "address": "2001:db8::12"}],
           "keepalived_instances": [VIP1]}
DUAL_STACK = {"keepalived_address6": "2001:db8::11", "keepalived_peers": [peer | {"address6": f"2001:db8::1{n}"} for n, peer in enumerate(PEERS, 1)],
              "keepalived_instances": [VIP2, {"name": "vip2-v6", "address": "2001:db8::102", "vrid": 54, "holders": ["lb2", "lb1"]}]}
CHECKER = "keepalived --config-test --use-file $1"


def rendered(**changes):
    return render("keepalived", "keepalived.conf.j2", SITE | changes)


@pytest.mark.parametrize("changes", [
    {},
    {"keepalived_checks": ["dovecot", "mail_store"]},
    {"keepalived_checks": []},
    {"keepalived_peers": PEERS[:1], "keepalived_instances": [VIP1 | {"holders": ["lb1"]}]},
    ONLY_V6,
    DUAL_STACK,
], ids=["balancer", "mailserver", "no checks", "alone", "IPv6", "dual stack"])
def test_keepalived_accepts(changes):
    code, output = on_node(rendered(**changes), CHECKER)
    assert code == 0, output


def test_keepalived_refuses_a_check_that_is_not_there():
    text = rendered(keepalived_checks=["mail_store"], keepalived_mail_store_probe="/nowhere/probe")
    code, output = on_node(text, CHECKER)
    assert code != 0
    assert "mail_store since not found" in output


def test_priorities_follow_the_order_of_the_holders():
    text = rendered()
    found = re.findall(r"vrrp_instance (\S+) \{.*?priority (\d+)", text, re.S)
    assert found == [("vip1", "254"), ("vip2", "154")]  # first of two, last of three, and no part in vip3


def test_peers_are_the_other_holders_only():
    text = rendered()
    found = re.findall(r"unicast_peer \{\s+(.*?)\s+\}", text, re.S)
    assert [peers.split() for peers in found] == [["192.0.2.12"], ["192.0.2.12", "192.0.2.13"]]


def test_the_family_of_the_adverts_decides_what_is_advertised():
    four, six = rendered(), rendered(**ONLY_V6)
    assert re.search(r"virtual_ipaddress \{\s+192.0.2.101/32\s+\}\s+virtual_ipaddress_excluded \{\s+2001:db8::101/128\s+\}", four)
    assert re.search(r"virtual_ipaddress \{\s+2001:db8::101/128\s+\}\s+virtual_ipaddress_excluded \{\s+192.0.2.101/32\s+\}", six)


def test_each_instance_speaks_the_family_of_its_address():
    """keepalived refuses an IPv6 address alone beside IPv4 adverts: "No VIP specified; at least one is required"."""
    four, six = rendered(**DUAL_STACK).split("vrrp_instance ")[1:]
    assert re.search(r"unicast_src_ip 192.0.2.11\s+unicast_peer \{\s+192.0.2.12\s+192.0.2.13\s+\}\s+virtual_ipaddress \{\s+192.0.2.102/32\s", four)
    assert re.search(r"unicast_src_ip 2001:db8::11\s+unicast_peer \{\s+2001:db8::12\s+\}\s+virtual_ipaddress \{\s+2001:db8::102/128\s", six)
