"""One SMTP session against a server that really listens, and that can be told to misbehave."""

import socketserver
import threading
import time

import pytest
import smtplib

from ansible_collections.mail.ha.plugins.modules import smtp_session_info


class Server(socketserver.StreamRequestHandler):
    """A few answers of an SMTP server; what it does at the second NOOP is up to the test."""

    def handle(self):
        self.wfile.write(self.server.banner)
        noops = 0
        for line in self.rfile:
            word = line.strip().upper()
            if word == b"NOOP":
                noops += 1
                if noops == 2:
                    if self.server.second == "hang up":
                        return
                    time.sleep(self.server.second)
            self.wfile.write({b"QUIT": b"221 bye\r\n"}.get(word, b"250 ok\r\n"))


@pytest.fixture(name="server")
def fixture_server():
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Server) as server:
        server.daemon_threads = True
        server.banner, server.second = b"220-wait\r\n220 mail.example.org ESMTP\r\n", 0
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server
        server.shutdown()


def hold(server, patience=5, **wanted):
    """A session with the server."""
    address, port = server.server_address
    asked = {"address": address, "port": port, "seconds": 0, "marker": None, "interval": 0.05, **wanted}
    return smtp_session_info.hold(smtplib.SMTP(timeout=patience), asked)


def test_a_session_that_is_not_held_ends_after_the_greeting(server):
    found = hold(server)
    assert found["answers"] == 0 and found["longest_wait"] == 0 and "mail.example.org" in found["banner"]


def test_it_is_held_as_long_as_it_is_told_and_knows_its_longest_wait(server):
    server.second = 0.3
    found = hold(server, seconds=0.6)
    assert 4 <= found["answers"] <= 12 and 0.3 <= found["longest_wait"] < 0.5


def test_it_says_when_it_is_held_and_ends_when_that_is_taken_away(server, tmp_path):
    marker = tmp_path / "held"

    def take_away():
        while not marker.exists():
            time.sleep(0.05)
        time.sleep(0.3)
        marker.unlink()
    threading.Thread(target=take_away).start()
    begun = time.monotonic()
    found = hold(server, seconds=20, marker=str(marker))
    assert time.monotonic() - begun < 5 and found["answers"] >= 3


def test_a_server_that_hangs_up_is_told(server):
    server.second = "hang up"
    with pytest.raises(smtp_session_info.BrokenError, match="ended with '.*closed"):
        hold(server, seconds=5)


def test_an_answer_that_takes_too_long_is_told(server):
    server.second = 3
    with pytest.raises(smtp_session_info.BrokenError, match="timed out"):
        hold(server, patience=0.3, seconds=5)


def test_a_server_that_refuses_is_told(server):
    server.banner = b"421 too many connections\r\n"
    with pytest.raises(smtp_session_info.BrokenError, match="the connection was answered with 421 too many connections, expected 220"):
        hold(server)


def test_nobody_there_is_told():
    with socketserver.TCPServer(("127.0.0.1", 0), Server) as nobody:
        address, port = nobody.server_address
    with pytest.raises(smtp_session_info.BrokenError, match="refused"):
        smtp_session_info.hold(smtplib.SMTP(timeout=2), {"address": address, "port": port, "seconds": 0, "marker": None, "interval": 1})
