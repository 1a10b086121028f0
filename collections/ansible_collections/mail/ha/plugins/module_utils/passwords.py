# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Password hashes in the form Dovecot stores them: ``{SCHEME}hash``.

The upper half (shapes) needs the standard library only, so that an inventory can be checked anywhere. The lower half
(making and verifying) needs passlib's API: libpass on the control node, python3-passlib on a Debian 13 node.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import traceback

try:
    import passlib.hash as passlib_hash
    from passlib.utils.binary import bcrypt64, h64
except ImportError:
    PASSLIB_IMPORT_ERROR = traceback.format_exc()
else:
    PASSLIB_IMPORT_ERROR = None

# What a hash of each scheme looks like after the braces. These are the schemes Dovecot 2.4 verifies with its default
# auth_allow_weak_schemes=no; the formats are those of crypt(5), of the Argon2 reference encoding and, for PBKDF2 and
# SSHA*, of Dovecot's manual ("Password schemes").
SCHEMES = {
    'ARGON2ID': r'\$argon2id\$v=19\$m=\d+,t=\d+,p=\d+\$[A-Za-z0-9+/]+\$[A-Za-z0-9+/]+',
    'ARGON2I': r'\$argon2i\$v=19\$m=\d+,t=\d+,p=\d+\$[A-Za-z0-9+/]+\$[A-Za-z0-9+/]+',
    'BLF-CRYPT': r'\$2[aby]\$\d\d\$[./A-Za-z0-9]{53}',
    'SHA512-CRYPT': r'\$6\$(?:rounds=\d+\$)?[./A-Za-z0-9]{1,16}\$[./A-Za-z0-9]{86}',
    'SHA256-CRYPT': r'\$5\$(?:rounds=\d+\$)?[./A-Za-z0-9]{1,16}\$[./A-Za-z0-9]{43}',
    'PBKDF2': r'\$1\$[^$:\s]{1,64}\$\d+\$[0-9a-f]{40}',
    'SSHA512': r'[A-Za-z0-9+/]{86,}={0,2}',
    'SSHA256': r'[A-Za-z0-9+/]{43,}={0,2}',
}


def split_hash(value):
    """Split ``{SCHEME}rest`` into ``(SCHEME, rest)``; ``(None, value)`` when there is no scheme in braces."""
    match = re.match(r'\{([A-Za-z0-9._-]+)\}(.*)\Z', value, re.DOTALL)
    return (match.group(1).upper(), match.group(2)) if match else (None, value)


def check_password_hash(value):
    """Say what is wrong with a stored password; never repeats the hash itself.

    :param value: ``{SCHEME}hash`` as Dovecot's ``doveadm pw`` prints it
    :returns: list of sentences, empty when the value can be stored
    """
    known = ', '.join(SCHEMES)
    if not isinstance(value, str) or not value:
        return ['the password hash is empty; give {SCHEME}hash as `doveadm pw` prints it']
    scheme, rest = split_hash(value)
    if scheme is None:
        return [f'the password hash names no scheme; write {{SCHEME}} before it, one of {known}']
    if scheme not in SCHEMES:
        return [f'the password hash has the unknown or too weak scheme {scheme}; accepted are {known}']
    if not re.fullmatch(SCHEMES[scheme], rest):
        return [f'the password hash is no {scheme} hash (shortened, or made for another scheme?)'
                f'; make one with `doveadm pw -s {scheme}`']
    return []


# ---- making and verifying --------------------------------------------------------------------------------------------

# Weakest first. A hash is replaced when its scheme stands before the wanted one.
STRENGTH = ('SSHA256', 'SSHA512', 'PBKDF2', 'SHA256-CRYPT', 'SHA512-CRYPT', 'BLF-CRYPT', 'ARGON2I', 'ARGON2ID')

DEFAULT_SCHEME = 'ARGON2ID'
# Measured with Dovecot's own verification, see the README of role directory; Argon2's memory is in KiB.
DEFAULT_COSTS = {
    'ARGON2ID': {'memory': 7168, 'time': 5, 'parallelism': 1},
    'ARGON2I': {'memory': 7168, 'time': 5, 'parallelism': 1},
    'BLF-CRYPT': {'rounds': 8},
    'SHA512-CRYPT': {'rounds': 50000},
    'SHA256-CRYPT': {'rounds': 50000},
    'PBKDF2': {'rounds': 50000},
    'SSHA512': {},
    'SSHA256': {},
}
_LOWEST = {'memory': 8, 'time': 1, 'parallelism': 1}
_ROUNDS = {'BLF-CRYPT': (4, 31), 'SHA512-CRYPT': (1000, 999999999), 'SHA256-CRYPT': (1000, 999999999), 'PBKDF2': (1, 2 ** 31 - 1)}
_DIGESTS = {'SSHA512': 'sha512', 'SSHA256': 'sha256'}
_SALT_BYTES = 16


class PasswordError(ValueError):
    """A sentence for people; holds no password and no hash."""


def missing_library():
    """The traceback of the failed import of passlib, or None when it is there."""
    return PASSLIB_IMPORT_ERROR


def complete_cost(scheme, cost=None):
    """The cost of a scheme with its defaults filled in.

    :param scheme: one of SCHEMES
    :param cost: mapping with ``memory`` (KiB), ``time``, ``parallelism`` for Argon2, ``rounds`` for the others; may be empty
    :returns: complete mapping
    :raises PasswordError: for an unknown scheme, key or a number out of range
    """
    if scheme not in SCHEMES:
        raise PasswordError(f"unknown password scheme {scheme}; known are {', '.join(SCHEMES)}")
    defaults = DEFAULT_COSTS[scheme]
    given = {key: value for key, value in (cost or {}).items() if value is not None}
    for key, value in given.items():
        if key not in defaults:
            raise PasswordError(f"the scheme {scheme} has no cost {key}; it has {', '.join(defaults) or 'none'}")
        low, high = (_LOWEST[key], 2 ** 31 - 1) if key in _LOWEST else _ROUNDS[scheme]
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise PasswordError(f'{key} of the scheme {scheme} must be a number from {low} to {high}, found {value!r}')
    merged = {**defaults, **given}
    if 'memory' in merged and merged['memory'] < 8 * merged['parallelism']:
        raise PasswordError(f"memory of the scheme {scheme} must be at least 8 KiB for each of the {merged['parallelism']} lanes (RFC 9106)")
    return merged


def cost_of(stored):
    """Read the cost out of a stored hash, in the keys of :func:`complete_cost`."""
    scheme, rest = split_hash(stored)
    if scheme in ('ARGON2ID', 'ARGON2I'):
        memory, time, parallelism = re.search(r'm=(\d+),t=(\d+),p=(\d+)', rest).groups()
        return {'memory': int(memory), 'time': int(time), 'parallelism': int(parallelism)}
    if scheme == 'BLF-CRYPT':
        return {'rounds': int(rest[4:6])}
    if scheme in ('SHA512-CRYPT', 'SHA256-CRYPT'):
        found = re.search(r'rounds=(\d+)', rest)
        return {'rounds': int(found.group(1)) if found else 5000}  # crypt(5): the default of SHA-crypt
    if scheme == 'PBKDF2':
        return {'rounds': int(rest.split('$')[3])}
    return {}


def is_weaker(stored, scheme, cost=None):
    """Whether a stored hash is weaker than the wanted scheme and cost.

    Argon2's work is memory times passes (RFC 9106 section 3.1), so more of one makes up for less of the other.
    """
    wanted = complete_cost(scheme, cost)
    present, _rest = split_hash(stored)
    if present not in STRENGTH:
        return True
    if present != scheme:
        return STRENGTH.index(present) < STRENGTH.index(scheme)
    found = cost_of(stored)
    if 'memory' in wanted:
        return found['memory'] * found['time'] < wanted['memory'] * wanted['time']
    return found.get('rounds', 0) < wanted.get('rounds', 0)


def make_hash(password, scheme=DEFAULT_SCHEME, cost=None, salt=None):
    """Hash a password for Dovecot.

    :param password: text
    :param scheme: one of SCHEMES
    :param cost: see :func:`complete_cost`
    :param salt: text of at least 8 characters that belongs to this one account, from which the salt is derived (SHA-256);
        the same salt gives the same hash. Without it the salt is random.
    :returns: ``{SCHEME}hash``
    :raises PasswordError:
    """
    wanted = complete_cost(scheme, cost)
    _check_password(password, scheme)
    if salt is not None and (not isinstance(salt, str) or len(salt) < 8):
        raise PasswordError('a salt must be a text of at least 8 characters that belongs to this account alone')
    raw = hashlib.sha256(salt.encode()).digest()[:_SALT_BYTES] if salt is not None else os.urandom(_SALT_BYTES)
    if scheme in _DIGESTS:
        digest = hashlib.new(_DIGESTS[scheme], password.encode() + raw).digest()
        return f'{{{scheme}}}' + base64.b64encode(digest + raw).decode()
    if scheme == 'PBKDF2':
        return '{PBKDF2}' + _pbkdf2(password, raw.hex()[:16], wanted['rounds'])
    _need_passlib()
    if scheme in ('ARGON2ID', 'ARGON2I'):
        handler = passlib_hash.argon2.using(type=scheme[6:], salt=raw, memory_cost=wanted['memory'], time_cost=wanted['time'],
                                            parallelism=wanted['parallelism'])
    elif scheme == 'BLF-CRYPT':
        handler = passlib_hash.bcrypt.using(rounds=wanted['rounds'], salt=bcrypt64.encode_bytes(raw).decode())
    else:
        handler = getattr(passlib_hash, scheme.lower().replace('-', '_')).using(
            rounds=wanted['rounds'], salt=h64.encode_bytes(raw)[:16].decode())
    return f'{{{scheme}}}' + handler.hash(password)


def verify(password, stored):
    """Whether a password belongs to a stored ``{SCHEME}hash``; an unknown or broken hash belongs to no password."""
    if check_password_hash(stored) or not isinstance(password, str) or '\0' in password:
        return False
    scheme, rest = split_hash(stored)
    if scheme in _DIGESTS:
        raw = base64.b64decode(rest + '=' * (-len(rest) % 4))
        size = hashlib.new(_DIGESTS[scheme]).digest_size
        return hmac.compare_digest(raw[:size], hashlib.new(_DIGESTS[scheme], password.encode() + raw[size:]).digest())
    if scheme == 'PBKDF2':
        _empty, _version, salt, rounds, _digest = rest.split('$')
        return hmac.compare_digest(rest, _pbkdf2(password, salt, int(rounds)))
    _need_passlib()
    if scheme == 'BLF-CRYPT' and len(password.encode()) > 72:
        return False
    name = {'ARGON2ID': 'argon2', 'ARGON2I': 'argon2', 'BLF-CRYPT': 'bcrypt'}.get(scheme, scheme.lower().replace('-', '_'))
    try:
        return getattr(passlib_hash, name).verify(password, rest)
    except ValueError:
        return False


def keep_or_make(password, stored, scheme=DEFAULT_SCHEME, cost=None):
    """The stored hash while it verifies the password and is strong enough, else a new one."""
    if stored and verify(password, stored) and not is_weaker(stored, scheme, cost):
        return stored
    return make_hash(password, scheme, cost)


def _check_password(password, scheme):
    if not isinstance(password, str) or not password:
        raise PasswordError('the password is empty')
    if '\0' in password or '\n' in password or '\r' in password:
        raise PasswordError('the password holds a line break or a NUL character, which no mail client can send')
    if scheme == 'BLF-CRYPT' and len(password.encode()) > 72:
        raise PasswordError('the password has more than 72 bytes, of which BLF-CRYPT would ignore the rest; use another scheme')


def _pbkdf2(password, salt, rounds):
    """Dovecot's PBKDF2: HMAC-SHA1, 20 bytes, ``$1$salt$rounds$hex``, the salt taken as text."""
    digest = hashlib.pbkdf2_hmac('sha1', password.encode(), salt.encode(), rounds, 20).hex()
    return f'$1${salt}${rounds}${digest}'


def _need_passlib():
    if PASSLIB_IMPORT_ERROR:
        raise PasswordError('this scheme needs passlib: install python3-passlib, python3-argon2 and python3-bcrypt (Debian), '
                            'or libpass, argon2-cffi and bcrypt (virtual environment)')
