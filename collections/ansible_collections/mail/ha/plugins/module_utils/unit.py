# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which of its files has a systemd unit not read yet? Pure functions over the output of systemctl and the times of files."""

from __future__ import annotations

import datetime

# The property that moves with each kind of reading. A unit changes its state (active, reloading, active) with every reload,
# and a start is one too (org.freedesktop.systemd1(5), "StateChangeTimestamp"). A reload that failed moves it as well, and has read nothing.
PROPERTIES = {"start": "ExecMainStartTimestamp", "reload": "StateChangeTimestamp"}
RUNNING = ("active", "reloading", "refreshing")


class UnitError(ValueError):
    """What systemctl printed cannot be used; the message says why."""


class UnknownUnitError(UnitError):
    """systemd knows no unit of this name."""


def show_command(unit):
    """Return the command (list of str) whose output :func:`parse` takes."""
    return ["systemctl", "show", unit, "--timestamp=us+utc",
            "--property=" + ",".join(["LoadState", "ActiveState", "ReloadResult", *PROPERTIES.values()])]


def parse(text, since):
    """Read ``systemctl show``.

    :param text: output of :func:`show_command` (str).
    :param since: ``start`` or ``reload``.
    :returns: seconds since the epoch (float) at which the unit surely read its files last, or None when it does not run.
    :raises UnknownUnitError: there is no such unit.
    :raises UnitError: there is no time where there must be one.
    """
    values = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    if values.get("LoadState") == "not-found":
        raise UnknownUnitError("found no unit of this name, expected one that systemd knows; is its package installed?")
    if values.get("ActiveState") not in RUNNING:
        return None
    if values.get("ReloadResult", "success") != "success":
        since = "start"
    stamp = values.get(PROPERTIES[since], "")
    try:
        time = datetime.datetime.strptime(stamp, "%a %Y-%m-%d %H:%M:%S.%f UTC")
    except ValueError as error:
        raise UnitError(f"found {PROPERTIES[since]} '{stamp}', expected a time with microseconds in UTC (systemd 247 or newer)") from error
    return time.replace(tzinfo=datetime.timezone.utc).timestamp()


def outdated(read_at, changed_at):
    """Return the files that changed after the unit read them.

    :param read_at: from :func:`parse`; a unit that does not run reads everything when it starts.
    :param changed_at: ``{path: modification time in seconds since the epoch}``.
    :returns: sorted list of paths.
    """
    return [] if read_at is None else sorted(path for path, time in changed_at.items() if time > read_at)
