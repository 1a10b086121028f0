"""The callback `mail.ha.preload` spares every task the loading of filters: what it loaded is there when nothing can be loaded any more."""

import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
ASK = """
from ansible.plugins.loader import filter_loader, init_plugin_loader, lookup_loader, test_loader
init_plugin_loader()
from ansible_collections.mail.ha.plugins.callback.preload import CallbackModule
callback = CallbackModule()
{first_task}
def never(*, python_module_name, path):
    raise RuntimeError('loaded again: ' + path)
for loader in filter_loader, test_loader, lookup_loader:
    loader._load_module_source = never
assert filter_loader.get('mail.ha.endpoints')
assert filter_loader.get('ansible.builtin.to_json')
assert test_loader.get('mail.ha.dovecot_password_verify')
assert lookup_loader.get('ansible.builtin.template')
"""


def ask(first_task):
    """Ask for plugins in a process that can load no more of them -> what it says when it fails."""
    return subprocess.run([sys.executable, "-c", ASK.format(first_task=first_task)], cwd=ROOT, capture_output=True, text=True, timeout=900,
                          check=False).stderr


def test_nothing_is_loaded_again():
    assert ask("callback.v2_playbook_on_task_start(None, False)") == ""


def test_before_the_first_task_nothing_is_there():
    assert "loaded again: " in ask("")


def test_it_is_enabled():
    dump = subprocess.run(["ansible-config", "dump", "--only-changed"], cwd=ROOT, capture_output=True, text=True, timeout=900, check=True).stdout
    assert "mail.ha.preload" in next(line for line in dump.splitlines() if line.startswith("CALLBACKS_ENABLED"))
