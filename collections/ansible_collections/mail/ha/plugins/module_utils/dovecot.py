# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who is logged in to a Dovecot, who is served by it, and how full it is. Pure functions.

Shapes::

    session {user, protocol, served: bool}
    report  {served: {user: {protocol: int}}, proxied: {user: {protocol: int}}, sessions: {served: {protocol: int},
             proxied: {protocol: int}}, seats: [name]}
    service {name, processes: int, process_limit: int, clients: int, capacity: int, waiting: bool, throttled: bool}

How a served session differs from a proxied one was seen on Dovecot 2.4.1: ``doveadm who -1`` lists a proxied one under the service
``imap-login`` (``pop3-login``, ``managesieve-login``) with the address of the seat as ``dest_ip``, a served one under ``imap``
(``pop3``, ``managesieve``, ``lmtp``) without one. A session that the holder of the seat passes on to itself appears as both. A delivery
appears only where it is written. ``doveadm proxy list`` lists both kinds alike, so it is of no use for telling them apart.
"""

from __future__ import annotations

import ipaddress

LOGIN = '-login'
# Share of a service's capacity from which on it is called nearly full.
NEARLY = 0.9
# Services smaller than this work off queues of their own and are full now and then: only clients that wait count.
SMALL = 20


def sessions(who):
    """``doveadm -f json who -1`` (list of dict) -> [session]. A delivery whose recipient is not known yet belongs to nobody."""
    return [
        {
            'user': entry['username'],
            'protocol': entry['service'].removesuffix(LOGIN),
            'served': not entry['service'].endswith(LOGIN),
        }
        for entry in who if entry['username']
    ]


def seats_held(seats, addresses):
    """Names of the seats whose address is on this node (sorted list).

    :param seats: address by name (dict).
    :param addresses: ``ip -json address`` (list of dict).
    """
    present = {ipaddress.ip_address(entry['local'])
               for interface in addresses for entry in interface.get('addr_info', []) if 'local' in entry}
    return sorted(name for name, address in seats.items() if ipaddress.ip_address(address) in present)


def report(found_sessions, seats):
    """[session] and the names of the seats held here -> report."""
    answer = {'served': {}, 'proxied': {}, 'sessions': {'served': {}, 'proxied': {}}, 'seats': list(seats)}
    for session in found_sessions:
        kind = 'served' if session['served'] else 'proxied'
        for counts in (answer[kind].setdefault(session['user'], {}), answer['sessions'][kind]):
            counts[session['protocol']] = counts.get(session['protocol'], 0) + 1
    return answer


def services(status, processes):
    """``doveadm -f json service status`` and ``doveadm -f json process status`` -> [service], without those that are idle.

    A service takes ``process_limit`` times ``client_limit`` clients at once; a process tells how many more it would take.
    """
    available = {}
    for process in processes:
        available.setdefault(process['name'], []).append(int(process['available_count']))
    found = []
    for entry in status:
        clients, limit = int(entry['client_limit']), int(entry['process_limit'])
        found.append({
            'name': entry['name'],
            'processes': int(entry['process_count']),
            'process_limit': limit,
            'clients': sum(max(0, clients - left) for left in available.get(entry['name'], [])),
            'capacity': clients * limit,
            'waiting': entry['listen_pending'] == 'y',
            'throttled': int(entry['throttle_secs']) > 0,
        })
    return [service for service in found if service['processes'] or service['waiting'] or service['throttled']]


def service_problems(found_services):
    """What is wrong with the services of one node, one sentence each; the empty list means nothing.

    :param found_services: [service].
    """
    told = []
    for service in found_services:
        full = service['processes'] >= service['process_limit']
        if service['throttled']:
            told.append('service %s fails again and again and is held back by Dovecot. Look at "journalctl -u dovecot".' % service['name'])
        if service['capacity'] >= SMALL and service['clients'] >= NEARLY * service['capacity']:
            told.append('service %s has %d clients and takes %d: raise its limit.' % (service['name'], service['clients'], service['capacity']))
        elif full and service['waiting']:
            told.append('clients wait for service %s, all %d processes of which are busy.' % (service['name'], service['processes']))
    return told


def verdict(reports):
    """Whose mailbox is in the hands of two nodes at once, one sentence each; the empty list means nobody's.

    The reports are not of the same instant: of a user whose seat moves just then both the old and the new node may tell. Ask again
    before you act on it.

    :param reports: report by host name (dict).
    """
    told = []
    holders, places = {}, {}
    for host, found in sorted(reports.items()):
        for user in found['served']:
            holders.setdefault(user, []).append(host)
        for seat in found['seats']:
            places.setdefault(seat, []).append(host)
    for user, hosts in sorted(holders.items()):
        if len(hosts) > 1:
            told.append('%s is served by %d nodes at once, expected one: %s. Two nodes that write to one mailbox spoil it: look who holds the '
                        'seat, and end the sessions on the others with "doveadm kick".' % (user, len(hosts), ', '.join(
                            '%s (%s)' % (host, _protocols(reports[host]['served'][user])) for host in hosts)))
    told += ['%s is held by %d nodes at once, expected one: %s. Look at "journalctl -u keepalived" there.' % (seat, len(hosts), ', '.join(hosts))
             for seat, hosts in sorted(places.items()) if len(hosts) > 1]
    return told


def _protocols(counts):
    return ', '.join('%d %s' % (count, protocol) for protocol, count in sorted(counts.items()))
