"""Which messages Postfix may have delivered before, and how Dovecot is asked for them: the programs of roles postfix and dovecot."""

import asyncio
import concurrent.futures
import datetime
import email.utils
import os
import socket
import time

import pytest

DATE = "26 Nov 2026 07:09:25 +0000"
ARRIVED = 1795676965


@pytest.fixture(name="repeats", scope="module")
def fixture_repeats(load):
    return load("roles/postfix/files/postfix-repeats")


@pytest.fixture(name="already")
def fixture_already(load, monkeypatch, tmp_path):
    module = load("roles/dovecot/files/delivered-already")
    monkeypatch.setattr(module, "PLACES", str(tmp_path / "place"))
    return module


@pytest.fixture(name="queue")
def fixture_queue(tmp_path):
    """A queue whose Postfix started long ago, with one message that has just arrived."""
    for name, time in (("pid/master.pid", ARRIVED - 1000), ("active/4jZabc", ARRIVED + 1)):
        path = tmp_path / name
        path.parent.mkdir()
        path.touch()
        os.utime(path, (time, time))
    return tmp_path


def test_what_has_just_arrived_is_new(repeats, queue):
    assert not repeats.comes_again("4jZabc", DATE, queue)
    assert repeats.reply(f"repeated 4jZabc {DATE}", queue) == "NOTFOUND "


def test_what_was_put_off_comes_again(repeats, queue):
    os.utime(queue / "active/4jZabc", (ARRIVED + 5, ARRIVED + 5))
    assert repeats.reply(f"repeated 4jZabc {DATE}", queue) == "OK PREPEND X-HA-Mail-Repeated: 4jZabc"


def test_what_is_older_than_this_postfix_comes_again(repeats, queue):
    os.utime(queue / "pid/master.pid", (ARRIVED + 0.3, ARRIVED + 0.3))
    assert repeats.comes_again("4jZabc", DATE, queue)


def test_time_zones_are_understood(repeats, queue):
    assert not repeats.comes_again("4jZabc", "26 Nov 2026 12:39:25 +0530", queue)


@pytest.mark.parametrize("key", [f"4jZgone {DATE}", "4jZabc 31 Feb 2026 07:09:25 +0000", "4jZabc "])
def test_in_doubt_it_comes_again(repeats, queue, key):
    assert repeats.reply(f"repeated {key}", queue).startswith("OK PREPEND")


def test_without_a_postfix_nothing_can_be_said(repeats, tmp_path):
    assert repeats.reply(f"repeated 4jZabc {DATE}", tmp_path).startswith("TEMP ")


def test_a_key_names_no_other_file(repeats, queue):
    assert repeats.reply(f"repeated ../pid/master.pid {DATE}", queue).startswith("PERM ")


def test_it_speaks_socketmap(repeats):
    async def talk(*requests):
        ours, theirs = socket.socketpair()
        task = asyncio.create_task(repeats.serve(*await asyncio.open_unix_connection(sock=theirs)))
        reader, writer = await asyncio.open_unix_connection(sock=ours)
        writer.write(b"".join(requests))
        writer.write_eof()
        answer = await reader.read()
        await task
        return answer

    answer = asyncio.run(talk(b"12:repeated a/b,", b"12:repeated c/d,"))
    assert answer == b"".join(b"48:PERM expected a queue id and a date, found '%b'," % key for key in (b"a/b", b"c/d"))
    assert asyncio.run(talk(b"100000:")) == b"", "a request without end is not waited for"


def received(arrived=ARRIVED):
    """The header of a message that arrived then."""
    return f"from x by mail1.nodes.test (Postfix) with ESMTP id 4jZabc for <a@b.test>; {email.utils.format_datetime(datetime.datetime.fromtimestamp(arrived, datetime.UTC))}"


@pytest.fixture(name="mailbox")
def fixture_mailbox(monkeypatch, tmp_path):
    """What Dovecot is to answer: a script."""
    def mailbox(script):
        (tmp_path / "doveadm").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "doveadm").chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    return mailbox


@pytest.mark.parametrize(("script", "answer"), [("echo 1 2", "yes"), ("true", "no"), ("exit 75", ""), ("echo 1 2; exit 75", ""), ("exec sleep 5", "")])
def test_only_an_answer_is_an_answer(already, mailbox, monkeypatch, script, answer):
    monkeypatch.setattr(already, "DEADLINE", 0.3)
    mailbox(script)
    assert already.answer("a@b.test", "a@b.test", received(time.time() - already.PATIENCE + 60)) == answer


def test_what_has_waited_long_is_delivered(already, mailbox):
    mailbox("exit 75")
    assert already.answer("a@b.test", "a@b.test", received(time.time() - already.PATIENCE - 1)) == "no"
    mailbox("echo 1 2")
    assert already.answer("a@b.test", "a@b.test", received(time.time() - already.PATIENCE - 1)) == "yes"


def test_no_more_searches_than_there_is_room_for(already, mailbox, monkeypatch, tmp_path):
    """Two at once; who finds no place in time is put off without a search, and a place is free when its search has ended."""
    monkeypatch.setattr(already.os, "sched_getaffinity", lambda _pid: range(5))
    monkeypatch.setattr(already, "WAIT", 1.5)
    mailbox(f"echo search >>{tmp_path}/searches; sleep 2; echo 1 2")
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        found = [pool.submit(already.answer, "a@b.test", "a@b.test", received(time.time())) for _ in range(4)]
        assert sorted(item.result() for item in found) == ["", "", "yes", "yes"]
    assert (tmp_path / "searches").read_text(encoding="ascii").count("search") == 2
    monkeypatch.setattr(already, "WAIT", 4)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        found = [pool.submit(already.answer, "a@b.test", "a@b.test", received(time.time())) for _ in range(4)]
        assert [item.result() for item in found] == ["yes"] * 4


@pytest.mark.parametrize("header", [
    "from client (client [192.0.2.1]) (using TLSv1.3) by mail1.nodes.test (Postfix) with ESMTPS id 4jZabc for <a@b.test>; Thu, " + DATE + " (UTC)",
    "by mail1.nodes.test (Postfix, from userid 0)\tid 4jZabc; Thu, " + DATE + " (UTC)",
])
def test_dovecot_is_asked_for_that_very_message(already, header):
    command = already.question("a@b.test", "a+c@b.test", *already.parsed(header))
    assert command[:4] == ["doveadm", "search", "-u", "a@b.test"]
    assert command[4:] == ["savedsince", str(ARRIVED - 60), "header", "delivered-to", "a+c@b.test",
                           "header", "received", "by mail1.nodes.test (Postfix", "header", "received", "id 4jZabc"]


def test_what_a_client_says_of_itself_is_not_believed(already):
    header = f"from x by mail9.nodes.test (Postfix) id 4old; Mon, 1 Jan 2024 00:00:00 +0000 (h [192.0.2.1]) by mail1.nodes.test (Postfix) with ESMTP id 4jZabc; Thu, {DATE}"
    assert already.question("a@b.test", "a@b.test", *already.parsed(header))[-1] == "id 4jZabc"


def test_another_header_is_no_question(already, mailbox):
    mailbox("echo 1 2")
    header = "from x by y with SMTP id 1; Thu, " + DATE
    with pytest.raises(ValueError, match="not a Received header of Postfix"):
        already.parsed(header)
    assert already.answer("a@b.test", "a@b.test", header) == "no"
