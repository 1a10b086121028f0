"""Print {address: number of hosts that answer an ARP request for it} as JSON, for the IPv4 addresses in the arguments.

The neighbour table knows only the last answer; two holders show only to somebody who waits for all answers.
"""

import fcntl
import json
import socket
import struct
import subprocess
import sys
import time

ARP = 0x0806
SIOCGIFHWADDR = 0x8927


def holders(address):
    route = json.loads(subprocess.check_output(["ip", "-json", "route", "get", address]))[0]
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ARP)) as wire:
        wire.bind((route["dev"], ARP))
        hardware = fcntl.ioctl(wire, SIOCGIFHWADDR, struct.pack("256s", route["dev"].encode()))[18:24]
        wanted = socket.inet_aton(address)
        request = struct.pack("!HHBBH6s4s6s4s", 1, 0x0800, 6, 4, 1, hardware, socket.inet_aton(route["prefsrc"]), bytes(6), wanted)
        wire.send(b"\xff" * 6 + hardware + struct.pack("!H", ARP) + request)
        found, end = set(), time.monotonic() + 0.3
        while (left := end - time.monotonic()) > 0:
            wire.settimeout(left)
            try:
                frame = wire.recv(64)
            except TimeoutError:
                break
            operation, sender, claimed = struct.unpack("!H6s4s", frame[20:32])
            if claimed == wanted and operation == 2:
                found.add(sender)
    return len(found)


print(json.dumps({address: holders(address) for address in sys.argv[1:]}))
