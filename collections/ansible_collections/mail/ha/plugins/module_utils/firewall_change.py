# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The steps of a change that cannot lock anybody out: arm, apply, read back, log in anew, confirm. Everything platform-specific is the dialect's,
and time comes from outside, so that tests need none.
"""

from __future__ import annotations

from ansible.module_utils.connection import ConnectionError as DeviceError

from ansible_collections.mail.ha.plugins.module_utils.firewall_dialect import DialectError, Refusal
from ansible_collections.mail.ha.plugins.module_utils.firewall_pair import member_problems

# Seconds between two looks at a device that has to come back, and how long it gets beyond its deadline.
POLL, GRACE = 3, 45


class ChangeError(Exception):
    """The change was not made, or was taken back; the text says which, and what the device runs now."""


class Change:
    """One policy on one member."""

    def __init__(self, dialect, declared, lines, seconds, clock, sleep):
        """:param declared: see member_problems. :param lines: what is wanted, in normal form. :param seconds: until the device takes it back"""
        self.dialect, self.declared, self.lines, self.seconds = dialect, declared, lines, seconds
        self.clock, self.sleep = clock, sleep
        self.facts = self.running = self.saved = None

    def look(self):
        """Read what is there; the device has to be what was declared."""
        self.facts = self.dialect.facts()
        problems = member_problems(self.facts, self.declared)
        if problems:
            raise ChangeError(' '.join(problems))
        self.running, self.saved = self.dialect.running(), self.dialect.saved()

    @property
    def here(self):
        """Whether this member is where changes are made."""
        return not self.dialect.replicated or self.facts['role'] in ('active', 'alone')

    def differs(self):
        """Whether there is anything to send.

        :raises ChangeError: there is, and this is not the time or the member for it
        """
        if self.running == self.lines:
            return False
        if self.facts['armed'] is not None:
            raise ChangeError('another change waits for its confirmation and is taken back in %d s. Wait for that, or revert it first.' % self.facts['armed'])
        if not self.here:
            raise ChangeError('it is %s, and the pair takes changes at its active member only; make this one there.' % self.facts['role'])
        return True

    def foreseen(self):
        """What ``armed`` would return or raise before it sends anything."""
        differs = self.differs()
        if differs:
            self.dialect.ready(self.lines, self.seconds)
        return differs

    def armed(self):
        """In force, and taken back by the device unless it is confirmed. Returns whether anything was sent."""
        if not self.differs():
            return False
        try:
            self.dialect.apply(self.lines, self.seconds)
            found = self.dialect.running()
        except Refusal as error:
            # What may wait for a confirmation there is somebody else's.
            raise ChangeError('nothing was changed: %s' % error) from error
        except (DeviceError, DialectError) as error:
            locked_out = getattr(error, 'code', '') in ('unreachable', 'refused')
            words = 'nobody can log in any more with the new policy' if locked_out else 'the change failed'
            raise ChangeError('%s: %s %s' % (words, error, self._back())) from error
        if found != self.lines:
            raise ChangeError('the device shows another policy than it was sent (%s). %s' % (_difference(self.lines, found), self._back()))
        return True

    def confirmed(self):
        """Kept, over a reboot too. The proof that nobody was locked out is a new login."""
        try:
            self.dialect.session.renew()
            found = self.dialect.running()
        except (DeviceError, DialectError) as error:
            raise ChangeError('nobody can log in any more with the new policy: %s %s' % (error, self._back())) from error
        if found != self.lines:
            raise ChangeError('the policy is not in force any more (%s): it was taken back, or somebody changed it. Nothing was confirmed.'
                              % _difference(self.lines, found))
        self.dialect.confirm()
        saved = self.dialect.saved()
        if saved != self.lines:
            raise ChangeError('the policy was confirmed, but what the device saved is another one (%s); a reboot would change it. Save it by hand and '
                              'look at the log of the device.' % _difference(self.lines, saved))

    def reverted(self):
        """Taken back now. Returns whether there was anything."""
        if self.facts['armed'] is None:
            return False
        self.dialect.revert()
        saved, found = (self.dialect.restored(lines) for lines in (self.saved, self.dialect.running()))
        if found != saved:
            raise ChangeError('the change was taken back, but the policy in force is not the saved one (%s).' % _difference(saved, found))
        return True

    def _back(self):
        """Wait until the old policy is in force again, by our hand or by the device's; return a sentence about it."""
        start = self.clock()
        try:
            self.dialect.revert()
        except (DeviceError, DialectError):
            pass  # the device does it by itself
        old = [self.dialect.restored(lines) for lines in (self.running, self.saved)]
        deadline = start + self.seconds + self.dialect.granularity + GRACE
        while self.clock() < deadline:
            try:
                self.dialect.session.renew()
                # What was in force without being saved does not come back everywhere.
                if self.dialect.restored(self.dialect.running()) in old and self.dialect.facts()['armed'] is None:
                    return 'The old policy is in force again, %d s after that.' % (self.clock() - start)
            except (DeviceError, DialectError):
                pass
            self.sleep(POLL)
        return ('The device was to take it back within %d s, and %d s later that was not seen: look at it by its console.'
                % (self.seconds + self.dialect.granularity, self.clock() - start))


def _difference(wanted, found):
    """How two policies differ, in a few words."""
    missing = [line for line in wanted if line not in set(found)]
    more = [line for line in found if line not in set(wanted)]
    if not missing and not more:
        return 'the same lines in another order'
    return '; '.join('%s, for example: %s' % (words, lines[0]) for words, lines in (
        ('%d lines are missing' % len(missing), missing), ('%d are too many' % len(more), more)) if lines)
