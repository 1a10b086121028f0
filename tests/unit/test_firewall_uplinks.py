"""What ha-mail-firewall-uplinks makes of what it hears: states, rules and routes. With real providers: tests/e2e/test_firewall_uplinks.py."""

import json

import pytest

CONFIGURATION = """# Ansible managed
[timers]
dead_after = 2000
alive_after = 5000

[uplink wan_a]
device = upa0
mark = 1
table = 101
gateway4 = 198.51.100.1
gateway6 = 2001:db8:a::1
probes4 = 203.0.113.1 203.0.113.2
probes6 = 2001:db8:99::1

[uplink wan_b]
device = upb0
mark = 2
table = 102
gateway4 = 198.18.0.1
gateway6 =
probes4 = 203.0.113.1
probes6 =
"""
# Written down from iproute2 6.1: ip -N -json rule show; ip -N -json route show table all proto 213.
RULES = """[{"priority":0,"src":"all","table":"255"},
{"priority":10000,"src":"all","table":"254","suppress_prefixlen":0,"protocol":"213"},
{"priority":10011,"src":"all","oif":"upa0","table":"101","protocol":"213"},
{"priority":10012,"src":"all","oif":"upb0","oif_detached":null,"table":"102","protocol":"213"},
{"priority":10021,"src":"all","fwmark":"0x1","fwmask":"0xff","table":"101","protocol":"213"},
{"priority":10022,"src":"all","fwmark":"0x2","fwmask":"0xff","table":"102","protocol":"213"},
{"priority":20000,"src":"all","fwmark":"0x7","table":"7"},
{"priority":32766,"src":"all","table":"254"},{"priority":32767,"src":"all","table":"253"}]"""
ROUTES = """[{"dst":"default","gateway":"198.51.100.1","dev":"upa0","table":"101","metric":1,"flags":["onlink"]},
{"dst":"default","gateway":"198.18.0.1","dev":"upb0","table":"102","metric":2,"flags":["onlink"]},
{"dst":"default","gateway":"198.51.100.1","dev":"upa0","metric":1,"flags":["onlink"]},
{"dst":"default","gateway":"198.18.0.1","dev":"upb0","metric":2,"flags":["onlink","linkdown"]}]"""
BOTH = {"upa0", "upb0"}


@pytest.fixture(name="program", scope="module")
def fixture_program(load):
    return load("roles/firewall_pair/files/ha-mail-firewall-uplinks")


@pytest.fixture(name="uplinks")
def fixture_uplinks(program):
    return program.read(CONFIGURATION)[1]


@pytest.fixture(name="way")
def fixture_way(program):
    """wan_a over IPv4, at the time 0."""
    timers, uplinks = program.read(CONFIGURATION)
    return program.Way(uplinks[0], 4, timers, 0.0)


def changes(way, answers, until):
    """[(time, alive)] of all changes, with answers at these times; looked at ten times a second."""
    found = []
    for tenth in range(round(until * 10) + 1):
        if any(tenth - 1 < answer * 10 <= tenth for answer in answers):
            way.answered(tenth / 10)
        if way.judge(tenth / 10):
            found.append((tenth / 10, way.alive))
    return found


def every_half_second(begin, end):
    return [begin + number / 2 for number in range(round((end - begin) * 2) + 1)]


def test_the_configuration(program):
    timers, uplinks = program.read(CONFIGURATION)
    assert timers == {"dead_after": 2, "alive_after": 5} and program.period_of(timers) == 0.5
    assert [uplink["name"] for uplink in uplinks] == ["wan_a", "wan_b"]
    assert (uplinks[0]["mark"], uplinks[0]["table"], uplinks[0]["probes4"], uplinks[1]["probes6"]) == (1, 101, ["203.0.113.1", "203.0.113.2"], [])


def test_what_answers_stays_alive_also_when_an_answer_is_lost(way):
    assert changes(way, [answer for answer in every_half_second(0, 60) if answer % 3], 60) == []


def test_what_is_silent_is_dead_after_two_seconds_and_alive_after_five_in_which_it_answered(way):
    assert changes(way, every_half_second(0, 10) + every_half_second(20, 40), 40) == [(12.1, False), (25, True)]


def test_what_never_answered_is_dead_too(way):
    assert changes(way, [], 30) == [(2.1, False)]


def test_what_comes_and_goes_stays_dead_until_it_has_come(way):
    # A gap of more than a second begins the five seconds anew.
    answers = every_half_second(20, 24) + every_half_second(25.5, 29) + every_half_second(30.5, 40)
    assert changes(way, answers, 40) == [(2.1, False), (35.5, True)]


def ways(program, **states):
    """Ways of wan_a4, wan_a6 and wan_b4; :param states: those that are dead"""
    timers, uplinks = program.read(CONFIGURATION)
    made = [program.Way(uplinks[0], 4, timers, 0), program.Way(uplinks[0], 6, timers, 0), program.Way(uplinks[1], 4, timers, 0)]
    for way in made:
        way.alive = states.get(f"{way.name}{way.version}", True)
    return made


@pytest.mark.parametrize("states, four, six", [
    ({}, {"wan_a", "wan_b"}, {"wan_a"}), ({"wan_a4": False}, {"wan_b"}, {"wan_a"}), ({"wan_a4": False, "wan_b4": False}, {"wan_a", "wan_b"}, {"wan_a"}),
    ({"wan_a6": False}, {"wan_a", "wan_b"}, {"wan_a"}),
])
def test_where_nothing_is_alive_everything_is_used(program, states, four, six):
    assert (program.usable(ways(program, **states), 4), program.usable(ways(program, **states), 6)) == (four, six)


def kernel(program):
    """What the kernel has when both are alive."""
    return program.present(json.loads(RULES), json.loads(ROUTES))


def test_what_the_kernel_has_is_what_was_wanted(program, uplinks):
    want = program.wanted(uplinks, {"wan_a", "wan_b"}, BOTH, 4)
    assert kernel(program) == want and program.plan(kernel(program), want) == []


def test_a_dead_provider_loses_its_connections_and_new_ones_but_not_its_probes(program, uplinks):
    want = program.wanted(uplinks, {"wan_b"}, BOTH, 4)
    assert program.plan(kernel(program), want) == [
        "route del default via 198.51.100.1 dev upa0 table 254 metric 1 proto 213", "rule del pref 10021 fwmark 0x1/0xff lookup 101 protocol 213"]
    assert program.plan(want, kernel(program)) == [
        "route add default via 198.51.100.1 dev upa0 table 254 metric 1 onlink proto 213", "rule add pref 10021 fwmark 0x1/0xff lookup 101 protocol 213"]


def test_an_interface_that_is_down_takes_no_routes(program, uplinks):
    rules, routes = program.wanted(uplinks, {"wan_a", "wan_b"}, {"upb0"}, 4)
    assert "pref 10021 fwmark 0x1/0xff lookup 101" in rules and not [route for route in routes if "upa0" in route]


def test_a_family_that_a_provider_lacks_has_nothing_of_it(program, uplinks):
    rules, routes = program.wanted(uplinks, {"wan_a"}, BOTH, 6)
    assert rules == {"pref 10000 lookup 254 suppress_prefixlength 0", "pref 10011 oif upa0 lookup 101", "pref 10021 fwmark 0x1/0xff lookup 101"}
    assert routes == {f"default via 2001:db8:a::1 dev upa0 table {table} metric 1" for table in (101, 254)}


def test_another_gateway_takes_the_place_of_the_first(program, uplinks):
    uplinks[0]["gateway4"] = "198.51.100.9"
    lines = program.plan(kernel(program), program.wanted(uplinks, {"wan_a", "wan_b"}, BOTH, 4))
    assert [line.partition(" proto")[0].split()[:5] for line in lines] == [
        ["route", "del", "default", "via", "198.51.100.1"]] * 2 + [["route", "add", "default", "via", "198.51.100.9"]] * 2


def test_without_uplinks_only_ours_goes(program):
    lines = program.plan(kernel(program), program.wanted([], set(), set(), 4))
    assert len(lines) == 9 and all(" del " in line and "213" in line for line in lines)
    assert not [line for line in lines if "20000" in line or "32766" in line]
    assert program.plan(program.present([], []), program.wanted([], set(), set(), 4)) == []


@pytest.mark.parametrize("states, index, words", [
    ({"wan_a4": False}, 0, "wan_a: nothing behind it answers over IPv4 for 2 s; its traffic takes wan_b"),
    ({"wan_a4": False, "wan_b4": False}, 2, "wan_b: nothing behind it answers over IPv4, as with all uplinks; all are used as if they worked"),
    ({"wan_a6": False}, 1, "wan_a: nothing behind it answers over IPv6, as with all uplinks; all are used as if they worked"),
    ({}, 0, "wan_a: answers over IPv4 again, for 5 s without a gap; it is used again"),
])
def test_each_change_is_one_sentence(program, states, index, words):
    found = ways(program, **states)
    assert program.told(found[index], found) == words


def test_states_that_nobody_writes_any_more_are_not_known(program, uplinks):
    states = "wan_a 4 alive\nwan_a 6 dead\nwan_b 4 alive\n"
    assert program.status(uplinks, states, 1) == ["uplink wan_a 4 alive", "uplink wan_a 6 dead", "uplink wan_b 4 alive"]
    assert program.status(uplinks, states, 9) == program.status(uplinks, "", 0) == [
        "uplink wan_a 4 unknown", "uplink wan_a 6 unknown", "uplink wan_b 4 unknown"]
    assert program.status(uplinks, "wan_a 4 alive\n", 1)[2] == "uplink wan_b 4 unknown"


def test_a_word_that_it_does_not_know(program, monkeypatch, tmp_path):
    (tmp_path / "uplinks.conf").write_text(CONFIGURATION, encoding="utf-8")
    monkeypatch.setattr(program, "CONFIGURATION", str(tmp_path / "uplinks.conf"))
    assert program.main("stop") == "ha-mail-firewall-uplinks: found 'stop', expected run, clear or status."
