"""check-inventory.yml as a user runs it: exit code, message, and that no host is touched."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
ANSIBLE_PLAYBOOK = Path(sys.executable).parent / "ansible-playbook"


class Site:
    """A copy of an inventory, in which ssh is a program that only leaves a trace."""

    def __init__(self, source: str, directory: Path):
        self.directory = directory
        self.inventory = directory / "inventory"
        shutil.copytree(ROOT / "inventories" / source, self.inventory, ignore=shutil.ignore_patterns("secrets"))
        self.touched = directory / "touched"
        ssh = directory / "ssh"
        ssh.write_text(f"#!/bin/sh\necho \"$@\" >>{self.touched}\nexit 255\n", encoding="utf-8")
        ssh.chmod(0o755)
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")},
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_SSH_EXECUTABLE": str(ssh), "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_LOCAL_TEMP": str(directory / "tmp"), "LAB": "bad-input-test", "COLUMNS": "1000",
        }

    def file(self, name: str) -> Path:
        return self.inventory / name

    def edit(self, name: str, old: str, new: str) -> None:
        text = self.file(name).read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{old!r} is there {text.count(old)} times"
        self.file(name).write_text(text.replace(old, new), encoding="utf-8")

    def without_firewalls(self) -> None:
        """They are somebody else's: their connection knows no ssh program, and a test talks to no address that is not its own."""
        self.edit("hosts.yml", "    firewalls:\n      hosts: {fw1: {}, fw2: {}}\n", "")

    def play(self, playbook: Path, *arguments: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [ANSIBLE_PLAYBOOK, "-i", self.inventory, playbook, *arguments], cwd=ROOT, env=self.environment, text=True, timeout=900,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, check=False)

    def check(self, *arguments: str) -> subprocess.CompletedProcess:
        return self.play(ROOT / "playbooks/check-inventory.yml", *arguments)


@pytest.fixture(name="site")
def fixture_site(tmp_path):
    return Site("example", tmp_path)


def words(run: subprocess.CompletedProcess) -> str:
    """The output without line breaks and indentation, which depend on the width of the terminal."""
    return " ".join(run.stdout.split())


@pytest.mark.parametrize("source", ["example", "lab"])
def test_inventories_of_the_repository_are_good(source, tmp_path):
    site = Site(source, tmp_path)
    run = site.check()
    assert run.returncode == 0, run.stdout
    assert "unreachable=0 failed=0" in words(run)
    assert not site.touched.exists()
    assert not (site.inventory / "secrets").exists(), "the check has made secrets"


def test_two_providers_as_the_example_shows_them(site):
    name = "group_vars/all/site.yml"
    lines = site.file(name).read_text(encoding="utf-8").splitlines(keepends=True)
    begin = next(number for number, line in enumerate(lines) if line == "    # - name: wan\n")
    end = next(number for number in range(begin, len(lines)) if not lines[number].startswith("    # "))
    shown = [line.replace("    # ", "    ", 1) for line in lines[begin:end]]
    site.file(name).write_text("".join([line for line in lines[:begin] if "{name: wan, internet" not in line] + shown + lines[end:]), encoding="utf-8")
    for last in (3, 4):
        site.edit("hosts.yml", f"wan: 192.0.2.{last}, ", f"wan_a: 192.0.2.{last}, wan_b: 192.0.2.{last + 64}, ")
    run = site.check()
    assert run.returncode == 0 and "WARNING" not in run.stdout, run.stdout
    run = site.check("-e", "mail_firewall_platform=vyos")
    assert run.returncode == 2 and "mail_firewall.zones (wan).uplinks: the platform is vyos, expected them with linux only" in words(run), run.stdout


def test_it_takes_less_than_five_seconds_of_processor_time(site):
    before = os.times()
    assert site.check().returncode == 0
    after = os.times()
    assert after.children_user + after.children_system - before.children_user - before.children_system < 5


def test_nothing_after_it_runs_and_no_host_is_touched(site):
    site.edit("group_vars/all/site.yml", "seat04, address: 203.0.113.204, vrid: 104", "seat04, address: 203.0.113.203, vrid: 103")
    site.edit("group_vars/all/site.yml", "mail_internal_domain:", "mail_internal_domian:")
    following = site.directory / "site.yml"
    following.write_text(yaml.safe_dump([
        {"import_playbook": str(ROOT / "playbooks/check-inventory.yml")},
        {"name": "Touch", "hosts": "all", "gather_facts": False, "tasks": [{"name": "Touch", "ansible.builtin.raw": "true"}]},
    ]), encoding="utf-8")
    run = site.play(following)
    assert run.returncode == 2, run.stdout
    text = words(run)
    assert "The inventory has 4 errors; no host was touched." in text
    assert ("mail_seats: seat03 and seat04 have vrid 103 in network 'service' (IPv4), expected a vrid of its own for each; "
            "give seat04 a free one, for instance 104.") in text
    assert "mail_seats: 203.0.113.203 belongs to seat seat03 and seat seat04" in text
    lines = site.file("group_vars/all/site.yml").read_text(encoding="utf-8").splitlines()
    number = next(number for number, line in enumerate(lines, 1) if line.startswith("mail_internal_domian"))
    assert f"group_vars/all/site.yml:{number}, but nothing reads a variable of this name, expected mail_internal_domain;" in text
    assert "mail_internal_domain: it is not set, expected a text; set it in group_vars/all of the inventory: Domain of the nodes' own names" in text
    assert "PLAY [Touch]" not in run.stdout
    assert not site.touched.exists()


def test_the_trace_of_a_touched_host_would_be_seen(site):
    """The counterpart of the test above: with a good inventory the same second play does reach for the hosts."""
    following = site.directory / "site.yml"
    following.write_text(yaml.safe_dump([
        {"import_playbook": str(ROOT / "playbooks/check-inventory.yml")},
        {"name": "Touch", "hosts": "lb-a1", "gather_facts": False, "tasks": [{"name": "Touch", "ansible.builtin.raw": "true"}]},
    ]), encoding="utf-8")
    assert site.play(following).returncode == 4
    assert "198.51.100.11" in site.touched.read_text(encoding="utf-8")


def test_even_number_of_databases(site):
    site.edit("hosts.yml", "hosts: {db-a1: {}, db-a2: {}, db-a3: {}}", "hosts: {db-a1: {}, db-a2: {}}")
    run = site.check()
    assert run.returncode == 2
    assert ("group databases: 2 members of etcd (db-a1 and db-a2), expected an odd number, as in 3 or 5; "
            "add one or take one out: 2 members survive no more failures than 1.") in words(run)


def test_single_point_is_an_error_or_a_warning(site):
    site.edit("hosts.yml", "hosts: {fw-a1: {}, fw-a2: {}}", "hosts: {fw-a1: {}}")
    line = ("        fw-a2: {ansible_host: 198.51.100.6, "
            "mail_firewall_addresses: {wan: 192.0.2.4, service: 203.0.113.6, sync: 10.255.255.2}, mail_rack: r2}\n")
    site.edit("hosts.yml", line, "")
    sentence = "group firewalls: fw-a1 is alone in it, expected at least two hosts, so that one can fail;"
    run = site.check()
    assert run.returncode == 2
    assert sentence in words(run)
    run = site.check("-e", "mail_allow_single_points=true")
    assert run.returncode == 0, run.stdout
    assert f"[WARNING]: {sentence}" in words(run)


def test_templates_and_variables_of_roles_and_secrets(site):
    (site.inventory / "group_vars/mailservers").mkdir()
    site.file("group_vars/mailservers/postfix.yml").write_text(yaml.safe_dump({
        "mail_nameservers": ["{{ undefined_resolver }}", "192.0.2.54"],
        "validate_inventory_certificate_days": "two weeks",
        "validate_inventory_days": 3,
    }), encoding="utf-8")
    site.edit("group_vars/all/accounts.yml", "office@example.org, quota: 5GB",
              "office@example.org, password_hash: '{MD4}0123456789abcdef'")
    run = site.check()
    assert run.returncode == 2
    text = words(run)
    assert "mail_nameservers of mail-a1: its template fails" in text and "undefined_resolver" in text
    assert ("validate_inventory_certificate_days: found 'two weeks', expected a whole number; write a whole number.") in text
    assert "validate_inventory_days: set for mail-a1, mail-a2 and mail-a3 in" in text
    assert "mail_accounts[0] (office@example.org): the password hash has the unknown or too weak scheme MD4" in text
    assert "0123456789abcdef" not in run.stdout


def test_objectives_and_a_timer_set_by_hand(site):
    (site.inventory / "group_vars/loadbalancers").mkdir()
    site.file("group_vars/loadbalancers/keepalived.yml").write_text("keepalived_advert_interval: 3\n", encoding="utf-8")
    with site.file("group_vars/all/site.yml").open("a", encoding="utf-8") as file:
        file.write("mail_objectives: {rto: {directory_write: 10}, rpo: {queue: 0}}\n")
    run = site.check()
    assert run.returncode == 2
    text = words(run)
    assert "The inventory has 3 errors; no host was touched." in text
    assert "keepalived_advert_interval: set in " in text and "keepalived.yml:1, expected no value, for it is derived" in text
    assert "mail_objectives.rto.directory_write: 10 s asked, but " in text
    assert "mail_objectives.rpo.queue: 0 s asked, but " in text


def test_show_objectives(site):
    table = site.play(ROOT / "playbooks/show-objectives.yml")
    assert table.returncode == 0, table.stdout
    assert "| loadbalancer-cut | smtp, submission | 0.9 s |" in table.stdout
    site.environment["ANSIBLE_CALLBACK_RESULT_FORMAT"] = "json"
    shown = site.play(ROOT / "playbooks/show-objectives.yml", "-e", "show_objectives_format=json", "-e", '{"mail_objectives": {"rto": {"imap": 10}}}')
    assert shown.returncode == 0, shown.stdout
    assert '"mail_store_gluster_ping_timeout": 7' in shown.stdout
    refused = site.play(ROOT / "playbooks/show-objectives.yml", "-e", '{"mail_objectives": {"rto": {"directory_write": 10}}}')
    assert refused.returncode == 2
    assert "mail_objectives.rto.directory_write: 10 s asked, but postgresql-leader-cut takes 28.5 s" in words(refused)
    assert site.play(ROOT / "playbooks/show-objectives.yml", "-e", "show_objectives_format=xml").returncode == 2
    assert not site.touched.exists()


def test_certificate_that_is_not_there(site):
    with site.file("group_vars/all/site.yml").open("a", encoding="utf-8") as file:
        file.write('mail_service_certificate_file: "{{ inventory_dir }}/files/mail.pem"\n')
    run = site.check()
    assert run.returncode == 2
    text = words(run)
    path = site.inventory / "files/mail.pem"
    assert f"mail_service_certificate_file: '{path}' cannot be read (No such file or directory), expected a PEM file on the control node" in text
    assert "mail_service_certificate_key_file: it is not set, but mail_service_certificate_file is, expected both or neither;" in text


def test_second_site_cannot_hold_what_moves_within_one_network(site):
    site_b = "    site_b:\n      hosts:\n        mail-b1: {ansible_host: 198.51.100.121, mail_address: 192.0.2.21}\n\n"
    site.edit("hosts.yml", "    # What a host does.", f"{site_b}    # What a host does.")
    site.edit("hosts.yml", "hosts: {mail-a1: {}, mail-a2: {}, mail-a3: {}}", "hosts: {mail-a1: {}, mail-a2: {}, mail-a3: {}, mail-b1: {}}")
    service = "  - {name: service, cidr: 203.0.113.0/24}"
    site.edit("group_vars/all/site.yml", service, f"{service}\n  - {{name: site-b, cidr: 192.0.2.0/25}}")
    run = site.check()
    assert run.returncode == 2
    assert "mail_seats (seat01): 203.0.113.201 lies in network 'service', without mail-b1, expected an address of all mailservers there" in words(run)


@pytest.mark.parametrize("ignored", [True, False], ids=["our ansible.cfg", "no ignore_patterns"])
def test_secrets_in_an_inventory_directory_are_not_hosts(site, ignored):
    secrets = site.inventory / "secrets"
    secrets.mkdir()
    (secrets / "postgresql_superuser").write_text("hunter2hunter2\n", encoding="utf-8")
    if not ignored:
        site.environment["ANSIBLE_INVENTORY_IGNORE_REGEX"] = "^nothing$"
    run = site.check()
    assert "hunter2hunter2" not in run.stdout
    if ignored:
        assert run.returncode == 0, run.stdout
    else:
        assert run.returncode == 2
        assert "add ^secrets$ to ignore_patterns in the section [inventory] of ansible.cfg, or name the hosts file with -i." in words(run)


def test_empty_inventory(tmp_path):
    site = Site("example", tmp_path)
    shutil.rmtree(site.inventory / "group_vars")
    site.file("hosts.yml").write_text("all: {}\n", encoding="utf-8")
    run = site.check()
    assert run.returncode == 2
    assert "inventory: it holds no hosts at all, expected the groups loadbalancers, mailservers and databases;" in words(run)
