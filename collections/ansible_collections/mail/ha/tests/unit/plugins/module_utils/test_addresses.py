# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import pytest

from ansible_collections.mail.ha.plugins.module_utils import addresses

DOMAINS = [{'name': 'alpha.test', 'catch_all': 'anna@alpha.test'}, {'name': 'beta.test'}]
ACCOUNTS = [{'address': 'anna@alpha.test', 'quota': '1GB', 'seat': 'seat01'}, {'address': 'ben@beta.test'}]
ALIASES = [{'address': 'info@alpha.test', 'destinations': ['anna+lists@alpha.test', 'someone@elsewhere.example']}]


def test_a_good_inventory_has_no_errors():
    assert addresses.check_directory(DOMAINS, ACCOUNTS, ALIASES, ['seat01']) == []


@pytest.mark.parametrize('name', ['example.org', 'a.b.c.example', 'xn--bcher-kva.example', '3com.example', 'a-b.test', 'a.' + 'b' * 63])
def test_good_domains(name):
    assert addresses.check_domain(name) == []


@pytest.mark.parametrize(('name', 'part'), [
    ('Example.org', 'lower case: example.org'),
    ('localhost', 'at least two labels'),
    ('example..org', 'is empty'),
    ('.example.org', 'is empty'),
    ('example.org.', 'is empty'),
    ('-a.org', 'inner hyphens'),
    ('a_b.org', 'inner hyphens'),
    ('a b.org', 'inner hyphens'),
    ('bücher.example', 'xn--'),
    ('10.0.0.1', 'last label is a number'),
    ('a.' + 'b' * 64, 'at most 63'),
    ('.'.join(['abcdefghi'] * 26), 'at most 253'),
    ('a.org\n', 'inner hyphens'),
    ('', 'is no domain'),
    (None, 'is no domain'),
    (7, 'is no domain'),
])
def test_bad_domains(name, part):
    errors = addresses.check_domain(name)
    assert len(errors) == 1
    assert part in errors[0]
    assert repr(name) in errors[0]


@pytest.mark.parametrize('address', ['a@b.test', 'a.b-c_d9@b.test', '-@b.test', 'x' * 64 + '@b.test'])
def test_good_addresses(address):
    assert addresses.check_address(address) == []


@pytest.mark.parametrize(('address', 'part'), [
    ('anna', "exactly one '@'"),
    ('a@b@c.test', "exactly one '@'"),
    ('Anna@b.test', 'lower case: anna@b.test'),
    ('@b.test', "before the '@'"),
    ('.a@b.test', "before the '@'"),
    ('a..b@b.test', "before the '@'"),
    ('a.@b.test', "before the '@'"),
    ('../x@b.test', "before the '@'"),
    ('a/b@b.test', "before the '@'"),
    ("o'neil@b.test", "before the '@'"),
    ('a b@b.test', "before the '@'"),
    ('a+b@b.test', 'subaddress'),
    ('a@b.test\n', 'inner hyphens'),
    ('é@b.test', "before the '@'"),
    ('x' * 65 + '@b.test', 'at most 64'),
    ('a@b', 'two labels'),
    ('', 'is no mail address'),
    (None, 'is no mail address'),
])
def test_bad_addresses(address, part):
    errors = addresses.check_address(address)
    assert len(errors) == 1
    assert part in errors[0]


def test_destinations_may_be_what_accounts_may_not():
    assert addresses.check_destination("o'neil+list@b.test") == []
    assert addresses.check_destination('a/b@b.test') == []
    assert addresses.check_destination('a..b@b.test')
    assert addresses.check_destination('"a b"@b.test')


@pytest.mark.parametrize(('text', 'size'), [
    ('0', 0), (0, 0), ('1', 1), (5000, 5000), ('1KB', 1024), ('1k', 1024), ('1 KiB', 1024), ('2MB', 2097152), ('1GB', 2 ** 30),
    ('1.5gb', 3 * 2 ** 29), ('1TB', 2 ** 40), (' 7B ', 7),
])
def test_quota(text, size):
    assert addresses.parse_quota(text) == size
    assert addresses.check_quota(text) == []


@pytest.mark.parametrize('text', ['', 'x', '1PB', '-1', '1,5GB', 'GB', True, None, [], 'nan', '1e3'])
def test_bad_quota(text):
    errors = addresses.check_quota(text)
    assert len(errors) == 1
    assert repr(text) in errors[0]


def test_quota_too_large():
    assert '2^63' in addresses.check_quota('9999999TB')[0]


@pytest.mark.parametrize(('domains', 'accounts', 'aliases', 'part'), [
    ([*DOMAINS, {'name': 'beta.test'}], ACCOUNTS, [], 'mail_domains[2] (beta.test) is there twice (also mail_domains[1])'),
    ([*DOMAINS, {'name': 'Beta.test'}], ACCOUNTS, [], 'mail_domains[2] (Beta.test) is there twice'),
    ([{'name': 'alpha.test', 'catchall': 'x'}, *DOMAINS[1:]], ACCOUNTS, [], 'unknown key catchall; known are name, catch_all'),
    ([{'name': 'alpha.test', 'catch_all': 'anna'}, *DOMAINS[1:]], ACCOUNTS, [], "catch_all 'anna' is no mail address"),
    ([{'name': 'alpha.test', 'catch_all': 'typo@alpha.test'}, *DOMAINS[1:]], ACCOUNTS, [], 'catch_all of alpha.test runs into a loop'),
    ([{'name': 'alpha.test', 'catch_all': 'typo@beta.test'}, *DOMAINS[1:]], ACCOUNTS, [], "catch_all of alpha.test delivers to 'typo@beta.test'"),
    ({}, [], [], 'mail_domains must be a list, found dict'),
    (['alpha.test'], [], [], 'mail_domains[0] must be a mapping with the key name, found str'),
    (DOMAINS, [*ACCOUNTS, {'address': 'anna@alpha.test'}], [], 'mail_accounts[2] (anna@alpha.test) is there twice'),
    (DOMAINS, [*ACCOUNTS, {'address': 'x@gamma.test'}], [], "the domain 'gamma.test' is not in mail_domains"),
    (DOMAINS, [*ACCOUNTS, {'address': 'x@beta.test', 'quota': '1XB'}], [], "quota '1XB' is no size"),
    (DOMAINS, [*ACCOUNTS, {'address': 'x@beta.test', 'seat': 'seat9'}], [], "seat 'seat9' does not exist; there are seat01"),
    (DOMAINS, [*ACCOUNTS, {'address': 'x@beta.test', 'password_hash': '{ROT13}secret'}], [], 'unknown or too weak scheme ROT13'),
    (DOMAINS, [*ACCOUNTS, {'address': 'x@beta.test', 'password_hash': 'secret'}], [], 'names no scheme'),
    (DOMAINS, [*ACCOUNTS, {'address': 'x@beta.test', 'password': 'secret', 'password_hash': '{ROT13}secret'}], [], 'either password or password_hash'),
    (DOMAINS, [*ACCOUNTS, {'address': 'x@beta.test', 'password': 12345}], [], 'non-empty text in quotes'),
    (DOMAINS, [*ACCOUNTS, {'address': 'x@beta.test', 'enabled': 'maybe'}], [], "enabled must be true or false, found 'maybe'"),
    (DOMAINS, [*ACCOUNTS, {'address': 'x@beta.test', 'state': 'gone'}], [], "state must be present or absent, found 'gone'"),
    (DOMAINS, ACCOUNTS, [{'address': 'x@gamma.test', 'destinations': ['ben@beta.test']}], "the domain 'gamma.test' is not in mail_domains"),
    (DOMAINS, ACCOUNTS, [{'address': 'x@beta.test'}], 'destinations must be a list of at least one address'),
    (DOMAINS, ACCOUNTS, [{'address': 'x@beta.test', 'destinations': 'ben@beta.test'}], 'destinations must be a list'),
    (DOMAINS, ACCOUNTS, [{'address': 'x@beta.test', 'destinations': ['ben']}], "destination 'ben' is no mail address"),
    (DOMAINS, ACCOUNTS, [{'address': 'x@beta.test', 'destinations': ['ben@beta.test'] * 2}], "destination 'ben@beta.test' is there twice"),
    (DOMAINS, ACCOUNTS, [{'address': 'x@beta.test', 'destinations': ['typo@beta.test']}], 'neither an account nor an alias of that domain'),
    (DOMAINS, ACCOUNTS, [{'address': 'ben@beta.test', 'destinations': ['anna@alpha.test']}], 'would take its mail away'),
    (DOMAINS, ACCOUNTS, [{'address': 'x@beta.test', 'destinations': ['x@beta.test']}], '(x@beta.test -> x@beta.test)'),
    (DOMAINS, ACCOUNTS, [{'address': 'x@beta.test', 'destinations': ['y@beta.test']}, {'address': 'y@beta.test', 'destinations': ['x+z@beta.test']}],
     'alias y@beta.test runs into a loop'),
])
def test_bad_inventories(domains, accounts, aliases, part):
    errors = addresses.check_directory(domains, accounts, aliases, ['seat01'])
    assert any(part in sentence for sentence in errors), errors
    assert 'secret' not in str(errors)


def test_an_alias_that_leads_to_a_catch_all_is_fine():
    domains = [{'name': 'alpha.test', 'catch_all': 'anna@alpha.test'}]
    aliases = [{'address': 'x@alpha.test', 'destinations': ['unknown@alpha.test']}]
    assert addresses.check_aliases(aliases, [{'address': 'anna@alpha.test'}], domains) == []


def test_a_catch_all_through_an_alias_back_to_itself_is_a_loop():
    errors = addresses.check_routes({'alpha.test': 'all@alpha.test'}, [], {'all@alpha.test': ['nobody@alpha.test']})
    assert any('catch_all of alpha.test runs into a loop' in sentence for sentence in errors)


def test_a_diamond_is_no_loop():
    aliases = {'a@x.test': ['b@x.test', 'c@x.test'], 'b@x.test': ['d@x.test'], 'c@x.test': ['d@x.test']}
    assert addresses.check_routes({'x.test': None}, ['d@x.test'], aliases) == []


def test_absent_objects_are_not_there_for_the_others():
    accounts = [{'address': 'anna@alpha.test', 'state': 'absent'}]
    aliases = [{'address': 'x@alpha.test', 'destinations': ['anna@alpha.test']}]
    errors = addresses.check_directory([{'name': 'alpha.test'}], accounts, aliases)
    assert len(errors) == 1
    assert "delivers to 'anna@alpha.test'" in errors[0]


def test_repeated_in_bulk():
    wanted = {'domains': [{'name': 'a.test'}] * 2, 'accounts': [{'address': 'x@a.test'}], 'aliases': []}
    assert addresses.check_repeated(wanted) == ["domains: 'a.test' is there twice; keep one"]
