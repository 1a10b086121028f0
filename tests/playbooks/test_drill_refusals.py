"""drill.yml as a user runs it where a drill must not begin: exit code, one sentence, and that no host is touched."""

from __future__ import annotations

import json
import os
import subprocess
import time

import pytest
from test_check_inventory import ROOT, Site, words

LOCK = ROOT / "roles/drill/files/one-drill"


@pytest.fixture(name="site")
def fixture_site(tmp_path):
    made = Site("lab", tmp_path)
    made.without_firewalls()
    return made


def drill(site, *arguments, fault="haproxy-frozen"):
    """Run a drill with its evidence inside the test's own directory."""
    return site.play(ROOT / "playbooks/drill.yml", "-e", f"drill_fault={fault}", "-e", f"drill_evidence_dir={site.directory}/drills", *arguments)


def refused(run, site, sentence):
    """It ended with this sentence, and nothing was touched."""
    assert run.returncode == 2, run.stdout
    assert sentence in words(run)
    assert not site.touched.exists()
    assert not list((site.directory / "drills").glob("2*")), "there is evidence of a drill that never began"


def test_a_site_that_does_not_allow_it(site):
    site.edit("group_vars/all/lab.yml", "mail_drills_allowed: true\n", "")
    refused(drill(site), site, "This site does not allow drills; set mail_drills_allowed to true in its inventory if it may be broken on purpose.")


def test_a_firewall_that_is_somebody_else_s(site):
    refused(drill(site, fault="firewall-killed"), site, "firewall-killed breaks a firewall, and the inventory has none that is ours; name another fault.")


def test_commands_for_a_firewall_that_takes_none(tmp_path):
    site = Site("lab", tmp_path)
    site.edit("group_vars/all/site.yml", "mail_firewall_platform: linux", "mail_firewall_platform: vyos")
    refused(drill(site, fault="firewall-cut"), site, "firewall-cut is made of commands for a Linux firewall, and those of this site are something else;")


def test_an_unknown_fault(site):
    run = drill(site, fault="haproxy-frosen")
    refused(run, site, "drill_fault: found 'haproxy-frosen', expected one of clock-off,")


def test_no_fault_at_all(site):
    refused(drill(site, fault=""), site, "Nothing says what to break; name it with -e drill_fault=NAME")


def test_no_host_outside(site):
    refused(drill(site, "-e", "ledger_from=moon"), site, "The inventory has no host moon to watch from outside; name one with -e ledger_from=HOST.")


def test_a_target_that_does_not_have_it(site):
    refused(drill(site, "-e", "drill_target=mail1"), site,
            "drill_target: found 'mail1', expected one of lb1, lb2 for haproxy-frozen; name one of them.")


def test_no_run_at_all(site):
    refused(drill(site, "-e", "drill_runs=0"), site, "drill_runs: found 0, expected 1 or more.")


def test_less_than_no_time(site):
    refused(drill(site, "-e", "drill_heal=-1"), site, "drill_heal: found -1, expected 0 or more seconds.")


def test_settings_of_the_ledger_that_are_none(site):
    refused(drill(site, "-e", "drill_ledger=rate=1"), site, "drill_ledger: found 'rate=1', expected settings by name;")


def test_power_that_cannot_be_switched(site):
    site.edit("group_vars/all/lab.yml", "  pause: podman pause {{ lab_name }}-{{ inventory_hostname }}\n", "")
    refused(drill(site, fault="mailserver-paused"), site,
            "mailserver-paused needs mail_power_commands with the keys pause and unpause; set them in the inventory.")


def test_a_second_drill(site):
    with subprocess.Popen(["sleep", "60"]) as first:
        subprocess.run([LOCK, "take", site.directory / "drills/lock", str(first.pid), "20260101T000000Z-mailserver-cut"], check=True)
        run = drill(site)
        first.kill()
    refused(run, site, f"Another drill is running, 20260101T000000Z-mailserver-cut (process {first.pid}); wait for its end.")


def test_a_drill_that_was_killed_holds_up_nothing(tmp_path):
    file = tmp_path / "lock"
    with subprocess.Popen(["sleep", "60"]) as first:
        subprocess.run([LOCK, "take", file, str(first.pid), "first"], check=True)
        first.kill()
    mine = str(os.getpid())
    subprocess.run([LOCK, "take", file, mine, "second"], check=True)
    # The same number with another start is another process.
    file.write_text(f"{mine} 1 third\n", encoding="utf-8")
    subprocess.run([LOCK, "take", file, mine, "fourth"], check=True)
    subprocess.run([LOCK, "free", file, "1"], check=True)
    assert file.read_text(encoding="utf-8").endswith(" fourth\n"), "somebody else has freed it"
    subprocess.run([LOCK, "free", file, mine], check=True)
    assert not file.exists()


@pytest.mark.parametrize("fault, rehearsed, ledger", [
    ("haproxy-frozen", False, {}), ("disk-full", True, {}),
    ("loadbalancer-cut", False, {"rate": 1, "probe_interval": {"submission": 0.35, "imap": 0.35}})])
def test_a_ledger_that_cannot_be_started(site, fault, rehearsed, ledger):
    """The cluster is at full strength, as the gate's playbook says here, but nobody would watch. disk-full moves a copy of the mail before it is
    watched, so that it can be watched has to be known before; what is to be seen within a second is looked at more often."""
    programs, calls = site.directory / "programs", site.directory / "calls"
    programs.mkdir()
    (programs / "ansible-playbook").write_text(f"""#!/bin/sh
for word; do case $word in */playbooks/*) playbook=${{word##*/}} ;; esac; done
case "$*" in *'"ledger_rehearse": true'*) playbook="$playbook rehearsed" ;; esac
echo "$playbook" >>{calls}
case $playbook in check-health.yml) exit 0 ;; esac
echo "[ERROR]: Task failed: Action failed: A ledger is already running on outside; stop it with playbooks/ledger-stop.yml first."
exit 2
""", encoding="utf-8")
    (programs / "ansible-playbook").chmod(0o755)
    site.environment["PATH"] = f"{programs}:{site.environment['PATH']}"
    run = drill(site, fault=fault)
    assert run.returncode == 2, run.stdout
    assert "playbooks/ledger-start.yml failed, A ledger is already running on outside; stop it with playbooks/ledger-stop.yml first." in words(run)
    assert not site.touched.exists(), site.touched.read_text(encoding="utf-8")
    called = list(dict.fromkeys(calls.read_text(encoding="utf-8").splitlines()))  # what fails is tried again
    assert called == ["check-health.yml", "ledger-start.yml rehearsed" if rehearsed else "ledger-start.yml"]
    history = json.loads((site.directory / "drills/history.jsonl").read_text(encoding="utf-8"))
    assert (history["ok"], history["fault"], history["ledger"]) == (False, fault, ledger)
    assert not (site.directory / "drills/lock").exists()


def test_a_cluster_that_cannot_be_asked_is_not_broken_further(site):
    """Every host is out of reach: the gate refuses, the history says why, and the lock is free for the next."""
    started = time.monotonic()
    run = drill(site, "-e", "__drill_gate_tries=0")
    assert run.returncode == 2, run.stdout
    assert "playbooks/check-health.yml failed" in words(run)
    assert "Break" not in run.stdout.replace("Break it", "").replace("Break it while", "")
    history = (site.directory / "drills/history.jsonl").read_text(encoding="utf-8")
    assert '"ok": false' in history and '"fault": "haproxy-frozen"' in history
    assert not (site.directory / "drills/lock").exists()
    assert time.monotonic() - started < 100
