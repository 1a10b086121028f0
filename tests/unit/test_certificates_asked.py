"""check-certificates.yml asks every port that serves TLS: each port of the catalogue is asked, or stands here with the reason why not."""

from __future__ import annotations

import re
from pathlib import Path

import jinja2
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PORTS = yaml.safe_load((ROOT / "playbooks/group_vars/all/services.yml").read_text(encoding="utf-8"))["mail_ports"]
PLAYS = yaml.safe_load((ROOT / "playbooks/check-certificates.yml").read_text(encoding="utf-8"))
NOT_ASKED = {
    "smtp": "HAProxy passes it on; the certificate is that of proxied_smtp",
    "submission": "likewise",
    "submissions": "likewise",
    "health_postfix": "no TLS",
    "health_dovecot": "no TLS", "health_mail_store": "no TLS",
    "node_agent": "no TLS",
    "quota_status": "no TLS",
    "gluster": "no TLS",
    "gluster_bricks": "no TLS",
}


def asked(hosts):
    """{name of the port: how it is asked} in the play on these hosts."""
    play, = [play for play in PLAYS if play["hosts"] == hosts]
    return {re.fullmatch(r"\{\{ mail_ports\.(\w+) \}\}", entry["port"]).group(1): entry for entry in play["tasks"][0]["vars"]["__check_certificates_ports"]}


def test_every_port_is_asked_or_has_a_reason():
    everywhere = {name for play in PLAYS for name in asked(play["hosts"])}
    assert everywhere.isdisjoint(NOT_ASKED)
    assert everywhere | set(NOT_ASKED) == set(PORTS)


@pytest.fixture(name="listeners", scope="module")
def fixture_listeners():
    """What Dovecot's configuration listens on: [(addresses or None for all, port, with TLS from the first byte, behind a PROXY header)]."""
    known = {"ansible_managed": "", "dovecot_ports": PORTS, "dovecot_seats": [{"address": "192.0.2.201"}], "dovecot_peers": [], "dovecot_loadbalancers": []}
    for name in ("defaults", "vars"):
        path = ROOT / "roles/dovecot" / name / "main.yml"
        known |= yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else {}
    known |= {"dovecot_mail_path": "/srv/mail", "dovecot_service_name": "mail.example.org"}
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(ROOT / "roles/dovecot/templates"), trim_blocks=True)
    text = environment.get_template("dovecot.conf.j2").render(known)
    blocks = [dict(re.findall(r"(\w+) = (.*)", block)) for block in re.findall(r"inet_listener \w+ \{([^}]*)\}", text)]
    return [(block.get("listen"), int(block["port"]), block.get("ssl") == "yes", block.get("haproxy") == "yes") for block in blocks if block["port"] != "0"]


def test_whatever_dovecot_serves_at_the_seats_is_asked_there(listeners):
    by_port = {number: name for name, number in PORTS.items()}
    at_seats = {by_port[port]: tls for addresses, port, tls, proxied in listeners if addresses == "192.0.2.201" and not proxied}
    assert set(asked("mailservers")) == set(at_seats) - set(NOT_ASKED)
    assert {name for name, entry in asked("mailservers").items() if "starttls" not in entry} == {name for name, tls in at_seats.items() if tls}
    assert not any("proxy" in entry for entry in asked("mailservers").values())


def test_whatever_dovecot_serves_behind_the_balancers_is_asked_with_a_proxy_header(listeners):
    ports = asked("loadbalancers")
    proxied = {port: tls for addresses, port, tls, behind in listeners if behind}
    assert set(proxied) <= {PORTS[name] for name in ports} and all(entry["proxy"] is True for entry in ports.values())
    assert all(("starttls" in ports[name]) != proxied[PORTS[name]] for name in ports if PORTS[name] in proxied)
