"""Whether a ledger could be started: what a rehearsal makes of what systemd and the prober say. The prober itself is in tests/e2e/test_ledger.py."""

import importlib
import json
import subprocess
import sys
from unittest import mock

import pytest

SITE = {"name": "drill-7", "vips": ["192.0.2.1"], "service_name": "mail.example.org", "ca_file": None, "sender": "ledger@example.org",
        "accounts": {"anna@example.org": "Secret-3141"}}


@pytest.fixture(name="program")
def fixture_program(monkeypatch):
    """The command line without the client libraries, which only hosts that probe have."""
    for name in ("aiosmtplib", "aioimaplib", "mail_clients"):
        monkeypatch.setitem(sys.modules, name, mock.MagicMock(IMAP4=object))
    before = set(sys.modules)
    yield importlib.import_module("ledger.__main__")
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.fixture(name="systemd")
def fixture_systemd(program, monkeypatch):
    """What systemd is asked for, and what it answers: ``active`` units, and the end of one that is waited for."""
    class Systemd:
        asked, active, code, said = [], False, 0, ""

        def run(self, command, **_options):
            self.asked.append(command)
            code = self.code if command[0] == "systemd-run" else int(command[1] == "is-active" and not self.active)
            return subprocess.CompletedProcess(command, code, "", self.said)

        def started(self):
            return [command for command in self.asked if command[0] == "systemd-run"]

    found = Systemd()
    found.asked = []
    monkeypatch.setattr(program.subprocess, "run", found.run)
    return found


@pytest.fixture(name="place")
def fixture_place(program, tmp_path):
    (tmp_path / "site.json").write_text(json.dumps(SITE), encoding="utf-8")
    return program.Place(tmp_path)


def test_a_prober_that_meets_the_service(program, systemd, place):
    program.rehearse(place, None)
    command, = systemd.started()
    assert command[-3:] == ["meet", "--dir", str(place.path)] and "--wait" in command and "--unit=ha-mail-ledger" in command
    assert not place.ledger.exists(), "a ledger was begun"


@pytest.mark.parametrize("said, sentence", [
    ("Traceback\nthe service does not answer before the first message: imap at 192.0.2.1: timeout\n",
     "The prober could not begin: the service does not answer before the first message: imap at 192.0.2.1: timeout"),
    ("", "The prober could not begin: it has not met the service within 30 s"),
])
def test_one_that_could_not_begin(program, systemd, place, said, sentence):
    systemd.code, systemd.said = 1, said
    with pytest.raises(program.Refusal) as refusal:
        program.rehearse(place, None)
    assert str(refusal.value) == sentence


def test_while_one_is_running_nothing_is_started(program, systemd, place):
    systemd.active = True
    for command in (program.rehearse, program.start):
        with pytest.raises(program.Refusal, match="A ledger is already running on this host"):
            command(place, None)
    assert systemd.started() == []


def test_a_unit_that_does_not_start(program, systemd, place):
    systemd.code, systemd.said = 1, "Failed to start transient service unit: no bus\n"
    with pytest.raises(program.Refusal, match="Unit ha-mail-ledger does not start: Failed to start transient service unit: no bus"):
        program.start(place, None)
