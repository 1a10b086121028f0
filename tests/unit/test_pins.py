"""Versions are pinned once: what ansible-test installs for the collection's units is what the control node has."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def pins(path):
    return set((ROOT / path).read_text(encoding="utf-8").split())


def test_the_units_of_the_collection_use_the_pins_of_the_control_node():
    wanted = pins("collections/ansible_collections/mail/ha/tests/unit/requirements.txt")
    assert wanted
    assert wanted <= pins("requirements.txt")
