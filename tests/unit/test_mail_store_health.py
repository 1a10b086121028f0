"""What keepalived hears of the mail store: mail-store-probe --serve of role mail_store, with a file system in memory for the store."""

import os
import pathlib
import socket
import subprocess
import sys
import time
import uuid

import jinja2
import pytest

TEMPLATE = pathlib.Path(__file__).resolve().parents[2] / "roles/mail_store/templates/mail-store-probe.j2"
STORE = pathlib.Path("/dev/shm")
DEADLINE = 2  # seconds


class Service:
    """The program with its socket, as systemd starts it."""

    def __init__(self, folder):
        values = {"ansible_managed": "", "mail_store_path": str(STORE), "__mail_store_types": ["tmpfs"], "mail_store_probe_deadline": DEADLINE,
                  "mail_store_uid": os.getuid(), "mail_store_gid": os.getgid()}
        environment = jinja2.Environment()
        environment.filters["to_json"] = repr
        # A place of its own, as of a node of its own.
        place = f"probe-{uuid.uuid4().hex}"
        self.file = STORE / f"{place}-{os.uname().nodename}"
        self.hangs = folder / "hangs"
        text = environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(values)
        for old, new in (("/.probe-", f"/{place}-"), ("posix.fsync(handle)", f"time.sleep(60 * posix.access('{self.hangs}', 0))")):
            assert old in text
            text = text.replace(old, new)
        (folder / "probe").write_text(text, encoding="utf-8")
        self.door = socket.create_server(("127.0.0.1", 0))
        self.process = subprocess.Popen(  # pylint: disable=consider-using-with
            ["bash", "-c", f'exec 3<&{self.door.fileno()}; exec "$@"', "-", sys.executable, folder / "probe", "--serve"], pass_fds=[self.door.fileno()])

    def caller(self, question=b"PING\n"):
        """A connection over which something was asked."""
        made = socket.create_connection(self.door.getsockname(), 10)
        made.sendall(question)
        return made

    def ask(self, question=b"PING\n"):
        """What is answered."""
        with self.caller(question) as made:
            return made.makefile().read()

    def files(self):
        """How many it has open."""
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))


@pytest.fixture(name="service")
def fixture_service(tmp_path):
    made = Service(tmp_path)
    yield made
    made.process.kill()
    made.process.wait()
    made.door.close()
    made.file.unlink(missing_ok=True)


def test_a_store_that_takes_a_write(service):
    assert service.ask() == "PONG\n"
    assert not service.file.exists()
    before = service.files()
    for _time in range(20):
        assert service.ask() == "PONG\n"
    assert service.files() == before


def test_one_that_does_not_and_does_again(service):
    service.file.mkdir()
    assert "Is a directory" in service.ask()
    service.file.rmdir()
    assert service.ask() == "PONG\n"


def test_one_that_hangs(service):
    """No answer from the store within the deadline, and an answer of ours in time all the same."""
    service.hangs.touch()
    started = time.monotonic()
    callers = [service.caller() for _number in range(3)]
    for caller in callers:
        with caller:
            assert caller.makefile().read() == f"no answer from {STORE} within {DEADLINE} s\n"
    assert DEADLINE <= time.monotonic() - started < 3 * DEADLINE
    service.hangs.unlink()
    assert service.ask() == "PONG\n"
    children = pathlib.Path(f"/proc/{service.process.pid}/task/{service.process.pid}/children")
    assert children.read_text(encoding="utf-8") == "", "zombies"


def test_whoever_says_nothing_or_leaves_keeps_nobody_waiting(service):
    with service.caller(b""), service.caller():
        assert service.ask() == "PONG\n"
    assert service.ask() == "PONG\n"
