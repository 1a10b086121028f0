"""The pure parts of the node's maintenance switch and agent."""

from __future__ import annotations

import json
import time

import pytest
from ansible_collections.mail.ha.plugins.module_utils import maintenance


@pytest.fixture(name="program", scope="module")
def _program(load):
    return load("roles/node_agent/files/maintenance")


@pytest.fixture(name="agent")
def _agent(program, tmp_path):
    return program.Agent(str(tmp_path / "state"), program.LocalChecks(str(tmp_path / "health.d")), ["postfix", "dovecot"])


def check(tmp_path, text):
    (tmp_path / "health.d").mkdir()
    path = tmp_path / "health.d/postfix"
    path.write_text("#!/bin/sh\n" + text, encoding="utf-8")
    path.chmod(0o755)


def settle(agent, wanted):
    """Let time pass until the answer for postfix is `wanted`."""
    for _ in range(100):
        agent.checks.tick(time.monotonic())
        answer = agent.answer("postfix", time.monotonic())
        if answer == wanted:
            return
        time.sleep(0.02)
    pytest.fail(f"the last answer was {answer!r}, expected {wanted!r}")


@pytest.mark.parametrize("text, state", [
    ("", "ready"), ("ready\n", "ready"), ("drain", "drain"), (" maint \n", "maint"), ("holiday", None), ("DRAIN", None),
])
def test_parse_state(program, text, state):
    assert program.parse_state(text) == state


@pytest.mark.parametrize("content, answer", [
    (None, b"ready up\n"), ("drain", b"drain up\n"), ("maint", b"maint up\n"),
    ("holiday", b"error the maintenance state is not one of ready, drain, maint\n"),
])
def test_the_answer_follows_the_file(agent, tmp_path, content, answer):
    if content:
        (tmp_path / "state").write_text(content, encoding="utf-8")
    assert agent.answer("postfix", 1.0) == answer


def test_an_unknown_question_gets_an_error_line(agent):
    assert agent.answer("pop\x07\x1b3", 1.0) == b"error unknown request 'pop  3': a service (postfix, dovecot) or status\n"


def test_status_is_json_over_both_protocols(agent):
    assert json.loads(agent.answer("status", 1.0))["services"] == {"postfix": "ready up", "dovecot": "ready up"}
    head, body = agent.answer("GET /status HTTP/1.1", 1.0).split(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK") and json.loads(body)["state"] == "ready"
    assert agent.answer("GET /etc/passwd HTTP/1.1", 1.0).startswith(b"HTTP/1.1 404 ")


def test_a_failing_check_marks_its_service_down_and_no_other(agent, tmp_path):
    check(tmp_path, "echo queue is full; echo more; exit 1\n")
    assert agent.answer("postfix", time.monotonic()) == b"ready up\n"  # no verdict yet: nothing runs for a request
    settle(agent, b"ready down #queue is full\n")
    assert agent.answer("dovecot", time.monotonic()) == b"ready up\n"


def test_a_check_that_hangs_counts_as_failed(program, agent, tmp_path, monkeypatch):
    monkeypatch.setattr(program, "CHECK_DEADLINE", 0.1)
    check(tmp_path, "exec sleep 60\n")
    agent.answer("postfix", time.monotonic())
    settle(agent, b"ready down #local check took longer than 0.1 s\n")


@pytest.mark.parametrize("data, line", [
    (b"post", None), (b"postfix\n", "postfix"), (b"status\r\nx", "status"), (b"x" * 1024, "x" * 1024),
    (b"GET /status HTTP/1.1\r\nHost: a\r\n", None), (b"GET /status HTTP/1.1\r\n\r\n", "GET /status HTTP/1.1"),
])
def test_request_line(program, data, line):
    assert program.request_line(data) == line


def run(program, monkeypatch, capsys, tmp_path, *words):
    """(exit code, standard output) of the program; the state and its number live in tmp_path."""
    monkeypatch.setattr("sys.argv", ["maintenance", "--state-file", str(tmp_path / "etc/state"),
                                     "--weight-file", str(tmp_path / "run/weight"), *words])
    code = program.main()
    return code, capsys.readouterr().out


def test_the_switch_keeps_the_number_with_the_state_and_may_be_repeated(program, monkeypatch, capsys, tmp_path):
    def switch(*words):
        code, output = run(program, monkeypatch, capsys, tmp_path, *words)
        return code, output.split(":")[0], (tmp_path / "run/weight").read_text(encoding="ascii").strip()

    assert switch("sync") == (0, "changed", "0")
    assert switch("enter", "drain") == (0, "changed", "-250")
    assert switch("enter", "drain") == (0, "unchanged", "-250")
    (tmp_path / "run/weight").unlink()  # a reboot
    assert switch("sync") == (0, "changed", "-250")
    assert switch("exit") == (0, "changed", "0")
    assert switch("exit") == (0, "unchanged", "0")


def test_a_state_that_makes_no_sense_changes_nothing(program, monkeypatch, capsys, tmp_path):
    run(program, monkeypatch, capsys, tmp_path, "enter", "maint")
    (tmp_path / "etc/state").write_text("holiday\n", encoding="ascii")
    assert run(program, monkeypatch, capsys, tmp_path, "sync")[0] == 1
    assert (tmp_path / "run/weight").read_text(encoding="ascii") == "-250\n"
    assert run(program, monkeypatch, capsys, tmp_path, "exit")[0] == 0


def test_the_module_that_uses_the_switch_knows_its_numbers(program):
    assert maintenance.WEIGHTS == program.WEIGHTS
    assert maintenance.STATES == program.STATES
