"""Timers come from mail_objectives through wiring.yml, and from nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from ansible_collections.mail.ha.plugins.module_utils.objectives import RPO, RTO, derive

ROOT = Path(__file__).resolve().parents[2]
TIMERS = sorted(set(derive()["timers"]) - {"dns_ttl"})  # the TTL is for people who write the zone


def load(path):
    return yaml.safe_load(path.read_text(encoding="utf-8")) or {}


def test_wiring_takes_each_from_the_objectives():
    wiring = load(ROOT / "playbooks/group_vars/all/wiring.yml")
    assert {name: wiring.get(name) for name in TIMERS} == {name: f"{{{{ __objectives.timers.{name} }}}}" for name in TIMERS}


@pytest.mark.parametrize("name", TIMERS)
def test_the_role_has_no_value_of_its_own(name):
    role = next(path for path in (ROOT / "roles").iterdir() if name.startswith(f"{path.name}_"))
    assert load(role / "meta/argument_specs.yml")["argument_specs"]["main"]["options"][name].get("required") is True
    files = [file for folder in ("defaults", "vars") for file in (role / folder).glob("*.yml")]
    assert [str(file) for file in files if name in load(file)] == []


def test_the_lab_asks_for_the_defaults():
    """Its figures are those that docs/objectives.md shows and the drills measure; timers do not move because it says so."""
    asked = load(ROOT / "inventories/lab/group_vars/all/site.yml")["mail_objectives"]
    assert {part: set(wanted) for part, wanted in asked.items()} == {"rto": set(RTO), "rpo": set(RPO)}
    assert derive(asked) == derive()


def test_no_inventory_sets_one():
    files = [file for file in (ROOT / "inventories").rglob("*.yml") if "secrets" not in file.parts]
    assert files
    assert [str(file) for file in files for name in TIMERS if f"{name}:" in file.read_text(encoding="utf-8")] == []
