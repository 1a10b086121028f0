"""Members, holders and firewall rules."""

from __future__ import annotations

import collections

import pytest
from ansible_collections.mail.ha.plugins.module_utils import topology

HOSTVARS = {
    "lb1": {"mail_address": "192.0.2.11", "mail_address6": "2001:db8::11"},
    "mail1": {"mail_address": "192.0.2.21"},
    "mail2": {"mail_address": "192.0.2.22"},
    "router1": {},
}
GROUPS = {"loadbalancers": ["lb1"], "mailservers": ["mail1", "mail2"], "databases": []}


def seats(count):
    return [{"name": f"seat{number:02}", "address": f"192.0.2.{200 + number}", "vrid": 100 + number} for number in range(count)]


def test_members_have_addresses_and_names_and_others_are_left_out():
    assert topology.members(["lb1", "router1"], HOSTVARS, "nodes.test") == [
        {"name": "lb1", "address": "192.0.2.11", "fqdn": "lb1.nodes.test"}]


def test_the_ipv6_address_is_told_to_those_who_ask_for_it():
    """The argument specs of most roles do not know it, and no hosts file may hold it."""
    assert topology.members(["lb1", "mail1"], HOSTVARS, "nodes.test", dual_stack=True) == [
        {"name": "lb1", "address": "192.0.2.11", "fqdn": "lb1.nodes.test", "address6": "2001:db8::11"},
        {"name": "mail1", "address": HOSTVARS["mail1"]["mail_address"], "fqdn": "mail1.nodes.test"}]


def test_each_host_is_asked_for_its_variables_once():
    """Ansible puts all of them together each time; over the flows of the catalogue that was most of a policy's time."""
    class Counting(dict):
        asked = collections.Counter()

        def __getitem__(self, name):
            self.asked[name] += 1
            return super().__getitem__(name)

    hostvars = Counting({"mail1": {"mail_address": "192.0.2.21", "mail_address6": "2001:db8::21"}, "lb1": {"mail_address": "192.0.2.11"}})
    catalogue = [{"name": str(port), "from": ["mailservers", "loadbalancers"], "to": ["mailservers"], "ports": [port]} for port in (25, 143, 993)]
    rules = topology.firewall_rules(catalogue, "mail1", {"mailservers": ["mail1"], "loadbalancers": ["lb1"]}, hostvars, [])
    assert [rule["sources4"] for rule in rules] == [["192.0.2.21/32", "192.0.2.11/32"]] * 3 and rules[0]["sources6"] == ["2001:db8::21/128"]
    assert hostvars.asked == {"mail1": 1, "lb1": 1}


@pytest.mark.parametrize("nodes,per_node", [(2, 4), (3, 4), (4, 3), (5, 4)])
def test_every_node_prefers_its_share_and_its_seats_fall_to_all_the_others(nodes, per_node):
    names = [f"mail{number}" for number in range(nodes)]
    held = topology.seat_holders(seats(nodes * per_node), names)
    assert collections.Counter(seat["holders"][0] for seat in held) == dict.fromkeys(names, per_node)
    for dead in names:
        heirs = collections.Counter(seat["holders"][1] for seat in held if seat["holders"][0] == dead)
        assert set(heirs) == set(names) - {dead}
        assert max(heirs.values()) - min(heirs.values()) <= 1


def test_every_seat_may_be_held_by_every_node_once():
    for seat in topology.seat_holders(seats(12), ["a", "b", "c"]):
        assert sorted(seat["holders"]) == ["a", "b", "c"]


def test_holders_given_by_the_inventory_win():
    seat = dict(seats(1)[0], holders=["b", "a"])
    assert topology.seat_holders([seat], ["a", "b", "c"])[0]["holders"] == ["b", "a"]


def test_no_mailservers_means_no_holders():
    assert topology.seat_holders(seats(1), [])[0]["holders"] == []


def test_vip_prefers_one_and_falls_to_the_others():
    vip = {"name": "vip1", "address": "192.0.2.101", "vrid": 51, "prefers": "lb2"}
    assert topology.vip_holders([vip], ["lb1", "lb2"])[0]["holders"] == ["lb2", "lb1"]


def rules(catalogue, host):
    return topology.firewall_rules(catalogue, host, GROUPS, HOSTVARS, ["198.51.100.0/24"])


def test_sources_are_split_by_family():
    rule, = rules([{"name": "x", "from": ["loadbalancers"], "to": ["mailservers"], "ports": [10025]}], "mail1")
    assert rule == {"name": "x", "protocol": "tcp", "ports": [10025], "sources4": ["192.0.2.11/32"], "sources6": ["2001:db8::11/128"]}


def test_anybody_is_an_empty_list_of_sources():
    rule, = rules([{"name": "x", "from": ["any"], "to": ["loadbalancers"], "ports": [25]}], "lb1")
    assert rule["sources4"] == rule["sources6"] == []


def test_a_service_without_sources_is_closed_not_open_to_all():
    assert not rules([{"name": "x", "from": ["databases"], "to": ["mailservers"], "ports": [1]}], "mail1")


def test_a_service_for_other_groups_is_left_out():
    assert not rules([{"name": "x", "from": ["any"], "to": ["loadbalancers"], "ports": [25]}], "mail1")


def test_administrators_reach_all_hosts():
    rule, = rules([{"name": "ssh", "from": ["admin"], "to": ["all"], "ports": [22]}], "mail2")
    assert rule["sources4"] == ["198.51.100.0/24"]


def test_protocols_without_ports():
    rule, = rules([{"name": "vrrp", "from": ["mailservers"], "to": ["mailservers"], "protocol": "vrrp"}], "mail1")
    assert (rule["protocol"], rule["ports"]) == ("vrrp", [])


def test_endpoints_are_every_host_with_every_port():
    hosts = [{"name": "a", "address": "192.0.2.1", "fqdn": "a.test"}, {"name": "b", "address": "192.0.2.2", "fqdn": "b.test"}]
    found = topology.endpoints(hosts, [{"port": 993}, {"port": 25, "starttls": "smtp"}])
    assert len(found) == 4
    assert found[3] == {"name": "b", "address": "192.0.2.2", "server_name": "b.test", "port": 25, "starttls": "smtp"}
    assert {item["server_name"] for item in topology.endpoints(hosts, [{"port": 993}], "mail.test")} == {"mail.test"}


def test_cluster_nodes_are_those_of_the_service_with_all_their_groups():
    groups = {"mailservers": ["mail2", "mail1"], "databases": ["mail1"], "loadbalancers": ["lb1"], "lab_infrastructure": ["router1"], "all": ["router1"]}
    assert topology.cluster_nodes(groups, HOSTVARS) == {
        "lb1": {"groups": ["loadbalancers"], "address": "192.0.2.11"},
        "mail2": {"groups": ["mailservers"], "address": "192.0.2.22"},
        "mail1": {"groups": ["mailservers", "databases"], "address": "192.0.2.21"},
    }


def test_near_addresses_lie_in_a_network_of_the_host():
    networks = [{"name": "dmz", "cidr": "192.0.2.0/24"}, {"name": "dmz", "cidr": "2001:db8::/64"}, {"name": "inner", "cidr": "198.51.100.0/24"}]
    entries = [{"name": "vip1", "address": "192.0.2.101", "address6": "2001:db8::101", "vrid": 1}, {"name": "seat01", "address": "198.51.100.201"}]
    assert topology.near(entries, networks, ["192.0.2.11"]) == [{"name": "vip1", "address": "192.0.2.101"}]
    assert topology.near(entries, networks, ["192.0.2.11", "2001:db8::11"]) == [
        {"name": "vip1", "address": "192.0.2.101"}, {"name": "vip1", "address": "2001:db8::101"}]
    assert topology.near(entries, networks, ["203.0.113.1"]) == []
