# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""A good inventory, one thing spoilt in each case, and the sentence that has to come of it."""

from __future__ import annotations

import copy
import datetime

import pytest
from ansible_collections.mail.ha.plugins.module_utils.inventory_finding import ERROR, WARNING, enumerate_names, show
from ansible_collections.mail.ha.plugins.module_utils.inventory_rules import check_inventory

VIP_OPTIONS = {
    'name': {'type': 'str', 'required': True},
    'address': {'type': 'str', 'required': True},
    'vrid': {'type': 'int', 'required': True, 'description': ['The VRRP number. More words.']},
    'prefers': {'type': 'str', 'required': True},
}
SEAT_OPTIONS = {**{name: VIP_OPTIONS[name] for name in ('name', 'address', 'vrid')}, 'holders': {'type': 'list', 'elements': 'str'}}
NETWORK_OPTIONS = {'name': {'type': 'str', 'required': True}, 'cidr': {'type': 'str', 'required': True}}
SITE_OPTIONS = {
    'mail_service_name': {'type': 'str', 'required': True, 'description': 'Name of the service, as in mail.example.org.'},
    'mail_service_alternative_names': {'type': 'list', 'elements': 'str'},
    'mail_internal_domain': {'type': 'str', 'required': True},
    'mail_secrets_dir': {'type': 'path', 'required': True},
    'mail_networks': {'type': 'list', 'elements': 'dict', 'options': NETWORK_OPTIONS, 'required': True},
    'mail_admin_networks': {'type': 'list', 'elements': 'str', 'required': True},
    'mail_service_vips': {'type': 'list', 'elements': 'dict', 'options': VIP_OPTIONS, 'required': True},
    'mail_seats': {'type': 'list', 'elements': 'dict', 'options': SEAT_OPTIONS, 'required': True},
    'mail_nameservers': {'type': 'list', 'elements': 'str'},
    'mail_ntp_servers': {'type': 'list', 'elements': 'str'},
    'mail_domains': {'type': 'list', 'elements': 'dict'},
    'mail_accounts': {'type': 'list', 'elements': 'dict'},
    'mail_aliases': {'type': 'list', 'elements': 'dict'},
    'mail_allow_single_points': {'type': 'bool'},
    'mail_objectives': {'type': 'dict', 'options': {
        'rto': {'type': 'dict', 'options': {'smtp': {'type': 'float'}, 'directory_write': {'type': 'float'}}},
        'rpo': {'type': 'dict', 'options': {'queue': {'type': 'str'}}}}},
    'mail_service_certificate_file': {'type': 'path'},
    'mail_service_certificate_key_file': {'type': 'path'},
    'mail_address': {'type': 'str', 'required': True},
    'mail_address6': {'type': 'str'},
}
ROLE_OPTIONS = {
    'postfix_message_size_limit': {'type': 'int'},
    'postfix_relay_password': {'type': 'int', 'no_log': True},
    'dovecot_level': {'type': 'str', 'choices': ['low', 'high']},
    'base_upgrades': {'type': 'bool'},
}
GROUPS = {
    'site_a': ['lb1', 'lb2', 'mail1', 'mail2', 'mail3', 'ops1'],
    'loadbalancers': ['lb1', 'lb2'],
    'mailservers': ['mail1', 'mail2', 'mail3'],
    'databases': ['mail1', 'mail2', 'mail3'],
    'monitors': ['ops1'],
    'backups': ['ops1'],
    'lab_infrastructure': ['outside'],
}
HASH = '{ARGON2ID}$argon2id$v=19$m=65536,t=3,p=1$c29tZXNhbHQ$RdescudvJCsgt3ub+b0dWRWJTmaaJObG'


def good():
    """A small site without a fault, as the action plugin would gather it."""
    groups = copy.deepcopy(GROUPS)
    numbers = {'lb1': 11, 'lb2': 12, 'mail1': 21, 'mail2': 22, 'mail3': 23, 'ops1': 31}
    hosts = {name: {'ansible_host': f'198.51.100.{number}', 'mail_address': f'192.0.2.{number}', 'mail_address6': f'2001:db8::{number}'}
             for name, number in numbers.items()}
    hosts['outside'] = {'ansible_host': '198.51.100.41'}
    for name, host in hosts.items():
        host['groups'] = [group for group, members in groups.items() if name in members]
    return {
        'hosts': hosts,
        'groups': groups,
        'values': {
            'mail_service_name': 'mail.example.org',
            'mail_service_alternative_names': ['imap.example.org'],
            'mail_internal_domain': 'nodes.example.org',
            'mail_secrets_dir': '/etc/site/secrets',
            'mail_networks': [{'name': 'management', 'cidr': '198.51.100.0/24'}, {'name': 'dmz', 'cidr': '192.0.2.0/24'},
                              {'name': 'dmz', 'cidr': '2001:db8::/64'}],
            'mail_admin_networks': ['198.51.100.0/24'],
            'mail_service_vips': [
                {'name': 'vip1', 'address': '192.0.2.101', 'vrid': 51, 'prefers': 'lb1'},
                {'name': 'vip2', 'address': '192.0.2.102', 'vrid': 52, 'prefers': 'lb2'},
                {'name': 'vip1-v6', 'address': '2001:db8::101', 'vrid': 51, 'prefers': 'lb1'},
                {'name': 'vip2-v6', 'address': '2001:db8::102', 'vrid': 52, 'prefers': 'lb2'},
            ],
            'mail_seats': [{'name': f'seat{number:02}', 'address': f'192.0.2.{200 + number}', 'vrid': 100 + number} for number in range(1, 7)],
            'mail_nameservers': ['192.0.2.53', '2001:db8::53'],
            'mail_ntp_servers': ['192.0.2.123', 'ntp.example.org'],
            'mail_domains': [{'name': 'example.org'}, {'name': 'example.net', 'catch_all': 'anna@example.org'}],
            'mail_accounts': [{'address': 'anna@example.org', 'quota': '1GB', 'seat': 'seat01', 'password_hash': HASH},
                              {'address': 'ben@example.net'}],
            'mail_aliases': [{'address': 'info@example.org', 'destinations': ['anna@example.org']}],
        },
        'variants': [],
        'defined': {'mail_service_name': {'hosts': sorted(hosts), 'origin': 'group_vars/all/site.yml:3'},
                    'ansible_user': {'hosts': sorted(hosts), 'origin': ''}, 'rack': {'hosts': ['lb1'], 'origin': ''}},
        'differing': {},
        'unreadable': [],
        'exposed': [],
        'site_options': SITE_OPTIONS,
        'role_options': ROLE_OPTIONS,
        'role_values': [],
        'known': set(SITE_OPTIONS) | set(ROLE_OPTIONS) | {'lab_name', 'mail_ports', 'keepalived_advert_interval'},
        'prefixes': ['base_', 'dovecot_', 'lab_', 'mail_', 'postfix_'],
        'certificate': {},
        'now': datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc),
        'certificate_days': 14,
        'control': {'python': (3, 11, 2), 'ansible': (2, 19), 'libraries': {'cryptography': True, 'passlib': True}},
    }


def change(path, value):
    """A change of one place: ``values.mail_seats.0.vrid``; ``del`` as value removes it, ``add:`` before the path appends."""
    def apply(data):
        *parents, last = [int(part) if part.isdigit() else part for part in path.split('.')]
        target = data
        for part in parents:
            target = target[part]
        if value == 'del':
            del target[last]
        else:
            target[last] = value
    return apply


def add(path, *values):
    """Append to a list."""
    def apply(data):
        target = data
        for part in path.split('.'):
            target = target[part]
        target.extend(copy.deepcopy(values))
    return apply


def both(*spoils):
    """Spoil in several ways at once."""
    def spoil(data):
        for one in spoils:
            one(data)
    return spoil


def regroup(**members):
    """Give groups other members; None removes a group. The groups of the hosts follow."""
    def apply(data):
        for group, names in members.items():
            if names is None:
                del data['groups'][group]
            else:
                data['groups'][group] = names
        for name, host in data['hosts'].items():
            host['groups'] = [group for group, names in data['groups'].items() if name in names]
    return apply


def new_host(name, groups, **variables):
    """Add a host."""
    def apply(data):
        data['hosts'][name] = {'groups': groups, **variables}
        for group in groups:
            data['groups'].setdefault(group, []).append(name)
    return apply


def define(name, hosts, origin=''):
    """Let the inventory define a variable."""
    return change(f'defined.{name}', {'hosts': hosts, 'origin': origin, 'origins': [origin] if origin else []})


ALL = ['lb1', 'lb2', 'mail1', 'mail2', 'mail3', 'ops1', 'outside']

# id, change, the sentence
ERRORS = [
    # unknown and misspelt variables
    ('misspelt site variable', define('mail_service_nmae', ALL, 'group_vars/all/site.yml:4'),
     "mail_service_nmae: set for every host in group_vars/all/site.yml:4, but nothing reads a variable of this name, "
     "expected mail_service_name; rename it to mail_service_name, or remove it."),
    ('misspelt role variable', define('postfix_message_size_limt', ['mail1', 'mail2']),
     'postfix_message_size_limt: set for mail1 and mail2, but nothing reads a variable of this name, '
     'expected postfix_message_size_limit; rename it to postfix_message_size_limit, or remove it.'),
    ('unknown variable like nothing', define('dovecot_xyz', ['mail1']),
     "dovecot_xyz: set for mail1, but nothing reads a variable of this name, expected a name from the tables in the roles' README files; "
     'correct the name, or remove it.'),
    ('unknown lab variable', define('lab_nam', ALL),
     'lab_nam: set for every host, but nothing reads a variable of this name, expected lab_name; rename it to lab_name, or remove it.'),
    # values as such
    ('site variable not set', change('values.mail_service_name', 'del'),
     'mail_service_name: it is not set, expected a text; '
     'set it in group_vars/all of the inventory: Name of the service, as in mail.example.org.'),
    ('site variable differs between hosts', change('differing.mail_seats', ['lb1', 'mail2']),
     'mail_seats: lb1 and mail2 see different values, expected one value for the whole site; set it once, in group_vars/all of the inventory.'),
    ('template that fails', change('unreadable', [{'variable': 'mail_address', 'host': 'lb1', 'reason': "'x' is undefined"}]),
     "mail_address of lb1: its template fails ('x' is undefined), expected a template of defined variables; "
     'correct the template or define what it uses.'),
    ('list written as a text', change('values.mail_admin_networks', '198.51.100.0/24'),
     "mail_admin_networks: found '198.51.100.0/24', expected a list; write a list."),
    ('entry written as a text', change('values.mail_seats.0', 'seat01'),
     "mail_seats[0]: found 'seat01', expected a mapping with name, address and vrid; write a mapping with name, address and vrid."),
    ('misspelt key', change('values.mail_seats.0.vird', 101),
     "mail_seats[0] (seat01): unknown key 'vird', expected only name, address, vrid and holders; rename it to 'vrid', or remove it."),
    ('missing key', change('values.mail_service_vips.0.vrid', 'del'),
     "mail_service_vips[0] (vip1): key 'vrid' is missing, expected a whole number; add 'vrid': The VRRP number."),
    ('key of a wrong type', change('values.mail_seats.0.vrid', 'many'),
     "mail_seats[0] (seat01).vrid: found 'many', expected a whole number; write a whole number."),
    ('no boolean', change('values.mail_allow_single_points', 'maybe'),
     "mail_allow_single_points: found 'maybe', expected true or false; write true or false."),
    ('role variable of a wrong type', change('role_values', [{'variable': 'postfix_message_size_limit', 'host': '', 'value': '50MB'}]),
     "postfix_message_size_limit: found '50MB', expected a whole number; write a whole number."),
    ('role variable with no such choice', change('role_values', [{'variable': 'dovecot_level', 'host': 'mail1', 'value': 'middle'}]),
     "dovecot_level of mail1: found 'middle', expected one of low and high; choose one of them."),
    ('secret of a wrong type is not shown', change('role_values', [{'variable': 'postfix_relay_password', 'host': '', 'value': 's3cret'}]),
     'postfix_relay_password: found a value of another type, expected a whole number; write a whole number.'),
    # objectives and timers
    ('misspelt objective', change('values.mail_objectives', {'rto': {'directory_wirte': 40}}),
     "mail_objectives.rto: unknown key 'directory_wirte', expected only smtp and directory_write; rename it to 'directory_write', or remove it."),
    ('objective that is no number', change('values.mail_objectives', {'rto': {'smtp': 'soon'}}),
     "mail_objectives.rto.smtp: found 'soon', expected a number; write a number."),
    ('objective that cannot be met', change('values.mail_objectives', {'rto': {'directory_write': 10}}),
     'mail_objectives.rto.directory_write: 10 s asked, but postgresql-leader-cut takes 28.5 s with the tightest timers, of which '
     'postgresql_patroni_ttl alone is 20 s (Patroni: the lock outlives its last renewal; no less than 20 s), expected 28.5 s or more; ask for that much.'),
    ('promise that nothing keeps', change('values.mail_objectives', {'rpo': {'queue': '0'}}),
     'mail_objectives.rpo.queue: 0 s asked, but a message waits in the local queue of the node that accepted it, and the journal on a peer '
     "is not there yet, expected 'returns_with_machine'; write that, or leave it out."),
    ('timer set by hand', define('keepalived_advert_interval', ['lb1', 'lb2'], 'group_vars/loadbalancers/keepalived.yml:2'),
     'keepalived_advert_interval: set in group_vars/loadbalancers/keepalived.yml:2, expected no value, for it is derived from mail_objectives '
     'together with all other timers; remove it, and say in mail_objectives what it was meant to achieve.'),
    # names
    ('service name without a domain', change('values.mail_service_name', 'mail'),
     "mail_service_name: found 'mail', expected a full host name in lower case such as mail.example.org; "
     'correct it (is no mail domain: it needs at least two labels, as in example.org).'),
    ('alternative name in capitals', change('values.mail_service_alternative_names', ['IMAP.example.org']),
     "mail_service_alternative_names[0]: found 'IMAP.example.org', expected a full host name in lower case such as mail.example.org; "
     'correct it (must be in lower case: imap.example.org).'),
    ('alternative name is the service name', add('values.mail_service_alternative_names', 'mail.example.org'),
     "mail_service_alternative_names: 'mail.example.org' is there twice or is mail_service_name itself, expected further names only; "
     'remove it from the list.'),
    ('internal domain with an underscore', change('values.mail_internal_domain', 'my_nodes.example.org'),
     "mail_internal_domain: found 'my_nodes.example.org', expected a full host name in lower case such as mail.example.org; "
     "correct it (is no domain: the label 'my_nodes' may hold letters, digits and inner hyphens only)."),
    ('host name with an underscore', new_host('mail_4', ['site_a', 'monitors'], mail_address='192.0.2.24'),
     "inventory host: the name 'mail_4', expected letters a-z, digits and inner hyphens, at most 63 of them (it becomes a host name); "
     "rename it, for instance to 'mail-4'."),
    ('seat named like a host', change('values.mail_seats.0.name', 'mail1'),
     "mail_seats: the name 'mail1' is used 2 times (inventory host and mail_seats), expected a name of its own for every host, seat and VIP; "
     'rename all but one of them.'),
    ('seat twice', change('values.mail_seats.1.name', 'seat01'),
     "mail_seats: the name 'seat01' is used 2 times (mail_seats), expected a name of its own for every host, seat and VIP; "
     'rename all but one of them.'),
    ('secrets in a relative directory', change('values.mail_secrets_dir', 'secrets'),
     "mail_secrets_dir: found 'secrets', expected an absolute path; "
     'write "{{ inventory_dir }}/secrets" for a directory beside the hosts file.'),
    # networks and addresses
    ('network without prefix length', change('values.mail_networks.0.cidr', '198.51.100.0'),
     "mail_networks[0] (management): found '198.51.100.0', expected a network such as 192.0.2.0/24 or 2001:db8::/64; "
     'write the network with its prefix length.'),
    ('network with host bits', change('values.mail_networks.0.cidr', '198.51.100.7/24'),
     "mail_networks[0] (management): '198.51.100.7/24' has host bits set, expected the address of the network; write 198.51.100.0/24."),
    ('overlapping networks', add('values.mail_networks', {'name': 'wan', 'cidr': '192.0.2.128/25'}),
     "mail_networks[3] (wan): '192.0.2.128/25' overlaps '192.0.2.0/24' of 'dmz', expected networks that share no address; "
     'correct the prefix length or the address of one of the two.'),
    ('overlapping IPv6 networks', add('values.mail_networks', {'name': 'wan', 'cidr': '2001:db8::/48'}),
     "mail_networks[3] (wan): '2001:db8::/48' overlaps '2001:db8::/64' of 'dmz', expected networks that share no address; "
     'correct the prefix length or the address of one of the two.'),
    ('no admin network', change('values.mail_admin_networks', []),
     'mail_admin_networks: the list is empty, expected the networks from which ssh is allowed; '
     'add the network of this control node, or the host firewall locks you out.'),
    ('admin network is no network', change('values.mail_admin_networks', ['office']),
     "mail_admin_networks[0]: found 'office', expected a network such as 192.0.2.0/24 or 2001:db8::/64; "
     'write the network with its prefix length.'),
    ('host without address', change('hosts.mail2.mail_address', 'del'),
     "mail_address of mail2: it is not set, expected the node's own address in a service network; set it beside the host in the hosts file."),
    ('address with prefix length', change('hosts.mail2.mail_address', '192.0.2.22/24'),
     "mail_address of mail2: found '192.0.2.22/24', expected an IPv4 or IPv6 address without prefix length; write the address alone."),
    ('IPv4 address as mail_address6', change('hosts.mail2.mail_address6', '192.0.2.22'),
     "mail_address6 of mail2: found '192.0.2.22', expected an IPv6 address without prefix length; write the address alone."),
    ('address in no network', change('hosts.mail2.mail_address', '203.0.113.22'),
     'mail_address of mail2: 203.0.113.22 lies in none of mail_networks, '
     'expected an address in 198.51.100.0/24 (management), 192.0.2.0/24 (dmz) and 2001:db8::/64 (dmz); '
     'correct the address, or add its network to mail_networks.'),
    ('broadcast address', change('hosts.ops1.mail_address', '192.0.2.255'),
     "mail_address of ops1: 192.0.2.255 is the network or broadcast address of 'dmz' (192.0.2.0/24), expected an address that a host can have; "
     'choose another one.'),
    ('two hosts with one address', change('hosts.mail2.mail_address', '192.0.2.21'),
     'mail_address: 192.0.2.21 belongs to host mail1 and host mail2, expected an address of its own for each; give host mail2 another address.'),
    ('two hosts with one management address', change('hosts.lb2.ansible_host', '198.51.100.11'),
     'ansible_host: 198.51.100.11 belongs to host lb1 and host lb2, expected an address of its own for each; give host lb2 another address.'),
    ('one IPv6 address written in two ways', change('hosts.lb2.mail_address6', '2001:0db8:0::0011'),
     'mail_address6: 2001:db8::11 belongs to host lb1 and host lb2, expected an address of its own for each; give host lb2 another address.'),
    ('VIP is the address of a host', change('values.mail_service_vips.0.address', '192.0.2.11'),
     'mail_service_vips: 192.0.2.11 belongs to host lb1 and VIP vip1, expected an address of its own for each; give VIP vip1 another address.'),
    ('seat has the address of a VIP', change('values.mail_seats.0.address', '192.0.2.101'),
     'mail_seats: 192.0.2.101 belongs to VIP vip1 and seat seat01, expected an address of its own for each; give seat seat01 another address.'),
    ('VIP is no address', change('values.mail_service_vips.0.address', 'vip1.example.org'),
     "mail_service_vips (vip1).address: found 'vip1.example.org', expected an IPv4 or IPv6 address without prefix length; write the address alone."),
    ('VIP outside of all networks', change('values.mail_service_vips.0.address', '203.0.113.101'),
     'mail_service_vips (vip1): 203.0.113.101 lies in none of mail_networks, '
     'expected an address in 198.51.100.0/24 (management), 192.0.2.0/24 (dmz) and 2001:db8::/64 (dmz); '
     'correct the address, or add its network to mail_networks.'),
    ('seat in another network', change('values.mail_seats.0.address', '198.51.100.201'),
     "mail_seats (seat01): 198.51.100.201 lies in network 'management', without mail1, mail2 and mail3, "
     'expected an address of all mailservers there as well, for VRRP moves addresses within one network only; '
     'correct the address, or that of the hosts.'),
    ('IPv6 seat, mailserver without an IPv6 address', both(change('values.mail_seats.0.address', '2001:db8::201'), change('hosts.mail2.mail_address6', None)),
     'mail_seats (seat01): 2001:db8::201 is an IPv6 address, and mail2 has none, '
     'expected an IPv6 address of all mailservers, for VRRP speaks the family of what it moves; set mail_address6 in the hosts file.'),
    ('seat is the network address', change('values.mail_seats.0.address', '192.0.2.0'),
     "mail_seats (seat01): 192.0.2.0 is the network or broadcast address of 'dmz' (192.0.2.0/24), expected an address that a host can have; "
     'choose another one.'),
    ('VRID 0', change('values.mail_seats.0.vrid', 0),
     'mail_seats (seat01).vrid: found 0, expected a number from 1 to 255; choose a free one.'),
    ('VRID 256', change('values.mail_service_vips.1.vrid', 256),
     'mail_service_vips (vip2).vrid: found 256, expected a number from 1 to 255; choose a free one.'),
    ('two seats with one VRID', change('values.mail_seats.3.vrid', '103'),
     "mail_seats: seat03 and seat04 have vrid 103 in network 'dmz' (IPv4), expected a vrid of its own for each; "
     'give seat04 a free one, for instance 104.'),
    ('seat with the VRID of a VIP', change('values.mail_seats.0.vrid', 51),
     "mail_seats: vip1 and seat01 have vrid 51 in network 'dmz' (IPv4), expected a vrid of its own for each; "
     'give seat01 a free one, for instance 53.'),
    ('name server as a name', change('values.mail_nameservers', ['dns.example.org', '192.0.2.53']),
     "mail_nameservers[0]: found 'dns.example.org', expected an IPv4 or IPv6 address; "
     'write the address, for a name cannot be looked up without a name server.'),
    ('name server of another site', change('variants', [{'mail_nameservers': ['192.0.2.53', '192.0.2.300']}]),
     "mail_nameservers[1]: found '192.0.2.300', expected an IPv4 or IPv6 address; "
     'write the address, for a name cannot be looked up without a name server.'),
    ('time server twice', add('values.mail_ntp_servers', 'ntp.example.org'),
     "mail_ntp_servers: 'ntp.example.org' is there twice, expected each server once; remove one of the two."),
    # holders
    ('VIP prefers an unknown host', change('values.mail_service_vips.0.prefers', 'lb11'),
     "mail_service_vips (vip1): prefers 'lb11', expected a host of the group loadbalancers (lb1 and lb2); write lb1."),
    ('VIP prefers a mailserver', change('values.mail_service_vips.0.prefers', 'mail1'),
     "mail_service_vips (vip1): prefers 'mail1', expected a host of the group loadbalancers (lb1 and lb2); name one of them."),
    ('holder of a seat does not exist', change('values.mail_seats.0.holders', ['mail1', 'mial2']),
     "mail_seats (seat01): its holder 'mial2' is no mailserver, expected hosts out of mail1, mail2 and mail3; write mail2."),
    ('holder of a seat is no mailserver', change('values.mail_seats.0.holders', ['mail1', 'lb1']),
     "mail_seats (seat01): its holder 'lb1' is no mailserver, expected hosts out of mail1, mail2 and mail3; name one of them."),
    ('seat without holders', change('values.mail_seats.0.holders', []),
     "mail_seats (seat01): it has no holder, expected at least two mailservers; name them, or leave 'holders' out."),
    ('seat with one holder', change('values.mail_seats.0.holders', ['mail1']),
     'mail_seats (seat01): mail1 is its only holder, expected at least two, so that one can fail; name a second mailserver.'),
    ('no mailserver to hold seats', regroup(mailservers=[]),
     'mail_seats: seat01, seat02, seat03, seat04, seat05 and seat06 have no holder, expected mailservers that can hold them; '
     'add hosts to the group mailservers.'),
    ('no seats', change('values.mail_seats', []),
     'mail_seats: the list is empty, expected a few seats for each mailserver (four, say); '
     'add seats, for users are spread over mailservers by them.'),
    # layout
    ('missing group', regroup(databases=None),
     'group databases: it does not exist, expected at least two hosts; add it to the hosts file with its hosts.'),
    ('misspelt group', regroup(databases=None, database=['mail1', 'mail2', 'mail3']),
     "group databases: it does not exist, expected at least two hosts; rename the group 'database' to it."),
    ('empty group', regroup(loadbalancers=[]),
     'group loadbalancers: it is empty, expected at least two hosts; add it to the hosts file with its hosts.'),
    ('one load balancer', regroup(loadbalancers=['lb1']),
     'group loadbalancers: lb1 is alone in it, expected at least two hosts, so that one can fail; '
     'add a second one, or set mail_allow_single_points: true to accept the outage.'),
    ('one database', regroup(databases=['mail1']),
     'group databases: mail1 is alone in it, expected three hosts, so that a majority is left when one fails; '
     'add two more, or set mail_allow_single_points: true to accept the outage.'),
    ('two databases', regroup(databases=['mail1', 'mail2']),
     'group databases: 2 members of etcd (mail1 and mail2), expected an odd number, as in 3 or 5; '
     'add one or take one out: 2 members survive no more failures than 1.'),
    ('one VIP', change('values.mail_service_vips', [{'name': 'vip1', 'address': '192.0.2.101', 'vrid': 51, 'prefers': 'lb1'}]),
     'mail_service_vips: vip1 is the only one, expected two, one for each load balancer to be the master of; '
     'add a second one, or set mail_allow_single_points: true to accept the outage.'),
    ('no VIP', change('values.mail_service_vips', []),
     'mail_service_vips: the list is empty, expected two addresses that clients connect to; add them.'),
    ('load balancer and mailserver', regroup(mailservers=['mail1', 'mail2', 'lb1']),
     "groups of lb1: it is in both 'loadbalancers' and 'mailservers', expected one of the two, "
     'for both listen on the mail ports and both run VRRP; take it out of one of them.'),
    ('firewall and database', regroup(firewalls=['mail1', 'ops1']),
     "groups of mail1: it is in both 'firewalls' and 'databases', expected one of the two, for a firewall does nothing else; "
     'take it out of one of them.'),
    ('lab infrastructure and monitor', regroup(monitors=['ops1', 'outside']),
     "groups of outside: it is in both 'lab_infrastructure' and 'monitors', expected one of the two, "
     'for the lab infrastructure stands for what is outside of the site; take it out of one of them.'),
    ('host in no site', regroup(site_a=['lb1', 'lb2', 'mail1', 'mail2', 'mail3']),
     'groups of ops1: it is in no site, expected exactly one group whose name starts with site_; add it to site_a.'),
    ('host in two sites', regroup(site_b=['ops1']),
     'groups of ops1: it is in site_a and site_b, expected exactly one site; take it out of the others.'),
    # domains, accounts, aliases: the rules have tests of their own, here they have to be asked
    ('malformed domain', add('values.mail_domains', {'name': 'example_com.org'}),
     "mail_domains[2] (example_com.org): 'example_com.org' is no domain: the label 'example_com' may hold letters, digits and inner hyphens only."),
    ('domain twice', add('values.mail_domains', {'name': 'example.org'}),
     'mail_domains[2] (example.org) is there twice (also mail_domains[0]); keep one.'),
    ('account twice', add('values.mail_accounts', {'address': 'anna@example.org'}),
     'mail_accounts[2] (anna@example.org) is there twice (also mail_accounts[0]); keep one.'),
    ('account in an unknown domain', add('values.mail_accounts', {'address': 'cora@example.com'}),
     "mail_accounts[2] (cora@example.com): the domain 'example.com' is not in mail_domains; add it there, or correct the address."),
    ('account at an unknown seat', change('values.mail_accounts.1.seat', 'seat99'),
     "mail_accounts[1] (ben@example.net): seat 'seat99' does not exist; there are seat01, seat02, seat03, seat04, seat05, seat06."),
    ('bad quota', change('values.mail_accounts.1.quota', 'plenty'),
     "mail_accounts[1] (ben@example.net): quota 'plenty' is no size: write bytes or a number with KB, MB, GB or TB, as in 1GB; 0 means no limit."),
    ('alias shadows an account', add('values.mail_aliases', {'address': 'anna@example.org', 'destinations': ['ben@example.net']}),
     "alias 'anna@example.org' has the address of an account and would take its mail away; give one of the two another address."),
    # control node
    ('old Python', change('control.python', (3, 9, 2)),
     'control node: Python 3.9.2, expected Python 3.11 or newer; use the virtual environment that is made from requirements.txt.'),
    ('old ansible-core', change('control.ansible', (2, 14)),
     'control node: ansible-core 2.14, expected ansible-core 2.19 or newer; use the virtual environment that is made from requirements.txt.'),
    ('missing library', change('control.libraries.cryptography', False),
     "control node: the Python library cryptography is not installed for Ansible's Python, "
     'expected cryptography, for certificates and passwords are checked and made with it; '
     'use the virtual environment that is made from requirements.txt.'),
]

WARNINGS = [
    ('near miss without prefix', define('mial_service_name', ['lb1']),
     'mial_service_name: set for lb1, but nothing reads a variable of this name, expected perhaps mail_service_name; '
     'rename it to mail_service_name if that is what it means, or give it a name that cannot be confused.'),
    ('no monitor', regroup(monitors=None, backups=['ops1']),
     'group monitors: it does not exist and so nothing watches this site, expected at least one host; add it to the hosts file with its hosts.'),
    ('host without a role', new_host('spare1', ['site_a'], mail_address='192.0.2.99'),
     'groups of spare1: it is in site_a, expected one of firewalls, loadbalancers, mailservers, databases, monitors and backups as well, '
     'for a host without a role gets the base only; add it to the group of its role, or remove it.'),
    ('ssh from everywhere', change('values.mail_admin_networks', ['0.0.0.0/0']),
     "mail_admin_networks[0]: '0.0.0.0/0' is the whole Internet, expected the networks of your administrators; "
     'name them, unless ssh is meant to be open to everybody.'),
    ('both VIPs prefer one load balancer', change('values.mail_service_vips.1.prefers', 'lb1'),
     'mail_service_vips: vip1 and vip2 prefer lb1 and no other load balancer is preferred, expected a VIP for each load balancer, so that both carry traffic; '
     'let one of them prefer another load balancer.'),
    ('fewer seats than mailservers', lambda data: data['values']['mail_seats'].__delitem__(slice(2, None)),
     'mail_seats: 2 seats for 3 mailservers, expected at least one for each mailserver, better four; '
     'add seats, or some mailservers serve no users.'),
    ('one name server', change('values.mail_nameservers', ['192.0.2.53']),
     'mail_nameservers: 192.0.2.53 is the only one, expected two, for mail waits for the answers of a dead one; add a second one.'),
]


def sentences(data, severity):
    return [item['message'] for item in check_inventory(data) if item['severity'] == severity]


def test_good_inventory_has_no_findings():
    assert check_inventory(good()) == []


@pytest.mark.parametrize('spoil, sentence', [pytest.param(spoil, sentence, id=name) for name, spoil, sentence in ERRORS])
def test_error(spoil, sentence):
    data = good()
    spoil(data)
    assert sentence in sentences(data, ERROR)


@pytest.mark.parametrize('spoil, sentence', [pytest.param(spoil, sentence, id=name) for name, spoil, sentence in WARNINGS])
def test_warning(spoil, sentence):
    data = good()
    spoil(data)
    assert sentences(data, WARNING) == [sentence]
    assert sentences(data, ERROR) == []


@pytest.mark.parametrize('spoil', [
    regroup(loadbalancers=['lb1']),
    regroup(databases=['mail1']),
    change('values.mail_seats.0.holders', ['mail1']),
], ids=['load balancers', 'databases', 'holders'])
def test_single_points_can_be_allowed(spoil):
    strict = good()
    spoil(strict)
    lenient = good()
    spoil(lenient)
    lenient['values']['mail_allow_single_points'] = 'yes'
    ours = [text for text in sentences(strict, ERROR) if 'alone' in text or 'only holder' in text]
    assert len(ours) == 1
    assert ours[0] in sentences(lenient, WARNING)
    assert ours[0] not in sentences(lenient, ERROR)


def test_even_databases_are_refused_even_where_single_points_are_allowed():
    data = good()
    regroup(databases=['mail1', 'mail2'])(data)
    data['values']['mail_allow_single_points'] = True
    assert any('members of etcd' in text for text in sentences(data, ERROR))


def test_everything_is_reported_at_once_and_errors_first():
    data = good()
    spoils = [spoil for name, spoil, _sentence in ERRORS[:4] + WARNINGS[:1]]
    for spoil in spoils:
        spoil(data)
    found = check_inventory(data)
    assert [item['severity'] for item in found] == [ERROR] * 4 + [WARNING]


def test_one_bad_seat_does_not_hide_the_others():
    data = good()
    data['values']['mail_seats'][0] = 'nonsense'
    data['values']['mail_seats'][3]['vrid'] = 103
    text = '\n'.join(sentences(data, ERROR))
    assert 'mail_seats[0]' in text and 'have vrid 103' in text


def test_empty_inventory_gets_one_sentence_about_it():
    data = good()
    data.update(hosts={}, groups={'all': [], 'ungrouped': []}, values={}, defined={})
    assert sentences(data, ERROR) == [
        'inventory: it holds no hosts at all, expected the groups loadbalancers, mailservers and databases; '
        'name an inventory with -i, for instance a copy of inventories/example.']


@pytest.mark.parametrize('account, secret', [
    ({'address': 'dave@example.org', 'password': 'hunter2', 'password_hash': '{MD5}abcdef'}, 'hunter2'),
    ({'address': 'dave@example.org', 'password_hash': '{MD5}abcdef'}, 'abcdef'),
    ({'address': 'dave@example.org', 'password_hash': 'abcdef'}, 'abcdef'),
    ({'address': 'dave@example.org', 'password': 4711}, '4711'),
])
def test_passwords_are_refused_without_being_shown(account, secret):
    data = good()
    data['values']['mail_accounts'].append(account)
    found = sentences(data, ERROR)
    assert any('mail_accounts[2] (dave@example.org)' in text for text in found)
    assert secret not in str(check_inventory(data))


def test_nothing_else_is_said_when_passwords_may_be_host_names():
    data = good()
    new_host('hunter2', [])(data)
    data['exposed'] = ['/inventories/x', 'secrets']
    assert [item['message'] for item in check_inventory(data)] == [
        "mail_secrets_dir: 'secrets' lies in '/inventories/x', where Ansible reads all files as inventories and takes passwords for hosts, "
        'expected a directory that Ansible does not read as an inventory; '
        'add ^secrets$ to ignore_patterns in the section [inventory] of ansible.cfg, or name the hosts file with -i.']


def test_unknown_hash_scheme_is_named():
    data = good()
    data['values']['mail_accounts'][0]['password_hash'] = '{LANMAN}abcdef'
    assert any('mail_accounts[0] (anna@example.org): the password hash has the unknown or too weak scheme LANMAN' in text
               for text in sentences(data, ERROR))


def test_every_message_is_one_sentence():
    for _name, spoil, _sentence in ERRORS + WARNINGS:
        data = good()
        spoil(data)
        for item in check_inventory(data):
            assert item['message'].endswith('.') and not item['message'].endswith('..') and '\n' not in item['message']


def test_show_cuts_long_values():
    assert show('x' * 200) == "'" + 'x' * 76 + '...'
    assert (show(None), show(True), show([1, 2])) == ('nothing', 'true', '[1, 2]')


def test_enumerate_names():
    assert enumerate_names(['a']) == 'a'
    assert enumerate_names(['a', 'b', 'c']) == 'a, b and c'
    assert enumerate_names('abcdefgh') == 'a, b, c, d, e, f and 2 more'
    assert enumerate_names([]) == ''
