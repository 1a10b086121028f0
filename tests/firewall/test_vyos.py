"""What is special to VyOS: text of the rules, its tables, commit-confirm, VRRP."""

import time

import pytest
from ansible.module_utils.connection import ConnectionError as DeviceError

from ansible_collections.mail.ha.plugins.action.firewall_config import ensure
from ansible_collections.mail.ha.plugins.module_utils import firewall_vyos, firewall_vyos_rules
from ansible_collections.mail.ha.plugins.module_utils.firewall_change import Change, ChangeError
from ansible_collections.mail.ha.plugins.module_utils.firewall_dialect import DialectError
from conftest import MEMBER, Pair, policy
from simulator import vyos

FEW = {"rules": [], "nat": []}


@pytest.fixture(name="pair")
def vyos_pair(tmp_path):
    made = Pair("vyos", tmp_path)
    yield made
    made.close()


@pytest.fixture(name="few")
def fixture_few():
    """A short policy, for tests that are about something else."""
    made = policy(**FEW)
    made["rules"] = made["rules"][-1:]
    return firewall_vyos_rules.render(made, MEMBER)[0]


class Answers:
    """A session that says what a test wants it to."""

    def __init__(self, **said):
        self.said = said

    def ask(self, command, **_options):
        return self.said[command.split()[1].replace("-", "_")]


def rule(lines, description, chain="ipv4 name ha-mail"):
    """Statements of the first rule with that description, without its number."""
    head = next(line for line in lines if line.startswith(f"set firewall {chain} rule ") and line.endswith(f"description 'ha-mail: {description}'"))
    head = head[: head.index(" description") + 1]
    return {line[len(head):] for line in lines if line.startswith(head)} - {f"description 'ha-mail: {description}'"}


# ---- rules

def test_each_kind_of_rule():
    lines = firewall_vyos_rules.render(policy(), MEMBER)[0]
    from_outside = {"inbound-interface name 'wan0'", "outbound-interface name 'dmz0'"}
    denied = from_outside | {"source address '203.0.113.66/32'"}
    assert rule(lines, "guests who were shut out") == denied | {"action 'drop'"}
    assert rule(lines, "guests who were shut out, log") == denied | {"action 'continue'", "log", "limit rate '10/minute'", "limit burst '20'"}
    assert rule(lines, "partner") == from_outside | {
        "action 'accept'", "source address '203.0.113.0/28'", "destination group network-group 'ha-mail-2-to'", "destination port '8443,9000-9010'",
        "protocol 'tcp'"}
    assert rule(lines, "ping") == from_outside | {"action 'accept'", "protocol 'icmp'"}
    assert rule(lines, "ping", "ipv6 name ha-mail") == from_outside | {"action 'accept'", "protocol 'ipv6-icmp'"}
    smtp = from_outside | {"destination group network-group 'ha-mail-5-to'", "destination port '25'", "protocol 'tcp'"}
    assert rule(lines, "smtp, too many") == smtp | {"action 'drop'", "state 'new'", "recent count '120'", "recent time 'minute'"}
    assert rule(lines, "smtp") == smtp | {"action 'accept'"}
    assert rule(lines, "answers") == {"action 'accept'", "state 'established'", "state 'related'"}
    assert [line for line in lines if "ha-mail-5-to network" in line] == [
        "set firewall group network-group ha-mail-5-to network '192.0.2.101/32'", "set firewall group network-group ha-mail-5-to network '192.0.2.102/32'"]


def test_nobody_sends_in_the_name_of_another_zone_and_the_rest_is_dropped():
    lines = firewall_vyos_rules.render(policy(), MEMBER)[0]
    chain = "set firewall ipv4 name ha-mail "
    assert {chain + "rule 10 inbound-interface name 'wan0'", chain + "rule 10 source group network-group 'ha-mail-zones'", chain + "rule 10 action 'drop'",
            chain + "rule 20 inbound-interface name 'dmz0'", chain + "rule 20 source address '!192.0.2.0/24'", chain + "rule 20 action 'drop'"} <= set(lines)
    # No IPv6 in that zone: nothing comes from there.
    assert [line for line in lines if line.startswith("set firewall ipv6 name ha-mail rule 30 ")] == [
        "set firewall ipv6 name ha-mail rule 30 action 'drop'", "set firewall ipv6 name ha-mail rule 30 description 'ha-mail: spoofed'",
        "set firewall ipv6 name ha-mail rule 30 inbound-interface name 'eth0'"]
    for family in ("ipv4", "ipv6"):
        assert f"set firewall {family} name ha-mail default-action 'drop'" in lines
        last = max(int(line.split()[6]) for line in lines if line.startswith(f"set firewall {family} name ha-mail rule"))
        assert f"set firewall {family} name ha-mail rule {last} description 'ha-mail: dropped by policy'" in lines
        assert rule(lines, "dropped by policy", f"{family} name ha-mail") == {"action 'drop'", "log", "limit rate '10/minute'", "limit burst '20'"}
        assert rule(lines, "from an inner zone", f"{family} forward filter") == {
            "action 'jump'", "jump-target 'ha-mail'", "inbound-interface group 'ha-mail-inner'"}
        assert rule(lines, "to an inner zone", f"{family} forward filter") == {
            "action 'jump'", "jump-target 'ha-mail'", "outbound-interface group 'ha-mail-inner'"}
    assert not [line for line in lines if " input " in line]


def test_connections_leave_under_another_address():
    entry = {"name": "mail leaves as", "from": "dmz", "to": "wan", "protocol": "tcp", "ports": [25],
             "sources": ["192.0.2.21", "2001:db8:1::21", "2001:db8:1::22"], "address": "192.0.2.101", "address6": "2001:db8:1::101"}
    lines = firewall_vyos_rules.render(policy(nat=[entry]), MEMBER)[0]
    assert [line for line in lines if line.startswith("set nat ")] == [
        "set nat source rule 1 description 'ha-mail: mail leaves as'", "set nat source rule 1 destination port '25'",
        "set nat source rule 1 outbound-interface name 'wan0'", "set nat source rule 1 protocol 'tcp'", "set nat source rule 1 source address '192.0.2.21/32'",
        "set nat source rule 1 translation address '192.0.2.101'"]
    assert [line for line in lines if line.startswith("set nat66 source rule 2 ")] == [
        "set nat66 source rule 2 description 'ha-mail: mail leaves as'", "set nat66 source rule 2 destination port '25'",
        "set nat66 source rule 2 outbound-interface name 'wan0'", "set nat66 source rule 2 protocol 'tcp'",
        "set nat66 source rule 2 source prefix '2001:db8:1::22/128'", "set nat66 source rule 2 translation address '2001:db8:1::101'"]


@pytest.mark.parametrize(("limit", "statements", "note"), [
    ((255, 255), {"recent count '255'", "recent time 'minute'"}, ""),
    ((30, 90), {"recent count '30'", "recent time 'minute'"}, "30 connections a minute, as many of them at once, instead of 30 a minute and 90 at once"),
    ((600, 600), {"recent count '10'", "recent time 'second'"}, "10 connections a second"),
])
def test_a_limit_is_as_near_as_it_gets(limit, statements, note):
    made = policy()
    for found in made["rules"]:
        if found["name"] == "smtp":
            found["limit"] = {"per_minute": limit[0], "burst": limit[1]}
    lines, notes = firewall_vyos_rules.render(made, MEMBER)
    assert statements <= rule(lines, "smtp, too many")
    assert [sentence for sentence in notes if sentence.startswith("'smtp'")] == [sentence for sentence in notes if note and note in sentence]
    made["rules"][4]["limit"]["per_minute"] = 60 * 256
    with pytest.raises(DialectError, match="cannot count that far"):
        firewall_vyos_rules.render(made, MEMBER)


def test_what_cannot_be_told_apart_is_refused():
    for interfaces, told in (({"wan": "wan0", "dmz": "dmz0"}, "no interface for the zone management"),
                             ({"wan": "wan0", "dmz": "dmz0", "management": "dmz0"}, "same interface for two zones"),
                             ({"wan": "wan0", "dmz": "dmz0", "management": "eth0' x"}, "expected a name such as")):
        with pytest.raises(DialectError, match=told):
            firewall_vyos_rules.render(policy(), {"interfaces": interfaces})


def test_every_rule_is_grammar_and_is_shown_as_it_was_set():
    settings = vyos.Settings(vyos.pair()[0].running)
    lines = firewall_vyos_rules.render(policy(), MEMBER)[0]
    assert not list(filter(None, [settings.put(tuple(vyos._words(line))[1:]) for line in lines]))
    assert settings.problem() is None
    assert firewall_vyos_rules.split(settings.commands())[0] == lines


def test_names_that_only_look_like_ours_are_not_ours():
    lines = ["set firewall group network-group ha-mailers network '203.0.113.200/32'", "set nat source rule 5 description 'ha-mailers'",
             "set firewall ipv4 forward filter rule 1 action 'accept'"]
    assert firewall_vyos_rules.split(lines)[:2] == ([], [])


def test_only_what_differs_is_sent():
    old = firewall_vyos_rules.render(policy(), MEMBER)[0]
    new = [line.replace("8443,", "8444,") for line in old if "nat-1" not in line and not line.startswith("set nat ")]
    sent = firewall_vyos_rules.changes(old, new)
    assert sent[:3] == ["delete firewall group network-group ha-mail-nat-1", "delete nat source rule 1", "delete firewall ipv4 name ha-mail rule 80"]
    assert sent[3:] == [line for line in new if line.startswith("set firewall ipv4 name ha-mail rule 80 ")] and len(sent) == 11
    assert firewall_vyos_rules.changes(old, []) == ["delete " + root for root in firewall_vyos_rules.split(old)[1]]


# ---- what it says

@pytest.mark.parametrize(("rows", "role"), [
    (["MASTER", "MASTER"], "active"), (["BACKUP", "BACKUP"], "standby"), (["FAULT", "FAULT"], "fault"), (["MASTER", "BACKUP"], "fault"),
    (["MASTER", "DISABLED"], "active"),
])
def test_roles(rows, role):
    # 1.4 and later have a priority, older ones have not.
    for head, more in (("Priority  ", "200  "), ("", "")):
        table = f"Name     Interface      VRID  State    {head}Last Transition\n-------  -----------  ------  -------  -----------------\n" + "".join(
            f"group{index}   eth{index}                {index}  {state}   {more}2s\n" for index, state in enumerate(rows, 1))
        assert firewall_vyos.Vyos(Answers(vrrp=table))._role()[1] == role


def test_no_vrrp_and_a_broken_table():
    assert firewall_vyos.Vyos(Answers(vrrp="VRRP not configured!"))._role() == ([], "alone")
    assert firewall_vyos.Vyos(Answers(vrrp="VRRP is not running"))._role() == ([], "fault")
    for broken in ("", "Name   Interface  VRID  State\n----\ninside  eth1  20\n"):
        with pytest.raises(DialectError, match="show vrrp"):
            firewall_vyos.Vyos(Answers(vrrp=broken))._role()


@pytest.mark.parametrize("said", ["conntrack-sync is not configured!", "can't connect: is conntrackd running? appropriate permissions?"])
def test_without_conntrack_sync_nothing_is_in_sync(said):
    assert firewall_vyos.Vyos(Answers(conntrack_sync=said))._sync() == (None, False, False, said.rstrip("!").partition("? app")[0])


def test_interfaces_of_either_table_and_a_link_that_is_down():
    short = ("Codes: S - State, L - Link, u - Up, D - Down, A - Admin Down\n"
             "Interface        IP Address                        S/L  Description\n"
             "---------        ----------                        ---  -----------\n"
             "eth0             192.0.2.1/24                      u/u  inside u/D\n"
             "                 2001:db8::1/64\n"
             "eth1             -                                 u/D\n"
             "eth10            -                                 u/u\n")
    device = firewall_vyos.Vyos(Answers(interfaces=short))
    assert device._uplinks(["eth0", "eth1"]) == [{"name": "eth0", "up": True}, {"name": "eth1", "up": False}]
    with pytest.raises(DialectError, match="state of eth2"):
        device._uplinks(["eth2"])


@pytest.mark.parametrize(("spelled", "left"), [("1h 1min 40.5s", 101), ("1h 30s", 30), ("59min 59s", 0)])
def test_time_until_it_is_taken_back(spelled, left):
    device = firewall_vyos.Vyos(Answers(show=f"NextElapseUSecMonotonic={spelled}\nActiveState=active", **{"/proc/uptime": "3600.00 7000.11"}))
    assert device._armed() == left


def test_a_timer_that_is_not_there_is_no_change():
    assert firewall_vyos.Vyos(Answers(show="ActiveState=inactive"))._armed() is None
    with pytest.raises(DialectError, match="state of the timer"):
        firewall_vyos.Vyos(Answers(show="Failed to connect to bus"))._armed()


# ---- changing

def test_nothing_is_committed_without_the_timer(pair, few):
    device = pair.of(0)
    device.apply(few, 61)
    device.confirm()
    device.session.ask("show version")
    heard = pair.devices[0].heard
    # Rounded up to minutes; compared first, saved last.
    assert [command for command in heard if not command.startswith(("set ", "delete ", "show ", "systemctl", "cat ", "vyos-config"))] == [
        "configure", "compare saved", "commit-confirm 2", "exit discard", "configure", "confirm", "exit discard", "configure", "save", "exit discard"]
    assert heard.index("compare saved") < heard.index(few[0]) < heard.index(few[-1]) < heard.index("commit-confirm 2")


def test_a_reload_instead_of_a_reboot(pair, few):
    for device in pair.devices:
        device.action = "reload"
    session = pair.of(0)
    session.apply(few, 60)
    pair.pass_time(60)
    # No reboot: the same session still answers.
    assert session.running() == [] and session.facts()["role"] == "active"
    with pytest.raises(DialectError, match="taken back"):
        session.confirm()


def test_a_commit_that_fails_does_not_reboot_the_device_later(pair, few):
    few.append("set firewall ipv4 name ha-mail rule 500 destination port '25'")
    session = pair.of(0)
    with pytest.raises(DialectError, match="Rule action must be defined.*Commit failed"):
        session.apply(few, 60)
    assert pair.devices[0].due is None and session.running() == []
    pair.pass_time(120)
    assert pair.of(0).facts()["role"] == "active"


@pytest.mark.parametrize(("line", "told"), [
    ("set firewall ipv4 name ha-mail rule 1000000 action 'drop'", "Firewall rule number must be between"),
    ("set firewall ipv4 name ha-mail rule 5 colour 'red'", r"\[colour\] is not valid Set failed"),
    ("set firewall ipv4 name ha-mail rule 5 recent count '256'", "Value validation failed Set failed"),
])
def test_a_line_that_is_called_wrong_ends_the_push(pair, few, line, told):
    session = pair.of(0)
    with pytest.raises(DeviceError, match=told) as caught:
        session.apply(sorted(few + [line]), 60)
    assert caught.value.code == "answer" and session.running() == [] and session.facts()["armed"] is None
    assert "commit-confirm 1" not in pair.devices[0].heard


def test_what_others_did_not_save_is_in_the_way(pair, few):
    device = pair.devices[0]
    device.running.put(("firewall", "group", "network-group", "partners", "description", "secret thing"))
    with pytest.raises(DialectError, match="save or undo") as caught:
        pair.of(0).apply(few, 60)
    assert "secret thing" not in str(caught.value) and device.due is None and pair.of(0).running() == []


def test_what_others_did_not_save_of_our_rules_is_left_alone(pair, few):
    # Somebody opens the firewall for a while, by hand.
    device, path = pair.devices[0], ("firewall", "ipv4", "name", "ha-mail", "default-action", "accept")
    device.running.put(path)
    change = Change(pair.of(0), {"platform": "vyos"}, few, 60, time.monotonic, time.sleep)
    with pytest.raises(ChangeError, match="nothing was changed: .*save or undo"):
        ensure(change, "present", False)
    assert path in device.running and not [command for command in device.heard if command.startswith(("commit", "confirm", "save"))]


def test_a_change_of_somebody_else_is_not_confirmed_by_ours(pair, few):
    device = pair.devices[0]
    device.running.put(("firewall", "group", "network-group", "partners", "description", "on trial"))
    device.due = device.now() + 300
    with pytest.raises(DialectError, match="another change waits"):
        pair.of(0).apply(few, 60)
    with pytest.raises(DialectError, match="left alone"):
        pair.of(0).revert()
    assert device.due is not None


def test_numbers_that_others_have_are_not_taken(pair, few):
    for device in pair.devices:
        for configuration in (device.running, device.saved):
            configuration.put(("firewall", "ipv4", "forward", "filter", "rule", "2", "action", "accept"))
    before = pair.devices[0].others()
    with pytest.raises(DialectError, match="firewall ipv4 forward filter rule 2' of somebody else"):
        pair.of(0).apply(few, 60)
    assert pair.devices[0].others() == before and "configure" not in pair.devices[0].heard


def test_a_change_that_was_confirmed_but_not_saved_is_saved_by_a_second_try(pair, few, monkeypatch):
    monkeypatch.setattr(firewall_vyos, "SAVE", 2)
    device = pair.devices[0]
    pair.of(0).apply(few, 60)
    device.faults.drop_at = "^save$"
    with pytest.raises(DeviceError):
        pair.of(0).confirm()
    device.faults.drop_at = None
    assert pair.of(0).facts()["armed"] is None and pair.of(0).saved() == []
    again = pair.of(0)
    again.confirm()
    assert again.saved() == few


def test_the_standby_takes_over_and_nothing_is_saved_of_how(pair):
    before = [(set(device.running), set(device.saved)) for device in pair.devices]
    standby = pair.of(1)
    standby.switchover()
    assert (standby.facts()["role"], pair.of(0).facts()["role"]) == ("active", "standby")
    assert [(set(device.running), set(device.saved)) for device in pair.devices] == before
    assert pair.devices[1].due is None and "commit-confirm 2" in pair.devices[1].heard


def test_the_standby_that_does_not_take_over_is_set_back(pair, monkeypatch):
    monkeypatch.setattr(firewall_vyos, "TAKEOVER", 1)
    device = pair.devices[1]
    before = set(device.running)
    device.states["inside"] = "BACKUP"
    with pytest.raises(DialectError, match="inside is BACKUP, outside is MASTER"):
        pair.of(1).switchover()
    assert set(device.running) == before and device.due is None


def test_a_member_that_would_take_its_role_back_is_not_switched(pair):
    path = ("high-availability", "vrrp", "group", "inside", "no-preempt")
    pair.devices[0].running.discard(path)
    pair.devices[0].saved.discard(path)
    with pytest.raises(DialectError, match="the VRRP group inside would take its role back"):
        pair.of(0).switchover()
    assert pair.devices[0].master and "restart vrrp" not in pair.devices[0].heard
