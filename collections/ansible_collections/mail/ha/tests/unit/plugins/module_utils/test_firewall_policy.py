# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The policy of the firewall pair: what passes, and what input is refused. Rules are judged by the connections that they decide."""

from __future__ import annotations

import copy
import ipaddress

import pytest

from ansible_collections.mail.ha.plugins.module_utils import firewall_nftables, firewall_policy, firewall_text

CATALOGUE = [
    {'name': 'ssh', 'from': ['admin'], 'to': ['all'], 'ports': [22]},
    {'name': 'mail for clients', 'from': ['any'], 'to': ['loadbalancers'], 'at': 'service_vips', 'ports': [25, 993],
     'limit': {'per_minute': 60, 'burst': 30}},
    {'name': 'behind the balancers', 'from': ['loadbalancers'], 'to': ['mailservers'], 'ports': [10025]},
    {'name': 'outbound mail', 'from': ['mailservers'], 'to': ['any'], 'ports': [25]},
]
SITE = {
    'zones': [
        {'name': 'wan', 'internet': True},
        {'name': 'dmz', 'networks': ['203.0.113.0/24', '2001:db8:1::/64']},
        {'name': 'office', 'networks': ['198.51.100.0/24']},
    ],
    'rules': [],
    'nat': [{'name': 'mail leaves as the service', 'from': 'dmz', 'to': 'wan', 'protocol': 'tcp', 'ports': [25], 'address': '203.0.113.101'}],
    'admin_networks': ['198.51.100.0/25'],
    'vips': [{'address': '203.0.113.101'}, {'address': '2001:db8:1::101'}],
}
GROUPS = {'loadbalancers': ['lb1'], 'mailservers': ['mail1', 'mail2']}
HOSTVARS = {
    'lb1': {'mail_address': '203.0.113.11'},
    'mail1': {'mail_address': '203.0.113.21', 'mail_address6': '2001:db8:1::21'},
    'mail2': {'mail_address': '203.0.113.22'},
    'outside': {},
}
INTERFACES = {'wan': 'wan0', 'dmz': 'dmz0', 'office': 'eth9'}


def build(rules=(), nat=None, **site):
    """The policy with rules of the site."""
    return firewall_policy.build(CATALOGUE, {**SITE, 'rules': list(rules), **({} if nat is None else {'nat': nat}), **site}, GROUPS, HOSTVARS)


def passes(policy, source, destination, port, protocol='tcp'):
    """Name of the rule that lets a connection pass, or None."""
    rule = firewall_policy.decide(policy, {'source': source, 'destination': destination, 'protocol': protocol, 'port': port})
    return rule['name'] if rule and rule['action'] == 'allow' else None


@pytest.mark.parametrize('source, destination, port, rule', [
    ('192.0.2.1', '203.0.113.101', 25, 'mail for clients'),
    ('2001:db8:99::1', '2001:db8:1::101', 993, 'mail for clients'),
    ('198.51.100.200', '203.0.113.101', 993, 'mail for clients'),
    ('192.0.2.1', '203.0.113.11', 25, None),  # clients come at the VIPs
    ('192.0.2.1', '203.0.113.101', 22, None),
    ('192.0.2.1', '203.0.113.101', 10025, None),
    ('198.51.100.7', '203.0.113.21', 22, 'ssh'),
    ('198.51.100.200', '203.0.113.21', 22, None),  # the office, but no administrator
    ('203.0.113.22', '192.0.2.1', 25, 'outbound mail'),
    ('2001:db8:1::21', '2001:db8:99::1', 25, 'outbound mail'),
    ('203.0.113.11', '192.0.2.1', 25, None),
    ('203.0.113.11', '198.51.100.7', 25, None),
])
def test_what_passes(source, destination, port, rule):
    assert build()['problems'] == []
    assert passes(build(), source, destination, port) == rule


def test_what_stays_in_a_zone_passes_no_firewall():
    assert build()['direct'] == ['behind the balancers']


def test_rules_of_the_site_come_first():
    blocked = {'name': 'no mail from there', 'from': ['192.0.2.0/28'], 'to': ['dmz'], 'protocol': 'any', 'action': 'deny'}
    opened = {'name': 'monitoring', 'from': ['office'], 'to': ['mailservers'], 'protocol': 'udp', 'ports': ['161']}
    policy = build([blocked, opened])
    assert policy['problems'] == []
    assert passes(policy, '192.0.2.1', '203.0.113.101', 25) is None
    assert passes(policy, '192.0.2.17', '203.0.113.101', 25) == 'mail for clients'
    assert passes(policy, '198.51.100.200', '203.0.113.22', 161, 'udp') == 'monitoring'


def test_a_site_may_open_more_than_the_service_needs():
    everything = {'name': 'the office may', 'from': ['office'], 'to': ['dmz'], 'protocol': 'any'}
    ping = {'name': 'ping', 'from': ['any'], 'to': ['dmz'], 'protocol': 'icmp'}
    assert build([everything, ping])['problems'] == []


def rule(**change):
    """A rule of the site."""
    return {'name': 'own', 'from': ['office'], 'to': ['mailservers'], 'ports': ['80'], **change}


@pytest.mark.parametrize('rules, sentence', [
    ([rule(to=['moon'])], "rule 'own': found 'moon' in \"to\", expected a zone (dmz, office, wan), a group of the inventory,"),
    ([rule(**{'from': []})], "rule 'own': found nothing in \"from\""),
    ([rule(**{'from': ['198.51.0.0/16']})], "rule 'own': found '198.51.0.0/16' in \"from\", which is only partly in the zone office; name zones"),
    ([rule(protocol='sctp')], "found the protocol 'sctp', expected one of tcp, udp, icmp, any"),
    ([rule(ports=['0'])], "found the port '0', expected a number from 1 to 65535"),
    ([rule(ports=['90-80'])], "found the port '90-80'"),
    ([rule(ports=['http'])], "found the port 'http'"),
    ([rule(ports=[])], 'found no ports, expected some'),
    ([rule(protocol='icmp')], "found ports with the protocol 'icmp'"),
    ([rule(action='permit')], "found the action 'permit', expected allow or deny"),
    ([rule(limit={'per_minute': 0, 'burst': 1})], 'expected per_minute and burst, whole numbers above 0'),
    ([rule(name='a;b')], "found the name 'a;b'"),
    ([rule(), rule(ports=['81'])], "the rule or service 'own' is there 2 times"),
    ([rule(**{'from': ['dmz']})], "'own' has no effect: its sources and its destinations are in the same zone"),
    ([rule(), rule(name='narrower', **{'from': ['198.51.100.9']})], "'narrower' never decides: 'own' before it fits all that it fits"),
    ([rule(name='low', **{'from': ['198.51.100.0/25']}), rule(name='high', **{'from': ['198.51.100.128/25']}), rule()],
     "'own' never decides: 'low' and 'high' before it together fit all that it fits"),
    ([rule(name='nobody', action='deny', **{'from': ['198.51.100.0/25']}), rule(name='high', **{'from': ['198.51.100.128/25']}), rule()],
     "'own' never decides: 'nobody' and 'high' before it together fit all that it fits"),
    ([rule(name='all', to=['203.0.113.0/24']), rule(to=['dmz'])], "'own' never decides: 'all' before it fits all that it fits"),
    ([rule(name='closed', action='deny', **{'from': ['wan']}, to=['dmz'], ports=[], protocol='any')],
     "'mail for clients' (wan to dmz) contradicts 'closed', which comes first"),
])
def test_rules_that_are_refused(rules, sentence):
    problems = build(rules)['problems']
    assert any(sentence in problem for problem in problems), problems


@pytest.mark.parametrize('zones, sentence', [
    ([{'name': 'dmz', 'networks': ['203.0.113.0/24']}], 'zones: found none as the Internet, expected exactly one'),
    ([{'name': 'a', 'internet': True}, {'name': 'b', 'internet': True}], 'zones: found a, b as the Internet'),
    ([{'name': 'a', 'internet': True}, {'name': 'b'}], "zone 'b': found no networks"),
    ([{'name': 'a', 'internet': True}, {'name': 'b', 'networks': ['203.0.113.1/24']}], "zone 'b': found '203.0.113.1/24', expected a network"),
    ([{'name': 'a', 'internet': True}, {'name': 'b', 'networks': ['203.0.113.0/24']}, {'name': 'c', 'networks': ['203.0.113.128/25']}],
     "zones 'b' and 'c' overlap: 203.0.113.0/24 and 203.0.113.128/25"),
    ([{'name': 'a', 'internet': True}, {'name': 'a', 'networks': ['203.0.113.0/24']}], "the zone 'a' is there 2 times"),
])
def test_zones_that_are_refused(zones, sentence):
    policy = build(zones=zones)
    assert any(sentence in problem for problem in policy['problems']), policy['problems']
    assert policy['rules'] == []


def translation(**change):
    """One that leaves the others alone."""
    return {'name': 'other', 'from': 'dmz', 'to': 'wan', 'protocol': 'tcp', 'ports': ['80'], 'address': '203.0.113.102', **change}


@pytest.mark.parametrize('entry, sentence', [
    (translation(ports=['20-30']), "'mail leaves as the service' and 'other' are for the same connections, from dmz to wan"),
    (translation(protocol='any', ports=[]), 'are for the same connections'),
    (translation(to='moon'), "translation 'other': found 'moon' in \"to\""),
    (translation(address='203.0.113.0/24'), "found the address '203.0.113.0/24', expected one IPv4 address"),
    (translation(address6='203.0.113.1'), "found the address6 '203.0.113.1', expected one IPv6 address"),
    (translation(address=None), 'found neither address nor address6'),
    (translation(**{'from': 'wan'}, to='dmz'), "translation 'other': found the Internet in \"from\", expected a zone with networks"),
    (translation(to='office', address6='2001:db8:1::9'), "found the address6 '2001:db8:1::9', but office has no IPv6 network"),
    (translation(sources=['mail1']), 'found the sources mail1, expected addresses and networks'),
])
def test_translations_that_are_refused(entry, sentence):
    problems = build(nat=SITE['nat'] + [entry])['problems']
    assert any(sentence in problem for problem in problems), problems


def test_translations_beside_each_other():
    assert build(nat=SITE['nat'] + [translation(), translation(name='by source', sources=['203.0.113.22'], ports=['443'])])['problems'] == []


def test_the_input_is_left_alone():
    before = copy.deepcopy((CATALOGUE, SITE))
    build()
    assert (CATALOGUE, SITE) == before


def test_a_limit_that_a_rule_of_the_site_takes_away_is_told():
    assert build()['notes'] == []
    wide = {'name': 'customers', 'from': ['wan'], 'to': ['dmz'], 'ports': ['1-1024']}
    made = build(rules=[*SITE['rules'], wide])
    assert made['problems'] == [] and made['notes'] == [
        "'mail for clients' (wan to dmz) has a limit that holds nobody up, for 'customers' comes first and fits all that it fits, and lets it pass; narrow "
        'that, or give it a limit too.'], made['notes']
    assert 'What may not be meant:' in firewall_text.text(made)
    for other in ({**wide, 'from': ['198.51.101.0/24']}, {**wide, 'limit': {'per_minute': 9, 'burst': 9}}):
        assert build(rules=[*SITE['rules'], other])['notes'] == []


def test_for_people():
    lines = firewall_text.text(build())
    assert '  wan            whatever is in no other zone' in lines
    line, = [line for line in lines if line.endswith('service: mail for clients') and ' wan ' in line]
    assert line.split()[:2] == ['allow', 'wan'] and 'dmz: the service VIPs' in line and '60 a minute, 30 at once' in line
    assert lines[-1] == 'Between hosts of one zone, so not seen by the firewall: behind the balancers.'
    assert '  mail leaves as the service: from dmz to wan, tcp 25, as 203.0.113.101' in lines


def test_nftables():
    text = firewall_nftables.render(build(), {'interfaces': INTERFACES, 'local': [
        {'name': 'ssh', 'protocol': 'tcp', 'ports': [22], 'sources4': ['198.51.100.0/25'], 'sources6': []}]})
    lines = [line.strip() for line in text.splitlines()]
    assert lines[:2] == ['table inet ha_mail_firewall', 'delete table inet ha_mail_firewall']
    head = 'iifname "wan0" oifname "dmz0" ip daddr { 203.0.113.101/32 } tcp dport { 25, 993 }'
    accepted = lines.index(head + ' counter accept comment "mail for clients"')
    assert lines[accepted - 1].startswith(head + ' update @limit4_')
    assert lines[accepted - 1].endswith('{ ip saddr limit rate over 60/minute burst 30 packets } counter drop comment "mail for clients: too many"')
    assert 'iifname "wan0" ip saddr { 203.0.113.0/24, 198.51.100.0/24 } counter drop comment "spoofed"' in lines
    assert 'iifname "office"' not in text, 'the zone is not its interface'
    assert 'ip saddr { 203.0.113.0/24 } ip daddr != { 203.0.113.0/24, 198.51.100.0/24 } tcp dport { 25 } counter snat ip to 203.0.113.101 ' \
           'comment "mail leaves as the service"' in lines


def test_what_is_the_pairs_own_comes_by_its_own_interface_and_before_what_is_established():
    text = firewall_nftables.render(build(), {'interfaces': INTERFACES, 'local': [
        {'name': 'ssh', 'protocol': 'tcp', 'ports': [22], 'sources4': ['198.51.100.0/25'], 'sources6': [], 'device': ''},
        {'name': 'vrrp of the pair', 'protocol': 'vrrp', 'ports': [], 'sources4': ['192.0.2.4'], 'sources6': [], 'device': 'wan0'},
        {'name': 'vrrp of the pair', 'protocol': 'vrrp', 'ports': [], 'sources4': [], 'sources6': ['2001:db8::4'], 'device': 'dmz0'},
        {'name': 'states of the pair', 'protocol': 'udp', 'ports': [3780], 'sources4': ['192.0.2.132'], 'sources6': [], 'device': 'sync0'}]})
    lines = [line.strip() for line in text.splitlines()]
    begins = lines.index('iifname "lo" accept')
    assert lines[begins + 1:begins + 7] == [
        'iifname "wan0" ip saddr { 192.0.2.4 } ip ttl 255 meta l4proto 112 counter accept comment "vrrp of the pair"',
        'iifname "dmz0" ip6 saddr { 2001:db8::4 } ip6 hoplimit 255 meta l4proto 112 counter accept comment "vrrp of the pair"',
        'iifname "sync0" ip saddr { 192.0.2.132 } udp dport { 3780 } counter accept comment "states of the pair"',
        'meta l4proto 112 counter drop comment "vrrp of the pair, from elsewhere"',
        'udp dport { 3780 } counter drop comment "states of the pair, from elsewhere"', 'ct state established,related accept']
    origin = lines[lines.index('chain origin {'):lines.index('chain local {')]
    assert 'iifname != "sync0" ip saddr { 192.0.2.132 } counter drop comment "spoofed: states of the pair"' in origin
    assert 'ip saddr { 198.51.100.0/25 } tcp dport { 22 } counter accept comment "ssh"' in lines


def test_a_local_rule_without_sources_lets_nobody_in():
    assert '"anybody"' not in firewall_nftables.render(build(), {'interfaces': INTERFACES, 'local': [
        {'name': 'anybody', 'protocol': 'tcp', 'ports': [22], 'sources4': [], 'sources6': []}]})


def test_a_zone_without_an_interface():
    with pytest.raises(ValueError, match='no interface is known for the zone office'):
        firewall_nftables.render(build(), {'interfaces': {'wan': 'wan0', 'dmz': 'dmz0'}, 'local': []})


def test_nftables_with_several_uplinks():
    local = [{'name': 'ssh', 'protocol': 'tcp', 'ports': [22], 'sources4': ['198.51.100.0/25'], 'sources6': []}]
    alone = firewall_nftables.render(build(), {'interfaces': INTERFACES, 'local': local})
    several = firewall_nftables.render(build(), {'interfaces': {**INTERFACES, 'wan': ['up0', 'up1']}, 'local': local})
    assert 'mark' not in alone
    # What is different is the set of interfaces, and two chains.
    begins, ends = several.index('    chain arrive {'), several.index('    chain local {')
    assert (several[:begins] + several[ends:]).replace('{ "up0", "up1" }', '"wan0"') == alone
    chains = [line.strip() for line in several[begins:ends].splitlines()]
    assert chains == [
        'chain arrive {', 'type filter hook prerouting priority mangle; policy accept;',
        'iifname "up0" ct state new ct mark set ct mark & 0xffffff00 | 0x00000001',
        'iifname "up1" ct state new ct mark set ct mark & 0xffffff00 | 0x00000002',
        'iifname != { "up0", "up1" } ct mark & 0x000000ff != 0 meta mark set ct mark & 0x000000ff', '}', '',
        'chain depart {', 'type filter hook postrouting priority mangle; policy accept;',
        'oifname "up0" ct state new ct mark set ct mark & 0xffffff00 | 0x00000001',
        'oifname "up1" ct state new ct mark set ct mark & 0xffffff00 | 0x00000002', '}', '']


def test_the_narrowest_network_wins():
    zones = [{'name': 'wan', 'internet': True}, {'name': 'a', 'networks': ['10.0.0.0/8']}]
    assert firewall_policy.zone_of(zones, ipaddress.ip_address('10.1.2.3')) == 'a'
    assert firewall_policy.zone_of(zones, ipaddress.ip_network('10.0.0.0/7')) == 'wan'
