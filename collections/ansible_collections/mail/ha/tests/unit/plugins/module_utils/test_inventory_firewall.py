# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""A good pair, one thing spoilt in each case, and the sentence that has to come of it."""

from __future__ import annotations

import pytest
from ansible_collections.mail.ha.plugins.module_utils.inventory_firewall import check_firewalls


def good():
    """Hosts, groups and site variables of a site with two Linux firewalls."""
    hosts = {name: {'groups': ['firewalls', 'site_a'], 'ansible_host': f'198.51.100.{number}',
                    'mail_firewall_addresses': {'wan': f'203.0.113.{number}', 'dmz': f'192.0.2.{number}', 'sync': f'172.16.0.{number}'}}
             for name, number in (('fw1', 3), ('fw2', 4))}
    hosts['lb1'] = {'groups': ['loadbalancers', 'site_a'], 'ansible_host': '198.51.100.11', 'mail_address': '192.0.2.11'}
    zones = [
        {'name': 'wan', 'internet': True, 'interface': 'wan0', 'vrid': 11, 'virtual': ['203.0.113.2/24'], 'neighbours': ['203.0.113.1', '203.0.113.9']},
        {'name': 'dmz', 'networks': ['192.0.2.0/24'], 'interface': 'dmz0', 'vrid': 12, 'virtual': ['192.0.2.2/24'],
         'neighbours': ['192.0.2.11', '192.0.2.12']},
        {'name': 'management', 'networks': ['198.51.100.0/24'], 'interface': 'eth0'},
    ]
    values = {
        'mail_firewall_platform': 'linux', 'mail_firewall': {'sync_interface': 'sync0', 'zones': zones},
        'mail_service_vips': [{'name': 'vip1', 'address': '192.0.2.101', 'vrid': 51}],
        'mail_seats': [{'name': 'seat01', 'address': '192.0.2.201', 'vrid': 101}],
    }
    return hosts, {'firewalls': ['fw1', 'fw2'], 'loadbalancers': ['lb1']}, values


def zone(number, **changes):
    """Change a zone; None removes the key."""
    def spoil(_hosts, _groups, values):
        for key, value in changes.items():
            values['mail_firewall']['zones'][number][key] = value
            if value is None:
                del values['mail_firewall']['zones'][number][key]
    return spoil


def own(name, **addresses):
    """Change the addresses of a firewall; None removes one."""
    def spoil(hosts, _groups, _values):
        hosts[name]['mail_firewall_addresses'].update(addresses)
        hosts[name]['mail_firewall_addresses'] = {key: value for key, value in hosts[name]['mail_firewall_addresses'].items() if value is not None}
    return spoil


def good_with_uplinks():
    """The same with two providers."""
    hosts, groups, values = good()
    for name, number in (('fw1', 3), ('fw2', 4)):
        addresses = hosts[name]['mail_firewall_addresses']
        addresses.update(wan_a=addresses.pop('wan'), wan_b=f'198.18.0.{number}')
    values['mail_firewall']['zones'][0] = {'name': 'wan', 'internet': True, 'uplinks': [
        {'name': 'wan_a', 'interface': 'upa0', 'vrid': 13, 'virtual': ['203.0.113.2/24', '2001:db8:a::2/64'], 'gateways': ['203.0.113.1', '2001:db8:a::1'],
         'probes': ['192.88.99.1', '192.88.99.2', '2001:db8:99::1', '2001:db8:99::2']},
        {'name': 'wan_b', 'interface': 'upb0', 'vrid': 13, 'virtual': ['198.18.0.2/24'], 'gateways': ['198.18.0.1'], 'probes': ['192.88.99.1', '192.88.99.3']}]}
    return hosts, groups, values


def uplink(number, **changes):
    """Change an uplink; None removes the key."""
    def spoil(_hosts, _groups, values):
        values['mail_firewall']['zones'][0]['uplinks'][number].update(changes)
        values['mail_firewall']['zones'][0]['uplinks'][number] = {
            key: value for key, value in values['mail_firewall']['zones'][0]['uplinks'][number].items() if value is not None}
    return spoil


def site(**changes):
    """Change site variables."""
    return lambda _hosts, _groups, values: values.update(changes)


def uplinks_elsewhere(_hosts, _groups, values):
    values['mail_firewall']['zones'][2]['uplinks'] = []


def fewer_uplinks(count):
    def spoil(_hosts, _groups, values):
        del values['mail_firewall']['zones'][0]['uplinks'][count:]
    return spoil


def many_uplinks(hosts, _groups, values):
    made = values['mail_firewall']['zones'][0]['uplinks']
    for number in range(3, 10):
        made.append({'name': f'wan_{number}', 'interface': f'up{number}', 'vrid': 13, 'virtual': [f'198.19.{number}.2/24'], 'gateways': [f'198.19.{number}.1'],
                     'probes': ['192.88.99.1', '192.88.99.3']})
        for name, last in (('fw1', 3), ('fw2', 4)):
            hosts[name]['mail_firewall_addresses'][f'wan_{number}'] = f'198.19.{number}.{last}'


UPLINKS = 'mail_firewall.zones (wan).uplinks'


@pytest.mark.parametrize('spoil, sentence', [
    (site(mail_firewall_platform='vyos'), UPLINKS + ': the platform is vyos, expected them with linux only, for others choose among providers by their own '
     'means; give the zone one interface instead, and set that up on the device.'),
    (uplinks_elsewhere, 'mail_firewall.zones (management).uplinks: the zone is not the Internet, expected them at the zone with internet: true;'),
    (zone(0, interface='wan0', vrid=11), 'mail_firewall.zones (wan): it has uplinks and interface and vrid too, expected these at each uplink; take them out'),
    (fewer_uplinks(1), UPLINKS + ': found 1, expected 2 to 8; give a zone with one way out an interface instead.'),
    (fewer_uplinks(0), UPLINKS + ': found 0, expected 2 to 8'),
    (many_uplinks, UPLINKS + ': found 9, expected 2 to 8; take some out.'),
    (uplink(1, name='wan_a'), UPLINKS + ": the name 'wan_a' is used twice, expected one of its own for each; choose another one."),
    (uplink(1, name='dmz'), UPLINKS + ": the name 'dmz' is used twice"),
    (uplink(1, name='sync'), UPLINKS + ": the name 'sync' is used twice"),
    (uplink(1, name='wan-b'), UPLINKS + " (wan-b).name: found 'wan-b', expected letters, digits and underscores, at most 31; rename it."),
    (uplink(1, interface='upa0'), UPLINKS + ": the interface 'upa0' is used twice"),
    (uplink(1, interface='dmz0'), UPLINKS + ": the interface 'dmz0' is used twice"),
    (uplink(1, interface='sync0'), UPLINKS + ": the interface 'sync0' is used twice"),
    (uplink(1, interface=None), UPLINKS + ' (wan_b): it has no interface, expected what the firewalls call it; set interface.'),
    (uplink(1, virtual=None), UPLINKS + ' (wan_b).virtual: found nothing, expected the addresses that the provider routes to; set them'),
    (uplink(1, vrid=None), UPLINKS + ' (wan_b).vrid: found nothing, expected a number from 1 to 255'),
    (uplink(1, gateways=[], probes=[]), UPLINKS + " (wan_b).gateways: found nothing, expected the address of the provider's router; set it."),
    (uplink(1, gateways=['198.18.1.1']), UPLINKS + ' (wan_b).gateways: 198.18.1.1 is in none of the networks of the virtual addresses'),
    (uplink(1, gateways=['198.18.0.1', '198.18.0.9']), UPLINKS + ' (wan_b).gateways: 198.18.0.1 and 198.18.0.9 are both IPv4, expected one of each family'),
    (uplink(1, gateways=['gw']), UPLINKS + " (wan_b).gateways: found 'gw', expected an address without prefix length; write the address alone."),
    (uplink(1, probes=['192.88.99.1', 'dns']), UPLINKS + " (wan_b).probes: found 'dns', expected an address without prefix length"),
    (uplink(0, probes=['192.88.99.1', '192.88.99.2']), UPLINKS + ' (wan_a).probes: found none of IPv6, but a gateway, expected two addresses'),
    (uplink(0, gateways=['203.0.113.1']), UPLINKS + ' (wan_a).gateways: found none of IPv6, but probes, expected the way that these take;'),
    (own('fw2', wan_b=None), 'mail_firewall_addresses of fw2: no address for wan_b, expected one for each of wan_a, wan_b, dmz and sync'),
    (own('fw2', wan='198.18.0.9'), 'mail_firewall_addresses.wan of fw2: there is no such zone with virtual addresses'),
    (own('fw2', wan_b='198.18.0.2'), 'mail_firewall: 198.18.0.2 belongs to the pair (wan_b) and firewall fw2'),
])
def test_error_with_uplinks(spoil, sentence):
    data = good_with_uplinks()
    spoil(*data)
    told = check_firewalls(*data)
    assert [one['severity'] for one in told if sentence in one['message']] == ['error'], [one['message'] for one in told]


@pytest.mark.parametrize('probes, sentence', [
    (['192.88.99.1'], UPLINKS + ' (wan_b).probes: 192.88.99.1 is the only one of IPv4, expected two or more, for one that fails looks like a dead provider;'),
    (['192.88.99.1', '192.88.99.1'], UPLINKS + ' (wan_b).probes: 192.88.99.1 is the only one'),
    (['192.88.99.1', '198.18.0.1'], UPLINKS + ' (wan_b).probes: 198.18.0.1 is not behind the provider but before it, expected addresses beyond its network,'),
    (['192.88.99.1', '198.18.0.77'], UPLINKS + ' (wan_b).probes: 198.18.0.77 is not behind the provider'),
])
def test_probes_that_say_little_are_worth_a_warning(probes, sentence):
    data = good_with_uplinks()
    uplink(1, probes=probes)(*data)
    told = check_firewalls(*data)
    assert [one['severity'] for one in told] == ['warning'] and sentence in told[0]['message'], told


def without(variable, key=None):
    """Remove a site variable, or a key of it."""
    def spoil(_hosts, _groups, values):
        if key:
            del values[variable][key]
        else:
            del values[variable]
    return spoil


def as_text(hosts, _groups, _values):
    hosts['fw2']['mail_firewall_addresses'] = '192.0.2.4'


def third(hosts, groups, _values):
    hosts['fw3'] = dict(hosts['fw2'], ansible_host='198.51.100.5', mail_firewall_addresses={'wan': '203.0.113.5', 'dmz': '192.0.2.5', 'sync': '172.16.0.5'})
    groups['firewalls'].append('fw3')


@pytest.mark.parametrize('spoil, sentence', [
    (third, 'group firewalls: fw1, fw2 and fw3, expected two hosts, for a pair is what they become; take the others out.'),
    (without('mail_firewall_platform'), 'mail_firewall_platform: it is not set, expected the kind of device'),
    (without('mail_firewall'), 'mail_firewall: it has no zones, expected the networks that the pair stands between; set mail_firewall.zones.'),
    (without('mail_firewall', 'sync_interface'), 'mail_firewall.sync_interface: it is not set'),
    (zone(2, interface=None), 'mail_firewall.zones (management): it has no interface, expected what the firewalls call it; set interface.'),
    (zone(1, vrid=None), 'mail_firewall.zones (dmz).vrid: found nothing, expected a number from 1 to 255; choose a free one.'),
    (zone(1, vrid=256), 'mail_firewall.zones (dmz).vrid: found 256, expected a number from 1 to 255'),
    (zone(1, vrid=101), 'mail_firewall.zones (dmz).vrid: 101 is that of mail_seats (seat01) in the same network, expected one of its own'),
    (zone(1, virtual=['192.0.2.2']), "mail_firewall.zones (dmz).virtual: found '192.0.2.2', expected an address with prefix length"),
    (zone(1, virtual=['192.0.2.777/24']), "mail_firewall.zones (dmz).virtual: found '192.0.2.777/24', expected an address with prefix length"),
    (zone(1, virtual=['192.0.3.2/24']), 'mail_firewall.zones (dmz).virtual: 192.0.3.0/24 is none of its networks, expected an address in 192.0.2.0/24'),
    (zone(1, neighbours=['192.0.2.11', 'lb2']), "mail_firewall.zones (dmz).neighbours: found 'lb2', expected an address without prefix length"),
    (zone(0, neighbours=['203.0.113.1', '203.0.114.9']), 'mail_firewall.zones (wan).neighbours: 203.0.114.9 is in none of the networks'),
    (own('fw2', dmz=None), 'mail_firewall_addresses of fw2: no address for dmz, expected one for each of wan, dmz and sync; set it'),
    (as_text, "mail_firewall_addresses of fw2: found '192.0.2.4', expected one address for each name of a zone; write it as in"),
    (zone(1, vrid='101'), 'mail_firewall.zones (dmz).vrid: 101 is that of mail_seats (seat01) in the same network'),
    (own('fw2', sync=None), 'mail_firewall_addresses of fw2: no address for sync'),
    (own('fw2', dmz='192.0.2.4/24'), "mail_firewall_addresses.dmz of fw2: found '192.0.2.4/24', expected an address without prefix length"),
    (own('fw2', lan='192.0.2.9'), 'mail_firewall_addresses.lan of fw2: there is no such zone with virtual addresses, expected one of wan, dmz and sync'),
    (own('fw2', dmz='203.0.113.44'), 'mail_firewall_addresses.dmz of fw2: 203.0.113.44 is in none of the networks of the virtual addresses'),
    (own('fw2', dmz='192.0.2.3'), 'mail_firewall: 192.0.2.3 belongs to firewall fw1 and firewall fw2, expected an address of its own for each'),
    (own('fw2', dmz='192.0.2.11'), 'mail_firewall: 192.0.2.11 belongs to firewall fw2 and host lb1'),
    (own('fw2', dmz='192.0.2.101'), 'mail_firewall: 192.0.2.101 belongs to firewall fw2 and VIP vip1'),
    (zone(1, virtual=['192.0.2.201/24']), 'mail_firewall: 192.0.2.201 belongs to the pair (dmz) and seat seat01'),
])
def test_error(spoil, sentence):
    data = good()
    spoil(*data)
    told = check_firewalls(*data)
    assert [one['severity'] for one in told if sentence in one['message']] == ['error'], [one['message'] for one in told]


def test_a_good_pair_and_a_site_without_one_have_no_findings():
    assert check_firewalls(*good()) == check_firewalls(*good_with_uplinks()) == []
    hosts, groups, values = good()
    assert check_firewalls(hosts, dict(groups, firewalls=[]), {}) == check_firewalls(hosts, {}, values) == []


def test_no_zone_with_virtual_addresses_leaves_no_gateway():
    hosts, groups, values = good()
    for one in values['mail_firewall']['zones']:
        one.pop('virtual', None)
    assert any('no zone has virtual addresses' in one['message'] for one in check_firewalls(hosts, groups, values))


@pytest.mark.parametrize('neighbours, count', [([], 0), (['192.0.2.11'], 1), (['192.0.2.11', '192.0.2.4'], 1)])
def test_too_few_neighbours_are_worth_a_warning(neighbours, count):
    hosts, groups, values = good()
    values['mail_firewall']['zones'][1]['neighbours'] = neighbours
    told = check_firewalls(hosts, groups, values)
    assert [one['severity'] for one in told] == ['warning'] and told[0]['found'].startswith(f'{count} that are not the firewalls')


def test_appliances_need_their_interfaces_and_nothing_else():
    hosts, groups, values = good()
    values['mail_firewall_platform'] = 'cisco_asa'
    values['mail_firewall'] = {'zones': [{'name': 'wan', 'internet': True, 'interface': 'outside'}, {'name': 'dmz', 'interface': 'dmz'}]}
    for name in ('fw1', 'fw2'):
        del hosts[name]['mail_firewall_addresses']
    assert check_firewalls(hosts, groups, values) == []


def test_a_firewall_may_be_managed_by_an_address_of_its_own():
    hosts, groups, values = good()
    hosts['fw1']['ansible_host'] = '192.0.2.3'
    assert check_firewalls(hosts, groups, values) == []
