# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Files that a unit has not read; the texts are real output of systemctl (systemd 257)."""

from __future__ import annotations

import pytest
from ansible_collections.mail.ha.plugins.module_utils import unit

# postfix.service, started at 21:38:25 and reloaded at 21:57:33
RELOADED = """\
LoadState=loaded
ActiveState=active
ReloadResult=success
ExecMainStartTimestamp=Tue 2026-11-24 21:38:25.354198 UTC
StateChangeTimestamp=Tue 2026-11-24 21:57:33.290571 UTC
"""
STOPPED = """\
LoadState=loaded
ActiveState=inactive
ReloadResult=success
ExecMainStartTimestamp=
StateChangeTimestamp=
"""
UNKNOWN = """\
LoadState=not-found
ActiveState=inactive
ReloadResult=success
ExecMainStartTimestamp=
StateChangeTimestamp=
"""
START, RELOAD = 1795556305.354198, 1795557453.290571


def test_reload_and_start_are_told_apart():
    assert unit.parse(RELOADED, "start") == pytest.approx(START, abs=1e-6)
    assert unit.parse(RELOADED, "reload") == pytest.approx(RELOAD, abs=1e-6)


def test_a_reload_that_failed_has_read_nothing():
    assert unit.parse(RELOADED.replace("ReloadResult=success", "ReloadResult=exit-code"), "reload") == pytest.approx(START, abs=1e-6)


def test_a_stopped_unit_has_read_nothing():
    assert unit.parse(STOPPED, "reload") is None
    assert unit.outdated(None, {"/etc/x": RELOAD}) == []


def test_an_unknown_unit_is_an_error():
    with pytest.raises(unit.UnknownUnitError, match="no unit of this name"):
        unit.parse(UNKNOWN, "start")


def test_a_time_that_cannot_be_read_is_an_error():
    with pytest.raises(unit.UnitError, match="StateChangeTimestamp 'n/a'"):
        unit.parse(RELOADED.replace("Tue 2026-11-24 21:57:33.290571 UTC", "n/a"), "reload")


def test_only_files_changed_later_are_outdated():
    files = {"/etc/b": RELOAD + 0.001, "/etc/a": RELOAD + 60, "/etc/old": RELOAD - 0.001}
    assert unit.outdated(RELOAD, files) == ["/etc/a", "/etc/b"]
    assert unit.outdated(START, files) == ["/etc/a", "/etc/b", "/etc/old"]
