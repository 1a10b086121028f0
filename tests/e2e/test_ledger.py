"""The loss ledger says exactly what was done to mail: dropped, duplicated, held back, refused, and its own prober killed in the middle.

Runs on the control host of a lab (LAB) that is up, with accounts. Slow on purpose: the ledger is the instrument here, not the service.
"""

import contextlib
import json
import os
import pathlib
import subprocess
import time
import uuid
from xml.etree import ElementTree

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
LAB = os.environ["LAB"]
MAILSERVERS = ("mail1", "mail2", "mail3")
ANNA, BEN = "anna@alpha.test", "ben@alpha.test"
# Where mail to the Internet ends: this address, this maildir of `outside`.
SINK, MAILDIR = "ledger-sink@foreign.test", "/var/mail/foreign"
ELSE = f"{MAILDIR}/new/of-another-run"
# Held mail is late after this many seconds.
LATE = 20
# Slowly: what is tested is the ledger, on whatever else the machine does.
SETTINGS = {"rate": 1, "late": LATE, "probe_interval": {"smtp": 1, "submission": 1, "imap": 4}, "foreign_every": 2}
# Resend a message that is in a mailbox by hand, as if a server had delivered it twice.
RESEND = """
import json, smtplib, sys
sys.path.insert(0, "/opt/ha-mail-ledger")
import mail_clients
from ledger import plan, settings
site, run, number = settings.load(sys.argv[1] + "/site.json"), sys.argv[2], int(sys.argv[3])
client = mail_clients.SMTP(site["vips"][0], 25, site["service_name"], 30)
client.ehlo()
client.starttls(context=mail_clients.tls_context(site["ca_file"]))
client.sendmail(site["sender"], [plan.planned(site, number)["to"]], plan.compose(site, run, number, 0))
"""


def run(*command, check=True, **kwargs):
    """Run a command; its output is in the message when it fails."""
    result = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False, cwd=ROOT, **kwargs)
    assert not check or result.returncode == 0, f"{' '.join(command)}:\n{result.stdout[-3000:]}\n{result.stderr[-3000:]}"
    return result


def on(node, *command, **kwargs):
    """Run a command on a node; return what it prints."""
    return run("podman", "exec", "-i", f"{LAB}-{node}", *command, **kwargs).stdout


def playbook(name, ledger, *arguments, **kwargs):
    """Run one of the ledger's playbooks."""
    return run("ansible-playbook", f"playbooks/ledger-{name}.yml", "-e", f"ledger_name={ledger}", *arguments, **kwargs)


class Ledger:
    """A ledger on `outside`."""

    def __init__(self):
        self.name = f"test-{uuid.uuid4().hex[:8]}"
        self.dir = f"/var/lib/ha-mail-ledger/{self.name}"

    def start(self, **settings):
        given = {"ledger_accounts": [ANNA, BEN], "ledger_overrides": SETTINGS | settings}
        return playbook("start", self.name, "-e", json.dumps(given))

    def status(self):
        return json.loads(on("outside", "env", "PYTHONPATH=/opt/ha-mail-ledger", "python3", "-m", "ledger", "status", "--dir", self.dir))

    def wait_for(self, what, count, seconds=300):
        """Wait until so many messages were sent, accepted or seen."""
        deadline = time.monotonic() + seconds
        while (status := self.status())[what] < count:
            assert time.monotonic() < deadline, f"{count} {what} expected: {status}"
            time.sleep(1)
        return status

    def records(self):
        return [json.loads(line) for line in on("outside", "cat", f"{self.dir}/ledger.jsonl").splitlines()]

    def run_id(self):
        return next(record["run"] for record in self.records() if record["e"] == "run")

    def report(self, *arguments, check=True):
        result = playbook("report", self.name, "-e", "ledger_patience=30", *arguments, check=check)
        folder = ROOT / ".cache/ledger" / self.name
        return result, json.loads((folder / "report.json").read_text()), folder

    def remove(self):
        """Leave nothing behind, whatever the test did: no prober, no mail, no passwords."""
        on("outside", "sh", "-c", "systemctl kill --signal=KILL ha-mail-ledger; cd /opt/ha-mail-ledger &&"
           f" python3 -m ledger report --patience 0 --dir {self.dir}; rm -rf {self.dir} {ELSE}", check=False)


@pytest.fixture(name="ledger")
def fixture_ledger():
    ledger = Ledger()
    yield ledger
    ledger.remove()


def states(report):
    """{number: state} of all that did not just arrive."""
    return {item["n"]: item["state"] for item in report["notable"]}


def in_mailbox(user, run_id, number=None):
    """UIDs of a run's messages, or of one of them, as the server's own tool finds them; on the node that holds the seat or any other."""
    query = f"<{run_id}.{'' if number is None else str(number) + '@'}"
    return on("mail1", "doveadm", "search", "-u", user, "mailbox", "*", "header", "Message-ID", query).split("\n")[:-1]


def in_sink(run_id, number=None):
    """Files of a run's messages, or of one of them, in the maildir of the foreign domain."""
    query = f"^Message-ID: <{run_id}.{'' if number is None else str(number) + '@'}"
    return on("outside", "sh", "-c", f"cd {MAILDIR} && grep -rl '{query}' new cur || true").split()


@contextlib.contextmanager
def changed(node, name, value):
    """A parameter of one node's Postfix is another meanwhile."""
    before = on(node, "postconf", "-h", name).strip()
    on(node, "postconf", "-e", f"{name}={value}")
    try:
        on(node, "postfix", "reload")
        yield
    finally:
        on(node, "postconf", "-e", f"{name}={before}")
        on(node, "postfix", "reload")


def seen_of(ledger, user, count):
    """Numbers of the first messages that a watcher saw in a mailbox."""
    found = [record["n"] for record in ledger.records() if record["e"] == "seen" and record["to"] == user]
    assert len(found) >= count
    return found[:count]


def test_a_rehearsal_sends_nothing_and_tells_what_is_in_the_way(ledger):
    def rehearse(**given):
        return playbook("start", ledger.name, "-e", json.dumps({"ledger_rehearse": True, "ledger_accounts": [ANNA], **given}), check=False)

    assert (result := rehearse()).returncode == 0, result.stdout
    assert on("outside", "sh", "-c", f"ls {ledger.dir}/ledger.jsonl || systemctl is-active ha-mail-ledger", check=False) == "inactive\n"
    nobody = rehearse(ledger_overrides={"vips": ["203.0.113.1"]})
    assert nobody.returncode == 2 and "The prober could not begin: the service does not answer before the first message" in nobody.stdout
    ledger.start()
    assert "A ledger is already running on outside" in rehearse().stdout
    assert ledger.status()["running"]


def test_nothing_done_nothing_found(ledger):
    # The sink holds mail of another run already.
    on("outside", "install", "-d", "-o", "mail", "-g", "mail", MAILDIR, f"{MAILDIR}/new")
    on("outside", "tee", ELSE, input="Message-ID: <00000000.0@ledger.invalid>\n\n")
    ledger.start()
    refused = playbook("start", ledger.name, check=False)
    assert refused.returncode and "A ledger is already running" in refused.stdout + refused.stderr
    refused = playbook("report", ledger.name, check=False)
    assert refused.returncode and "is running; stop it first" in refused.stdout + refused.stderr
    ledger.wait_for("seen", 20)
    playbook("stop", ledger.name)
    _result, report, folder = ledger.report()
    assert report["verdict"]["ok"] and report["messages"]["once"] + report["messages"]["late"] == report["messages"]["sent"] >= 20
    outbound = report["directions"]["outbound"]
    assert outbound["once"] + outbound["late"] == outbound["sent"] >= 4 and outbound["delivery"]["count"] == outbound["sent"]
    assert ElementTree.parse(folder / "report.xml").getroot().get("failures") == "0"
    page = (folder / "report.html").read_text()
    assert "PASSED" in page and "http" not in page.replace("http://www.w3.org", "")
    assert in_mailbox(ANNA, report["run"]) == in_mailbox(BEN, report["run"]) == in_sink(report["run"]) == []
    assert in_sink("00000000") == ["new/of-another-run"]
    refused = playbook("stop", ledger.name, check=False)
    assert refused.returncode and "is not running" in refused.stdout + refused.stderr


def test_it_says_exactly_what_was_done(ledger):
    ledger.start()
    ledger.wait_for("seen", 16)
    run_id = ledger.run_id()
    # Refused: one server takes no message for some seconds, and says so with 5xx.
    with changed("mail1", "smtpd_data_restrictions", "reject"):
        deadline = time.monotonic() + 60
        while not any(record.get("outcome") == "refused" for record in ledger.records()):
            assert time.monotonic() < deadline
            time.sleep(1)
    # Held: what Postfix has at that moment and takes until the release stays in its queue.
    held_on = "mail2"
    on(held_on, "postconf", "-e", "defer_transports=lmtp,smtp")
    try:
        on(held_on, "postfix", "reload")
        time.sleep(LATE / 2)
    finally:
        on(held_on, "sh", "-c", f"sleep {LATE}; postconf -X defer_transports; postfix reload; postqueue -f")
    playbook("stop", ledger.name)
    lost, twice = seen_of(ledger, ANNA, 1)[0], seen_of(ledger, BEN, 1)[0]
    sink_lost, sink_twice = seen_of(ledger, SINK, 2)
    assert len(in_mailbox(ANNA, run_id, lost)) == len(in_mailbox(BEN, run_id, twice)) == 1
    [gone], [copied] = in_sink(run_id, sink_lost), in_sink(run_id, sink_twice)
    on("outside", "rm", f"{MAILDIR}/{gone}")
    on("outside", "cp", f"{MAILDIR}/{copied}", f"{MAILDIR}/{copied}-again")
    on("mail1", "doveadm", "expunge", "-u", ANNA, "mailbox", "*", "header", "Message-ID", f"<{run_id}.{lost}@")
    on("outside", "python3", "-", ledger.dir, run_id, str(twice), input=RESEND)
    deadline = time.monotonic() + 60
    while len(in_mailbox(BEN, run_id, twice)) < 2:
        assert time.monotonic() < deadline
        time.sleep(1)
    result, report, folder = ledger.report(check=False)
    assert result.returncode != 0, "mail was lost and duplicated, and the playbook passed"
    found = states(report)
    assert (found.pop(lost), found.pop(twice)) == (found.pop(sink_lost), found.pop(sink_twice)) == ("lost", "duplicated")
    assert [report["directions"]["outbound"][state] for state in ("lost", "duplicated")] == [1, 1]
    refused = {record["n"] for record in ledger.records() if record.get("outcome") == "refused"}
    assert refused and {found.pop(number) for number in refused} == {"wrongly_refused"}
    # Late are messages that the node with held mail had accepted, and no others are anything but delivered once.
    assert found and set(found.values()) == {"late"}, found
    held = on(held_on, "sh", "-c", f"journalctl --since -10min -o cat -t postfix/cleanup | grep -oE '<{run_id}.[0-9]+@' | tr -dc '0-9.\\n' || true")
    accepted_there = {int(line.rpartition(".")[2]) for line in held.split()}
    assert set(found) <= accepted_there, (found, accepted_there)
    failures = {case.get("name") for case in ElementTree.parse(folder / "report.xml").getroot() if case.find("failure") is not None}
    assert failures == {"lost", "duplicated", "wrongly_refused"}
    assert in_sink(run_id) == []


def test_a_killed_prober_goes_on_and_forgets_nothing(ledger):
    ledger.start(rate=2)
    ledger.wait_for("accepted", 20)
    on("outside", "systemctl", "kill", "--signal=KILL", "ha-mail-ledger")
    before = ledger.wait_for("sent", 20)
    assert not before["running"] and not before["finished"]
    time.sleep(3)
    ledger.start(rate=2)
    ledger.wait_for("accepted", before["sent"] + 15)
    playbook("stop", ledger.name)
    _result, report, _folder = ledger.report()
    assert report["verdict"]["ok"] and len(report["prober"]["starts"]) == 2
    assert report["messages"]["accepted"] == report["messages"]["sent"], "every message of before was carried to its end"
    outbound = report["directions"]["outbound"]
    assert outbound["accepted"] == outbound["sent"] >= 5 and outbound["lost"] == 0
    assert set(states(report).values()) <= {"uncertain_duplicate", "late"}, states(report)
    # The time in which nobody looked is nobody's gap.
    assert all(row["longest_gap"]["seconds"] < report["seconds"] / 2 for row in report["probes"].values())
