"""A pair of Cisco ASA 9.16 in active/standby failover, as far as the command reference and CLI Books 1 and 2 tell how they behave.

Both units keep the addresses that they are reached by, as with a terminal server; on the product, addresses move with the role.
"""

import copy
import ipaddress
import re

from simulator import server

VERSION, HARDWARE = "9.16(4)", "ASA5516, 8192 MB RAM, CPU Atom C2000 series 2416 MHz, 1 CPU (8 cores)"
INVALID = "%s^\nERROR: %% Invalid input detected at '^' marker.\n"
# Names that the product shows for numbers of ports, as far as tests use them.
LITERALS = {("tcp", 22): "ssh", ("tcp", 25): "smtp", ("tcp", 80): "www", ("tcp", 143): "imap4", ("tcp", 443): "https", ("udp", 53): "domain",
            ("udp", 123): "ntp"}
TYPES = {"icmp": {"echo", "echo-reply", "unreachable", "time-exceeded", "parameter-problem"},
         "icmp6": {"echo", "echo-reply", "unreachable", "time-exceeded", "parameter-problem", "packet-too-big"}}
INTERFACES = {"wan0": ("0/0", 0, "203.0.113.2"), "dmz0": ("0/1", 50, "192.0.2.1"), "eth0": ("0/2", 90, "198.51.100.1"), "lab0": ("0/4", 20, "10.9.0.1")}
MODES = {"applet": "config-applet", "network": "config-network-object", "service": "config-service-object", "group": "config-network-object-group",
         "cmap": "config-cmap", "pmap": "config-pmap", "pmap-c": "config-pmap-c", "config": "config"}


class Wrong(Exception):
    """The parser or the configuration manager refuses a command; the text is what the device says."""


class Config:
    """A configuration, with some that is of others."""

    def __init__(self):
        self.names = {"192.0.2.22": "mail2"}
        self.objects = {"lab-web": ("network", ["host 10.9.0.80"])}
        self.groups = {}
        self.lists = {"lab_in": ["extended permit tcp any4 host 10.9.0.80 eq www"]}
        self.access_groups = {"lab0": "lab_in"}
        self.nat = ["nat (lab0,wan0) source dynamic lab-web lab-web"]
        self.class_maps = {"inspection_default": ["match default-inspection-traffic"]}
        self.policy_maps = {"global_policy": [("inspection_default", ["inspect dns", "inspect ftp"])]}
        self.service_policies = {"global": "global_policy"}
        self.applets = {}
        self.other = ["same-security-traffic permit intra-interface", "monitor-interface lab0", "ssh 198.51.100.0 255.255.255.192 eth0"]

    def shown(self, hostname):
        """As text."""
        lines = [f"hostname {hostname}", "names", *(f"name {address} {name}" for address, name in self.names.items())]
        for nameif, (slot, level, address) in INTERFACES.items():
            lines += ["!", f"interface GigabitEthernet{slot}", f" nameif {nameif}", f" security-level {level}", f" ip address {address} 255.255.255.0 "]
        lines += ["!", "ftp mode passive"]
        for name, (kind, body) in self.objects.items():
            lines += [f"object {kind} {name}", *(" " + self._ports(line) + (" " if kind == "service" else "") for line in body)]
        for name, body in self.groups.items():
            lines += [f"object-group network {name}", *(" " + self._named(line) for line in body)]
        lines += [f"access-list {name} " + (entry if entry.startswith("remark") else self._ports(self._named(entry)) + " ")
                  for name, body in self.lists.items() for entry in body]
        lines += ["pager lines 24", *self.other, *self.nat]
        lines += [f"access-group {name} in interface {nameif}" for nameif, name in self.access_groups.items()]
        for name, applet in self.applets.items():
            lines += [f"event manager applet {name}", *([f" description {applet['description']}"] if applet["description"] else []),
                      *([f" event timer countdown time {applet['countdown']}"] if applet["countdown"] is not None else []),
                      *(f' action {number} cli command "{command}"' for number, command in sorted(applet["actions"].items())), f" output {applet['output']}"]
        for name, body in self.class_maps.items():
            lines += ["!", f"class-map {name}", *(" " + line for line in body)]
        for name, body in self.policy_maps.items():
            lines += ["!", f"policy-map {name}"]
            for other, actions in body:
                lines += [f" class {other}", *(f"  {action} " for action in actions)]
        lines += ["!", *(f"service-policy {name} " + (where if where == "global" else f"interface {where}") for where, name in self.service_policies.items())]
        return "\n".join(lines) + "\n"

    def _named(self, line):
        return " ".join(self.names.get(word, word) for word in line.split())

    @staticmethod
    def _ports(line):
        words = line.split()
        for index, word in enumerate(words):
            if "eq" in words[max(index - 1, 0):index] or "range" in words[max(index - 2, 0):index]:
                words[index] = next((LITERALS[one, int(word)] for one in words if word.isdigit() and (one, int(word)) in LITERALS), word)
        return " ".join(words)


def address4(words):
    """``host A`` or ``A mask``, taken from the words."""
    first = words.pop(0) if words else ""
    if first == "host":
        return f"host {ipaddress.IPv4Address(words.pop(0))}"
    mask = words.pop(0)
    if ipaddress.IPv4Address(first) != ipaddress.ip_network(f"{first}/{mask}", strict=False).network_address:
        raise Wrong(f"ERROR: IP address,mask <{first},{mask}> doesn't pair\n")
    return f"{first} {mask}"


def place(words):
    """``(version, text)`` of a source or destination, taken from the words."""
    if words[0] in ("any", "any4", "any6"):
        return {"any": 0, "any4": 4, "any6": 6}[words[0]], words.pop(0)
    if ":" in words[0]:
        return 6, str(ipaddress.IPv6Network(words.pop(0)))
    if words[0] == "host" and ":" in words[1]:
        words.pop(0)
        return 6, f"host {ipaddress.IPv6Address(words.pop(0))}"
    return 4, address4(words)


def ports(words):
    """``eq N`` or ``range N M``, taken from the words."""
    some = [words.pop(0) for _ in range({"eq": 2, "range": 3}[words[0]])]
    if not all(1 <= int(port) <= 65535 for port in some[1:]) or (len(some) == 3 and int(some[1]) >= int(some[2])):
        raise ValueError(some)
    return " ".join(some)


def entry(words):
    """What an extended entry says, in the form that is shown."""
    action, protocol = words.pop(0), words.pop(0)
    if action not in ("permit", "deny") or not (protocol in ("ip", "tcp", "udp", "icmp", "icmp6") or 0 <= int(protocol) <= 255):
        raise ValueError(action)
    (one, source), (two, target) = place(words), place(words)
    made = ["extended", action, protocol, source, target]
    if one and two and one != two:
        raise Wrong("ERROR: source and destination address must be of the same type\n")
    if protocol in ("tcp", "udp") and words and words[0] in ("eq", "range"):
        made.append(ports(words))
    elif protocol in TYPES and words and words[0] in TYPES[protocol]:
        made.append(words.pop(0))
    if words not in ([], ["log"], ["log", "disable"]):
        raise ValueError(words)
    return " ".join(made + words)


class Shell:
    """Where the applet runs its commands, in place of a terminal."""

    privileged, mode, where = True, "config", None


class Asa(server.Device):
    """One unit."""

    def __init__(self, name, priority):
        super().__init__(name)
        self.priority, self.active = priority, priority == "Primary"
        self.config = Config()
        self.startup = copy.deepcopy(self.config)
        self.timers = {}       # of the applet's countdown: {since, hits}
        self.link = "up"       # of the stateful failover link
        self.stands = None     # failover state, if not the usual one
        self.down = set()      # interfaces without a link

    # ---- server.Device

    def login(self, terminal):
        terminal.privileged, terminal.mode, terminal.where, terminal.asking = False, "exec", None, 0
        terminal.write("User ha-mail logged in to " + self.name + "\nType help or '?' for a list of available commands.\n")

    def serve(self, terminal):
        if not terminal.asking:
            return super().serve(terminal)
        terminal.privileged = terminal.read("Password: ", echo=False) == server.SECRET
        terminal.asking = 0 if terminal.privileged else terminal.asking - 1
        if not terminal.privileged:
            terminal.write("Invalid password\n" if terminal.asking else "Access denied.\n")
        return True

    def prompt(self, terminal):
        if terminal.mode == "exec":
            return f"{self.name}{'#' if terminal.privileged else '>'} "
        return f"{self.name}({MODES[terminal.mode]})# "

    def unknown(self, command):
        return INVALID % (" " * len(self.name))

    def answer(self, terminal, command):
        words = command.split()
        if words[:1] == ["show"]:
            return self.show(terminal, words[1:])
        if terminal.mode != "exec":
            return self.configure(terminal, command)
        if command in ("exit", "logout", "quit"):
            return None
        if command == "enable":
            terminal.asking = 3
            return ""
        if not terminal.privileged:
            return self.unknown(command)
        if words in (["terminal", "pager", "0"], ["end"]):
            return ""
        if words == ["configure", "terminal"]:
            terminal.mode = "config"
            return "" if self.active or not self.peer.alive else (
                "**** WARNING ****\n\tConfiguration Replication is NOT performed from Standby unit to Active unit.\n"
                "\tConfigurations are no longer synchronized.\n")
        if words == ["write", "memory"]:
            for unit in self._reached():
                unit.startup = copy.deepcopy(self.config)
            return "Building configuration...\nCryptochecksum: 8ad1e4a2 3f3ae6bd 6ad5dd5b 2b6d8c4f \n\n7532 bytes copied in 0.130 secs\n[OK]\n"
        if words in (["failover", "active"], ["no", "failover", "active"]):
            wanted = words[0] == "failover"
            if self.active != wanted and self.peer.alive:
                self.active, self.peer.active = wanted, not wanted
                return f"\n\tSwitching to {'Active' if wanted else 'Standby'}\n"
            return ""
        return self.unknown(command)

    def tick(self):
        for name, timer in list(self.timers.items()):
            applet = self.config.applets[name]
            if not timer["hits"] and self.now() >= timer["since"] + applet["countdown"]:
                timer["hits"] = 1
                for _number, action in sorted(applet["actions"].items()):
                    self.configure(Shell(), action)

    def reboot(self):
        self.config, self.timers = copy.deepcopy(self.startup), {}
        if not self.active and self.peer.alive:
            self.config = copy.deepcopy(self.peer.config)
        self._count()

    def power(self, on):
        super().power(on)
        if not on and self.active:
            self.active, self.peer.active = False, True
        elif on:
            self.reboot()

    def lose_sync(self):
        self.link = self.peer.link = "down"

    def push_marker(self, pushed):
        return "^" + re.escape([line for line in pushed if line.startswith("access-group ha-mail")][-1]) + "$"

    def others(self):
        kept, ours = [], False
        for line in self.config.shown(self.name).splitlines():
            if not line.startswith(" "):
                ours = re.search(r" ha-mail-", line) is not None
            if not ours:
                kept.append(line)
        return re.sub(r"(!\n)+", "!\n", "\n".join(kept) + "\n")

    # ---- what it shows

    def show(self, terminal, words):
        """An answer to ``show``."""
        said = {"curpriv": self._curpriv, "version": self._version}
        if terminal.privileged:
            said.update({"running-config": self._running, "startup-config": self._startup, "failover": self._failover, "failover state": self._state,
                         "conn count": lambda _terminal: "37 in use, 204 most used\n", "event manager": self._events})
        made = said.get(" ".join(words))
        return made(terminal) if made else self.unknown(" ".join(words))

    @staticmethod
    def _curpriv(terminal):
        level = 15 if terminal.privileged else 1
        return f"Username : enable_{level}\nCurrent privilege level : {level}\nCurrent Mode/s : P_{'PRIV' if level == 15 else 'UNPR'}\n"

    def _version(self, _terminal):
        return (f"\nCisco Adaptive Security Appliance Software Version {VERSION} \nSSP Operating System Version 2.10(1.217)\nDevice Manager Version 7.18(1)\n\n"
                f"Compiled on Mon 07-Nov-22 18:23 GMT by builders\nSystem image file is \"disk0:/asa9-16-4-lfbff-k8.SPA\"\n"
                f"Config file at boot was \"startup-config\"\n\n{self.name} up 12 days 4 hours\nfailover cluster up 12 days 4 hours\n\n"
                f"Hardware:   {HARDWARE}\nInternal ATA Compact Flash, 8000MB\n\nSerial Number: JAD2030{self.priority}\n"
                f"Configuration last modified by enable_15 at 10:00:00.000 UTC Mon Jan 5 2026\n")

    def _whole(self, config, head):
        return f"{head}:\n: Serial Number: JAD2030\n: Hardware:   {HARDWARE}\n:\nASA Version {VERSION} \n!\n{config.shown(self.name)}" \
               "prompt hostname context \nCryptochecksum:8ad1e4a23f3ae6bd6ad5dd5b2b6d8c4f\n: end\n"

    def _running(self, _terminal):
        return self._whole(self.config, ": Saved\n\n")

    def _startup(self, _terminal):
        return self._whole(self.startup, ": Saved\n: Written by enable_15 at 10:00:00.000 UTC Mon Jan 5 2026\n") if self.startup else "No Configuration\n"

    def _stand(self, unit):
        if not unit.alive:
            return "Failed"
        return unit.stands or ("Active" if unit.active else "Standby Ready")

    def _failover(self, _terminal):
        def unit(title, which):
            lines = [f"\t{title} host: {which.priority} - {self._stand(which)} ", "\t\tActive time: 5434 (sec)",
                     f"\t\tslot 1: ASA5516 hw/sw rev (3.1/{VERSION}) status (Up Sys)"]
            for nameif, (_slot, _level, address) in INTERFACES.items():
                state = "No Link (Waiting)" if nameif in which.down else "Normal (Monitored)" if which.alive and self.peer.alive else \
                    "Normal (Waiting)" if which.alive else "Unknown (Monitored)"
                lines.append(f"\t\t  Interface {nameif} ({address}): {state}")
            return "\n".join(lines) + "\n"
        return ("Failover On \n" f"Failover unit {self.priority}\n" "Failover LAN Interface: fover GigabitEthernet0/3 (up)\nReconnect timeout 0:00:00\n"
                "Unit Poll frequency 1 seconds, holdtime 15 seconds\nInterface Poll frequency 5 seconds, holdtime 25 seconds\nInterface Policy 1\n"
                "Monitored Interfaces 4 of 160 maximum\nMAC Address Move Notification Interval not set\n"
                f"Version: Ours {VERSION}, Mate {VERSION}\nSerial Number: Ours JAD20301, Mate JAD20302\nLast Failover at: 09:12:01 UTC Jan 5 2026\n"
                + unit("This", self) + unit("Other", self.peer) +
                f"\nStateful Failover Logical Update Statistics\n\tLink : state GigabitEthernet0/5 ({self.link})\n"
                "\tStateful Obj \txmit       xerr       rcv        rerr      \n\tGeneral\t\t5432       0          5430       0         \n")

    def _state(self, _terminal):
        def unit(title, which):
            reason = "Comm Failure             09:12:01 UTC Jan 5 2026" if not which.alive else "None"
            return f"{title} -   {which.priority}\n               {self._stand(which):<15}{reason}\n"
        return ("               State          Last Failure Reason      Date/Time\n" + unit("This host ", self) + unit("Other host", self.peer) +
                f"\n====Configuration State===\n\tSync Done{'' if self.active else ' - STANDBY'}\n====Communication State===\n\tMac set\n\n")

    def _events(self, _terminal):
        said = ""
        for name, applet in self.config.applets.items():
            timer = self.timers.get(name, {"hits": 0})
            hits = f"hits {timer['hits']}, last {'2026/01/05 10:00:00' if timer['hits'] else 'never'}"
            said += f"event manager applet {name}, {hits}\n"
            if name in self.timers:
                left = 0 if timer["hits"] else max(0, int(timer["since"] + applet["countdown"] - self.now() + 0.999))
                said += f"  event countdown {applet['countdown']} secs, left {left} secs, {hits}\n"
            said += "".join(f'  action {number} cli command "{command}", {hits}\n' for number, command in sorted(applet["actions"].items()))
        return said

    # ---- configuration

    def _reached(self):
        return [self, self.peer] if self.active and self.peer.alive else [self]

    def _count(self):
        """Start the countdowns of new applets, and forget those of old ones."""
        wanted = {name: applet["countdown"] for name, applet in self.config.applets.items() if applet["countdown"] is not None}
        self.timers = {name: self.timers.get(name, {"since": self.now(), "hits": 0}) for name in wanted}

    def configure(self, terminal, command):
        """A command in configuration mode."""
        if command in ("end", "exit"):
            terminal.mode, terminal.where = ("config", None) if command == "exit" and terminal.mode != "config" else ("exec", None)
            return ""
        if command.startswith("show "):
            return self.show(terminal, command.split()[1:])
        words, before = command.split(), copy.deepcopy(self.config)
        try:
            try:
                said = self._below(terminal, words, command) if terminal.mode != "config" else None
                if said is None:
                    terminal.mode, terminal.where = "config", None
                    said = self._top(terminal, words, command)
            except (ValueError, IndexError, KeyError) as error:
                raise Wrong(self.unknown(command)) from error
        except Wrong as wrong:
            self.config = before
            return str(wrong)
        self._count()
        for unit in self._reached()[1:]:
            unit.config = copy.deepcopy(self.config)
            unit._count()  # pylint: disable=protected-access
        return said

    def _below(self, terminal, words, command):
        """A command in a mode below; None if it is not of that mode."""
        config, where = self.config, terminal.where
        if terminal.mode == "network" and words[0] == "host":
            config.objects[where] = ("network", [f"host {ipaddress.ip_address(words[1])}"])
        elif terminal.mode == "service" and words[0] == "service":
            protocol, destination, *rest = words[1:]
            if protocol not in ("tcp", "udp") or destination != "destination":
                raise ValueError(command)
            config.objects[where] = ("service", [f"service {protocol} destination {ports(rest)}"])
            if rest:
                raise ValueError(rest)
        elif terminal.mode == "group" and words[0] == "network-object":
            rest = words[1:]
            version, text = place(rest)
            if rest or not version:
                raise ValueError(command)
            config.groups[where].append(f"network-object {text}")
        elif terminal.mode == "cmap" and words[:2] == ["match", "access-list"] and len(words) == 3:
            if words[2] not in config.lists:
                raise Wrong(f"ERROR: Access-list {words[2]} does not exist\n")
            if config.class_maps[where]:
                raise Wrong("ERROR: Multiple match commands are not supported except for the 'match tunnel-group or default-inspect-traffic' command.\n")
            config.class_maps[where] = [f"match access-list {words[2]}"]
        elif terminal.mode in ("pmap", "pmap-c") and words[0] == "class" and len(words) == 2:
            if words[1] not in config.class_maps:
                raise Wrong(f"ERROR: % class-map {words[1]} not configured\n")
            config.policy_maps[where].append((words[1], []))
            terminal.mode = "pmap-c"
        elif terminal.mode == "pmap-c" and words[:3] == ["set", "connection", "per-client-embryonic-max"] and 0 <= int(words[3]) <= 2000000:
            config.policy_maps[where][-1][1].append(" ".join(words))
        elif terminal.mode == "applet":
            return self._event(config.applets[where], words, command)
        else:
            return None
        return ""

    @staticmethod
    def _event(applet, words, command):
        action = re.match(r'action (\d{1,10}) cli command "([^"]+)"$', command)
        if words[0] == "description" and len(command) <= 256:
            applet["description"] = command.split(None, 1)[1]
        elif words[:4] == ["event", "timer", "countdown", "time"] and len(words) == 5 and 0 <= int(words[4]) <= 604800:
            applet["countdown"] = int(words[4])
        elif action:
            applet["actions"][int(action[1])] = action[2]
        elif words == ["output", "none"]:
            applet["output"] = "none"
        else:
            return None
        return ""

    def _top(self, terminal, words, command):
        """A command of the main configuration mode."""
        no, words = words[0] == "no", words[1:] if words[0] == "no" else words
        name = {"access-list": self._list, "access-group": self._access_group, "object": self._object, "object-group": self._group, "nat": self._nat,
                "class-map": self._class_map, "policy-map": self._policy_map, "service-policy": self._service_policy, "event": self._applet,
                "clear": self._clear}[words[0]]
        return name(terminal, no, words[1:], command) or ""

    def _list(self, _terminal, no, words, command):
        name = words.pop(0)
        if no or len(name) > 241:
            raise ValueError(command)
        if words[0] == "remark":
            text = command.split(None, 3)[3]
            if len(text) > 100:
                raise ValueError(text)
            made = f"remark {text}"
        elif words.pop(0) == "extended":
            made = entry(words)
        else:
            raise ValueError(command)
        known = self.config.lists.setdefault(name, [])
        fits = [re.sub(r" log( disable)?$|extended (permit|deny) ", "", one) for one in known if one.startswith("extended")]
        if made.startswith("extended") and re.sub(r" log( disable)?$|extended (permit|deny) ", "", made) in fits:
            return f"WARNING: <{name}> found duplicate element\n"
        known.append(made)
        return ""

    def _access_group(self, _terminal, no, words, _command):
        name, way, kind, nameif = words
        if (way, kind) != ("in", "interface") or nameif not in INTERFACES:
            raise ValueError(words)
        if name not in self.config.lists:
            raise Wrong(f"ERROR: access-list {name} does not exist\n")
        if not no:
            self.config.access_groups[nameif] = name
        elif self.config.access_groups.get(nameif) != name:
            raise Wrong(f"ERROR: access-list {name} not bound to interface {nameif}\n")
        else:
            del self.config.access_groups[nameif]

    def _object(self, terminal, no, words, _command):
        kind, name = words
        if kind not in ("network", "service") or len(name) > 64:
            raise ValueError(words)
        if no:
            if any(name in line.split() for line in self.config.nat):
                raise Wrong(f"ERROR: unable to delete object ({name}). object is being used.\n")
            if self.config.objects.get(name, ("",))[0] != kind:
                raise Wrong(f"ERROR: object ({name}) does not exist.\n")
            del self.config.objects[name]
        else:
            self.config.objects.setdefault(name, (kind, []))
            terminal.mode, terminal.where = kind, name

    def _group(self, terminal, no, words, _command):
        kind, name = words
        if kind != "network" or len(name) > 64:
            raise ValueError(words)
        if no:
            if any(name in line.split() for line in self.config.nat):
                raise Wrong(f"ERROR: unable to delete object-group ({name}). object-group is being used.\n")
            if self.config.groups.pop(name, None) is None:
                raise Wrong(f"ERROR: object-group ({name}) does not exist.\n")
        else:
            self.config.groups.setdefault(name, [])
            terminal.mode, terminal.where = "group", name

    def _nat(self, _terminal, no, words, _command):
        ends = re.match(r"\((\S+),(\S+)\)$", words.pop(0))
        line = int(words.pop(0)) if words[0].isdigit() else None
        if words[:2] != ["source", "dynamic"] or len(words) not in (4, 7) or not set(ends.groups()) <= set(INTERFACES):
            raise ValueError(words)
        made = f"nat ({ends[1]},{ends[2]}) " + " ".join(words)
        if no:
            if made not in self.config.nat:
                raise Wrong("ERROR: NAT rule does not exist\n")
            self.config.nat.remove(made)
            return
        for name in words[2:4]:
            if not (self.config.groups.get(name) or self.config.objects.get(name, ("", []))[1]):
                raise Wrong(f"ERROR: {name} doesn't match an existing object or object-group\n")
        real = self.config.groups.get(words[2]) or self.config.objects[words[2]][1]
        if len({":" in text for text in real + self.config.objects[words[3]][1]}) != 1:
            raise Wrong("ERROR: Address family of real and mapped addresses does not match\n")
        if words[4:] and (words[4] != "service" or any(self.config.objects.get(name, ("",))[0] != "service" for name in words[5:])):
            raise ValueError(words)
        if made in self.config.nat:
            raise Wrong("ERROR: This NAT rule exists already\n")
        self.config.nat.insert(len(self.config.nat) if line is None else line - 1, made)

    def _class_map(self, terminal, no, words, _command):
        name, = words
        if len(name) > 40:
            raise ValueError(name)
        if no:
            if any(name == other for body in self.config.policy_maps.values() for other, _actions in body):
                raise Wrong(f"ERROR: % class-map {name} is being used\n")
            del self.config.class_maps[name]
        else:
            self.config.class_maps.setdefault(name, [])
            terminal.mode, terminal.where = "cmap", name

    def _policy_map(self, terminal, no, words, _command):
        name, = words
        if len(name) > 40:
            raise ValueError(name)
        if no:
            if name in self.config.service_policies.values():
                raise Wrong(f"ERROR: % policy-map {name} is being used by a service policy\n")
            del self.config.policy_maps[name]
        else:
            self.config.policy_maps.setdefault(name, [])
            terminal.mode, terminal.where = "pmap", name

    def _service_policy(self, _terminal, no, words, _command):
        name, kind, nameif = words
        if kind != "interface" or nameif not in INTERFACES or name not in self.config.policy_maps:
            raise ValueError(words)
        there = self.config.service_policies.get(nameif)
        if no:
            if there != name:
                raise Wrong(f"ERROR: Policy map {name} is not attached to interface {nameif}\n")
            del self.config.service_policies[nameif]
        elif there:
            raise Wrong(f"ERROR: Interface {nameif} has a service policy already\n")
        else:
            self.config.service_policies[nameif] = name

    def _applet(self, terminal, no, words, _command):
        first, second, name = words
        if (first, second) != ("manager", "applet") or len(name) > 32:
            raise ValueError(words)
        if no:
            del self.config.applets[name]
        else:
            self.config.applets.setdefault(name, {"description": "", "countdown": None, "actions": {}, "output": "none"})
            terminal.mode, terminal.where = "applet", name

    def _clear(self, _terminal, no, words, _command):
        first, second, name = words
        if no or (first, second) != ("configure", "access-list"):
            raise ValueError(words)
        if any(f"match access-list {name}" in body for body in self.config.class_maps.values()):
            raise Wrong(f"ERROR: unable to delete access-list {name}, it is used by a class-map\n")
        del self.config.lists[name]
        self.config.access_groups = {nameif: other for nameif, other in self.config.access_groups.items() if other != name}


def pair():
    """Two linked units; the first is active. The hostname is part of the configuration, so that both have the same."""
    first, second = Asa("mailfw", "Primary"), Asa("mailfw", "Secondary")
    first.peer, second.peer, second.lock = second, first, first.lock
    return [first, second]
