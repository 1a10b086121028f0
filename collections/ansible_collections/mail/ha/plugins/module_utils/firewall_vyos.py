# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""VyOS 1.4 and 1.5: a pair by VRRP (sync-group) and conntrack-sync, each member with a configuration of its own.

Taking a change back: ``commit-confirm`` starts the timer unit commit-confirm.timer before it commits. When it ends, 1.4 reboots to the saved
configuration; later versions can load the previous one instead ("system config-management commit-confirm action reload"). Either way only
what was saved is sure to come back, and ``confirm`` is followed by ``save``; so a change is refused while anything else is not saved.
"""

from __future__ import annotations

import contextlib
import math
import re
import time

from ansible_collections.mail.ha.plugins.module_utils import firewall_vyos_rules as rules
from ansible_collections.mail.ha.plugins.module_utils.firewall_dialect import Dialect, DialectError, Refusal, field

# Only our part and the like leaves the device, no secrets; the name of the host is the proof that there was an answer.
_WANTED = " | grep -E '^set (firewall|nat|nat66|system host-name) '"
RUNNING = 'show configuration commands' + _WANTED
SAVED = 'vyos-config-to-commands /config/config.boot' + _WANTED
GROUPS = "show configuration commands | grep -E '^set (system host-name|high-availability vrrp group [^ ]+ (interface|priority|no-preempt|disable))'"
TIMER = 'systemctl show commit-confirm.timer --property=ActiveState,NextElapseUSecMonotonic --no-pager'
UPTIME = 'cat /proc/uptime'
SYNC = 'show conntrack-sync statistics'

# Seconds: a commit, a save; until the other member has taken over; until the peer, which sends something every second, was heard.
COMMIT, SAVE, TAKEOVER, HEARD = 180, 60, 30, 4

_HOST = re.compile(r"^set system host-name '?([A-Za-z0-9._-]+)'?\s*$", re.MULTILINE)
_VERSION = re.compile(r'^Version:\s+VyOS (\S+)', re.MULTILINE)
_MODEL = re.compile(r'^Hardware model:[ \t]*(.*?)[ \t]*\r?$', re.MULTILINE)
_VRRP = re.compile(r'^(\S+)\s+(\S+)\s+(\d+)\s+(MASTER|BACKUP|FAULT|INIT|DISABLED|UNKNOWN)\b')
_VRRP_HEAD = re.compile(r'^(Name\s+Interface\s+VRID\s+State\b)', re.MULTILINE)
_NO_VRRP = re.compile(r'^\s*(VRRP (?:not configured|is not running|data is not available)[^\n]*)', re.MULTILINE)
_SESSIONS = re.compile(r'^cache internal:\s+current active connections:\s+(\d+)', re.MULTILINE)
_RECEIVED = re.compile(r'^\s*\d+ Pckts sent\s+(\d+) Pckts recv', re.MULTILINE)
_LOST = re.compile(r'\s(\d+) Lost msgs')
_NO_SYNC = re.compile(r"^\s*(conntrack-sync is not configured|[^\n]*is conntrackd running)", re.MULTILINE)
_STATE = re.compile(r'^ActiveState=(active|inactive|failed|activating|deactivating)\s*$', re.MULTILINE)
_NEXT = re.compile(r'^NextElapseUSecMonotonic=(\S.*?)\s*$', re.MULTILINE)
_NOW = re.compile(r'^(\d+\.\d+) \d+\.\d+\s*$', re.MULTILINE)
_SPAN = re.compile(r'(\d+(?:\.\d+)?)(y|month|w|d|h|min|s|ms|us)\b')
_UNITS = {'y': 31557600, 'month': 2629800, 'w': 604800, 'd': 86400, 'h': 3600, 'min': 60, 's': 1, 'ms': 1e-3, 'us': 1e-6}
_SAME = re.compile(r'^\s*No changes between working and saved', re.MULTILINE)
# 1.3 and 1.4 ask in slightly different words.
_PROCEED = [[r'Proceed ?\? ?\[[^\]\n]*\]\s*$', 'y']]
_ARMED = re.compile(r'Initialized commit-confirm')


class Vyos(Dialect):
    """See the module."""

    platform = 'vyos'
    product = 'VyOS 1.4/1.5 (VRRP, conntrack-sync)'
    rollback = 'commit-confirm: the device reboots to the saved configuration, or loads it if it is set to reload'
    replicated = False
    granularity = 60
    errors = (r'^\s*(?:Configuration path: .*is (?:not valid|ambiguous)|(?:Set|Delete|Commit) failed|Value validation failed|'
              r'(?:Invalid|Ambiguous|Incomplete) command|Nothing to delete|No configuration changes to commit|\[\[.*\]\] failed|'
              r'Configuration system temporarily locked|Could not (?:read|parse) |Traceback )')

    @classmethod
    def render(cls, policy, member):
        return rules.render(policy, member)

    # ---- reading

    def facts(self):
        version = self.ask('show version')
        configured = self._lines(RUNNING)
        groups, role = self._role()
        sessions, heard, in_sync, sync = self._sync()
        peer = 'absent' if role == 'alone' or not heard and role != 'standby' else 'standby' if role == 'active' else 'active'
        return {
            'platform': self.platform, 'version': field(version, _VERSION, 'a line "Version: VyOS ..."', 'show version'),
            'hostname': field('\n'.join(configured), _HOST, 'the name of the host', RUNNING),
            'model': field(version, _MODEL, 'a line "Hardware model: ..."', 'show version'),
            # Nobody tells an active member of the other but conntrack-sync; a standby hears VRRP of the active one, or it would not be standby.
            'role': role, 'peer': peer, 'in_sync': in_sync, 'sync': sync, 'sessions': sessions,
            'uplinks': self._uplinks(sorted({interface for _name, interface, _state in groups})), 'providers': [],
            'armed': self._armed(),
        }

    def running(self):
        return rules.split(self._lines(RUNNING))[0]

    def saved(self):
        return rules.split(self._lines(SAVED))[0]

    def _lines(self, command):
        """Lines that begin with "set", among them the name of the host."""
        said = self.ask(command)
        lines = [line.strip() for line in said.splitlines() if line.strip()]
        field(said, _HOST, 'a line "set system host-name"', command)
        for line in lines:
            field(line, re.compile(r'^(set \S)'), 'lines that begin with "set"', command)
        return lines

    def _vrrp(self):
        """``(groups, what it says)``: ``(name, interface, state)`` of each group that is not disabled."""
        said = self.ask('show vrrp')
        none = _NO_VRRP.search(said)
        if none:
            return [], none.group(1)
        field(said, _VRRP_HEAD, 'a table of VRRP groups', 'show vrrp')
        rows = [line for line in said[_VRRP_HEAD.search(said).end():].splitlines()[1:] if line.strip(' -')]
        for row in rows:
            field(row, _VRRP, 'name, interface, VRID and state of a VRRP group', 'show vrrp')
        found = [_VRRP.match(row).group(1, 2, 4) for row in rows]
        return [group for group in found if group[2] != 'DISABLED'], ', '.join('%s is %s' % (name, state) for name, _interface, state in found)

    def _role(self):
        """``(groups, role)``; groups that do not agree can neither serve nor take over, a sync-group would hold them together."""
        groups, said = self._vrrp()
        states = {state for _name, _interface, state in groups}
        if not groups:
            return groups, 'fault' if 'running' in said or 'available' in said else 'alone'
        return groups, {'MASTER': 'active', 'BACKUP': 'standby'}.get(states.pop(), 'fault') if len(states) == 1 else 'fault'

    def _statistics(self):
        """``(sessions, received, lost, None)``, or ``(None, 0, 0, why not)``."""
        said = self.ask(SYNC)
        none = _NO_SYNC.search(said)
        if none:
            return None, 0, 0, none.group(1).strip()
        return (int(field(said, _SESSIONS, 'the connections of the internal cache', SYNC)), int(field(said, _RECEIVED, 'packets received', SYNC)),
                int(field(said, _LOST, 'lost messages', SYNC)), None)

    def _sync(self):
        """``(sessions, peer heard, in sync, what it says)``. VyOS runs conntrackd in the mode FTFW, where each member sends something every second."""
        sessions, received, lost, missing = self._statistics()
        if missing:
            return sessions, False, False, missing
        start = time.monotonic()
        while True:
            time.sleep(0.5)
            sessions, now, missed, missing = self._statistics()
            if missing:
                return sessions, False, False, missing
            if now != received or time.monotonic() > start + HEARD:
                break
        words = 'conntrack-sync: %d packets of the peer and %d lost messages in %d s' % (now - received, missed - lost, math.ceil(time.monotonic() - start))
        return sessions, now > received, now > received and missed == lost, words

    def _uplinks(self, names):
        """The interfaces that VRRP runs on, up if both administrator and link say so."""
        said = self.ask('show interfaces')
        field(said, re.compile(r'^(Interface\s+IP Address\s.*S/L)', re.MULTILINE), 'a table of interfaces', 'show interfaces')
        return [{'name': name, 'up': field(said, re.compile(r'^%s\s.*?\s([uDA]/[uDA])(?:\s|$)' % re.escape(name), re.MULTILINE),
                                           'the state of %s' % name, 'show interfaces') == 'u/u'} for name in names]

    def _armed(self):
        """Seconds until the device takes a change back, or None."""
        said = self.ask(TIMER)
        if field(said, _STATE, 'the state of the timer', TIMER) != 'active':
            return None
        due = sum(float(number) * _UNITS[unit] for number, unit in _SPAN.findall(field(said, _NEXT, 'when the timer ends', TIMER)))
        return max(0, math.ceil(due - float(field(self.ask(UPTIME), _NOW, 'seconds since the start', UPTIME))))

    # ---- changing

    @contextlib.contextmanager
    def _editing(self):
        """Configuration mode. Not netmiko's, which waits for silence several times, and the prompt tells. Left without what was not committed."""
        self.ask('configure')
        try:
            yield
        except Exception as error:
            # Any other error has ended the session, and with it the candidate.
            if getattr(error, 'code', 'answer') == 'answer':
                self.ask('exit discard', errors='')
            raise
        self.ask('exit discard', errors='')

    def _unsaved(self):
        """Whether the configuration is another than the saved one; in configuration mode. What differs may be secret and is not told."""
        return not _SAME.search(self.ask('compare saved', errors=''))

    def _nothing_waits(self):
        """:raises Refusal: something was committed, and waits for its confirmation"""
        if self._armed() is not None:
            raise Refusal('another change waits for its confirmation (commit-confirm); confirm it or wait until it was taken back.')

    def _all_is_saved(self):
        """In configuration mode. :raises Refusal: somebody has changed something and did not save it"""
        if self._unsaved():
            raise Refusal("the configuration is not the saved one ('compare saved'); save or undo what differs first. VyOS goes back to what was "
                          'saved, and a confirmed change is saved with everything else.')

    def _try(self, changes, seconds):
        """Commit changes, and have the device take them back. Begins and ends outside of configuration mode."""
        self._nothing_waits()
        with self._editing():
            self._all_is_saved()
            for line in changes:
                self.ask(line)
            said = self.ask('commit-confirm %d' % -(-seconds // 60), errors='', answers=_PROCEED, deadline=COMMIT)
        if not _ARMED.search(said):
            raise DialectError("'commit-confirm' answered %r, expected that it waits for a confirmation. Nothing was committed."
                               % ' '.join(said.split())[-200:])
        if re.search(self.errors, said, re.MULTILINE):
            # The timer runs all the same, and would reboot the device.
            self.revert()
            raise DialectError("the commit failed and was taken back: '%s'. Mend what it names, then try again." % ' '.join(said.split())[-300:])

    def _unlike(self, lines):
        """What is there of ours. :raises Refusal: the lines themselves, or something of others in their places"""
        ours, _roots, others = rules.split(self._lines(RUNNING))
        if ours == lines:
            raise Refusal('the policy is in force already; nothing was changed, and nothing can be taken back.')
        taken = sorted(set(rules.split(lines)[1]) & set(others))
        if taken:
            raise Refusal("found '%s' of somebody else, expected that it is free: the policy needs these numbers, and its rules have to come first. "
                          "Move it with 'rename rule ... to rule ...'." % "', '".join(taken))
        return ours

    def ready(self, lines, seconds):
        self._unlike(lines)
        self._nothing_waits()
        with self._editing():
            self._all_is_saved()

    def apply(self, lines, seconds):
        self._try(rules.changes(self._unlike(lines), lines), seconds)

    def confirm(self):
        armed, wanted = self._armed(), self.running()
        if armed is None and wanted == self.saved():
            raise DialectError('found no change that waits for its confirmation: it was taken back in the meantime, or never made. Apply it again.')
        # Without a timer it was confirmed before, but not saved.
        if armed is not None:
            self._stop()
            if self.running() != wanted:
                raise DialectError('the change was taken back in the meantime. Apply it again.')
        with self._editing():
            self.ask('save', deadline=SAVE)
        if self.saved() != wanted:
            raise DialectError("the change is in force, but 'save' did not save it; a reboot would take it back. Look at the device.")

    def _stop(self):
        """Stop the timer. In its last minute, or with one minute, ``confirm`` complains that nobody is left to announce the end; the timer tells."""
        with self._editing():
            said = self.ask('confirm', errors='')
        if 'No confirm pending' in said:
            raise DialectError('the change was taken back in the meantime: nothing waits for a confirmation any more. Apply it again.')
        if self._armed() is not None:
            raise DialectError("'confirm' answered %r, and the timer still runs; the device takes the change back." % ' '.join(said.split())[:200])

    def revert(self):
        # The timer runs before anything is committed: without it, what is not saved is somebody else's.
        if self._armed() is None:
            return
        saved, ours = self.saved(), self.running()
        with self._editing():
            if ours != saved:
                # The timer runs on until that was seen: if this fails, the device does it.
                for line in rules.changes(ours, saved):
                    self.ask(line)
                self.ask('commit', deadline=COMMIT)
            foreign = self._unsaved()
        if self.running() != saved:
            raise DialectError('the saved policy was committed, but another one is in force. The device takes it back.')
        if foreign:
            raise DialectError('the saved policy is in force again, but something else is not saved and waits for a confirmation; that was left alone.')
        self._stop()

    def switchover(self):
        """VRRP moves only to a higher priority or away from who is silent. An active member restarts VRRP: it says goodbye, the standby takes
        over, and nothing is configured. A standby gets the highest priority, without what keeps it from using it, until it is active; then both
        are set back. That is a change that the device takes back by itself, and nothing of it is saved. Neither lasts unless both members
        have "no-preempt", or the one with the higher priority would be active again at once.
        """
        groups, role = self._role()
        if role not in ('active', 'standby'):
            raise DialectError('found it %s, expected active or standby; mend VRRP first.' % role)
        lines = self._lines(GROUPS)
        names = [name for name, _interface, _state in groups]
        greedy = [name for name in names if 'set high-availability vrrp group %s no-preempt' % name not in lines]
        if greedy:
            raise DialectError("the VRRP group %s would take its role back at once; set 'no-preempt' for it on both members first." % ', '.join(greedy))
        if role == 'active':
            self.ask('restart vrrp', deadline=SAVE)
            self._await('BACKUP')
            return
        there, back = [], []
        for name in names:
            head = 'high-availability vrrp group %s' % name
            before = [line for line in lines if line.startswith('set %s priority ' % head)]
            there += ['delete %s no-preempt' % head, 'set %s priority 254' % head]
            back += ['set %s no-preempt' % head] + (before or ['delete %s priority' % head])
        self._try(there, 60 + 2 * TAKEOVER)
        failure = None
        try:
            self._await('MASTER')
        except DialectError as error:
            failure = error
        with self._editing():
            for line in back:
                self.ask(line)
            self.ask('commit', deadline=COMMIT)
        self._stop()
        if failure:
            raise failure
        self._await('MASTER')

    def _await(self, wanted):
        """Wait until all groups are in a state.

        :raises DialectError: they were not, in time
        """
        start = time.monotonic()
        while True:
            groups, said = self._vrrp()
            if groups and all(state == wanted for _name, _interface, state in groups):
                return
            if time.monotonic() > start + TAKEOVER:
                raise DialectError('%d s after the switchover began VRRP says: %s; expected all groups to be %s. Look at both members.'
                                   % (TAKEOVER, said, wanted))
            time.sleep(1)


DIALECT = Vyos
