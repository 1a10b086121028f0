"""What mailbox-repair makes of the words and the logs of Dovecot 2.4.1."""

import types

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


class Node:
    """A node with one user, whose log is at `log`. What doveadm force-resync does is `resync`, called with the number of the attempt."""

    def __init__(self, repair, log, seat_here=True, resync=lambda _turn: ""):
        self.home, self.seat_here, self.resync, self.calls = str(log.parent), seat_here, resync, []
        self.refusal = f"doveadm(anna@alpha.test): Error: Mailbox INBOX: Corrupted transaction log file {log} seq 1: Unexpected garbage at EOF"
        self.resyncs = 0
        repair.run = self.run

    def run(self, *command):
        self.calls.append(command)
        out = err = ""
        if command[:3] == ("doveadm", "auth", "lookup"):
            out = "passdb: anna@alpha.test\n  user      : anna@alpha.test\n  host      : 192.0.2.201\n"
        elif command[0] == "ip":
            assert command[-1] == "192.0.2.201"
            out = "2: dmz0 inet 192.0.2.201/32" if self.seat_here else ""
        elif command[:2] == ("doveadm", "user"):
            out = self.home + "\n"
        elif command[:2] == ("doveadm", "force-resync"):
            self.resyncs += 1
            err = self.resync(self.resyncs)
        elif command[0] == "journalctl":
            out = self.refusal.replace("doveadm", "lmtp")
        return types.SimpleNamespace(stdout=out, stderr=err, returncode=75 if err else 0)


@pytest.fixture(name="restored")
def fixture_restored(repair, monkeypatch):
    monkeypatch.setattr(repair, "run", repair.run)  # put back after the test


GOOD = HEADER + TRANSACTION + 2 * RECORD


def test_it_is_mended_where_it_is_served(repair, log, restored, capsys):
    log.write_bytes(GOOD + bytes(20))
    node = Node(repair, log)
    assert repair.main() == 0 and log.read_bytes() == GOOD
    assert ("doveadm", "force-resync", "-u", "anna@alpha.test", "INBOX") in node.calls and ("doveadm", "kick", "anna@alpha.test") in node.calls
    assert "INBOX is open again" in capsys.readouterr().out


def test_another_node_s_user_is_left_alone(repair, log, restored):
    log.write_bytes(GOOD + bytes(20))
    node = Node(repair, log, seat_here=False)
    assert repair.main() == 0 and log.read_bytes() == GOOD + bytes(20) and not node.resyncs


def test_another_user_s_log_is_left_alone(repair, log, restored):
    log.write_bytes(GOOD + bytes(20))
    node = Node(repair, log)
    node.home += "/elsewhere"
    assert repair.main() == 0 and log.read_bytes() == GOOD + bytes(20) and not node.resyncs


def test_what_is_mended_already_is_not_touched(repair, log, restored):
    log.write_bytes(GOOD)
    node = Node(repair, log)
    assert repair.main() == 0 and log.read_bytes() == GOOD and not node.resyncs and ("doveadm", "kick", "anna@alpha.test") not in node.calls


def test_whoever_had_read_the_garbage_adds_to_it_once_more(repair, log, restored):
    log.write_bytes(GOOD + bytes(20))

    def resync(turn):
        if turn == 1:
            log.write_bytes(log.read_bytes() + bytes(4))
            return node.refusal
        return ""
    node = Node(repair, log, resync=resync)
    assert repair.main() == 0 and log.read_bytes() == GOOD and node.resyncs == 2


def test_what_is_refused_though_it_is_whole_is_put_aside(repair, log, restored):
    log.write_bytes(GOOD + bytes(20))
    node = Node(repair, log, resync=lambda turn: node.refusal if turn == 1 else "")
    assert repair.main() == 0 and not log.exists() and log.with_name("dovecot.index.log.broken").read_bytes() == GOOD


def test_what_cannot_be_opened_afterwards_is_said(repair, log, restored, capsys):
    log.write_bytes(GOOD + bytes(20))
    Node(repair, log, resync=lambda _turn: "doveadm(anna@alpha.test): Error: no space left")
    assert repair.main() == 1
    assert "<3>anna@alpha.test: INBOX cannot be opened: doveadm(anna@alpha.test): Error: no space left" in capsys.readouterr().out


def test_a_store_that_is_gone_is_said_in_a_sentence(repair, log, restored, capsys):
    log.mkdir()  # as any other error of the file system
    Node(repair, log)
    assert repair.main() == 1
    assert f"<3>anna@alpha.test: {log} could not be mended: " in capsys.readouterr().out
