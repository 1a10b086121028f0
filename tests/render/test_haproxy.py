"""The rendered HAProxy configuration, given to the real haproxy."""

from __future__ import annotations

import pytest
from rendering import on_node, render

PORTS = {"smtp": 25, "submissions": 465, "submission": 587, "imaps": 993, "pop3s": 995, "sieve": 4190,
         "proxied_smtp": 10025, "proxied_submissions": 10465, "proxied_submission": 10587, "proxied_imaps": 10993,
         "proxied_pop3s": 10995, "proxied_sieve": 14190, "health_postfix": 10026, "health_dovecot": 10100,
         "node_agent": 9199}
SITE = {"haproxy_ports": PORTS,
        "haproxy_vips": [{"name": "vip1", "address": "192.0.2.101", "address6": "2001:db8::101", "vrid": 51},
                         {"name": "vip2", "address": "2001:db8::102", "vrid": 52}],
        "haproxy_backends": [{"name": "mail1", "address": "192.0.2.21"}, {"name": "mail2", "address": "2001:db8::22"}]}
ONLY_SMTP = {"haproxy_services": [{"name": "smtp", "check": "postfix", "balance": "roundrobin", "idle": "11m"}]}


@pytest.mark.parametrize("changes", [
    {},
    {"haproxy_status_address": "192.0.2.11", "haproxy_source_rate": 50},
    {"haproxy_status_address": "2001:db8::11", "haproxy_source_connections": 0},
    ONLY_SMTP,
], ids=["defaults", "limits", "no limits", "one service"])
def test_haproxy_accepts(changes):
    code, output = on_node(render("haproxy", "haproxy.cfg.j2", SITE | changes), "haproxy -c -f $1")
    assert code == 0, output
    assert "WARNING" not in output


def test_haproxy_refuses_a_time_that_is_none():
    text = render("haproxy", "haproxy.cfg.j2", SITE | {"haproxy_connect_timeout": "soon"})
    code, output = on_node(text, "haproxy -c -f $1")
    assert code == 1
    assert "'timeout connect'" in output


def test_every_service_is_bound_on_every_address_and_hides_the_client_from_no_server():
    text = render("haproxy", "haproxy.cfg.j2", SITE)
    for service in ("smtp", "submissions", "submission", "imaps", "pop3s", "sieve"):
        for address in ("192.0.2.101", "[2001:db8::101]", "[2001:db8::102]"):
            assert f"    bind {address}:{PORTS[service]} transparent" in text
        backend = text.split(f"\nbackend {service}\n")[1].split("\nfrontend ")[0]
        assert "    default-server send-proxy-v2\n" in backend
        assert f"    server mail1 192.0.2.21:{PORTS['proxied_' + service]} track health_" in backend
    assert "on-marked-down" not in text
