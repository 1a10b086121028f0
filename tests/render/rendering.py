"""Render a role's template as Ansible does, and give the result to the product's own checker on a node of the lab."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from ansible_collections.mail.ha.plugins.module_utils.objectives import derive

ROOT = Path(__file__).resolve().parents[2]


def render(role, template, variables, host="lb1"):
    """The text that Ansible's template module makes for `host` from the role's defaults, the derived timers and `variables`."""
    loader = DataLoader()
    files = [ROOT / "roles" / role / name / "main.yml" for name in ("defaults", "vars")]
    known = {"inventory_hostname": host, "ansible_managed": "by a test", "ansible_facts": {}} | derive()["timers"]
    for file in files:
        known |= loader.load_from_file(str(file), trusted_as_template=True) if file.exists() else {}
    text = (ROOT / "roles" / role / "templates" / template).read_text(encoding="utf-8")
    return Templar(loader=loader, variables=known | variables).template(trust_as_template(text))


def on_node(text, command):
    """(exit code, output) of a shell command on the node that RENDER_NODE names; $1 is a file that holds `text`."""
    node = os.environ.get("RENDER_NODE")
    if not node:
        pytest.fail("RENDER_NODE is not set: name a running balancer of the lab, for instance RENDER_NODE=lab-lb1")
    script = f'f=$(mktemp); cat > "$f"; set -- "$f"; {command}; code=$?; rm -f "$f"; exit $code'
    done = subprocess.run(["podman", "exec", "-i", node, "sh", "-c", script],
                          input=text, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr
