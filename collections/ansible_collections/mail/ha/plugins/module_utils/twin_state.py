# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Answers of daemons and tools as flat ``{setting: value}``, for comparing nodes that should be alike. Pure functions.

What changes from moment to moment (counters, health, who leads) is left out; what is a node's own by its nature stays in, for
``drift`` knows how to compare it. Formats are those of Debian 13: Postfix 3.10, Dovecot 2.4, HAProxy 3.0, PostgreSQL 17, etcd 3.5.
"""

from __future__ import annotations

import csv
import hashlib
import hmac
import json
import re

# Names of settings whose value must not leave the node. Files of keys are no secrets, their contents are.
_SECRET = re.compile(r'password$|passwd|secret|token$|_key$', re.IGNORECASE)
_PASSWORD_IN_URL = re.compile(r'(?<=://)([^/@\s:]*):([^/@\s]+)@')
_MAP = re.compile(r'\bpgsql:(/[^\s,]+)')

# HAProxy: what its configuration, or an administrator at its socket, sets.
_HAPROXY_INFO = ('Version', 'Nbthread', 'Maxconn', 'Memmax_MB')
_HAPROXY_STAT = ('mode', 'algo', 'addr', 'uweight', 'bck', 'slim', 'qlimit', 'tracked', 'check_rise', 'check_fall', 'agent_rise', 'agent_fall')
# Postfix: postconf tells its own.
_POSTFIX_MOMENT = ('process_id',)
# PostgreSQL: these follow from a member's present role, or belong to our own session.
_POSTGRESQL_ROLE = ('primary_conninfo', 'primary_slot_name', 'synchronous_standby_names', 'in_hot_standby', 'transaction_read_only',
                    'transaction_isolation', 'transaction_deferrable', 'application_name')
# VRRP: who prefers which address differs on purpose.
_KEEPALIVED_OWN = ('priority', 'state')


def sealed(settings, key):
    """Replace secrets by a keyed digest (RFC 2104), which is the same on two nodes exactly when the secret is.

    :param settings: ``{setting: value}``
    :param key: a secret that all nodes share (str)
    """
    def seal(text):
        return 'secret ' + hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()[:16]

    result = {}
    for name, value in settings.items():
        text = _PASSWORD_IN_URL.sub(lambda match: f'{match.group(1)}:{seal(match.group(2))}@', value)
        result[name] = seal(value) if _SECRET.search(name) and value else text
    return result


def packages(text):
    """``dpkg-query -W -f '${Package} ${Version} ${db:Status-Abbrev}\\n'`` -> ``{package: version}`` of those installed."""
    rows = [line.split() for line in text.splitlines()]
    return {row[0]: row[1] for row in rows if len(row) == 3 and row[2].startswith('ii')}


def assignments(text):
    """Lines ``name = value`` (postconf, sysctl files) -> ``{name: value}``; comments are left out."""
    result = {}
    for line in text.splitlines():
        name, sign, value = line.partition('=')
        if sign and not line.lstrip().startswith(('#', ';')):
            result[name.strip().lstrip('-')] = ' '.join(value.split())
    return result


def postfix(main, fields, options):
    """``postconf``, ``postconf -F`` and ``postconf -P`` -> one mapping; the options are told one by one, not within the command."""
    result = {name: value for name, value in assignments(main).items() if name not in _POSTFIX_MOMENT}
    for name, value in assignments(fields).items():
        result[f'master.cf {name}'] = value.partition(' -o ')[0] if name.endswith('/command') else value
    result.update({f'master.cf {name}': value for name, value in assignments(options).items()})
    return result


def postfix_maps(settings):
    """Paths of the PostgreSQL maps that Postfix uses, from its settings, sorted."""
    return sorted({path for value in settings.values() for path in _MAP.findall(value)})


def answers(text):
    """What a map answers -> its number of answers and a digest of them, whatever their order."""
    lines = sorted(text.splitlines())
    return f"{len(lines)} answers, sha256 {hashlib.sha256(chr(10).join(lines).encode()).hexdigest()[:16]}"


def blocks(text, own=()):
    """A configuration in braces (doveconf, keepalived.conf) -> ``{'block / block / name': value}``.

    A name that stands several times within a block, and a line without value, keep all of their values, in order.

    :param own: names to leave out
    """
    result, path = {}, []
    for raw in text.splitlines():
        line = raw.strip()
        if not line or line.startswith(('#', '!')):
            continue
        if line == '}':
            path.pop()
        elif line.endswith('{'):
            path.append(' '.join(line[:-1].split()))
        else:
            name, value = _setting(line)
            if name not in own:
                key = ' / '.join(path + [name])
                result[key] = f'{result[key]}, {value}' if key in result else value
    return result


def _setting(line):
    """``name = value`` or ``name value``; a line of one word (an address in a list) has no name of its own."""
    name, sign, value = line.partition(' = ')
    if not sign:
        name, sign, value = line.rstrip('=').partition(' ')
    if not sign:
        return ('', line) if not line.endswith('=') else (line[:-1].strip(), '')
    return name.strip(), ' '.join(value.split())


def dovecot(text):
    """``doveconf -n`` -> settings, and the version from its first line."""
    result = blocks(text)
    version = re.match(r'# ([^:]+):', text)
    return dict(result, version=version.group(1)) if version else result


def keepalived(text):
    """keepalived.conf -> settings. The daemon has no interface that could be asked without side effects."""
    return blocks(text, _KEEPALIVED_OWN)


def haproxy(info, stat):
    """``show info`` and ``show stat`` of the runtime API -> settings, and what an administrator switched off."""
    found = dict(line.split(': ', 1) for line in info.splitlines() if ': ' in line)
    result = {name: found[name] for name in _HAPROXY_INFO if name in found}
    for row in csv.DictReader(stat.lstrip('# ').splitlines()):
        place = f"{row['pxname']}/{row['svname']}"
        # The weight of a backend is the sum of those servers that are up now.
        result.update({f'{place} {name}': row[name] for name in _HAPROXY_STAT if row.get(name) and (name, row['svname']) != ('uweight', 'BACKEND')})
        result[f'{place} state'] = row['status'].split()[0].lower() if row['status'].startswith(('MAINT', 'DRAIN', 'STOP')) else 'in service'
    return result


def postgresql(text):
    """JSON of ``{name: [setting, pending_restart]}`` from pg_settings -> settings; one that waits for a restart says so."""
    return {name: f"{setting}{' (waits for a restart)' if pending else ''}"
            for name, (setting, pending) in json.loads(text).items() if name not in _POSTGRESQL_ROLE}


def environment(text):
    """The environment of a process, as in /proc/PID/environ -> ``{name: value}``."""
    return dict(entry.split('=', 1) for entry in text.split('\0') if '=' in entry)


def etcd(variables, status):
    """The running member's environment and ``etcdctl endpoint status -w json`` -> settings.

    What is needed at birth only (ETCD_INITIAL_*) differs between members that were there first and those that joined.
    """
    result = {name: value for name, value in variables.items() if name.startswith('ETCD_') and not name.startswith('ETCD_INITIAL_')}
    member = json.loads(status)[0]['Status']
    return dict(result, version=member['version'], learner=str(bool(member.get('isLearner'))).lower())


def shared_certificates(ports):
    """``{port: fingerprint}`` of one node -> ``{port: 'as on PORT'}``, the first port that serves the same certificate."""
    first = {}
    for port, fingerprint in ports.items():
        first.setdefault(fingerprint, port)
    return {port: f'as on {first[fingerprint]}' for port, fingerprint in ports.items()}


def chrony(text):
    """``chronyc -c -n tracking`` -> whether the clock follows a server (last field, leap status)."""
    return {'chrony': text.strip().split(',')[-1]}
