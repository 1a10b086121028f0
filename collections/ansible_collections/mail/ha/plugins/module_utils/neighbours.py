# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who answers for an address on the local network: ARP (RFC 826) and neighbour discovery (RFC 4861), as frames.

The kernel's neighbour table knows only the last answer. Two holders of one address show only to somebody who asks and then
waits for all answers, so frames are built and read here. A host does not hear itself: what it answers for is not among the answers.
"""

from __future__ import annotations

import ipaddress
import select
import socket
import struct
import time

ARP, IPV6 = 0x0806, 0x86DD  # EtherTypes
ARP_REQUEST, ARP_REPLY = 1, 2
SOLICITATION, ADVERTISEMENT = 135, 136  # ICMPv6 types, RFC 4861 sections 4.3 and 4.4
SOURCE_LINK_LAYER, TARGET_LINK_LAYER = 1, 2  # options, RFC 4861 section 4.6.1
ICMPV6 = 58
REPEATS = 3  # a question or an answer may be lost; RFC 5227 section 2.1.1 asks as often


class NeighbourError(Exception):
    """An address that this host cannot ask its neighbours for; the text says why."""


def mac_text(mac):
    """``b'\\x02...'`` -> ``02:...``."""
    return ':'.join('%02x' % byte for byte in mac)


def place(address, links):
    """Return (interface, own MAC as text, own address) to ask from: the interface in whose network the address is.

    :param address: IPv4 or IPv6 address (str).
    :param links: what ``ip -json address`` says, as data.
    :raises NeighbourError: when no interface has an address in a network with it. A /32 or /128, as keepalived adds them, is no network,
        and a link-local one is the same on every interface.
    """
    wanted = ipaddress.ip_address(address)
    for link in links:
        if link.get('link_type') != 'ether':
            continue
        for entry in link.get('addr_info', []):
            own = ipaddress.ip_interface('%(local)s/%(prefixlen)d' % entry)
            if own.network.num_addresses > 1 and own.ip != wanted and wanted in own.network and not own.is_link_local:
                return link['ifname'], link['address'], entry['local']
    raise NeighbourError('%s is in no network of this host, so there is no neighbour to ask for it' % address)


def _checksum(data):
    """The Internet checksum (RFC 1071) of ``data``, an even number of bytes."""
    total = sum(struct.unpack('!%dH' % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def question(address, mac, source):
    """Return the Ethernet frame (bytes) that asks who has ``address``, from the host with ``mac`` (text) and ``source`` (str)."""
    mac = bytes.fromhex(mac.replace(':', ''))
    wanted, own = ipaddress.ip_address(address).packed, ipaddress.ip_address(source).packed
    if len(wanted) == 4:
        return b'\xff' * 6 + mac + struct.pack('!HHHBBH', ARP, 1, 0x0800, 6, 4, ARP_REQUEST) + mac + own + bytes(6) + wanted
    group = bytes.fromhex('ff0200000000000000000001ff') + wanted[-3:]  # solicited-node multicast, RFC 4291 section 2.7.1
    message = struct.pack('!BBHI', SOLICITATION, 0, 0, 0) + wanted + struct.pack('!BB', SOURCE_LINK_LAYER, 1) + mac
    total = _checksum(own + group + struct.pack('!II', len(message), ICMPV6) + message)
    message = message[:2] + struct.pack('!H', total) + message[4:]
    # Hop limit 255: receivers drop everything else, RFC 4861 section 7.1.1.
    return b'\x33\x33' + group[-4:] + mac + struct.pack('!HIHBB', IPV6, 6 << 28, len(message), ICMPV6, 255) + own + group + message


def answer(frame):
    """Return (address, MAC as text) that an Ethernet frame claims, or None when it is no answer to a question."""
    kind, = struct.unpack_from('!H', frame.ljust(14, b'\0'), 12)
    if kind == ARP and len(frame) >= 42:
        operation, mac, address = struct.unpack_from('!H6s4s', frame, 20)
        return (str(ipaddress.IPv4Address(address)), mac_text(mac)) if operation == ARP_REPLY else None
    if kind == IPV6 and len(frame) >= 78 and frame[20] == ICMPV6 and frame[54] == ADVERTISEMENT:
        mac = frame[6:12]
        # With the option left out the frame's sender is the one; a solicited answer to a multicast has it, RFC 4861 section 7.2.4.
        if len(frame) >= 86 and frame[78] == TARGET_LINK_LAYER:
            mac = frame[80:86]
        return str(ipaddress.IPv6Address(frame[62:78])), mac_text(mac)
    return None


def open_wire(interface, kind):
    """Return a raw socket on ``interface`` for one EtherType; needs root. It sees frames before any packet filter does."""
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(kind))
    wire.bind((interface, kind))
    return wire


def ask(addresses, links, seconds, wire=open_wire):
    """Ask for all ``addresses`` at the same time and collect every answer that comes within ``seconds``.

    :param addresses: IPv4 and IPv6 addresses (list of str).
    :param links: what ``ip -json address`` says, as data.
    :param wire: ``open_wire`` or a stand-in.
    :returns: {address: sorted list of MACs (text)}; an address that nobody answered for has an empty list.
    :raises NeighbourError: for an address in none of this host's networks, before anything is sent.
    """
    found = {str(ipaddress.ip_address(address)): set() for address in addresses}
    questions = {}  # (interface, EtherType) -> frames
    for address in found:
        interface, mac, source = place(address, links)
        questions.setdefault((interface, IPV6 if ':' in address else ARP), []).append(question(address, mac, source))
    wires = {}
    try:
        for key in questions:
            wires[key] = wire(*key)
        end = time.monotonic() + seconds
        for turn in range(REPEATS):
            for key, frames in questions.items():
                for frame in frames:
                    wires[key].send(frame)
            until = end - seconds * (REPEATS - 1 - turn) / REPEATS
            while True:
                ready = select.select(list(wires.values()), [], [], max(0.0, until - time.monotonic()))[0]
                if not ready:
                    break
                for one in ready:
                    address, mac = answer(one.recv(2048)) or (None, None)
                    if address in found:
                        found[address].add(mac)
                # Traffic of others keeps the sockets ready: the clock ends the turn, too.
                if time.monotonic() >= until:
                    break
    finally:
        for one in wires.values():
            one.close()
    return {address: sorted(found[str(ipaddress.ip_address(address))]) for address in addresses}
