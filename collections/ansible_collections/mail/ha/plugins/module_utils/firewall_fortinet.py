# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""FortiGate: a cluster of two units, active-passive (FGCP), with FortiOS 7 and without virtual domains.

How a change is made, as FortiOS has no candidate configuration: each 'next' and 'end' is in force at once, and saved at once unless
``cfg-save`` is ``revert``; then all members go back to the saved configuration when nothing was saved for ``cfg-revert-timeout`` seconds.
So the new policy comes as a generation of its own, disabled, before everything else in the order, and is read back; whatever goes wrong until
then has changed nothing. Then the device is armed. Then the policies are enabled, the default last, and the old generation is disabled, which
stays for as long as the change is not confirmed. Whatever is enabled at any moment lets through what the old or the new policy allows.

Taking a change back enables the old generation again. That costs no connection, while ``execute cfg reload`` and the timeout
restart both members' configuration, with 20 to 30 s without traffic; the timeout is left for when nobody can log in any more.

What FortiOS has no command for, whether something waits to be saved and what was in force before, is told by a note of our own: the
comment of a category of services that no service is in. It also keeps the mode that was found, so that the next change or the next taking back puts
it back where a session ended early.
(``execute config-transaction`` would make the push one step, but its locks outlive a lost session by minutes, and what it does together with
``cfg-save revert`` is documented nowhere.)
"""

from __future__ import annotations

import contextlib
import datetime
import re
import time

from ansible.module_utils.connection import ConnectionError as DeviceError

from ansible_collections.mail.ha.plugins.module_utils import firewall_fortinet_rules as rules
from ansible_collections.mail.ha.plugins.module_utils.firewall_dialect import Dialect, DialectError, Refusal, field

NOTE_TABLE, NOTE = 'firewall service category', 'ha-mail-state'
SHORTEST, USUAL = 10, 600  # seconds: the least that cfg-revert-timeout takes, and its default
# Where our numbers begin. A policy's may be up to 4294967294, a DoS policy's up to 9999.
FIRST = {'firewall policy': 64000, 'firewall DoS-policy': 6400, 'firewall DoS-policy6': 6400}
LAST = {'firewall policy': 4294967294, 'firewall DoS-policy': 9999, 'firewall DoS-policy6': 9999}
OTHER = {'a': 'b', 'b': 'a'}
TAKEOVER = 30  # seconds until the other member has to be active

_MONTHS = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split()
_MODEL = re.compile(r'^Version: *(\S+) +v\d', re.MULTILINE)
_VERSION = re.compile(r'^Version: *\S+ +(v[\d.]+,build\d+)', re.MULTILINE)
_SERIAL = re.compile(r'^Serial-Number: *(\S+)', re.MULTILINE)
_HOSTNAME = re.compile(r'^Hostname: *(\S+)', re.MULTILINE)
_DOMAINS = re.compile(r'^Virtual domain configuration: *(\S+)', re.MULTILINE)
_HA = re.compile(r'^Current HA mode: *(\S[^\n]*)', re.MULTILINE)
_CLOCK = re.compile(r'^System time: *\w{3} (\w{3} +\d+ \d\d:\d\d:\d\d \d{4})', re.MULTILINE)
_HA_MODE = re.compile(r'^Mode: *(\S[^\n]*)', re.MULTILINE)
_CLUSTERS = re.compile(r'^number of vcluster: *(\d+)', re.MULTILINE)
_PICKUP = re.compile(r'^ses_pickup: *(\w+)', re.MULTILINE)
_OVERRIDE = re.compile(r'^override: *(\w+)', re.MULTILINE)
# Up to FortiOS 6.4 the members were called Master and Slave; the host name is not in all releases.
_MEMBER = re.compile(r'^(Primary|Secondary|Master|Slave) *: *(?:[^,\n]+, *)?([^\s,]+) *, *(?:HA )?(?:operating )?(?:cluster )?index', re.MULTILINE)
_SYNC = re.compile(r'^ *(\S+?)\(updated [^)\n]*\): *(\S+) *$', re.MULTILINE)
_SESSIONS = r'^ *%s\(updated [^)\n]*\): *\n *sessions=(\d+)'
_MODE = re.compile(r'^cfg-save *: *(\w+)', re.MULTILINE)
_TIMEOUT = re.compile(r'^cfg-revert-timeout *: *(\d+)', re.MULTILINE)
_NOTED = re.compile(r'^"found (automatic|manual|revert) (\d+)(?:, pending ([ab]) until ([\d-]+ [\d:]+))?"$')
_SAVED = re.compile(r'^(config saved|no config to be saved)', re.MULTILINE)
_FAILOVER = re.compile(r'^failover status: *(set|unset)', re.MULTILINE)


class Fortinet(Dialect):
    """Roles, synchronization, sessions and monitored interfaces come from ``get system ha status``."""

    platform = 'fortinet'
    product = 'FortiGate with FortiOS 7, active-passive cluster'
    rollback = 'cfg-save revert: all members load the saved configuration after cfg-revert-timeout, 20 to 30 s without traffic'
    errors = (r'^(Command fail\. Return code|Unknown action|command parse error|value parse error|node_check_object fail|object (set operator|check operator) '
              r'error|entry (is )?not found|[Aa]ttribute .* MUST be set|incomplete command|ambiguous command)|discard the setting')

    @classmethod
    def render(cls, policy, member):
        return rules.render(policy, member)

    # ---- reading

    def facts(self):
        status, note = self._status(), self._note()
        found = {'platform': self.platform, 'hostname': status['hostname'], 'version': status['version'], 'model': status['model'],
                 'providers': [], 'armed': self._remaining(status, note)}
        if status['ha'].lower() == 'standalone':
            return dict(found, role='alone', peer='absent', in_sync=False, sync='no cluster', sessions=None, uplinks=[])
        return dict(found, **cluster(self.ask('get system ha status'), status['serial']))

    def running(self):
        return _Found(self._tables()).lines()

    def saved(self):
        note, found = self._note(), _Found(self._tables())
        if note and note['new'] and self._mode()[0] == 'revert':
            return found.lines_before(note['new'])
        return found.lines()

    def _status(self):
        command = 'get system status'
        said = self.ask(command)
        domains = field(said, _DOMAINS, 'whether there are virtual domains', command)
        if domains not in ('disable', 'disabled'):
            raise DialectError("found virtual domains '%s', expected 'disable': with them the commands are others, which this does not know." % domains)
        day = field(said, _CLOCK, 'the time', command).split()
        if day[0] not in _MONTHS:
            raise DialectError("'%s' answered the month %r, expected one of %s." % (command, day[0], ' '.join(_MONTHS)))
        clock = [int(part) for part in day[2].split(':')]
        return {
            'model': field(said, _MODEL, 'a model', command), 'version': field(said, _VERSION, 'a version', command),
            'serial': field(said, _SERIAL, 'a serial number', command), 'hostname': field(said, _HOSTNAME, 'a host name', command),
            'ha': field(said, _HA, 'an HA mode', command).strip(),
            'clock': datetime.datetime(int(day[3]), _MONTHS.index(day[0]) + 1, int(day[1]), *clock),
        }

    def _note(self):
        """What we have noted on the device: ``{found, timeout, new, until}``, or None. Without ``new``, nothing waits for a confirmation."""
        for name, settings in rules.parse(self.ask('show ' + NOTE_TABLE), NOTE_TABLE):
            if name == NOTE:
                match = _NOTED.match(settings.get('comment', ''))
                if match is None:
                    raise DialectError("found the comment %s at the category '%s', expected a note of ours. If no change waits for its confirmation, delete it."
                                       % (settings.get('comment', ''), NOTE))
                return {'found': match[1], 'timeout': int(match[2]), 'new': match[3], 'until': match[4]}
        return None

    def _mode(self):
        """How changes are saved, and the timeout where the device shows it."""
        command = 'get system global | grep cfg-'
        said = self.ask(command)
        timeout = _TIMEOUT.search(said)
        return field(said, _MODE, 'cfg-save', command), int(timeout[1]) if timeout else USUAL

    def _remaining(self, status, note):
        if not note or not note['new'] or self._mode()[0] != 'revert':
            return None
        # At least: what somebody enters in between may put it off.
        return max(0, int((datetime.datetime.strptime(note['until'], '%Y-%m-%d %H:%M:%S') - status['clock']).total_seconds()))

    def _tables(self):
        return {table: rules.parse(self.ask('show ' + table), table) for table in rules.TABLES}

    # ---- changing

    def ready(self, lines, seconds):
        note = self._note()
        self._must_be_primary(Refusal)
        if note and note['new']:
            raise Refusal('another change waits for its confirmation until %s; confirm it or take it back first.' % note['until'])
        return note

    def apply(self, lines, seconds):
        wanted, note = rules.to_entries(lines), self.ready(lines, seconds)
        if note:
            self._put_back(note)
        seconds = max(SHORTEST, seconds)
        try:
            found, new = self._push(wanted, lines)
            mode, timeout = self._mode()
            said = 'found %s %d' % (mode, timeout)
            # Saved before the mode changes, so that the mode is known even if that outlives the revert.
            self.configure(_noted(said))
            self.configure(['config system global', 'set cfg-save revert', 'set cfg-revert-timeout %d' % seconds, 'end'])
            if self._mode() != ('revert', seconds):
                raise DialectError('found cfg-save %s %d, expected revert %d: the device would not take the change back. Nothing was changed.'
                                   % (*self._mode(), seconds))
            until = self._status()['clock'] + datetime.timedelta(seconds=seconds)
            self.configure(_noted('%s, pending %s until %s' % (said, new, until.strftime('%Y-%m-%d %H:%M:%S'))))
            self._switch(found, new)
        except (DeviceError, DialectError):
            # A new login leaves whatever was being edited; if there is none, the timeout is what is left.
            with contextlib.suppress(DeviceError):
                self.session.renew()
            raise

    def _push(self, wanted, lines):
        """Bring the policy as a generation that does nothing yet, before all other policies; return what is there then, and which it is.
        Nothing has to be armed for that, however long it takes: whatever it leaves behind decides nothing, and goes away with the next push.
        """
        found = _Found(self._tables())
        new = OTHER.get(found.current(), 'a')
        self.configure(found.deletion(new))
        numbers = {table: found.free(table, sum(entry['table'] == table for entry in wanted), new) for table in rules.POLICIES}
        self.configure(rules.commands(wanted, new, numbers))
        first = next((key for key, _settings in found.tables['firewall policy'] if int(key) not in found.numbers(new)), None)
        if first is not None and numbers['firewall policy']:
            self.configure(['config firewall policy', *('move %d before %s' % (number, first) for number in numbers['firewall policy']), 'end'])
        found = _Found(self._tables())
        came = found.lines_of(new, enabled=True)
        if came != lines:
            odd = next((line for line in came + lines if (line in came) != (line in lines)), 'the order')
            raise DialectError('the device shows other lines than it was sent, for example: %s. They are not in force, and the old ones still are.' % odd)
        return found, new

    def _must_be_primary(self, error=DialectError):
        status = self._status()
        if re.search(r'secondary|slave|backup', status['ha'], re.IGNORECASE):
            raise error("found the unit '%s' to be %s, expected the primary: what is changed here would be lost. Make the change there."
                        % (status['hostname'], status['ha']))

    def _switch(self, found, new):
        """Let a generation decide, and then the other one not any more. One that stands before the other hides it by its last policy, so
        it is enabled from its first to its last and disabled from its last to its first.
        """
        for generation, status in ((new, 'enable'), (OTHER[new], 'disable')):
            for table in rules.POLICIES:
                numbers = [entry['id'] for entry in found.own[generation] if entry['table'] == table]
                if numbers:
                    self.configure(['config ' + table] + [line for number in (numbers if status == 'enable' else numbers[::-1])
                                                          for line in ('edit %d' % number, 'set status ' + status, 'next')] + ['end'])

    def confirm(self):
        note = self._note()
        if not note or not note['new']:
            raise DialectError('found nothing that waits for its confirmation: it was taken back, or confirmed before. See what is in force.')
        self._must_be_primary()
        self._in_force(note['new'])
        # With both generations, so that a session that ends here has lost nothing; then the mode, so that the rest needs no saving.
        self._save()
        # Again: the time may have been over just before it was saved, and what is deleted next must not be what decides.
        self._put_back(note, self._in_force(note['new']).deletion(OTHER[note['new']]))

    def _in_force(self, new):
        """The tables, in which the generation decides wholly and alone."""
        found = _Found(self._tables())
        if len(found.enabled(new)) != sum(entry['table'] in rules.POLICIES for entry in found.own[new]) or found.enabled(OTHER[new]):
            raise DialectError('found the new policy not in force: it was not applied wholly, or was taken back. Take it back, then apply it again.')
        return found

    def revert(self):
        note, found = self._note(), _Found(self._tables())
        pending = note and note['new']
        idle = [pending] if pending else [generation for generation in 'ab' if generation != found.current() and found.own[generation]]
        if not note and not idle:
            return
        self._must_be_primary()
        if pending:
            self._switch(found, OTHER[pending])
        self.configure([line for generation in idle for line in found.deletion(generation)])
        if pending:
            self.configure(_noted('found %s %d' % (note['found'], note['timeout'])))
            self._save()
        if note:
            self._put_back(note)

    def _save(self):
        command = 'execute cfg save'
        field(self.ask(command), _SAVED, "'config saved'", command)

    def _put_back(self, note, before=()):
        """The mode as it was found; then ``before`` and the end of the note."""
        mode, timeout = self._mode()
        if (mode, timeout) != (note['found'], note['timeout']):
            hidden = ['set cfg-revert-timeout %d' % note['timeout']] if mode == 'revert' or note['found'] == 'revert' else []
            order = hidden + ['set cfg-save ' + note['found']] if mode == 'revert' else ['set cfg-save ' + note['found']] + hidden
            self.configure(['config system global', *order, 'end'])
        self.configure([*before, 'config ' + NOTE_TABLE, 'delete "%s"' % NOTE, 'end'])
        self._save()

    def switchover(self):
        """By the way that Fortinet recommends where it works, which is on the primary of a cluster without override. With override, the primary is
        told to stand back until it is told that it need not; so on a unit that stands back, that is what is done.
        """
        status = self._status()
        said = self.ask('get system ha status')
        before = cluster(said, status['serial'])
        sure = [[r'\(y/n\)', 'y']]
        if before['role'] == 'active' and field(said, _OVERRIDE, 'override', 'get system ha status') == 'disable':
            self.ask('diagnose sys ha reset-uptime', answers=sure)
        elif before['role'] == 'active':
            self.ask('execute ha failover set 1', answers=sure)
        elif field(self.ask('execute ha failover status'), _FAILOVER, 'a failover status', 'execute ha failover status') == 'set':
            self.ask('execute ha failover unset 1', answers=sure)
        else:
            raise DialectError("found '%s' %s and free to become active, expected it to stand back: a FortiGate cannot take over by itself. "
                               'Make the switchover at the active member.' % (status['hostname'], before['role']))
        for _second in range(TAKEOVER):
            if cluster(self.ask('get system ha status'), status['serial'])['role'] != before['role']:
                return
            time.sleep(1)
        raise DialectError("found '%s' still %s after %d s, expected its peer to change places with it. See 'Primary selected using' in "
                           "'get system ha status'." % (status['hostname'], before['role'], TAKEOVER))


def cluster(said, serial):
    """Role, peer, synchronization, sessions and uplinks out of ``get system ha status``.

    :param serial: of the unit that said it
    """
    command = 'get system ha status'
    mode = field(said, _HA_MODE, 'a mode', command).strip()
    if mode != 'HA A-P':
        raise DialectError("found the mode '%s', expected 'HA A-P': an active-passive cluster." % mode)
    if field(said, _CLUSTERS, 'the number of virtual clusters', command) != '1':
        raise DialectError('found several virtual clusters, expected one: which member is active has no single answer with them.')
    roles = {member: 'active' if word in ('Primary', 'Master') else 'standby' for word, member in _MEMBER.findall(said)}
    if serial not in roles or len(roles) > 2:
        raise DialectError("'%s' tells of the members %s, expected %s and at most one other." % (command, ', '.join(sorted(roles)) or 'nobody', serial))
    uplinks, syncs = _monitored(said), dict(_SYNC.findall(said))
    for member, role in roles.items():
        if role == 'standby' and not all(uplink['up'] for uplink in uplinks.get(member, [])):
            roles[member] = 'fault'
    if any(member not in syncs for member in roles):
        raise DialectError("'%s' tells the synchronization of %s, expected that of %s." % (command, ', '.join(syncs) or 'nobody', ', '.join(roles)))
    pickup = field(said, _PICKUP, 'ses_pickup', command)
    return {
        'role': roles[serial], 'peer': next((role for member, role in roles.items() if member != serial), 'absent'),
        # Without it the other member knows no session, and a switchover would end them all.
        'in_sync': len(roles) == 2 and pickup == 'enable' and all(syncs[member] == 'in-sync' for member in roles),
        'sync': '%s, session pickup %s' % (', '.join('%s %s' % (member, syncs[member]) for member in sorted(roles)), pickup),
        'sessions': int(field(said, re.compile(_SESSIONS % re.escape(serial), re.MULTILINE), 'the sessions of %s' % serial, command)),
        'uplinks': uplinks.get(serial, []),
    }


def _monitored(said):
    """Monitored interfaces of each member; a cluster may have none."""
    found, member, inside = {}, None, False
    for line in said.splitlines():
        if not line.startswith(' '):
            inside = line.startswith('MONDEV stats')
        elif inside and '(updated ' in line:
            member = line.strip().partition('(')[0]
        elif inside and member:
            match = re.match(r'^ *(\S+): [^,]+, (up|down)\b', line)
            if match:
                found.setdefault(member, []).append({'name': match[1], 'up': match[2] == 'up'})
    return found


def _noted(text):
    return ['config ' + NOTE_TABLE, 'edit "%s"' % NOTE, 'set comment "%s"' % text, 'next', 'end']


class _Found:
    """The tables as they are now."""

    def __init__(self, tables):
        self.tables = tables
        self.own = {'a': [], 'b': []}
        for table, parsed in tables.items():
            for generation, entries in rules.own(table, parsed).items():
                self.own[generation] += entries

    def current(self):
        """The generation that decides: the one with more policies that do something, or None."""
        weight = {generation: len(self.enabled(generation)) for generation in self.own}
        return max(weight, key=weight.get) if any(weight.values()) else None

    def enabled(self, generation):
        """Its policies that do something."""
        return [entry for entry in self.own[generation] if entry['table'] in rules.POLICIES and entry['set'].get('status') != 'disable']

    def lines_of(self, generation, enabled=False):
        """:param enabled: as if all of it were enabled"""
        entries = self.own[generation]
        if enabled:
            entries = [dict(entry, set={key: value for key, value in entry['set'].items() if key != 'status'}) for entry in entries]
        return rules.to_lines(entries)

    def lines(self):
        """What decides. What the other generation still has enabled does so too, and is not hidden."""
        current = self.current()
        if current is None:
            return []
        return self.lines_of(current) + rules.to_lines(self.enabled(OTHER[current])) + self._misplaced(current)

    def lines_before(self, new):
        """What decides again when a generation is taken back."""
        old = OTHER[new]
        return self.lines_of(old, enabled=True) + self._misplaced(old)

    def _misplaced(self, current):
        """Policies of others that somebody has put before or between ours, where they would go first."""
        ours = {entry['id'] for entry in self.own[current] if entry['table'] == 'firewall policy'}
        seen, told = 0, []
        for key, _settings in self.tables['firewall policy']:
            seen += int(key) in ours
            if seen < len(ours) and int(key) not in self.numbers('a') | self.numbers('b'):
                told.append('firewall policy %s stands before the policies of ha-mail' % key)
        return told

    def numbers(self, generation, table='firewall policy'):
        """Numbers of its policies."""
        return {entry['id'] for entry in self.own[generation] if entry['table'] == table}

    def free(self, table, count, generation):
        """Numbers that nobody has, but for those of a generation that goes away."""
        taken = {int(key) for key, _settings in self.tables[table]} - self.numbers(generation, table)
        free, number = [], FIRST[table]
        while len(free) < count:
            if number > LAST[table]:
                raise DialectError('%s: found no %d free numbers from %d to %d; renumber or delete some of them.'
                                   % (table, count, FIRST[table], LAST[table]))
            if number not in taken:
                free.append(number)
            number += 1
        return free

    def deletion(self, generation):
        """Commands that delete a generation: first what needs the other."""
        said = []
        for table in reversed(rules.TABLES):
            some = [entry for entry in self.own[generation] if entry['table'] == table]
            names = ['"%s"' % entry['name'].replace(rules.NAME, 'ha-mail-%s ' % generation, 1) if entry['id'] is None else '%d' % entry['id'] for entry in some]
            said += ['config ' + table, *('delete ' + name for name in names), 'end'] if names else []
        return said


DIALECT = Fortinet
