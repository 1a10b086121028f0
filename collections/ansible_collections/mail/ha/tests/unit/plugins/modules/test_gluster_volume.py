# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import pytest

from ansible_collections.mail.ha.plugins.module_utils import gluster
from ansible_collections.mail.ha.plugins.modules.gluster_volume import Volume

MEMBERS = ['192.0.2.21', '192.0.2.22', '192.0.2.23']
OK = '<cliOutput><opRet>0</opRet>%s</cliOutput>'


class Cluster:
    """A stand-in for run_command: three glusterds that remember what was done to them. Time passes with each sleep."""

    def __init__(self, volume=False, options=None, known=True):
        self.volume = volume
        self.options = dict(options or {})
        self.peers = list(MEMBERS[1:]) if volume and known else []
        self.commands = []
        self.now = 0
        self.remote_volume = False

    def sleep(self, seconds):
        self.now += seconds

    def run(self, command):
        remote = any(word.startswith('--remote-host') for word in command)
        words = [word for word in command[1:] if not word.startswith('--')]
        if words[:2] not in (['peer', 'status'], ['volume', 'info']):
            self.commands.append(' '.join(words))
        if words[:2] == ['peer', 'status']:
            return 0, OK % '<peerStatus>%s</peerStatus>' % ''.join(
                '<peer><uuid>u</uuid><hostname>%s</hostname><connected>1</connected><state>3</state></peer>' % name for name in self.peers), ''
        if words[:2] == ['peer', 'probe']:
            self.peers.append(words[2])
        if words[:2] == ['volume', 'create']:
            self.volume = True
        if words[:2] == ['volume', 'set']:
            self.options.update(zip(words[3::2], words[4::2]))
        if words[:2] == ['volume', 'info']:
            there = self.remote_volume if remote else self.volume
            return 0, OK % (self.described() if there else ''), ''
        return 0, OK % '', ''

    def described(self):
        return '<volume><name>mail</name><id>00</id><status>1</status><bricks>%s</bricks><options>%s</options></volume>' % (
            ''.join('<brick><name>%s:/b</name></brick>' % member for member in MEMBERS),
            ''.join('<option><name>%s</name><value>%s</value></option>' % item for item in self.options.items()))


def volume(cluster, address=MEMBERS[0], check_mode=False, options=None):
    made = Volume({'name': 'mail', 'address': address, 'members': MEMBERS, 'brick_members': MEMBERS, 'brick_path': '/b',
                   'options': options or {'a': '1'}, 'timeout': 10},
                  check_mode, cluster.run, clock=lambda: cluster.now, sleep=cluster.sleep)
    made.check_brick = lambda found: None  # needs extended attributes of a real brick
    return made


def test_the_first_node_makes_the_volume():
    cluster = Cluster()
    assert volume(cluster).ensure() == ['probe 192.0.2.22', 'probe 192.0.2.23', 'create mail', 'set a=1', 'start mail']
    assert cluster.commands == ['peer probe 192.0.2.22', 'peer probe 192.0.2.23',
                                'volume create mail replica 3 192.0.2.21:/b 192.0.2.22:/b 192.0.2.23:/b force',
                                'volume set mail a 1', 'volume start mail']
    assert volume(cluster).ensure() == []


def test_check_mode_reports_the_steps_and_leaves_nothing():
    cluster = Cluster()
    assert volume(cluster, check_mode=True).ensure() == ['probe 192.0.2.22', 'probe 192.0.2.23', 'create mail', 'set a=1', 'start mail']
    assert cluster.commands == []
    assert not cluster.volume


def test_check_mode_on_a_difference():
    cluster = Cluster(volume=True, options={'a': '1'})
    assert volume(cluster, check_mode=True, options={'a': '2'}).ensure() == ['set a=2']
    assert cluster.options == {'a': '1'}


def test_the_others_wait_for_the_first_and_say_so():
    cluster = Cluster()
    with pytest.raises(gluster.GlusterError, match=r'The first node \(192.0.2.21\) did not create the volume "mail"'):
        volume(cluster, address=MEMBERS[2]).ensure()
    assert cluster.commands == []


def test_a_new_node_that_nobody_lets_in_says_so():
    cluster = Cluster()
    cluster.remote_volume = True
    with pytest.raises(gluster.GlusterError, match='did not accept this node'):
        volume(cluster, address=MEMBERS[0]).ensure()
    assert cluster.commands == []


def test_a_later_node_acts_only_when_those_before_it_did_not():
    cluster = Cluster(volume=True, options={'a': '1'})
    cluster.peers = MEMBERS[:2]
    assert volume(cluster, address=MEMBERS[2], options={'a': '2'}).ensure() == ['set a=2']
    assert cluster.now >= 10


def test_an_error_of_gluster_is_passed_on():
    def run(command):
        return 1, '', 'Connection failed. Please check if gluster daemon is operational.'
    cluster = Cluster()
    cluster.run = run
    with pytest.raises(gluster.GlusterError, match='Connection failed'):
        volume(cluster).ensure()
