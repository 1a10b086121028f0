"""What is special to Cisco ASA. Expected lines and answers are after the command reference and CLI Books 1 and 2 (9.16)."""

import re

import pytest
from ansible.module_utils.connection import ConnectionError as DeviceError

from ansible_collections.mail.ha.plugins.module_utils import firewall_cisco_asa as asa
from ansible_collections.mail.ha.plugins.module_utils.firewall_dialect import DialectError
from conftest import MEMBER, Pair, policy

SECONDS = 120
NAT = {"name": "mail leaves as", "from": "dmz", "to": "wan", "protocol": "tcp", "ports": [25], "sources": [], "address": "203.0.113.9",
       "address6": "2001:db8:2::9"}


@pytest.fixture(name="pair")
def _pair(tmp_path):
    made = Pair("cisco_asa", tmp_path)
    yield made
    made.close()


def rendered(**changes):
    """Lines of the policy of conftest.py, with changes."""
    return asa.DIALECT.render(policy(**changes), MEMBER)[0]


def under(lines, name, remark):
    """Entries of an access list below a remark."""
    start = lines.index(f"access-list {name} remark {remark}") + 1
    found = []
    for line in lines[start:]:
        if not line.startswith(f"access-list {name} extended "):
            return found
        found.append(line.removeprefix(f"access-list {name} extended "))
    return found


# ---- rendering


def test_a_rule_for_hosts_and_ports():
    assert under(rendered(), "ha-mail-in-wan0", "partner: to dmz") == [
        "permit tcp 203.0.113.0 255.255.255.240 host 192.0.2.21 eq 8443", "permit tcp 203.0.113.0 255.255.255.240 host 192.0.2.21 range 9000 9010",
        "permit tcp 203.0.113.0 255.255.255.240 host 192.0.2.22 eq 8443", "permit tcp 203.0.113.0 255.255.255.240 host 192.0.2.22 range 9000 9010"]


def test_both_families_and_everybody_outside():
    assert under(rendered(), "ha-mail-in-wan0", "smtp: to dmz") == [
        "permit tcp any4 host 192.0.2.101 eq 25", "permit tcp any4 host 192.0.2.102 eq 25", "permit tcp any6 host 2001:db8:1::101 eq 25"]
    assert under(rendered(), "ha-mail-in-dmz0", "outbound mail: to wan") == [
        "permit tcp host 192.0.2.21 any4 eq 25", "permit tcp host 192.0.2.22 any4 eq 25", "permit tcp host 2001:db8:1::21 any6 eq 25"]


@pytest.mark.parametrize("log, word", [(True, "log"), (False, "log disable")])
def test_what_is_shut_out_is_logged_with_a_limit_or_not_at_all(log, word):
    lines = rendered(rules=[{"name": "guests", "from": ["203.0.113.66", "2001:db8:66::/48"], "to": ["dmz"], "protocol": "any", "action": "deny", "log": log}])
    assert under(lines, "ha-mail-in-wan0", "guests: to dmz") == [
        f"deny ip host 203.0.113.66 192.0.2.0 255.255.255.0 {word}", f"deny ip 2001:db8:66::/48 2001:db8:1::/64 {word}"]


def test_ping_goes_in_and_its_replies_come_back_without_inspection():
    lines = rendered(rules=[{"name": "ping", "from": ["wan"], "to": ["dmz"], "protocol": "icmp"}])
    assert under(lines, "ha-mail-in-wan0", "ping: to dmz") == ["permit icmp any4 192.0.2.0 255.255.255.0", "permit icmp6 any6 2001:db8:1::/64"]
    assert under(lines, "ha-mail-in-dmz0", "ping: replies to wan") == [
        "permit icmp 192.0.2.0 255.255.255.0 any4 echo-reply", "permit icmp6 2001:db8:1::/64 any6 echo-reply"]
    assert not [line for line in rendered(rules=[]) if "echo-reply" in line]


def test_other_protocols():
    lines = rendered(rules=[{"name": "all", "from": ["203.0.113.0/28"], "to": ["dmz"], "protocol": "any"},
                            {"name": "names", "from": ["dmz"], "to": ["wan"], "protocol": "udp", "ports": [53]},
                            {"name": "routers", "from": ["203.0.113.33"], "to": ["192.0.2.1"], "protocol": "vrrp"}])
    assert under(lines, "ha-mail-in-wan0", "all: to dmz") == ["permit ip 203.0.113.0 255.255.255.240 192.0.2.0 255.255.255.0"]
    assert under(lines, "ha-mail-in-wan0", "routers: to dmz") == ["permit 112 host 203.0.113.33 host 192.0.2.1"]
    assert under(lines, "ha-mail-in-dmz0", "names: to wan") == ["permit udp 192.0.2.0 255.255.255.0 any4 eq 53", "permit udp 2001:db8:1::/64 any6 eq 53"]


def test_the_internet_is_what_is_left_after_the_zones_inside():
    lines = rendered()
    shut = "access-list ha-mail-in-dmz0 extended deny ip any4 198.51.100.0 255.255.255.0 log"
    outside = [line for line in lines if line.startswith("access-list ha-mail-in-dmz0 extended permit") and re.search(r"any[46] eq", line)]
    assert outside and all(lines.index(shut) < lines.index(line) for line in outside)
    inside = "access-list ha-mail-in-eth0 extended permit tcp 198.51.100.0 255.255.255.192 host 192.0.2.21 eq 22"
    assert lines.index(inside) < lines.index("access-list ha-mail-in-eth0 extended deny ip any4 192.0.2.0 255.255.255.0 log")


def test_nobody_outside_has_an_address_of_a_zone_inside_and_the_rest_is_dropped():
    lines = rendered()
    first = [line for line in lines if line.startswith("access-list ha-mail-in-wan0 extended")][:3]
    assert first == ["access-list ha-mail-in-wan0 extended deny ip 192.0.2.0 255.255.255.0 any4 log",
                     "access-list ha-mail-in-wan0 extended deny ip 198.51.100.0 255.255.255.0 any4 log",
                     "access-list ha-mail-in-wan0 extended deny ip 2001:db8:1::/64 any6 log"]
    for interface in ("wan0", "dmz0", "eth0"):
        bound = lines.index(f"access-group ha-mail-in-{interface} in interface {interface}")
        assert lines[bound - 1] == f"access-list ha-mail-in-{interface} extended deny ip any any log"
    assert not [line for line in lines if re.match(r"access-list ha-mail-in-(dmz|eth)0 extended permit (\S+) any", line)]


def test_a_limit_is_on_half_open_connections_and_a_note_says_so():
    lines, notes = asa.DIALECT.render(policy(), MEMBER)
    start = lines.index("class-map ha-mail-limit_120")
    assert lines[start:start + 7] == [
        "class-map ha-mail-limit_120", " match access-list ha-mail-limit_120", "policy-map ha-mail-limit", " class ha-mail-limit_120",
        "  set connection per-client-embryonic-max 120", "service-policy ha-mail-limit interface eth0", "service-policy ha-mail-limit interface wan0"]
    assert "access-list ha-mail-limit_120 extended permit tcp any6 host 2001:db8:1::101 eq 993" in lines
    assert [note for note in notes if "new connections a minute (smtp, imaps)" in note]


def test_a_limit_that_cannot_be_is_told():
    made = policy(rules=[{"name": "names", "from": ["wan"], "to": ["dmz"], "protocol": "udp", "ports": [53], "limit": {"per_minute": 9, "burst": 9}}])
    lines, notes = asa.DIALECT.render(made, MEMBER)
    assert [note for note in notes if "anything but TCP (names)" in note] and not [line for line in lines if "_9" in line]


def test_connections_leave_under_another_address_by_family_and_port():
    lines = rendered(nat=[NAT])
    assert lines[lines.index("object network ha-mail-nat-mail-leaves-as_to4"):] == [
        "object network ha-mail-nat-mail-leaves-as_to4", " host 203.0.113.9", "object network ha-mail-nat-mail-leaves-as_to6", " host 2001:db8:2::9",
        "object service ha-mail-nat-mail-leaves-as_tcp-25", " service tcp destination eq 25",
        "object-group network ha-mail-nat-mail-leaves-as_from4", " network-object 192.0.2.0 255.255.255.0",
        "object-group network ha-mail-nat-mail-leaves-as_from6", " network-object 2001:db8:1::/64",
        "nat (dmz0,wan0) source dynamic ha-mail-nat-mail-leaves-as_from4 ha-mail-nat-mail-leaves-as_to4 "
        "service ha-mail-nat-mail-leaves-as_tcp-25 ha-mail-nat-mail-leaves-as_tcp-25",
        "nat (dmz0,wan0) source dynamic ha-mail-nat-mail-leaves-as_from6 ha-mail-nat-mail-leaves-as_to6 "
        "service ha-mail-nat-mail-leaves-as_tcp-25 ha-mail-nat-mail-leaves-as_tcp-25"]
    lines = rendered(nat=[dict(NAT, protocol="any", ports=[], sources=["192.0.2.77"], address6="")], rules=[])
    assert lines[-1] == "nat (dmz0,wan0) source dynamic ha-mail-nat-mail-leaves-as_from4 ha-mail-nat-mail-leaves-as_to4"


@pytest.mark.parametrize("nat, told", [
    ([dict(NAT, protocol="any", ports=[])], "lets connections in to the same hosts"),
    ([dict(NAT, protocol="tcp", ports=[])], "lets connections in to the same hosts"),
    ([dict(NAT, protocol="icmp", ports=[])], "expected tcp or udp"),
    ([dict(NAT, sources=["192.0.2.21"], address6=""), dict(NAT, name="mail-leaves as", sources=["192.0.2.22"], address6="")], "rename one of them"),
])
def test_a_translation_that_cannot_be_is_refused(nat, told):
    with pytest.raises(DialectError, match=told):
        rendered(nat=nat)


@pytest.mark.parametrize("interfaces, told", [
    ({"wan": "wan0", "dmz": "dmz0"}, "'management': found the interface None"), ({"wan": "wan0", "dmz": "dmz 0", "management": "eth0"}, "without blanks"),
    ({"wan": "wan0", "dmz": "wan0", "management": "eth0"}, "that of another zone"),
])
def test_zones_need_interfaces_of_their_own(interfaces, told):
    with pytest.raises(DialectError, match=told):
        asa.DIALECT.render(policy(), {"interfaces": interfaces, "local": []})


# ---- reading

class Canned:
    """A session that answers from a table."""

    def __init__(self, **answers):
        self.answers = {command.replace("_", " "): answer for command, answer in answers.items()}

    def ask(self, command, **_options):
        return self.answers[command]


STATE = """\
               State          Last Failure Reason      Date/Time
This host  -   Primary
               {here}
Other host -   Secondary
               {there}

====Configuration State===
{copied}====Communication State===
        Mac set
"""
DONE = "        Sync Done\n        Sync Done - STANDBY\n"


@pytest.mark.parametrize("here, there, copied, role, peer, in_sync", [
    ("Active         None", "Standby Ready  None", DONE, "active", "standby", True),
    ("Active         Ifc Failure              07:14:34 UTC Oct 10 2023\n                              inside: Failed",
     "Standby Ready  Comm Failure             12:53:10 UTC Apr 25 2017", DONE, "active", "standby", True),
    ("Standby Ready  None", "Active         None", "\tSync Skipped - STANDBY\n", "standby", "active", True),
    ("Active         None", "Standby Ready  None", "\tConfig Syncing\n", "active", "standby", False),
    ("Active         None", "Failed         Comm Failure             02:31:46 UTC Jan 5 2026", DONE, "active", "absent", False),
    ("Active         None", "Failed         Ifc Failure              02:31:46 UTC Jan 5 2026", DONE, "active", "fault", False),
    ("Active         None", "Not Detected   Comm Failure             02:31:46 UTC Jan 5 2026", "", "active", "absent", False),
    ("Active         None", "Bulk Sync      None", DONE, "active", "fault", False),
    ("Failed         Ifc Failure              02:31:46 UTC Jan 5 2026", "Active         None", DONE, "fault", "active", False),
    ("Disabled       None", "Active         None", DONE, "fault", "active", False),
])
def test_roles(pair, here, there, copied, role, peer, in_sync):
    device = pair.of(0)
    real = device.ask
    text = STATE.format(here=here, there=there, copied=copied)
    device.ask = lambda command, **options: text if command == "show failover state" else real(command, **options)
    facts = device.facts()
    assert (facts["role"], facts["peer"], facts["in_sync"]) == (role, peer, in_sync)


@pytest.mark.parametrize("text", [
    "", "This host  -   Primary\n               Active         None\n", STATE.split("====")[0].format(here="Active", there="Failed")])
def test_a_state_that_is_cut_off_is_none(text):
    with pytest.raises(DialectError, match="show failover state"):
        asa.DIALECT(Canned(show_failover_state=text))._state()


@pytest.mark.parametrize("text, armed", [
    ("hits 0, last never", 44), ("hits 1, last 2026/01/05 10:00:00", None)])
def test_what_is_left_of_the_countdown(text, armed):
    head = ("event manager applet other, hits 3, last never\n  event countdown 9 secs, left 7 secs, hits 0, last never\n"
            f"event manager applet ha-mail-rollback, {text}\n")
    config = {"applet": {"seconds": 120, "lines": "", "actions": []}}
    told = f"  event countdown 120 secs, left {armed or 0} secs, {text}\n  action 1 cli command \"nat (a,b) 1 source dynamic x y\", {text}\n"
    assert asa.DIALECT(Canned(show_event_manager=head + told))._left(config) == armed
    without = re.sub(r"left \d+ secs, ", "", told)
    assert asa.DIALECT(Canned(show_event_manager=head + without))._left(config) == (120 if armed else None)
    acting = f"  event countdown 120 secs, left 0 secs, {text}\n"
    assert asa.DIALECT(Canned(show_event_manager=head + acting))._left(config) == (1 if armed else None)
    for broken in ("", head, head.split("\n")[0], head + "  event countdown 120\n"):
        with pytest.raises(DialectError, match="show event manager"):
            asa.DIALECT(Canned(show_event_manager=broken))._left(config)


def test_uplinks_are_the_monitored_interfaces_of_this_unit(pair):
    pair.devices[0].down = {"wan0"}
    assert pair.of(0).facts()["uplinks"] == [
        {"name": "wan0", "up": False}, {"name": "dmz0", "up": True}, {"name": "eth0", "up": True}, {"name": "lab0", "up": True}]
    assert all(uplink["up"] for uplink in pair.of(1).facts()["uplinks"])
    text = "\tThis host: Primary - Active \n\t\t  Interface management (192.0.2.1): Normal (Not-Monitored)\n\tOther host: Secondary - Standby Ready \n"
    with pytest.raises(DialectError, match="no monitored interface"):
        asa._uplinks(text)


def test_a_unit_without_failover_is_alone(pair):
    device = pair.of(0)
    real = device.ask
    device.ask = lambda command, **options: "Failover Off \nFailover unit Secondary\n" if command == "show failover" else real(command, **options)
    facts = device.facts()
    assert (facts["role"], facts["peer"], facts["in_sync"], facts["uplinks"]) == ("alone", "absent", False, [])


@pytest.mark.parametrize("spoil, code", [
    (lambda said: said[:300], ""), (lambda said: said.replace(": end", ""), ""), (lambda said: said.replace("!\n", "ERROR: out of memory\n", 1), "answer")])
def test_a_configuration_that_is_not_whole_is_not_quoted(pair, monkeypatch, spoil, code):
    secret = "enable password $sha512$5000$p1kmjnHyBmL+KxPbjX==$o5ZbVnKUI06D pbkdf2\n!\n"
    answer = pair.devices[0].answer
    monkeypatch.setattr(pair.devices[0], "answer", lambda terminal, command: (
        spoil(secret + answer(terminal, command)) if command == "show running-config" else answer(terminal, command)))
    with pytest.raises((DialectError, DeviceError)) as caught:
        pair.of(0).running()
    assert getattr(caught.value, "code", "") == code and "show running-config" in str(caught.value)
    assert "sha512" not in str(caught.value) and "password" not in str(caught.value)


def test_a_configuration_is_read_in_normal_form():
    text = """\
names
name 192.0.2.21 mail1 first server
object service ha-mail-nat-x_tcp-25-0123abcd
 service tcp destination eq smtp\x20
access-list ha-mail-in-wan0-0123abcd remark eq smtp mail1
access-list ha-mail-in-wan0-0123abcd extended permit tcp any4 host mail1 eq smtp\x20
access-list ha-mail-in-wan0-0123abcd extended permit udp 2001:DB8:0::/48 host 2001:db8:0:0::1 range domain 54 log informational interval 300
access-list ha-mail-in-wan0-99999999 extended permit ip any any
access-list ha-mail-in-wan0-0123abcd-test extended permit ip any any
access-group ha-mail-in-wan0-0123abcd in interface wan0
"""
    config = asa.parse(text)
    assert asa._lines(config) == [
        "access-list ha-mail-in-wan0 remark eq smtp mail1", "access-list ha-mail-in-wan0 extended permit tcp any4 host 192.0.2.21 eq 25",
        "access-list ha-mail-in-wan0 extended permit udp 2001:db8::/48 host 2001:db8::1 range 53 54 log", "access-group ha-mail-in-wan0 in interface wan0"]
    assert asa._removed(config) == ["clear configure access-list ha-mail-in-wan0-99999999", "no object service ha-mail-nat-x_tcp-25-0123abcd"]


# ---- changing


def sent(pair, member=0):
    """Commands that a unit got and that could change anything."""
    return [line for line in pair.devices[member].heard if not re.match(r"show |enable$|terminal |configure terminal$|end$|exit$", line)]


def test_everything_is_built_and_armed_before_anything_is_bound(pair):
    pair.of(0).apply(pair.lines(), SECONDS)
    lines = sent(pair)
    armed = lines.index(f"event timer countdown time {SECONDS}")
    bound = [index for index, line in enumerate(lines) if re.match("(no )?(access-group|nat|service-policy) ", line)]
    assert len(bound) == 6 and min(bound) == armed + 1 and max(bound) == len(lines) - 1
    assert all(index < armed for index, line in enumerate(lines) if line.startswith(("access-list", "object", "class-map", "policy-map", "action")))
    assert lines[armed + 1].startswith("access-group") and re.match(r"nat \(dmz0,wan0\) 1 source dynamic ", lines[-1])
    assert not [line for line in lines if line.startswith("clear") or line == "write memory"]


def test_the_applet_brings_back_what_was_bound_and_nothing_if_there_was_nothing(pair):
    device = pair.of(0)
    device.apply(pair.lines(rules=[], nat=[]), SECONDS)
    actions = [line.split('"')[1] for line in sent(pair) if line.startswith("action")]
    assert sorted(re.sub("-[0-9a-f]{8} ", " ", action) for action in actions) == [
        *(f"no access-group ha-mail-in-{name} in interface {name}" for name in ("dmz0", "eth0", "wan0")),
        *(f"no service-policy ha-mail-limit interface {name}" for name in ("eth0", "wan0"))]
    device.confirm()
    old = pair.devices[0].config.access_groups["wan0"]
    already = len(sent(pair))
    device.apply(pair.lines(nat=[]), SECONDS)
    actions = [line.split('"')[1] for line in sent(pair)[already:] if line.startswith("action")]
    assert f"access-group {old} in interface wan0" in actions and not [action for action in actions if action.startswith("no ")]


def test_the_old_generation_goes_with_the_confirmation_and_only_then_is_it_saved(pair):
    device = pair.of(0)
    device.apply(pair.lines(rules=[]), SECONDS)
    device.confirm()
    old = pair.devices[0].config.access_groups["wan0"]
    device.apply(pair.lines(), SECONDS)
    assert old in pair.devices[0].config.lists
    already = len(sent(pair))
    device.confirm()
    lines = sent(pair)[already:]
    assert lines[0] == "no event manager applet ha-mail-rollback" and lines[-1] == "write memory" and f"clear configure access-list {old}" in lines
    assert all(re.search(r" ha-mail-\S+$", line) for line in lines[:-1])
    assert old not in pair.devices[1].startup.lists


def test_a_part_that_stays_the_same_is_not_touched(pair):
    device = pair.of(0)
    device.apply(pair.lines(), SECONDS)
    device.confirm()
    already = len(sent(pair))
    lines = pair.lines(rules=[{"name": "partner", "from": ["203.0.113.0/28"], "to": ["mailservers"], "ports": [8443]}])
    device.apply(lines, SECONDS)
    changed = sent(pair)[already:]
    assert device.running() == lines
    assert not [line for line in changed if re.search(r"\bnat |service-policy|object", line)]
    assert [line for line in changed if line.startswith("access-group")]


def test_a_translation_comes_before_those_of_others_and_goes_back_there(pair):
    others = list(pair.devices[0].config.nat)
    device = pair.of(0)
    device.apply(pair.lines(nat=[NAT]), SECONDS)
    device.confirm()
    before = list(pair.devices[0].config.nat)
    assert len(before) == 3 and before[2:] == others
    device.apply(pair.lines(nat=[dict(NAT, address="203.0.113.10")]), SECONDS)
    assert len(pair.devices[0].config.nat) == 3 and pair.devices[0].config.nat != before
    pair.pass_time(SECONDS + 1)
    assert pair.devices[0].config.nat == before == pair.devices[1].config.nat


def test_what_somebody_changed_in_our_list_is_seen_and_replaced(pair):
    device, lines = pair.of(0), pair.lines()
    device.apply(lines, SECONDS)
    device.confirm()
    for unit in pair.devices:
        unit.config.lists[unit.config.access_groups["wan0"]].insert(0, "extended permit ip any any")
    assert "access-list ha-mail-in-wan0 extended permit ip any any" in device.running()
    device.apply(lines, SECONDS)
    assert device.running() == lines
    device.confirm()
    assert device.running() == device.saved() == lines


@pytest.mark.parametrize("at", ["^access-list ha-mail-in-wan0-.* eq 993$", "^class-map", "^object-group", "^action 2 ", "^event timer", "^nat ",
                                "^service-policy .* wan0$"])
def test_a_line_that_is_refused_anywhere_leaves_or_restores_the_old_policy(pair, at):
    device, old = pair.of(0), pair.lines(rules=[], nat=[dict(NAT, address="203.0.113.10")])
    wanted = pair.lines()
    wanted = [line.replace("max 120", "max 60") for line in wanted]
    device.apply(old, SECONDS)
    device.confirm()
    before = [unit.others() for unit in pair.devices]
    pair.devices[0].faults.refuse_at = at
    with pytest.raises(DeviceError) as caught:
        device.apply(wanted, SECONDS)
    assert caught.value.code == "answer"
    pair.devices[0].faults.refuse_at = None
    with pytest.raises(DialectError):
        pair.of(0).confirm()
    pair.of(0).revert()
    after = pair.of(0)
    assert after.running() == after.saved() == pair.of(1).running() == old and after.facts()["armed"] is None
    assert [unit.others() for unit in pair.devices] == before
    assert not asa._removed(after._read())


def test_the_other_unit_takes_it_back_if_this_one_fails_meanwhile(pair):
    device, old = pair.of(0), pair.lines(rules=[])
    device.apply(old, SECONDS)
    device.confirm()
    device.apply(pair.lines(), SECONDS)
    pair.devices[0].power(False)
    pair.pass_time(SECONDS + 1)
    other = pair.of(1)
    assert other.facts()["role"] == "active" and other.running() == old


def test_the_standby_is_not_changed(pair):
    already = len(sent(pair, 1))
    with pytest.raises(DialectError, match="found this unit standby, expected it active"):
        pair.of(1).apply(pair.lines(), SECONDS)
    with pytest.raises(DialectError, match="found this unit standby"):
        pair.of(1).confirm()
    assert len(sent(pair, 1)) == already and "configure terminal" not in pair.devices[1].heard


def test_two_changes_at_a_time_are_refused(pair):
    pair.of(0).apply(pair.lines(), SECONDS)
    with pytest.raises(DialectError, match="waits for its confirmation"):
        pair.of(0).apply(pair.lines(rules=[]), SECONDS)
    assert pair.of(0).running() == pair.lines()


def test_a_confirmation_that_was_cut_off_goes_on(pair):
    device = pair.of(0)
    device.apply(pair.lines(), SECONDS)
    pair.devices[0].faults.drop_at = "^write memory$"
    with pytest.raises(DeviceError):
        device.confirm()
    pair.devices[0].faults.drop_at = None
    assert pair.of(0).saved() == [] and pair.of(0).running() == pair.lines()
    pair.of(0).confirm()
    assert pair.of(0).saved() == pair.lines()
    with pytest.raises(DialectError, match="no change waits"):
        pair.of(0).confirm()


def _foreign_list(config):
    config.lists["outside_in"] = ["extended permit ip any any"]
    config.access_groups["wan0"] = "outside_in"


def _foreign_service_policy(config):
    config.policy_maps["outside-policy"] = []
    config.service_policies["wan0"] = "outside-policy"


@pytest.mark.parametrize("change, told", [
    (_foreign_list, "the access list 'outside_in' of somebody else at the interface 'wan0'"),
    (_foreign_service_policy, "the service policy 'outside-policy' of somebody else at the interface 'wan0'"),
])
def test_what_others_have_bound_is_refused_before_anything_is_sent(pair, change, told):
    change(pair.devices[0].config)
    with pytest.raises(DialectError, match=told):
        pair.of(0).apply(pair.lines(), SECONDS)
    assert not sent(pair)


def test_an_interface_that_is_not_there_is_refused_before_anything_is_sent(pair):
    lines = asa.DIALECT.render(policy(), {"interfaces": dict(MEMBER["interfaces"], wan="outside"), "local": []})[0]
    with pytest.raises(DialectError, match="no interface with the nameif 'outside'.*dmz0, eth0, lab0, wan0"):
        pair.of(0).apply(lines, SECONDS)
    assert not sent(pair)


def test_two_interfaces_of_one_security_level_need_a_permit():
    shown = "".join(f"interface G0/{level}\n nameif {name}\n security-level {level // 2 * 50}\n" for name, level in (("wan0", 2), ("dmz0", 3), ("eth0", 4)))
    bound = asa.plan(rendered(), asa.parse(shown))[1]
    with pytest.raises(DialectError, match="security level 50"):
        asa._free(asa.parse(shown), bound)
    asa._free(asa.parse(shown + "same-security-traffic permit inter-interface\n"), bound)


def test_a_wrong_enable_password(pair):
    with pytest.raises(DeviceError) as caught:
        pair.session(secret="guessed").open()
    assert caught.value.code == "refused"


@pytest.mark.parametrize("line", [
    "access-list x extended permit tcp any4 host 192.0.2.300 eq 25", "access-list x extended permit tcp any4 192.0.2.0",
    "access-list x extended allow ip any any",
    "access-list x extended permit tcp any4 192.0.2.1 255.255.255.0", "access-list x extended permit icmp any4 any4 packet-too-big",
    "access-list x extended permit tcp any6 host 192.0.2.1", "access-list x extended permit tcp any4 any4 eq 70000", "access-group nobody in interface wan0",
    "access-group lab_in in interface wan9", "nat (dmz0,wan0) source dynamic nobody lab-web", "no nat (dmz0,wan0) source dynamic lab-web lab-web",
    "event manager applet " + 33 * "x", "no event manager applet nobody", "service-policy nobody interface wan0", "clear configure access-list", "commit",
])
def test_the_simulator_takes_no_nonsense(pair, line):
    device = pair.of(0)
    before = pair.devices[0].others()
    with pytest.raises(DeviceError, match="ERROR: ") as caught:
        device.configure([line])
    assert caught.value.code == "answer" and pair.devices[0].others() == before


def test_the_standby_says_that_a_change_stays_there(pair):
    device = pair.of(1)
    device.session.open()
    said = device.session._connection.send_command("configure terminal", expect_string="#")
    assert "Configuration Replication is NOT performed from Standby unit to Active unit" in said and re.search(device.errors, said, re.MULTILINE)
