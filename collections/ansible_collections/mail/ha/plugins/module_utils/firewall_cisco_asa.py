# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Cisco ASA 9.2 or later, an active/standby pair in single context mode.

A change is built beside what is in force, under names with another generation, and then bound: ``access-group`` replaces the access list of an
interface in one step. There is no timed rollback of the configuration, so an applet of the Embedded Event Manager (new in 9.2) is set up first that
binds the old generation again when its countdown ends; the other unit gets it as well and does the same. Nothing is saved until the confirmation, so
that a reboot of both units brings the old policy back too.

Shapes, beside those of firewall_dialect.py and firewall_cisco_asa_rules.py::

    config  what a configuration holds of ours: {blocks: [(part, generation, block)], bound: [line], applet: applet or None}, and of others what
            could be in the way: {interfaces: {nameif: security level}, top: [line]}; lines in bound and top are as the device shows them
    applet  {lines: digest of the policy that was applied, seconds: int or None, actions: [command]}
"""

from __future__ import annotations

import hashlib
import re

from ansible.module_utils.connection import ConnectionError as DeviceError

from ansible_collections.mail.ha.plugins.module_utils import firewall_cisco_asa_rules as rules
from ansible_collections.mail.ha.plugins.module_utils.firewall_dialect import Dialect, DialectError, Refusal, field

APPLET = 'ha-mail-rollback'
LONGEST = 604800  # seconds that a countdown can have
BINDINGS = ('access-group', 'nat', 'service-policy')
_OURS = re.compile(r'(?<=\s)(ha-mail-(?:in-|limit|nat-)\S*)-([0-9a-f]{8})(?=\s|$)')
_LEVEL = re.compile(r'^ security-level (\d+)\s*$', re.MULTILINE)
_COMPLETE = re.compile(r'^(: end)\s*$', re.MULTILINE)
_ACTION = re.compile(r'^ action \d+ cli command "(.*)"\s*$')
_HOST = r'^%s host\s+-\s+(?:Primary|Secondary)\s*\n\s+(\S+(?: \S+)*)'
_REASON = re.compile(r'^Other host\s+-.*\n\s+\S+(?: \S+)*  +(\S.*?)(?:  |$)', re.MULTILINE)
_ROLES = {'active': 'active', 'standby ready': 'standby'}
# What there is to remove of a generation that is not bound, in an order in which nothing is still in use.
_REMOVALS = (('policy-map', 'no policy-map %s'), ('class-map', 'no class-map %s'), ('access-list', 'clear configure access-list %s'),
             ('object-group', 'no object-group network %s'), ('object service', 'no object service %s'), ('object network', 'no object network %s'))


class CiscoAsa(Dialect):
    """See the module."""

    platform = 'cisco_asa'
    product = 'Cisco ASA 9.2 or later, active/standby, single context'
    rollback = 'an applet of the Embedded Event Manager, and nothing saved until the confirmation'
    errors = r'^\s*(?:ERROR:|% ?(?:Invalid|Incomplete|Ambiguous)|Command authorization failed|\*{4} WARNING \*{4})'

    @classmethod
    def render(cls, policy, member):
        """See the base class."""
        return rules.render(policy, member)

    # ---- reading

    def facts(self):
        """See the base class."""
        version, failover = self.ask('show version'), self.ask('show failover')
        on = field(failover, re.compile(r'^Failover (On|Off)\b', re.MULTILINE), 'Failover On or Failover Off', 'show failover') == 'On'
        link, state = '', {'role': 'alone', 'peer': 'absent', 'sync': 'failover is off'}
        if on:
            link = field(failover, re.compile(r'^\s*Link\s*:\s*(\S.*?)\s*$', re.MULTILINE), "the state of the stateful link ('Link : ...')", 'show failover')
            state = self._state()
        config = self._read()
        return {
            'platform': self.platform,
            'version': field(version, re.compile(r'Adaptive Security Appliance Software Version (\S+)'), 'the version of the ASA software', 'show version'),
            'hostname': field(version, re.compile(r'^(?!failover cluster)(\S+) up \d', re.MULTILINE), "'<hostname> up <time>'", 'show version'),
            'model': field(version, re.compile(r'^Hardware:\s+([^,\s]+)', re.MULTILINE), "'Hardware: <model>'", 'show version'),
            'role': state['role'], 'peer': state['peer'],
            # Standby Ready is reached only after the configuration and the connections were copied; the link keeps the latter current.
            'in_sync': {state['role'], state['peer']} == {'active', 'standby'} and state.get('copied', False) and link.endswith('(up)'),
            'sync': '; '.join(filter(None, [state['sync'], link and 'stateful link %s' % link])),
            'sessions': int(field(self.ask('show conn count'), re.compile(r'^(\d+) in use', re.MULTILINE), "'<number> in use'", 'show conn count')),
            'uplinks': _uplinks(failover) if on else [], 'providers': [],
            'armed': self._left(config),
        }

    def running(self):
        """See the base class."""
        return _lines(self._read())

    def saved(self):
        """See the base class."""
        return _lines(self._read('show startup-config'))

    def _read(self, command='show running-config'):
        """The configuration, in parts. Whole, because its last line says that nothing is missing."""
        text = self.ask(command, deadline=2 * self.deadline, secret=True)
        if command == 'show startup-config' and re.match(r'\s*(?:ERROR: )?No [Cc]onfiguration', text):
            return parse('')
        field(text, _COMPLETE, "': end' at its end", command, secret=True)
        return parse(text)

    def _state(self):
        """``{role, peer, sync, copied}``, by what the unit says of both."""
        command = 'show failover state'
        text = self.ask(command)
        here, there = (field(text, re.compile(_HOST % which, re.MULTILINE), "the state of '%s host'" % which, command) for which in ('This', 'Other'))
        reason = _REASON.search(text)
        peer = _ROLES.get(there.lower(), 'fault')
        # A unit that was seen and went off has "Failed", and the reason says that it is not heard; one that has not been seen is "Not Detected".
        if there.lower() == 'not detected' or (there == 'Failed' and reason and reason.group(1).startswith('Comm Failure')):
            peer = 'absent'
        copied = [line.strip() for line in field(text, re.compile(r'^====Configuration State=+\s*\n((?:.*\n)*?)====', re.MULTILINE),
                                                 "'====Configuration State==='", command).splitlines() if line.strip()]
        return {'role': _ROLES.get(here.lower(), 'fault'), 'peer': peer, 'copied': all(re.match('Sync (?:Done|Skipped)', line) for line in copied),
                'sync': ', '.join(['this unit %s, the other %s' % (here, there), *copied])}

    def _left(self, config):
        """Seconds until the applet acts; None if there is none, or it has acted."""
        if config['applet'] is None or config['applet']['seconds'] is None:
            return None
        command = 'show event manager'
        told = field(self.ask(command) + '\n', re.compile(r'^event manager applet %s\b((?:.*\n)(?:\s.*\n)*)' % APPLET, re.MULTILINE),
                     'the applet %s' % APPLET, command)
        counted = field(told, re.compile(r'^\s+(event .*countdown .*)$', re.MULTILINE), 'the countdown of the applet', command)
        left, hits = re.search(r'left (\d+)', counted), re.search(r'hits (\d+)', counted)
        if hits is None and left is None:
            raise DialectError("'%s' answered %r, expected 'left <seconds>' or 'hits <number>' of the countdown. See whether this version is known."
                               % (command, counted))
        if hits is not None and int(hits.group(1)):
            return None
        if left is None:
            # A version that does not say what is left: what it was set to is the upper bound.
            return config['applet']['seconds']
        # 0 without a hit is the second in which it acts.
        return int(left.group(1)) or (None if hits is None else 1)

    def _active(self, error=DialectError):
        """The standby would take a change for itself alone and say so in a warning only.

        :raises error: this is not the active unit
        """
        if re.search(r'^Failover Off', self.ask('show failover'), re.MULTILINE):
            return
        role = self._state()['role']
        if role != 'active':
            raise error('found this unit %s, expected it active; the pair takes changes there only, and they would not get to the other unit.' % role)

    # ---- changing

    def ready(self, lines, seconds):
        """See the base class. Returns ``(config, build, bound)``, see plan()."""
        if not 1 <= seconds <= LONGEST:
            raise Refusal('found %s s until a change is taken back, expected 1 to %d.' % (seconds, LONGEST))
        self._active(Refusal)
        config = self._read()
        left = self._left(config)
        if left is not None:
            raise Refusal('found a change that waits for its confirmation, and is taken back in %d s, expected none; confirm or revert it first.' % left)
        build, bound = plan(lines, config)
        _free(config, bound)
        return config, build, bound

    def apply(self, lines, seconds):
        """See the base class."""
        config, build, bound = self.ready(lines, seconds)
        actions = switch(bound, config['bound']) or ['show failover state']
        try:
            self.configure([*_removed(config), *build])
            # The countdown begins with its line, so that comes last; the actions do no harm if nothing was bound yet.
            self.configure([
                'event manager applet %s' % APPLET, 'description ha-mail %s' % digest(lines),
                *('action %d cli command "%s"' % (number, action) for number, action in enumerate(actions, 1)),
                'output none', 'event timer countdown time %d' % seconds])
            if self._left(self._read()) is None:
                raise DialectError("found no countdown of the applet %s that would take the change back, expected one of %d s; nothing was put in force. See "
                                   "'show event manager'." % (APPLET, seconds))
            self.configure(['exit', *switch(config['bound'], bound)])
        finally:
            self.session.leave()

    def confirm(self):
        """See the base class."""
        self._active()
        config = self._read()
        if config['applet'] is None and _lines(config) == self.saved():
            raise DialectError('no change waits for its confirmation: it was taken back by a reboot or by somebody, or was confirmed before. Apply it again.')
        # Without an applet, and with something that is not saved, an earlier confirmation ended between its steps; this one goes on.
        if config['applet'] is not None:
            if self._left(config) is None:
                raise DialectError('the change was taken back by the device, for its time was over. Apply it again.')
            if config['applet']['lines'] != digest(_lines(config)):
                raise DialectError('what is in force is not what was applied, so the change is not confirmed and the device takes it back. Apply it again.')
        try:
            if config['applet'] is not None:
                self.configure(['no event manager applet %s' % APPLET])
                after = self._read()
                if after['bound'] != config['bound']:
                    raise DialectError('the change was taken back by the device just before it was confirmed. Apply it again.')
            self.configure(_removed(dict(config, applet=None)))
        finally:
            self.session.leave()
        # This saves what others have changed and not saved as well; the device cannot save a part.
        command = 'write memory'
        field(self.ask(command, deadline=4 * self.deadline), re.compile(r'(\[OK\])'), '[OK]', command)

    def revert(self):
        """See the base class."""
        config = self._read()
        if config['applet'] is None and not _removed(config):
            return
        self._active()
        try:
            if config['applet'] is not None:
                # Only what did not happen yet: the change may have ended half way, or the applet may have acted already.
                self.configure([action for action in config['applet']['actions'] if not _done(action, config)])
                after = self._read()
                undone = [action for action in config['applet']['actions'] if not _done(action, after)]
                if undone:
                    raise DialectError("found that '%s' had no effect, expected the old policy in force; the device tries again by itself within %s s."
                                       % (undone[0], config['applet']['seconds']))
                config = after
            self.configure(_removed(config))
        finally:
            self.session.leave()

    def switchover(self):
        """See the base class."""
        role = self._state()['role']
        if role not in ('active', 'standby'):
            raise DialectError('found this unit in a %s, expected it active or standby; mend the pair first.' % role)
        try:
            self.ask('no failover active' if role == 'active' else 'failover active')
        except DeviceError as error:
            # The units swap their addresses, so that this session may end before the answer comes; whoever asked looks at the roles anyway.
            if getattr(error, 'code', '') not in ('broken', 'deadline'):
                raise


# ---- pure ------------------------------------------------------------------------------------------------------------------

def parse(text):
    """The config of a text that the device shows."""
    config = {'blocks': [], 'bound': [], 'applet': None, 'interfaces': {}, 'top': []}
    shown = rules.blocks_of([line.rstrip() for line in text.splitlines() if line.strip() not in ('', '!')])
    names = {words[2]: words[1] for words in (block[0].split() for block in shown) if words[0] == 'name' and len(words) >= 3}
    for block in shown:
        config['top'].append(block[0])
        word, ours = block[0].split()[0], _OURS.search(block[0])
        if block[0] == 'event manager applet %s' % APPLET:
            config['applet'] = _applet(block)
        elif word == 'interface':
            named = [line.split()[1] for line in block if re.match(r' nameif \S', line)]
            config['interfaces'].update((name, (_LEVEL.findall('\n'.join(block)) or ['0'])[0]) for name in named)
        elif ours and word in ('access-list', 'object', 'object-group', 'class-map', 'policy-map', *BINDINGS):
            made = tuple(rules.normal(_OURS.sub(r'\1', line, count=1 if word == 'access-list' else 0), names) for line in block)
            config['blocks'].append((rules.part_of(made[0]), ours.group(2), made))
            if word in BINDINGS:
                config['bound'].append(block[0])
    return config


def _applet(block):
    told = {'lines': '', 'seconds': None, 'actions': []}
    for line in block[1:]:
        words = line.split()
        if words[:2] == ['description', 'ha-mail'] and len(words) == 3:
            told['lines'] = words[2]
        elif words[:4] == ['event', 'timer', 'countdown', 'time'] and words[4:5]:
            told['seconds'] = int(words[4])
        elif _ACTION.match(line):
            told['actions'].append(_ACTION.match(line).group(1))
    return told


def _lines(config):
    """What is in force, in normal form."""
    bound = _generations(config)
    return rules.flat(rules.ordered([block for part, generation, block in config['blocks'] if (part, generation) in bound]))


def _generations(config):
    return {(part, generation) for part, generation, block in config['blocks'] if block[0].split()[0] in BINDINGS}


def digest(lines):
    """Eight digits that tell policies apart."""
    return hashlib.sha256('\n'.join(lines).encode()).hexdigest()[:8]


def plan(lines, config):
    """``(build, bound)``: lines that build what is not there yet, and those that bind it or were binding it. A part that stays the same is left alone:
    a translation that is made anew is not used until the connections of the old one have ended.
    """
    parts, build, bound = {}, [], []
    for block in rules.blocks_of(lines):
        parts.setdefault(rules.part_of(block[0]), []).append(block)
    for part, blocks in parts.items():
        there = [generation for other, generation in _generations(config) if other == part]
        shown = rules.ordered([block for other, generation, block in config['blocks'] if other == part and generation in there])
        keep = len(there) == 1 and shown == blocks
        generation = there[0] if keep else digest(rules.flat(blocks))
        while not keep and generation in there:
            # Somebody has changed what is in force; it is not built on.
            generation = digest([generation])
        for block in blocks:
            named = [re.sub(r'(?<=\s)(ha-mail-\S+)', r'\1-' + generation, line, count=1 if block[0].startswith('access-list') else 0) for line in block]
            if block[0].split()[0] in BINDINGS:
                bound += named
            elif not keep:
                build += named
    return build, bound


def switch(before, after):
    """Commands that bind what is to be bound, in place of what was. One that fails because it was done already is no harm, so those come last."""
    def of(word, some, others=()):
        return [line for line in some if line.split()[0] == word and line not in others]
    kept = {line.split()[-1] for line in of('access-group', after)}
    return [
        *of('access-group', after, before), *('no ' + line for line in of('access-group', before, after) if line.split()[-1] not in kept),
        # One policy for an interface, so the old one has to go first.
        *('no ' + line for line in of('service-policy', before, after)), *of('service-policy', after, before),
        # At the head of the table, and from the last to the first; the old ones stay until the new ones are there.
        *(re.sub(r'(?<=\)) ', ' 1 ', line, count=1) for line in reversed(of('nat', after, before))), *('no ' + line for line in of('nat', before, after))]


def _done(action, config):
    """Whether a command of switch() has had its effect."""
    undoes, line = action.startswith('no '), re.sub(r'^no |(?<=\)) 1(?= )', '', action)
    return line.split()[0] not in BINDINGS or (line in config['bound']) != undoes


def _removed(config):
    """Commands that remove an applet, and generations that are not bound."""
    bound, gone = _generations(config), []
    for head, command in _REMOVALS:
        for part, generation, block in config['blocks']:
            if block[0].startswith(head + ' ') and (part, generation) not in bound:
                gone.append(command % ('%s-%s' % (re.search(r'(?<=\s)ha-mail-\S+', block[0]).group(), generation)))
    return (['no event manager applet %s' % APPLET] if config['applet'] is not None else []) + list(dict.fromkeys(gone))


def _free(config, bound):
    """:raises Refusal: what is to be bound meets something of others, or cannot work"""
    used = {line.split()[-1] for line in bound if line.startswith('access-group ')}
    for interface in sorted(used):
        if interface not in config['interfaces']:
            raise Refusal("found no interface with the nameif '%s', expected one (there are %s); correct interfaces of the member."
                          % (interface, ', '.join(sorted(config['interfaces'])) or 'none'))
        level = config['interfaces'][interface]
        same = sorted(name for name in used if name != interface and config['interfaces'].get(name) == level)
        if same and 'same-security-traffic permit inter-interface' not in config['top']:
            raise Refusal("found the security level %s at the interfaces '%s' and '%s', between which the device lets nothing pass, expected "
                          "different ones, or 'same-security-traffic permit inter-interface'; set one of these." % (level, interface, same[0]))
    for line in config['top']:
        for word, pattern, what in (('access-group', r'access-group (\S+) in interface (\S+)(?: per-user-override)?$', 'the access list'),
                                    ('service-policy', r'service-policy (\S+) interface (\S+)', 'the service policy')):
            found = re.match(pattern, line)
            if found and not _OURS.search(line) and any(other.startswith(word) and other.split()[-1] == found.group(2) for other in bound):
                raise Refusal("found %s '%s' of somebody else at the interface '%s', expected none, for an interface takes one only; take its rules over "
                              "into the site's, or drop the limits of the rules if it is a service policy, and then remove it by '%s'."
                              % (what, found.group(1), found.group(2), 'no ' + line))


def _uplinks(text):
    """``[{name, up}]`` of the interfaces of this unit that are monitored."""
    here = field(text, re.compile(r'^\s*(This host:(?:.*\n)+?)\s*Other host:', re.MULTILINE), "'This host:' and 'Other host:'", 'show failover')
    found = [{'name': name, 'up': state.startswith('Normal')} for name, state in re.findall(r'^\s*Interface (\S+) \(.*\): (.+?)\s*$', here, re.MULTILINE)
             if 'Not-Monitored' not in state]
    if not found:
        raise DialectError("'show failover' named no monitored interface of this unit, expected at least one; set monitor-interface for the uplinks.")
    return found


DIALECT = CiscoAsa
