# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""One SSH session with a firewall, by netmiko: commands with deadlines in, answers or errors out. Knows no platform; what commands there
are and what an error looks like is the dialect's business.

Every error is a ConnectionError whose ``code`` says of which kind it is, so that it looks the same on both sides of the persistent
connection:

``unreachable``  nobody answers at that address and port, or not as an SSH server
``refused``      user, key or password are not accepted, or the rights are not enough
``host key``     the key is unknown, or another than the known one
``platform``     it does not behave like the declared platform
``deadline``     no prompt within the deadline; the session is closed, for nobody knows what it is doing
``broken``       the session ended
``answer``       the device calls the command wrong
"""

from __future__ import annotations

import re
import traceback

from ansible.module_utils.connection import ConnectionError as DeviceError

try:
    import netmiko
    import paramiko
    IMPORT_ERROR = None
except ImportError as error:
    netmiko, IMPORT_ERROR = None, error

CONNECT = 10  # seconds for each of TCP, banner and login


class Session:
    """Opened by the first command, and again after it broke."""

    def __init__(self, platform, host, port=22, username='', password='', key_file='', secret='', known_hosts=''):
        """:param platform: netmiko's device type. :param secret: password that gives the rights to change things (enable, sudo).
        :param known_hosts: file with host keys, in addition to those of user and system.
        """
        self.where = '%s:%s' % (host, port)
        self.platform, self.known_hosts, self.username = platform, known_hosts, username
        self._arguments = {
            'device_type': platform, 'host': host, 'port': port, 'username': username, 'password': password or None, 'secret': secret,
            'use_keys': bool(key_file), 'key_file': key_file or None, 'allow_agent': False,
            'ssh_strict': True, 'system_host_keys': True, 'alt_host_keys': bool(known_hosts), 'alt_key_file': known_hosts,
            'conn_timeout': CONNECT, 'auth_timeout': CONNECT, 'banner_timeout': CONNECT, 'keepalive': 5,
        }
        if platform == 'cisco_asa':
            # It would set the width of the terminal in the running configuration.
            self._arguments['allow_auto_change'] = False
        if platform == 'fortinet':
            # netmiko offers these devices only key exchanges with SHA-1 unless it is told which ones not to offer.
            self._arguments['disabled_algorithms'] = {'kex': ['diffie-hellman-group1-sha1']}
        self._connection = None
        self._configuring = False

    # ---- the session as such

    def open(self):
        """Connect and log in, unless that is done already."""
        if self._connection is not None:
            return
        if netmiko is None:
            raise DeviceError('netmiko is missing on the control node: %s. Install what requirements.txt names.' % IMPORT_ERROR, code='unreachable')
        try:
            self._connection = netmiko.ConnectHandler(**self._arguments)
            if self._arguments['secret']:
                self._connection.enable()
            # netmiko's driver for ASA would never wait for the echo, so that a prompt left over from the login passes for the answer to the first
            # command, and every answer after that belongs to the command before. See _echoed().
            self._connection.global_cmd_verify = None
            self._notice_cuts()
        except Exception as error:  # pylint: disable=broad-except  # netmiko lets socket, SSH and value errors through
            self.close()
            raise self._told(error) from error
        self._configuring = False

    def close(self):
        """End it; a candidate configuration of this session is gone then."""
        connection, self._connection, self._configuring = self._connection, None, False
        if connection is not None and connection.remote_conn_pre is not None:
            # Not disconnect(), which waits for a device that may not answer any more.
            connection.remote_conn_pre.close()

    def renew(self):
        """Connect anew: proof that somebody can still log in."""
        self.close()
        self.open()

    def _told(self, error):
        """What went wrong at the login, in words."""
        chain, link = [], error
        while link is not None:
            chain.append(link)
            link = link.__cause__ or link.__context__
        text = ' '.join(str(error).split())
        if any(isinstance(link, paramiko.BadHostKeyException) for link in chain):
            return DeviceError('%s: the host key is another than the known one. Either somebody is in between or the device was replaced; '
                               'ask whoever runs it, then change known_hosts.' % self.where, code='host key')
        if 'not found in known_hosts' in text:
            return DeviceError('%s: the host key is unknown. Compare it with the device and add it to %s.'
                               % (self.where, self.known_hosts or '~/.ssh/known_hosts'), code='host key')
        if any(isinstance(link, paramiko.AuthenticationException) for link in chain):
            return DeviceError("%s: the login of '%s' was refused. Check user, key and password." % (self.where, self.username), code='refused')
        # ASA asks again after a wrong password, until netmiko no longer waits.
        asking = isinstance(error, netmiko.exceptions.ReadException) and 'enable' in [frame.name for frame in traceback.extract_tb(error.__traceback__)]
        if asking or (isinstance(error, ValueError) and ('enable' in text or 'privilege' in text)):
            return DeviceError("%s: '%s' could log in, but did not get the rights to change things. Check the password for that (secret)."
                               % (self.where, self.username), code='refused')
        if isinstance(error, (netmiko.exceptions.ReadException, ValueError)) or 'Timed out waiting for data' in text:
            return DeviceError('%s: it lets %s in, but does not behave like %s (%s). Check the declared platform.'
                               % (self.where, self.username, self.platform, text[:200]), code='platform')
        return DeviceError('%s: no SSH session: %s' % (self.where, (str(error).strip() or type(error).__name__).splitlines()[0][:200]), code='unreachable')

    # ---- commands

    def ask(self, command, errors='', answers=(), deadline=30, secret=False):
        """Send a command and return what the device says to it, without echo and prompt.

        :param errors: expression that marks an answer as an error. :param answers: ``[expression, reply]`` for questions that the device
        asks back. :param deadline: seconds for the whole. :param secret: what it says is not to be quoted, but for what marks an error.
        """
        self.open()
        prompt = self._prompt()
        said = self._guard(command, self._connection.send_command, command, expect_string='|'.join([prompt] + [pattern for pattern, _reply in answers]),
                           read_timeout=deadline, strip_prompt=False, strip_command=True, cmd_verify=self._echoed(command))
        for pattern, reply in answers:
            if re.search(pattern, said):
                said += self._guard(command, self._connection.send_command, reply, expect_string=prompt, read_timeout=deadline,
                                    strip_prompt=False, strip_command=True, cmd_verify=False)
        said = re.sub(r'\n?%s' % prompt, '', said)
        error = re.search(errors, said, re.MULTILINE) if errors else None
        if error:
            raise DeviceError("%s answered '%s' to '%s'." % (self.where, ' '.join((error.group() if secret else said).split())[:300], command), code='answer')
        return said.strip('\n')

    def configure(self, lines, errors='', deadline=30, enter=''):
        """Send lines in configuration mode, which is entered first and not left. Stops at the first that the device calls wrong.

        :param deadline: seconds for each line. :param enter: command that enters configuration mode, if not netmiko's own.
        :returns: what the device said to all of them
        """
        self.open()
        if not self._configuring:
            self._guard('configuration mode', self._connection.config_mode, **({'config_command': enter} if enter else {}))
            self._configuring = True
        return '\n'.join(filter(None, [self.ask(line, errors, deadline=deadline) for line in lines]))

    def leave(self):
        """Leave configuration mode, without what was not committed."""
        if self._connection is not None and self._configuring:
            self._guard('the end of configuration mode', self._connection.exit_config_mode)
            self._configuring = False

    def put(self, path, text):
        """Write a file by SFTP, whole or not at all."""
        self.open()
        try:
            with self._connection.remote_conn_pre.open_sftp() as sftp:
                with sftp.open(path + '.new', 'w') as remote:
                    remote.write(text)
                sftp.posix_rename(path + '.new', path)
        except (OSError, EOFError, paramiko.SSHException) as error:
            self.close()
            raise DeviceError('%s: could not write %s: %s' % (self.where, path, error), code='broken') from error

    def _notice_cuts(self):
        """netmiko reads only while there is something to read, and would wait for a line that was cut until the deadline."""
        channel, line = self._connection.channel, self._connection.remote_conn
        read = channel.read_buffer

        def read_or_fail():
            some = read()
            if not some and line.closed:
                raise netmiko.exceptions.ReadException('the line was cut')
            return some
        channel.read_buffer = read_or_fail

    def _echoed(self, command):
        """Whether the echo can be waited for: ASA redraws a line that is longer than its terminal, which has 80 columns."""
        return self.platform != 'cisco_asa' or len(self._connection.base_prompt) + (34 if self._configuring else 2) + len(command) < 80

    def _prompt(self):
        """The prompt, in any mode."""
        return r'%s[^\n]*[>#$%%] ?$' % re.escape(self._connection.base_prompt)

    def _guard(self, what, call, *arguments, **options):
        """Run one step; whatever goes wrong ends the session, for its state is unknown then."""
        try:
            return call(*arguments, **options)
        except netmiko.exceptions.ReadTimeout as error:
            self.close()
            raise DeviceError("%s: no prompt after '%s' within the deadline of %s s; the session was closed."
                              % (self.where, what, options.get('read_timeout', 'netmiko')), code='deadline') from error
        except Exception as error:  # pylint: disable=broad-except  # sockets, paramiko and netmiko have families of their own
            self.close()
            raise DeviceError("%s: the session ended at '%s': %s" % (self.where, what, ' '.join(str(error).split())[:200] or type(error).__name__),
                              code='broken') from error
