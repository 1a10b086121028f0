# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who holds each floating address: what one node says, and the verdict over what all say and neighbours see. Pure functions.

Shapes::

    instance   {name, address, state: 'MASTER' | 'BACKUP' | 'FAULT' | 'STOP' | 'UNKNOWN', priority: int, since: float,
                address_present: bool, good: bool}
    neighbour  {name, address, macs: [str]}     who else answers for the address; the asking node never hears itself
    report     {instances: [instance], neighbours: [neighbour], macs: {mac: interface}}     of one node, by vrrp_info
    expected   {name, address, holders: [host]}, perhaps with address6     as mail.ha.vip_holders and mail.ha.seat_holders return
"""

from __future__ import annotations

import ipaddress
import json

# What `vrrp-addresses status` prints for each instance.
KEYS = {'name', 'address', 'state', 'priority', 'since', 'address_present', 'good'}


class VrrpError(Exception):
    """The node gave no useful answer; the text says what it gave."""


def parse(text):
    """``vrrp-addresses status`` -> [instance]. Raises VrrpError for anything else."""
    try:
        found = json.loads(text)
    except ValueError as error:
        raise VrrpError('found %r, expected a list in JSON' % text.strip()[:200]) from error
    if not isinstance(found, list) or not all(isinstance(entry, dict) and KEYS <= set(entry) for entry in found):
        raise VrrpError('found %r, expected a list of instances with %s' % (text.strip()[:200], ', '.join(sorted(KEYS))))
    return found


def own_macs(links):
    """``ip -json address`` as data -> {MAC: interface}, Ethernet only."""
    return {link['address']: link['ifname'] for link in links if link.get('link_type') == 'ether'}


def problems(instances):
    """Sentences about what is wrong on one node, from what it says itself."""
    result = []
    for entry in instances:
        if entry['good']:
            continue
        place = '%(name)s (%(address)s)' % entry
        if entry['state'] not in ('MASTER', 'BACKUP'):
            result.append('%s: its state here is %s, expected MASTER or BACKUP. journalctl -u keepalived names the check that fails.'
                          % (place, entry['state']))
        elif entry['address_present']:
            result.append('%s: its address is on an interface here, though its state is %s. Look at: ip address; journalctl -u keepalived.'
                          % (place, entry['state']))
        else:
            result.append('%s: its state here is MASTER, but its address is on no interface. Look at: ip address; journalctl -u keepalived.'
                          % place)
    return result


def rivals(seen, held):
    """Sentences about addresses that too many answer for, as one node sees it.

    :param seen: list of neighbour.
    :param held: names that the asking node holds itself (list of str).
    """
    result = []
    for entry in seen:
        if len(entry['macs']) > (0 if entry['name'] in held else 1):
            result.append('%s (%s): %s for it, expected %s. One of them must let go: restart keepalived there.' % (
                entry['name'], entry['address'],
                ', '.join(entry['macs']) + (' answers' if len(entry['macs']) == 1 else ' answer'),
                'only this node to hold it' if entry['name'] in held else 'one'))
    return result


def _claims(reports, entry):
    """Hosts that say of themselves that they hold ``entry``: MASTER, or with its address on an interface."""
    return [
        host for host in sorted(reports) for instance in reports[host].get('instances', [])
        if instance['name'] == entry['name'] and (instance['state'] == 'MASTER' or instance['address_present'])
    ]


def _answers(reports, address, claims):
    """Return (MACs that answer, hosts that asked and do not claim the address themselves)."""
    macs, witnesses = set(), []
    for host in sorted(reports):
        for neighbour in reports[host].get('neighbours', []):
            if ipaddress.ip_address(neighbour['address']) == address:
                macs.update(neighbour['macs'])
                if host not in claims:
                    witnesses.append(host)
    return sorted(macs), witnesses


def _judge(entry, reports, owners):
    """Return (the one holder or None, sentences) for one entry of ``expected``."""
    claims = _claims(reports, entry)
    place = '%(name)s (%(address)s)' % entry
    sentences = []
    if not claims:
        silent = [host for host in entry['holders'] if host not in reports]
        sentences.append('%s has no holder: none of %s says that it holds it%s. Look at keepalived there.' % (
            place, ', '.join(entry['holders']), ', and %s gave no report' % ', '.join(silent) if silent else ''))
    elif len(claims) > 1:
        sentences.append('%s has %d holders: %s each say that they hold it. Look whether VRRP passes between them.'
                         % (place, len(claims), ', '.join(claims)))
    agreed = True
    for text in [entry['address']] + [entry[key] for key in ('address6',) if entry.get(key)]:
        address = ipaddress.ip_address(text)
        macs, witnesses = _answers(reports, address, claims)
        seen = ['%s (%s)' % (mac, owners.get(mac, 'no host that reported')) for mac in macs]
        named = place if text == entry['address'] else '%s (%s)' % (entry['name'], text)
        if len(macs) > 1:
            sentences.append('%s: %d hosts answer for it to their neighbours: %s. One of them must let go: restart keepalived there.'
                             % (named, len(macs), ', '.join(seen)))
        elif macs and not claims:
            sentences.append('%s: no host says that it holds it, but %s answers for it. Take the address away there.' % (named, seen[0]))
        elif macs and len(claims) == 1 and owners.get(macs[0]) != claims[0]:
            sentences.append('%s: %s says that it holds it, but %s answers for it. Look at: ip address, on both.'
                             % (named, claims[0], seen[0]))
        elif claims and not macs and witnesses:
            sentences.append('%s: %s says that %s, but nobody answers for it to %s. Look whether frames pass between them.'
                             % (named, ', '.join(claims), 'it holds it' if len(claims) == 1 else 'they hold it', ', '.join(witnesses)))
        elif not witnesses:
            sentences.append('%s: no neighbour asked who answers for it. Run vrrp_info with this address on a host that does not hold it.'
                             % named)
        agreed = agreed and len(macs) == 1
    return (claims[0] if len(claims) == 1 and agreed and not sentences else None), sentences


def verdict(reports, expected):
    """Judge whether each address has exactly one holder, as the nodes say and as their neighbours see it, and whether these agree.

    :param reports: {host: report} of every host that answered. A host that is missing is not known to hold nothing.
    :param expected: list of expected.
    :returns: ``{holders: {name: host or None}, preferred: bool, problems: [str]}``. A holder is named only where everything agrees;
        ``preferred`` says whether each is the first of its holders. Problems hold what :func:`problems` says of single nodes, too.
    """
    owners = {mac: host for host in reports for mac in reports[host].get('macs', {})}
    holders, sentences = {}, []
    hosts = dict.fromkeys(host for entry in expected for host in entry['holders'])
    for host in hosts:
        names = [entry['name'] for entry in expected if host in entry['holders']]
        if host not in reports:
            sentences.append('%s gave no report: whether it holds %s is not known. Look whether the host is up and can be reached.'
                             % (host, ', '.join(names)))
            continue
        known = [instance['name'] for instance in reports[host].get('instances', [])]
        missing = [name for name in names if name not in known]
        if missing:
            sentences.append('%s: keepalived there does not know %s, of which it should be one of the holders. Run site.yml for it.'
                             % (host, ', '.join(missing)))
        sentences.extend('%s: %s' % (host, sentence) for sentence in problems(reports[host].get('instances', [])))
    for entry in expected:
        holders[entry['name']], found = _judge(entry, reports, owners)
        sentences.extend(found)
    return {
        'holders': holders,
        'preferred': all(holders[entry['name']] == entry['holders'][0] for entry in expected),
        'problems': sentences,
    }
