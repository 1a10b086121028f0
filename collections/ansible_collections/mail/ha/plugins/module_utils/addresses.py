# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The rules for domains, accounts and aliases: one definition for the inventory check, the playbook and the modules.

Pure functions. Every ``check_*`` returns a list of sentences; an empty list means that nothing is wrong. The functions
over lists start each sentence with the place (``mail_accounts[3]``) and the value.

Shapes of the lists (keys with ``?`` are optional)::

    domains   [{name, catch_all?, enabled?, state?}]
    accounts  [{address, password?, password_hash?, quota?, seat?, enabled?, state?}]
    aliases   [{address, destinations, state?}]
"""

from __future__ import annotations

import re

from ansible_collections.mail.ha.plugins.module_utils.passwords import check_password_hash

# RFC 1035 section 2.3.4 and RFC 5321 section 4.5.3.1: octets of a label, a domain, a local part.
LABEL_MAX = 63
DOMAIN_MAX = 253
LOCAL_PART_MAX = 64

_LABEL = re.compile(r'[a-z0-9](?:[a-z0-9-]*[a-z0-9])?')
# Local parts of our own addresses: exactly what Dovecot takes in a user name (auth_username_chars), and no character
# that means something in a path, a query or as the subaddress delimiter '+'.
_LOCAL_PART = re.compile(r'[a-z0-9_-]+(?:\.[a-z0-9_-]+)*')
# Where mail is sent on to: any dot-string of RFC 5321 section 4.1.2, in lower case.
_FOREIGN_LOCAL_PART = re.compile(r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_QUOTA = re.compile(r'(\d+(?:\.\d+)?)\s*(?:([kmgt])i?)?b?', re.IGNORECASE)
_UNITS = {'': 1, 'k': 1024, 'm': 1024 ** 2, 'g': 1024 ** 3, 't': 1024 ** 4}

DOMAIN_KEYS = ('name', 'catch_all', 'enabled', 'state')
ACCOUNT_KEYS = ('address', 'password', 'password_hash', 'quota', 'seat', 'enabled', 'state')
ALIAS_KEYS = ('address', 'destinations', 'state')


# ---- single values -------------------------------------------------------------------------------------------------------

def check_domain(name):
    """Check one mail domain, e.g. ``example.org``.

    :param name: domain; international names in their ASCII form (``xn--...``)
    :returns: list of sentences
    """
    if not isinstance(name, str) or not name:
        return [f'{name!r} is no domain: write it as example.org']
    if name != name.lower():
        return [f'{name!r} must be in lower case: {name.lower()}']
    if not name.isascii():
        return [f'{name!r} is not ASCII: write it in its xn-- form']
    if len(name) > DOMAIN_MAX:
        return [f'{name!r} has {len(name)} characters, a domain has at most {DOMAIN_MAX}']
    labels = name.split('.')
    if len(labels) < 2:
        return [f'{name!r} is no mail domain: it needs at least two labels, as in example.org']
    for label in labels:
        if not label:
            return [f'{name!r} is no domain: a label between two dots, or before or after one, is empty']
        if len(label) > LABEL_MAX:
            return [f'{name!r} is no domain: the label {label!r} has {len(label)} characters, at most {LABEL_MAX} are allowed']
        if not _LABEL.fullmatch(label):
            return [f'{name!r} is no domain: the label {label!r} may hold letters, digits and inner hyphens only']
    if labels[-1].isdigit():
        return [f'{name!r} is no domain: the last label is a number']
    return []


def check_address(address):
    """Check an address of our own (account or alias), e.g. ``anna@example.org``.

    :returns: list of sentences
    """
    return _check_address(address, _LOCAL_PART, "letters, digits, '_', '-' and inner single dots ('+' starts a subaddress)")


def check_destination(address):
    """Check an address to which mail is sent on; it may be anywhere and may carry a subaddress (``anna+lists@...``).

    :returns: list of sentences
    """
    return _check_address(address, _FOREIGN_LOCAL_PART, 'the characters of an RFC 5321 dot-string')


def _check_address(address, pattern, allowed):
    if not isinstance(address, str) or not address:
        return [f'{address!r} is no mail address: write it as anna@example.org']
    if address.count('@') != 1:
        return [f"{address!r} is no mail address: it must hold exactly one '@', as in anna@example.org"]
    if address != address.lower():
        return [f'{address!r} must be in lower case: {address.lower()}']
    local, domain = address.split('@')
    if len(local) > LOCAL_PART_MAX:
        return [f"{address!r} is no mail address: {len(local)} characters before the '@', at most {LOCAL_PART_MAX} are allowed"]
    if not pattern.fullmatch(local):
        return [f"{address!r} is no mail address: {local!r} before the '@' may hold {allowed} only"]
    return [f'{address!r} is no mail address: {sentence}' for sentence in check_domain(domain)]


def parse_quota(value):
    """Turn a human size into bytes; units are powers of 1024, as in Dovecot. 0 means no limit.

    :param value: ``500MB``, ``1GB``, ``1.5 GiB``, ``0``, or a number of bytes
    :returns: bytes as int
    :raises ValueError: with a sentence that names the value
    """
    problem = f'quota {value!r} is no size: write bytes or a number with KB, MB, GB or TB, as in 1GB; 0 means no limit'
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ValueError(problem)
    match = _QUOTA.fullmatch(str(value).strip())
    if not match:
        raise ValueError(problem)
    size = int(float(match.group(1)) * _UNITS[(match.group(2) or '').lower()])
    if size >= 2 ** 63:
        raise ValueError(f'quota {value!r} is larger than any store (2^63 bytes)')
    return size


def check_quota(value):
    """Check a quota as :func:`parse_quota` reads it.

    :returns: list of sentences
    """
    try:
        parse_quota(value)
    except ValueError as error:
        return [str(error)]
    return []


def domain_of(address):
    """``anna@example.org`` -> ``example.org``."""
    return address.rpartition('@')[2]


def without_subaddress(address):
    """``anna+lists@example.org`` -> ``anna@example.org``."""
    local, at, domain = address.rpartition('@')
    return local.partition('+')[0] + at + domain if local.partition('+')[0] else address


# ---- lists of the inventory ----------------------------------------------------------------------------------------------

def check_domains(domains):
    """Check the list ``mail_domains``: keys, shape, duplicates.

    :returns: list of sentences
    """
    errors, entries = _entries(domains, 'mail_domains', 'name', DOMAIN_KEYS, check_domain)
    for place, entry in entries:
        if entry.get('catch_all'):
            errors += [f'{place}: catch_all {sentence}' for sentence in check_destination(entry['catch_all'])]
    return errors


def check_accounts(accounts, domains, seats=None):
    """Check the list ``mail_accounts``: keys, shape, duplicates, unknown domain or seat, quota, hash scheme.

    :param domains: the list ``mail_domains``
    :param seats: names of the seats there are, or None when they are not known
    :returns: list of sentences; never holds a password or a hash
    """
    errors, entries = _entries(accounts, 'mail_accounts', 'address', ACCOUNT_KEYS, check_address)
    known = _present(domains, 'name')
    for place, entry in entries:
        if entry.get('state', 'present') == 'absent':
            continue
        if not check_address(entry['address']) and domain_of(entry['address']) not in known:
            errors.append(_unknown_domain(place, entry['address']))
        if entry.get('password') is not None and entry.get('password_hash') is not None:
            errors.append(f'{place}: give either password or password_hash, not both')
        if entry.get('password') is not None and (not isinstance(entry['password'], str) or not entry['password']):
            errors.append(f'{place}: the password must be a non-empty text in quotes; leave the key out to have one generated')
        if entry.get('password_hash') is not None:
            errors += [f'{place}: {sentence}' for sentence in check_password_hash(entry['password_hash'])]
        if entry.get('quota') is not None:
            errors += [f'{place}: {sentence}' for sentence in check_quota(entry['quota'])]
        if entry.get('seat') is not None and seats is not None and entry['seat'] not in seats:
            errors.append(f"{place}: seat {entry['seat']!r} does not exist; there are {', '.join(seats)}")
    return errors


def check_aliases(aliases, accounts, domains):
    """Check the list ``mail_aliases``: keys, shape, duplicates, unknown domain, shadowed accounts, loops, dead ends.

    :param accounts: the list ``mail_accounts``
    :param domains: the list ``mail_domains``
    :returns: list of sentences
    """
    errors, entries = _entries(aliases, 'mail_aliases', 'address', ALIAS_KEYS, check_address)
    names = _present(domains, 'name')
    mailboxes = _present(accounts, 'address')
    usable = {}
    for place, entry in entries:
        if entry.get('state', 'present') == 'absent':
            continue
        if not check_address(entry['address']) and domain_of(entry['address']) not in names:
            errors.append(_unknown_domain(place, entry['address']))
        destinations = entry.get('destinations')
        if not isinstance(destinations, list) or not destinations:
            errors.append(f'{place}: destinations must be a list of at least one address')
            continue
        wrong = [sentence for destination in destinations for sentence in check_destination(destination)]
        errors += [f'{place}: destination {sentence}' for sentence in wrong]
        if not wrong:
            errors += [f'{place}: destination {twice!r} is there twice; keep one' for twice in _repeated(destinations)]
            usable[entry['address']] = destinations
    catch_alls = {}
    for entry in _dicts(domains):
        if isinstance(entry.get('name'), str) and entry.get('state', 'present') == 'present':
            catch_all = entry.get('catch_all')
            catch_alls[entry['name']] = catch_all if catch_all and not check_destination(catch_all) else None
    return errors + check_routes(catch_alls, mailboxes, usable)


def check_directory(domains, accounts, aliases, seats=None):
    """All three lists together; parameters as above.

    :returns: list of sentences
    """
    return check_domains(domains) + check_accounts(accounts, domains, seats) + check_aliases(aliases, accounts, domains)


def check_routes(domains, accounts, aliases):
    """Check how addresses lead to each other; used over the inventory and over the directory's future state.

    :param domains: ``{name: catch_all or None}`` of well-formed values
    :param accounts: collection of account addresses
    :param aliases: ``{address: [destination, ...]}`` of well-formed values
    :returns: list of sentences: an alias that shadows an account, a loop, a destination of ours that does not exist
    """
    errors = []
    accounts = set(accounts)
    for address in sorted(set(aliases) & accounts):
        errors.append(f'alias {address!r} has the address of an account and would take its mail away; '
                      'give one of the two another address')

    def step(address):
        """Where a message for this address goes next: destinations, [] when it ends here, None when it cannot go on."""
        for candidate in (address, without_subaddress(address)):
            if candidate in accounts:
                return []
            if candidate in aliases:
                return aliases[candidate]
        if domain_of(address) not in domains:
            return []
        catch_all = domains[domain_of(address)]
        return [catch_all] if catch_all else None

    starts = [(f'alias {address}', address, aliases[address]) for address in sorted(aliases) if address not in accounts]
    starts += [(f'catch_all of {name}', '', [domains[name]]) for name in sorted(domains) if domains[name]]
    for label, address, destinations in starts:
        errors += _follow_all(label, address, destinations, step)
    return list(dict.fromkeys(errors))


def _follow_all(label, start, destinations, step):
    """Walk from one alias or catch-all along all destinations, each address once; see check_routes."""
    errors = []
    done = set()

    def walk(address, path):
        if address in path:
            chain = ' -> '.join([*path[path.index(address):], address])
            errors.append(f'{label} runs into a loop ({chain}); take one of these destinations out')
            return
        if address in done:
            return
        done.add(address)
        following = step(address)
        if following is None:
            errors.append(f'{label} delivers to {address!r}, which is neither an account nor an alias of that domain; '
                          'create it, or correct the destination')
            return
        for destination in following:
            walk(destination, [*path, address])

    for destination in destinations:
        walk(destination, [start] if start else [])
    return errors


def check_repeated(wanted):
    """Objects that are listed twice.

    :param wanted: ``{'domains': [...], 'accounts': [...], 'aliases': [...]}``
    :returns: list of sentences
    """
    return [f'{kind}: {name!r} is there twice; keep one'
            for kind, key in (('domains', 'name'), ('accounts', 'address'), ('aliases', 'address'))
            for name in sorted(set(_repeated([entry[key] for entry in wanted.get(kind) or []])))]


# ---- helpers -------------------------------------------------------------------------------------------------------------

def _dicts(entries):
    return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []


def _present(entries, key):
    """Names in a list of the inventory that are to exist."""
    return {entry[key] for entry in _dicts(entries)
            if isinstance(entry.get(key), str) and entry.get('state', 'present') == 'present'}


def _repeated(values):
    seen = set()
    return [value for value in values if value in seen or seen.add(value)]


def _unknown_domain(place, address):
    return (f'{place}: the domain {domain_of(address)!r} is not in mail_domains; '
            'add it there, or correct the address')


def _entries(entries, variable, key, keys, check):
    """Common part of the list checks: ``(errors, [(place, entry)])`` with the entries that can be looked at further."""
    if not isinstance(entries, list):
        return [f'{variable} must be a list, found {type(entries).__name__}'], []
    errors = []
    usable = []
    first_at = {}
    for index, entry in enumerate(entries):
        place = f'{variable}[{index}]'
        if not isinstance(entry, dict):
            errors.append(f'{place} must be a mapping with the key {key}, found {type(entry).__name__}')
            continue
        value = entry.get(key)
        if isinstance(value, str):
            place = f'{place} ({value})'
        unknown = [str(name) for name in entry if name not in keys]
        if unknown:
            errors.append(f"{place}: unknown key {', '.join(sorted(unknown))}; known are {', '.join(keys)}")
        errors += [f'{place}: {sentence}' for sentence in check(value)]
        if entry.get('state', 'present') not in ('present', 'absent'):
            errors.append(f"{place}: state must be present or absent, found {entry['state']!r}")
        if not isinstance(entry.get('enabled', True), bool):
            errors.append(f"{place}: enabled must be true or false, found {entry['enabled']!r}")
        if not isinstance(value, str):
            continue
        if value.lower() in first_at:
            errors.append(f'{place} is there twice (also {variable}[{first_at[value.lower()]}]); keep one')
            continue
        first_at[value.lower()] = index
        usable.append((place, entry))
    return errors, usable
