# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Values without what Ansible keeps about them: where they were written, and templates still to be evaluated."""

from __future__ import annotations

import collections.abc


def plain(value):
    """Nested Ansible types as plain dicts, lists and scalars."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, collections.abc.Mapping):
        return {plain(key): plain(item) for key, item in value.items()}
    if isinstance(value, (collections.abc.Sequence, set)):
        return [plain(item) for item in value]
    return str(value)
