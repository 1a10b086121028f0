"""The gate and check-health.yml on what a cluster really said, and on two databases that both say they lead.

Real ansible-playbook, the real role, playbook and modules, no cluster: checks repeat what was recorded on the three databases of a running
cluster; how they are called, counted and judged is real. A check learns whose answer to repeat from the host's Python, a wrapper of its own for
each host.
"""

from __future__ import annotations

import copy
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from ansible_collections.mail.ha.plugins.module_utils.cluster_health import checks

ROOT = Path(__file__).resolve().parents[2]
COLLECTION = ROOT / "collections/ansible_collections/mail/ha"
RECORDED = json.loads((COLLECTION / "tests/unit/plugins/module_utils/fixtures/cluster/healthy.json").read_text(encoding="utf-8"))
HOSTS = ["mail1", "mail2", "mail3"]
STAND_IN = """

def answer(parameters):
    import json, os
    return json.load(open(os.environ["SAID"]))[%r]
"""


@pytest.fixture(name="healthy")
def fixture_healthy():
    """{host: {check: answer}} of databases."""
    return {host: {check: copy.deepcopy(RECORDED[host][check]) for check in checks(["databases"])} for host in HOSTS}


def two_leaders(reports):
    """A second one takes writes and names itself the leader."""
    other = next(host for host in HOSTS if not reports[host]["patroni"]["this"]["primary"])
    reports[other]["patroni"]["this"]["primary"] = True
    reports[other]["patroni"]["leader"] = other
    return reports


@pytest.fixture(name="collections", scope="module")
def fixture_collections(tmp_path_factory):
    """Our collection, with checks whose last word is what was recorded."""
    top = tmp_path_factory.mktemp("collections")
    place = top / "ansible_collections/mail/ha"
    shutil.copytree(COLLECTION, place, ignore=shutil.ignore_patterns("tests"))
    for check in checks(["databases"]):
        with open(place / "plugins/module_utils/checks" / f"{check}.py", "a", encoding="utf-8") as code:
            code.write(STAND_IN % check)
    return top


@pytest.fixture(name="run")
def fixture_run(tmp_path, collections):
    """Run a playbook on the databases that say ``reports`` -> (exit code, output without line breaks)."""
    def run(reports, playbook, *arguments):
        hosts = {}
        for host, report in reports.items():
            (tmp_path / f"{host}.json").write_text(json.dumps(report), encoding="utf-8")
            python = tmp_path / f"python-{host}"
            python.write_text(f'#!/bin/sh\nSAID={tmp_path}/{host}.json exec {sys.executable} "$@"\n', encoding="utf-8")
            python.chmod(0o755)
            hosts[host] = {"ansible_connection": "local", "ansible_python_interpreter": str(python)}
        inputs = {
            "cluster_gate_nodes": {host: {"groups": ["databases"], "address": "192.0.2.1"} for host in reports},
            **dict.fromkeys(("cluster_gate_addresses", "cluster_gate_near", "cluster_gate_commands", "cluster_gate_members", "cluster_gate_domains",
                             "cluster_gate_endpoints"), []),
            **dict.fromkeys(("cluster_gate_seats", "cluster_gate_etcd_urls", "cluster_gate_mail_store_volume"), {}),
            **dict.fromkeys(("cluster_gate_patroni_url", "cluster_gate_mail_store_source", "cluster_gate_ca_file"), ""),
            "cluster_gate_mail_store_engine": "mounted", "cluster_gate_mail_store_path": "/nowhere", "cluster_gate_delivery_socket": "/nowhere/lmtp",
        }
        (tmp_path / "hosts.yml").write_text(yaml.safe_dump({"all": {"children": {"databases": {"hosts": hosts}}}}), encoding="utf-8")
        (tmp_path / "inputs.json").write_text(json.dumps(inputs), encoding="utf-8")
        (tmp_path / "ansible.cfg").write_text("[defaults]\n", encoding="utf-8")
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_") and name != "PYTHONPATH"},
            "ANSIBLE_CONFIG": str(tmp_path / "ansible.cfg"), "ANSIBLE_LOCAL_TEMP": str(tmp_path / "tmp"), "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_ROLES_PATH": str(ROOT / "roles"), "ANSIBLE_COLLECTIONS_PATH": str(collections),
        }
        done = subprocess.run([Path(sys.executable).parent / "ansible-playbook", "-i", "hosts.yml", "-e", "@inputs.json", playbook, *arguments],
                              cwd=tmp_path, env=environment, text=True, timeout=900, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              stdin=subprocess.DEVNULL, check=False)
        return done.returncode, " ".join(done.stdout.split())

    return run


@pytest.fixture(name="gate")
def fixture_gate(tmp_path):
    """A gate as the role's README shows it, and what stands behind it."""
    plays = [
        {"hosts": "databases", "gather_facts": False, "any_errors_fatal": True, "tasks": [
            {"name": "Gate", "ansible.builtin.include_role": {"name": "cluster_gate"}}]},
        {"hosts": "mail1", "gather_facts": False, "tasks": [{"name": "behind", "ansible.builtin.debug": {"msg": "went on"}}]},
    ]
    (tmp_path / "gate.yml").write_text(yaml.safe_dump(plays, sort_keys=False), encoding="utf-8")
    return "gate.yml"


def test_the_gate_opens_on_what_a_whole_cluster_said(run, gate, healthy):
    code, output = run(healthy, gate)
    assert code == 0 and "TASK [behind]" in output, output
    assert "FULL STRENGTH" in output and "3 of 3 answered; leader mail2; 3 of 3 members at work" in output


def test_the_gate_refuses_two_leaders(run, gate, healthy):
    code, output = run(two_leaders(healthy), gate)
    assert code != 0 and "TASK [behind]" not in output, output
    assert ("The cluster is not at full strength (degraded): databases that take writes: mail1, mail2, expected exactly one. the members name different "
            "leaders: mail1 by mail1; mail2 by mail2, mail3.") in output


@pytest.mark.parametrize("change, healthy_is", [(lambda reports: reports, 1), (two_leaders, 0)])
def test_check_health_writes_metrics_and_the_verdict(run, tmp_path, healthy, change, healthy_is):
    """In files, whatever the verdict; the metrics as Prometheus's text format 0.0.4 wants them."""
    code, output = run(change(healthy), ROOT / "playbooks/check-health.yml",
                       "-e", f"check_health_prometheus={tmp_path}/ha-mail.prom", "-e", f"check_health_json={tmp_path}/verdict.json")
    assert (code == 0) is bool(healthy_is), output
    text = (tmp_path / "ha-mail.prom").read_text(encoding="utf-8")
    assert text.isascii() and text.endswith("\n") and "\n\n" not in text
    told, typed = [], []
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            typed.append(re.fullmatch(r"# TYPE (ha_mail_[a-z_]+) gauge", line).group(1))
        elif not re.match(r"# HELP ha_mail_[a-z_]+ [A-Z].*", line):
            sample = re.fullmatch(r'(ha_mail_[a-z_]+)(\{[a-z_]+="[^"]*"(?:,[a-z_]+="[^"]*")*\})? (-?\d+(?:\.\d+)?(?:e-?\d+)?)', line)
            assert sample and sample.group(1) == typed[-1], line
            told.append(sample.group(1) + (sample.group(2) or ""))
    assert len(typed) == len(set(typed)) and len(told) == len(set(told)) and {line.partition("{")[0] for line in told} == set(typed)
    assert f"\nha_mail_healthy {healthy_is}\n" in text and 'ha_mail_database_replay_seconds{node="mail3"} 0.0\n' in text
    assert json.loads((tmp_path / "verdict.json").read_text(encoding="utf-8"))["healthy"] is bool(healthy_is)
