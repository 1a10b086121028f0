# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""From what the directory holds and what is wanted to the changes in between: pure functions.

The state of the directory::

    {'seats':    ['seat01', ...],
     'domains':  {name: {'catch_all': address or None, 'enabled': bool}},
     'accounts': {address: {'password': '{SCHEME}hash' or None, 'quota_bytes': int, 'seat': name, 'enabled': bool}},
     'aliases':  {address: {'destinations': [address, ...] sorted}}}

``password`` may be None for accounts that are not to be changed: hashes are read only where they are needed.
"""

from __future__ import annotations

import copy

from ansible_collections.mail.ha.plugins.module_utils import addresses, passwords

DEFAULT_QUOTA = '1GB'
KINDS = ('domains', 'accounts', 'aliases')
_SINGULAR = {'domains': 'domain', 'accounts': 'account', 'aliases': 'alias'}


def least_loaded_seat(state):
    """The seat with the fewest accounts, the first by name among equals; None when there is no seat."""
    load = dict.fromkeys(sorted(state['seats']), 0)
    for account in state['accounts'].values():
        load[account['seat']] = load.get(account['seat'], 0) + 1
    return min(sorted(load), key=load.get) if load else None


def with_defaults(wanted):
    """Complete descriptions, as lists of an inventory are: what is left out has its default and is not kept as it is.

    Seat and password stay out: an account keeps those it has.
    """
    defaults = {'domains': {'catch_all': '', 'enabled': True}, 'accounts': {'quota': DEFAULT_QUOTA, 'enabled': True}, 'aliases': {}}
    return {kind: [{**defaults[kind], **{key: value for key, value in entry.items() if value is not None}}
                   for entry in wanted.get(kind) or []] for kind in KINDS}


def plan(current, wanted, scheme=passwords.DEFAULT_SCHEME, cost=None, update_password='always', force=False):
    """Work out the changes.

    :param current: state as described at the top of this file
    :param wanted: ``{'domains': [...], 'accounts': [...], 'aliases': [...]}`` with the entries of addresses.py; a key that
        is missing or None keeps what is there (or takes the default where the object is new)
    :param scheme: scheme for passwords given in clear
    :param cost: cost for that scheme
    :param update_password: ``always`` or ``on_create``
    :param force: remove a domain together with its accounts and aliases
    :returns: ``(changes, errors)``; changes are ``{'kind', 'name', 'before', 'after'}`` in an order in which they can be
        applied, before or after being None for an object that is created or removed. With errors nothing may be applied.
    """
    after = copy.deepcopy(current)
    errors = []
    leaving = {kind: [entry for entry in wanted.get(kind) or [] if entry.get('state') == 'absent'] for kind in KINDS}
    coming = {kind: [entry for entry in wanted.get(kind) or [] if entry.get('state') != 'absent'] for kind in KINDS}

    for kind in ('aliases', 'accounts'):
        for entry in leaving[kind]:
            after[kind].pop(entry['address'], None)
    for entry in coming['domains']:
        errors += _set_domain(after, entry)
    for entry in sorted(coming['accounts'], key=lambda entry: str(entry['address'])):
        errors += _set_account(after, entry, scheme, cost, update_password)
    for entry in coming['aliases']:
        errors += _set_alias(after, entry)
    for entry in leaving['domains']:
        errors += _remove_domain(after, entry['name'], force)
    if not errors:
        # A change may not bring a new problem; one that was there before is not held against it.
        before_errors = set(_route_errors(current))
        errors += [sentence for sentence in _route_errors(after) if sentence not in before_errors]
    return _changes(current, after), errors


def _route_errors(state):
    return addresses.check_routes({name: domain['catch_all'] for name, domain in state['domains'].items()},
                                  state['accounts'],
                                  {address: alias['destinations'] for address, alias in state['aliases'].items()})


def _given(entry, key, otherwise):
    return entry[key] if entry.get(key) is not None else otherwise


def _set_domain(state, entry):
    name = entry['name']
    errors = [f'domain {sentence}' for sentence in addresses.check_domain(name)]
    if entry.get('catch_all'):
        errors += [f'domain {name}: catch_all {sentence}' for sentence in addresses.check_destination(entry['catch_all'])]
    if not errors:
        old = state['domains'].get(name, {'catch_all': None, 'enabled': True})
        state['domains'][name] = {'catch_all': _given(entry, 'catch_all', old['catch_all']) or None,
                                  'enabled': _given(entry, 'enabled', old['enabled'])}
    return errors


def _set_account(state, entry, scheme, cost, update_password):
    address = entry['address']
    errors = [f'account {sentence}' for sentence in addresses.check_address(address)]
    if errors:
        return errors
    errors += _missing_domain(state, 'account', address)
    if address in state['aliases']:
        errors.append(f'account {address}: there is an alias of that address, which would take its mail away; remove the alias first')
    old = state['accounts'].get(address)
    new = dict(old or {'password': None, 'quota_bytes': addresses.parse_quota(DEFAULT_QUOTA), 'seat': None, 'enabled': True})
    new['enabled'] = _given(entry, 'enabled', new['enabled'])
    if entry.get('quota') is not None:
        try:
            new['quota_bytes'] = addresses.parse_quota(entry['quota'])
        except ValueError as error:
            errors.append(f'account {address}: {error}')
    if entry.get('seat') is not None and entry['seat'] not in state['seats']:
        errors.append(f"account {address}: seat {entry['seat']!r} does not exist; there are {', '.join(sorted(state['seats'])) or 'none'}")
    new['seat'] = _given(entry, 'seat', new['seat'] or least_loaded_seat(state))
    if new['seat'] is None:
        errors.append(f'account {address}: the directory has no seat; run role directory with directory_seats first')
    try:
        new['password'] = _password(entry, old, scheme, cost, update_password)
    except ValueError as error:
        errors.append(f'account {address}: {error}')
    if not errors:
        state['accounts'][address] = new
    return errors


def _password(entry, old, scheme, cost, update_password):
    stored = old['password'] if old else None
    if old and update_password == 'on_create':
        return stored
    if entry.get('password_hash') is not None:
        problems = passwords.check_password_hash(entry['password_hash'])
        if problems:
            raise ValueError(problems[0])
        return entry['password_hash']
    if entry.get('password') is not None:
        return passwords.keep_or_make(entry['password'], stored, scheme, cost)
    if not old:
        raise ValueError('it does not exist yet and has neither password nor password_hash; give one of them')
    return stored


def _set_alias(state, entry):
    address = entry['address']
    destinations = entry.get('destinations')
    errors = [f'alias {sentence}' for sentence in addresses.check_address(address)]
    if errors:
        return errors
    errors += _missing_domain(state, 'alias', address)
    if address in state['accounts']:
        errors.append(f'alias {address}: there is an account of that address, whose mail the alias would take away; '
                      'give the alias another address')
    if destinations is None and address in state['aliases']:
        return errors
    if not destinations:
        return [*errors, f'alias {address}: destinations must hold at least one address']
    wrong = [sentence for destination in destinations for sentence in addresses.check_destination(destination)]
    errors += [f'alias {address}: destination {sentence}' for sentence in wrong]
    errors += [f'alias {address}: destination {twice!r} is there twice; keep one'
               for twice in sorted({value for value in destinations if destinations.count(value) > 1})]
    if address in destinations:
        errors.append(f'alias {address} leads to itself; take that destination out')
    if not errors:
        state['aliases'][address] = {'destinations': sorted(destinations)}
    return errors


def _remove_domain(state, name, force):
    if name not in state['domains']:
        return []
    inside = {kind: [address for address in state[kind] if addresses.domain_of(address) == name] for kind in ('accounts', 'aliases')}
    if any(inside.values()) and not force:
        return [f"domain {name} still has {len(inside['accounts'])} account(s) and {len(inside['aliases'])} alias(es); "
                'remove them first, or set force to remove them with it']
    for kind, inner in inside.items():
        for address in inner:
            del state[kind][address]
    del state['domains'][name]
    return []


def _missing_domain(state, kind, address):
    domain = addresses.domain_of(address)
    return [] if domain in state['domains'] else [f'{kind} {address}: the domain {domain!r} does not exist; create it first']


def _changes(before, after):
    def differing(kind, keep):
        names = sorted(set(before[kind]) | set(after[kind]))
        found = [{'kind': _SINGULAR[kind], 'name': name, 'before': before[kind].get(name), 'after': after[kind].get(name)}
                 for name in names if before[kind].get(name) != after[kind].get(name)]
        return [change for change in found if (change['after'] is None) is not keep]

    # Removals of what hangs on domains first, of the domains last: so every foreign key holds at every step.
    return (differing('aliases', False) + differing('accounts', False) + differing('domains', True)
            + differing('accounts', True) + differing('aliases', True) + differing('domains', False))


def describe(change):
    """A change for people: no password, no hash. ``{'kind', 'name', 'action', 'before', 'after'}``."""
    before, after = (dict(change[side]) if change[side] is not None else None for side in ('before', 'after'))
    old = before.pop('password', None) if before else None
    new = after.pop('password', None) if after else None
    if after is not None and new != old:
        after['password'] = '(changed)'
    action = 'created' if before is None else 'removed' if after is None else 'updated'
    return {'kind': change['kind'], 'name': change['name'], 'action': action, 'before': before, 'after': after}


def diff_of(changes):
    """The changes as Ansible's diff mode wants them: ``{'before': {...}, 'after': {...}}`` keyed by kind and name."""
    result = {'before': {}, 'after': {}}
    for change in map(describe, changes):
        for side in ('before', 'after'):
            if change[side] is not None:
                result[side][f"{change['kind']} {change['name']}"] = change[side]
    return result


def statements(change):
    """The SQL of one change: list of ``(statement, parameters)``."""
    name, after = change['name'], change['after']
    if after is None:
        table, key = {'domain': ('mail.domains', 'name'), 'account': ('mail.accounts', 'address'),
                      'alias': ('mail.aliases', 'address')}[change['kind']]
        return [(f'DELETE FROM {table} WHERE {key} = %s', (name,))]
    if change['kind'] == 'domain':
        return [('INSERT INTO mail.domains (name, catch_all, enabled) VALUES (%s, %s, %s) ON CONFLICT (name) DO UPDATE '
                 'SET catch_all = excluded.catch_all, enabled = excluded.enabled',
                 (name, after['catch_all'], after['enabled']))]
    if change['kind'] == 'account':
        return [('INSERT INTO mail.accounts (address, password, quota_bytes, seat, enabled) VALUES (%s, %s, %s, %s, %s) '
                 'ON CONFLICT (address) DO UPDATE SET password = excluded.password, quota_bytes = excluded.quota_bytes, '
                 'seat = excluded.seat, enabled = excluded.enabled',
                 (name, after['password'], after['quota_bytes'], after['seat'], after['enabled']))]
    return [('INSERT INTO mail.aliases (address) VALUES (%s) ON CONFLICT DO NOTHING', (name,)),
            ('DELETE FROM mail.alias_destinations WHERE alias = %s AND destination <> ALL (%s)', (name, after['destinations'])),
            ('INSERT INTO mail.alias_destinations (alias, destination) SELECT %s, unnest(%s::text[]) ON CONFLICT DO NOTHING',
             (name, after['destinations']))]
