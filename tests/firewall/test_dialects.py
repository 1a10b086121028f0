"""What every dialect promises (module_utils/firewall_dialect.py), on the simulated pair of its platform."""

import importlib
import re
import socket

import paramiko
import pytest
from ansible.module_utils.connection import ConnectionError as DeviceError

from ansible_collections.mail.ha.plugins.module_utils.firewall_dialect import DialectError, Refusal
from conftest import MEMBER, policy

SECONDS = 120


def others(pair):
    """What is configured beside the policy, on both members."""
    return [device.others() for device in pair.devices]


def saved_policy(pair, **changes):
    """Bring a policy to both members, for good; return its lines."""
    lines = pair.lines(**changes)
    for member in [0] if pair.dialect.replicated else [0, 1]:
        device = pair.of(member)
        device.apply(lines, SECONDS)
        device.confirm()
    return lines


def test_both_members_say_who_they_are(pair):
    active, standby = pair.of(0).facts(), pair.of(1).facts()
    assert (active["role"], active["peer"], standby["role"], standby["peer"]) == ("active", "standby", "standby", "active")
    assert active["in_sync"] and standby["in_sync"] and active["sync"]
    assert active["platform"] == pair.platform and active["version"] and active["hostname"] == pair.devices[0].name
    assert isinstance(active["sessions"], int) and active["armed"] is None
    assert all(uplink["up"] for uplink in active["uplinks"]) and active["uplinks"] and active["providers"] == []


def test_a_device_of_another_platform_is_named_as_that_and_only_asked(pair):
    """One wrong declaration for each device: the quickest to be found."""
    declared = {"cisco_asa": "vyos", "fortinet": "linux", "juniper_junos": "vyos", "vyos": "fortinet"}[pair.platform]
    dialect = importlib.import_module(f"ansible_collections.mail.ha.plugins.module_utils.firewall_{declared}").DIALECT
    before = others(pair)
    with pytest.raises((DeviceError, DialectError), match="declared platform"):
        dialect(pair.session(platform=declared)).facts()
    assert not [command for command in pair.heard() if command.startswith("conf")]
    assert others(pair) == before and pair.of(0).running() == []


def test_a_fresh_device_has_no_policy_and_reading_changes_nothing(pair):
    before = others(pair)
    device = pair.of(0)
    assert device.running() == [] and device.saved() == []
    assert others(pair) == before


def test_the_same_policy_gives_the_same_lines_and_another_one_others(pair):
    lines, notes = pair.dialect.render(policy(), MEMBER)
    assert lines == pair.lines() and len(lines) == len(set(lines)) > 10
    assert all(note.endswith(".") for note in notes)
    assert pair.lines(rules=[]) != lines


def test_what_was_applied_is_in_force_armed_and_not_saved(pair):
    before, lines = others(pair), pair.lines()
    device = pair.of(0)
    device.apply(lines, SECONDS)
    assert device.running() == lines
    assert device.saved() == []
    assert 0 < device.facts()["armed"] <= SECONDS + pair.dialect.granularity
    if pair.dialect.replicated:
        assert pair.of(1).running() == lines
    assert others(pair) == before


def test_whether_a_change_can_be_made_is_told_without_making_it(pair):
    before, lines = others(pair), pair.lines()
    device = pair.of(0)
    device.ready(lines, SECONDS)
    assert device.running() == device.saved() == [] and device.facts()["armed"] is None and others(pair) == before
    device.apply(lines, SECONDS)
    for attempt in (device.ready, device.apply):
        with pytest.raises(Refusal, match="waits"):
            attempt(pair.lines(rules=[]), SECONDS)
    assert device.running() == lines and device.facts()["armed"]


def test_what_nobody_confirms_is_taken_back_by_the_device_itself(pair):
    device = pair.of(0)
    device.apply(pair.lines(), SECONDS)
    pair.pass_time(SECONDS + pair.dialect.granularity)
    later = pair.of(0)
    assert later.running() == [] and later.facts()["armed"] is None
    assert pair.of(1).running() == []
    with pytest.raises(DialectError, match="taken back"):
        later.confirm()


def test_what_is_confirmed_stays_over_time_and_reboot(pair):
    before = others(pair)
    lines = saved_policy(pair)
    assert pair.of(0).running() == pair.of(0).saved() == pair.of(1).running() == pair.of(1).saved() == lines
    assert pair.of(0).facts()["armed"] is None
    pair.pass_time(10 * SECONDS)
    for device in pair.devices:
        device.reboot()
    assert pair.of(0).running() == pair.of(1).running() == lines
    assert others(pair) == before


def test_a_reboot_before_the_confirmation_ends_with_the_old_policy(pair):
    old = saved_policy(pair, rules=[])
    pair.of(0).apply(pair.lines(), SECONDS)
    for device in pair.devices:
        device.reboot()
    pair.pass_time(SECONDS + pair.dialect.granularity)
    assert pair.of(0).running() == old


def test_a_policy_replaces_the_one_before_wholly_and_in_order(pair):
    saved_policy(pair)
    turned = policy()
    turned["rules"].reverse()
    lines = pair.dialect.render(turned, MEMBER)[0]
    assert lines != pair.lines() and sorted(lines) != [] and pair.of(0).running() != lines
    device = pair.of(0)
    device.apply(lines, SECONDS)
    assert device.running() == lines
    device.confirm()
    device.apply(pair.lines(rules=[]), SECONDS)
    device.confirm()
    assert device.running() == pair.lines(rules=[])


def test_a_revert_brings_the_old_policy_back_at_once_and_is_no_error_twice(pair):
    old = saved_policy(pair, rules=[])
    device = pair.of(0)
    device.apply(pair.lines(), SECONDS)
    device.revert()
    again = pair.of(0)
    assert again.running() == again.saved() == old and again.facts()["armed"] is None
    again.revert()
    assert pair.of(0).running() == old


@pytest.mark.parametrize("fault", ["refuse_at", "drop_at"])
def test_a_push_that_fails_in_the_middle_leaves_the_old_policy(pair, fault):
    old, before = saved_policy(pair, rules=[]), others(pair)
    device = pair.of(0)
    already = len(pair.devices[0].heard)
    pair.of(0).apply(pair.lines(), SECONDS)
    pushed = pair.devices[0].heard[already:]
    pair.of(0).revert()
    # A line of the push that none of the other commands is.
    setattr(pair.devices[0].faults, fault, pair.devices[0].push_marker(pushed))
    with pytest.raises(DeviceError) as caught:
        device.apply(pair.lines(), SECONDS)
    assert caught.value.code == {"refuse_at": "answer", "drop_at": "broken"}[fault]
    setattr(pair.devices[0].faults, fault, None)
    pair.pass_time(SECONDS + pair.dialect.granularity)
    after = pair.of(0)
    assert after.running() == after.saved() == old and after.facts()["armed"] is None
    assert others(pair) == before
    # And the next change is not in the way of what is left.
    after.apply(pair.lines(), SECONDS)
    after.confirm()
    assert after.running() == pair.lines()


def test_the_other_member_takes_over(pair):
    assert pair.of(0).facts()["role"] == "active"
    pair.of(0).switchover()
    assert (pair.of(0).facts()["role"], pair.of(1).facts()["role"]) == ("standby", "active")
    pair.of(0).switchover()
    assert (pair.of(0).facts()["role"], pair.of(1).facts()["role"]) == ("active", "standby")


def test_a_peer_that_is_off_is_absent(pair):
    pair.devices[1].power(False)
    facts = pair.of(0).facts()
    assert facts["role"] == "active" and facts["peer"] == "absent" and not facts["in_sync"]


def test_a_standby_that_is_out_of_sync_is_seen(pair):
    pair.devices[1].lose_sync()
    facts = pair.of(0).facts()
    assert not facts["in_sync"] and facts["sync"]


@pytest.mark.parametrize("fault", ["garble_at", "truncate_at"])
def test_noise_is_no_answer(pair, fault):
    saved_policy(pair)
    device = pair.of(0)
    device.session.open()  # the commands of the login are not those of the reading
    for reading in ("facts", "running"):
        already = len(pair.devices[0].heard)
        getattr(device, reading)()
        for command in pair.devices[0].heard[already:]:
            setattr(pair.devices[0].faults, fault, "^" + re.escape(command) + "$")
            broken = pair.of(0)
            broken.session.open()
            broken.deadline = 2
            with pytest.raises((DialectError, DeviceError)):
                getattr(broken, reading)()
            setattr(pair.devices[0].faults, fault, None)


def test_an_answer_that_takes_too_long_ends_the_session(pair):
    session = pair.session()
    session.open()
    pair.devices[0].faults.slow_at, pair.devices[0].faults.slow_seconds = "^show|^get", 5
    with pytest.raises(DeviceError, match="no prompt") as caught:
        session.ask({"fortinet": "get system status"}.get(pair.platform, "show version"), deadline=1)
    assert caught.value.code == "deadline"


def test_a_wrong_password_an_unknown_key_and_a_changed_one(pair):
    for changes, code in (({"password": "guessed"}, "refused"), ({"known_hosts": ""}, "host key")):
        with pytest.raises(DeviceError) as caught:
            pair.session(**changes).open()
        assert caught.value.code == code
    pair.trust([paramiko.ECDSAKey.generate(), None])
    with pytest.raises(DeviceError, match="another than the known one") as caught:
        pair.session().open()
    assert caught.value.code == "host key"


def test_nobody_there(pair):
    device = pair.devices[0]
    device.stop()
    device._socket = socket.create_server(("127.0.0.1", 0))  # something for close() to stop
    with pytest.raises(DeviceError) as caught:
        pair.session().open()
    assert caught.value.code == "unreachable"
