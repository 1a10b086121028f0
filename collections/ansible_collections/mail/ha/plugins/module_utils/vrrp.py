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
    """Sentences about what is wrong on one node, from what it says itself; one for each kind, with all that it is true of."""
    kinds = {}
    for entry in instances:
        if entry['good']:
            continue
        if entry['state'] not in ('MASTER', 'BACKUP'):
            kind = 'keepalived is in state %s, expected MASTER or BACKUP. journalctl -u keepalived names the check that fails' % entry['state']
        elif entry['address_present']:
            kind = 'the address is on an interface, though the state is %s. Look at: ip address; journalctl -u keepalived' % entry['state']
        else:
            kind = 'the state is MASTER, but the address is on no interface. Look at: ip address; journalctl -u keepalived'
        kinds.setdefault(kind, []).append('%(name)s (%(address)s)' % entry)
    return ['%s: %s.' % (', '.join(names), kind) for kind, names in kinds.items()]


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
        host for host in sorted(reports) for instance in reports[host]['instances']
        if instance['name'] == entry['name'] and (instance['state'] == 'MASTER' or instance['address_present'])
    ]


def _answers(reports, address, claims):
    """Return (MACs that answer, hosts that asked and do not claim the address themselves)."""
    macs, witnesses = set(), []
    for host in sorted(reports):
        for neighbour in reports[host]['neighbours']:
            if ipaddress.ip_address(neighbour['address']) == address:
                macs.update(neighbour['macs'])
                if host not in claims:
                    witnesses.append(host)
    return sorted(macs), witnesses


def holders_seen(reports, entry):
    """How many hosts hold an address: those that say so, or those that answer for it to neighbours, whichever are more.

    :param reports: {host: report}.
    :param entry: expected.
    """
    claims = _claims(reports, entry)
    return max([len(claims)] + [len(_answers(reports, ipaddress.ip_address(entry[key]), claims)[0])
                                for key in ('address', 'address6') if entry.get(key)])


def _judge(entry, text, reports, owners):
    """Return the sentence about one address of ``entry``, or None when it has one holder in every respect.

    :param entry: expected.
    :param text: its ``address`` or its ``address6``.
    :param owners: {MAC: host} of all hosts that reported.
    """
    claims = _claims(reports, entry)
    macs, witnesses = _answers(reports, ipaddress.ip_address(text), claims)
    place = '%s (%s)' % (entry['name'], text)
    who = ', '.join(claims) if claims else 'none of ' + ', '.join(entry['holders'])
    said = who + (' say that they hold it' if len(claims) > 1 else ' says that it holds it')
    seen = ', '.join('%s (%s)' % (owners.get(mac, 'a host that gave no report'), mac) for mac in macs)
    if len(claims) > 1 or len(macs) > 1:
        return ('%s has %d holders: %s, and %s answer for it to neighbours. Look whether VRRP passes between them; '
                'if it does, restart keepalived where the address must go.'
                % (place, max(len(claims), len(macs)), said, seen or 'none'))
    if not claims and macs:
        return '%s: %s, but %s answers for it. Take the address away there.' % (place, said, seen)
    if not claims:
        return '%s has no holder: %s%s. Look at keepalived there.' % (
            place, said, ', and nobody answers for it' if witnesses else '')
    if macs and owners.get(macs[0]) != claims[0]:
        return '%s: %s, but %s answers for it. Look at: ip address, on both.' % (place, said, seen)
    if not witnesses:
        return '%s: %s, but no other host was asked who answers. Run vrrp_info with arp on one, too.' % (place, said)
    if not macs:
        return '%s: %s, but nobody answers for it to %s. Look whether frames pass between them.' % (
            place, said, ', '.join(witnesses))
    return None


def verdict(reports, expected):
    """Judge whether each address has exactly one holder, as the nodes say and as their neighbours see it, and whether these agree.

    :param reports: {host: report}. A host that is missing, or whose module failed, is not known to hold nothing.
    :param expected: list of expected.
    :returns: ``{holders: {name: host or None}, preferred: bool, problems: [str]}``. A holder is named only where everything agrees;
        ``preferred`` says whether each is the first of its holders, which is no problem in itself. Problems hold what :func:`problems`
        says of single nodes, too, so that a module's own ones need not be added.
    """
    reports = {host: report for host, report in reports.items() if 'instances' in report}
    owners = {mac: host for host in reports for mac in reports[host]['macs']}
    holders, sentences = {}, []
    hosts = dict.fromkeys(host for entry in expected for host in entry['holders'])
    for host in hosts:
        names = [entry['name'] for entry in expected if host in entry['holders']]
        if host not in reports:
            sentences.append('%s gave no report: whether it holds %s is not known. Look whether the host is up and can be reached.'
                             % (host, ', '.join(names)))
            continue
        known = [instance['name'] for instance in reports[host]['instances']]
        missing = [name for name in names if name not in known]
        if missing:
            sentences.append('%s: keepalived there does not know %s, of which it should be one of the holders. Run site.yml for it.'
                             % (host, ', '.join(missing)))
        sentences.extend('%s: %s' % (host, sentence) for sentence in problems(reports[host]['instances']))
    for entry in expected:
        found = [_judge(entry, entry[key], reports, owners) for key in ('address', 'address6') if entry.get(key)]
        claims = _claims(reports, entry)
        holders[entry['name']] = claims[0] if claims and not any(found) else None
        sentences.extend(sentence for sentence in found if sentence)
    return {
        'holders': holders,
        'preferred': all(holders[entry['name']] == entry['holders'][0] for entry in expected),
        'problems': sentences,
    }
