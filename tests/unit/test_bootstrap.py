"""A machine on which the lab cannot work gets one sentence, and nothing is touched. Each machine is this one with one fact changed."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="changing what a machine looks like needs root")


@pytest.fixture(name="checkout")
def fixture_checkout(tmp_path):
    """A checkout that was never bootstrapped."""
    (tmp_path / "lab").mkdir()
    shutil.copy(ROOT / "lab/bootstrap", tmp_path / "lab/bootstrap")
    shutil.copy(ROOT / "requirements.txt", tmp_path)
    tmp_path.chmod(0o755)
    return tmp_path


def bootstrap(checkout, *before, **environment):
    """Run lab/bootstrap under a command that changes the machine; it has to fail with one line on stderr."""
    run = subprocess.run([*before, checkout / "lab/bootstrap"], capture_output=True, text=True, timeout=120, check=False,
                         env={**os.environ, **environment})
    assert run.returncode == 1, run.stdout + run.stderr
    assert not (checkout / ".venv/requirements.sha256").exists()
    return run.stderr


def with_file(path, content, tmp_path):
    """A command that runs another one where `path` has another content."""
    fake = tmp_path / "fake"
    fake.write_text(content, encoding="utf-8")
    return ["unshare", "--mount", "sh", "-c", f'mount --bind "{fake}" "{path}" && exec "$@"', "sh"]


def test_not_root():
    # A user may neither read this checkout nor pytest's temporary directories.
    with tempfile.TemporaryDirectory() as directory:
        readable = Path(directory)
        readable.chmod(0o755)
        (readable / "lab").mkdir()
        shutil.copy(ROOT / "lab/bootstrap", readable / "lab/bootstrap")
        text = bootstrap(readable, "setpriv", "--reuid=65534", "--clear-groups")
    assert text == "ha-mail: the lab starts privileged containers and needs root: run it as root (found: user nobody).\n"


def test_another_system(checkout, tmp_path):
    text = bootstrap(checkout, *with_file("/etc/os-release", 'ID=fedora\nVERSION_ID=43\nPRETTY_NAME="Fedora Linux 43"\n', tmp_path))
    assert text == "ha-mail: the lab runs on Debian 12 or 13 (found: Fedora Linux 43).\n"


def test_too_little_memory(checkout, tmp_path):
    text = bootstrap(checkout, *with_file("/proc/meminfo", "MemTotal: 4000000 kB\nMemAvailable: 2048000 kB\n", tmp_path))
    assert text == "ha-mail: the lab needs 7000 MB of free memory (found: 2000 MB).\n"


def test_no_package_index(checkout):
    text = bootstrap(checkout, "unshare", "--net", PIP_RETRIES="0")
    assert text.splitlines()[-1] == \
        "ha-mail: the Python packages of requirements.txt could not be installed: is a package index reachable?"
