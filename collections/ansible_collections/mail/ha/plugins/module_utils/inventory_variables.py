# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rules for the variables of an inventory as such: known names, types, keys, one value for the whole site."""

from __future__ import annotations

import re

from ansible_collections.mail.ha.plugins.module_utils.inventory_finding import (
    WARNING,
    enumerate_names,
    finding,
    nearest,
    show,
)

# A name without one of our prefixes counts as a slip of the pen only when it is this close to one of ours.
_SLIP = 0.9
_SECRET = re.compile(r'password|passphrase|secret|token|_key$|credentials', re.IGNORECASE)
_TRUE = ('true', 'yes', 'on', '1', 'y', 't', '1.0')
_FALSE = ('false', 'no', 'off', '0', 'n', 'f', '0.0')
_TYPE_WORDS = {
    'str': 'a text', 'int': 'a whole number', 'float': 'a number', 'bool': 'true or false', 'list': 'a list',
    'dict': 'a mapping', 'path': 'a path',
}


def holds_secret(name, option=None):
    """True when the value of a variable must never be printed: its spec says so, or its name does."""
    return bool((option or {}).get('no_log')) or bool(_SECRET.search(name))


def check_names(defined, known, prefixes, hosts):
    """Find variables that nothing reads.

    :param defined: ``{variable: {'hosts': [host, ...], 'origin': 'file:line' or ''}}`` of everything the inventory defines
    :param known: collection of the names that something reads
    :param prefixes: our prefixes with their underscore, e.g. ``postfix_``
    :param hosts: all hosts, so that "everywhere" can be said in one word
    :returns: findings; an unknown name with one of our prefixes is an error, a near miss of one of our names a warning
    """
    result = []
    for name in sorted(defined):
        if name in known or name.startswith(('__', 'ansible_')):
            continue
        place = defined[name]
        where = 'every host' if set(place['hosts']) >= set(hosts) else enumerate_names(place['hosts'])
        where += f" in {place['origin']}" if place.get('origin') else ''
        if name.startswith(tuple(prefixes)):
            close = nearest(name, known)
            result.append(finding(
                name, f'set for {where}, but nothing reads a variable of this name',
                close or 'a name from the tables in the roles\' README files',
                f'rename it to {close}, or remove it' if close else 'correct the name, or remove it'))
        else:
            close = nearest(name, known, _SLIP)
            if close:
                result.append(finding(
                    name, f'set for {where}, but nothing reads a variable of this name', f'perhaps {close}',
                    f'rename it to {close} if that is what it means, or give it a name that cannot be confused', severity=WARNING))
    return result


def check_differing(differing):
    """Find variables of the site that differ between its hosts.

    :param differing: ``{variable: [host, host]}``, two hosts with different values
    """
    return [
        finding(name, f'{pair[0]} and {pair[1]} see different values', 'one value for the whole site',
                'set it once, in group_vars/all of the inventory')
        for name, pair in sorted(differing.items())
    ]


def check_unreadable(unreadable):
    """Report variables whose templates cannot be evaluated.

    :param unreadable: ``[{'variable': ..., 'host': ..., 'reason': ...}]``
    """
    return [
        finding(item['variable'], f"its template fails ({item['reason']})", 'a template of defined variables',
                'correct the template or define what it uses', host=item['host'])
        for item in unreadable
    ]


def check_required(options, values, hosts):
    """Find variables that have to be set and are not.

    :param options: ``{variable: option}`` of an argument spec
    :param values: ``{variable: value}`` of the site
    :param hosts: hosts of the inventory; an inventory without any is reported elsewhere
    """
    return [
        finding(name, 'it is not set', _wanted(option), f'set it in group_vars/all of the inventory: {_description(option)}')
        for name, option in sorted(options.items())
        if hosts and option.get('required') and values.get(name) is None
    ]


def check_values(options, values, hosts=None):
    """Check values against an argument spec: types, choices, keys, elements; as strict as Ansible is for a role.

    :param options: ``{variable: option}``
    :param values: ``{variable: value}``; names without an option are left alone
    :param hosts: ``{variable: host}`` where a value belongs to one host
    """
    result = []
    for name in sorted(values):
        if name in options and values[name] is not None:
            result += _check(name, values[name], options[name], (hosts or {}).get(name, ''), holds_secret(name, options[name]))
    return result


def well_formed(options, values):
    """The values that :func:`check_values` finds nothing wrong with: the other rules can rely on their shape.

    Lists keep their good elements, so that one bad seat does not hide what is wrong with the others.
    """
    result = {}
    for name, value in values.items():
        option = options.get(name)
        if option is None or value is None:
            continue
        if option.get('type') == 'list' and isinstance(value, list):
            element = _element(option)
            result[name] = [item for item in value if item is not None and not _check(name, item, element, '', True)]
        elif not _check(name, value, option, '', True):
            result[name] = value
    return result


def _check(place, value, option, host, secret):
    kind = option.get('type', 'str')
    if not _is(kind, value):
        found = 'a value of another type' if secret else show(value)
        return [finding(place, f'found {found}', _wanted(option), f'write {_wanted(option)}', host=host)]
    if option.get('choices') and value not in option['choices']:
        choices = enumerate_names(option['choices'], 20)
        return [finding(place, f"found {'another value' if secret else show(value)}", f'one of {choices}', 'choose one of them', host=host)]
    result = []
    if kind == 'list' and isinstance(value, list) and ('elements' in option or 'options' in option):
        for index, item in enumerate(value):
            result += _check(f'{place}[{index}]', item, _element(option), host, secret)
    if kind == 'dict' and isinstance(value, dict) and option.get('options'):
        result += _check_keys(place, value, option['options'], host, secret)
    return result


def _check_keys(place, value, options, host, secret):
    result = []
    label = f"{place} ({value['name']})" if isinstance(value.get('name'), str) else place
    for key in value:
        if key not in options:
            close = nearest(key, options, 0.5)
            result.append(finding(
                label, f"unknown key '{key}'", f'only {enumerate_names(options, 20)}',
                f"rename it to '{close}', or remove it" if close else 'remove it', host=host))
    for key, option in options.items():
        if value.get(key) is None:
            if option.get('required'):
                result.append(finding(label, f"key '{key}' is missing", _wanted(option), f"add '{key}': {_description(option)}", host=host))
        else:
            result += _check(f'{label}.{key}', value[key], option, host, secret or holds_secret(key, option))
    return result


def _element(option):
    """The spec of one element of a list."""
    return {'type': option.get('elements', 'raw'), 'options': option.get('options'), 'choices': option.get('choices'),
            'description': option.get('description', '')}


def _wanted(option):
    kind = option.get('type', 'str')
    words = _TYPE_WORDS.get(kind, 'a value')
    if kind == 'dict' and option.get('options'):
        return f"{words} with {enumerate_names([key for key, sub in option['options'].items() if sub.get('required')] or option['options'], 20)}"
    return words


def _description(option):
    """First sentence of a description, without its full stop."""
    text = option.get('description', '')
    text = text[0] if isinstance(text, list) and text else text
    return str(text or 'see its description').split('. ', maxsplit=1)[0].rstrip('.').replace('\n', ' ')


def _is(kind, value):
    """True when Ansible would take the value for this type (a number in quotes is a number, for instance)."""
    if kind in ('str', 'path'):
        return isinstance(value, (str, int, float)) and not isinstance(value, bool)
    if kind == 'bool':
        return isinstance(value, bool) or str(value).lower() in _TRUE + _FALSE
    if kind == 'int':
        return not isinstance(value, bool) and (isinstance(value, int) or isinstance(value, str) and re.fullmatch(r'-?\d+', value.strip()) is not None)
    if kind == 'float':
        return not isinstance(value, bool) and (
            isinstance(value, (int, float)) or isinstance(value, str) and re.fullmatch(r'-?\d+(\.\d+)?', value.strip()) is not None)
    if kind == 'list':
        return isinstance(value, list)
    if kind == 'dict':
        return isinstance(value, dict)
    return True


def as_bool(value):
    """A boolean of an inventory, which may be a text."""
    return value if isinstance(value, bool) else str(value).lower() in _TRUE
