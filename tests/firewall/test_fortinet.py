"""What is special to FortiGates: the rendered text, the parsers on what the product shows, the order of the commands."""

import re

import pytest
from ansible.module_utils.connection import ConnectionError as DeviceError

from ansible_collections.mail.ha.plugins.module_utils import firewall_fortinet, firewall_fortinet_rules
from ansible_collections.mail.ha.plugins.module_utils.firewall_dialect import DialectError
from conftest import MEMBER, Pair, policy

# By hand, after the CLI reference of FortiOS 7.4.
SMALL = {"rules": [], "nat": []}
HA = """HA Health Status: OK
Model: FortiGate-1800F
Mode: HA A-P
Group Name: Example_cluster
Group ID: 0
Debug: 0
Cluster Uptime: 0 days 0:56:53
Cluster state change time: 2023-05-29 19:11:14
Primary selected using:
    <2023/05/29 19:11:14> vcluster-1: FG180FTK00000001 is selected as the primary because its uptime is larger than peer member FG180FTK00000002.
ses_pickup: enable, ses_pickup_delay=disable
override: disable
Configuration Status:
    FG180FTK00000001(updated 4 seconds ago): in-sync
    FG180FTK00000001 chksum dump: 0b 16 f2 e4 e2 89 eb a1 bf 8f 15 9b e1 4e 3b f2
    FG180FTK00000002(updated 5 seconds ago): in-sync
    FG180FTK00000002 chksum dump: 0b 16 f2 e4 e2 89 eb a1 bf 8f 15 9b e1 4e 3b f2
System Usage stats:
    FG180FTK00000001(updated 4 seconds ago):
        sessions=118, average-cpu-user/nice/system/idle=0%/0%/0%/100%, memory=10%
    FG180FTK00000002(updated 5 seconds ago):
        sessions=2, average-cpu-user/nice/system/idle=0%/0%/0%/100%, memory=10%
HBDEV stats:
    FG180FTK00000001(updated 4 seconds ago):
        ha1: physical/10000full, up, rx-bytes/packets/dropped/errors=17011332/25876/0/0, tx=11919050/24991/0/0
    FG180FTK00000002(updated 5 seconds ago):
        ha1: physical/10000full, down, rx-bytes/packets/dropped/errors=17011332/25876/0/0, tx=11919050/24991/0/0
MONDEV stats:
    FG180FTK00000001(updated 4 seconds ago):
        port5: physical/1000full, up, rx-bytes/packets/dropped/errors=988220/13742/0/0, tx=106998000/73260/0/0
        port6: physical/1000full, up, rx-bytes/packets/dropped/errors=107084264/73624/0/0, tx=953158/13611/0/0
    FG180FTK00000002(updated 5 seconds ago):
        port5: physical/1000full, up, rx-bytes/packets/dropped/errors=38194/128/0/0, tx=0/0/0/0
        port6: physical/1000full, up, rx-bytes/packets/dropped/errors=99019/448/0/0, tx=0/0/0/0
Primary     : FortiGate-1800F , FG180FTK00000001, HA cluster index = 1
Secondary   : FortiGate-1800F , FG180FTK00000002, HA cluster index = 0
number of vcluster: 1
vcluster 1: work 169.254.0.2
Primary: FG180FTK00000001, HA operating index = 0
Secondary: FG180FTK00000002, HA operating index = 1
"""


@pytest.fixture
def pair(tmp_path):
    """Only this platform's."""
    made = Pair("fortinet", tmp_path)
    yield made
    made.close()


def rendered(made, name):
    """Settings of one policy: what is rendered after its name."""
    lines = firewall_fortinet_rules.render(made, MEMBER)[0]
    return [line.partition('" set ')[2] for line in lines if line.startswith('firewall policy "ha-mail %s" ' % name)]


def few(pair):
    """Lines of a policy with few rules, for tests that push one."""
    made = policy(**SMALL)
    made["rules"] = [rule for rule in made["rules"] if rule["name"] == "smtp"]
    return pair.dialect.render(made, MEMBER)[0]


# ---- rendering

def test_a_rule_for_both_families_is_one_policy():
    assert rendered(policy(), "smtp 1") == [
        'action accept', 'dstaddr "ha-mail 192.0.2.101/32" "ha-mail 192.0.2.102/32"', 'dstaddr6 "ha-mail 2001:db8:1::101/128"', 'dstintf "dmz0"',
        'logtraffic disable', 'schedule "always"', 'service "ha-mail tcp 25"', 'srcaddr "all"', 'srcaddr6 "all"', 'srcintf "wan0"']


def test_a_rule_for_any_protocol_that_denies_and_logs():
    found = rendered(policy(), "guests who were shut ou 1")
    assert found == [
        'comments "guests who were shut out"', 'dstaddr "ha-mail 192.0.2.0/24"', 'dstaddr6 "ha-mail 2001:db8:1::/64"', 'dstintf "dmz0"', 'logtraffic all',
        'schedule "always"', 'service "ha-mail any"', 'srcaddr "ha-mail 203.0.113.66/32"', 'srcaddr6 "ha-mail 2001:db8:66::/48"', 'srcintf "wan0"']


def test_icmp_has_a_service_and_so_a_policy_for_each_family():
    lines = firewall_fortinet_rules.render(policy(), MEMBER)[0]
    assert 'firewall service custom "ha-mail icmp" set protocol ICMP' in lines and 'firewall service custom "ha-mail icmp6" set protocol ICMP6' in lines
    assert 'service "ha-mail icmp"' in rendered(policy(), "ping 1") and 'service "ha-mail icmp6"' in rendered(policy(), "ping 2")


def test_objects_of_every_kind():
    lines = firewall_fortinet_rules.render(policy(), MEMBER)[0]
    for line in ('firewall address "ha-mail 203.0.113.0/28" set subnet 203.0.113.0 255.255.255.240',
                 'firewall address6 "ha-mail 2001:db8:66::/48" set ip6 2001:db8:66::/48',
                 'firewall service custom "ha-mail tcp 9000-9010" set tcp-portrange 9000-9010',
                 'firewall service custom "ha-mail udp 123" set udp-portrange 123',
                 'firewall ippool "ha-mail mail leaves as" set startip 192.0.2.101', 'firewall ippool "ha-mail mail leaves as" set endip 192.0.2.101'):
        assert line in lines


def test_the_firewall_does_not_answer_arp_for_an_address_of_a_host():
    line = 'firewall ippool "ha-mail mail leaves as" set arp-reply disable'
    assert line in firewall_fortinet_rules.render(policy(), MEMBER)[0]
    outside = [dict(policy()["nat"][0], address="203.0.113.200", sources=["192.0.2.21", "192.0.2.22"])]
    assert line not in firewall_fortinet_rules.render(policy(nat=outside), MEMBER)[0]


def test_translated_connections_have_a_policy_before_the_others():
    assert rendered(policy(), "outbound mail 1") == [
        'action accept', 'dstaddr "all"', 'dstintf "wan0"', 'ippool enable', 'logtraffic disable', 'nat enable', 'poolname "ha-mail mail leaves as"',
        'schedule "always"', 'service "ha-mail tcp 25"', 'srcaddr "ha-mail 192.0.2.21/32" "ha-mail 192.0.2.22/32"', 'srcintf "dmz0"']
    assert 'srcaddr6 "ha-mail 2001:db8:1::21/128"' in rendered(policy(), "outbound mail 2") and "nat enable" not in rendered(policy(), "outbound mail 2")


def test_only_the_translated_part_of_a_rule_is_translated():
    made = policy(nat=[{"name": "one", "from": "dmz", "to": "wan", "protocol": "any", "ports": [], "sources": ["192.0.2.21"], "address": "192.0.2.101"}])
    first, second = rendered(made, "outbound mail 1"), rendered(made, "outbound mail 2")
    assert 'srcaddr "ha-mail 192.0.2.21/32"' in first and "nat enable" in first and 'service "ha-mail tcp 25"' in first
    assert 'srcaddr "ha-mail 192.0.2.21/32" "ha-mail 192.0.2.22/32"' in second and "nat enable" not in second
    assert "nat enable" in rendered(made, "time 1") and "nat enable" not in rendered(made, "time 2")


def test_ports_in_common():
    common = firewall_fortinet_rules._common_ports
    assert common([], ["25"]) == common(["25"], []) == ["25"] and common([], []) == []
    assert common(["20-30", "80"], ["25", "28-90"]) == ["25", "28-30", "80"] and common(["25"], ["26"]) is None


def test_nobody_comes_from_outside_in_the_name_of_an_inner_zone():
    found = rendered(policy(), "spoofed 1")
    assert 'srcaddr "ha-mail 192.0.2.0/24" "ha-mail 198.51.100.0/24"' in found and 'srcaddr6 "ha-mail 2001:db8:1::/64"' in found
    assert 'srcintf "wan0"' in found and not any(setting.startswith("action") for setting in found)
    names = re.findall(r'^firewall policy "([^"]+)" set srcintf', "\n".join(firewall_fortinet_rules.render(policy(), MEMBER)[0]), re.MULTILINE)
    assert names[0] == "ha-mail spoofed 1" and names[-3:] == ["ha-mail default from %s 1" % zone for zone in ("wan", "dmz", "management")]
    # From an inner zone, only its own networks are let through.
    assert 'srcaddr "ha-mail 198.51.100.0/24"' in rendered(policy(), "smtp 2") and not rendered(policy(), "smtp 3")


def test_a_limit_counts_sessions_of_one_source_in_one_second():
    lines, notes = firewall_fortinet_rules.render(policy(), MEMBER)
    anomaly = 'firewall DoS-policy "ha-mail smtp 1" anomaly tcp_port_scan set '
    assert [line[len(anomaly):] for line in lines if line.startswith(anomaly)] == ["action block", "log enable", "status enable", "threshold 122"]
    assert 'firewall DoS-policy "ha-mail smtp 1" set interface "wan0"' in lines
    assert 'firewall DoS-policy6 "ha-mail smtp 1" set dstaddr "ha-mail 2001:db8:1::101/128"' in lines
    assert any("DoS policy" in note for note in notes)


def test_names_fit_and_differ():
    long = "a rule with a name of no less than sixty-three characters in it"
    made = policy(rules=[{"name": long[:60] + end, "from": ["203.0.113.%d" % number], "to": ["dmz"], "action": "deny",
                          "protocol": "any"} for number, end in enumerate("xy")])
    names = set(re.findall(r'^firewall policy "([^"]+)"', "\n".join(firewall_fortinet_rules.render(made, MEMBER)[0]), re.MULTILINE))
    assert {"ha-mail a rule with a name of n 1", "ha-mail a rule with a name of n 2"} <= names
    assert all(len(name) + len("-a") <= 35 for name in names)


@pytest.mark.parametrize("interfaces, words", [
    ({"wan": "wan0", "dmz": "dmz0"}, "zone 'management'"), (dict(MEMBER["interfaces"], dmz='a"b'), "without quotes")])
def test_what_cannot_be_rendered(interfaces, words):
    with pytest.raises(DialectError, match=words):
        firewall_fortinet_rules.render(policy(), {"interfaces": interfaces, "local": []})


def test_a_line_that_is_none_of_ours():
    for line in ('firewall policy "branch" set action accept', 'system admin "ha-mail x" set password x', "exit"):
        with pytest.raises(DialectError, match="rendered for FortiOS"):
            firewall_fortinet_rules.to_entries([line])


# ---- parsing

def test_a_healthy_cluster_from_both_sides():
    active = firewall_fortinet.cluster(HA, "FG180FTK00000001")
    assert active == {"role": "active", "peer": "standby", "in_sync": True, "sessions": 118,
                      "sync": "FG180FTK00000001 in-sync, FG180FTK00000002 in-sync, session pickup enable",
                      "uplinks": [{"name": "port5", "up": True}, {"name": "port6", "up": True}]}
    standby = firewall_fortinet.cluster(HA, "FG180FTK00000002")
    assert (standby["role"], standby["peer"], standby["sessions"]) == ("standby", "active", 2)


def test_without_session_pickup_nothing_is_in_sync():
    found = firewall_fortinet.cluster(HA.replace("ses_pickup: enable", "ses_pickup: disable"), "FG180FTK00000001")
    assert not found["in_sync"] and found["sync"].endswith("session pickup disable")


def test_a_cluster_before_fortios_7():
    old = HA.replace("Primary     : FortiGate-1800F , ", "Master: ").replace("Secondary   : FortiGate-1800F , ", "Slave : ")
    old = old.replace("HA cluster", "operating cluster")
    old = re.sub(r"(Primary|Secondary): FG.*\n", "", old)
    assert firewall_fortinet.cluster(old, "FG180FTK00000002")["role"] == "standby"


def test_a_standby_whose_uplink_is_down_cannot_take_over():
    counted = "rx-bytes/packets/dropped/errors=99019"
    broken = HA.replace("port6: physical/1000full, up, " + counted, "port6: physical/00, down, " + counted)
    assert firewall_fortinet.cluster(broken, "FG180FTK00000001")["peer"] == "fault"
    found = firewall_fortinet.cluster(broken, "FG180FTK00000002")
    assert found["role"] == "fault" and found["uplinks"] == [{"name": "port5", "up": True}, {"name": "port6", "up": False}]


@pytest.mark.parametrize("old, new, words", [
    ("Mode: HA A-P", "Mode: HA A-A", "active-passive"), ("number of vcluster: 1", "number of vcluster: 2", "several virtual clusters"),
    ("Mode: HA A-P\n", "", "a mode"), ("(updated 5 seconds ago): in-sync", "", "synchronization"),
    ("FG180FTK00000001, HA", "FG180FTK00000009, HA", "expected FG18"),
    ("sessions=118", "", "sessions"), ("ses_pickup", "", "ses_pickup")])
def test_a_cluster_that_is_not_understood(old, new, words):
    with pytest.raises(DialectError, match=words):
        firewall_fortinet.cluster(HA.replace(old, new), "FG180FTK00000001")


def test_what_show_says():
    text = ('config firewall DoS-policy\n    edit 1\n        set name "ha-mail-b smtp 1"\n        set comments "two\nlines with \\" in it"\n'
            '        config anomaly\n            edit "tcp_port_scan"\n                set status enable\n                set threshold 9\n            next\n'
            '            edit "udp_scan"\n                set threshold 2000\n            next\n        end\n    next\nend\n')
    parsed = firewall_fortinet_rules.parse(text, "firewall DoS-policy")
    assert parsed == [("1", {"name": '"ha-mail-b smtp 1"', "comments": '"two\nlines with \\" in it"', "anomaly tcp_port_scan status": "enable",
                             "anomaly tcp_port_scan threshold": "9", "anomaly udp_scan threshold": "2000"})]
    own = firewall_fortinet_rules.own("firewall DoS-policy", parsed)
    assert own["a"] == [] and own["b"][0]["name"] == "ha-mail smtp 1" and own["b"][0]["id"] == 1
    assert "anomaly udp_scan threshold" not in own["b"][0]["set"]
    assert firewall_fortinet_rules.parse("config firewall policy\nend", "firewall policy") == []


@pytest.mark.parametrize("text", [
    "", "config firewall address\nend", "config firewall policy", "config firewall policy\n    edit 1\nend", "config firewall policy\n    edit 1\n    next",
    "config firewall policy\nend\nend", "config firewall policy\n    set name x\nend", "config firewall policy\n  edit 1\n    set name \"x\n  next\nend",
    "!config firewall policy\nend"])
def test_what_show_cannot_have_said(text):
    with pytest.raises(DialectError):
        firewall_fortinet_rules.parse(text, "firewall policy")


def test_errors_of_the_product_are_errors():
    for said in ("command parse error before 'x'\nCommand fail. Return code -61", "entry not found in datasource", "Unknown action 0",
                 "object set operator error, -8 discard the setting", "node_check_object fail! for name x", "Attribute 'srcintf' MUST be set."):
        assert re.search(firewall_fortinet.DIALECT.errors, "\n" + said, re.MULTILINE)
    assert not re.search(firewall_fortinet.DIALECT.errors, "config firewall policy\n    edit 1\n        set comments \"the entry not found\"", re.MULTILINE)


# ---- changing

def test_the_change_is_armed_before_anything_is_enabled_and_the_default_comes_last(pair):
    pair.of(0).apply(few(pair), 120)
    heard = pair.devices[0].heard
    armed = heard.index("set cfg-save revert")
    assert heard[armed + 1] == "set cfg-revert-timeout 120"
    created = [heard[index + 2] for index, line in enumerate(heard[:armed]) if re.match(r"edit \d", line)]
    assert set(created) == {"set status disable"} and heard[:armed].count("set status enable") == heard[:armed].count('edit "tcp_port_scan"')
    enabled = [line.split()[1] for line, after in zip(heard[armed:], heard[armed + 1:]) if re.match(r"edit 64\d{3}$", line) and after == "set status enable"]
    shown = re.findall(r"edit (64\d+)\n +set uuid \S+\n +set name \"ha-mail", pair.devices[0]._show("firewall policy"))
    assert enabled == shown and len(enabled) > 5


def test_ours_stand_first_and_others_stay_in_their_order(pair):
    before = pair.devices[0].others()
    device = pair.of(0)
    device.apply(few(pair), 120)
    keys = list(pair.devices[0].running["firewall policy"])
    assert keys[-2:] == ["7", "64000"] and "64000" not in keys[:-2] and pair.devices[0].others() == before
    # Somebody puts another before them: that is no longer the policy.
    device.confirm()
    device.configure(["config firewall policy", "move 7 before %s" % keys[0], "end"])
    assert device.running()[-1] == "firewall policy 7 stands before the policies of ha-mail" and device.running() != few(pair)


@pytest.mark.parametrize("found, at_once, ending", [
    *((["automatic", "600"], at_once, ending) for at_once in (False, True) for ending in ("confirm", "revert", "time")),
    (["manual", "600"], False, "confirm"), (["manual", "600"], False, "time"), (["revert", "300"], False, "revert"), (["revert", "300"], True, "confirm")])
def test_the_mode_of_saving_is_put_back(pair, found, at_once, ending):
    for device in pair.devices:
        device.mode_is_saved_at_once = at_once
        for kept in (device.running, device.saved):
            kept["system global"] = {"cfg-save": found[:1], "cfg-revert-timeout": found[1:]}
    lines = pair.dialect.render(dict(policy(**SMALL), rules=[]), MEMBER)[0]
    device = pair.of(0)
    device.apply(lines, 120)
    assert pair.devices[0].running["system global"]["cfg-save"] == ["revert"]
    if ending == "time":
        pair.pass_time(121)
        assert device.running() == [] and device.facts()["armed"] is None
        device.revert()
    else:
        getattr(device, ending)()
    for unit in pair.devices:
        assert unit.running["system global"] == unit.saved["system global"] == {"cfg-save": found[:1], "cfg-revert-timeout": found[1:]}
        assert "ha-mail-state" not in unit.saved["firewall service category"]
    assert device.running() == device.saved() == (lines if ending == "confirm" else [])
    shown = pair.devices[0]._show("firewall policy")
    assert not ("ha-mail-a" in shown and "ha-mail-b" in shown) and "set status disable" not in shown


def test_taking_back_costs_no_reload(pair):
    device = pair.of(0)
    device.apply(few(pair), 120)
    device.revert()
    assert "execute cfg reload" not in pair.heard() and device.running() == []


def test_a_confirmation_that_was_cut_off_after_saving_has_lost_nothing_and_can_be_ended(pair):
    lines, device = few(pair), pair.of(0)
    device.apply(lines, 120)
    pair.devices[0].faults.drop_at = "^set cfg-save automatic"
    with pytest.raises(DeviceError):
        device.confirm()
    pair.devices[0].faults.drop_at = None
    pair.pass_time(1000)
    assert pair.of(0).running() == lines and pair.of(0).facts()["armed"] == 0
    pair.of(0).confirm()
    assert pair.of(0).saved() == lines and pair.of(0).facts()["armed"] is None


def test_nothing_is_deleted_when_the_time_was_over_just_before_it_was_saved(pair, monkeypatch):
    lines, device = few(pair), pair.of(0)
    device.apply(lines, 120)
    device.confirm()
    device.apply(pair.dialect.render(dict(policy(**SMALL), rules=[]), MEMBER)[0], 120)
    save = device._save

    def late():
        pair.pass_time(121)
        save()
    monkeypatch.setattr(device, "_save", late)
    with pytest.raises(DialectError, match="taken back"):
        device.confirm()
    assert pair.of(0).running() == pair.of(0).saved() == lines


def test_a_second_change_waits_for_the_first(pair):
    device = pair.of(0)
    device.apply(few(pair), 120)
    with pytest.raises(DialectError, match="waits for its confirmation"):
        device.apply(few(pair), 120)


def test_a_change_is_refused_on_the_secondary(pair):
    with pytest.raises(DialectError, match="expected the primary"):
        pair.of(1).apply(few(pair), 120)
    assert not any(command.startswith("config") for command in pair.devices[1].heard)


def test_a_change_that_would_not_be_taken_back_is_not_made(pair):
    pair.devices[0].faults.refuse_at = "^set cfg-revert-timeout"
    with pytest.raises(DeviceError):
        pair.of(0).apply(few(pair), 120)
    assert pair.of(0).running() == [] and pair.of(0).facts()["armed"] is None


def test_a_change_by_others_to_our_policy_is_seen_and_mended(pair):
    lines, device = few(pair), pair.of(0)
    device.apply(lines, 120)
    device.confirm()
    first = next(key for key, entry in pair.devices[0].running["firewall policy"].items() if entry["name"] == ["ha-mail-a smtp 1"])
    device.configure(["config firewall policy", "edit " + first, "set status disable", "set logtraffic all", "next", "end"])
    assert set(device.running()) - set(lines) == {'firewall policy "ha-mail smtp 1" set status disable', 'firewall policy "ha-mail smtp 1" set logtraffic all'}
    device.apply(lines, 120)
    device.confirm()
    assert device.running() == lines


def test_virtual_domains_are_not_guessed_at(pair, monkeypatch):
    said = pair.devices[0]._status()
    monkeypatch.setattr(pair.devices[0], "_status", lambda: said.replace("configuration: disable", "configuration: multiple"))
    device = pair.of(0)
    device.session.open = lambda: None
    monkeypatch.setattr(device, "ask", lambda command, **options: pair.devices[0]._status())
    with pytest.raises(DialectError, match="virtual domains"):
        device.facts()


# ---- the cluster

def test_with_override_the_primary_stands_back_until_it_need_not(pair):
    pair.of(0).switchover()
    assert pair.devices[0].stands_back and not pair.devices[0].primary
    pair.of(0).switchover()
    assert not pair.devices[0].stands_back and pair.devices[0].primary


def test_without_override_the_uptime_is_reset_and_only_by_the_primary(pair):
    for device in pair.devices:
        device.override = False
    pair.devices[0].elect()
    pair.of(0).switchover()
    assert pair.devices[1].primary and not pair.devices[0].stands_back and "diagnose sys ha reset-uptime" in pair.devices[0].heard
    with pytest.raises(DialectError, match="at the active member"):
        pair.of(0).switchover()


def test_a_switchover_that_does_not_happen_is_told(pair, monkeypatch):
    monkeypatch.setattr(firewall_fortinet, "TAKEOVER", 1)
    pair.devices[1].down.add("wan0")
    for device in pair.devices:
        device.override = False
    with pytest.raises(DialectError, match="still active"):
        pair.of(0).switchover()


def test_paging_is_turned_off_by_netmiko(pair):
    pair.devices[0].output = "more"
    assert len(pair.of(0).ask("show firewall DoS-policy").splitlines()) > 40
    assert pair.devices[0].output == "standard" and "set output standard" in pair.devices[0].heard
