"""A pair of VyOS 1.4, as docs.vyos.io and the sources of its command line describe it: candidates, commit, commit-confirm by a timer, save, VRRP,
conntrack-sync. Knows the part of the configuration that a firewall needs and calls everything else not valid.
"""

import ipaddress
import re
import socket

from simulator import server

USER = server.ACCOUNT[0]
VALUELESS, MULTI = "valueless", "multi"


def _number(low, high):
    return lambda text: text.isdigit() and low <= int(text) <= high


def _word(pattern):
    return lambda text: re.fullmatch(pattern, text) is not None


def _network(version, exclude=False, single=False):
    def check(text):
        if exclude and text.startswith("!"):
            text = text[1:]
        try:
            found = ipaddress.ip_network(text)  # strict, as the validators of VyOS are
        except ValueError:
            return False
        return found.version == version and (not single or "/" not in text)
    return check


def _ports(text):
    spans = [span.split("-") for span in text.split(",")]
    return all(len(span) <= 2 and all(_number(1, 65535)(end) for end in span) and int(span[0]) <= int(span[-1]) for span in spans)


class Leaf:
    """A value, several values, or none."""

    def __init__(self, check=None, kind="", told="Value is not valid"):
        self.check, self.kind, self.told = check, kind, told


class Tag:
    """Nodes with names of the user's."""

    def __init__(self, check, children, told="Name is not valid"):
        self.check, self.children, self.told = check, children, told


NAME = _word(r"[a-zA-Z0-9][\w\-\.]*")
TEXT = _word(r".{0,255}")
FLAG = Leaf(kind=VALUELESS)
RULE = _number(1, 999999)
INTERFACE = Leaf(_word(r"!?[A-Za-z][\w.*-]{0,14}"))
PROTOCOL = Leaf(_word(r"!?(all|tcp|udp|tcp_udp|icmp|ipv6-icmp|vrrp|esp|gre|\d{1,3})"))


def _rule(version):
    end = {"address": Leaf(_network(version, exclude=True)), "port": Leaf(_ports), "group": {"network-group": Leaf(_word(r"!?[\w.-]+"))}}
    return {
        "action": Leaf(_word("accept|continue|jump|reject|return|drop|queue|offload|synproxy")), "description": Leaf(TEXT), "disable": FLAG, "log": FLAG,
        "jump-target": Leaf(NAME), "protocol": PROTOCOL, "state": Leaf(_word("established|invalid|new|related"), MULTI),
        "limit": {"rate": Leaf(_word(r"\d+/(second|minute|hour|day)")), "burst": Leaf(_number(0, 4294967295))},
        "recent": {"count": Leaf(_number(1, 255)), "time": Leaf(_word("second|minute|hour"))}, "source": end, "destination": end,
        "inbound-interface": {"name": INTERFACE, "group": Leaf(_word(r"!?[\w.-]+"))},
        "outbound-interface": {"name": INTERFACE, "group": Leaf(_word(r"!?[\w.-]+"))}}


def _family(version):
    rules = Tag(RULE, _rule(version), "Firewall rule number must be between 1 and 999999")
    base = {"filter": {"default-action": Leaf(_word("drop|accept")), "default-log": FLAG, "rule": rules}}
    return {"forward": base, "input": base, "output": base, "name": Tag(NAME, {
        "default-action": Leaf(_word("drop|jump|reject|return|accept|continue")), "default-log": FLAG, "description": Leaf(TEXT), "rule": rules})}


_NAT_END = {"address": Leaf(_network(4, exclude=True)), "port": Leaf(_ports), "group": {"network-group": Leaf(_word(r"!?[\w.-]+"))}}
_NAT66_END = {"prefix": Leaf(lambda text: "/" in text and _network(6, exclude=True)(text)), "port": Leaf(_ports)}
SCHEMA = {
    "firewall": {
        "group": {
            "network-group": Tag(NAME, {"network": Leaf(_network(4), MULTI), "description": Leaf(TEXT)}),
            "ipv6-network-group": Tag(NAME, {"network": Leaf(_network(6), MULTI), "description": Leaf(TEXT)}),
            "interface-group": Tag(NAME, {"interface": Leaf(_word(r"\S+"), MULTI), "description": Leaf(TEXT)})},
        "ipv4": _family(4), "ipv6": _family(6)},
    "nat": {"source": {"rule": Tag(RULE, {
        "description": Leaf(TEXT), "exclude": FLAG, "log": FLAG, "protocol": PROTOCOL, "source": _NAT_END, "destination": _NAT_END,
        "outbound-interface": {"name": INTERFACE}, "translation": {"address": Leaf(lambda text: text == "masquerade" or _network(4)(text))}},
        "NAT rule number must be between 1 and 999999")}},
    "nat66": {"source": {"rule": Tag(RULE, {
        "description": Leaf(TEXT), "exclude": FLAG, "log": FLAG, "protocol": PROTOCOL, "source": _NAT66_END, "destination": _NAT66_END,
        "outbound-interface": {"name": INTERFACE}, "translation": {"address": Leaf(lambda text: text == "masquerade" or _network(6)(text))}},
        "NAT66 rule number must be between 1 and 999999")}},
    "high-availability": {"vrrp": {"group": Tag(NAME, {
        "interface": INTERFACE, "vrid": Leaf(_number(1, 255)), "priority": Leaf(_number(1, 255)), "no-preempt": FLAG, "address": Leaf(_word(r"\S+"), MULTI),
        "disable": FLAG}), "sync-group": Tag(NAME, {"member": Leaf(NAME, MULTI)})}},
}


def _words(text):
    """Words of a command, as the shell splits them."""
    return [re.sub("'", "", word) for word in re.findall(r"(?:'[^']*'|[^\s'])+", text)]


def _place(path):
    """``(leaf or None, whether it is complete, error)`` for a path."""
    node, seen, index = SCHEMA, [], 0
    while index < len(path):
        word = path[index]
        if isinstance(node, dict):
            if word not in node:
                return None, False, f"Configuration path: {' '.join(seen)} [{word}] is not valid".replace(":  [", ": [")
            node = node[word]
        elif isinstance(node, Tag):
            if not node.check(word):
                return None, False, f"{node.told}\n  Value validation failed"
            node = node.children
        else:
            if node.kind == VALUELESS:
                return None, False, f"Configuration path: {' '.join(seen)} [{word}] is not valid"
            if not node.check(word):
                return None, False, f"{node.told}\n  Value validation failed"
            if index != len(path) - 1:
                return None, False, f"Configuration path: {' '.join(seen + [word])} [{path[index + 1]}] is not valid"
            return node, True, ""
        seen.append(word)
        index += 1
    return (node, node.kind == VALUELESS, "") if isinstance(node, Leaf) else (None, True, "")


class Settings(set):
    """A configuration: paths, each of which ends in a value or in a node without one."""

    def put(self, path):
        """Set something; return what is wrong with it."""
        leaf, complete, error = _place(path)
        if error or not complete:
            return error or f"Configuration path: [{' '.join(path)}] is not valid"
        if path in self:
            return ""
        if leaf is not None and leaf.kind == "":
            self.difference_update([old for old in self if old[:-1] == path[:-1]])
        self.add(path)
        return ""

    def under(self, path):
        """What is at a node and below."""
        return {found for found in self if found[: len(path)] == path}

    def value(self, *path):
        """The value at a node, or None."""
        return next((found[-1] for found in self if found[:-1] == path), None)

    def children(self, *path):
        """Names below a node."""
        return sorted({found[len(path)] for found in self if found[: len(path)] == path and len(found) > len(path)})

    def commands(self):
        """Text, as "show configuration commands" has it: names sorted, values in quotes."""
        return [line for _path, line in sorted(
            (path, "set " + (" ".join(path) if self.bare(path) else f"{' '.join(path[:-1])} '{path[-1]}'")) for path in self)]

    @staticmethod
    def bare(path):
        """Whether a path ends in a node."""
        leaf, _complete, _error = _place(path)
        return (leaf is None and path[0] in SCHEMA) or (leaf is not None and leaf.kind == VALUELESS) or path[-1] == "<node>"

    def problem(self):
        """``(node, text)`` that a commit fails with, or None."""
        for family, words, net in (("ipv4", "icmp", "network-group"), ("ipv6", "ipv6-icmp", "ipv6-network-group")):
            for chain in [("forward", "filter"), ("input", "filter")] + [("name", name) for name in self.children("firewall", family, "name")]:
                for number in self.children("firewall", family, *chain, "rule"):
                    told = self._rule_problem(("firewall", family, *chain, "rule", number), family, words, net)
                    if told:
                        return "firewall", told
        for node in ("nat", "nat66"):
            for number in self.children(node, "source", "rule"):
                rule = (node, "source", "rule", number)
                if self.value(*rule, "translation", "address") is None and (*rule, "exclude") not in self:
                    return f"{node} source rule {number}", "translation requires address and/or port"
                if self.value(*rule, "destination", "port") and self.value(*rule, "protocol") not in ("tcp", "udp", "tcp_udp"):
                    return f"{node} source rule {number}", "ports can only be specified when protocol is either tcp, udp or tcp_udp!"
                group = self.value(*rule, "source", "group", "network-group")
                if group and not self.under(("firewall", "group", "network-group", group.lstrip("!"))):
                    return f"{node} source rule {number}", f'Invalid network-group "{group}" on nat rule'
        return None

    def _rule_problem(self, rule, family, icmp, net):
        action, protocol = self.value(*rule, "action"), self.value(*rule, "protocol")
        if action is None:
            return "Rule action must be defined"
        target = self.value(*rule, "jump-target")
        if (action == "jump") != (target is not None):
            return ("Action set to jump, but no jump-target specified" if action == "jump" else
                    "jump-target defined, but action jump needed and it is not defined")
        if target and not self.under(("firewall", family, "name", target)):
            return f"Invalid jump-target. Firewall {family} name {target} does not exist on the system"
        if len(self.children(*rule, "recent")) == 1:
            return 'Recent "count" and "time" values must be defined'
        if protocol in ("icmp", "ipv6-icmp") and protocol != icmp:
            return f"Cannot match {protocol} on {family}"
        for side in ("source", "destination"):
            group = self.value(*rule, side, "group", "network-group")
            if group and not self.under(("firewall", "group", net, group.lstrip("!"))):
                return f'Invalid {net} "{group}" on firewall rule'
            if group and self.value(*rule, side, "address"):
                return f"{net} and address cannot both be defined"
            if self.value(*rule, side, "port") and protocol not in ("tcp", "udp", "tcp_udp"):
                return "Protocol must be tcp, udp, or tcp_udp when specifying a port or port-group"
        for way in ("inbound-interface", "outbound-interface"):
            group = self.value(*rule, way, "group")
            if group and not self.under(("firewall", "group", "interface-group", group.lstrip("!"))):
                return f'Invalid interface group "{group}" on firewall rule'
        return None


FOREIGN = """
firewall group network-group partners network 203.0.113.128/25
firewall group network-group ha-mailers network 203.0.113.200/32
firewall ipv4 forward filter default-action accept
firewall ipv4 forward filter rule 100 action accept
firewall ipv4 forward filter rule 100 description 'guests to the world'
firewall ipv4 forward filter rule 100 inbound-interface name eth7
firewall ipv4 input filter default-action drop
firewall ipv4 input filter rule 10 action accept
firewall ipv4 input filter rule 10 source address 198.51.100.0/24
nat source rule 100 outbound-interface name wan0
nat source rule 100 translation address masquerade
high-availability vrrp group outside interface wan0
high-availability vrrp group outside no-preempt
high-availability vrrp group outside vrid 10
high-availability vrrp group outside address 203.0.113.250/24
high-availability vrrp group inside interface dmz0
high-availability vrrp group inside no-preempt
high-availability vrrp group inside vrid 20
high-availability vrrp group inside address 192.0.2.1/24
high-availability vrrp sync-group pair member inside
high-availability vrrp sync-group pair member outside
interfaces ethernet eth0 address 198.51.100.2/24
service conntrack-sync interface eth2
"""


class Vyos(server.Device):
    """One member."""

    def __init__(self, name, master):
        super().__init__(name)
        self.running = Settings(tuple(_words(line)) for line in FOREIGN.splitlines() if line)
        self.running.add(("system", "host-name", name))
        self.running.add(("high-availability", "vrrp", "group", "outside", "priority", "200" if master else "100"))
        self.running.add(("high-availability", "vrrp", "group", "inside", "priority", "200" if master else "100"))
        self.saved = Settings(self.running)
        self.previous = Settings(self.running)  # the newest revision in the archive
        self.action = "reboot"  # what commit-confirm does in the end, or "reload"
        self.due = None
        self.master, self.states = master, {}
        self.linked, self.received = True, 1000
        self.links = {"wan0": "u/u", "dmz0": "u/u", "eth0": "u/u", "eth2": "u/u"}
        self.candidates = {}  # terminal: (what it began with, what it is now)

    # ---- the terminal

    def _session(self, client):
        # Hundreds of short lines: do not wait to send more at once.
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super()._session(client)

    def login(self, terminal):
        terminal.write("Welcome to VyOS!\n\nCheck out project news at https://blog.vyos.io\nand feel free to report bugs at https://vyos.dev\n\n")

    def logout(self, terminal):
        self.candidates.pop(terminal, None)

    def prompt(self, terminal):
        return f"[edit]\n{USER}@{self.name}# " if terminal in self.candidates else f"{USER}@{self.name}:~$ "

    def unknown(self, command):
        return f"\n  Invalid command: [{command.split()[0]}]\n\n"

    def answer(self, terminal, command):
        if terminal in self.candidates:
            return self._configure(terminal, command)
        command, pipe, filtering = command.partition(" | ")
        said = self._operate(terminal, command)
        if said is None or not pipe:
            return said
        pattern = re.fullmatch(r"grep -E '([^']*)'", filtering)
        if pattern is None:
            return "bash: syntax error near unexpected token `|'\n"
        return "".join(line + "\n" for line in said.splitlines() if re.search(pattern[1], line))

    def _operate(self, terminal, command):
        words = command.split()
        if command == "configure":
            self.candidates[terminal] = (Settings(self.running), Settings(self.running))
            return ""
        if words[0] in ("exit", "logout"):
            return None
        if re.fullmatch(r"set terminal (width|length) \d+", command):
            return ""
        if command == "systemctl show commit-confirm.timer --property=ActiveState,NextElapseUSecMonotonic --no-pager":
            return "NextElapseUSecMonotonic=%s\nActiveState=%s\n" % ((_span(self.due), "active") if self.due else ("infinity", "inactive"))
        shown = {
            "show version": self._version, "show vrrp": self._vrrp, "show interfaces": self._interfaces, "show conntrack-sync statistics": self._statistics,
            "show configuration commands": lambda: "\n".join(self.running.commands()) + "\n",
            "vyos-config-to-commands /config/config.boot": lambda: "\n".join(self.saved.commands()) + "\n",
            "cat /proc/uptime": lambda: f"{self.now():.2f} {2 * self.now():.2f}\n", "restart vrrp": self._restart}.get(command)
        return shown() if shown else f"\n  Invalid command: {' '.join(words[:-1])} [{words[-1]}]\n\n".replace(":  [", ": [")

    def _configure(self, terminal, command):
        words = tuple(_words(command))
        base, candidate = self.candidates[terminal]
        if words[0] in ("set", "delete"):
            return self._edit(candidate, words)
        if command in ("exit", "exit discard"):
            if command == "exit" and candidate != base:
                return "Cannot exit: configuration modified.\nUse 'exit discard' to discard the changes and exit.\n"
            del self.candidates[terminal]
            return "" if self.running == self.saved else "Warning: configuration changes have not been saved.\n"
        if command == "compare saved":
            changed = sorted(candidate ^ self.saved)
            return "".join(f"[{' '.join(path[:-1])}]\n{'+' if path in candidate else '-'} {path[-1]}\n" for path in changed) or (
                "No changes between working and saved configurations.\n\n")
        if command == "save":
            self.saved = Settings(self.running)
            return "Saving configuration to '/config/config.boot'...\nDone\n"
        if command == "confirm":
            if self.due is None:
                return "No confirm pending\n"
            self.due, self.previous = None, Settings(self.running)
            return "Reboot timer stopped\n" if self.action == "reboot" else "Reload timer stopped\n"
        if command == "commit":
            said = self._commit(terminal)
            if "failed" not in said:
                self.previous = Settings(self.running)
            return said
        if re.fullmatch(r"commit-confirm \d+", command):
            return self._commit_confirm(terminal, int(words[1]))
        return self.unknown(command)

    @staticmethod
    def _edit(candidate, words):
        verb, path = words[0], words[1:]
        if verb == "set":
            told = candidate.put(path)
            return f"\n  {told}\n  Set failed\n\n" if told else ""
        _leaf, _complete, error = _place(path)
        if error:
            return f"\n  {error}\n  Delete failed\n\n"
        found = candidate.under(path)
        candidate.difference_update(found)
        return "" if found else "\n  Nothing to delete (the specified node does not exist)\n\n"

    # ---- commit

    def _commit(self, terminal):
        base, candidate = self.candidates[terminal]
        if base == candidate:
            return "No configuration changes to commit\n"
        merged = Settings((self.running - (base - candidate)) | (candidate - base))
        problem = merged.problem()
        if problem:
            return f"{problem[1]}\n\n[[{problem[0]}]] failed\nCommit failed\n"
        self.running = merged
        self.candidates[terminal] = (Settings(merged), Settings(merged))
        self._contest()
        return ""

    def _commit_confirm(self, terminal, minutes):
        base, candidate = self.candidates[terminal]
        if base == candidate:
            return "No configuration changes to commit\n"
        if self.due is not None:
            return "Another confirm is pending\n"
        warning = "\nYou should save previous commits before commit-confirm !\n" if self.running != self.saved else ""
        word = "reboot" if self.action == "reboot" else "reload previous config"
        said = terminal.read(f"{warning}\ncommit-confirm will automatically {word} in {minutes} minutes unless changes\nare confirmed.\n\nProceed ? [Y/n] ")
        if said not in ("", "y", "Y", "yes"):
            return "commit-confirm canceled\n"
        # The timer runs before the commit, and goes on if that fails.
        self.due = self.now() + 60 * minutes
        return f"Initialized commit-confirm; {minutes} minutes to confirm before {self.action}\n" + self._commit(terminal)

    def tick(self):
        if self.due is not None and self.now() >= self.due:
            if self.action == "reload":
                self.due, self.running = None, Settings(self.previous)
                self._contest()
            else:
                self.reboot()

    def reboot(self):
        self.due = None
        self.running, self.previous = Settings(self.saved), Settings(self.saved)
        self.candidates.clear()
        self._yield()
        for transport in list(self._transports):
            transport.close()

    # ---- VRRP

    def _groups(self):
        return self.running.children("high-availability", "vrrp", "group")

    def _priority(self):
        return min(int(self.running.value("high-availability", "vrrp", "group", group, "priority") or 100) for group in self._groups())

    def _preempts(self):
        return all(("high-availability", "vrrp", "group", group, "no-preempt") not in self.running for group in self._groups())

    def _yield(self):
        """Say goodbye: the other one takes over, if it is there."""
        if self.peer.alive:
            self.master, self.peer.master = False, True
            self._contest()

    def _contest(self):
        """A higher priority wins where nothing keeps it from that."""
        for one, other in ((self, self.peer), (self.peer, self)):
            if one.alive and not one.master and one._preempts() and one._priority() > other._priority():
                one.master, other.master = True, False

    def _restart(self):
        if not self._groups():
            return "Service vrrp is not configured!\n"
        if self.master:
            self._yield()
        return ""

    def power(self, on):
        super().power(on)
        self.master = not self.peer.alive
        if not on and self.peer.alive:
            self.peer.master = True

    # ---- what it shows

    def _version(self):
        return ("Version:          VyOS 1.4.0\nRelease train:    sagitta\nRelease flavor:   generic\n\nBuilt by:         autobuild@vyos.net\n"
                "Built on:         Tue 04 Jun 2024 09:00 UTC\n\nArchitecture:     x86_64\nBoot via:         installed image\nSystem type:      KVM guest\n\n"
                "Hardware vendor:  QEMU\nHardware model:   Standard PC (Q35 + ICH9, 2009)\nHardware S/N:     \nHardware UUID:    Unknown\n\n"
                "Copyright:        VyOS maintainers and contributors\n")

    def _vrrp(self):
        if not self._groups():
            return "VRRP not configured!\n"
        rows = ["Name     Interface      VRID  State      Priority  Last Transition", "-------  -----------  ------  -------  ----------  -----------------"]
        for name in self._groups():
            group = ("high-availability", "vrrp", "group", name)
            state = self.states.get(name) or ("MASTER" if self.master else "BACKUP")
            rows.append(f"{name:<7}  {self.running.value(*group, 'interface'):<11}  {self.running.value(*group, 'vrid'):>6}  {state:<7}  "
                        f"{self.running.value(*group, 'priority') or 100:>10}  2h15m4s")
        return "\n".join(rows) + "\n"

    def _interfaces(self):
        rows = ["Codes: S - State, L - Link, u - Up, D - Down, A - Admin Down",
                "Interface    IP Address        MAC                VRF        MTU  S/L    Description",
                "-----------  ----------------  -----------------  -------  -----  -----  -------------"]
        rows += [f"{name:<11}  198.51.100.2/24   52:54:00:00:00:0{index}  default   1500  {state}" for index, (name, state) in enumerate(self.links.items())]
        rows.append("lo           127.0.0.1/8       00:00:00:00:00:00  default  65536  u/u")
        return "\n".join(rows) + "\n"

    def _statistics(self):
        if self.linked and self.peer.alive:
            self.received = 1000 + int(self.now() * 3)
        mine = 19606 if self.master else 12
        return ("\nMain Table Statistics:\n\ncache internal:\n"
                f"current active connections:\t{mine:>12}\nconnections created:\t\t{6298470:>12}\tfailed:\t{0:>12}\n"
                f"connections updated:\t\t{3786793:>12}\tfailed:\t{0:>12}\nconnections destroyed:\t\t{6278864:>12}\tfailed:\t{0:>12}\n\n"
                f"cache external:\ncurrent active connections:\t{19618 - mine:>12}\nconnections created:\t\t{1660193:>12}\tfailed:\t{0:>12}\n\n"
                "traffic processed:\n                   0 Bytes                         0 Pckts\n\n"
                "multicast traffic (active device=eth2):\n"
                f"{976826240:>20} Bytes sent {self.received * 40:>20} Bytes recv\n{8302333:>20} Pckts sent {self.received:>20} Pckts recv\n"
                "                   0 Error send                    0 Error recv\n\nmessage tracking:\n"
                "                   0 Malformed msgs                  263 Lost msgs\n\n")

    # ---- for tests

    def lose_sync(self):
        self.linked = self.peer.linked = False

    def push_marker(self, pushed):
        rules = [command for command in pushed if command.startswith("set firewall ipv4 name")]
        return "^" + re.escape(rules[len(rules) // 2]) + "$"

    def others(self):
        ours = {path[:6] for path in self.running if path[:4] == ("firewall", path[1], "forward", "filter") and path[-2:-1] == ("description",)
                and path[-1].startswith("ha-mail: ")}
        ours |= {path[:4] for path in self.running if path[0] in ("nat", "nat66") and path[-2] == "description" and path[-1].startswith("ha-mail: ")}
        return "\n".join(line for path, line in zip(sorted(self.running), self.running.commands()) if not (
            path[:6] in ours or path[:4] in ours or path[:1] == ("firewall",) and any(re.fullmatch(r"ha-mail(-.*)?", word) for word in path[3:4])))


def _span(seconds):
    """A span of time as systemd writes it."""
    whole, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(whole), 60)
    days, hours = divmod(hours, 24)
    return " ".join(f"{value}{unit}" for value, unit in ((days, "d"), (hours, "h"), (minutes, "min"), (f"{rest:.6f}", "s")) if value)


def pair():
    """Two members; the first is active."""
    devices = [Vyos("fw1", True), Vyos("fw2", False)]
    devices[0].peer, devices[1].peer = devices[1], devices[0]
    return devices
