"""What is special to Junos: the words of the configuration group, confirmed commits, what the cluster says of itself."""

import copy
import re

import pytest
from ansible.module_utils.connection import ConnectionError as DeviceError

from ansible_collections.mail.ha.plugins.module_utils import firewall_juniper_junos_rules as rules
from ansible_collections.mail.ha.plugins.module_utils.firewall_dialect import DialectError
from ansible_collections.mail.ha.plugins.module_utils.firewall_juniper_junos import DIALECT
from conftest import CATALOGUE, MEMBER, Pair, policy

HEAD = "set groups ha-mail "
SMALL = [HEAD + "security address-book global address ha-mail-a 192.0.2.0/24", rules.APPLIED]
OTHER = [HEAD + "security address-book global address ha-mail-b 198.51.100.0/24", rules.APPLIED]


@pytest.fixture
def pair(tmp_path):
    """A pair of this platform only."""
    made = Pair("juniper_junos", tmp_path)
    yield made
    made.close()


class Spoken:
    """A session with fixed answers; remembers what was asked."""

    def __init__(self, answers):
        self.answers, self.heard = dict(answers), []

    def ask(self, command, **_options):
        """The answer to a command, which has to be known."""
        self.heard.append(command)
        return self.answers[command]


STATUS = """Monitor Failure codes:
    CS  Cold Sync monitoring        FL  Fabric Connection monitoring
    CF  Config Sync monitoring      RE  Relinquish monitoring
\x20
Cluster ID: 2
Node   Priority Status               Preempt Manual   Monitor-failures

Redundancy group: 0 , Failover count: 1
node0  100      primary              no      no       None
node1  1        secondary            no      no       None

Redundancy group: 1 , Failover count: 3
node0  100      primary              yes     no       None
node1  1        secondary            yes     no       None

{primary:node0}"""
ANSWERS = {
    "show chassis cluster status": STATUS,
    "show version": "node0:\n" + 74 * "-" + "\nHostname: fw-a\nModel: srx345\nJunos: 21.4R3-S5.4\n\nnode1:\n" + 74 * "-"
                    + "\nHostname: fw-b\nModel: srx345\nJunos: 20.2R1.10\n\n{primary:node0}",
    "show chassis cluster interfaces": """Control link status: Up

Fabric link status: Up

Redundant-ethernet Information:
    Name         Status      Redundancy-group
    reth0        Up          1
    reth1        Down        1
    reth2        Down        Not configured

{primary:node0}""",
    "show chassis cluster information configuration-synchronization": """node0:
--------------------------------------------------------------------------

Configuration Synchronization:
    Status:
        Activation status: Enabled
        Last sync operation: Auto-Sync
        Last sync result: Not needed
        Last sync mgd messages:

node1:
--------------------------------------------------------------------------

Configuration Synchronization:
    Status:
        Activation status: Enabled
        Last sync operation: Auto-Sync
        Last sync result: Succeeded
        Last sync mgd messages:
            mgd: commit complete

{primary:node0}""",
    "show security flow session summary": "node0:\n---\nUnicast-sessions: 7\nSessions-in-use: 9\nMaximum-sessions: 64\n\nnode1:\n---\nSessions-in-use: 400\n\n"
                                          "{primary:node0}",
    "show system commit": "0   2026-11-26 09:00:00 UTC by bob via cli commit confirmed, rollback in 10mins\n1   2026-11-25 09:00:00 UTC by bob via cli\n\n"
                          "{primary:node0}",
    "show system uptime": "node0:\n---\nCurrent time: 2026-11-26 09:03:30 UTC\n\nnode1:\n---\nCurrent time: 2026-11-26 10:03:30 UTC\n\n{primary:node0}",
}


def facts(**changes):
    """Facts from the answers above. :param changes: first words of commands, joined by _, and what they say instead"""
    answers = dict(ANSWERS)
    for name, said in changes.items():
        command = next(command for command in answers if command.startswith("show " + name.replace("_", " ")))
        answers[command] = said
    return DIALECT(Spoken(answers)).facts()


def rendered(start, end, made=None):
    """``{policy name: its lines without the name}`` from one security zone to another, in their order."""
    found = {}
    for line in rules.render(made or policy(), MEMBER)[0]:
        match = re.match(rf"{HEAD}security policies from-zone {start} to-zone {end} policy (\S+) (.*)", line)
        if match:
            found.setdefault(match[1], []).append(match[2])
    return found


# ---- the words

def test_a_service_for_everybody():
    assert rendered("wan0", "dmz0")["ha-mail-smtp"] == [
        'description "smtp"', "match application ha-mail-tcp-25", "match destination-address ha-mail-192-0-2-101-32",
        "match destination-address ha-mail-192-0-2-102-32", "match destination-address ha-mail-2001-db8-1--101-128", "match source-address any", "then permit"]
    lines = rules.render(policy(), MEMBER)[0]
    assert HEAD + "applications application ha-mail-tcp-25 protocol tcp" in lines
    assert HEAD + "applications application ha-mail-tcp-25 destination-port 25" in lines
    assert HEAD + "applications application ha-mail-tcp-9000-9010 destination-port 9000-9010" in lines
    assert HEAD + "security address-book global address ha-mail-2001-db8-1--101-128 2001:db8:1::101/128" in lines


def test_somebody_who_is_shut_out_and_logged():
    assert rendered("wan0", "dmz0")["ha-mail-guests-who-were-shut-out"] == [
        'description "guests who were shut out"', "match application any", "match destination-address any",
        "match source-address ha-mail-2001-db8-66---48", "match source-address ha-mail-203-0-113-66-32", "then deny", "then log session-init"]


def test_ping_of_both_families_or_of_the_one_that_a_zone_has():
    assert rendered("wan0", "dmz0")["ha-mail-ping"] == [
        'description "ping"', "match application junos-icmp-all", "match application junos-icmp6-all", "match destination-address any",
        "match source-address any", "then permit"]
    assert rendered("eth0", "dmz0")["ha-mail-ping"] == [
        'description "ping"', "match application junos-icmp-all", "match destination-address any-ipv4", "match source-address ha-mail-198-51-100-0-24",
        "then permit"]


def test_first_who_pretends_to_be_inside_then_the_rules_in_order_then_the_rest():
    found = rendered("wan0", "dmz0")
    assert list(found) == ["ha-mail-spoofed", "ha-mail-guests-who-were-shut-out", "ha-mail-partner", "ha-mail-ping", "ha-mail-smtp", "ha-mail-imaps",
                           "ha-mail-rest"]
    assert found["ha-mail-spoofed"][3:] == [
        "match source-address ha-mail-192-0-2-0-24", "match source-address ha-mail-198-51-100-0-24", "match source-address ha-mail-2001-db8-1---64",
        "then deny", "then log session-init"]
    assert found["ha-mail-rest"] == ['description "what fits no rule"', "match application any", "match destination-address any", "match source-address any",
                                     "then deny", "then log session-init"]
    # Where nothing may pass, that is said too; and inside, no policy that lets pass names everybody as its source.
    assert list(rendered("eth0", "wan0")) == ["ha-mail-rest"]
    assert not [lines for lines in rendered("dmz0", "wan0").values() if "then permit" in lines and "match source-address any" in lines]


def test_a_translation():
    assert [line for line in rules.render(policy(), MEMBER)[0] if " nat " in line] == [
        HEAD + "security nat source " + line for line in (
            "pool ha-mail-mail-leaves-as-4 address 192.0.2.101/32", "rule-set ha-mail-dmz0-to-wan0 from zone dmz0",
            "rule-set ha-mail-dmz0-to-wan0 rule ha-mail-mail-leaves-as-4-1 match destination-port 25",
            "rule-set ha-mail-dmz0-to-wan0 rule ha-mail-mail-leaves-as-4-1 match protocol tcp",
            "rule-set ha-mail-dmz0-to-wan0 rule ha-mail-mail-leaves-as-4-1 match source-address 192.0.2.21/32",
            "rule-set ha-mail-dmz0-to-wan0 rule ha-mail-mail-leaves-as-4-1 match source-address 192.0.2.22/32",
            "rule-set ha-mail-dmz0-to-wan0 rule ha-mail-mail-leaves-as-4-1 then source-nat pool ha-mail-mail-leaves-as-4",
            "rule-set ha-mail-dmz0-to-wan0 to zone wan0")]


def test_a_translation_of_both_families_without_ports_and_with_a_range():
    nat = [{"name": "one", "from": "dmz", "to": "wan", "protocol": "icmp", "address": "192.0.2.101", "address6": "2001:DB8:1::0101"},
           {"name": "two", "from": "dmz", "to": "wan", "protocol": "udp", "ports": ["50-60", 70], "address": "192.0.2.102"}]
    lines = "\n".join(rules.render(policy(nat=nat), MEMBER)[0])
    for expected in ("pool ha-mail-one-6 address 2001:db8:1::101/128", "rule ha-mail-one-6-1 match protocol icmp6",
                     "rule ha-mail-one-4-1 match protocol icmp\n",
                     "rule ha-mail-one-4-1 match source-address 192.0.2.0/24", "rule ha-mail-one-6-1 match source-address 2001:db8:1::/64",
                     "rule ha-mail-two-4-1 match destination-port 50 to 60", "rule ha-mail-two-4-2 match destination-port 70"):
        assert expected in lines
    assert "ha-mail-two-6" not in lines and "rule ha-mail-one-4-1 match destination-port" not in lines


def test_limits_are_those_of_the_zone_and_said_so():
    lines, notes = rules.render(policy(), MEMBER)
    assert HEAD + "security screen ids-option ha-mail-wan0 tcp syn-flood source-threshold 122" in lines
    assert HEAD + "security zones security-zone <wan0> screen ha-mail-wan0" in lines
    assert [note for note in notes if note.startswith("Limits of 'smtp', 'imaps'") and "122 TCP connections a second from zone wan0" in note]
    made = policy()
    for rule in made["rules"]:
        rule["limit"] = {"per_minute": 1, "burst": 1} if rule["name"] == "smtp" else rule["limit"] and None
        rule["protocol"], rule["ports"] = ("udp", ["53"]) if rule["name"] == "imaps" else (rule["protocol"], rule["ports"])
        rule["limit"] = {"per_minute": 9, "burst": 9} if rule["name"] == "imaps" else rule["limit"]
    lines, notes = rules.render(made, MEMBER)
    assert HEAD + "security screen ids-option ha-mail-wan0 tcp syn-flood source-threshold 4" in lines
    assert "Limits of 'imaps' are not kept: there are none for one source and other protocols than TCP." in notes


@pytest.mark.parametrize("interfaces, problem", [
    ({"wan": "wan0", "dmz": "dmz0"}, "zone 'management': found the security zone None"), ({"wan": "a b", "dmz": "d", "management": "m"}, "zone 'wan': found"),
    ({"wan": "same", "dmz": "same", "management": "m"}, "that of another zone"), ({"wan": "junos-host", "dmz": "d", "management": "m"}, "not beginning with")])
def test_zones_have_to_be_names_of_their_own(interfaces, problem):
    with pytest.raises(DialectError, match=problem):
        rules.render(policy(), {"interfaces": interfaces})


def test_names_differ_although_letters_are_lost():
    own = [{"name": name, "from": ["203.0.113.0/28"], "to": ["dmz"], "ports": [port]} for port, name in enumerate(("A b", "a-b", "rest", 60 * "x"), 1000)]
    names = list(rendered("wan0", "dmz0", policy(rules=own)))
    assert len(names) == 4 + 2 + 2 and all(len(name) <= 63 for name in names) and names[-1] == "ha-mail-rest"
    assert [re.sub("-[0-9a-f]{7}$", "-#", name) for name in names[1:4]] == ["ha-mail-a-b-#", "ha-mail-a-b-#", "ha-mail-rest-#"]


def test_a_rule_that_nobody_can_use_is_told():
    made = policy()
    made["rules"][-1]["families"] = [{"version": 6, "sources": [], "destinations": ["2001:db8:1::21/128"]}]
    assert made["rules"][-1]["from"] == "management"
    assert [note for note in rules.render(made, MEMBER)[1] if note.startswith("'ssh' from management to dmz has no policy")]


def test_only_the_order_of_policies_and_translations_means_something():
    lines = rules.render(policy(), MEMBER)[0]
    turned = copy.copy(lines)
    turned.sort(key=lambda line: (" applications " not in line, " zones " not in line))
    turned = [line.replace('description "smtp"', "description smtp") for line in turned]
    assert turned != lines and rules.normal(turned) == lines
    first = [line for line in lines if "to-zone dmz0 policy ha-mail-smtp " in line]
    assert rules.normal(first + [line for line in lines if line not in first]) != lines


# ---- what the device shows

ROLLED_BACK = """## Last changed: 2026-11-26 08:00:00 UTC
version 21.4R3-S5.4;
groups {
    node0 {
        system {
            host-name ha-mail;
        }
    }
    ha-mail {
        security {
            nat {
                source {
                    pool ha-mail-x-4 {
                        address {
                            192.0.2.101/32;
                        }
                    }
                }
            }
            policies {
                from-zone wan0 to-zone dmz0 {
                    /* by hand */
                    policy ha-mail-z {
                        description "one; two {";
                        match {
                            source-address [ ha-mail-b ha-mail-a ];
                            application any;
                        }
                        then {
                            permit;
                        }
                    }
                    inactive: policy ha-mail-a {
                        then {
                            deny;
                        }
                    }
                }
            }
        }
    }
}
apply-groups [ "${node}" ha-mail ];
system {
    root-authentication {
        encrypted-password "$6$x;y"; ## SECRET-DATA
    }
}
"""
IN_SET_LINES = [
    "deactivate groups ha-mail security policies from-zone wan0 to-zone dmz0 policy ha-mail-a",
    HEAD + "security nat source pool ha-mail-x-4 address 192.0.2.101/32",
    HEAD + 'security policies from-zone wan0 to-zone dmz0 policy ha-mail-z description "one; two {"',
    HEAD + "security policies from-zone wan0 to-zone dmz0 policy ha-mail-z match application any",
    HEAD + "security policies from-zone wan0 to-zone dmz0 policy ha-mail-z match source-address ha-mail-a",
    HEAD + "security policies from-zone wan0 to-zone dmz0 policy ha-mail-z match source-address ha-mail-b",
    HEAD + "security policies from-zone wan0 to-zone dmz0 policy ha-mail-z then permit",
    HEAD + "security policies from-zone wan0 to-zone dmz0 policy ha-mail-a then deny",
    "set apply-groups ha-mail"]


HASH = 'encrypted-password "$6$x;y"; ## SECRET-DATA'


def test_a_configuration_in_braces_is_read_as_set_lines():
    assert rules.statements(ROLLED_BACK) == IN_SET_LINES
    assert rules.statements("version 21.4R3;\ngroups {\n    other {\n        x;\n    }\n}\napply-groups other;\n") == []


@pytest.mark.parametrize("text, problem", [
    (ROLLED_BACK[:900], "expected a whole configuration"), (ROLLED_BACK.replace("version 21.4R3-S5.4;", ""), "expected a whole configuration"),
    (ROLLED_BACK.replace("permit;", "permit"), "expected a statement"),
    # The end of our group was lost, and what comes next looks like a part of it.
    ("version 21.4R3;\ngroups {\n    ha-mail {\n        " + HASH + "\n    }\n}\n", "in line 4 of the configuration"),
    (HASH + "\n" + ROLLED_BACK[:900], "expected a whole configuration")])
def test_a_configuration_that_is_cut_off_or_strange_is_refused_and_not_quoted(text, problem):
    with pytest.raises(DialectError, match=problem) as caught:
        rules.statements(text)
    assert "$6$" not in str(caught.value)


def test_a_group_that_is_not_applied_is_not_the_policy():
    commands = ["show configuration groups ha-mail | display set", "show configuration apply-groups | display set"]
    for applied, expected in (('set apply-groups "${node}"\nset apply-groups ha-mail', SMALL), ('set apply-groups "${node}"', SMALL[:1])):
        assert DIALECT(Spoken(zip(commands, (SMALL[0] + "\n\n{primary:node0}", applied)))).running() == expected
    with pytest.raises(DialectError, match="expected lines that begin with 'set groups ha-mail'"):
        DIALECT(Spoken(zip(commands, ("set groups ha-mail-2 system", "")))).running()


def test_facts_are_those_of_the_node_that_answers():
    assert facts() == {
        "platform": "juniper_junos", "version": "21.4R3-S5.4", "hostname": "fw-a", "model": "srx345", "role": "active", "peer": "standby", "in_sync": True,
        "sync": "last copy of the configuration: node0 Not needed, node1 Succeeded; control link Up, fabric link Up; failures: none",
        "uplinks": [{"name": "reth0", "up": True}, {"name": "reth1", "up": False}], "providers": [], "sessions": 9, "armed": None}
    other = facts(chassis_cluster_status=STATUS.replace("{primary:node0}", "{secondary:node1}"))
    assert (other["hostname"], other["version"], other["role"], other["peer"], other["sessions"]) == ("fw-b", "20.2R1.10", "standby", "active", 400)


@pytest.mark.parametrize("row, instead, expected", [
    ("node1  1        secondary            yes     no       None", "node1  0        secondary            yes     no       IF", ("active", "fault", False)),
    ("node1  1        secondary            no      no       None", "node1  1        secondary-hold       no      no       None", ("active", "fault", False)),
    ("node1  1        secondary            no      no       None", "node1  1        ineligible           no      no       None", ("active", "fault", False)),
    ("node1  1        secondary            yes     no       None", "node1  1        secondary            yes     no       CS", ("active", "standby", False)),
    ("node0  100      primary              yes     no       None", "node0  100      secondary            yes     no       None", ("standby", "standby", True)),
])
def test_roles_of_a_cluster_that_is_not_well(row, instead, expected):
    found = facts(chassis_cluster_status=STATUS.replace(row, instead))
    assert (found["role"], found["peer"], found["in_sync"]) == expected


def test_a_group_for_each_node_is_no_active_member():
    two = STATUS.replace("\n{primary", "\nRedundancy group: 2 , Failover count: 0\nnode0  1 secondary no no None\nnode1  100 primary no no None\n\n{primary")
    found = facts(chassis_cluster_status=two)
    assert (found["role"], found["peer"]) == ("fault", "fault")
    with pytest.raises(DialectError, match="Bring them together first"):
        DIALECT(Spoken(dict(ANSWERS, **{"show chassis cluster status": two}))).switchover()


def test_a_lost_peer_and_a_device_without_a_cluster():
    lost = STATUS.replace("1        secondary            no      no       None", "0        lost                 n/a     n/a      n/a").replace(
        "1        secondary            yes     no       None", "0        lost                 n/a     n/a      n/a")
    found = facts(chassis_cluster_status=lost, version="node0:\n---\nHostname: a\nModel: m\nJunos: 21.4R3\n\nnode1:\n---\nerror: Could not connect to node1\n")
    assert (found["role"], found["peer"], found["in_sync"]) == ("active", "absent", False)
    alone = facts(chassis_cluster_status="error: Chassis cluster is not enabled.", version="Hostname: a\nModel: m\nJunos: 21.4R3\n",
                  security_flow="Sessions-in-use: 3\n")
    assert (alone["role"], alone["peer"], alone["in_sync"], alone["sessions"]) == ("alone", "absent", False, 3)


@pytest.mark.parametrize("changes, problem", [
    ({"chassis_cluster_status": STATUS.replace("{primary:node0}", "")}, "number of this node"),
    ({"chassis_cluster_status": STATUS.replace("node1  1        secondary            no", "")}, "expected both nodes"),
    ({"version": "node1:\n---\nHostname: b\nModel: m\nJunos: 21.4R3\n"}, "expected node0 too"), ({"version": "Hostname: b\nModel: m\n"}, "Junos and a version"),
    ({"chassis_cluster_interfaces": "Control link status: Up\n"}, "status of the fabric link"),
    ({"chassis_cluster_information": "node0:\n---\nnode1:\n---\n"}, "last sync result"), ({"system_commit": "\n"}, "expected a list of commits"),
    ({"security_flow": "node0:\n---\nUnicast-sessions: 7\n"}, "expected Sessions-in-use")])
def test_an_answer_without_what_is_needed_is_refused(changes, problem):
    with pytest.raises(DialectError, match=problem):
        facts(**changes)


def test_only_a_rollback_that_is_pending_counts():
    pending = "0   2026-11-26 09:00:00 UTC by bob via cli commit confirmed, rollback in 10mins\n    a note\n    rollback pending\n" \
              "1   2026-11-25 09:00:00 UTC by x via cli\n"
    assert facts(system_commit=pending)["armed"] == 600 - 210
    older = "0   2026-11-26 09:02:00 UTC by bob via cli\n" + pending.replace("\n1 ", "\n2 ").replace("0   ", "1   ", 1)
    assert facts(system_commit=older)["armed"] is None
    with pytest.raises(DialectError, match="minutes until the rollback"):
        facts(system_commit=pending.replace("10mins", "soon"))


# ---- on the simulated pair

def test_the_order_of_a_change(pair):
    pair.of(0).apply(SMALL, 61)
    heard = pair.devices[0].heard
    begin = heard.index("configure exclusive")
    assert heard[begin:] == ["configure exclusive", "delete groups ha-mail", "delete apply-groups ha-mail", *SMALL, "commit check",
                             'commit confirmed 2 comment "ha-mail"', "exit configuration-mode"]
    # Nothing may be committed or checked before it is known that nobody waits for a confirmation.
    assert "show system commit" in heard[:begin]
    assert not [command for command in pair.devices[1].heard if command.startswith(("set groups", "commit"))]


def test_with_a_change_pending_the_saved_policy_is_the_one_before(pair):
    device = pair.of(0)
    device.apply(OTHER, 60)
    device.confirm()
    device.apply(SMALL, 60)
    assert (device.running(), device.saved()) == (SMALL, OTHER)


def test_a_change_of_somebody_else_is_left_alone(pair):
    first = pair.devices[0]
    first.commit(first.history[0][0], "bob", "cli commit confirmed, rollback in 5mins", "maintenance")
    first.pending = first.now() + 300
    device = pair.of(0)
    for call in (lambda: device.apply(SMALL, 60), device.confirm, device.revert):
        with pytest.raises(DialectError, match="another change waits|somebody else waits"):
            call()
    assert first.pending is not None and not [command for command in first.heard if command.startswith(("commit", "configure"))]


def test_a_lock_of_somebody_else_is_told_with_the_name(pair):
    pair.devices[0].stranger = "bob"
    with pytest.raises(DeviceError, match="locked by: bob") as caught:
        pair.of(0).apply(SMALL, 60)
    assert caught.value.code == "answer"
    assert not [command for command in pair.devices[0].heard if command.startswith("set groups")]


def test_what_the_check_refuses_leaves_nothing_and_no_lock(pair):
    wrong = rules.normal([HEAD + f"security policies from-zone nowhere to-zone dmz0 policy ha-mail-x {rest}" for rest in (
        "match source-address any", "match destination-address any", "match application any", "then permit")] + [rules.APPLIED])
    device = pair.of(0)
    with pytest.raises(DeviceError, match="nowhere"):
        device.apply(wrong, 60)
    assert pair.devices[0].heard[-2:] == ["rollback 0", "exit configuration-mode"] and pair.devices[0].lock_holder is None
    assert not [command for command in pair.devices[0].heard if command.startswith("commit confirmed")]
    pair.of(0).apply(SMALL, 60)


def test_a_zone_for_a_screen_has_to_exist_and_the_screen_of_others_holds(pair):
    tree = pair.devices[0].history[0][0]
    for line in ("security screen ids-option ha-mail-q tcp syn-flood source-threshold 9", "security zones security-zone <wan0> screen ha-mail-q",
                 "security zones security-zone <wan00> screen ha-mail-q"):
        tree.set("groups ha-mail " + line)
    tree.set("apply-groups ha-mail")
    assert set(tree.expanded().at("security", "zones").named("security-zone")) == {"wan0", "dmz0", "eth0"}
    assert list(tree.expanded().at("security", "zones", "security-zone wan0").named("screen")) == ["ha-mail-q"]
    tree.set("security zones security-zone wan0 screen untrust-screen")
    assert list(tree.expanded().at("security", "zones", "security-zone wan0").named("screen")) == ["untrust-screen"]


def test_all_that_is_rendered_passes_the_check_and_comes_behind_policies_of_others(pair):
    tree = pair.devices[0].history[0][0]
    for line in pair.lines():
        tree.set(line.removeprefix("set "))
    tree.check()
    policies = tree.expanded().at("security", "policies", "from-zone dmz0 to-zone wan0").named("policy")
    assert list(policies) == ["backup", "ha-mail-outbound-mail", "ha-mail-time", "ha-mail-rest"]
    # In braces it is the same.
    assert rules.statements(tree.text()) == pair.lines()


def test_a_confirmation_of_the_check_alone_would_be_seen(pair):
    """What the module says about ``commit check``, as the simulated device has it from the CLI guide."""
    device = pair.of(0)
    device.apply(SMALL, 60)
    device.ask("configure exclusive")
    device.configure(["commit check"])
    device.session.leave()
    assert device.facts()["armed"] is None
    with pytest.raises(DialectError, match="taken back already"):
        device.confirm()


def test_a_switchover_resets_the_flag_first_and_leaves_the_routing_engine(pair):
    pair.of(0).switchover()
    pair.of(1).switchover()
    asked = [command for command in pair.heard() if command.startswith("request")]
    assert asked == ["request chassis cluster failover redundancy-group 1 node 1", "request chassis cluster failover reset redundancy-group 1",
                     "request chassis cluster failover redundancy-group 1 node 0"]
    assert pair.devices[0].cluster.primary == {0: 0, 1: 0}


def test_a_switchover_to_a_node_that_cannot_is_refused(pair):
    pair.devices[1].lose_sync()
    with pytest.raises(DeviceError, match="not eligible"):
        pair.of(0).switchover()
    assert pair.of(0).facts()["role"] == "active"


def test_a_change_where_the_routing_engine_is_not_is_refused(pair):
    pair.of(0).switchover()
    assert pair.of(1).facts()["role"] == "active"
    with pytest.raises(DialectError, match="routing engine of the cluster"):
        pair.of(1).apply(SMALL, 60)
    assert "configure exclusive" not in pair.devices[1].heard


def test_every_service_of_the_catalogue_is_there():
    names = {name for pair in (("wan0", "dmz0"), ("dmz0", "wan0"), ("eth0", "dmz0")) for name in rendered(*pair)}
    assert {f"ha-mail-{flow['name'].replace(' ', '-')}" for flow in CATALOGUE} <= names
