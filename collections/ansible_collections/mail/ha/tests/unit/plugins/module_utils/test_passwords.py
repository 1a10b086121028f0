# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import pytest

from ansible_collections.mail.ha.plugins.module_utils import passwords

PASSWORD = 'correct horse battery staple'
CHEAP = {
    'ARGON2ID': {'memory': 64, 'time': 1}, 'ARGON2I': {'memory': 64, 'time': 1}, 'BLF-CRYPT': {'rounds': 4},
    'SHA512-CRYPT': {'rounds': 1000}, 'SHA256-CRYPT': {'rounds': 1000}, 'PBKDF2': {'rounds': 10}, 'SSHA512': {}, 'SSHA256': {},
}
# Made by Dovecot 2.4.1: doveadm pw -s SCHEME -p 'correct horse battery staple'
DOVECOT = [
    '{ARGON2ID}$argon2id$v=19$m=262144,t=3,p=1$IEVk/QfXeODl39lWhtCG9w$0vj/gCJqz8htp9Zjl8SWdUWbPSBUNWfzjN11FF03rRs',
    '{ARGON2I}$argon2i$v=19$m=32768,t=3,p=1$OIr6E/RwyGiBJ0UvUfxt9A$49LrfooZtn/acRWsNBGqMXLabfLMPActDsLpxTJP3MI',
    '{BLF-CRYPT}$2y$05$md32iTc7wrhnAXkyY68DWul9VT1DF6wQ.gh5CNgIK4wW3iougrRwm',
    '{SHA512-CRYPT}$6$sKi/1yDMCc6TCwI9$4dBa9zTbzELkajjjJ.zT06YMZrxgPyM1E.zlsWwufLEMkQfa4PueNBHxrJ4F7EG9.6HdrImZ24H970lvZO/u8/',
    '{SHA256-CRYPT}$5$rRqeMtlvdo8Oik2m$WHLMhSHytJrebR7S2yY1tNSWecAVeTDnwfDHjD9QFG/',
    '{PBKDF2}$1$4dczWAc2yptyF2ag$5000$e545ff64b7bc4b696ca4a4df4c159d979b678ce4',
    '{SSHA512}Y4vV2RrdmKwCGQWiAb1EfRZqDknfnWn4BQc4IR2Dz/hYU+wVjuHs738tUnNR79RGFaxBoaOmz+12LR+McZvx5FlkJ8Y=',
    '{SSHA256}/hLI8jNP38arLq/VnFuDykQh5QpyklXXqJ/HWljBVqALVoeV',
]


@pytest.mark.parametrize('stored', DOVECOT, ids=lambda stored: passwords.split_hash(stored)[0])
def test_hashes_made_by_dovecot(stored):
    assert passwords.check_password_hash(stored) == []
    assert passwords.verify(PASSWORD, stored)
    assert not passwords.verify(PASSWORD + ' ', stored)
    assert not passwords.verify('', stored)


@pytest.mark.parametrize('scheme', CHEAP)
def test_making(scheme):
    stored = passwords.make_hash(PASSWORD, scheme, CHEAP[scheme])
    assert passwords.check_password_hash(stored) == []
    assert passwords.split_hash(stored)[0] == scheme
    assert passwords.cost_of(stored) == passwords.complete_cost(scheme, CHEAP[scheme])
    assert passwords.verify(PASSWORD, stored)
    assert not passwords.verify('wrong', stored)
    assert stored != passwords.make_hash(PASSWORD, scheme, CHEAP[scheme])
    assert passwords.keep_or_make(PASSWORD, stored, scheme, CHEAP[scheme]) == stored


@pytest.mark.parametrize('scheme', CHEAP)
def test_the_same_salt_gives_the_same_hash(scheme):
    first, again, other = (passwords.make_hash(PASSWORD, scheme, CHEAP[scheme], salt) for salt in ('anna-2024', 'anna-2024', 'ben-2024'))
    assert first == again
    assert first != other
    assert passwords.verify(PASSWORD, first)


def test_rehash_only_when_needed():
    stored = passwords.make_hash(PASSWORD, 'SHA512-CRYPT', {'rounds': 2000})
    assert passwords.keep_or_make(PASSWORD, stored, 'SHA512-CRYPT', {'rounds': 1500}) == stored
    assert passwords.keep_or_make(PASSWORD, stored, 'SSHA512') == stored
    assert passwords.cost_of(passwords.keep_or_make(PASSWORD, stored, 'SHA512-CRYPT', {'rounds': 2001})) == {'rounds': 2001}
    assert passwords.keep_or_make(PASSWORD, stored, 'BLF-CRYPT', {'rounds': 4}).startswith('{BLF-CRYPT}')
    assert passwords.verify('new', passwords.keep_or_make('new', stored, 'SHA512-CRYPT', {'rounds': 1500}))


@pytest.mark.parametrize(('memory', 'time', 'weaker'), [(7168, 5, False), (7168, 4, True), (4096, 5, True), (47104, 1, False), (65536, 3, False)])
def test_memory_makes_up_for_passes(memory, time, weaker):
    stored = f'{{ARGON2ID}}$argon2id$v=19$m={memory},t={time},p=1$c2FsdHNhbHQ$aGFzaGhhc2g'
    assert passwords.is_weaker(stored, 'ARGON2ID') is weaker


def test_unknown_present_schemes_are_weaker():
    assert passwords.is_weaker('{PLAIN}x', 'SSHA256')
    assert passwords.is_weaker('x', 'SSHA256')


@pytest.mark.parametrize(('stored', 'part'), [
    ('', 'is empty'), (None, 'is empty'), (5, 'is empty'),
    ('$6$abc$def', 'names no scheme'),
    ('{PLAIN}hidden', 'unknown or too weak scheme PLAIN'),
    ('{MD5-CRYPT}$1$hidden', 'unknown or too weak scheme MD5-CRYPT'),
    ('{SHA512-CRYPT}$6$hidden$short', 'is no SHA512-CRYPT hash'),
    ('{BLF-CRYPT}$6$hidden$short', 'is no BLF-CRYPT hash'),
    ('{ARGON2ID}$argon2i$v=19$m=8,t=1,p=1$aaaa$hidden', 'is no ARGON2ID hash'),
    ('{SSHA256}hidden', 'is no SSHA256 hash'),
    ('{SSHA256}' + 'a' * 60 + '\nhidden', 'is no SSHA256 hash'),
])
def test_bad_hashes(stored, part):
    errors = passwords.check_password_hash(stored)
    assert len(errors) == 1
    assert part in errors[0]
    assert 'hidden' not in errors[0]
    assert not passwords.verify(PASSWORD, stored or '')


@pytest.mark.parametrize(('scheme', 'cost', 'part'), [
    ('ROT13', {}, 'unknown password scheme ROT13'),
    ('ARGON2ID', {'rounds': 5}, 'has no cost rounds; it has memory, time, parallelism'),
    ('SSHA512', {'rounds': 5}, 'it has none'),
    ('BLF-CRYPT', {'rounds': 3}, 'from 4 to 31, found 3'),
    ('SHA512-CRYPT', {'rounds': 999}, 'from 1000'),
    ('SHA512-CRYPT', {'rounds': '5000'}, 'must be a number'),
    ('SHA512-CRYPT', {'rounds': True}, 'must be a number'),
    ('ARGON2ID', {'memory': 8, 'parallelism': 2}, 'at least 8 KiB for each of the 2 lanes'),
])
def test_bad_costs(scheme, cost, part):
    with pytest.raises(passwords.PasswordError, match='.') as caught:
        passwords.make_hash(PASSWORD, scheme, cost)
    assert part in str(caught.value)


@pytest.mark.parametrize(('password', 'scheme', 'salt', 'part'), [
    ('', 'SSHA512', None, 'is empty'), (None, 'SSHA512', None, 'is empty'), ('hid\0den', 'SSHA512', None, 'NUL'),
    ('hid\nden', 'SSHA512', None, 'line break'), ('hidden' * 13, 'BLF-CRYPT', None, '72 bytes'), ('hidden', 'SSHA512', 'short', '8 characters'),
])
def test_bad_passwords(password, scheme, salt, part):
    with pytest.raises(passwords.PasswordError, match='.') as caught:
        passwords.make_hash(password, scheme, salt=salt)
    assert part in str(caught.value)
    assert 'hidden' not in str(caught.value)


def test_bcrypt_never_verifies_on_a_part_of_the_password():
    stored = passwords.make_hash('x' * 72, 'BLF-CRYPT', {'rounds': 4})
    assert passwords.verify('x' * 72, stored)
    assert not passwords.verify('x' * 73, stored)


def test_without_passlib(monkeypatch):
    monkeypatch.setattr(passwords, 'PASSLIB_IMPORT_ERROR', 'Traceback')
    with pytest.raises(passwords.PasswordError, match='python3-passlib'):
        passwords.make_hash(PASSWORD)
    assert passwords.verify(PASSWORD, passwords.make_hash(PASSWORD, 'SSHA512'))
