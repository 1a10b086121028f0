"""Every failure that the objectives know can be drilled, and every fault says what it has to."""

from pathlib import Path

import pytest
import yaml
from ansible_collections.mail.ha.plugins.module_utils.objectives_failures import FAULTS

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "roles/drill/vars/faults").glob("*.yml"))
MENDS = {"kill": "on", "off": "on", "pause": "unpause", "cut": "uncut"}


def test_one_file_for_each_failure():
    # Nobody takes a whole site away to see what happens, and one site is all that a lab has.
    assert {path.stem for path in FILES} == set(FAULTS) - {"site-lost"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_fault_says_where_and_how_it_is_mended(path):
    fault = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert set(fault) - {"__drill_nodes"} == {"__drill_where", "__drill_break", "__drill_mend"}
    assert fault["__drill_where"] in ("loadbalancer", "mailserver", "database")
    assert all(isinstance(fault[key], str) for key in ("__drill_break", "__drill_mend")), "on and off need quotes"
    if fault["__drill_break"] in MENDS:
        assert fault["__drill_mend"] == MENDS[fault["__drill_break"]]
    assert path.read_text(encoding="utf-8").startswith("# "), "it does not say what it stands for"
