"""The rendered rules of the host firewall, given to the real nft on a node of the lab."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import jinja2
import pytest

TEMPLATE = Path(__file__).resolve().parents[2] / "roles/host_firewall/templates/host-firewall.nft.j2"
SSH = {"name": "ssh", "protocol": "tcp", "ports": [22], "sources4": ["192.0.2.0/24"], "sources6": ["2001:db8::/64"]}
# Two entries that overlap, and a range of ports.
STORE = {"name": "shared store", "protocol": "tcp", "ports": [24007, "49152-49251"],
         "sources4": ["192.0.2.0/24", "192.0.2.21/32"], "sources6": []}
VRRP = {"name": "vrrp of the seats", "protocol": "vrrp", "ports": [], "sources4": ["192.0.2.21/32"], "sources6": []}
PUBLIC = {"name": "mail for clients", "protocol": "tcp", "ports": [25, "465"]}
ONLY_V6 = {"name": "dns", "protocol": "udp", "ports": [53], "sources4": [], "sources6": ["2001:db8::53/128"]}


def render(rules, extra=(), router=False):
    """The rules as Ansible's template module would write them (it trims blocks)."""
    environment = jinja2.Environment(trim_blocks=True, undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        ansible_managed="", host_firewall_rules=rules, host_firewall_extra_rules=list(extra), host_firewall_router=router
    )


def check(text):
    """``nft -c`` on the node that RENDER_NODE names; (exit code, what it said)."""
    node = os.environ.get("RENDER_NODE")
    if not node:
        pytest.fail("RENDER_NODE is not set: name a running container of the lab that has nft, for instance RENDER_NODE=lab-mail1")
    done = subprocess.run(["podman", "exec", "-i", node, "nft", "-c", "-f", "-"], input=text, capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


@pytest.mark.parametrize("rules", [[], [SSH], [SSH, STORE, VRRP, PUBLIC, ONLY_V6], [SSH, SSH]],
                         ids=["none", "one", "all kinds", "the same twice"])
def test_nft_takes_the_rules(rules):
    assert check(render(rules)) == (0, "")


def test_nft_refuses_a_port_that_does_not_exist():
    code, said = check(render([{**PUBLIC, "ports": [70000]}]))
    assert code != 0
    assert "70000" in said


def test_a_rule_without_sources_is_open_and_one_with_a_single_family_is_not():
    lines = [line.strip() for line in render([PUBLIC, ONLY_V6]).splitlines() if "accept comment" in line]
    assert lines == [
        'tcp dport { 25, 465 } counter accept comment "mail for clients"',
        'udp dport { 53 } ip6 saddr @from6_1 counter accept comment "dns"',
    ]


def test_extra_rules_come_with_the_others():
    assert check(render([SSH], [PUBLIC])) == (0, "")
    assert 'comment "mail for clients"' in render([SSH], [PUBLIC])


def test_only_a_router_forwards():
    assert "hook forward priority filter; policy drop;" in render([SSH])
    assert "hook forward priority filter; policy accept;" in render([SSH], router=True)


def test_no_table_of_others_is_touched():
    text = render([SSH])
    assert "flush ruleset" not in text
    assert {line.strip().split("inet ")[1].rstrip(" {") for line in text.splitlines() if "table inet" in line and "#" not in line} == {"ha_mail_host"}
