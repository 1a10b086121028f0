# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""A chassis cluster of Juniper SRX firewalls, over the CLI of Junos 21.4 or so (CLI guide; Chassis Cluster guide for security devices).

The nodes share one configuration, which the node with the routing engine of the cluster (redundancy group 0) sends to the other. Traffic is with the
node that has the other redundancy groups; that one is called active here.

``commit check`` confirms a pending commit too, whoever made it. Nothing here checks or commits before it was seen that none is pending, and ours are
known by their comment.
"""

from __future__ import annotations

import datetime
import re

from ansible.module_utils.connection import ConnectionError as DeviceError

from ansible_collections.mail.ha.plugins.module_utils import firewall_juniper_junos_rules as rules
from ansible_collections.mail.ha.plugins.module_utils.firewall_dialect import Dialect, DialectError, Refusal, field

COMMENT = rules.GROUP
STATUS = 'show chassis cluster status'
LONG = 300  # seconds that a commit to both nodes may take
# Stands above the prompt on a cluster: what this node is for redundancy group 0, and its number.
_BANNER = re.compile(r'^\{[\w-]+:node(\d)\}(?:\[edit[^\n]*)?$', re.MULTILINE)
# May stand above a configuration.
_STAMP = re.compile(r'## Last (?:commit|changed): ')
_NODE = re.compile(r'^node(\d):[ ]*$', re.MULTILINE)
_REDUNDANCY = re.compile(r'^\s*Redundancy group:\s*(\d+)')
_MEMBER = re.compile(r'^\s*node(\d)\s+(\d+)\s+(\S+)\s+\S+\s+(\S+)(?:\s+(\S.*?))?\s*$')
_NO_CLUSTER = re.compile(r'cluster is not enabled', re.IGNORECASE)
_NEWEST = re.compile(r'^[ ]*0[ ]+(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)[ ]')
_NEXT = re.compile(r'^[ ]*(?:\d+[ ]+\d{4}-|rescue[ ])')
_MINUTES = re.compile(r'rollback in (\d+)\s*min')
_TIME = re.compile(r'^Current time: (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)', re.MULTILINE)
_RETH = re.compile(r'^\s*(reth\d+)\s+(\S+)\s+(\d+)\s*$', re.MULTILINE)
_CHECKED = re.compile(r'(configuration check succeeds)')
_COMMITTED = re.compile(r'(commit complete)')
_LOADED = re.compile(r'(load complete)')
_INITIATED = re.compile(r'(initiated (?:a )?manual failover)', re.IGNORECASE)
_OURS = re.compile(r'^(?:set|deactivate) groups %s(?: |$)' % rules.GROUP)
_APPLIED = re.compile(r'^(?:set apply-groups \S+|deactivate apply-groups(?: \S+)?)$')


class Junos(Dialect):
    """See the module."""

    platform = 'juniper_junos'
    product = 'Juniper SRX chassis cluster'
    rollback = "'commit confirmed': the device commits the configuration from before again"
    granularity = 60
    errors = r'^\s*(?:error:|syntax error|unknown command|missing argument|invalid )'

    @classmethod
    def render(cls, policy, member):
        return rules.render(policy, member)

    # ---- reading

    def facts(self):
        status = self._status()
        node = status['node'] if status else None
        version = self._own('show version', node)
        pending = self._pending(node)
        facts = {
            'platform': self.platform, 'version': _field(version, r'^Junos: (\S+)', 'Junos and a version', 'show version'),
            'hostname': _field(version, r'^Hostname: (\S+)', 'Hostname', 'show version'), 'model': _field(version, r'^Model: (\S+)', 'Model', 'show version'),
            'role': 'alone', 'peer': 'absent', 'in_sync': False, 'sync': 'no chassis cluster', 'uplinks': [], 'providers': [],
            'sessions': self._sessions(node), 'armed': pending['seconds'] if pending else None}
        if status:
            links, uplinks = self._links()
            copies = self._copies()
            facts['role'], facts['peer'] = _role(status['groups'], node), _role(status['groups'], 1 - node)
            if facts['role'] == 'absent':
                raise DialectError("'%s' calls the node that answers it lost, expected the other at most." % STATUS)
            failures = ['node%d %s in group %d' % (number, member['failures'], group) for group, members in sorted(status['groups'].items())
                        for number, member in sorted(members.items()) if member['failures'] not in ('', 'None')]
            facts['in_sync'] = (facts['peer'] in ('active', 'standby') and not failures and all(link == 'Up' for link in links.values())
                                and len(copies) == 2 and all(copy.lower() in ('succeeded', 'not needed') for copy in copies.values()))
            facts['sync'] = 'last copy of the configuration: %s; %s; failures: %s' % (
                ', '.join('node%d %s' % item for item in sorted(copies.items())), ', '.join('%s link %s' % item for item in sorted(links.items())),
                ', '.join(failures) or 'none')
            facts['uplinks'] = uplinks
        return facts

    def running(self):
        command = 'show configuration groups %s | display set' % rules.GROUP
        group = self._lines(command)
        strange = [line for line in group if not _OURS.match(line)]
        if strange:
            raise DialectError("'%s' answered '%s', expected lines that begin with 'set groups %s'." % (command, strange[0], rules.GROUP))
        command = 'show configuration apply-groups | display set'
        applied = self._lines(command)
        strange = [line for line in applied if not _APPLIED.match(line)]
        if strange:
            raise DialectError("'%s' answered '%s', expected lines that begin with 'set apply-groups'." % (command, strange[0]))
        return rules.normal(group + [line for line in applied if line == rules.APPLIED or (group and line.startswith('deactivate'))])

    def saved(self):
        """With a confirmation pending, the configuration that the device would go back to. It keeps every committed one on disk."""
        status = self._status()
        if not self._pending(status['node'] if status else None):
            return self.running()
        return rules.statements('\n'.join(self._lines('show system rollback 1', secret=True)))

    # ---- changing

    def ready(self, lines, seconds):
        status = self._status()
        if status and status['groups'][0][status['node']]['status'] != 'primary':
            raise Refusal('the routing engine of the cluster (redundancy group 0) is at the other node, and configurations are sent from there. Move '
                          "the other redundancy groups back to that node, or group 0 to this one ('request chassis cluster failover redundancy-group 0').")
        if self._pending(status['node'] if status else None):
            raise Refusal('another change waits for its confirmation, and the check of this one would confirm it. Wait for that, or revert it first.')

    def apply(self, lines, seconds):
        self.ready(lines, seconds)
        minutes = max(1, -(-seconds // 60))
        self._edit(['delete groups %s' % rules.GROUP, 'delete apply-groups %s' % rules.GROUP, *lines],
                   [('commit check', _CHECKED), ('commit confirmed %d comment "%s"' % (minutes, COMMENT), _COMMITTED)])

    def confirm(self):
        if not self._pending_of_ours():
            raise DialectError('nothing waits for a confirmation: the change was taken back already, or a commit of somebody else confirmed it.')
        self._edit([], [('commit comment "%s"' % COMMENT, _COMMITTED)])
        if self._pending_of_ours():
            raise DialectError("'commit' was answered well, but 'show system commit' says that a rollback is still pending. Look at the log of the device.")

    def revert(self):
        if self._pending_of_ours():
            self._edit([], [('rollback 1', _LOADED), ('commit comment "%s"' % COMMENT, _COMMITTED)])

    def switchover(self):
        """Of all redundancy groups but 0: moving the routing engine starts all its processes anew, and that one cannot be moved back for minutes."""
        status = self._status()
        if not status:
            raise DialectError('found no chassis cluster, expected one; there is nobody who could take over.')
        active = [node for node in (0, 1) if _role(status['groups'], node) == 'active']
        if len(active) != 1:
            raise DialectError("'%s' shows no node that is primary for all redundancy groups but 0, expected one. Bring them together first." % STATUS)
        target = 1 - active[0]
        manual = [group for group in _data(status['groups']) if any(member['manual'] == 'yes' for member in status['groups'][group].values())]
        for group in manual:
            # It stays set after a manual failover and is in the way of the next one.
            self.ask('request chassis cluster failover reset redundancy-group %d' % group)
        # A group with preemption may have moved by itself now.
        groups = self._status()['groups'] if manual else status['groups']
        for group in _data(groups):
            if groups[group][target]['status'] != 'primary':
                command = 'request chassis cluster failover redundancy-group %d node %d' % (group, target)
                field(self.ask(command), _INITIATED, 'that a manual failover was initiated', command)

    # ---- helpers

    def _edit(self, lines, commits):
        """Change the configuration under a lock. The cluster's own default is a private copy, which cannot be committed until confirmed.

        :param commits: ``[(command, expression that has to be in its answer)]``
        """
        # Not by session.configure: its driver would wait for a prompt in vain where somebody else has the lock, and not say who.
        self.ask('configure exclusive')
        try:
            self.configure(lines, enter='configure exclusive')
            for command, pattern in commits:
                field(self.configure([command], deadline=LONG), pattern, 'success', command)
        except (DeviceError, DialectError):
            try:
                # Without this, the device would ask whether to discard the changes.
                self.configure(['rollback 0'])
                self.session.leave()
            except DeviceError:
                pass  # the session is over, and the candidate with it
            raise
        self.session.leave()

    def _lines(self, command, **options):
        """Lines of an answer, without what belongs to the prompt."""
        return [line.rstrip() for line in _BANNER.sub('', self.ask(command, **options)).splitlines() if line.strip() and not _STAMP.match(line)]

    def _parts(self, command):
        """``{number of the node: text}`` of an answer that both nodes had to give, or ``{None: text}``. Errors are those of an absent node."""
        pieces = _NODE.split('\n'.join(self._lines(command, errors='')))
        return dict(zip(map(int, pieces[1::2]), pieces[2::2])) if len(pieces) > 1 else {None: pieces[0]}

    def _own(self, command, node):
        """The part of an answer that is of this node."""
        parts = self._parts(command)
        if set(parts) != {None} and node not in parts:
            raise DialectError("'%s' answered for %s, expected node%s too." % (command, ', '.join('node%s' % part for part in sorted(parts)), node))
        return parts[node if node in parts else None]

    def _status(self):
        """``{node: own number, groups: {number: {node: {priority, status, manual, failures}}}}``, or None without a cluster."""
        said = self.ask(STATUS, errors='')
        if _NO_CLUSTER.search(said):
            return None
        node, groups, members = int(field(said, _BANNER, 'a cluster and the number of this node', STATUS)), {}, None
        for line in said.splitlines():
            group, member = _REDUNDANCY.match(line), _MEMBER.match(line)
            if group:
                members = groups.setdefault(int(group[1]), {})
            elif member and members is not None:
                members[int(member[1])] = {'priority': int(member[2]), 'status': member[3].lower(), 'manual': member[4].lower(), 'failures': member[5] or ''}
        if 0 not in groups or any(set(found) != {0, 1} for found in groups.values()):
            raise DialectError("'%s' answered %r, expected both nodes in each redundancy group, and group 0 among them." % (STATUS, said[:200]))
        return {'node': node, 'groups': groups}

    def _pending(self, node):
        """``{seconds, comment}`` of a commit that is to be confirmed, or None. The minutes in the list stay there for good; ``rollback pending`` does not."""
        command = 'show system commit'
        lines = self._own(command, node).splitlines()
        newest = next((index for index, line in enumerate(lines) if _NEWEST.match(line)), None)
        if newest is None:
            raise DialectError("'%s' answered %r, expected a list of commits." % (command, '\n'.join(lines)[:200]))
        rest = []
        for line in lines[newest + 1:]:
            if _NEXT.match(line):
                break
            rest.append(line.strip())
        if 'rollback pending' not in [line.lower() for line in rest]:
            return None
        minutes = int(field(lines[newest], _MINUTES, 'the minutes until the rollback', command))
        now = field(self._own('show system uptime', node), _TIME, 'the current time', 'show system uptime')
        # Both in the time zone of the device.
        since, now = (datetime.datetime.strptime(text, '%Y-%m-%d %H:%M:%S') for text in (_NEWEST.match(lines[newest])[1], now))
        return {'seconds': max(0, int(60 * minutes - (now - since).total_seconds())),
                'comment': ' '.join(line for line in rest if line.lower() != 'rollback pending')}

    def _pending_of_ours(self):
        """Whether a commit of ours waits. :raises DialectError: one of somebody else does"""
        status = self._status()
        pending = self._pending(status['node'] if status else None)
        if pending and pending['comment'] != COMMENT:
            raise DialectError("a change of somebody else waits for its confirmation (comment '%s'); it is left alone. Ask them, or wait %d s."
                               % (pending['comment'], pending['seconds']))
        return pending is not None

    def _sessions(self, node):
        command = 'show security flow session summary'
        said = self._own(command, node)
        _field(said, r'^Sessions-in-use: (\d+)', 'Sessions-in-use', command)
        # Once for each forwarding engine.
        return sum(map(int, re.findall(r'^Sessions-in-use: (\d+)', said, re.MULTILINE)))

    def _links(self):
        """``({name of a link between the nodes: status}, uplinks)``"""
        command = 'show chassis cluster interfaces'
        said = '\n'.join(self._lines(command))
        links = {name: _field(said, r'^\s*%s link status: (\S+)' % name.capitalize(), 'the status of the %s link' % name, command)
                 for name in ('control', 'fabric')}
        # Interfaces without a group are not in use.
        found = _RETH.findall(said)
        if not found:
            raise DialectError("'%s' shows no redundant Ethernet interface with a redundancy group, expected those of the zones." % command)
        return links, [{'name': name, 'up': status == 'Up'} for name, status, _group in found]

    def _copies(self):
        """``{node: result of its last copy of the configuration}``"""
        command = 'show chassis cluster information configuration-synchronization'
        parts = self._parts(command)
        found = {node: re.search(r'^\s*Last sync result: (\S.*?)\s*$', text, re.MULTILINE) for node, text in parts.items() if node is not None}
        if not any(found.values()):
            raise DialectError("'%s' answered %r, expected the last sync result of a node." % (command, str(parts)[:200]))
        return {node: match[1] if match else 'unknown' for node, match in found.items()}


def _data(groups):
    """Redundancy groups that traffic goes by."""
    return sorted(set(groups) - {0}) or [0]


def _role(groups, node):
    """Role of a node: that of its groups but 0, if it could take over all of them."""
    mine = [members[node] for _group, members in sorted(groups.items())]
    data = {groups[group][node]['status'] for group in _data(groups)}
    if data == {'primary'}:
        return 'active'
    if {member['status'] for member in mine} == {'lost'}:
        return 'absent'
    # A priority of 0: it must not become primary. Other states (hold, secondary-hold, ineligible, disabled): it cannot now.
    able = all(member['status'] in ('primary', 'secondary') and member['priority'] > 0 for member in mine)
    return 'standby' if able and data == {'secondary'} else 'fault'


def _field(text, expression, what, command):
    return field(text, re.compile(expression, re.MULTILINE), what, command)


DIALECT = Junos
