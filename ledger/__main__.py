"""The command line: python3 -m ledger rehearse|start|status|stop|report --dir DIR. README.md tells what each does.

DIR holds one ledger: site.json (given, 0600), ledger.jsonl, and what the report makes of it.
"""

import argparse
import asyncio
import contextlib
import fcntl
import json
import os
import pathlib
import subprocess
import sys
import time

from . import book, junit, mailboxes, page, prober, reconcile, settings, sink, summary

UNIT = "ha-mail-ledger"
# Seconds that a prober has to meet the service before its first message.
PATIENCE = 30


class Refusal(Exception):
    """What was asked for makes no sense now; the text says why and what to do."""


class Place:
    """The directory of one ledger."""

    def __init__(self, path):
        self.path = pathlib.Path(path).resolve()
        self.site, self.ledger, self.log = self.path / "site.json", self.path / "ledger.jsonl", self.path / "prober.log"
        self.found = self.path / "mailboxes.json"

    @contextlib.contextmanager
    def locked(self):
        """Hold the place; the kernel lets go when the holder dies, however he does. Raises Refusal when it is held."""
        with open(self.path / "lock", "w", encoding="utf-8") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise Refusal(f"The ledger in {self.path} is running; stop it first.") from error
            yield

    def running(self):
        """Whether a prober holds the place."""
        try:
            with self.locked():
                return False
        except Refusal:
            return True

    def records(self):
        """The ledger. Raises Refusal when there is none."""
        if not self.ledger.exists():
            raise Refusal(f"There is no ledger in {self.path}: nothing was started there.")
        return book.read(self.ledger)


def systemctl(*arguments):
    """Ask systemd about the prober's unit."""
    return subprocess.run(["systemctl", *arguments], capture_output=True, text=True, check=False)


def ready(place):
    """The site that a prober is to be started for. Raises Refusal if one is running, NotADirectoryError if the sink is not here."""
    site = settings.load(place.site)
    sink.require(site)
    if place.running() or systemctl("is-active", UNIT).returncode == 0:
        raise Refusal(f"A ledger is already running on this host (unit {UNIT}); stop it first.")
    return site


def as_unit(place, site, command, *options):
    """Run a command of this program as the prober's unit, so that it outlives the session that starts it."""
    systemctl("reset-failed", UNIT)
    return subprocess.run(["systemd-run", "--quiet", f"--unit={UNIT}", "--collect", f"--property=TimeoutStopSec={site['stragglers'] + 60}",
                           "--property=UMask=0077", f"--working-directory={os.getcwd()}", *options,
                           sys.executable, "-m", "ledger", command, "--dir", str(place.path)], capture_output=True, text=True, check=False)


def rehearse(place, _options):
    """See that a prober could be started: as its unit it meets the service, and ends. Nothing is sent, and no ledger begun."""
    site = ready(place)
    met = as_unit(place, site, "meet", "--wait", "--pipe", f"--property=RuntimeMaxSec={PATIENCE}")
    if met.returncode != 0:
        raise Refusal("The prober could not begin: " + (met.stderr.strip().rpartition("\n")[2] or f"it has not met the service within {PATIENCE} s"))


def meet(place, _options):
    """Be the prober of a rehearsal."""
    site = settings.load(place.site)
    with place.locked():
        asyncio.run(prober.meet(site))


def start(place, _options):
    """Start the prober as a unit of its own."""
    site = ready(place)
    begun = 0
    if place.ledger.exists():
        records, _torn = place.records()
        if any(record["e"] == "done" for record in records):
            raise Refusal(f"The ledger in {place.path} is complete. Report it, and start another one under another name.")
        begun = sum(record["e"] == "sending" for record in records)
    started = as_unit(place, site, "run", f"--property=StandardError=append:{place.log}")
    if started.returncode != 0:
        raise Refusal(f"Unit {UNIT} does not start: {started.stderr.strip()}")
    deadline = time.monotonic() + PATIENCE
    while not place.ledger.exists() or sum(record["e"] == "sending" for record in place.records()[0]) == begun:
        if systemctl("is-active", UNIT).returncode != 0 or time.monotonic() > deadline:
            systemctl("stop", UNIT)
            raise Refusal("The prober did not begin: " + place.log.read_text(encoding="utf-8").strip().rpartition("\n")[2])
        time.sleep(0.2)
    status(place, None)


def run(place, _options):
    """Be the prober."""
    site = settings.load(place.site)
    with place.locked():
        try:
            asyncio.run(prober.Prober(site, place.ledger).run())
        except* ConnectionError as group:
            sys.exit("; ".join(str(error) for error in group.exceptions))


def status(place, _options):
    """Print what the ledger holds so far, as JSON."""
    records, torn = place.records()
    known = reconcile.messages(records)
    print(json.dumps({
        "running": place.running(),
        "finished": any(record["e"] == "done" for record in records),
        "sent": len(known),
        "accepted": sum(message["accepted"] is not None for message in known.values()),
        "seen": sum(message["seen"] is not None for message in known.values()),
        "torn_lines": torn,
    }))


def stop(place, _options):
    """Stop sending, wait for what is under way, end the prober."""
    place.records()
    if not place.running():
        raise Refusal(f"The ledger in {place.path} is not running. If its prober was killed, start it again to go on, or report what there is.")
    systemctl("stop", UNIT)
    if place.running():
        raise Refusal(f"The prober in {place.path} does not end, though unit {UNIT} was stopped.")
    status(place, None)


def report(place, options):
    """Reconcile with the mailboxes, write report.json, report.xml and report.html, and remove the mail that was sent."""
    site = settings.load(place.site)
    faults = summary.events(pathlib.Path(options.events).read_text(encoding="utf-8")) if options.events else []
    with place.locked():
        records, torn = place.records()
        name = next((record["run"] for record in records if record["e"] == "run"), None)
        known = reconcile.messages(records)
        if not known:
            raise Refusal(f"The ledger in {place.path} is empty: no message was sent.")
        if place.found.exists():
            # Looked at before, and perhaps cleaned since: what was found then counts.
            found = json.loads(place.found.read_text(encoding="utf-8"))
        else:
            found = asyncio.run(await_mail(site, name, known, options.patience if options.patience is not None else site["stragglers"]))
            with open(place.found, "w", encoding="utf-8") as out:
                json.dump(found, out)
                out.flush()
                os.fsync(out.fileno())
        whole = summary.summarise(site, records, torn, found, faults)
        for suffix, text in (("json", json.dumps(whole, indent=1)), ("xml", junit.render(whole)), ("html", page.render(whole))):
            (place.path / f"report.{suffix}").write_text(text, encoding="utf-8")
        if not options.keep:
            asyncio.run(mailboxes.clean(site, name))
    print(json.dumps({key: whole[key] for key in ("verdict", "messages", "delivery")}))


async def await_mail(site, run_name, known, patience):
    """What is in the mailboxes, once every accepted message is there or ``patience`` seconds are over."""
    accepted = {number for number, message in known.items() if message["accepted"] is not None}
    deadline = time.monotonic() + patience
    while True:
        found = await mailboxes.collect(site, run_name)
        if accepted <= {number for numbers in found.values() for number in numbers} or time.monotonic() > deadline:
            return found
        await asyncio.sleep(2)


def main():
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="ledger")
    parser.add_argument("command", choices=["rehearse", "meet", "start", "run", "status", "stop", "report"])
    parser.add_argument("--dir", required=True, help="directory of the ledger, with site.json in it")
    parser.add_argument("--events", help="report: JSON lines {time, kind, text} of what was done to the service")
    parser.add_argument("--patience", type=float, help="report: seconds to wait for mail that has not arrived; default: stragglers of site.json")
    parser.add_argument("--keep", action="store_true", help="report: leave the mail in the mailboxes")
    options = parser.parse_args()
    try:
        {"rehearse": rehearse, "meet": meet, "start": start, "run": run, "status": status, "stop": stop, "report": report}[options.command](
            Place(options.dir), options)
    except (Refusal, settings.SettingsError, summary.EventsError, mailboxes.MailboxError, OSError) as error:
        sys.exit(f"{error}")


if __name__ == "__main__":
    main()
