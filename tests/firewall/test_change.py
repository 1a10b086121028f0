"""A change that cannot lock anybody out (module_utils/firewall_change.py, the three modules), on one simulated pair."""

import json
import pathlib
import re
import sys

import pytest
import yaml

from ansible_collections.mail.ha.plugins.action.firewall_config import ensure
from ansible_collections.mail.ha.plugins.module_utils import firewall_platforms
from ansible_collections.mail.ha.plugins.module_utils.firewall_change import Change, ChangeError
from ansible_collections.mail.ha.plugins.module_utils.firewall_dialect import DialectError
from conftest import MEMBER, Pair, policy, run_playbook
from simulator import server

PLATFORM = "juniper_junos"
SECONDS = 120


@pytest.fixture(name="pair")
def fixture_pair(tmp_path):
    """One platform is enough here: what differs between them is the dialects' contract."""
    made = Pair(PLATFORM, tmp_path)
    yield made
    made.close()


class Clock:
    """Time of the control node, which goes on only when somebody sleeps; that of the devices goes along."""

    def __init__(self, pair):
        self.pair, self.time = pair, 0

    def now(self):
        return self.time

    def sleep(self, seconds):
        self.time += seconds
        self.pair.pass_time(seconds)


def change_of(pair, member=0, lines=None, **declared):
    """A change of one member to the policy, or to other lines."""
    clock = Clock(pair)
    return Change(pair.of(member), dict({"platform": PLATFORM}, **declared), lines or pair.lines(), SECONDS, clock.now, clock.sleep)


def test_present_is_applied_confirmed_and_then_nothing_is_left_to_do(pair):
    assert ensure(change_of(pair), "present", False) is True
    already = len(pair.heard())
    again = change_of(pair)
    assert ensure(again, "present", False) is False
    assert again.running == again.saved == again.lines and again.facts["armed"] is None
    assert not [command for command in pair.heard()[already:] if not command.startswith(("show", "set cli"))]


def test_check_mode_reads_only(pair):
    change = change_of(pair)
    already = len(pair.heard())
    assert ensure(change, "present", True) is True
    assert not [command for command in pair.heard()[already:] if not command.startswith(("show", "set cli"))]
    assert pair.of(0).running() == []


def test_armed_then_confirmed_by_a_later_task(pair):
    assert ensure(change_of(pair), "armed", False) is True
    assert pair.of(0).facts()["armed"] and pair.of(0).saved() == []
    assert ensure(change_of(pair), "armed", False) is False
    assert ensure(change_of(pair), "confirmed", False) is True
    assert pair.of(0).saved() == pair.lines() and pair.of(0).facts()["armed"] is None
    assert ensure(change_of(pair), "confirmed", False) is False


def test_the_control_node_died_between_apply_and_confirm(pair):
    assert ensure(change_of(pair), "armed", False) is True
    pair.pass_time(SECONDS + 60)
    assert pair.of(0).running() == []
    with pytest.raises(ChangeError, match="not in force any more"):
        ensure(change_of(pair), "confirmed", False)
    assert ensure(change_of(pair), "reverted", False) is False


def test_another_change_that_waits_is_not_overwritten(pair):
    assert ensure(change_of(pair, lines=pair.lines(rules=[])), "armed", False) is True
    with pytest.raises(ChangeError, match="another change waits"):
        ensure(change_of(pair), "present", False)
    assert ensure(change_of(pair), "reverted", False) is True
    assert pair.of(0).running() == []


def test_a_policy_that_locks_us_out_goes_away_by_itself_and_the_reason_is_told(pair):
    device = pair.devices[0]
    change = change_of(pair)
    change.look()
    change.armed()
    device.faults.login_refused = True

    def sleep(seconds):
        pair.pass_time(seconds)
        change.clock.__self__.time += seconds
        # Whoever was locked out by the policy is let in again when it is gone.
        with device.lock:
            device.tick()
            device.faults.login_refused = device.pending is not None
    change.sleep = sleep
    with pytest.raises(ChangeError, match="nobody can log in any more.*refused.*The old policy is in force again, 1[0-9][0-9] s"):
        change.confirmed()
    assert pair.of(0).running() == []


def test_a_device_that_never_comes_back_is_told_so(pair):
    change = change_of(pair)
    change.look()
    change.armed()
    pair.devices[0].faults.login_refused = True
    with pytest.raises(ChangeError, match="look at it by its console"):
        change.confirmed()


def test_a_push_that_breaks_ends_with_the_old_policy(pair):
    pair.devices[0].faults.drop_at = "^set groups ha-mail .*policy "
    with pytest.raises(ChangeError, match="the change failed: .* The old policy is in force again"):
        ensure(change_of(pair), "present", False)
    assert pair.of(0).running() == []


@pytest.mark.parametrize("check_mode", [True, False])
def test_what_is_in_the_way_is_told_in_check_mode_too(pair, check_mode):
    group = pair.devices[0].cluster.primary
    group[0] = 1 - group[0]
    with pytest.raises((ChangeError, DialectError), match="the routing engine of the cluster"):
        ensure(change_of(pair), "present", check_mode)
    group[0] = 1 - group[0]
    assert ensure(change_of(pair, lines=pair.lines(rules=[])), "armed", False) is True
    with pytest.raises(ChangeError, match="another change waits"):
        ensure(change_of(pair), "present", check_mode)
    assert pair.of(0).facts()["armed"] is not None and pair.of(0).running() == pair.lines(rules=[])


@pytest.mark.parametrize("check_mode", [True, False])
def test_the_standby_of_a_replicated_pair_takes_no_change(pair, check_mode):
    with pytest.raises(ChangeError, match="at its active member only"):
        ensure(change_of(pair, member=1), "present", check_mode)
    assert ensure(change_of(pair), "present", False) is True
    assert ensure(change_of(pair, member=1), "present", False) is False


@pytest.mark.parametrize("declared, words", [({"version": "22."}, "found the version"), ({"role": "standby"}, "found it active, expected standby")])
def test_what_is_not_as_declared_is_not_touched(pair, declared, words):
    with pytest.raises(ChangeError, match=words):
        ensure(change_of(pair, **declared), "present", False)
    assert not [command for command in pair.heard() if command.startswith(("configure", "commit"))]


# ---- the modules over the real connection, as a play has them

def play(pair, tmp_path, tasks, *arguments, hosts="fw1:fw2", password=server.ACCOUNT[1], platform=PLATFORM):
    """Run tasks against both; return (exit code, what each task said by name and host, everything as text)."""
    inventory = {"all": {"vars": {
        "ansible_connection": "mail.ha.netmiko", "mail_firewall_platform": platform, "ansible_user": server.ACCOUNT[0], "ansible_password": password,
        "mail_firewall_known_hosts": str(pair.known_hosts), "ansible_python_interpreter": sys.executable,
        "ansible_connect_timeout": 300, "ansible_command_timeout": 300},
        "hosts": {f"fw{index + 1}": {"ansible_host": device.address[0], "ansible_port": device.address[1]} for index, device in enumerate(pair.devices)}}}
    (tmp_path / "hosts.yml").write_text(yaml.safe_dump(inventory))
    (tmp_path / "play.yml").write_text(yaml.safe_dump([{"hosts": hosts, "gather_facts": False, "tasks": tasks}]))
    code, said, text = run_playbook(tmp_path, tmp_path / "play.yml", *arguments)
    return code, {task["task"]["name"]: task["hosts"] for each in said["plays"] for task in each["tasks"]}, text


def test_the_modules_in_a_play(pair, tmp_path):
    shared = {"platform": PLATFORM, "version": "21.4"}
    config = dict(shared, policy=policy(), member=MEMBER)
    tasks = [
        {"name": "info", "mail.ha.firewall_info": dict(shared, gather_policy=True)},
        {"name": "change", "mail.ha.firewall_config": config, "when": "inventory_hostname == 'fw1'"},
        # In check mode the standby has nothing of it yet, and would be refused.
        {"name": "again", "mail.ha.firewall_config": config, "when": "inventory_hostname == 'fw1' or not ansible_check_mode"},
        {"name": "failover", "mail.ha.firewall_failover": dict(shared, state="standby"), "when": "inventory_hostname == 'fw1'"},
        {"name": "failover again", "mail.ha.firewall_failover": dict(shared, state="standby"), "when": "inventory_hostname == 'fw1'"},
        {"name": "info after", "mail.ha.firewall_info": dict(shared, expected_role="active", new_login=True)},
    ]
    code, checked, text = play(pair, tmp_path, tasks, "--check", "--diff")
    assert code == 0, text
    assert checked["change"]["fw1"]["changed"] and checked["failover"]["fw1"]["changed"]
    assert "ha-mail" in checked["change"]["fw1"]["diff"]["after"] and checked["change"]["fw1"]["diff"]["before"] == ""
    assert not [command for command in pair.heard() if not command.startswith(("show", "set cli"))]

    code, said, text = play(pair, tmp_path, tasks)
    assert code == 0, text
    assert said["info"]["fw1"]["facts"]["role"] == "active" and said["info"]["fw2"]["problems"] == [] and said["info"]["fw1"]["running"] == []
    assert said["info"]["fw1"]["replicated"] is True
    assert said["change"]["fw1"]["changed"] and said["change"]["fw1"]["armed"] is None and said["change"]["fw1"]["lines"] == len(pair.lines())
    assert not said["again"]["fw1"]["changed"] and not said["again"]["fw2"]["changed"]
    assert said["failover"]["fw1"]["changed"] and not said["failover again"]["fw1"]["changed"]
    assert said["info after"]["fw2"]["problems"] == []
    assert said["info after"]["fw1"]["problems"] == ["found it standby, expected active; see which member of the pair is meant."]
    assert server.ACCOUNT[1] not in text
    # Over all tasks of a play each member saw one login, and one more for each proof that somebody can still log in.
    assert [device.logins for device in pair.devices] == [2 + 3, 2 + 2]


def test_refusals_of_the_modules(pair, tmp_path):
    info = {"name": "info", "mail.ha.firewall_info": {"platform": PLATFORM}}
    code, said, text = play(pair, tmp_path, [info], hosts="fw1", password="guessed and wrong")
    assert code != 0 and "the login of 'ha-mail' was refused" in json.dumps(said), text
    assert "guessed and wrong" not in text
    pair.devices[1].lose_sync()
    code, said, text = play(pair, tmp_path, [{"name": "failover", "mail.ha.firewall_failover": {"platform": PLATFORM, "state": "standby"}}], hosts="fw1")
    assert code != 0 and "No switchover: " in said["failover"]["fw1"]["msg"] and "found the pair out of sync" in said["failover"]["fw1"]["msg"], text
    config = {"platform": PLATFORM, "policy": policy(), "member": {"interfaces": {"wan": "wan0"}}}
    code, said, text = play(pair, tmp_path, [{"name": "config", "mail.ha.firewall_config": config}], hosts="fw1")
    assert code != 0 and "found no interface for the zone dmz, management" in said["config"]["fw1"]["msg"], text
    code, said, text = play(pair, tmp_path, [dict(info, vars={"ansible_connection": "local"})], hosts="fw1")
    assert code != 0 and "set 'connection: mail.ha.netmiko'" in said["info"]["fw1"]["msg"], text


def test_every_list_of_platforms_is_the_same():
    """Options cannot ask a program for their choices, so each list is written down."""
    root = pathlib.Path(firewall_platforms.__file__).parents[6]
    places = [path for pattern in ("roles/*/meta/argument_specs.yml", "playbooks/*.yml", "collections/**/plugins/**/*.py", "collections/**/plugins/**/*.yml")
              for path in root.glob(pattern)]
    lists = [(path.name, match.split(", ")) for path in places for match in re.findall(r"\b\w+(?:, \w+)+", path.read_text(encoding="utf-8"))
             if "cisco_asa" in match.split(", ")]
    assert len(lists) >= 8
    assert [(name, found) for name, found in lists if sorted(found) != sorted(firewall_platforms.DIALECTS)] == []
