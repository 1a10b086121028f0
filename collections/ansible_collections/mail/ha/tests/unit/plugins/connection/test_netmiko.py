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
from ansible_collections.mail.ha.plugins.connection.netmiko import Connection, holder_stays


@pytest.fixture(name='listening')
def fixture_listening(tmp_path):
    """A socket as a holder has it, and its path."""
    path = str(tmp_path / 'holder')
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind(path)
        server.listen(1)
        yield server, path


def answer(server, asked):
    """What a holder does with one question."""
    client = server.accept()[0]
    asked.append(json.loads(recv_data(client)))
    send_data(client, json.dumps({'jsonrpc': '2.0', 'id': asked[0]['id'], 'result': True}).encode())
    client.close()


def test_a_holder_that_answers_stays(listening):
    server, path = listening
    asked = []
    threading.Thread(target=answer, args=(server, asked), daemon=True).start()
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


class Plugin(Connection):
    """The plugin in the process of a task, of which nothing is needed here but where its socket is."""

    def __init__(self, path):  # pylint: disable=super-init-not-called
        self._socket_path, self._connected = path, True

    def _update_connection_state(self):
        pass


def test_a_task_begins_a_session_where_nobody_holds_one_any_more(listening):
    server, path = listening
    threading.Thread(target=lambda: (time.sleep(0.3), pathlib.Path(path).unlink(), server.close()), daemon=True).start()
    plugin = Plugin(path)
    assert plugin.force_persistence is True
    assert plugin.socket_path is None and plugin.connected is False


def test_a_task_takes_the_session_that_somebody_holds(listening):
    server, path = listening
    threading.Thread(target=answer, args=(server, []), daemon=True).start()
    plugin = Plugin(path)
    assert plugin.force_persistence is False and plugin.socket_path == path
