"""A cluster of two FortiGates with FortiOS 7.4, active-passive, by Fortinet's administration guide and CLI reference.

Configuration is in force at each ``next`` and ``end``. It is saved at once, or by ``execute cfg save``, or lost: see ``cfg-save``.
"""

import copy
import datetime
import ipaddress
import re
import shlex
import uuid

from .server import Device

PAGE = 24
BOOTED = 400000  # seconds that both members are up when a test begins
MARGIN = 300     # seconds by which uptimes have to differ to count (ha-uptime-diff-margin)
START = datetime.datetime(2026, 3, 2, 9, 0, 0)


class Refused(Exception):
    """What the device says to a line that it does not take."""


# ---- values of settings: each takes words and raises ValueError for a wrong one

def _choice(*words):
    def check(value, _config):
        if len(value) != 1 or value[0] not in words:
            raise ValueError(value[-1])
    return check


def _text(longest):
    def check(value, _config):
        if len(value) != 1 or len(value[0]) > longest or re.search(r"[<>()#'\"]", value[0]):
            raise ValueError(value[0])
    return check


def _number(low, high):
    def check(value, _config):
        if len(value) != 1 or not value[0].isdigit() or not low <= int(value[0]) <= high:
            raise ValueError(value[0])
    return check


def _address(version):
    def check(value, _config):
        if len(value) != 1 or ipaddress.ip_address(value[0]).version != version:
            raise ValueError(value[0])
    return check


def _subnet(value, _config):
    if len(value) != 2:
        raise ValueError(value[-1])
    ipaddress.IPv4Network("/".join(value))


def _prefix6(value, _config):
    if len(value) != 1 or "/" not in value[0]:
        raise ValueError(value[0])
    ipaddress.IPv6Network(value[0])


def _ports(value, _config):
    for word in value:
        low, dash, high = word.partition("-")
        if not low.isdigit() or (dash and not high.isdigit()) or not 0 <= int(low) <= int(high or low) <= 65535:
            raise ValueError(word)


def _names(*tables):
    """Names of entries that exist; a policy cannot name what is not there."""
    def check(value, config):
        for name in value:
            if not any(name in config[table] for table in tables):
                raise LookupError(name)
    return check


ONOFF = _choice("enable", "disable")
INTERFACES = _names("system interface", "system zone")
# Table: (kind of key, {setting: (check, default)}, settings that must be there, {inner table: (allowed keys with defaults, settings)}).
# Settings that hold a text or names are shown in quotes.
QUOTED = {"name", "comment", "comments", "srcintf", "dstintf", "srcaddr", "dstaddr", "srcaddr6", "dstaddr6", "service", "schedule", "poolname",
          "poolname6", "interface", "alias"}
ANOMALIES = {"tcp_syn_flood": 2000, "tcp_port_scan": 1000, "tcp_src_session": 5000, "tcp_dst_session": 5000, "udp_flood": 2000, "udp_scan": 2000,
             "udp_src_session": 5000, "udp_dst_session": 5000, "icmp_flood": 250, "icmp_sweep": 100, "icmp_src_session": 300, "icmp_dst_session": 1000,
             "ip_src_session": 5000, "ip_dst_session": 5000}
ANOMALY = {"status": (ONOFF, "disable"), "log": (ONOFF, "disable"), "action": (_choice("pass", "block"), "pass"),
           "quarantine": (_choice("none", "attacker"), "none"), "threshold": (_number(1, 2147483647), None)}


def _dos(version):
    addresses = ["firewall address" + version, "firewall addrgrp"]
    return ("number", {
        "status": (ONOFF, "enable"), "name": (_text(35), ""), "comments": (_text(1023), ""), "interface": (INTERFACES, ""), "srcaddr": (_names(*addresses), ""),
        "dstaddr": (_names(*addresses), ""), "service": (_names("firewall service custom"), "")}, ["interface", "srcaddr", "dstaddr"], 9999)


SCHEMA = {
    "system interface": ("name", {"alias": (_text(25), "")}, [], None),
    "system zone": ("name", {}, [], None),
    "firewall schedule recurring": ("name", {}, [], None),
    "firewall service category": ("name", {"comment": (_text(255), "")}, [], None),
    "firewall address": ("name", {"subnet": (_subnet, "0.0.0.0 0.0.0.0"), "comment": (_text(255), "")}, [], None),
    "firewall address6": ("name", {"ip6": (_prefix6, "::/0"), "comment": (_text(255), "")}, [], None),
    "firewall addrgrp": ("name", {}, [], None),
    "firewall service custom": ("name", {
        "protocol": (_choice("TCP/UDP/SCTP", "ICMP", "ICMP6", "IP"), "TCP/UDP/SCTP"), "tcp-portrange": (_ports, ""), "udp-portrange": (_ports, ""),
        "protocol-number": (_number(0, 254), "0"), "icmptype": (_number(0, 255), ""), "comment": (_text(255), "")}, [], None),
    "firewall ippool": ("name", {
        "type": (_choice("overload", "one-to-one"), "overload"), "startip": (_address(4), "0.0.0.0"), "endip": (_address(4), "0.0.0.0"),
        "arp-reply": (ONOFF, "enable"), "comments": (_text(255), "")}, ["startip", "endip"], None),
    "firewall ippool6": ("name", {"startip": (_address(6), "::"), "endip": (_address(6), "::"), "comments": (_text(255), "")}, ["startip", "endip"], None),
    "firewall policy": ("number", {
        "status": (ONOFF, "enable"), "name": (_text(35), ""), "srcintf": (INTERFACES, ""), "dstintf": (INTERFACES, ""),
        "action": (_choice("accept", "deny"), "deny"), "srcaddr": (_names("firewall address", "firewall addrgrp"), ""),
        "dstaddr": (_names("firewall address", "firewall addrgrp"), ""), "srcaddr6": (_names("firewall address6"), ""),
        "dstaddr6": (_names("firewall address6"), ""), "schedule": (_names("firewall schedule recurring"), ""),
        "service": (_names("firewall service custom"), ""), "logtraffic": (_choice("all", "utm", "disable"), "utm"), "nat": (ONOFF, "disable"),
        "ippool": (ONOFF, "disable"), "poolname": (_names("firewall ippool"), ""), "poolname6": (_names("firewall ippool6"), ""),
        "comments": (_text(1023), "")}, ["srcintf", "dstintf", "schedule", "service"], 4294967294),
    "firewall DoS-policy": _dos(""),
    "firewall DoS-policy6": _dos("6"),
}
GLOBAL = {"cfg-save": _choice("automatic", "manual", "revert"), "cfg-revert-timeout": _number(10, 4294967295)}
WITH_UUID = ("firewall address", "firewall address6", "firewall policy")
USES = {"srcaddr": ("firewall address", "firewall addrgrp"), "dstaddr": ("firewall address", "firewall addrgrp"), "srcaddr6": ("firewall address6",),
        "dstaddr6": ("firewall address6",), "service": ("firewall service custom",), "poolname": ("firewall ippool",), "poolname6": ("firewall ippool6",)}


def _factory():
    """Configuration of somebody else's making."""
    made = {table: {} for table in SCHEMA}
    for name in ("wan0", "dmz0", "eth0", "vpn0"):
        made["system interface"][name] = {}
    made["system interface"]["vpn0"]["alias"] = ["to the branch"]
    made["firewall schedule recurring"]["always"] = {}
    made["firewall service category"].update({"General": {"comment": ["General services."]}, "Email": {"comment": ["Email services."]}})
    made["firewall address"].update({"all": {}, "branch": {"subnet": ["10.9.0.0", "255.255.0.0"], "comment": ["two words and\na second line"]}})
    made["firewall address6"]["all"] = {}
    made["firewall service custom"].update({
        "ALL": {"protocol": ["IP"]}, "HTTPS": {"tcp-portrange": ["443"]}, "ALL_ICMP": {"protocol": ["ICMP"]}})
    base = {"srcaddr": ["branch"], "dstaddr": ["all"], "schedule": ["always"], "service": ["HTTPS"], "action": ["accept"]}
    made["firewall policy"].update({"7": {"name": ["branch"], "srcintf": ["vpn0"], "dstintf": ["wan0"], **base},
                                    "64000": {"name": ["branch to dmz"], "srcintf": ["vpn0"], "dstintf": ["dmz0"], **base}})
    made["firewall DoS-policy"]["1"] = {"name": ["branch"], "interface": ["vpn0"], "srcaddr": ["all"], "dstaddr": ["all"], "service": ["ALL"],
                                        "anomaly": {name: {"threshold": [str(limit)]} for name, limit in ANOMALIES.items()}}
    made["firewall DoS-policy"]["1"]["anomaly"]["tcp_syn_flood"].update({"status": ["enable"], "action": ["block"]})
    for table in WITH_UUID:
        for entry in made[table].values():
            entry["uuid"] = [str(uuid.uuid4())]
    made["system global"] = {"cfg-save": ["automatic"], "cfg-revert-timeout": ["600"]}
    return made


def _copy(config):
    """Entries are replaced and never changed, so they can be shared."""
    return {table: dict(entries) for table, entries in config.items()}


def pair():
    """Two members; the first is the primary, for override is on and its priority is higher."""
    first, second = FortiGate("fw1", "FGVM02TM00000001", 200), FortiGate("fw2", "FGVM02TM00000002", 100)
    first.peer, second.peer = second, first
    second.running, second.saved = _copy(first.running), _copy(first.saved)
    first.elect()
    return [first, second]


class FortiGate(Device):
    """One member."""

    def __init__(self, name, serial, priority):
        super().__init__(name)
        self.serial, self.priority = serial, priority
        self.running = _factory()
        self.saved = _copy(self.running)
        self.touched = 0           # when the configuration was last changed
        self.output = "standard"   # of config system console; each member's own
        self.override = True
        self.primary, self.stands_back, self.in_sync = False, False, True
        self.since = self.now() - BOOTED
        self.down = set()          # monitored interfaces without a link
        self.mode_is_saved_at_once = False  # documented neither way
        self.stacks = {}

    # ---- the cluster

    def members(self):
        """Those that answer, this one first."""
        return [self] + ([self.peer] if self.peer.alive else [])

    def elect(self):
        """The primary, as FGCP selects it."""
        members = self.members()

        def rank(unit):
            older = unit.now() - unit.since - min(other.now() - other.since for other in members) > MARGIN
            age = (older, unit.priority) if not self.override else (unit.priority, older)
            return (not unit.stands_back, -len(unit.down), *age, unit.serial)
        best = max(members, key=rank)
        for unit in members:
            unit.primary = unit is best

    def power(self, on):
        super().power(on)
        if on and self.peer.alive:
            self.running, self.saved = _copy(self.peer.running), _copy(self.peer.saved)
        (self if on else self.peer).elect()

    def lose_sync(self):
        self.in_sync = self.peer.in_sync = False

    def reboot(self):
        self.running, self.stands_back = _copy(self.saved), False
        self.stacks.clear()

    def tick(self):
        settings = self.running["system global"]
        if settings["cfg-save"] == ["revert"] and self.running != self.saved and self.now() >= self.touched + int(settings["cfg-revert-timeout"][0]):
            self.running = _copy(self.saved)
            self.stacks.clear()

    def changed(self):
        """Something was set: it goes to the other member, and to the flash if that is the mode."""
        units = self.members() if self.primary else [self]
        if not self.primary:
            self.lose_sync()
        for unit in units:
            unit.running, unit.touched = _copy(self.running), unit.now()
            if self.running["system global"]["cfg-save"] == ["automatic"]:
                unit.saved = _copy(self.running)
            elif self.mode_is_saved_at_once:
                unit.saved["system global"] = copy.deepcopy(self.running["system global"])

    def others(self):
        texts = ["output %s, priority %d" % (self.output, self.priority)]
        for table in SCHEMA:
            for key, entry in self.running[table].items():
                if not key.startswith("ha-mail") and not entry.get("name", [""])[0].startswith("ha-mail"):
                    texts.append("\n".join([table, *self._entry(table, key, entry)]))
        return "\n".join(texts)

    def push_marker(self, pushed):
        some = [command for command in pushed if command.startswith("set srcaddr")]
        return "^" + re.escape(some[len(some) // 2]) + "$"

    # ---- the command line

    def prompt(self, terminal):
        stack = self.stacks.get(terminal, [])
        return "%s %s# " % (self.name, "(%s) " % stack[-1]["title"] if stack else "")

    def logout(self, terminal):
        self.stacks.pop(terminal, None)

    def unknown(self, command):
        return "Unknown action 0\n" if command.split()[0] not in ("set", "config") else (
            "\ncommand parse error before '%s'\nCommand fail. Return code -61\n" % command.split()[1])

    def answer(self, terminal, command):
        command, _pipe, pattern = command.partition(" | grep ")
        try:
            words = shlex.split(command)
        except ValueError:
            return "Unmatched double quote.\nCommand fail. Return code -61\n"
        try:
            said = self._configure(terminal, words) if self.stacks.get(terminal) else self._root(terminal, words)
        except Refused as refused:
            return "\n%s\nCommand fail. Return code %s\n" % refused.args
        if said is None:
            return None
        if pattern:
            said = "".join(line + "\n" for line in said.splitlines() if pattern.strip("'\"") in line)
        lines = said.splitlines()
        if self.output == "more" and len(lines) > PAGE:
            terminal.write("\n".join(lines[:PAGE]) + "\n")
            terminal.read("--More-- ")
            return "\n".join(lines[PAGE:]) + "\n"
        return said

    def _root(self, terminal, words):
        text = " ".join(words)
        asked = {"get system status": self._status, "get system ha status": self._ha, "get system console": self._console,
                 "get system global": self._global, "execute cfg save": self._save,
                 "execute ha failover status": lambda: "failover status: %s\n" % ("set" if self.stands_back else "unset")}
        if text in asked:
            return asked[text]()
        if text in ("exit", "quit"):
            return None
        if text == "execute cfg reload":
            if self.running["system global"]["cfg-save"] == ["automatic"]:
                return "no config to be reloaded.\n"
            terminal.write("configs reloaded. system will reboot.\n")
            for unit in self.members():
                unit.reboot()
            return None
        if text in ("execute ha failover set 1", "execute ha failover unset 1"):
            terminal.write("Caution: This command will trigger an HA failover.\nIt is intended for testing purposes.\n")
            if terminal.read("Do you want to continue? (y/n)") == "y":
                self.stands_back = words[3] == "set"
                self.peer.stands_back = self.peer.stands_back and not self.stands_back
                self.elect()
            return "\n"
        if text == "diagnose sys ha reset-uptime":
            self.since = self.now()
            self.elect()
            return ""
        if words[0] == "show" and " ".join(words[1:]) in SCHEMA:
            return self._show(" ".join(words[1:]))
        if words[0] == "config":
            self._enter(terminal, " ".join(words[1:]))
            return ""
        if words[0] in ("get", "show", "execute", "diagnose"):
            raise Refused("command parse error before '%s'" % words[-1], -61)
        return "Unknown action 0\n"

    def _save(self):
        if self.running["system global"]["cfg-save"] == ["automatic"] or self.running == self.saved:
            return "no config to be saved.\n"
        for unit in self.members():
            unit.saved = _copy(unit.running)
        return "config saved.\n"

    # ---- what it shows

    def _status(self):
        clock = START + datetime.timedelta(seconds=self.now() - self.since)
        return ("Version: FortiGate-VM64 v7.4.4,build2662,240514 (GA.F)\nSecurity Level: 2\nFirmware Signature: certified\n"
                "Virus-DB: 1.00000(2018-04-09 18:07)\nSerial-Number: %s\nLicense Status: Valid\nLog hard disk: Available\nHostname: %s\n"
                "Operation Mode: NAT\nCurrent virtual domain: root\nMax number of virtual domains: 2\nVirtual domains status: 1 in NAT mode, 0 in TP mode\n"
                "Virtual domain configuration: disable\nFIPS-CC mode: disable\nCurrent HA mode: a-p, %s\nCluster uptime: 4 days, 15 hours, 6 minutes\n"
                "Branch point: 2662\nRelease Version Information: GA\nSystem time: %s\n" % (
                    self.serial, self.name, "primary" if self.primary else "secondary", clock.strftime("%a %b %e %H:%M:%S %Y")))

    def _ha(self):
        units = self.members()
        first = self if self.primary else units[-1]
        lost = "" if len(units) == 2 else "\n    ERROR: %s is lost @ 2026/03/02 09:00:00" % self.peer.serial
        lines = ["HA Health Status: %s" % (lost or "OK"), "Model: FortiGate-VM64", "Mode: HA A-P", "Group Name: mail", "Group ID: 0", "Debug: 0",
                 "Cluster Uptime: 4 days 15:6:40", "Cluster state change time: 2026-03-02 09:00:00", "Primary selected using:",
                 "    <2026/03/02 09:00:00> vcluster-1: %s is selected as the primary because its override priority is larger than peer member." % first.serial,
                 "ses_pickup: enable, ses_pickup_delay=disable", "override: %s" % ("enable" if self.override else "disable"), "Configuration Status:"]
        for unit in units:
            synced = self.in_sync or unit is self
            lines += ["    %s(updated 3 seconds ago): %s" % (unit.serial, "in-sync" if synced else "out-of-sync"),
                      "    %s chksum dump: 0b 16 f2 e4 e2 89 eb a1 bf 8f 15 9b e1 4e 3b f2" % unit.serial]
        lines.append("System Usage stats:")
        for unit in units:
            lines += ["    %s(updated 3 seconds ago):" % unit.serial,
                      "        sessions=%d, average-cpu-user/nice/system/idle=0%%/0%%/0%%/99%%, memory=41%%" % (42 if unit.primary else 11)]
        for title, interfaces in (("HBDEV", ["ha1"]), ("MONDEV", ["dmz0", "wan0"])):
            lines.append(title + " stats:")
            for unit in units:
                lines.append("    %s(updated 3 seconds ago):" % unit.serial)
                lines += ["        %s: physical/10000full, %s, rx-bytes/packets/dropped/errors=6/1/0/0, tx=6/1/0/0" % (
                    name, "down" if name in unit.down else "up") for name in interfaces]
        words = {unit: "Primary" if unit.primary else "Secondary" for unit in units}
        lines += ["%-12s: %-16s, %s, HA cluster index = %d" % (words[unit], unit.name, unit.serial, index) for index, unit in enumerate(units)]
        lines += ["number of vcluster: 1", "vcluster 1: %s 169.254.0.%d" % (("work", 2) if self.primary else ("standby", 1))]
        lines += ["%s: %s, HA operating index = %d" % (words[unit], unit.serial, index) for index, unit in enumerate(units)]
        return "\n".join(lines) + "\n"

    def _console(self):
        return "mode                : line \nbaudrate            : 9600 \noutput              : %s \nlogin               : enable \n" % self.output

    def _global(self):
        settings = self.running["system global"]
        lines = ["admintimeout        : 5", "cfg-save            : %s" % settings["cfg-save"][0], "hostname            : %s" % self.name]
        if settings["cfg-save"] == ["revert"]:
            lines.insert(1, "cfg-revert-timeout  : %s" % settings["cfg-revert-timeout"][0])
        return "\n".join(lines) + "\n"

    def _show(self, table):
        lines = ["config " + table]
        for key, entry in self.running[table].items():
            lines += ["    " + line for line in self._entry(table, key, entry)]
        return "\n".join(lines + ["end"]) + "\n"

    @staticmethod
    def _entry(table, key, entry):
        """Lines of one entry: what is not the default."""
        kind, settings, _needed, _last = SCHEMA[table]
        lines = ["edit %s" % (key if kind == "number" else '"%s"' % key)]
        if "uuid" in entry:
            lines.append("    set uuid %s" % entry["uuid"][0])
        for name, (_check, default) in settings.items():
            value = entry.get(name)
            if value and " ".join(value) != default:
                lines.append("    set %s %s" % (name, " ".join('"%s"' % word if name in QUOTED else word for word in value)))
        if entry.get("protocol", [""])[0] in ("ICMP", "ICMP6") and "icmptype" not in entry:
            lines.append("    unset icmptype")
        if "anomaly" in entry:
            lines.append("    config anomaly")
            for anomaly, values in entry["anomaly"].items():
                lines.append('        edit "%s"' % anomaly)
                lines += ["            set %s %s" % (name, values[name][0]) for name, (_check, default) in ANOMALY.items()
                          if name in values and values[name][0] != default]
                lines.append("        next")
            lines.append("    end")
        return lines + ["next"]

    # ---- configuration mode

    def _enter(self, terminal, table):
        stack = self.stacks.setdefault(terminal, [])
        if table in ("system global", "system console"):
            working = {} if table == "system console" else copy.deepcopy(self.running["system global"])
            stack.append({"kind": "single", "table": table, "title": table.split()[-1], "working": working})
        elif table in SCHEMA:
            stack.append({"kind": "table", "table": table, "title": table.split()[-1]})
        else:
            raise Refused("command parse error before '%s'" % table.split()[-1], -61)

    def _configure(self, terminal, words):
        stack = self.stacks[terminal]
        top, word = stack[-1], words[0]
        if word == "abort":
            stack.clear()
            return ""
        allowed = {"table": ("edit", "delete", "move", "end"), "single": ("set", "unset", "end"), "entry": ("set", "unset", "config", "next", "end"),
                   "inner": ("edit", "end"), "inner entry": ("set", "unset", "next", "end")}[top["kind"]]
        if word not in allowed:
            return "Unknown action 0\n"
        getattr(self, "_do_" + word)(stack, top, words[1:])
        return ""

    def _do_edit(self, stack, top, words):
        if len(words) != 1:
            raise Refused("command parse error before '%s'" % (words or ["edit"])[-1], -61)
        key = words[0]
        if top["kind"] == "inner":
            if key not in ANOMALIES:
                raise Refused("entry not found in datasource\n\nvalue parse error before '%s'" % key, -3)
            stack.append({"kind": "inner entry", "title": key, "working": top["working"][key]})
            return
        kind, _settings, _needed, last = SCHEMA[top["table"]]
        table = self.running[top["table"]]
        if kind == "number":
            if not key.isdigit() or int(key) > last:
                raise Refused("value parse error before '%s'" % key, -61)
            if key == "0":
                key = str(max(map(int, table), default=0) + 1)
        elif len(key) > 79:
            raise Refused("string value is too long\nvalue parse error before '%s'" % key, -61)
        working = copy.deepcopy(table.get(key, {}))
        if key not in table and "DoS" in top["table"]:
            working["anomaly"] = {name: {"threshold": [str(limit)]} for name, limit in ANOMALIES.items()}
        if key not in table and top["table"] in WITH_UUID:
            working["uuid"] = [str(uuid.uuid4())]
        stack.append({"kind": "entry", "table": top["table"], "title": key, "working": working})

    def _do_config(self, stack, top, words):
        if words != ["anomaly"] or "DoS" not in top["table"]:
            raise Refused("command parse error before '%s'" % words[-1], -61)
        stack.append({"kind": "inner", "title": "anomaly", "working": top["working"]["anomaly"]})

    def _do_set(self, _stack, top, words):
        if len(words) < 2:
            raise Refused("incomplete command in the end", -160)
        name, value = words[0], words[1:]
        if top["kind"] == "single":
            settings = GLOBAL if top["table"] == "system global" else {"output": _choice("standard", "more")}
            if name == "cfg-revert-timeout" and top["working"].get("cfg-save") != ["revert"]:
                settings = {}
        else:
            settings = {key: check for key, (check, _default) in (ANOMALY if top["kind"] == "inner entry" else SCHEMA[top["table"]][1]).items()}
        if name not in settings:
            raise Refused("command parse error before '%s'" % name, -61)
        try:
            settings[name](value, self.running)
        except LookupError as error:
            raise Refused("entry not found in datasource\n\nvalue parse error before '%s'" % error.args[0], -3) from error
        except ValueError as error:
            raise Refused("node_check_object fail! for %s %s\n\nvalue parse error before '%s'" % (name, " ".join(value), value[-1]), -61) from error
        top["working"][name] = value

    @staticmethod
    def _do_unset(_stack, top, words):
        top["working"].pop(words[0], None)

    def _do_next(self, stack, top, _words):
        if top["kind"] == "entry":
            self._commit(top)
        stack.pop()

    def _do_end(self, stack, top, _words):
        if top["kind"] == "entry":
            self._commit(top)
            stack.pop()
        elif top["kind"] == "inner entry":
            stack.pop()
        elif top["kind"] == "single":
            if top["table"] == "system console":
                self.output = top["working"].get("output", [self.output])[0]
            else:
                self.running["system global"] = top["working"]
                self.changed()
        stack.pop()

    def _commit(self, top):
        """An entry comes into force."""
        table, working = self.running[top["table"]], top["working"]
        needed = list(SCHEMA[top["table"]][2])
        if top["table"] == "firewall policy":
            needed += ["srcaddr", "dstaddr"] if "srcaddr" in working or "srcaddr6" not in working else []
            needed += ["srcaddr6", "dstaddr6"] if "srcaddr6" in working else []
            if working.get("ippool") == ["enable"] and not ("poolname" in working or "poolname6" in working):
                needed.append("poolname")
            if working.get("nat") != ["enable"]:
                for name in ("ippool", "poolname", "poolname6"):
                    working.pop(name, None)
        for name in needed:
            if name not in working:
                raise Refused("Attribute '%s' MUST be set.\nobject check operator error, -56, discard the setting" % name, -56)
        if "name" in working and any(entry.get("name") == working["name"] for key, entry in table.items() if key != top["title"]):
            raise Refused("node_check_object fail! for name %s\n\nobject set operator error, -8, discard the setting" % working["name"][0], -8)
        table[top["title"]] = working
        self.changed()

    def _do_delete(self, _stack, top, words):
        table = self.running[top["table"]]
        if len(words) != 1 or words[0] not in table:
            raise Refused("entry not found in table", -3)
        for other, entries in self.running.items():
            for entry in entries.values() if other in SCHEMA else []:
                if any(top["table"] in tables and words[0] in entry.get(name, []) for name, tables in USES.items()):
                    raise Refused("The entry is used by other 1 entries", -23)
        del table[words[0]]
        self.changed()

    def _do_move(self, _stack, top, words):
        table = self.running[top["table"]]
        if len(words) != 3 or words[1] not in ("before", "after") or words[0] not in table or words[2] not in table or SCHEMA[top["table"]][0] != "number":
            raise Refused("command parse error before '%s'" % words[-1], -61)
        keys = [key for key in table if key != words[0]]
        keys.insert(keys.index(words[2]) + (words[1] == "after"), words[0])
        self.running[top["table"]] = {key: table[key] for key in keys}
        self.changed()
