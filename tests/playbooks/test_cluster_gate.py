"""The gate opens on evidence only, and what stands behind a gate that refuses does not run.

Real ansible-playbook and the real role, on a cluster without a node: monitors are asked only what every node is asked, so hosts with
a local connection can play them, and a closed port plays a node that is gone.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
ANSIBLE_PLAYBOOK = Path(sys.executable).parent / "ansible-playbook"
LIVE = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}


@pytest.fixture(name="dead", scope="module")
def fixture_dead():
    """Variables of a host that refuses connections for as long as the tests run: its port is bound, but not listened on."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": holder.getsockname()[1]}


class Result:
    """Exit code, output without line breaks, and the names of the tasks behind gates that ran."""

    def __init__(self, code: int, output: str):
        self.code = code
        self.output = " ".join(output.split())
        self.passed = [word for word in ("behind", "second") if f"TASK [{word}]" in output]

    def __repr__(self) -> str:
        return f"exit code {self.code}, passed {self.passed}, output: {self.output}"


def gate(**variables) -> dict:
    """A gate as the role's README shows it."""
    return {"hosts": "nodes", "gather_facts": False, "any_errors_fatal": True, "tasks": [
        {"name": "Gate", "ansible.builtin.include_role": {"name": "cluster_gate"}, "vars": variables}]}


def behind(name="behind") -> dict:
    return {"hosts": "live1", "gather_facts": False, "tasks": [{"name": name, "ansible.builtin.debug": {"msg": "went on"}}]}


@pytest.fixture(name="play")
def fixture_play(tmp_path):
    """Run plays against hosts, given as {name: variables}; groups says which of them are more than monitors."""
    def run(hosts: dict, plays: list, groups=None, command=("true",)) -> Result:
        nodes = {host: {"groups": (groups or {}).get(host, ["monitors"]), "address": "192.0.2.1"} for host in hosts}
        inputs = {
            "cluster_gate_nodes": nodes, "cluster_gate_addresses": [], "cluster_gate_near": [], "cluster_gate_seats": {},
            "cluster_gate_commands": [{"name": "clock", "argv": list(command)}], "cluster_gate_members": [],
            "cluster_gate_patroni_url": "https://127.0.0.1:1", "cluster_gate_etcd_urls": dict.fromkeys(hosts, "https://127.0.0.1:1"),
            "cluster_gate_mail_store_engine": "mounted", "cluster_gate_mail_store_path": "/nowhere", "cluster_gate_mail_store_source": "",
            "cluster_gate_mail_store_volume": {},
            "cluster_gate_delivery_socket": "/nowhere/lmtp", "cluster_gate_domains": [], "cluster_gate_endpoints": [], "cluster_gate_ca_file": "",
        }
        inventory = {"all": {"vars": inputs, "children": {"nodes": {"hosts": hosts}}}}
        (tmp_path / "hosts.yml").write_text(yaml.safe_dump(inventory, sort_keys=False), encoding="utf-8")
        (tmp_path / "playbook.yml").write_text(yaml.safe_dump(plays, sort_keys=False), encoding="utf-8")
        (tmp_path / "ansible.cfg").write_text("[defaults]\n", encoding="utf-8")
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")},
            "PATH": f"{tmp_path}/programs:{os.environ['PATH']}", "ANSIBLE_CONFIG": str(tmp_path / "ansible.cfg"), "ANSIBLE_LOCAL_TEMP": str(tmp_path / "tmp"), "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_ROLES_PATH": str(ROOT / "roles"), "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
            "ANSIBLE_SSH_ARGS": "-F none -o BatchMode=yes -o ControlMaster=no",
        }
        done = subprocess.run([ANSIBLE_PLAYBOOK, "-i", "hosts.yml", "playbook.yml"], cwd=tmp_path, env=environment, text=True, timeout=120,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, check=False)
        return Result(done.returncode, done.stdout)

    return run


def test_it_opens_when_all_nodes_answered(play):
    result = play({"live1": LIVE, "live2": LIVE}, [gate(), behind()])
    assert result.passed == ["behind"] and result.code == 0
    assert "FULL STRENGTH" in result.output and "2 of 2 answered; clock 2 ok" in result.output


def test_a_node_that_cannot_be_reached(play, dead):
    result = play({"live1": LIVE, "dead": dead, "live2": LIVE}, [gate(), behind()])
    assert result.passed == [] and result.code != 0
    assert "The cluster is not at full strength (degraded): dead gave no report" in result.output


def test_without_any_errors_fatal_it_still_refuses(play, dead):
    """The play goes wrong on the host that decides, so nothing behind it runs there; hosts that decide nothing are stopped with it."""
    result = play({"live1": LIVE, "dead": dead, "live2": LIVE}, [{**gate(), "any_errors_fatal": False}, behind()])
    assert result.passed == [] and result.code != 0


def test_the_first_node_is_the_one_that_is_gone(play, dead):
    """Then the host that decides is the dead one; deciding needs no connection."""
    result = play({"dead": dead, "live1": LIVE}, [gate(), behind()])
    assert result.passed == [] and "dead gave no report" in result.output


def test_a_node_that_is_gone_may_be_lost(play, dead):
    result = play({"live1": LIVE, "dead": dead}, [gate(cluster_gate_may_lose="dead"), behind()])
    assert result.passed == ["behind"], result


def test_another_node_than_the_one_that_is_gone_may_not(play, dead):
    result = play({"live1": LIVE, "live2": LIVE, "dead": dead}, [gate(cluster_gate_may_lose="live2"), behind()])
    assert result.passed == [] and "The cluster cannot do without live2 now: dead gave no report" in result.output


def test_a_host_that_is_no_node(play):
    result = play({"live1": LIVE}, [gate(cluster_gate_may_lose="mail9"), behind()])
    assert result.passed == []
    assert "cluster_gate_may_lose: found 'mail9', expected a node of this cluster (live1); name one of them." in result.output


def test_a_check_that_gives_no_answer(play):
    result = play({"live1": LIVE, "live2": LIVE}, [gate(), behind()], groups={"live2": ["databases"]})
    assert result.passed == []
    assert "patroni on live2 gave no answer: Patroni gave no useful answer at https://127.0.0.1:1" in result.output


def test_a_command_that_fails(play):
    result = play({"live1": LIVE}, [gate(), behind()], command=("false",))
    assert result.passed == [] and 'node on live1: clock: found exit code 1' in result.output


def test_a_node_that_hangs(play, tmp_path):
    """For longer than it is waited for: what is to run there never begins."""
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nexec sleep 20\n", encoding="utf-8")
    python.chmod(0o755)
    result = play({"live1": {**LIVE, "ansible_python_interpreter": str(python)}}, [gate(cluster_gate_timeout=2), behind()])
    assert result.passed == [] and "live1 gave no report" in result.output


def test_a_check_that_hangs(play):
    """Much longer than the node is waited for."""
    result = play({"live1": LIVE}, [gate(cluster_gate_timeout=2), behind()], command=("sleep", "60"))
    assert result.passed == [] and "live1 gave no report" in result.output


def test_what_was_said_before_does_not_count(play, dead):
    """A node that answered at the first gate and is gone at the second."""
    lose = {"hosts": "live2", "gather_facts": False, "tasks": [{"name": "Lose it", "ansible.builtin.set_fact": dead}]}
    result = play({"live1": LIVE, "live2": LIVE}, [gate(), behind(), lose, gate(), behind("second")])
    assert result.passed == ["behind"] and "live2 gave no report" in result.output


def test_patience(play, tmp_path):
    """Well only at the second time of asking."""
    once = ("sh", "-c", f"test -e {tmp_path}/asked || ! touch {tmp_path}/asked")
    assert play({"live1": LIVE}, [gate(), behind()], command=once).passed == []
    (tmp_path / "asked").unlink()
    assert play({"live1": LIVE}, [gate(cluster_gate_patience=60), behind()], command=once).passed == ["behind"]


def test_judging_only(play, dead):
    result = play({"live1": LIVE, "dead": dead}, [gate(cluster_gate_expect="nothing"), behind()])
    assert result.passed == ["behind"] and "DEGRADED" in result.output


def test_a_roll_goes_on_only_while_the_cluster_could_do_without_the_next_node(play, tmp_path):
    """A serial play asks in a run of its own, for which a program stands here: it could do without live1, and then not without live2."""
    program, calls = tmp_path / "programs/ansible-playbook", tmp_path / "calls"
    program.parent.mkdir()
    program.write_text(f"""#!/bin/sh
echo "$@" >>{calls}
case "$*" in *'"live1"'*) exit 0 ;; esac
echo "The cluster cannot do without live2 now; see above."
exit 2
""", encoding="utf-8")
    program.chmod(0o755)
    result = play({"live1": LIVE, "live2": LIVE, "live3": LIVE}, [{"hosts": "nodes", "serial": 1, "gather_facts": False, "tasks": [
        {"name": "Gate", "ansible.builtin.include_role": {"name": "cluster_gate", "tasks_from": "batch"},
         "vars": {"cluster_gate_may_lose": "{{ inventory_hostname }}", "cluster_gate_playbook": "check-health.yml"}},
        {"name": "Touch it", "ansible.builtin.file": {"path": f"{tmp_path}/touched-{{{{ inventory_hostname }}}}", "state": "touch", "mode": "0644"}}]}])
    assert result.code != 0 and "The cluster cannot do without live2 now; see above." in result.output, result
    assert [path.name for path in tmp_path.glob("touched-*")] == ["touched-live1"]
    assert calls.read_text(encoding="utf-8").splitlines() == [
        f'--inventory={tmp_path}/hosts.yml check-health.yml --extra-vars {{"check_health_may_lose": "{name}"}}' for name in ("live1", "live2")]
