"""SSH server that gives a terminal of a simulated device to whoever logs in, and the faults that a line or a device can have."""

import re
import socket
import threading
import time

import paramiko

ACCOUNT = ("ha-mail", "let me in")
SECRET = "let me change things"


class Faults:
    """What goes wrong; each is an expression for the command that it befalls, or None."""

    def __init__(self):
        self.drop_at = None      # the line is cut before the command is carried out
        self.slow_at = None      # the answer takes slow_seconds
        self.slow_seconds = 0
        self.garble_at = None    # the answer is noise
        self.truncate_at = None  # the answer ends in the middle, without a prompt
        self.refuse_at = None    # the command is answered as unknown
        self.login_refused = False

    def hits(self, name, command):
        """Whether a fault befalls this command."""
        pattern = getattr(self, name)
        return pattern is not None and re.search(pattern, command) is not None


class Closed(Exception):
    """The terminal is gone."""


class Terminal:
    """One login. Echoes what comes in, gives lines to the device, writes what the device answers."""

    def __init__(self, channel, device):
        self.channel, self.device = channel, device
        self.waiting = b""

    def run(self):
        """Until the device says that it is over or the line is."""
        try:
            self.device.login(self)
            while self.device.serve(self):
                pass
        except (Closed, OSError, EOFError):
            pass
        finally:
            self.device.logout(self)
            self.channel.close()

    def write(self, text):
        """Text to the client."""
        try:
            self.channel.sendall(text.replace("\n", "\r\n").encode())
        except OSError as error:
            raise Closed from error

    def read(self, prompt="", echo=True):
        """A line from the client, after a prompt; ^D alone gives None."""
        self.write(prompt)
        while True:
            match = re.search(rb"[\r\n\x04]", self.waiting)
            if match:
                line, end, self.waiting = self.waiting[:match.start()], self.waiting[match.start():match.end()], self.waiting[match.end():]
                if end == b"\r" and self.waiting.startswith(b"\n"):
                    self.waiting = self.waiting[1:]
                text = line.decode()
                self.write((text if echo else "") + "\n")
                return text if end != b"\x04" else None
            try:
                some = self.channel.recv(65536)
            except OSError as error:
                raise Closed from error
            if not some:
                raise Closed
            self.waiting += some


class Device:
    """One member. A subclass has the platform's ways; its state outlives the sessions."""

    prompt_at_login = ""

    def __init__(self, name):
        self.name, self.peer = name, None
        self.faults = Faults()
        self.lock = threading.RLock()
        self.alive = True
        self.logins = 0
        self.heard = []  # every command, for tests that nothing was sent
        self.ahead = 0   # seconds that the device's clock was put forward by a test
        self.address, self.key, self._socket = None, paramiko.ECDSAKey.generate(), None

    # ---- what a subclass fills in

    def prompt(self, terminal):
        """The prompt in the mode that the terminal is in."""
        raise NotImplementedError

    def answer(self, terminal, command):
        """What it says to a command, ending in a newline if there is anything; None ends the session."""
        raise NotImplementedError

    def unknown(self, command):
        """What it says to a command that it does not know."""
        raise NotImplementedError

    def login(self, terminal):
        """Greeting and the like."""

    def logout(self, terminal):
        """The session is over; candidates of it are gone."""

    def tick(self):
        """Do what was due by now, such as taking back a change that nobody confirmed. Called before every command."""

    def reboot(self):
        """Start anew from what was saved, without a pause."""
        raise NotImplementedError

    def lose_sync(self):
        """The members have not the same state any more, as both of them know."""
        raise NotImplementedError

    def push_marker(self, pushed):
        """Expression for one command in the middle of the given ones of a push: one that brings a part of the policy."""
        raise NotImplementedError

    def others(self):
        """What is configured beside the policy, as text: it is nobody's business."""
        raise NotImplementedError

    # ---- the same for all

    def now(self):
        """Seconds of the device's own clock."""
        return time.monotonic() + self.ahead

    def serve(self, terminal):
        """One command."""
        command = terminal.read(self.prompt(terminal))
        if command is None:
            return False
        command = command.strip()
        if not command:
            return True
        self.heard.append(command)
        if self.faults.hits("drop_at", command):
            terminal.channel.get_transport().close()
            raise Closed
        if self.faults.hits("refuse_at", command):
            terminal.write(self.unknown(command))
            return True
        with self.lock:
            self.tick()
            said = self.answer(terminal, command)
        if said is None:
            return False
        if self.faults.hits("slow_at", command):
            time.sleep(self.faults.slow_seconds)
        if self.faults.hits("garble_at", command):
            said = "".join(chr(33 + (ord(letter) * 7) % 90) for letter in said[:300]) + "\n"
        if self.faults.hits("truncate_at", command):
            terminal.write(said[: len(said) // 3])
            time.sleep(60)
            return False
        terminal.write(said)
        return True

    def power(self, on):
        """Let it answer, or not any more; sessions end when it goes off."""
        self.alive = on
        if not on and self._socket is not None:
            for transport in self._transports:
                transport.close()

    # ---- the server

    def start(self):
        """Listen on a port of the loopback address; return (host, port)."""
        self._socket, self._transports = socket.create_server(("127.0.0.1", 0)), []
        self.address = self._socket.getsockname()
        threading.Thread(target=self._accept, daemon=True).start()
        return self.address

    def stop(self):
        """Listen no more and end all sessions."""
        listening, self._socket = self._socket, None
        listening.shutdown(socket.SHUT_RDWR)  # or the thread that waits in accept() takes one more
        listening.close()
        for transport in self._transports:
            transport.close()

    def known_hosts(self, key=None):
        """The line of a known_hosts file for it."""
        key = key or self.key
        return f"[{self.address[0]}]:{self.address[1]} {key.get_name()} {key.get_base64()}\n"

    def _accept(self):
        while self._socket is not None:
            try:
                client, _address = self._socket.accept()
                # As SSH servers do; without it every line costs the 40 ms of a delayed acknowledgement.
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except (OSError, AttributeError):
                return
            if not self.alive:
                client.close()
                continue
            threading.Thread(target=self._session, args=[client], daemon=True).start()

    def _session(self, client):
        transport = paramiko.Transport(client)
        self._transports.append(transport)
        transport.add_server_key(self.key)
        try:
            transport.start_server(server=_Login(self))
            channel = transport.accept(20)
        except (paramiko.SSHException, EOFError, OSError):
            return
        if channel is not None:
            self.logins += 1
            Terminal(channel, self).run()
        transport.close()


class _Login(paramiko.ServerInterface):
    """Who may log in, and that a terminal is what they get."""

    def __init__(self, device):
        self.device = device

    def get_allowed_auths(self, _username):
        return "password"

    def check_auth_password(self, username, password):
        good = (username, password) == ACCOUNT and not self.device.faults.login_refused
        return paramiko.AUTH_SUCCESSFUL if good else paramiko.AUTH_FAILED

    def check_channel_request(self, kind, _number):
        return paramiko.OPEN_SUCCEEDED if kind == "session" else paramiko.OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED

    def check_channel_pty_request(self, *_arguments):
        return True

    def check_channel_shell_request(self, _channel):
        return True
