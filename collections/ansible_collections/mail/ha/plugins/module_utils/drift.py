# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Find the node that is not like its twins. Pure functions.

A value may be a node's own (its name, its address) or name all nodes but itself (its peers). So values are compared three
times: as they are; with the node's own names and addresses replaced by one word; with its peers' replaced by another. They
are alike when one of the three says so.
"""

from __future__ import annotations

import collections
import re
import statistics

from ansible_collections.mail.ha.plugins.module_utils.inventory_finding import enumerate_names

SELF, PEER = '<self>', '<peer>'
# Two clocks may be this far apart, in seconds: logs keep their order, and no TTL or one-time code notices.
CLOCK_TOLERANCE = 0.5
_LONGEST = 70
_CLOCK = 'clock'
_SERVING = 'mailservers'
_REMEDIES = {
    'packages': 'upgrade {odd} to the same versions',
    'kernel': 'boot {odd} into the same kernel',
    'chrony': 'look at `chronyc sources` on {odd}',
    'directory': 'look at `patronictl list`: a replica that is behind catches up by itself, one that does not is copied anew by `patronictl reinit`',
    'maps': 'look which database {odd} asks (`postmap -q KEY pgsql:FILE`) and at `patronictl list`',
    'certificates': 'run site.yml --limit {odd}: it issues, and reloads what serves an old one',
}
_REMEDY = 'run site.yml --limit {odd}'


def compare(states, identities):
    """Compare nodes that should be alike.

    :param states: ``{host: {subject: {setting: value}}}``; a subject that a host lacks was not answered there, and is not compared
    :param identities: ``{host: [name or address]}`` of all twins, those without an answer too, for the others name them
    :returns: ``[{subject, setting, values: {host: value or None}, odd: [host], message}]`` sorted by subject and setting; ``odd`` is empty where
        no value has a majority
    """
    result = []
    for subject in sorted({subject for state in states.values() for subject in state}):
        hosts = {host: state[subject] for host, state in states.items() if subject in state}
        if len(hosts) < 2:
            continue
        if subject == _CLOCK:
            result += _clocks(hosts)
            continue
        # A setting may carry the node's own name, too (`local 192.0.2.21`).
        settings = {host: {_replace(name, identities[host], SELF): value for name, value in found.items()} for host, found in hosts.items()}
        for setting in sorted({name for found in settings.values() for name in found}):
            values = {host: found.get(setting) for host, found in settings.items()}
            classes, odd = _classes(values, identities)
            if len(classes) > 1:
                result.append(_difference(subject, setting, values, classes, odd))
    return result


def _classes(values, identities):
    """``([[host]], [odd host])``: hosts with the same value together, the most first, by the comparison that finds the fewest.

    Nobody is the odd one without a majority, or when two comparisons as good as each other name different hosts.
    """
    found = []
    for level in (0, 1, 2):
        together = collections.defaultdict(list)
        for host, value in values.items():
            if value is not None and level:
                value = _replace(value, identities[host], SELF)
                if level == 2:
                    value = _replace(value, [name for other in identities if other != host for name in identities[other]], PEER)
            together[value].append(host)
        found.append(sorted(together.values(), key=len, reverse=True))
    best = [classes for classes in found if len(classes) == min(map(len, found))]
    clear = len(best[0]) > 1 and len(best[0][0]) > len(best[0][1]) and all(classes[0] == best[0][0] for classes in best)
    return best[0], [host for classes in best[0][1:] for host in classes] if clear else []


def _replace(text, names, word):
    """Replace names and addresses where they stand alone: mail1 is neither mail10 nor a part of my-mail1."""
    wanted = sorted({name for name in names if name}, key=len, reverse=True)
    if not wanted:
        return text
    return re.sub(rf"(?<![\w.-])(?:{'|'.join(re.escape(name) for name in wanted)})(?![\w-]|[.]\w)", word, text)


def _difference(subject, setting, values, classes, odd):
    remedy = _REMEDIES.get(subject, _REMEDY)
    if odd:
        others = classes[0]
        told = []
        for group in classes[1:]:
            mine, theirs = _around(values[group[0]], values[others[0]])
            told.append(f"{enumerate_names(group)}: {subject} {setting} is {mine}, the others ({', '.join(others)}) have {theirs}")
        message = f"{'; '.join(told)}; {remedy.format(odd=','.join(odd))}."
    else:
        first, second = _around(values[classes[0][0]], values[classes[1][0]])
        shown = [first, second] + [_around(values[group[0]], values[classes[0][0]])[0] for group in classes[2:]]
        told = ', '.join(f'{value} on {enumerate_names(group)}' for value, group in zip(shown, classes))
        message = f"{subject} {setting} is {told}; no majority says which is right: look, then {remedy.format(odd='HOST')}."
    return {'subject': subject, 'setting': setting, 'values': values, 'odd': odd, 'message': message}


def _around(value, other):
    """Both values, cut to where they begin to differ when they are long."""
    if value is None or other is None or max(len(value), len(other)) <= _LONGEST:
        return _show(value), _show(other)
    same = next((index for index, pair in enumerate(zip(value, other)) if pair[0] != pair[1]), min(len(value), len(other)))
    start = max(same - 20, 0)
    return tuple(('...' if start else '') + _show(text[start:]) for text in (value, other))


def _show(value):
    if value is None:
        return 'not there'
    if value == '':
        return 'empty'
    return value if len(value) <= _LONGEST else value[:_LONGEST - 3] + '...'


def _clocks(clocks):
    """Clocks that are further from the middle one than the tolerance, and than the measurement can be wrong."""
    middle = statistics.median_low([clock['offset'] for clock in clocks.values()])
    unsure = max(clock['uncertainty'] for clock in clocks.values() if clock['offset'] == middle)
    result = []
    for host, clock in sorted(clocks.items()):
        distance = clock['offset'] - middle
        wrong = clock['uncertainty'] + unsure
        if abs(distance) <= CLOCK_TOLERANCE + wrong:
            continue
        others = [name for name in clocks if name != host]
        which = host if len(clocks) > 2 else f'{host} or {others[0]}'
        result.append({
            'subject': _CLOCK, 'setting': 'offset', 'values': {name: f"{item['offset']:+.3f} s" for name, item in clocks.items()},
            'odd': [host] if len(clocks) > 2 else [],
            'message': f"{which}: clock is {abs(distance):.2f} s {'ahead of' if distance > 0 else 'behind'} {'the others' if len(clocks) > 2 else 'the other'} "
                       f"({', '.join(others)}; measured to {wrong:.2f} s), expected at most {CLOCK_TOLERANCE} s; look at `chronyc tracking` on {which}."})
    return result


def report(groups, answers, identities):
    """Judge the answers of all nodes.

    :param groups: ``{name: [host]}``, hosts that should be alike
    :param answers: ``{name: {host: answer}}``, what the module twin_state_info returned, or None
    :param identities: ``{host: [name or address]}`` of all hosts
    :returns: ``{differences: [see compare, with group], problems: [sentence], compared: {name: number of settings}, text}``; a host without an
        answer and a subject that could not be asked are problems, for they would hide a difference
    """
    differences, problems, compared = [], [], {}
    for name, hosts in groups.items():
        states = {}
        for host in hosts:
            answer = (answers.get(name) or {}).get(host) or {}
            if 'state' not in answer:
                problems.append(f"{host}: no answer for {name} ({answer.get('msg') or 'never asked'}), expected its state; "
                                'look whether it can be reached, then run again.')
                continue
            # What a node serves to the balancers only they can see; the first one that has seen it is taken at its word.
            seen = next((other['served'][host] for others in answers.values() for other in others.values()
                         if other and host in (other.get('served') or {})), None)
            states[host] = dict(answer['state'], certificates=seen) if seen and name == _SERVING else answer['state']
            problems += [f'{host}: {sentence}; look at the daemon, then run again.' for sentence in answer['errors']]
        compared[name] = max((sum(len(found) for found in state.values()) for state in states.values()), default=0)
        differences += [dict(found, group=name) for found in compare(states, {host: identities[host] for host in hosts})]
    # Hosts in two groups are asked for the same packages twice; one difference is told once.
    told = list(dict.fromkeys(found['message'] for found in differences))
    lines = [f"{name} ({', '.join(hosts)}): {compared[name]} settings compared" for name, hosts in groups.items()]
    lines += [f'  - {sentence}' for sentence in problems + told]
    lines.append('Nodes that should be alike are.' if not told and not problems else f'{len(told)} differences, {len(problems)} without an answer.')
    return {'differences': differences, 'problems': problems, 'compared': compared, 'text': '\n'.join(lines)}
