# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The frames are what Linux hosts on one bridge answered; two of them held 192.0.2.201 and 2001:db8::201 at the same time."""

from __future__ import annotations

import ipaddress
import socket

import pytest

from ansible_collections.mail.ha.plugins.module_utils import neighbours

ONE, TWO = '02:00:00:00:00:21', '02:00:00:00:00:22'
ARP_ONE = bytes.fromhex('02000000002302000000002108060001080006040002020000000021c00002c9020000000023c0000217')
ARP_TWO = bytes.fromhex('02000000002302000000002208060001080006040002020000000022c00002c9020000000023c0000217')
ND_ONE = bytes.fromhex('02000000002302000000002186dd6000000000203aff20010db800000000000000000000020120010db8000000000000000000000023'
                       '880086326000000020010db80000000000000000000002010201020000000021')
ND_TWO = bytes.fromhex('02000000002302000000002286dd6000000000203aff20010db800000000000000000000020120010db8000000000000000000000023'
                       '880086316000000020010db80000000000000000000002010201020000000022')
# A multicast listener report, heard in passing.
LISTENER = bytes.fromhex('33330000001602000000002286dd60000000004c0001fe80000000000000000000fffe000022ff0200000000000000000000000000163a00'
                         '0502000001008f00698e0000000304000000ff0200000000000000000001ff00020204000000ff0200000000000000000001ff000201'
                         '04000000ff0200000000000000000001ff000022')
# As `ip -json address` describes the host that asked, cut to what is read.
LINKS = [
    {'ifname': 'lo', 'link_type': 'loopback', 'address': '00:00:00:00:00:00', 'addr_info': [{'local': '127.0.0.1', 'prefixlen': 8}]},
    {'ifname': 'eth0', 'link_type': 'ether', 'address': '02:00:00:00:ff:23', 'addr_info': [{'local': '198.51.100.23', 'prefixlen': 24}]},
    {'ifname': 'eth1', 'link_type': 'ether', 'address': '02:00:00:00:00:23', 'addr_info': [
        {'local': '192.0.2.205', 'prefixlen': 32}, {'local': '192.0.2.23', 'prefixlen': 24},
        {'local': '2001:db8::23', 'prefixlen': 64}, {'local': 'fe80::ff:fe00:23', 'prefixlen': 64}]},
]


@pytest.mark.parametrize('frame, expected', [
    (ARP_ONE, ('192.0.2.201', ONE)),
    (ND_TWO, ('2001:db8::201', TWO)),
    (ND_TWO[:78], ('2001:db8::201', TWO)),  # derived: without the option, the sender of the frame counts
    (neighbours.question('192.0.2.201', ONE, '192.0.2.21'), None),
    (neighbours.question('2001:db8::201', ONE, '2001:db8::21'), None),
    (LISTENER, None),
    (ARP_ONE[:30], None),
    (b'', None),
])
def test_only_answers_are_answers(frame, expected):
    assert neighbours.answer(frame) == expected


def test_the_arp_question():
    assert neighbours.question('192.0.2.201', '02:00:00:00:00:23', '192.0.2.23').hex() == (
        'ffffffffffff' '020000000023' '0806' '0001' '0800' '06' '04' '0001' '020000000023' 'c0000217' '000000000000' 'c00002c9')


def test_the_neighbour_solicitation():
    frame = neighbours.question('2001:db8::a1:b2c3', '02:00:00:00:00:23', '2001:db8::23')
    assert frame[:6].hex() == '3333ffa1b2c3'
    assert str(ipaddress.IPv6Address(frame[38:54])) == 'ff02::1:ffa1:b2c3'
    assert frame[21] == 255
    # With its own checksum in it the sum over a correct message is zero (RFC 1071); and so it is over what a kernel sent.
    for sent in (frame, ND_ONE):
        assert neighbours._checksum(sent[22:54] + b'\0\0\0\x20\0\0\0\x3a' + sent[54:]) == 0


@pytest.mark.parametrize('address, expected', [
    ('192.0.2.201', ('eth1', '02:00:00:00:00:23', '192.0.2.23')),
    ('192.0.2.205', ('eth1', '02:00:00:00:00:23', '192.0.2.23')),  # held by this host: asked for all the same
    ('2001:db8::201', ('eth1', '02:00:00:00:00:23', '2001:db8::23')),
    ('198.51.100.1', ('eth0', '02:00:00:00:ff:23', '198.51.100.23')),
])
def test_the_interface_is_the_one_in_whose_network_the_address_is(address, expected):
    assert neighbours.place(address, LINKS) == expected


class Wire:
    """A stand-in for the raw socket: what is sent goes to `sent`; the answers come at once, through a pipe that select can wait for."""

    def __init__(self, frames, sent):
        self.near, self.far = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        for frame in frames:
            self.far.send(frame)
        self.sent = sent

    def fileno(self):
        return self.near.fileno()

    def send(self, frame):
        self.sent.append(frame)

    def recv(self, size):
        return self.near.recv(size)

    def close(self):
        self.near.close()
        self.far.close()


def test_all_answers_are_kept_for_both_families():
    sent, opened = [], []

    def wire(interface, kind):
        opened.append((interface, kind))
        return Wire([ARP_TWO, ARP_ONE, ARP_TWO] if kind == neighbours.ARP else [LISTENER, ND_ONE, ND_TWO], sent)

    assert neighbours.ask(['192.0.2.201', '2001:db8:0::201', '192.0.2.203'], LINKS, 0.03, wire) == {
        '192.0.2.201': [ONE, TWO], '2001:db8:0::201': [ONE, TWO], '192.0.2.203': []}
    assert opened == [('eth1', neighbours.ARP), ('eth1', neighbours.IPV6)]
    assert len(sent) == 3 * neighbours.REPEATS


@pytest.mark.parametrize('address', ['203.0.113.9', '2001:db8:1::1', 'fe80::ff:fe00:21'])
def test_an_address_of_another_network_is_refused_before_anything_is_sent(address):
    with pytest.raises(neighbours.NeighbourError, match=address + ' is in no network of this host'):
        neighbours.ask(['192.0.2.201', address], LINKS, 0.03, wire=None)
