# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Load once what every task would load anew."""

from __future__ import annotations

DOCUMENTATION = r'''
name: preload
type: aggregate
short_description: Loads filters, tests and lookups once, for all tasks that follow
version_added: 0.7.0
description:
  - Every task of every host runs in a process of its own, forked from that of the playbook. What such a process loads, it loads for
    itself alone, and the wiring of a cluster uses many filters.
  - This callback loads all filters and tests of ansible-core and of this collection, the lookups named in its source, and the metadata of
    all installed collections in the playbook's own process, from which the others inherit them. It prints nothing and changes nothing.
  - It does so before the first task.
  - What it gains is in C(docs/measurements.md).
requirements:
  - Enable it with C(callbacks_enabled) in C(ansible.cfg).
'''

import pathlib

from ansible.collections.list import list_collection_dirs
from ansible.plugins.callback import CallbackBase
from ansible.plugins.loader import filter_loader, lookup_loader, test_loader

PLUGINS = pathlib.Path(__file__).resolve().parents[1]
LOOKUPS = ('env', 'file', 'fileglob', 'password', 'pipe', 'template')


class CallbackModule(CallbackBase):
    """The callback; see DOCUMENTATION."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = 'aggregate'
    CALLBACK_NAME = 'mail.ha.preload'
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self):
        super().__init__()
        self._loaded = False

    def v2_playbook_on_task_start(self, task, is_conditional):  # pylint: disable=unused-argument
        """Load before the first."""
        if not self._loaded:
            self._loaded = True
            self.load()

    def load(self):
        """Load them. A plugin that cannot be loaded is reported by the task that needs it."""
        for loader, kind in (filter_loader, 'filter'), (test_loader, 'test'):
            for _plugin in loader.all():
                pass
            for documentation in (PLUGINS / kind).glob('*.yml'):
                try:
                    loader.get(f'mail.ha.{documentation.stem}')
                except Exception:  # pylint: disable=broad-exception-caught
                    self._display.vv(f'preload: mail.ha.{documentation.stem} could not be loaded')
        for name in LOOKUPS:
            lookup_loader.get(f'ansible.builtin.{name}')
        for _path in list_collection_dirs():
            pass
