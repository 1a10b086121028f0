"""The addresses of labs (lab/vars_plugins), and that no other inventory hears of them."""

import pathlib

import pytest
from ansible.inventory.group import Group
from ansible.inventory.host import Host

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture(name="plugin", scope="module")
def fixture_plugin(load):
    return load("lab/vars_plugins/lab_addresses.py")


@pytest.fixture(name="given")
def fixture_given(plugin, monkeypatch):
    """The variables of something in an inventory, with or without LAB."""
    def given(entities, folder="inventories/lab", lab=None):
        monkeypatch.delenv("LAB", raising=False)
        if lab is not None:
            monkeypatch.setenv("LAB", lab)
        return plugin.VarsModule().get_vars(None, str(ROOT / folder), entities)
    return given


def test_the_lab_itself_has_the_addresses_of_the_documentation(given):
    assert given(Group("all")) == given([Host("mail1"), Group("all")]) == given(Group("all"), lab="") == {
        "lab_name": "lab", "lab_octet": 77, "lab_management_prefix": "10.77.0", "lab_dmz_prefix": "10.77.1", "lab_wan_prefix": "10.77.2",
        "lab_sync_prefix": "10.77.3", "lab_upa_prefix": "10.77.4", "lab_upb_prefix": "10.77.5", "lab_range": "10.77.0.0/16"}


def test_labs_side_by_side_have_addresses_of_their_own(plugin):
    octets = {name: plugin.ranges(name)["lab_octet"] for name in ("lab", "test", "pair-test", "roll-test", "split")}
    assert len(set(octets.values())) == 5 and all(name == "lab" or 128 <= octet <= 247 for name, octet in octets.items())
    assert octets["test"] == 147, "a lab that is up would be left behind by its own tools"


def test_nobody_else_hears_of_them(given):
    assert given(Group("all"), folder="inventories/example", lab="test") == {}
    assert given([Group("mailservers"), Host("mail1")], lab="test") == {}, "once for all is enough"
