"""ha-mail-firewall-watch beside programs that say what a test wants: which neighbours answer, and whether states of connections come from the peer, and
ours there."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

WATCH = Path(__file__).resolve().parents[2] / "roles/firewall_pair/files/ha-mail-firewall-watch"
# As conntrackd -s network ends, of 1.4.7.
STATISTICS = """network statistics:
    recv:
        Malformed messages:                 0
UDP traffic (active device=sync0):
                8644 Bytes sent                 {0} Bytes recv
                 401 Pckts sent                 {0} Pckts recv
                   0 Error send                    0 Error recv
"""
PROGRAMS = {
    "fping": "while sleep 0.05; do while read -r who; do echo \"$who : [0], 64 bytes, 0.05 ms (0.05 avg, 0% loss)\"; done <answers; done",
    "socat": "while sleep 0.05; do echo 'peer BACKUP '; cat peer; done",
    "conntrackd": '[ "$*" = "-s network" ] && cat statistics',
}
CONF = """sides="dmz wan"
period={0}
silent_after={1}
sync_peer=127.0.0.3
sync_port=3781
dmz_device=lo
dmz_peer=127.0.0.2
dmz_neighbours=""
wan_peer=127.0.0.4
wan_neighbours=""
"""


class Watch:
    """The program, with times that are short; what it has written, and what it is told."""

    def __init__(self, folder, period=100, silent_after=400):
        self.folder, self.count = folder, 100
        text = WATCH.read_text(encoding="utf-8")
        for old, new in (("/run/ha-mail-firewall", f"{folder}/run"), ("/etc/ha-mail-firewall/running", str(folder)), ("=5000", "=1000"),
                         ("sleep 1;", "sleep 0.1;")):
            assert old in text
            text = text.replace(old, new)
        (folder / "watch").write_text(text, encoding="utf-8")
        (folder / "watch.conf").write_text(CONF.format(period, silent_after), encoding="utf-8")
        (folder / "bin").mkdir()
        for name, body in PROGRAMS.items():
            program = folder / "bin" / name
            program.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
            program.chmod(0o755)
        self.peer_says("states heard")
        self.answer("127.0.0.2", "127.0.0.4")
        self.receive()
        self.process = subprocess.Popen(  # pylint: disable=consider-using-with
            ["bash", folder / "watch"], cwd=folder, env={**os.environ, "PATH": f"{folder}/bin:{os.environ['PATH']}"}, start_new_session=True)

    def peer_says(self, line):
        """What comes from the peer, again and again."""
        (self.folder / "peer").write_text(f"{line}\n", encoding="utf-8")

    def answer(self, *neighbours):
        """These answer from now on, and no others."""
        self.put("answers", "".join(f"{address}\n" for address in neighbours))

    def put(self, name, text):
        """A file that is there whole, or not yet."""
        place = self.folder / name
        place.with_suffix(".new").write_text(text, encoding="utf-8")
        place.with_suffix(".new").rename(place)

    def receive(self):
        """Something more has come from the peer's conntrackd."""
        self.count += 1
        self.put("statistics", STATISTICS.format(self.count))

    def wait_for_side(self, given_up):
        """Until it has given up a side, or has all of them; how long that took."""
        begun, found = time.monotonic(), ""
        while found != ("1" if given_up else "0"):
            assert time.monotonic() < begun + 20 and self.process.poll() is None
            place = self.folder / "run/yield"
            found = place.read_text(encoding="utf-8").strip() if place.exists() else ""
            time.sleep(0.02)
        return time.monotonic() - begun

    def wait(self, states, receiving):
        """Until it has written this."""
        deadline, found = time.monotonic() + 20, ""
        while found != states:
            assert time.monotonic() < deadline and self.process.poll() is None, f"found {found!r}, expected {states!r}"
            if receiving:
                self.receive()
            place = self.folder / "run/states"
            found = place.read_text(encoding="utf-8").strip() if place.exists() else ""
            time.sleep(0.05)


@pytest.fixture(name="watch")
def fixture_watch(tmp_path, request):
    made = Watch(tmp_path, **getattr(request, "param", {}))
    yield made
    os.killpg(made.process.pid, 9)
    made.process.wait()


def test_states_that_do_not_come_are_seen_on_both_sides(watch):
    watch.wait("heard heard", receiving=True)
    # The daemon runs, and nothing comes.
    watch.wait("silent heard", receiving=False)
    watch.wait("heard heard", receiving=True)
    watch.peer_says("states silent")
    watch.wait("heard silent", receiving=True)
    # A peer of before does not say it.
    watch.peer_says("")
    watch.wait("heard unknown", receiving=True)
    # And a daemon that does not answer has received nothing.
    (watch.folder / "bin/conntrackd").write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    watch.wait("silent unknown", receiving=True)


@pytest.mark.parametrize("watch", [{"period": 500, "silent_after": 1000}], indirect=True)
def test_a_silent_side_is_given_up_in_time_however_often_the_others_answer(watch):
    watch.wait_for_side(given_up=False)
    for _ in range(3):
        watch.answer("127.0.0.2")
        # When it is due, and two periods for looking at the clock and for a busy machine.
        assert 0.8 < watch.wait_for_side(given_up=True) < 2
        watch.answer("127.0.0.2", "127.0.0.4")
        watch.wait_for_side(given_up=False)
