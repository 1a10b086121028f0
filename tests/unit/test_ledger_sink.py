"""The sink: this run's messages in a maildir that holds other mail too."""

import asyncio

import pytest

from ledger import plan, settings, sink

RUN = "0a1b2c3d"
GIVEN = {"name": "test", "vips": ["192.0.2.1"], "service_name": "mail.example.org", "ca_file": None, "sender": "ledger@example.net",
         "accounts": {"anna@example.org": "secret"}, "foreign_domain": "example.com", "poll_interval": 0.01}


def put(maildir, part, name, message_id):
    """A message as Postfix stores it: the headers it adds come first, and the rest keeps its own."""
    folder = maildir / part
    folder.mkdir(parents=True, exist_ok=True)
    folder.joinpath(name).write_bytes(
        b"Return-Path: <anna@example.org>\nReceived: from mail1.example.org (mail1.example.org [192.0.2.21])\n\tby mx.example.com (Postfix)\n"
        + f"message-id: {message_id}\nSubject: ledger\n\nMessage-ID: <{RUN}.99@ledger.invalid>\n".encode())


@pytest.fixture(name="maildir")
def fixture_maildir(tmp_path):
    """Messages 3, 7 and 7 again of this run, one of another run, one of somebody else."""
    put(tmp_path, "new", "1.a.mx", plan.message_id(RUN, 7))
    put(tmp_path, "new", "2.b.mx", plan.message_id(RUN, 3))
    put(tmp_path, "cur", "3.c.mx:2,S", plan.message_id(RUN, 7))
    put(tmp_path, "new", "4.d.mx", plan.message_id("ffffffff", 5))
    put(tmp_path, "cur", "5.e.mx:2,", "<friend@example.com>")
    put(tmp_path, "tmp", "6.f.mx", plan.message_id(RUN, 8))  # not delivered yet
    return tmp_path


def test_only_messages_of_this_run_count_and_each_as_often_as_it_is_there(maildir):
    assert sink.numbers(maildir, RUN) == [3, 7, 7]
    assert sink.numbers(maildir, "ffffffff") == [5]


def test_what_a_run_left_is_removed_and_nothing_else(maildir):
    sink.clean(maildir, RUN)
    assert sink.numbers(maildir, RUN) == []
    assert sorted(path.name for path in maildir.glob("*/*")) == ["4.d.mx", "5.e.mx:2,", "6.f.mx"]


def test_a_maildir_without_any_message_yet(tmp_path):
    assert sink.numbers(tmp_path, RUN) == []


def test_a_sink_that_is_not_there_is_refused(tmp_path):
    sink.require(settings.complete(GIVEN | {"foreign_maildir": str(tmp_path)}))
    sink.require(settings.complete(GIVEN | {"foreign_domain": None, "foreign_maildir": None}))
    with pytest.raises(NotADirectoryError, match="/missing is no directory on this host"):
        sink.require(settings.complete(GIVEN | {"foreign_maildir": "/missing"}))


class Book(list):
    """A ledger in memory."""

    def note(self, **record):
        self.append(record)


@pytest.mark.parametrize("resumed", [False, True])
def test_each_message_is_seen_once_and_what_was_there_after_a_restart_is_marked(maildir, resumed):
    site, book = settings.complete(GIVEN | {"foreign_maildir": str(maildir)}), Book()

    async def watch():
        watcher = sink.Watcher(site, RUN, book, lambda: 12.5, resumed)
        task = asyncio.create_task(watcher.poll())
        await asyncio.wait_for(watcher.ready.wait(), 10)
        put(maildir, "new", "7.g.mx", plan.message_id(RUN, 11))
        maildir.joinpath("new/2.b.mx").rename(maildir / "cur/2.b.mx:2,S")
        async with asyncio.timeout(10):
            while 11 not in watcher.seen:
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        task.cancel()
        return watcher.seen

    assert asyncio.run(watch()) == {3, 7, 11}
    assert [(record["n"], record["first"]) for record in book] == [(3, resumed), (7, resumed), (7, resumed), (11, False)]
    assert book[0] == {"e": "seen", "t": 12.5, "n": 3, "to": "ledger-sink@example.com", "first": resumed}
