"""The Linux dialect without a firewall: lines, refusals and what is made of answers. With real ones: tests/e2e/test_firewall_pair.py."""

import hashlib
import importlib
import itertools
import pathlib
import re

import pytest
import yaml

from ansible_collections.mail.ha.plugins.action.firewall_config import ensure
from ansible_collections.mail.ha.plugins.connection import netmiko
from ansible_collections.mail.ha.plugins.module_utils.firewall_change import Change, ChangeError
from ansible_collections.mail.ha.plugins.module_utils.firewall_dialect import DialectError
from ansible_collections.mail.ha.plugins.module_utils.firewall_linux import Linux
from conftest import policy

LOCAL = [
    {"name": "ssh", "protocol": "tcp", "ports": [22], "sources4": ["198.51.100.0/24"], "sources6": []},
    {"name": "vrrp of the pair", "protocol": "vrrp", "ports": [], "sources4": ["192.0.2.4"], "sources6": []},
    {"name": "states of the pair", "protocol": "udp", "ports": [3780], "sources4": ["203.0.113.4"], "sources6": []},
]
MEMBER = {
    "interfaces": {"wan": "wan0", "dmz": "dmz0", "management": "eth0"}, "local": LOCAL, "packages": ["nftables", "conntrackd"],
    "programs": [{"path": "/usr/local/sbin/x", "mode": "0755", "text": "#!/bin/sh\n"}], "links": {"/etc/a.conf": "a.conf"}, "files": {"a.conf": "one\ntwo\n"},
}
STATUS = """running 0123456789abcdef
saved 0123456789abcdef
armed -
state MASTER
sessions 812
conntrackd active
peer BACKUP
states heard heard
keepalived active
address wan0 198.51.100.2/24 here
address dmz0 192.0.2.2/24 here
side wan up heard
side dmz up silent"""


class Shell:
    """A session whose answers were written down; :param answers: {part of a command: (what it prints, exit code)}"""

    def __init__(self, answers):
        self.answers, self.asked = answers, []

    def ask(self, command, **_options):
        self.asked.append(command)
        said, code = next(answer for part, answer in self.answers.items() if part in command)
        return "%s\nrc=%d" % (said, code) if code is not None else said

    def put(self, path, _text):
        self.asked.append("put %s" % path)

    def renew(self):
        self.asked.append("renew")


def shell(status=STATUS, code=0):
    return Shell({"os-release": ("version 13\nhostname fw1", 0), " status": (status, code)})


def test_lines_are_what_show_would_say():
    lines, notes = Linux.render(policy(), MEMBER)
    digest = hashlib.sha256(b"#!/bin/sh\n").hexdigest()[:16]
    assert notes == [] and lines[:6] == [
        "package: conntrackd", "package: nftables", "link: /etc/a.conf a.conf", "program: /usr/local/sbin/x 0755 " + digest, "a.conf: one", "a.conf: two"]
    assert "packages: conntrackd" in lines and "rules.nft: table inet ha_mail_firewall {" in lines
    assert Linux.render(policy(), MEMBER)[0] == lines
    assert Linux.common(lines) and not [line for line in Linux.common(lines) if "of the pair" in line or not line.startswith("rules.nft: ")]


def test_the_digest_of_a_generation_depends_on_every_file():
    digests = {Linux.render(policy(), dict(MEMBER, files=files))[0].digest for files in ({}, {"a.conf": ""}, {"a.conf": "one"}, {"b.conf": "one"})}
    assert len(digests) == 4


@pytest.mark.parametrize("left_out, words", [(0, "SSH"), (1, "VRRP"), (2, "conntrackd")])
def test_a_policy_that_would_cut_the_pair_off_is_refused(left_out, words):
    with pytest.raises(DialectError, match="found no rule for " + words):
        Linux.render(policy(), dict(MEMBER, local=[rule for index, rule in enumerate(LOCAL) if index != left_out]))


def test_a_rule_that_would_let_anybody_in_is_refused():
    with pytest.raises(DialectError, match="found no sources in the rule 'ssh'"):
        Linux.render(policy(), dict(MEMBER, local=[dict(LOCAL[0], sources4=[]), *LOCAL[1:]]))


def test_a_zone_without_an_interface_is_refused():
    with pytest.raises(DialectError, match="no interface is known for the zone dmz"):
        Linux.render(policy(), dict(MEMBER, interfaces={"wan": "wan0", "management": "eth0"}))


def test_facts_of_an_active_member():
    facts = Linux(shell()).facts()
    assert (facts["role"], facts["peer"], facts["in_sync"], facts["armed"], facts["sessions"]) == ("active", "standby", True, None, 812)
    assert facts["uplinks"] == [{"name": "wan", "up": True}, {"name": "dmz", "up": False}] and facts["providers"] == []


def test_providers_are_alive_only_if_somebody_says_so():
    said = STATUS + "\nuplink wan_a 4 alive\nuplink wan_a 6 dead\nuplink wan_b 4 unknown"
    assert Linux(shell(said)).facts()["providers"] == [
        {"name": "wan_a", "version": 4, "alive": True}, {"name": "wan_a", "version": 6, "alive": False}, {"name": "wan_b", "version": 4, "alive": False}]


@pytest.mark.parametrize("old, new, expected", [
    ("dmz0 192.0.2.2/24 here", "dmz0 192.0.2.2/24 elsewhere", {"role": "fault"}),
    ("here", "elsewhere", {"role": "fault"}),  # without addresses, and yet MASTER
    ("peer BACKUP", "peer FAULT", {"peer": "fault"}),
    ("peer BACKUP", "peer unknown", {"peer": "absent", "in_sync": False}),
    ("conntrackd active", "conntrackd failed", {"in_sync": False}),
    # The link is there, but what conntrackd sends does not come by it: in one direction, or in the other.
    ("states heard heard", "states silent heard", {
        "in_sync": False, "sync": "conntrackd is active, its peer is BACKUP, states of connections: silent here, heard there"}),
    ("states heard heard", "states heard silent", {"in_sync": False}),
    ("states heard heard", "states heard unknown", {"in_sync": True}),
    ("states heard heard", "states unknown", {"in_sync": True}),
    ("states heard heard\n", "", {"in_sync": True}),  # a program of before
    ("armed -", "armed 17", {"armed": 17}),
    ("armed -", "armed -2", {"armed": 0}),
])
def test_facts_when_something_is_wrong(old, new, expected):
    facts = Linux(shell(STATUS.replace(old, new))).facts()
    assert {name: facts[name] for name in expected} == expected


def test_a_standby_and_a_machine_that_is_no_firewall_yet():
    facts = Linux(shell(STATUS.replace("here", "elsewhere").replace("state MASTER", "state BACKUP").replace("peer BACKUP", "peer MASTER"))).facts()
    assert (facts["role"], facts["peer"]) == ("standby", "active")
    assert Linux(shell("absent -")).facts()["role"] == "alone"


@pytest.mark.parametrize("said", [STATUS.replace("saved 0123456789abcdef\n", ""), STATUS[:60], "", STATUS.replace("armed -", "armed soon"),
                                  STATUS + "\nside wan", STATUS + "\nuplink wan_a alive", STATUS + "\nuplink wan_a 5 alive"])
def test_an_answer_that_is_not_whole_is_none(said):
    with pytest.raises(DialectError, match="is the answer complete"):
        Linux(shell(said)).facts()


def test_commands_have_to_end_well():
    with pytest.raises(DialectError, match="ended with exit code 1: nft refuses the rules"):
        Linux(shell("nft refuses the rules", 1)).facts()
    with pytest.raises(DialectError, match="its exit code"):
        Linux(shell(STATUS, None)).facts()


class Updated(Linux):
    """A firewall that a change brings another program, which stays when the change is taken back."""

    before, after = (["package: nftables", "program: /usr/local/sbin/x 0755 %s" % digest, "rules.nft: a"] for digest in ("old", "new"))
    shown, armed = before, None

    def facts(self):
        return dict(Linux(shell()).facts(), armed=self.armed)

    def running(self):
        return list(self.shown)

    def saved(self):
        return list(self.shown)

    def apply(self, lines, seconds):
        self.shown = self.after
        raise DialectError("nft refuses the rules")

    def revert(self):
        self.shown, self.armed = self.after, None


def test_what_stays_when_a_change_is_taken_back_is_not_compared():
    change = Change(Updated(Shell({})), {"platform": "linux"}, Updated.after + ["rules.nft: b"], 120, itertools.count(step=30).__next__, lambda _seconds: None)
    with pytest.raises(ChangeError, match="nft refuses the rules The old policy is in force again"):
        ensure(change, "present", False)
    device = Updated(Shell({}))
    device.armed = 60
    assert ensure(Change(device, {"platform": "linux"}, Updated.after, 120, None, None), "reverted", False) is True
    assert Linux.restored(Updated.before) == Linux.restored(Updated.after) == ["rules.nft: a"]


def test_only_the_active_member_gives_its_role_away():
    standby = shell(STATUS.replace("here", "elsewhere").replace("state MASTER", "state BACKUP"))
    with pytest.raises(DialectError, match="ask the active member"):
        Linux(standby).switchover()
    assert not [command for command in standby.asked if "yield" in command]


@pytest.mark.parametrize("connection, expected", [
    ("198.51.100.7 50000 192.0.2.3 22", ""), ("2001:db8:9::7 50000 2001:db8::3 22", ""), ("2001:db8:9::7%eth0 50000 2001:db8::3 22", ""),
    ("198.51.101.7 50000 192.0.2.3 22", "sees this login come from 198.51.101.7 to its port 22, and the new policy lets nobody from there log in"),
    ("2001:db8:8::7 50000 2001:db8::3 22", "from 2001:db8:8::7"), ("198.51.100.7 50000 192.0.2.3 2222", "to its port 2222"),
    # In the networks of another rule, which is not for logins.
    ("203.0.113.4 50000 192.0.2.3 22", "from 203.0.113.4"), ("192.0.2.4 50000 192.0.2.3 22", "from 192.0.2.4"),
    ("198.51.100.777 50000 192.0.2.3 22", "nobody can tell whether the new policy lets this login in: '198.51.100.777' does not appear to be"),
    ("", "expected the addresses of this session"), ("198.51.100.7 50000", "expected the addresses of this session"),
])
def test_whoever_changes_it_can_log_in_afterwards_too(connection, expected):
    lines, _notes = Linux.render(policy(), dict(MEMBER, local=[dict(LOCAL[0], sources6=["2001:db8:9::/64"]), *LOCAL[1:]]))
    session = Shell({"SSH_CONNECTION": (f"from {connection}", 0), "": ("", 0)})
    try:
        Linux(session).apply(lines, 60)
        said = ""
    except DialectError as error:
        said = str(error)
    assert expected in said if expected else said == ""
    # Before anything was brought.
    assert (len(session.asked) == 1) == bool(expected), session.asked


def test_a_network_that_is_none_is_refused_in_a_sentence():
    lines, _notes = Linux.render(policy(), dict(MEMBER, local=[dict(LOCAL[0], sources4=["office"]), *LOCAL[1:]]))
    with pytest.raises(DialectError, match="nobody can tell whether the new policy lets this login in: 'office' does not appear to be"):
        Linux(Shell({"SSH_CONNECTION": ("from 198.51.100.7 50000 192.0.2.3 22", 0)})).ready(lines, 60)


def test_what_a_run_that_was_cut_off_has_masked_is_unmasked_and_enabled():
    session = Shell({"dpkg-query": ("installed nftables\ninstalled conntrackd", 0), "": ("", 0)})
    Linux(session)._prepare(MEMBER)
    changes = [command.partition(";")[0] for command in session.asked if "systemctl" in command]
    assert changes == ["sudo -n systemctl unmask --quiet --runtime conntrackd", "sudo -n systemctl daemon-reload && sudo -n systemctl enable --quiet conntrackd"]


def test_no_deadline_is_longer_than_what_the_connection_grants():
    """Ansible ends the session of whoever takes longer than that, whatever its own deadline says."""
    granted = yaml.safe_load(netmiko.DOCUMENTATION)["options"]["persistent_command_timeout"]["default"]
    found = {}
    for place in pathlib.Path(netmiko.__file__).parents[1].glob("module_utils/firewall_*.py"):
        names = vars(importlib.import_module(f"ansible_collections.mail.ha.plugins.module_utils.{place.stem}"))
        for word in re.findall(r"deadline=(\d+|[A-Z]+)\b", place.read_text()):
            found[place.stem, word] = names[word] if word.isalpha() else int(word)
    assert found["firewall_linux", "INSTALL"] == max(found.values()) == 600 < granted, found
