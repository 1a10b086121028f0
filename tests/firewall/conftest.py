"""A pair of simulated firewalls for each platform, and sessions with them as the modules have them."""

import importlib
import json
import os
import pathlib
import subprocess
import sys

import pytest

sys.path.append(str(pathlib.Path(__file__).parent))
from ansible_collections.mail.ha.plugins.module_utils import firewall_policy  # noqa: E402  pylint: disable=wrong-import-position
from ansible_collections.mail.ha.plugins.plugin_utils.firewall_session import Session  # noqa: E402  pylint: disable=wrong-import-position
from simulator import server  # noqa: E402  pylint: disable=wrong-import-position

ROOT = pathlib.Path(__file__).resolve().parents[2]
PLATFORMS = sorted(path.stem for path in (pathlib.Path(__file__).parent / "simulator").glob("[a-z]*.py") if path.stem not in ("server", "__init__"))
SITE = {
    "zones": [
        {"name": "wan", "internet": True},
        {"name": "dmz", "networks": ["192.0.2.0/24", "2001:db8:1::/64"]},
        {"name": "management", "networks": ["198.51.100.0/24"]},
    ],
    "rules": [
        {"name": "guests who were shut out", "from": ["203.0.113.66", "2001:db8:66::/48"], "to": ["dmz"], "protocol": "any", "action": "deny", "log": True},
        {"name": "partner", "from": ["203.0.113.0/28"], "to": ["mailservers"], "ports": [8443, "9000-9010"]},
        {"name": "ping", "from": ["any"], "to": ["dmz"], "protocol": "icmp"},
    ],
    "nat": [{"name": "mail leaves as", "from": "dmz", "to": "wan", "protocol": "tcp", "ports": [25], "sources": ["192.0.2.21", "192.0.2.22"],
             "address": "192.0.2.101", "address6": ""}],
    "admin_networks": ["198.51.100.0/26"],
    "vips": [{"address": "192.0.2.101", "address6": "2001:db8:1::101"}, {"address": "192.0.2.102"}],
}
CATALOGUE = [
    {"name": "smtp", "from": ["any"], "to": ["loadbalancers"], "ports": [25], "at": "service_vips", "limit": {"per_minute": 120, "burst": 120}},
    {"name": "imaps", "from": ["any"], "to": ["loadbalancers"], "ports": [993], "at": "service_vips", "limit": {"per_minute": 120, "burst": 120}},
    {"name": "outbound mail", "from": ["mailservers"], "to": ["any"], "ports": [25]},
    {"name": "time", "from": ["all"], "to": ["any"], "protocol": "udp", "ports": [123]},
    {"name": "ssh", "from": ["admin"], "to": ["all"], "ports": [22]},
]
GROUPS = {"mailservers": ["mail1", "mail2"], "loadbalancers": ["lb1"]}
HOSTVARS = {"mail1": {"mail_address": "192.0.2.21", "mail_address6": "2001:db8:1::21"}, "mail2": {"mail_address": "192.0.2.22"},
            "lb1": {"mail_address": "192.0.2.11"}}
# What the zones are called on the simulated devices; each platform uses what it needs of a member.
MEMBER = {"interfaces": {"wan": "wan0", "dmz": "dmz0", "management": "eth0"}, "local": []}


def policy(**changes):
    """A policy with every kind of rule; :param changes: parts of the site to replace"""
    made = firewall_policy.build(CATALOGUE, dict(SITE, **changes), GROUPS, HOSTVARS)
    assert not made["problems"], made["problems"]
    return made


class Pair:
    """Both members of a simulated pair; the first is active when it begins."""

    def __init__(self, platform, folder):
        self.platform = platform
        self.dialect = importlib.import_module(f"ansible_collections.mail.ha.plugins.module_utils.firewall_{platform}").DIALECT
        self.devices = importlib.import_module(f"simulator.{platform}").pair()
        self.known_hosts = folder / "known_hosts"
        self.sessions = []
        for device in self.devices:
            device.start()
        self.trust()

    def trust(self, keys=(None, None)):
        """Write known_hosts, with the keys of the devices or others."""
        self.known_hosts.write_text("".join(device.known_hosts(key) for device, key in zip(self.devices, keys)))

    def session(self, member=0, **changes):
        """A session with one of the members."""
        host, port = self.devices[member].address
        arguments = {"platform": self.platform, "host": host, "port": port, "username": server.ACCOUNT[0], "password": server.ACCOUNT[1],
                     "known_hosts": str(self.known_hosts), "secret": server.SECRET if self.platform == "cisco_asa" else ""}
        made = Session(**dict(arguments, **changes))
        self.sessions.append(made)
        return made

    def of(self, member=0, **changes):
        """The dialect, in a session of its own with one of the members."""
        return self.dialect(self.session(member, **changes))

    def lines(self, **changes):
        """The policy above in the words of the platform."""
        return self.dialect.render(policy(**changes), MEMBER)[0]

    def pass_time(self, seconds):
        """Put the clocks of the devices forward."""
        for device in self.devices:
            with device.lock:
                device.ahead += seconds
                device.tick()

    def heard(self):
        """Commands that both devices have got so far."""
        return [command for device in self.devices for command in device.heard]

    def close(self):
        """End everything."""
        for session in self.sessions:
            session.close()
        for device in self.devices:
            device.stop()


def run_playbook(folder, playbook, *arguments):
    """Run a playbook with the inventory hosts.yml of a folder, as a user does; return (exit code, what it said as data, everything as text)."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_STRATEGY")}
    done = subprocess.run(
        ["ansible-playbook", "-i", str(folder / "hosts.yml"), str(playbook), *arguments], cwd=ROOT, text=True, capture_output=True, timeout=900, check=False,
        env={**environment, "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json", "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
             "ANSIBLE_PERSISTENT_CONTROL_PATH_DIR": str(folder / "pc"), "ANSIBLE_LOCALHOST_WARNING": "false",
             # Between two questions of a playbook that takes what others leave of the processors, more than thirty seconds may pass.
             "ANSIBLE_PERSISTENT_CONNECT_TIMEOUT": "200"})
    text = done.stdout + done.stderr
    assert "{" in done.stdout, text
    return done.returncode, json.JSONDecoder().raw_decode(done.stdout, done.stdout.index("{"))[0], text


@pytest.fixture(params=PLATFORMS)
def pair(request, tmp_path):
    """Every test of the contract runs on every platform."""
    made = Pair(request.param, tmp_path)
    yield made
    made.close()
