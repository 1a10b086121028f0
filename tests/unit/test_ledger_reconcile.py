"""What became of a message: every line of the ledger against what is in the mailboxes."""

import pytest

from ledger import reconcile

LATE, END = 60, 1000.0


def attempt(number, count=1, outcome="accepted", time=10.0, to="anna@alpha.test"):
    """Records of one attempt; without an outcome the prober died in the middle."""
    records = [{"e": "try", "t": time, "n": number, "a": count, "vip": "192.0.2.1", "p": "smtp", "port": 25, "to": to, "size": 2000}]
    if outcome:
        records.append({"e": "end", "t": time + .1, "n": number, "a": count, "outcome": outcome, "kind": "", "reply": "", "s": .1})
    return records


def seen(number, time=11.0, to="anna@alpha.test", first=False):
    return [{"e": "seen", "t": time, "n": number, "to": to, "first": first}]


def state(records, *mailbox, ben=()):
    known = reconcile.messages(records)
    result = reconcile.reconcile(known, {"anna@alpha.test": list(mailbox), "ben@alpha.test": list(ben)}, LATE, END)
    assert list(result) == [0]
    return result[0]["state"]


@pytest.mark.parametrize("records, mailbox, expected", [
    (attempt(0) + seen(0), [0], "once"),
    (attempt(0) + seen(0, 71), [0], "late"),
    # never seen by a watcher until the end, found at last: at least END - accepted late
    (attempt(0), [0], "late"),
    # seen at the first look after a restart: when it came, nobody knows
    (attempt(0) + seen(0, 900, first=True), [0], "once"),
    (attempt(0), [], "lost"),
    (attempt(0) + seen(0), [0, 0], "duplicated"),
    # a 4xx, or a connection lost before the end of the data, is no excuse for a second copy
    (attempt(0, 1, "deferred") + attempt(0, 2) + seen(0), [0, 0], "duplicated"),
    (attempt(0, 1, "failed") + attempt(0, 2) + seen(0), [0, 0], "duplicated"),
    # a lost answer excuses one more copy, and only one
    (attempt(0, 1, "uncertain") + attempt(0, 2) + seen(0), [0], "once"),
    (attempt(0, 1, "uncertain") + attempt(0, 2) + seen(0), [0, 0], "uncertain_duplicate"),
    (attempt(0, 1, "uncertain") + attempt(0, 2) + seen(0), [0, 0, 0], "duplicated"),
    (attempt(0, 1, "uncertain"), [0], "uncertain_delivered"),
    (attempt(0, 1, "uncertain"), [0, 0], "duplicated"),
    (attempt(0, 1, "uncertain"), [], "not_accepted"),
    # so does an attempt in whose middle the prober died
    (attempt(0, 1, None) + attempt(0, 2) + seen(0), [0, 0], "uncertain_duplicate"),
    (attempt(0, 1, "deferred"), [], "not_accepted"),
    (attempt(0, 1, "failed"), [], "not_accepted"),
    # 5xx for a valid message is a broken promise, unless a later attempt succeeds
    (attempt(0, 1, "refused"), [], "wrongly_refused"),
    (attempt(0, 1, "denied"), [], "wrongly_refused"),
    (attempt(0, 1, "denied") + attempt(0, 2, "deferred"), [], "wrongly_refused"),
    (attempt(0, 1, "denied") + attempt(0, 2) + seen(0), [0], "once"),
    (attempt(0, 1, "denied") + attempt(0, 2), [], "lost"),
    (attempt(0, 1, "denied"), [0], "unexplained"),
    (attempt(0, 1, "uncertain") + attempt(0, 2, "refused"), [0], "uncertain_delivered"),
    (attempt(0, 1, "refused"), [0], "unexplained"),
])
def test_state(records, mailbox, expected):
    assert state(records, *mailbox) == expected


def test_a_denied_session_leaves_the_message_open():
    """A prober that was killed goes on with what is neither accepted nor refused."""
    assert not reconcile.messages(attempt(0, 1, "denied"))[0]["refused"]
    assert reconcile.messages(attempt(0, 1, "refused"))[0]["refused"]


def test_a_message_in_the_wrong_mailbox():
    assert state(attempt(0), 0, ben=[0]) == "misdelivered"
    assert state(attempt(0), ben=[0]) == "misdelivered"


def test_a_message_that_the_ledger_never_sent():
    known = reconcile.messages(attempt(0))
    assert reconcile.unknown(known, {"anna@alpha.test": [0, 7], "ben@alpha.test": [7, 3]}) == [3, 7]


def test_a_message_seen_before_its_250_was_read_has_no_negative_delay():
    known = reconcile.messages(attempt(0) + seen(0, 10.05))
    assert reconcile.delay(known[0], END) == (0, False)
