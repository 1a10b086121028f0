"""check-redundancy.yml as a user runs it: exit code, message, picture, JSON, and that no host is touched."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(name="check")
def fixture_check(tmp_path):
    """Run a playbook with an ssh that only leaves a trace, and assert that it left none."""
    ssh = tmp_path / "ssh"
    ssh.write_text(f"#!/bin/sh\ntouch {tmp_path}/touched\nexit 255\n", encoding="utf-8")
    ssh.chmod(0o755)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")},
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_SSH_EXECUTABLE": str(ssh), "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_LOCAL_TEMP": str(tmp_path / "tmp"), "LAB": "bad-input-test", "COLUMNS": "1000",
    }

    def run(*arguments, inventory="lab", playbook="check-redundancy.yml"):
        command = [Path(sys.executable).parent / "ansible-playbook", "-i", ROOT / "inventories" / inventory / "hosts.yml",
                   ROOT / "playbooks" / playbook, *arguments]
        found = subprocess.run(command, cwd=ROOT, env=environment, text=True, timeout=900, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, check=False)
        assert not (tmp_path / "touched").exists()
        return found

    return run


@pytest.mark.parametrize("inventory, racks", [("lab", ["rack1", "rack2", "rack3"]), ("example", ["r1", "r2", "r3"])])
def test_inventories_of_the_repository_are_redundant(check, inventory, racks):
    """By any host and by any rack; that the site may go is accepted."""
    run = check(inventory=inventory)
    assert run.returncode == 0, run.stdout
    assert all(f"rack {rack} " in run.stdout for rack in racks) and "mail_rack: " not in run.stdout
    assert "Every service survives the loss of any one part, or the inventory accepts that it does not." in run.stdout


def test_what_nobody_accepted_fails_and_is_named(check):
    run = check("-e", '{"mail_accepted_single_points": ["dns"]}')
    assert run.returncode == 2
    assert "site_a (site): smtp, imap and accounts lost with it" in run.stdout
    assert check("-e", '{"mail_accepted_single_points": [], "mail_allow_single_points": true}').returncode == 0


def test_an_unknown_accepted_name_is_refused(check):
    run = check("-e", '{"mail_accepted_single_points": ["site_a", "dns", "lb9"]}')
    assert run.returncode == 2
    assert "mail_accepted_single_points: lb9 is nothing that can fail here" in run.stdout


def test_json_and_picture_on_request_and_no_other_format(check, tmp_path):
    picture = tmp_path / "site.md"
    run = check("-e", "check_redundancy_format=json", "-e", f"check_redundancy_picture={picture}")
    assert run.returncode == 0, run.stdout
    text = run.stdout[run.stdout.index("TASK [Print the report]"):]
    report, dummy = json.JSONDecoder().raw_decode(text[text.index("{"):])
    assert {"losses", "single_points", "warnings", "failures"} == set(report["msg"])
    assert picture.read_text(encoding="utf-8").startswith("```mermaid")
    run = check("-e", "check_redundancy_format=xml")
    assert run.returncode == 2
    assert "check_redundancy_format: found 'xml', expected text or json; give one of them." in run.stdout


def test_two_mailservers_in_one_rack_fail(check, tmp_path):
    moved = tmp_path / "moved.yml"
    moved.write_text("all:\n  hosts:\n    mail2: {mail_rack: rack1}\n", encoding="utf-8")
    run = check("-i", moved)
    assert run.returncode == 2
    assert "rack1 (rack): smtp, imap and accounts lost with it" in run.stdout and "mail_accepted_single_points: [rack1]" in run.stdout


def test_racks_are_no_mistake_of_an_inventory(check, tmp_path):
    racks = tmp_path / "racks.yml"
    racks.write_text("all:\n  hosts:\n    mail1: {mail_rack: r1}\n    mail2: {mail_rack: r2}\n", encoding="utf-8")
    run = check("-i", racks, "-e", "mail_secrets_dir=/nowhere", playbook="check-inventory.yml")
    assert run.returncode == 0, run.stdout
