"""A chassis cluster of two SRX firewalls, as the guides of Junos 21.4 describe it: CLI, candidate and committed configurations, confirmed commits,
configuration groups, redundancy groups.
"""

import copy
import datetime
import re

from . import server

START = datetime.datetime(2026, 11, 26, 9, 0, 0)
VERSION, MODEL = "21.4R3-S5.4", "srx345"
NAME, WORD = r"[A-Za-z0-9][\w.-]{0,62}", r"[\w.:/-]+"
PREFIX4, PREFIX6 = r"\d+\.\d+\.\d+\.\d+/\d+", r"[0-9a-f:]*:[0-9a-f:.]*/\d+"
PREFIX = f"(?:{PREFIX4}|{PREFIX6})"
# One statement a line, levels of braces separated by >. "!" has one value, "*" a list of them in brackets, "?" is one of a choice, "+" has a line for each.
GRAMMAR = [line.strip().split(" ", 1) for line in f"""
    ! system > host-name {NAME}
    ! security > address-book > global > address {NAME} {PREFIX}
    ! security > screen > ids-option {NAME} > tcp > syn-flood > source-threshold \\d+
    + security > nat > source > pool {NAME} > address > {PREFIX}
    * security > nat > source > rule-set {NAME} > from zone {NAME}
    * security > nat > source > rule-set {NAME} > to zone {NAME}
    * security > nat > source > rule-set {NAME} > rule {NAME} > match > source-address {PREFIX}
    + security > nat > source > rule-set {NAME} > rule {NAME} > match > destination-port > \\d+(?: to \\d+)?
    * security > nat > source > rule-set {NAME} > rule {NAME} > match > protocol {NAME}
    + security > nat > source > rule-set {NAME} > rule {NAME} > then > source-nat > pool > {NAME}
    ! security > policies > from-zone {NAME} to-zone {NAME} > policy {NAME} > description (?:"[^"]*"|{WORD})
    * security > policies > from-zone {NAME} to-zone {NAME} > policy {NAME} > match > source-address {NAME}
    * security > policies > from-zone {NAME} to-zone {NAME} > policy {NAME} > match > destination-address {NAME}
    * security > policies > from-zone {NAME} to-zone {NAME} > policy {NAME} > match > application {NAME}
    ? security > policies > from-zone {NAME} to-zone {NAME} > policy {NAME} > then > (?:permit|deny|reject)
    + security > policies > from-zone {NAME} to-zone {NAME} > policy {NAME} > then > log > (?:session-init|session-close)
    ! security > zones > security-zone (?:{NAME}|<{NAME}>) > screen {NAME}
    + security > zones > security-zone {NAME} > interfaces > {WORD}
    + interfaces > {WORD} > unit \\d+ > family inet > address {PREFIX4}
    ! applications > application {NAME} > protocol (?:tcp|udp|icmp|icmp6|\\d+)
    ! applications > application {NAME} > destination-port \\d+(?:-\\d+)?
""".strip().splitlines()]
# Kinds of statements are shown in this order, whatever order they came in.
RANKS = ["system", "security", "interfaces", "applications", "address-book", "screen", "nat", "policies", "zones", "pool", "rule-set", "from", "to", "rule",
         "description", "match", "then", "source-address", "destination-address", "application", "protocol", "destination-port"]
FOREIGN = """
    security address-book global address partner-net 203.0.113.128/25
    security policies from-zone dmz0 to-zone wan0 policy backup match source-address partner-net
    security policies from-zone dmz0 to-zone wan0 policy backup match destination-address any
    security policies from-zone dmz0 to-zone wan0 policy backup match application web
    security policies from-zone dmz0 to-zone wan0 policy backup then permit
    security zones security-zone wan0 interfaces reth0.0
    security zones security-zone dmz0 interfaces reth1.0
    security zones security-zone eth0 interfaces reth2.0
    interfaces reth0 unit 0 family inet address 203.0.113.2/28
    interfaces reth1 unit 0 family inet address 192.0.2.1/24
    applications application web protocol tcp
    applications application web destination-port 443
"""
DASHES = "-" * 74


class Wrong(Exception):
    """What the device says to a command that it refuses."""


def levels_of(statement):
    """``(levels, kind)`` of a statement, or None: it is not of the grammar."""
    for kind, levels in GRAMMAR:
        match = re.fullmatch(" ".join(f"({level})" for level in re.split(" > ", levels)), statement)
        if match:
            return list(match.groups()), kind
    return None


def rank(level):
    """Place of a statement among its neighbours."""
    word = level.split()[0]
    return RANKS.index(word) if word in RANKS else len(RANKS)


def key_of(level, kind):
    """What there can be one of among neighbours."""
    if kind == "?":
        return "action"
    if kind == "!":
        return level.split(" ", 1)[0] if level.endswith('"') else level.rsplit(" ", 1)[0]
    return level


class Tree:
    """Statements in braces: ``{level: Tree}``, in the order of entry."""

    def __init__(self):
        self.children, self.kind = {}, "+"

    def add(self, levels, kind):
        """Enter a statement."""
        if len(levels) > 1:
            self.children.setdefault(levels[0], Tree()).add(levels[1:], kind)
            return
        self.children = {level: child for level, child in self.children.items()
                         if level == levels[0] or key_of(level, child.kind) != key_of(levels[0], kind)}
        self.children.setdefault(levels[0], Tree()).kind = kind

    def merge(self, other):
        """Inherit: what is here holds, things of the other come behind. Names in <> fit what is here."""
        for level, theirs in other.children.items():
            pattern = re.fullmatch(r"(\S+) <(.+)>", level)
            mine = f"{pattern[1]} {pattern[2]}" if pattern else level
            if pattern and mine not in self.children:
                continue
            if key_of(level, theirs.kind) in [key_of(here, child.kind) for here, child in self.children.items()] and not theirs.children:
                continue
            self.children.setdefault(mine, Tree()).merge(theirs)
            self.children[mine].kind = theirs.kind

    def sorted(self):
        """Children as they are shown."""
        return sorted(self.children.items(), key=lambda item: rank(item[0]))

    def lines(self, before=""):
        """As ``display set`` shows it, without "set"."""
        return [line for level, child in self.sorted() for line in (child.lines(before + level + " ") if child.children else [before + level])]

    def text(self, indent=0):
        """In braces."""
        made, done = [], set()
        for level, child in self.sorted():
            head = " " * indent
            if child.children:
                made += [f"{head}{level} {{", *child.text(indent + 4), f"{head}}}"]
            elif child.kind == "*":
                word = level.rsplit(" ", 1)[0]
                values = [other.rsplit(" ", 1)[1] for other, found in self.children.items() if found.kind == "*" and other.rsplit(" ", 1)[0] == word]
                if word not in done:
                    made.append(f"{head}{word} {values[0] if len(values) == 1 else '[ ' + ' '.join(values) + ' ]'};")
                done.add(word)
            else:
                made.append(f"{head}{level};")
        return made

    def at(self, *levels):
        """A part, empty if it is not there."""
        for level in levels:
            self = self.children.get(level, Tree())
        return self

    def named(self, word):
        """``{name: Tree}`` of the children of a kind."""
        return {level.split(" ", 1)[1]: child for level, child in self.children.items() if level.split(" ")[0] == word}


class Configuration:
    """Groups, which of them are applied, and the rest."""

    def __init__(self):
        self.groups, self.applied, self.rest = {}, ['"${node}"'], Tree()
        self.groups["node0"], self.groups["node1"] = Tree(), Tree()
        for node, name in (("node0", "srx-a"), ("node1", "srx-b")):
            self.groups[node].add(["system", f"host-name {name}"], "!")
        for line in filter(None, map(str.strip, FOREIGN.splitlines())):
            self.rest.add(*levels_of(line))

    def set(self, statement):
        """:raises Wrong: syntax"""
        applied, group = re.fullmatch(r"apply-groups (\S+)", statement), re.fullmatch(r"groups (\S+) (.+)", statement)
        if applied:
            if applied[1] not in self.applied:
                self.applied.append(applied[1])
            return
        found = levels_of(group[2] if group else statement)
        if found is None:
            raise Wrong("                                  ^\nsyntax error.\n")
        (self.groups.setdefault(group[1], Tree()) if group else self.rest).add(*found)

    def delete(self, path):
        """Of groups and of applied ones only. :returns: what it says"""
        match = re.fullmatch(r"(groups|apply-groups) (\S+)", path)
        if match is None:
            raise Wrong("                                  ^\nsyntax error.\n")
        place = self.groups if match[1] == "groups" else self.applied
        if match[2] not in place:
            return "warning: statement not found\n"
        place.remove(match[2]) if match[1] == "apply-groups" else place.pop(match[2])
        return ""

    def expanded(self):
        """With everything inherited."""
        made = copy.deepcopy(self.rest)
        for name in self.applied:
            if name != '"${node}"':
                made.merge(self.groups[name])
        return made

    def check(self):
        """:raises Wrong: it cannot be committed"""
        for name in self.applied:
            if name != '"${node}"' and name not in self.groups:
                raise Wrong(f"error: configuration group '{name}' is not defined\nerror: commit failed: (missing configuration group)\n")
        whole = self.expanded()
        security = whole.at("security")
        zones, applications = security.at("zones").named("security-zone"), set(whole.at("applications").named("application"))
        addresses = {name.split()[0] for name in security.at("address-book", "global").named("address")}
        screens = set(security.at("screen").named("ids-option"))

        def fail(where, what):
            raise Wrong(f"[edit {where}]\n  {what}\nerror: configuration check-out failed\n")
        for pair, policies in security.at("policies").named("from-zone").items():
            where = f"security policies from-zone {pair}"
            for zone in (pair.split()[0], pair.split()[2]):
                if zone not in zones:
                    fail("security policies", f"'from-zone {pair}'\n    Security zone ({zone}) must be defined")
            for name, policy in policies.named("policy").items():
                match = policy.at("match")
                for kind in ("source-address", "destination-address", "application"):
                    if not match.named(kind):
                        fail(where, f"'policy {name}'\n    Missing mandatory statement: '{kind}'")
                if not {"permit", "deny", "reject"} & set(policy.at("then").children):
                    fail(where, f"'policy {name}'\n    Missing mandatory statement: 'then'")
                for address in [*match.named("source-address"), *match.named("destination-address")]:
                    if address not in addresses | {"any", "any-ipv4", "any-ipv6"}:
                        fail(where, f"'policy {name}'\n    Address or address_set ({address}) not found")
                for application in match.named("application"):
                    if application not in applications | {"any", "junos-icmp-all", "junos-icmp6-all"}:
                        fail(where, f"'policy {name}'\n    application or application-set ({application}) must be defined")
        for name, zone in zones.items():
            for screen in zone.named("screen"):
                if screen not in screens:
                    fail(f"security zones security-zone {name}", f"'screen {screen}'\n    referenced screen must be defined")
        source = security.at("nat", "source")
        contexts = [(tuple(rules.named("from")), tuple(rules.named("to"))) for rules in source.named("rule-set").values()]
        if len(set(contexts)) < len(contexts):
            fail("security nat source", "'rule-set'\n    rule-sets have the same context")
        for name, rules in source.named("rule-set").items():
            for rule in rules.named("rule").values():
                for pool in rule.at("then", "source-nat", "pool").children:
                    if pool not in source.named("pool"):
                        fail(f"security nat source rule-set {name}", f"'pool {pool}'\n    pool must be defined")

    def text(self):
        """All of it in braces."""
        made = ["## Last changed: 2026-11-26 09:00:00 UTC", f"version {VERSION};", "groups {"]
        for name, tree in self.groups.items():
            made += [f"    {name} {{", *tree.text(8), "    }"]
        applied = self.applied[0] if len(self.applied) == 1 else f"[ {' '.join(self.applied)} ]"
        return "\n".join([*made, "}", f"apply-groups {applied};", *self.rest.text()]) + "\n"


class Cluster:
    """What the nodes know of each other. Groups 0 (routing engine) and 1 (traffic)."""

    def __init__(self):
        self.primary, self.manual, self.count, self.synced = {0: 0, 1: 0}, {0: False, 1: False}, {0: 1, 1: 1}, True
        self.nodes = []

    def settle(self):
        """Whoever is off is primary for nothing."""
        for group, node in self.primary.items():
            if not self.nodes[node].alive and self.nodes[1 - node].alive:
                self.primary[group], self.count[group] = 1 - node, self.count[group] + 1

    def member(self, group, node):
        """``(priority, status, failures)``"""
        if not self.nodes[node].alive:
            return 0, "lost", "n/a"
        if self.primary[group] == node:
            return (255 if self.manual[group] else (200, 100)[node]), "primary", "None"
        return ((200, 100)[node], "secondary", "None") if self.synced else (0, "secondary", "CF")


class Node(server.Device):
    """One of the two."""

    def __init__(self, name, number, cluster):
        super().__init__(name)
        self.number, self.cluster = number, cluster
        cluster.nodes.append(self)
        self.birth = self.now()
        # Committed configurations, the newest first: (configuration, time, user, how, comment)
        self.history = [(Configuration(), self.clock(), "root", "other", "")]
        self.pending = None  # when the device goes back
        self.lock_holder, self.stranger = None, ""
        self.modes = {}  # terminal: (mode, candidate)

    # ---- time

    def clock(self):
        """The time of day of the device."""
        return START + datetime.timedelta(seconds=int(self.now() - getattr(self, "birth", self.now())))

    def tick(self):
        if self.pending is not None and self.now() >= self.pending:
            self.pending = None
            self.commit(self.history[1][0], "root", "other", "")

    def reboot(self):
        self.modes, self.lock_holder = {}, None

    def commit(self, configuration, user, how, comment):
        """Activate here and at the other node."""
        for node in self.cluster.nodes:
            if node.alive:
                node.history.insert(0, (copy.deepcopy(configuration), self.clock(), user, how, comment))

    # ---- terminal

    def candidate(self, terminal):
        return self.modes.get(terminal, (None, None))[1]

    def prompt(self, terminal):
        self.cluster.settle()
        state = "primary" if self.cluster.primary[0] == self.number else "secondary"
        mode = self.modes.get(terminal)
        notice = "# commit confirmed will be rolled back in 1 minute\n" if mode and self.pending is not None else ""
        banner = f"\n{notice}{{{state}:node{self.number}}}{'[edit]' if mode else ''}\n"
        return f"{banner}{server.ACCOUNT[0]}@{self.name}{'#' if mode else '>'} "

    def login(self, terminal):
        terminal.write(f"--- JUNOS {VERSION} Kernel 64-bit XEN JNPR-12.1\n")

    def logout(self, terminal):
        self.modes.pop(terminal, None)
        if self.lock_holder is terminal:
            self.lock_holder = None

    def unknown(self, command):
        return "                     ^\nunknown command.\n"

    def answer(self, terminal, command):
        self.cluster.settle()
        try:
            if terminal in self.modes:
                return self.edit(terminal, command)
            return self.operate(terminal, command)
        except Wrong as error:
            return str(error)

    # ---- operational mode

    def operate(self, terminal, command):
        fixed = {
            "set cli screen-width 511": "Screen width set to 511\n", "set cli screen-length 0": "Screen length set to 0\n",
            "set cli complete-on-space off": "Disabling complete-on-space\n",
            "show configuration apply-groups | display set": "".join(f"set apply-groups {name}\n" for name in self.history[0][0].applied),
        }
        if command in fixed:
            return fixed[command]
        if command in ("exit", "quit"):
            return None
        configure = re.fullmatch(r"configure(?: (exclusive|private))?", command)
        if configure:
            return self.enter(terminal, configure[1] or "private", configure[1] is None)
        group = re.fullmatch(r"show configuration groups (\S+) \| display set", command)
        if group:
            return "".join(f"set groups {group[1]} {line}\n" for line in self.history[0][0].groups.get(group[1], Tree()).lines())
        back = re.fullmatch(r"show system rollback (\d+)", command)
        if back:
            if int(back[1]) >= len(self.history):
                return f"error: rollback file {back[1]} does not exist\n"
            return self.history[int(back[1])][0].text()
        failover = re.fullmatch(r"request chassis cluster failover (reset )?redundancy-group (\d+)(?: node (\d))?", command)
        if failover and int(failover[2]) in self.cluster.primary and bool(failover[1]) != bool(failover[3]):
            return self.fail_over(int(failover[2]), failover[3] and int(failover[3]))
        shown = {"show version": self.version, "show chassis cluster status": self.status, "show chassis cluster interfaces": self.interfaces,
                 "show chassis cluster information configuration-synchronization": self.copies, "show system commit": self.commits,
                 "show security flow session summary": self.sessions, "show system uptime": self.uptime}.get(command)
        return shown() if shown else self.unknown(command)

    def enter(self, terminal, mode, by_default):
        if self.stranger or (self.lock_holder is not None and self.lock_holder is not terminal):
            who = self.stranger or server.ACCOUNT[0]
            return f"error: configuration database locked by:\n  {who} terminal pts/1 (pid 4711) on since 2026-11-26 08:59:00 UTC\n      exclusive [edit]\n"
        self.modes[terminal] = (mode, copy.deepcopy(self.history[0][0]))
        if mode == "exclusive":
            self.lock_holder = terminal
        clustered = "warning: Clustering enabled; using private edit\n" if by_default else ""
        return f"{clustered}warning: uncommitted changes will be discarded on exit\nEntering configuration mode\n"

    def fail_over(self, group, node):
        titles = f"node{self.number}:\n{DASHES}\n"
        if node is None:
            self.cluster.manual[group] = False
            return f"{titles}Successfully reset manual failover for redundancy group {group}\n"
        if self.cluster.manual[group]:
            return f"{titles}error: Manual failover is already set for redundancy-group {group}; reset it first\n"
        if self.cluster.member(group, node)[:2] == (0, "lost") or self.cluster.member(group, node)[0] == 0:
            return f"{titles}error: node{node} is not eligible to become primary for redundancy-group {group}\n"
        if self.cluster.primary[group] == node:
            return f"{titles}error: node{node} is already primary for redundancy-group {group}\n"
        self.cluster.primary[group], self.cluster.manual[group] = node, True
        self.cluster.count[group] += 1
        return f"{titles}Initiated manual failover for redundancy group {group}\n"

    def each(self, say):
        """An answer of both nodes, with titles."""
        made = [f"node{node.number}:\n{DASHES}\n" + (say(node) if node.alive else f"error: Could not connect to node{node.number} : No route to host\n")
                for node in self.cluster.nodes]
        return "\n".join(made)

    def version(self):
        return self.each(lambda node: f"Hostname: {node.name}\nModel: {MODEL}\nJunos: {VERSION}\nJUNOS OS Kernel 64-bit [20230604.2]\n")

    def sessions(self):
        return self.each(lambda node: "Unicast-sessions: 31\nMulticast-sessions: 0\nServices-offload-sessions: 0\nFailed-sessions: 0\n"
                         f"Sessions-in-drop-flow: 0\nSessions-in-use: {34 + node.number}\n  Valid sessions: 31\n  Pending sessions: 0\n"
                         "  Invalidated sessions: 3\n  Sessions in other states: 0\nMaximum-sessions: 524288\n")

    def uptime(self):
        return self.each(lambda node: f"Current time: {node.clock()} UTC\nTime Source:  NTP CLOCK\nSystem booted: {START} UTC (08:00:00 ago)\n")

    def copies(self):
        result = "Succeeded" if self.cluster.synced else "Failed"
        return self.each(lambda node: "\nConfiguration Synchronization:\n    Status:\n        Activation status: Enabled\n"
                         f"        Last sync operation: Auto-Sync\n        Last sync result: {'Not needed' if node.number == 0 else result}\n"
                         "        Last sync mgd messages:\n\n    Events:\n        Nov 26 08:01:12.662 : Auto-Sync: In progress. Attempt: 1\n")

    def interfaces(self):
        both = all(node.alive for node in self.cluster.nodes)
        link = "Up" if both else "Down"
        return (f"Control link status: {link}\n\nControl interfaces:\n    Index   Interface   Monitored-Status   Internal-SA   Security\n"
                f"    0       fxp1        {link}                 Disabled      Disabled\n\nFabric link status: {link}\n\nFabric interfaces:\n"
                "    Name    Child-interface    Status                    Security\n                               (Physical/Monitored)\n"
                f"    fab0    ge-0/0/2           {link} / {link}               Disabled\n"
                f"    fab1    ge-5/0/2           {link} / {link}               Disabled\n\n"
                "Redundant-ethernet Information:\n    Name         Status      Redundancy-group\n"
                "    reth0        Up          1\n    reth1        Up          1\n"
                "    reth2        Up          1\n    reth3        Down        Not configured\n\nRedundant-pseudo-interface Information:\n"
                "    Name         Status      Redundancy-group\n    lo0          Up          0\n")

    def status(self):
        made = ["Monitor Failure codes:", "    CS  Cold Sync monitoring        FL  Fabric Connection monitoring",
                "    IF  Interface monitoring        IP  IP monitoring", "    CF  Config Sync monitoring      RE  Relinquish monitoring", "", "Cluster ID: 1",
                "Node   Priority Status               Preempt Manual   Monitor-failures", ""]
        for group in self.cluster.primary:
            made.append(f"Redundancy group: {group} , Failover count: {self.cluster.count[group]}")
            for number in (0, 1):
                priority, status, failures = self.cluster.member(group, number)
                flag = "n/a" if status == "lost" else "yes" if self.cluster.manual[group] else "no"
                made.append(f"node{number}  {priority:<8} {status:<20} {'n/a' if status == 'lost' else 'no':<7} {flag:<8} {failures}")
            made.append("")
        return "\n".join(made)

    def commits(self):
        made = []
        for number, (_configuration, time, user, how, comment) in enumerate(self.history[:50]):
            made.append(f"{number:<3} {time} UTC by {user} via {how}")
            made += [f"    {comment}"] if comment else []
            made += ["    rollback pending"] if number == 0 and self.pending is not None else []
        return "\n".join(made) + "\n"

    # ---- configuration mode

    def edit(self, terminal, command):
        mode, candidate = self.modes[terminal]
        word, _space, rest = command.partition(" ")
        if word == "set" and rest:
            candidate.set(rest)
            return ""
        if word == "delete" and rest:
            return candidate.delete(rest)
        if word == "rollback" and rest.isdigit() and int(rest) < len(self.history):
            self.modes[terminal] = (mode, copy.deepcopy(self.history[int(rest)][0]))
            return "load complete\n"
        if command == "exit configuration-mode":
            if candidate.text() != self.history[0][0].text():
                if terminal.read("Discard uncommitted changes? [yes,no] (yes) ") not in ("yes", "y", ""):
                    return ""
            self.logout(terminal)
            return "Exiting configuration mode\n"
        commit = re.fullmatch(r'commit(?: (check)| confirmed (\d+))?(?: comment "([^"]*)")?', command)
        if commit is None:
            return self.unknown(command)
        candidate.check()
        titles = f"node{self.number}:\n"
        if commit[1]:
            self.pending = None
            return f"{titles}configuration check succeeds\n"
        if commit[2] and mode == "private":
            return "error: commit confirmed is not allowed in private mode\n"
        how, note = "cli", ""
        if commit[2]:
            how = f"cli commit confirmed, rollback in {commit[2]}mins"
            note = f"commit confirmed will be automatically rolled back in {commit[2]} minutes unless confirmed\n"
        self.commit(candidate, server.ACCOUNT[0], how, commit[3] or "")
        self.pending = self.now() + 60 * int(commit[2]) if commit[2] else None
        others = f"node{1 - self.number}:\ncommit complete\n" if self.cluster.nodes[1 - self.number].alive else ""
        return f"{titles}configuration check succeeds\n{note}{others}{titles}commit complete\n"

    # ---- what tests want

    def lose_sync(self):
        self.cluster.synced = False

    def push_marker(self, pushed):
        return "^" + re.escape([command for command in pushed if "address-book" in command][2]) + "$"

    def others(self):
        committed = self.history[0][0]
        return "\n".join(committed.rest.lines() + [f"{name} {line}" for name in ("node0", "node1") for line in committed.groups[name].lines()]
                         + [name for name in committed.applied if name != "ha-mail"])


def pair():
    """Two nodes, the first primary for everything."""
    cluster = Cluster()
    return [Node("srx-a", 0, cluster), Node("srx-b", 1, cluster)]
