"""What an answer means to the sender, and which messages are tried again."""

import asyncio
import importlib
import logging
import sys
import types

import pytest

from ledger import answers, settings

SITE = settings.complete({"name": "test", "vips": ["192.0.2.1", "192.0.2.2"], "service_name": "mail.example.org", "ca_file": None,
                          "sender": "ledger@example.net", "accounts": {"anna@example.org": "secret"}, "retry_first": 0, "retry_longest": 0})


@pytest.mark.parametrize("stage, code, expected", [
    ("connect", None, "failed"),
    ("rcpt", None, "failed"),
    ("data", None, "uncertain"),
    ("data", -1, "uncertain"),
    ("greeting", 421, "deferred"),
    ("rcpt", 450, "deferred"),
    ("data", 452, "deferred"),
    # the session is turned away, not the message: the next address, or the next login, may do
    ("greeting", 554, "denied"),
    ("starttls", 502, "denied"),
    ("login", 535, "denied"),
    ("mail", 553, "refused"),
    ("rcpt", 550, "refused"),
    ("data", 554, "refused"),
])
def test_outcome(stage, code, expected):
    assert answers.outcome(stage, code) == expected


class Book(list):
    """A ledger in memory."""

    async def write(self, **record):
        self.append(record)


@pytest.fixture(name="sending")
def fixture_sending(monkeypatch):
    """The module without its protocol libraries, which only hosts that probe have."""
    monkeypatch.setitem(sys.modules, "aiosmtplib", types.SimpleNamespace())
    monkeypatch.setitem(sys.modules, "aioimaplib", types.SimpleNamespace(
        IMAP4=object, aioimaplib=types.SimpleNamespace(log=logging.getLogger("aioimaplib"))))
    for name in ("clients", "sending"):
        monkeypatch.delitem(sys.modules, f"ledger.{name}", raising=False)
    return importlib.import_module("ledger.sending")


@pytest.mark.parametrize("outcomes, tries, accepted", [
    (["accepted"], 1, True),
    (["denied", "denied", "accepted"], 3, True),
    (["deferred", "denied", "failed", "uncertain", "accepted"], 5, True),
    (["refused", "accepted"], 1, False),
    (["denied", "refused", "accepted"], 2, False),
])
def test_what_is_tried_again(sending, monkeypatch, outcomes, tries, accepted):
    coming = iter(outcomes)

    async def attempt(*_arguments):
        return sending.Outcome(next(coming))

    async def carry():
        book = Book()
        sender = sending.Sender(SITE, "0a1b2c3d", None, book, lambda: 0)
        sender.start(0)
        await asyncio.wait_for(sender.under_way[0], 10)
        return sender, [record["outcome"] for record in book if record["e"] == "end"]

    monkeypatch.setattr(sending, "attempt", attempt)
    sender, ended = asyncio.run(carry())
    assert ended == outcomes[:tries] and (0 in sender.accepted) == accepted
