# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""What ``gluster --xml`` says, as plain data, and what has to be done about it. Pure functions; what asks is given the runner.

Shapes::

    peer    {uuid, names: [str], connected: bool, in_cluster: bool}     names[0] is the one glusterd connects to
    volume  {id, started: bool, bricks: [{name: 'host:/path', uuid}], options: {name: value}}
    service {name: 'host:/path' or 'self-heal daemon', uuid, online: bool}
    heal    {name: 'host:/path', connected: bool, pending: int, split_brain: int}
    state   {problems: [str], options: {name: value}, bricks: [{name, online: bool}], quorum: {needed: int, online: int, met: bool},
             pending: int, split_brain: int}

The element names are those of the XML output of GlusterFS 11.1.
"""

from __future__ import annotations

import random
import time
from xml.etree import ElementTree

# <state> of a peer that has finished its handshake ("Peer in Cluster").
PEER_IN_CLUSTER = '3'
SELF_HEAL_DAEMON = 'self-heal daemon'

# Answers that mean that another node asks at this moment: they all ask at the same time when a cluster is judged.
LOCKED = ('another transaction is in progress', 'locking failed')
TRIES = 10


class GlusterError(Exception):
    """gluster answered that it could not do it; the text is gluster's own reason."""


def parse(text):
    """The root element of one answer. Raises GlusterError when the answer is an error or no XML at all."""
    try:
        root = ElementTree.fromstring(text.strip())
    except ElementTree.ParseError as error:
        raise GlusterError(text.strip() or 'no answer') from error
    if root.findtext('opRet') != '0':
        raise GlusterError(root.findtext('opErrstr') or root.findtext('output') or 'error %s without a reason' % root.findtext('opErrno'))
    return root


def peers(text):
    """``gluster --xml peer status`` -> [peer]. The answering node itself is not among them."""
    return [
        {
            'uuid': peer.findtext('uuid'),
            'names': _distinct([peer.findtext('hostname')] + [name.text for name in peer.findall('hostnames/hostname')]),
            'connected': peer.findtext('connected') == '1',
            'in_cluster': peer.findtext('state') == PEER_IN_CLUSTER,
        }
        for peer in parse(text).iter('peer')
    ]


def volume(text, name):
    """``gluster --xml volume info`` -> volume, or None when there is no volume of that name."""
    for element in parse(text).iter('volume'):
        if element.findtext('name') == name:
            return {
                'id': element.findtext('id'),
                'started': element.findtext('status') == '1',
                'bricks': [
                    {'name': brick.findtext('name'), 'uuid': brick.findtext('hostUuid')}
                    for brick in element.findall('bricks/brick')
                ],
                'options': {
                    option.findtext('name'): option.findtext('value') or ''
                    for option in element.findall('options/option')
                },
            }
    return None


def services(text):
    """``gluster --xml volume status NAME`` -> [service]: bricks and self-heal daemons of the nodes that answered."""
    found = []
    for node in parse(text).iter('node'):
        if node.find('hostname') is None:
            continue
        host, path = node.findtext('hostname'), node.findtext('path')
        daemon = host == 'Self-heal Daemon'
        found.append({
            'name': SELF_HEAL_DAEMON if daemon else '%s:%s' % (host, path),
            'uuid': node.findtext('peerid'),
            'online': node.findtext('status') == '1',
        })
    return found


def heals(text):
    """``gluster --xml volume heal NAME info summary`` -> [heal]. A brick that cannot be asked has 0 entries, not connected."""
    return [
        {
            'name': brick.findtext('name'),
            'connected': brick.findtext('status') == 'Connected',
            'pending': _number(brick.findtext('numberOfEntriesInHealPending')),
            'split_brain': _number(brick.findtext('numberOfEntriesInSplitBrain')),
        }
        for brick in parse(text).iter('brick')
    ]


def peer_of(found_peers, address):
    """The peer that is known under this address, or None."""
    for peer in found_peers:
        if address in peer['names']:
            return peer
    return None


def uuids(members, found_peers, found_volume):
    """{address: uuid} of the members as one of them tells it: its peers, and itself as the host of a brick."""
    known = {}
    for member in members:
        peer = peer_of(found_peers, member)
        if peer is not None:
            known[member] = peer['uuid']
    for brick in found_volume['bricks']:
        known.setdefault(brick['name'].rpartition(':')[0], brick['uuid'])
    return known


def steps(address, members, bricks, options, found_peers, found_volume):
    """What this node has to do, in order: [(verb, argument)]. Nothing to do is the empty list.

    ``address`` is this node's own, ``members`` are all nodes' addresses, ``bricks`` is [``address:/path``] in replica order.

    A peer is probed until its address is the name glusterd connects to: the node that was probed first knows the other
    by whatever name its address resolves to backwards, and that name may be gone when it is needed.

    Raises GlusterError for a difference that must not be repaired by itself.
    """
    todo = [
        ('probe', member)
        for member in members
        if member != address and not any(peer['names'][0] == member for peer in found_peers)
    ]
    if found_volume is None:
        return todo + [('create', list(bricks)), ('set', dict(options)), ('start', None)]
    present = [brick['name'] for brick in found_volume['bricks']]
    if sorted(present) != sorted(bricks):
        raise GlusterError(
            'The volume has the bricks %s, but the inventory asks for %s. Mail is never moved between bricks by a playbook run: '
            'either put the old members back into the inventory, or move them by hand with "gluster volume replace-brick".'
            % (', '.join(present), ', '.join(bricks))
        )
    different = {
        name: value for name, value in options.items() if found_volume['options'].get(name) != value
    }
    if different:
        todo.append(('set', different))
    if not found_volume['started']:
        todo.append(('start', None))
    return todo


def problems(address, members, bricks, found_peers, found_volume, found_services, found_heals):
    """Everything that keeps the volume from being healthy, as sentences; the empty list means healthy."""
    if found_volume is None:
        return ['this node knows no such volume']
    told = []
    if not found_volume['started']:
        told.append('the volume is not started')
    for member in members:
        if member == address:
            continue
        peer = peer_of(found_peers, member)
        if peer is None:
            told.append('%s is not a peer' % member)
        elif not peer['in_cluster']:
            told.append('the handshake with %s is not finished or was rejected' % member)
        elif not peer['connected']:
            told.append('%s is not connected' % member)
    online = [service['name'] for service in found_services if service['online']]
    told += ['brick %s is not online' % brick for brick in bricks if brick not in online]
    if found_volume['started'] and SELF_HEAL_DAEMON not in online:
        told.append('no self-heal daemon is online')
    if online and not found_heals:
        told.append('nobody says what waits to be healed')
    for heal in found_heals:
        if not heal['connected'] and heal['name'] in online:
            told.append('what waits to be healed on %s is not known' % heal['name'])
        if heal['split_brain']:
            told.append('%d files in split-brain on %s' % (heal['split_brain'], heal['name']))
        if heal['pending']:
            told.append('%d files wait to be healed according to %s' % (heal['pending'], heal['name']))
    return told


def quorum(bricks, found_services):
    """Whether enough bricks are online for writes, as ``cluster.quorum-type auto`` counts: more than half of them (Gluster
    documentation, "Client quorum"; its exception for even numbers is left out, three copies being the rule here)."""
    online = {service['name'] for service in found_services if service['online']}
    needed, present = len(bricks) // 2 + 1, sum(brick in online for brick in bricks)
    return {'needed': needed, 'online': present, 'met': present >= needed}


def state(parameters, run, sleep=time.sleep):
    """Ask this node's glusterd for everything about a volume -> state.

    :param parameters: {name, address, members: [address], brick_members: [address], brick_path}.
    :param run: AnsibleModule.run_command or a stand-in: a list of str -> (exit code, standard output, standard error).
    """
    def ask(*arguments):
        for dummy in range(TRIES):
            dummy, out, err = run(['gluster', '--mode=script', '--xml'] + list(arguments))
            answer = out if out.strip() else err
            if not any(word in answer.lower() for word in LOCKED):
                break
            sleep(random.uniform(0.2, 1.0))
        return answer

    name = parameters['name']
    bricks = ['%s:%s' % (member, parameters['brick_path']) for member in parameters['brick_members']]
    found_volume, found_services, found_heals = None, [], []
    try:
        found_peers = peers(ask('peer', 'status'))
        found_volume = volume(ask('volume', 'info'), name)
        if found_volume and found_volume['started']:
            found_services = services(ask('volume', 'status', name))
        # Asking for heals mounts the volume for a moment, which cannot work without a brick.
        if any(service['online'] for service in found_services):
            found_heals = heals(ask('volume', 'heal', name, 'info', 'summary'))
        told = problems(parameters['address'], parameters['members'], bricks, found_peers, found_volume, found_services, found_heals)
    except GlusterError as error:
        told = ['glusterd gave no useful answer: %s' % error]
    online = {service['name'] for service in found_services if service['online']}
    return {
        'problems': told,
        'options': found_volume['options'] if found_volume else {},
        'bricks': [{'name': brick, 'online': brick in online} for brick in bricks],
        'quorum': quorum(bricks, found_services),
        'pending': max([heal['pending'] for heal in found_heals], default=0),
        'split_brain': max([heal['split_brain'] for heal in found_heals], default=0),
    }


def _number(text):
    """A counter; ``-`` stands for a brick that could not be asked."""
    return int(text) if text and text.isdigit() else 0


def _distinct(names):
    return list(dict.fromkeys(name for name in names if name))
