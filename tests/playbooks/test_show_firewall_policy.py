"""show-firewall-policy.yml as a user runs it: what it shows of the lab, and one sentence for a policy that makes no sense."""

from __future__ import annotations

import pytest
from test_check_inventory import ROOT, Site, words

RULES = "  rules:\n"


@pytest.fixture(name="site")
def fixture_site(tmp_path):
    return Site("lab", tmp_path)


def show(site, *arguments):
    """Run the playbook."""
    return site.play(ROOT / "playbooks/show-firewall-policy.yml", *arguments)


def test_what_passes_and_why(site):
    run = show(site)
    assert run.returncode == 0, run.stdout
    assert "dmz: the service VIPs" in run.stdout and "service: mail for clients" in run.stdout
    assert not site.touched.exists()


# A statement that no other platform has.
WORDS = {"linux": "delete table inet ha_mail_firewall", "cisco_asa": "access-group ", "fortinet": "firewall policy",
         "juniper_junos": "set groups ha-mail security policies from-zone wan0 to-zone dmz0", "vyos": "set firewall "}


@pytest.mark.parametrize("platform", WORDS)
def test_in_the_words_of_a_platform(site, platform):
    run = show(site, "-e", f"show_firewall_format={platform}")
    assert run.returncode == 0, run.stdout
    assert WORDS[platform] in run.stdout


def test_a_rule_that_names_nothing_known(site):
    site.edit("group_vars/all/site.yml", RULES, RULES + "    - {name: odd, from: [moon], to: [dmz], ports: ['80']}\n")
    run = show(site)
    assert run.returncode == 2
    assert "rule 'odd': found 'moon' in \"from\", expected a zone (dmz, wan), a group of the inventory," in words(run).replace("\\", "")


def test_zones_that_are_no_mappings(site):
    run = show(site, "-e", '{"mail_firewall": {"zones": ["wan", "dmz"]}}')
    assert run.returncode == 2
    assert "zones" in words(run) and "mail_firewall" in words(run) and "no attribute" not in run.stdout


def test_a_format_that_does_not_exist(site):
    run = show(site, "-e", "show_firewall_format=asa")
    assert run.returncode == 2
    assert "show_firewall_format: found 'asa', expected one of text, json, cisco_asa, fortinet, juniper_junos, linux, vyos." in words(run)


def test_a_site_without_a_pair(site):
    run = show(site, "-e", '{"mail_firewall": {}}')
    assert run.returncode == 2
    assert "mail_firewall names no zones, so there is no policy to show" in words(run)
