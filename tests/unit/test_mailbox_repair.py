"""What mailbox-repair makes of the words and the logs of Dovecot 2.4.1."""

import pytest

HOME = "/srv/mail/alpha.test/anna"
LOG = f"{HOME}/mail/mailboxes/INBOX/dbox-Mails/dovecot.index.log"
LIST = f"{HOME}/mail/dovecot.list.index.log"
HEADER = b"\x01\x03\x28\x00" + bytes(36)  # 40 bytes, as it says itself
SIZE = bytes([0x80, 0x80, 0x80, 0x80 | 3])  # of a record of 12 bytes
RECORD = SIZE + b"\x02\x00\x00\x00" + b"data"
TRANSACTION = SIZE + b"\x00\x00\x08\x10" + b"\x24\x00\x00\x00"  # what follows belongs together: 36 bytes with this record


@pytest.fixture(name="repair", scope="module")
def fixture_repair(load):
    return load("roles/dovecot/files/mailbox-repair")


@pytest.fixture(name="log")
def fixture_log(repair, tmp_path, monkeypatch):
    monkeypatch.setattr(repair, "as_vmail", repair.contextlib.nullcontext)
    return tmp_path / "dovecot.index.log"


def test_whom_the_journal_names(repair):
    words = f"""\
lmtp(anna@alpha.test)<11104><0YORFbmPCWtiKwAAg0NA1A:P1>: Error: Mailbox INBOX: Corrupted transaction log file {LOG} seq 5: Unexpected garbage at EOF (sync_offset=2112)
imap(anna@alpha.test)<11105><abc>: Error: Mailbox INBOX: Corrupted transaction log file {LOG} seq 5: Unexpected garbage at EOF (sync_offset=2104)
doveadm(anna@alpha.test): Error: Corrupted transaction log file {LIST} seq 2: Unexpected garbage at EOF (sync_offset=720)
lmtp(cora@beta.test)<1><x>: Error: Mailbox INBOX: Failed to map transaction log {LOG} at sync_offset=2112 after locking: Unexpected garbage at EOF
lmtp-postfix(34260): lmtp-server: conn unix:pid=34588,uid=0 [3]: rcpt dave@beta.test: 451 4.2.0
"""
    assert repair.damage(words) == {("anna@alpha.test", LOG): "INBOX", ("anna@alpha.test", LIST): None}


@pytest.mark.parametrize("path", [
    "/srv/mail/alpha.test/ben/mail/mailboxes/INBOX/dbox-Mails/dovecot.index.log",
    f"{HOME}/../ben/mail/mailboxes/INBOX/dbox-Mails/dovecot.index.log",
    f"{HOME}-2/mail/mailboxes/INBOX/dbox-Mails/dovecot.index.log",
    f"{HOME}/mail/mailboxes/INBOX/dbox-Mails/u.1",
])
def test_a_mailbox_s_name_leads_nowhere_else(repair, path):
    """Its owner gives it, and it stands in the middle of the words."""
    trap = f"imap(anna@alpha.test)<1><x>: Error: Mailbox x: Corrupted transaction log file {path} seq 1: Unexpected garbage at EOF (sync_offset=100): no"
    ((_user, found), _what), = repair.damage(trap).items()
    assert not repair.within(found, HOME)


def test_what_belongs_to_him(repair):
    assert repair.within(LOG, HOME) and repair.within(LIST, HOME + "/")


@pytest.mark.parametrize("tail", [
    bytes(50), bytes(3), SIZE + b"half", b"\x80\x80", b"\x80\x80\x80\x03" + bytes(8), bytes([0x80, 0x80, 0x80, 0x81]),
    TRANSACTION, TRANSACTION + RECORD, TRANSACTION + RECORD + bytes(12),
], ids=repr)
def test_what_is_no_whole_transaction_is_cut(repair, log, tail):
    good = HEADER + TRANSACTION + 2 * RECORD + RECORD
    log.write_bytes(good + tail)
    assert repair.cut(str(log)) == f"cut at {len(good)} of {len(good + tail)} bytes"
    assert log.read_bytes() == good and log.with_name("dovecot.index.log.broken").read_bytes() == good + tail


@pytest.mark.parametrize("good", [HEADER, HEADER + RECORD, HEADER + TRANSACTION + 2 * RECORD], ids=len)
def test_a_log_that_is_whole_is_left_alone(repair, log, good):
    log.write_bytes(good)
    assert repair.cut(str(log)) is None
    assert log.read_bytes() == good and not log.with_name("dovecot.index.log.broken").exists()


@pytest.mark.parametrize(("words", "aside"), [(bytes(200), False), (b"", False), (HEADER[:20], False), (HEADER + RECORD, True)], ids=repr)
def test_a_log_of_which_nothing_is_good_is_put_aside(repair, log, words, aside):
    log.write_bytes(words)
    assert repair.cut(str(log), aside) == f"put aside, {len(words)} bytes"
    assert not log.exists() and log.with_name("dovecot.index.log.broken").read_bytes() == words
