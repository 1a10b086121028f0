"""What keepalived's fence finds at an address: real sockets of this machine, and a configuration that our template made."""

import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
CONFIGURATION = ROOT / "collections/ansible_collections/mail/ha/tests/unit/plugins/module_utils/fixtures/twin_state/mail1.keepalived.conf"
TALK = """
import socket, sys, time
kept = open(sys.argv[3], "w"), socket.create_connection((sys.argv[1], int(sys.argv[2])))
time.sleep(60)
"""


@pytest.fixture(name="fence", scope="module")
def fixture_fence(load):
    return load("roles/keepalived/files/vrrp-fence")


def test_addresses_of_an_instance(fence):
    text = CONFIGURATION.read_text(encoding="utf-8")
    assert fence.addresses("seat01", text) == ["10.77.1.201"]
    assert fence.addresses("seat1", text) == []


def test_both_families_of_an_instance(fence):
    text = "vrrp_instance a {\n    virtual_ipaddress {\n        192.0.2.1/32\n    }\n    virtual_ipaddress_excluded {\n        2001:db8::1/128\n    }\n}\n"
    assert fence.addresses("a", text) == ["192.0.2.1", "2001:db8::1"]


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_only_who_stores_a_delivery_is_found(fence, address, tmp_path):
    (tmp_path / "lmtp").symlink_to(sys.executable)
    (tmp_path / "store").mkdir()
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.create_server((address, 0), family=family) as server:
        def start(program, file):
            return subprocess.Popen([program, "-c", TALK, address, str(server.getsockname()[1]), tmp_path / file])
        storing, asking, other = (start(tmp_path / "lmtp", "store/u.1"), start(tmp_path / "lmtp", "storehouse"), start(sys.executable, "store/log"))
        try:
            ours = [server.accept()[0] for _ in range(3)]
            inodes = fence.sockets(address)
            assert {str(os.fstat(end.fileno()).st_ino) for end in ours} <= inodes
            assert str(os.fstat(server.fileno()).st_ino) not in inodes  # who only listens has nothing to end
            assert list(fence.deliveries(inodes, str(tmp_path / "store"))) == [storing.pid]
            assert list(fence.deliveries(set(), str(tmp_path / "store"))) == []
            assert list(fence.deliveries(None, str(tmp_path / "store"))) == [storing.pid]
        finally:
            for process in (storing, asking, other):
                process.kill()
                process.wait()


def test_how_long_others_wait(fence):
    assert fence.takeover("global_defs {\n    vrrp_down_timer_adverts 3\n}\nvrrp_instance a {\n    advert_int 0.2\n}\n") == pytest.approx(0.6)
    assert 0.3 <= fence.takeover(CONFIGURATION.read_text(encoding="utf-8")) <= 3


WATCH = """
import importlib.machinery, importlib.util, os, sys
loader = importlib.machinery.SourceFileLoader("vrrp_fence", sys.argv[1])
fence = importlib.util.module_from_spec(importlib.util.spec_from_loader("vrrp_fence", loader))
loader.exec_module(fence)
fence.syslog.syslog = lambda text: print(text, flush=True)
fence.kill = lambda inodes, store: 7
print("watching", flush=True)
for line in fence.watch(0, 0.6, "/store"):
    print("event", line, flush=True)
"""


def test_a_standstill_is_noticed_and_a_pause_for_breath_is_none(fence):
    with subprocess.Popen([sys.executable, "-c", WATCH, fence.__file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as watcher:
        try:
            assert watcher.stdout.readline() == "watching\n"
            watcher.stdin.write("one\ntwo")
            watcher.stdin.flush()
            assert watcher.stdout.readline() == "event one\n"
            for seconds in (0.2, 1.5):
                time.sleep(0.5)
                watcher.send_signal(signal.SIGSTOP)
                time.sleep(seconds)
                watcher.send_signal(signal.SIGCONT)
            said = watcher.stdout.readline()
            assert said.startswith("stood still for 1.") and said.endswith(" s: 7 deliveries killed\n"), said
            watcher.stdin.write("\n")
            watcher.stdin.flush()
            assert watcher.stdout.readline() == "event two\n"
        finally:
            watcher.kill()
