"""Messages are the same again after a restart, and meet every address, service and account."""

import collections
import json

import pytest

from ledger import plan, settings

GIVEN = {"name": "test", "vips": ["192.0.2.1", "192.0.2.2"], "service_name": "mail.example.org", "ca_file": None,
         "sender": "ledger@example.net", "accounts": {"anna@example.org": "secret", "ben@example.org": "secret", "cora@example.org": "secret"}}
SITE = settings.complete(GIVEN)
FOREIGN = {"foreign_domain": "example.com", "foreign_maildir": "/var/mail/foreign"}


def test_every_combination_comes_equally_often():
    seen = collections.Counter((item["p"], item["port"], item["vip"], item["to"]) for item in (plan.planned(SITE, number) for number in range(240)))
    assert set(seen.values()) == {20, 10} and len(seen) == 3 * 2 * 3
    assert {count for (protocol, _port, _vip, _to), count in seen.items() if protocol == "smtp"} == {20}


@pytest.mark.parametrize("every", [1, 3, 10])
@pytest.mark.parametrize("accounts", [1, 2, 3, 5, 9])
def test_every_so_many_th_message_of_each_user_by_each_way_goes_to_the_internet(every, accounts):
    users = [f"user{number}@example.org" for number in range(accounts)]
    site = settings.complete(GIVEN | FOREIGN | {"foreign_every": every, "accounts": dict.fromkeys(users, "secret")})
    length = 2 * 4 * accounts * every
    items = [plan.planned(site, number) for number in range(length, 2 * length)]
    outbound = collections.Counter((item["port"], item["vip"], item["user"]) for item in items if item["p"] == "outbound")
    assert outbound == {(port, vip, user): 1 for port in (465, 587) for vip in (0, 1) for user in users}
    assert {item["to"] for item in items if item["p"] == "outbound"} == {"ledger-sink@example.com"}
    assert sum(item["p"] == "smtp" for item in items) == length // 2, "what comes from outside is as much as ever"


def test_by_default_one_in_ten_messages_of_users_and_spread():
    site = settings.complete(GIVEN | FOREIGN)
    of_users = [item["p"] for item in (plan.planned(site, number) for number in range(2000)) if item["user"]]
    places = [place for place, p in enumerate(of_users) if p == "outbound"]
    assert len(of_users) == 1000 and 90 <= len(places) <= 110
    assert max(after - before for before, after in zip(places, places[1:])) <= 20


def test_without_a_foreign_domain_none_goes_to_the_internet():
    assert {plan.planned(SITE, number)["p"] for number in range(1000)} == {"smtp", "submission"}
    changed = [number for number in range(1000) if plan.planned(SITE, number) != plan.planned(settings.complete(GIVEN | FOREIGN), number)]
    assert len(changed) == sum(plan.planned(settings.complete(GIVEN | FOREIGN), number)["p"] == "outbound" for number in range(1000)) > 0


def test_sizes_have_their_shares():
    sizes = collections.Counter(plan.planned(SITE, number)["size"] for number in range(10000))
    assert {size: round(count / 100) for size, count in sizes.items()} == {2000: 70, 10000: 25, 60000: 5}


def test_the_id_of_a_message_tells_its_number_and_run():
    assert plan.number_of(plan.message_id("0a1b2c3d", 42), "0a1b2c3d") == 42
    assert plan.number_of(" <0a1b2c3d.42@ledger.invalid>\r\n", "0a1b2c3d") == 42
    assert plan.number_of(plan.message_id("0a1b2c3d", 42), "ffffffff") is None
    assert plan.number_of("<0a1b2c3d.42@elsewhere.invalid>", "0a1b2c3d") is None
    assert plan.number_of("", "0a1b2c3d") is None


def test_a_message_is_as_large_as_planned_and_the_same_again():
    for number in range(100):
        message = plan.compose(SITE, "0a1b2c3d", number, 0)
        assert message == plan.compose(SITE, "0a1b2c3d", number, 0)
        assert abs(len(message) - plan.planned(SITE, number)["size"]) <= 2 * len(plan.LINE)
        assert max(map(len, message.split(b"\r\n"))) < 998  # RFC 5321, 4.5.3.1.6


def test_users_send_as_themselves():
    site = settings.complete(GIVEN | FOREIGN | {"foreign_every": 2})
    ways = set()
    for number in range(48):
        item = plan.planned(site, number)
        ways.add(item["p"])
        assert plan.sender_of(site, item) == (item["user"] if item["p"] != "smtp" else "ledger@example.net")
        assert item["user"] == {"smtp": None, "submission": item["to"]}.get(item["p"], item["user"])
        head = plan.compose(site, "0a1b2c3d", number, 0).decode()
        assert head.startswith(f"From: {plan.sender_of(site, item)}\r\nTo: {item['to']}\r\n")
    assert ways == {"smtp", "submission", "outbound"}


@pytest.mark.parametrize("change, reason", [
    ({"accounts": {}}, "no account"),
    ({"vips": []}, "no address"),
    ({"rate": 0}, "rate is 0"),
    ({"rate": 1000}, "at most 200"),
    ({"sizes": [[2000, 50]]}, "shares"),
    ({"foreign_domain": "example.com"}, "expected both or neither"),
    ({"foreign_maildir": "/var/mail/foreign"}, "expected both or neither"),
    (FOREIGN | {"foreign_domain": "Example.ORG"}, "a domain of the accounts"),
    (FOREIGN | {"accounts": {"anna@EXAMPLE.com": "secret"}}, "a domain of the accounts"),
    (FOREIGN | {"foreign_every": 0}, "foreign_every is 0, expected a whole number"),
    (FOREIGN | {"foreign_every": 2.5}, "foreign_every is 2.5"),
    ({"raet": 5}, "unknown \\['raet'\\]"),
    ({"probe_interval": {"pop3": 1}}, "expected seconds above 0 for smtp, submission, imap"),
    ({"probe_interval": {"imap": 0}}, "expected seconds above 0"),
    ({"probe_interval": 1}, "expected seconds by protocol"),
])
def test_settings_that_make_no_sense(change, reason):
    with pytest.raises(settings.SettingsError, match=reason):
        settings.complete(GIVEN | change)


def test_one_protocol_is_probed_more_often_and_the_others_as_usual():
    usual = settings.DEFAULTS["probe_interval"]
    assert settings.complete(GIVEN | {"probe_interval": {"imap": 0.2}})["probe_interval"] == usual | {"imap": 0.2}


def test_settings_come_from_a_file(tmp_path):
    path = tmp_path / "site.json"
    path.write_text(json.dumps(GIVEN))
    assert settings.load(path)["rate"] == 20
    path.write_text("{")
    with pytest.raises(settings.SettingsError, match="cannot be read"):
        settings.load(path)
    with pytest.raises(settings.SettingsError, match="missing \\['name'\\]"):
        settings.complete({key: value for key, value in GIVEN.items() if key != "name"})
