"""playbooks/firewalls.yml and playbooks/roll-firewalls.yml as they are, on a simulated pair of every platform, with a service that answers on this machine."""

import json
import socketserver
import sys
import threading

import pytest
import yaml

from conftest import GROUPS, HOSTVARS, MEMBER, PLATFORMS, ROOT, SITE, Pair, run_playbook
from simulator import server

RULE = {"name": "monitoring of a partner", "from": ["203.0.113.99"], "to": ["mailservers"], "ports": [9100]}


class Smtp(socketserver.StreamRequestHandler):
    """As much of SMTP as a session needs in which nothing is sent."""

    def handle(self):
        self.wfile.write(b"220 mail.test ESMTP\r\n")
        for line in self.rfile:
            self.wfile.write(b"221 bye\r\n" if line.upper().startswith(b"QUIT") else b"250 ok\r\n")


class Service:
    """The service behind the pair, at an address of the loopback interface that no other platform's test has."""

    def __init__(self, number):
        self.address = f"127.53.25.{number + 1}"
        self._server = None

    def start(self):
        """Answer from now on."""
        self._server = socketserver.ThreadingTCPServer((self.address, 25), Smtp, bind_and_activate=False)
        self._server.allow_reuse_address = self._server.daemon_threads = True
        self._server.server_bind()
        self._server.server_activate()
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self):
        """Refuse from now on."""
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


class Site:
    """An inventory around a simulated pair."""

    def __init__(self, pair, folder, services):
        self.pair, self.folder, self.services = pair, folder, services
        self.members = [f"{pair.platform.replace('_', '-')}-{number}" for number in (1, 2)]

    def variables(self, rules):
        """What a site gives; its service catalogue is the project's own."""
        return {
            "mail_admin_networks": SITE["admin_networks"],
            "mail_service_vips": [dict(vip, name=f"vip{number}", vrid=50 + number) for number, vip in enumerate(SITE["vips"], 1)],
            "mail_firewall": {"zones": [dict(zone, interface=MEMBER["interfaces"][zone["name"]]) for zone in SITE["zones"]],
                              "rules": SITE["rules"] + rules, "nat": SITE["nat"]},
            "mail_firewall_platform": self.pair.platform, "mail_firewall_known_hosts": str(self.pair.known_hosts),
        }

    def write(self, rules):
        """The inventory, with further rules of the site; `nobody` is a host that cannot be reached."""
        logs_in = {"ansible_user": server.ACCOUNT[0], "ansible_password": server.ACCOUNT[1], "ansible_become_password": server.SECRET,
                   "ansible_python_interpreter": sys.executable}
        hosts = {name: dict(logs_in, ansible_host=device.address[0], ansible_port=device.address[1])
                 for name, device in zip(self.members, self.pair.devices)}
        groups = {**GROUPS, "databases": GROUPS["mailservers"], "monitors": GROUPS["loadbalancers"], "backups": GROUPS["loadbalancers"]}
        children = {group: {"hosts": {name: HOSTVARS[name] for name in names}} for group, names in groups.items()}
        (self.folder / "hosts.yml").write_text(yaml.safe_dump({"all": {
            "vars": self.variables(rules), "hosts": {"nobody": {"ansible_host": "127.0.0.1", "ansible_port": 1}},
            "children": {"firewalls": {"hosts": hosts}, **children}}}), encoding="utf-8")

    def run(self, playbook, *arguments):
        """Run it; return (exit code, {host: number of changes}, everything as text)."""
        code, said, text = run_playbook(self.folder, f"playbooks/{playbook}", "-e", json.dumps({"firewall_pair_services": self.services}), *arguments)
        return code, {name: stats["changed"] for name, stats in said["stats"].items()}, text

    def kept(self):
        """What rolls have kept of the members, by name, the oldest first."""
        return {name: sorted((ROOT / ".cache/firewalls").glob(f"{name}.*.before")) for name in self.members}

    def forget(self):
        """Remove that, and what a run that was killed has left of it."""
        for files in self.kept().values():
            for file in files:
                file.unlink()


@pytest.fixture(name="service")
def fixture_service(pair):
    """Something that greets on port 25."""
    made = Service(PLATFORMS.index(pair.platform))
    made.start()
    yield made
    made.stop()


@pytest.fixture(name="site")
def fixture_site(pair, service, tmp_path):
    """The site around the pair; what a roll keeps of its members is removed again."""
    made = Site(pair, tmp_path, [service.address])
    made.forget()
    yield made
    made.forget()


def policies(pair):
    """What both run and what both have saved; members that differ only in what is their own count as equal."""
    found = [pair.of(member) for member in (0, 1)]
    made = [(dialect.common(dialect.running()), dialect.common(dialect.saved())) for dialect in found]
    assert made[0] == made[1] and made[0][0] == made[0][1]
    return made[0][0]


def test_from_nothing_to_a_policy_and_a_change_under_traffic(pair, site, service):
    site.write([])
    code, changes, text = site.run("firewalls.yml")
    assert code == 0, text
    # A pair that replicates takes it at one member.
    assert [changes[name] > 0 for name in site.members] == [True, not pair.dialect.replicated], text
    before = policies(pair)
    assert len(before) > 10 and not [line for line in before if "9100" in line]

    site.write([RULE])
    code, changes, text = site.run("roll-firewalls.yml")
    assert code == 0, text
    after = policies(pair)
    assert [line for line in after if "9100" in line] and len(after) > len(before)
    assert '"diff"' in text and "9100" in text.partition('"diff"')[2], "what differs was not shown"
    assert [files[0].read_text(encoding="utf-8").splitlines() for files in site.kept().values()] == [before, before]
    assert [len(files) for files in site.kept().values()] == [1, 1]

    # Nobody gets through any more: what was sent is taken back.
    site.write([RULE, dict(RULE, name="another partner", ports=[9200])])
    service.stop()
    code, changes, text = site.run("roll-firewalls.yml")
    assert code != 0 and "The change was not made: The SMTP session with" in text and "2 of 2 members run the policy from before" in text, text
    assert "The pair is whole, and the traffic is where it was." in text, text
    assert policies(pair) == after

    # Whoever is to ask cannot be reached; and check mode keeps nothing. A matter of playbooks, so one platform of each kind says it.
    if pair.platform not in ("vyos", "juniper_junos"):
        assert server.ACCOUNT[1] not in text and server.SECRET not in text
        return
    service.start()
    code, changes, text = site.run("roll-firewalls.yml", "-e", "roll_from=nobody")
    assert code != 0 and "The change was not made: nobody, from where sessions are opened, cannot be reached: " in text, text
    assert "2 of 2 members run the policy from before" in text and policies(pair) == after, text
    code, changes, text = site.run("roll-firewalls.yml", "--check")
    assert code == 0 and '"diff"' in text and [len(files) for files in site.kept().values()] == [3, 3], text
    assert server.ACCOUNT[1] not in text and server.SECRET not in text


def test_what_one_member_does_not_take_is_kept_by_neither(tmp_path):
    pair = Pair("vyos", tmp_path)
    site = Site(pair, tmp_path, ["127.0.0.1"])
    try:
        site.write([RULE])
        pair.devices[0].faults.refuse_at = "^commit-confirm"
        code, _changes, text = site.run("firewalls.yml")
        assert code != 0 and "The change was not made: " in text and "2 of 2 members run the policy from before" in text, text
        assert policies(pair) == []
        # The standby has it, and is asked to keep it when the other one does not answer any more.
        pair.devices[0].faults.refuse_at = "^confirm$"
        code, _changes, text = site.run("firewalls.yml")
        assert code != 0 and f"1 of 2 members run the policy from before ({site.members[0]})" in text, text
        assert f"{site.members[1]} was not seen with it; when the reason is mended, run this again." in text, text
    finally:
        pair.close()
