# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who holds the session of a play, and whether it goes on: on real sockets, with Ansible's own protocol."""

from __future__ import annotations

import json
import pathlib
import socket
import threading
import time

import pytest
from ansible.module_utils.connection import recv_data, send_data
from ansible_collections.mail.ha.plugins.connection.netmiko import holder_stays


@pytest.fixture(name='listening')
def fixture_listening(tmp_path):
    """A socket as a holder has it, and its path."""
    path = str(tmp_path / 'holder')
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind(path)
        server.listen(1)
        yield server, path


def test_a_holder_that_answers_stays(listening):
    server, path = listening
    asked = []

    def answer():
        client = server.accept()[0]
        asked.append(json.loads(recv_data(client)))
        send_data(client, json.dumps({'jsonrpc': '2.0', 'id': asked[0]['id'], 'result': True}).encode())
        client.close()

    threading.Thread(target=answer, daemon=True).start()
    assert holder_stays(path) is True
    assert asked[0]['method'] == 'stay'


def test_one_that_is_about_to_end_is_waited_for(listening):
    """It logs out first, then closes the socket and takes it away; nobody accepts in between."""
    server, path = listening
    ended = []

    def end():
        time.sleep(0.3)
        server.close()
        time.sleep(0.3)
        ended.append(time.monotonic())
        pathlib.Path(path).unlink()

    threading.Thread(target=end, daemon=True).start()
    assert holder_stays(path) is False
    assert ended


def test_what_a_dead_one_left_is_removed(listening):
    server, path = listening
    server.close()
    assert holder_stays(path, seconds=0.2) is False
    assert not pathlib.Path(path).exists()


def test_where_nobody_was_yet_nobody_stays(tmp_path):
    assert holder_stays(str(tmp_path / 'none')) is False
