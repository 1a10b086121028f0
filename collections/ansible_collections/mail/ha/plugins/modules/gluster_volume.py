#!/usr/bin/python
# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""One replicated GlusterFS volume, from bare nodes to rebuilt ones."""

from __future__ import annotations

DOCUMENTATION = r'''
---
module: gluster_volume
short_description: A replicated GlusterFS volume over a fixed set of nodes
version_added: 1.0.0
description:
  - Makes the nodes peers, creates and starts one replicated volume, and sets those of its options that differ.
  - Runs on every node at once. As long as the volume exists nowhere only the first of O(members) acts and the others wait for
    it; later, a node acts only when the nodes before it in O(members) did not do so within a few seconds.
  - A node that lost its GlusterFS state (a rebuilt machine) takes back the identity under which the others know it and joins
    them again. An empty brick is then refused, not filled.
  - Never deletes a volume, never moves a brick, never detaches a peer.
options:
  name:
    description: Name of the volume.
    type: str
    required: true
  address:
    description: IP address of this node, one of O(members).
    type: str
    required: true
  members:
    description: IP addresses of all nodes that are to be peers, in an order that is the same on every node.
    type: list
    elements: str
    required: true
  brick_members:
    description: IP addresses of the nodes that hold a copy, three of O(members).
    type: list
    elements: str
    required: true
  brick_path:
    description: Absolute path of the brick directory, the same on every node of O(brick_members).
    type: path
    required: true
  options:
    description:
      - Volume options with their values as strings, as C(gluster volume set) takes them.
      - An option that is not named here is left alone.
    type: dict
    default: {}
  timeout:
    description: How long to wait for the other nodes, in seconds.
    type: int
    default: 120
author:
  - ha-mail (@ha-mail)
attributes:
  check_mode:
    description: Tells what would be done on the strength of what the node's glusterd says, and does nothing.
    support: full
  diff_mode:
    description: The steps are returned as RV(steps) instead.
    support: none
  platform:
    description: GlusterFS 11, glusterd run by systemd.
    support: full
    platforms: posix
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
'''

EXAMPLES = r'''
- name: Create the volume for the mailboxes
  mail.ha.gluster_volume:
    name: mail
    address: 192.0.2.21
    members: [192.0.2.21, 192.0.2.22, 192.0.2.23]
    brick_members: [192.0.2.21, 192.0.2.22, 192.0.2.23]
    brick_path: /var/lib/ha-mail/brick
    options:
      network.ping-timeout: "3"
      cluster.quorum-type: auto
'''

RETURN = r'''
steps:
  description:
    - What this node did, or in check mode would do, in order.
    - Each step is a verb (V(rejoin), V(probe), V(create), V(set), V(start)) and what it applied to.
  returned: always
  type: list
  elements: str
  sample: ["probe 192.0.2.22", "set network.ping-timeout=3"]
'''

import os
import time

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.mail.ha.plugins.module_utils import gluster

GLUSTERD_INFO = '/var/lib/glusterd/glusterd.info'
GLUSTERD_PEERS = '/var/lib/glusterd/peers'
VOLUME_ID = 'trusted.glusterfs.volume-id'
# Seconds that every node leaves the node before it to do what both of them see is due.
GRACE = 5
# Answers that mean "not now": another node holds the cluster lock, or a peer's handshake is under way.
BUSY = gluster.LOCKED + ('please try again', 'not in \'peer in cluster\' state', 'not connected')


class Volume:
    """The steps on one node; ``run`` is AnsibleModule.run_command or a stand-in, and likewise ``clock`` and ``sleep``."""

    def __init__(self, parameters, check_mode, run, clock=time.monotonic, sleep=time.sleep):
        self.parameters = parameters
        self.check_mode = check_mode
        self.run = run
        self.clock = clock
        self.sleep = sleep
        self.name = parameters['name']
        self.address = parameters['address']
        self.members = parameters['members']
        self.bricks = [self.brick_of(member) for member in parameters['brick_members']]
        self.done = []

    def brick_of(self, member):
        """An IPv6 address is written as it is: gluster splits at the last colon before the path."""
        return '%s:%s' % (member, self.parameters['brick_path'])

    # ---- asking ----------------------------------------------------------------------------------------------------------
    def gluster(self, *arguments, remote=None):
        """One call of the CLI; a question to another node goes by --remote-host, which glusterd allows for reading."""
        command = ['gluster', '--mode=script'] + (['--remote-host=' + remote] if remote else []) + ['--xml'] + list(arguments)
        dummy, out, err = self.run(command)
        if not out.strip():
            raise gluster.GlusterError(err.strip() or 'no answer')
        gluster.parse(out)
        return out

    def peers(self, remote=None):
        return gluster.peers(self.gluster('peer', 'status', remote=remote))

    def volume(self, remote=None):
        return gluster.volume(self.gluster('volume', 'info', remote=remote), self.name)

    def keeper(self):
        """Another member that has the volume, or None."""
        for member in self.members:
            if member != self.address:
                try:
                    if self.volume(remote=member):
                        return member
                except gluster.GlusterError:
                    continue  # down, or not deployed yet: the next one may know
        return None

    # ---- acting ----------------------------------------------------------------------------------------------------------
    def act(self, verb, argument, command):
        """Run one step; in check mode, only note it. Repeats while the cluster says it is busy."""
        self.done.append(('%s %s' % (verb, argument)).strip())
        if self.check_mode:
            return
        deadline = self.clock() + self.parameters['timeout']
        while True:
            try:
                self.gluster(*command)
                return
            except gluster.GlusterError as error:
                if self.clock() > deadline or not any(word in str(error).lower() for word in BUSY):
                    raise gluster.GlusterError('gluster %s: %s' % (' '.join(command), error)) from error
            self.sleep(1)

    def wait(self, condition, complaint):
        """Wait until ``condition()`` is true; glusterd may be unable to answer meanwhile."""
        deadline = self.clock() + self.parameters['timeout']
        while True:
            try:
                if condition():
                    return
                last = ''
            except gluster.GlusterError as error:
                last = ' (gluster says: %s)' % error
            if self.clock() > deadline:
                raise gluster.GlusterError('%s within %d s%s' % (complaint, self.parameters['timeout'], last))
            self.sleep(0.5)

    def connected(self):
        found = self.peers()
        return all(
            any(peer['names'][0] == member and peer['connected'] and peer['in_cluster'] for peer in found)
            for member in self.members if member != self.address
        )

    def perform(self, todo):
        """Carry out the steps in order; everything after the probes needs all peers to be connected."""
        probed = False
        for verb, argument in todo:
            if verb == 'probe':
                self.act(verb, argument, ['peer', 'probe', argument])
                probed = True
                continue
            if probed and not self.check_mode:
                self.wait(self.connected, 'Not all of %s became connected peers' % ', '.join(self.members))
                probed = False
            if verb == 'create':
                # "force": the brick directory may lie on the root file system. How large it must be is the site's decision.
                self.act(verb, self.name, ['volume', 'create', self.name, 'replica', str(len(argument))] + argument + ['force'])
            elif verb == 'set':
                words = [word for name in sorted(argument) for word in (name, argument[name])]
                self.act(verb, ' '.join('%s=%s' % (name, argument[name]) for name in sorted(argument)),
                         ['volume', 'set', self.name] + words)
            elif verb == 'start':
                self.act(verb, self.name, ['volume', 'start', self.name])

    def rejoin(self, keeper):
        """Become again the node that the others remember under this node's address.

        The others never stopped counting this node as a peer, so its side has to say the same: its old UUID, and every other
        member as a peer whose handshake is finished. The volume then comes over with the first contact. (A probe would not do:
        it starts a handshake that the others regard as long done, and it gets stuck half way.)
        """
        remembered = self.peers(remote=keeper)
        known = gluster.peer_of(remembered, self.address)
        if known is None:
            return  # a new node: a member of the pool has to probe it
        with open(GLUSTERD_INFO, encoding='ascii') as handle:
            lines = handle.read().splitlines()
        uuids = gluster.uuids(self.members, remembered, self.volume(remote=keeper))
        uuids.pop(self.address)
        if 'UUID=' + known['uuid'] in lines and self.peers():
            return  # the handshake is under way
        self.done.append('rejoin as %s' % known['uuid'])
        if self.check_mode:
            return
        self.systemctl('stop')
        with open(GLUSTERD_INFO, 'w', encoding='ascii') as handle:
            handle.write('\n'.join('UUID=' + known['uuid'] if line.startswith('UUID=') else line for line in lines) + '\n')
        for member, uuid in uuids.items():
            with open(os.path.join(GLUSTERD_PEERS, uuid), 'w', encoding='ascii') as handle:
                handle.write('uuid=%s\nstate=%s\nhostname1=%s\n' % (uuid, gluster.PEER_IN_CLUSTER, member))
        self.systemctl('start')

    def systemctl(self, verb):
        rc, dummy, err = self.run(['systemctl', verb, 'glusterd.service'])
        if rc != 0:
            raise gluster.GlusterError('systemctl %s glusterd.service: %s' % (verb, err.strip()))

    def check_brick(self, found):
        """Refuse an own brick directory that gluster would not start: it lacks the mark of this volume."""
        own = self.brick_of(self.address)
        path = self.parameters['brick_path']
        if own not in self.bricks or found is None:
            return
        try:
            mark = os.getxattr(path, VOLUME_ID).hex()
        except OSError:
            mark = None
        if mark == found['id'].replace('-', ''):
            return
        if mark:
            raise gluster.GlusterError('%s belongs to another volume (id %s, expected %s). Look what is in it before anything else.'
                                       % (path, mark, found['id']))
        raise gluster.GlusterError(
            '%s should hold a copy of the mail, but does not carry the mark of volume "%s" (it has %d entries). If its file system is not '
            'mounted, mount it and run again. If the disk is new, this copy has to be made anew by hand; this role does not do that. '
            'The other two copies carry on meanwhile.' % (path, self.name, len(os.listdir(path)) if os.path.isdir(path) else 0))

    # ---- the whole -------------------------------------------------------------------------------------------------------
    def join(self):
        """Get to know the volume: from the others where they have it, or by making it together."""
        keeper = self.keeper()
        if keeper:
            self.rejoin(keeper)
            if not self.check_mode:
                self.wait(self.volume, '%s has the volume "%s" but did not accept this node (%s). Run the playbook for all nodes of the '
                                       'store: a node that is in it has to let this one in. They did not' % (keeper, self.name, self.address))
        elif self.address == self.members[0]:
            self.perform(self.missing())
        elif not self.check_mode:
            self.wait(self.volume, 'The first node (%s) did not create the volume "%s". See its own message. Nothing appeared here'
                                   % (self.members[0], self.name))

    def missing(self):
        return gluster.steps(self.address, self.members, self.bricks, self.parameters['options'], self.peers(), self.volume())

    def ensure(self):
        """Bring this node to the wanted state and return the steps that it took."""
        if self.volume() is None:
            self.join()
        if self.volume() is None:
            return self.done  # check mode only
        if self.missing() and not self.check_mode:
            patience = self.clock() + GRACE * self.members.index(self.address)
            while self.missing() and self.clock() < patience:
                self.sleep(0.5)
        self.perform(self.missing())
        self.check_brick(self.volume())
        return self.done


def main():
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            'name': {'type': 'str', 'required': True},
            'address': {'type': 'str', 'required': True},
            'members': {'type': 'list', 'elements': 'str', 'required': True},
            'brick_members': {'type': 'list', 'elements': 'str', 'required': True},
            'brick_path': {'type': 'path', 'required': True},
            'options': {'type': 'dict', 'default': {}},
            'timeout': {'type': 'int', 'default': 120},
        },
        supports_check_mode=True,
    )
    address, members = module.params['address'], module.params['members']
    for wrong in [address] + module.params['brick_members']:
        if wrong not in members:
            module.fail_json(msg='%s is not one of the members %s.' % (wrong, ', '.join(members)))
    # Values may come as numbers or booleans from YAML; gluster knows strings only.
    module.params['options'] = {
        name: {True: 'on', False: 'off'}[value] if isinstance(value, bool) else str(value)
        for name, value in module.params['options'].items()
    }
    volume = Volume(module.params, module.check_mode, module.run_command)
    try:
        done = volume.ensure()
    except gluster.GlusterError as error:
        module.fail_json(msg='GlusterFS on %s: %s' % (address, error), steps=volume.done, changed=bool(volume.done))
    module.exit_json(changed=bool(done), steps=done)


if __name__ == '__main__':
    main()
