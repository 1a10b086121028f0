# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""HAProxy's Runtime API: one question over the admin socket, the answers as plain data, and what they mean.

Shapes::

    server  {backend, name, address, status: 'UP' | 'DOWN' | 'NOLB' | 'DRAIN' | 'MAINT' | 'no check', status_text, usable: bool,
             admin: 'ready' | 'drain' | 'maint', tracks: 'backend/server' or '', check, agent, reason, sessions: int, last_change: int}

The fields are those of HAProxy 3.0's management guide: "show info", section 9.1 (CSV format of "show stat") and "show servers state".
"""

from __future__ import annotations

import csv
import io
import socket

SOCKET = '/run/haproxy/admin.sock'
STATES = ('ready', 'drain', 'maint')
SERVER = '2'  # field "type" of the statistics
# Bits of srv_admin_state that were set on the server itself; all others come from what it tracks, its configuration or DNS.
FORCED_MAINT, FORCED_DRAIN = 0x01, 0x08


class HaproxyError(Exception):
    """HAProxy gave no answer, or refused; the text says what it said."""


def ask(command, path=SOCKET, seconds=5):
    """Send one command to the admin socket and return the answer (str). Raises HaproxyError."""
    answer = b''
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.settimeout(seconds)
            sock.connect(path)
            sock.sendall(command.encode() + b'\n')
            while True:
                data = sock.recv(65536)
                if not data:
                    return answer.decode('utf-8', 'replace')
                answer += data
    except OSError as error:
        raise HaproxyError('HAProxy does not answer "%s" at %s: %s. Look at: systemctl status haproxy; journalctl -u haproxy.'
                           % (command, path, error)) from error


def info(text):
    """``show info`` -> {version, uptime: seconds}. Raises HaproxyError for anything else."""
    found = dict(line.split(': ', 1) for line in text.splitlines() if ': ' in line)
    try:
        return {'version': found['Version'], 'uptime': int(found['Uptime_sec'])}
    except (KeyError, ValueError) as error:
        raise HaproxyError('HAProxy answered %r to "show info", expected a Version and an Uptime_sec.' % text[:200]) from error


def admin_states(text):
    """``show servers state`` -> {(backend, server): 'ready' | 'drain' | 'maint'}, what was set on the server itself."""
    lines = text.splitlines()
    # The first line is the version of the format, the second one names the columns.
    if lines[:1] != ['1'] or len(lines) < 2 or not lines[1].startswith('# '):
        raise HaproxyError('HAProxy answered %r to "show servers state", expected format 1 and a line of names.' % text[:200])
    names = lines[1][2:].split()
    found = {}
    for line in lines[2:]:
        entry = dict(zip(names, line.split()))
        if entry:
            bits = int(entry['srv_admin_state'])
            state = 'maint' if bits & FORCED_MAINT else 'drain' if bits & FORCED_DRAIN else 'ready'
            found[entry['be_name'], entry['srv_name']] = state
    return found


def servers(stat, state):
    """``show stat`` and ``show servers state`` -> [server], in the order of the configuration.

    A server that tracks another one has no check of its own; it gets that one's ``check``, ``agent`` and ``reason``.
    """
    if not stat.startswith('# pxname,svname,'):
        raise HaproxyError('HAProxy answered %r to "show stat", expected a line of names.' % stat[:200])
    rows = [row for row in csv.DictReader(io.StringIO(stat[2:])) if row['type'] == SERVER]
    by_name = {'%(pxname)s/%(svname)s' % row: row for row in rows}
    admin = admin_states(state)
    result = []
    for row in rows:
        text = row['status']
        status = text if text == 'no check' else text.split()[0]
        source = by_name.get(row['tracked'], row)
        result.append({
            'backend': row['pxname'],
            'name': row['svname'],
            'address': row['addr'],
            'status': status,
            'status_text': text,
            'usable': status in ('UP', 'no check') and row['weight'] != '0',
            'admin': admin.get((row['pxname'], row['svname']), 'ready'),
            'tracks': row['tracked'],
            'check': source['check_status'].lstrip('* '),
            'agent': source['agent_status'].lstrip('* '),
            'reason': _reason(source),
            'sessions': int(row['scur']),
            'last_change': int(row['lastchg'] or 0),
        })
    return result


def _reason(row):
    """What the check and the agent last said about a server, in one line. An asterisk in front of a status says that the next is running."""
    check = ' '.join(row[key] for key in ('check_status', 'check_desc', 'last_chk') if row[key]).lstrip('* ')
    agent = ' '.join(row[key] for key in ('agent_status', 'last_agt') if row[key]).lstrip('* ')
    return '; '.join(part for part in ('check ' + check if check else '', 'agent ' + agent if agent else '') if part)


def service_backends(found):
    """Names of the backends that take traffic: all but those whose servers are only there to be tracked by others."""
    tracked = {entry['tracks'].rpartition('/')[0] for entry in found if entry['tracks']}
    return list(dict.fromkeys(entry['backend'] for entry in found if entry['backend'] not in tracked))


def problems(found):
    """Sentences about services that reach nobody, and about servers that are down.

    A server that is drained or in maintenance was asked to be, and is no problem as long as another one is left. A server that is
    down by a check that several services track is told once.
    """
    result = []
    for backend in service_backends(found):
        members = [entry for entry in found if entry['backend'] == backend]
        if not any(entry['usable'] for entry in members):
            result.append('Service %s has no usable server: %s. New sessions are refused until one is UP; look at the mailservers.' % (
                backend, ', '.join('%(name)s is %(status_text)s' % entry for entry in members)))
    for entry in found:
        name = '%(backend)s/%(name)s' % entry
        tracking = [other['backend'] for other in found if other['tracks'] == name]
        followed = any('%(backend)s/%(name)s' % other == entry['tracks'] and other['status'] == 'DOWN' for other in found)
        if entry['status'] == 'DOWN' and not followed:
            result.append('Server %s (%s) is %s%s, expected UP: %s.' % (
                name, entry['address'], entry['status_text'], ' for ' + ', '.join(tracking) if tracking else '',
                entry['reason'] or 'no reason known'))
    return result


def held_back(found):
    """Servers that get no new sessions because somebody said so, and not because a check failed.

    What was set on the server itself came by the Runtime API, and stays until it is taken back there. What was set on the server that it
    tracks came from the agent of the node, as a rule: it says each second whether the node is in maintenance.

    :param found: list of server.
    :returns: {name of the server: [sentence]}, which are true of a server whose node is in service.
    """
    services, by_name, told = service_backends(found), {'%(backend)s/%(name)s' % entry: entry for entry in found}, {}
    for entry in found:
        source = by_name.get(entry['tracks'])
        if entry['backend'] not in services or entry['admin'] == 'ready' and (entry['usable'] or entry['status'] in ('DOWN', 'NOLB')):
            continue
        if entry['admin'] != 'ready':
            why = 'set to %s here' % entry['admin'], (
                'Set them to ready with mail.ha.haproxy_server, or each with "echo set server BACKEND/SERVER state ready | socat - %s".' % SOCKET)
        elif source and source['admin'] != 'ready':
            why = '%s, for %s is set to %s' % (entry['status_text'], entry['tracks'], source['admin']), (
                'The agent of the node takes that back each second; look at "systemctl status ha-mail-agent" there (last: %s).' % source['reason'])
        else:
            why = '%s with a weight of 0' % entry['status_text'], (
                'Set it with "echo set server BACKEND/SERVER weight 100%% | socat - %s", each.' % SOCKET)
        told.setdefault(entry['name'], {}).setdefault(why, []).append('%(backend)s/%(name)s' % entry)
    return {
        name: ['%s: found %s, expected ready and UP, for %s is in service. New sessions do not go there. %s' % (', '.join(servers), state, name, remedy)
               for (state, remedy), servers in ways.items()]
        for name, ways in told.items()
    }


def select(found, names, backends):
    """Return the servers that are meant, in the order of the configuration.

    :param found: list of server.
    :param names: server names (list of str).
    :param backends: names of service backends, or an empty list for all of them.
    :raises HaproxyError: for a name that does not exist, or a backend that takes no traffic.
    """
    services = service_backends(found)
    for backend in backends:
        if backend not in {entry['backend'] for entry in found}:
            raise HaproxyError('There is no backend %s; there are %s.' % (backend, ', '.join(services)))
        if backend not in services:
            raise HaproxyError('Backend %s takes no traffic; it is only tracked, and the agent of the node takes back what is set there. '
                               'Name one of %s, or use node_maintenance on the node.' % (backend, ', '.join(services)))
    chosen = []
    for backend in backends or services:
        members = [entry for entry in found if entry['backend'] == backend]
        missing = [name for name in names if name not in {entry['name'] for entry in members}]
        if missing:
            raise HaproxyError('Backend %s has no server %s; it has %s.'
                               % (backend, ', '.join(missing), ', '.join(entry['name'] for entry in members)))
        chosen.extend(entry for entry in members if entry['name'] in names)
    return chosen
