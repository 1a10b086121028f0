"""Nodes that should be alike are, and where one is not, the audit names it and what it found there.

Runs on the control host of a lab (LAB) that is up and whole, and leaves it so. Asks through playbooks/check-drift.yml as a user does.
"""

import os
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
LAB = os.environ["LAB"]
SYSCTL = "net.core.somaxconn"  # of those that the role base sets


def mail2(*command):
    """Run a command on mail2; return what it prints."""
    return subprocess.run(["podman", "exec", f"{LAB}-mail2", *command], capture_output=True, text=True, timeout=90, check=True).stdout.strip()


def audit():
    """Exit code, and all that was said, on one line."""
    done = subprocess.run(["ansible-playbook", "playbooks/check-drift.yml"], cwd=ROOT, capture_output=True, text=True, timeout=180, check=False)
    return done.returncode, " ".join((done.stdout + done.stderr).split())


def test_one_node_that_differs():
    code, said = audit()
    assert code == 0 and "Nodes that should be alike are." in said, said
    before = mail2("sysctl", "-n", SYSCTL)
    try:
        mail2("postconf", "-e", "header_size_limit=102401")
        mail2("sysctl", "-w", f"{SYSCTL}=4095")
        code, said = audit()
    finally:
        mail2("postconf", "-X", "header_size_limit")
        mail2("systemctl", "reload", "postfix")  # or site.yml would rightly say that it has not read its file
        mail2("sysctl", "-w", f"{SYSCTL}={before}")
    assert code == 2, said
    assert "mail2: postfix header_size_limit is 102401, the others (mail1, mail3) have 102400; run site.yml --limit mail2." in said, said
    assert f"mail2: sysctl {SYSCTL} is 4095, the others (mail1, mail3) have {before}; run site.yml --limit mail2." in said, said
    assert "2 differences, 0 without an answer." in said, said
