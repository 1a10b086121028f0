# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the checks of an inventory report: findings, each rendered as one sentence."""

from __future__ import annotations

import difflib

ERROR = 'error'
WARNING = 'warning'

_LONGEST_VALUE = 80


def finding(variable, found, expected, remedy, host='', severity=ERROR):
    """One thing that is wrong.

    :param variable: name of the variable or of the part of the inventory, e.g. ``mail_seats``
    :param found: what is there; values go through :func:`show`, and never from a variable that holds a secret
    :param expected: what should be there
    :param remedy: what the reader does now, as an order
    :param host: the host it is about, or '' for the whole site
    :param severity: ``ERROR`` or ``WARNING``
    :returns: dict with these keys and ``message``, the sentence
    """
    subject = f'{variable} of {host}' if host else variable
    return {
        'severity': severity, 'variable': variable, 'host': host,
        'found': found, 'expected': expected, 'remedy': remedy,
        'message': f'{subject}: {found}, expected {expected}; {remedy}.',
    }


def finding_from_sentence(variable, sentence):
    """A finding from a check which renders its own sentence (module_utils/addresses.py)."""
    return {
        'severity': ERROR, 'variable': variable, 'host': '', 'found': sentence, 'expected': '', 'remedy': '',
        'message': sentence if sentence.endswith('.') else sentence + '.',
    }


def show(value):
    """A value as a reader of YAML expects it, cut to one readable line."""
    if value is None or value == '':
        return 'nothing'
    if isinstance(value, bool):
        text = 'true' if value else 'false'
    elif isinstance(value, str):
        text = f"'{value}'"
    else:
        text = str(value)
    text = ' '.join(text.split())
    return text if len(text) <= _LONGEST_VALUE else text[:_LONGEST_VALUE - 3] + '...'


def enumerate_names(names, most=6):
    """``['a', 'b', 'c']`` -> ``a, b and c``; a long list is cut and counted."""
    names = [str(name) for name in names]
    if len(names) > most:
        names = names[:most] + [f'{len(names) - most} more']
    return ' and '.join([', '.join(names[:-1]), names[-1]]) if len(names) > 1 else ''.join(names)


def nearest(name, candidates, cutoff=0.7):
    """The candidate which ``name`` was most likely meant to be, or ''."""
    return ''.join(difflib.get_close_matches(str(name), sorted(candidates), 1, cutoff))
