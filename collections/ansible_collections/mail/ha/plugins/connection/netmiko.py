# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Connection to a firewall over netmiko, kept over the tasks of a play."""

from __future__ import annotations

DOCUMENTATION = r'''
---
name: netmiko
short_description: Firewalls and other devices without Python, over SSH by netmiko
version_added: 0.4.0
author: ha-mail (@ha-mail)
description:
  - Modules run on the control node and talk to the device through one SSH session, which stays open until the play ends or
    O(persistent_connect_timeout) has passed without a task.
  - Host keys are always checked.
  - Only modules that are made for it work over this connection, such as M(mail.ha.firewall_info).
requirements:
  - netmiko on the control node
options:
  host:
    description: Name or address of the device.
    default: inventory_hostname
    vars:
      - name: inventory_hostname
      - name: ansible_host
  port:
    description: Port of its SSH server.
    type: int
    default: 22
    vars:
      - name: ansible_port
  platform:
    description: Kind of device, in netmiko's words.
    type: str
    choices: [linux, cisco_asa, fortinet, juniper_junos, vyos]
    required: true
    vars:
      - name: mail_firewall_platform
  remote_user:
    description: Who logs in.
    type: str
    required: true
    vars:
      - name: ansible_user
  password:
    description: Password of that user. Without one, a key is needed.
    type: str
    vars:
      - name: ansible_password
  private_key_file:
    description: File with the private key of that user.
    type: path
    vars:
      - name: ansible_ssh_private_key_file
      - name: ansible_private_key_file
  secret:
    description: Password that gives the right to change things (enable on Cisco ASA, sudo on Linux where it wants one).
    type: str
    vars:
      - name: ansible_become_password
  known_hosts:
    description: File with host keys, in addition to the user's own.
    type: path
    vars:
      - name: mail_firewall_known_hosts
  persistent_command_timeout:
    description:
      - Seconds after which a command is given up, whatever its own deadline is, and the session with it.
      - More than the longest of these deadlines, ten minutes for the packages of a Linux firewall, so that it is they that decide.
    type: int
    default: 660
    ini:
      - section: persistent_connection
        key: command_timeout
    env:
      - name: ANSIBLE_PERSISTENT_COMMAND_TIMEOUT
    vars:
      - name: ansible_command_timeout
extends_documentation_fragment:
  - ansible.netcommon.connection_persistent
'''

import os
import pathlib
import time

from ansible.module_utils.connection import Connection as Holder
from ansible.module_utils.connection import ConnectionError as HolderError
from ansible_collections.ansible.netcommon.plugins.plugin_utils.connection_base import NetworkConnectionBase


def holder_stays(path, seconds=10):
    """Whether a process holds a session behind a socket, and goes on holding it: who has answered stays for another persistent_connect_timeout.

    One that has waited in vain for that long logs out before it takes its socket away, and answers nobody in between. The end of that is waited for;
    a socket that nobody takes away within so many seconds is what a dead process left, and is removed.
    """
    deadline = time.monotonic() + seconds
    while os.path.exists(path):
        try:
            return Holder(path).stay()
        except HolderError:
            if time.monotonic() > deadline:
                pathlib.Path(path).unlink(missing_ok=True)
            time.sleep(0.05)
    return False


class Connection(NetworkConnectionBase):
    """Lives in a process of its own; the methods below are what actions call."""

    transport = 'mail.ha.netmiko'
    has_pipelining = False

    def __init__(self, play_context, *args, **kwargs):
        super().__init__(play_context, *args, **kwargs)
        self._session = None

    @property
    def force_persistence(self):
        """Whether Ansible has to start a process that looks for the one that holds the session, and makes it where there is none.

        It would do so for every task, which takes longer than most questions. Where somebody answers, there is a session; options that a later task has
        otherwise do not change it.
        """
        self._update_connection_state()
        if self._socket_path and not holder_stays(self._socket_path):
            self._socket_path, self._connected = None, False
        return not self._socket_path

    def _connect(self):
        if self._session is None:
            # Only the process that holds the session needs netmiko, which takes half a second to load. The process of each task loads this file too.
            from ansible_collections.mail.ha.plugins.plugin_utils.firewall_session import Session  # pylint: disable=import-outside-toplevel

            option = self.get_option
            self._session = Session(option('platform'), option('host'), option('port'), option('remote_user'), option('password') or '',
                                    option('private_key_file') or '', option('secret') or '', option('known_hosts') or '')
        self._connected = True
        return self._session

    def close(self):
        """Called when the play ends."""
        if self._session is not None:
            self._session.close()
        super().close()

    def stay(self):
        """Answer, and so begin to wait anew for the next task."""
        return True

    def ask(self, command, errors='', answers=(), deadline=30, secret=False):
        """See Session."""
        return self._connect().ask(command, errors, answers, deadline, secret)

    def configure(self, lines, errors='', deadline=30, enter=''):
        """See Session."""
        return self._connect().configure(lines, errors, deadline, enter)

    def leave(self):
        """See Session."""
        return self._connect().leave()

    def put(self, path, text):
        """See Session."""
        return self._connect().put(path, text)

    def renew(self):
        """See Session."""
        return self._connect().renew()
