# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a platform has to say for itself so that the modules can drive it: one subclass for each, in a file of its own.

Shapes::

    session  what connection/netmiko.py offers: ask, configure, leave, put, renew. Its errors are ConnectionErrors with a ``code``.
    facts    {platform, version, hostname, model, role, peer, in_sync: bool, sync: str, sessions: int or None,
              uplinks: [{name, up: bool}], providers: [{name, version: 4 or 6, alive: bool}], armed: int or None}
             role and peer are ``active``, ``standby``, ``fault`` (there, but cannot take over), ``alone`` (role only: no peer is configured) or
             ``absent`` (peer only: does not answer); sync is what the device says of it; armed is the number of seconds until the device
             takes a change back by itself. An uplink is an interface that the device watches; a provider is what lies behind one, and alive if
             something out there answers. Only Linux members with more than one way to the Internet have providers
    lines    the policy in normal form: what the device would show after it was set, one statement a line, in an order that means
             something. Two policies are the same if their lines are equal.
    member   {interfaces: {zone: name of the interface or zone on the device, or on Linux several}, local: [...]}; see the renderer of the platform

The policy is held apart from everything else on the device, under names of its own, so that nothing which others have configured is touched.
"""

from __future__ import annotations


class DialectError(ValueError):
    """The device said something that was not expected; the text names it."""


class Refusal(DialectError):
    """A change cannot be made as things are. Nothing was sent for it, so that there is nothing to take back."""


class Dialect:
    """One device of the platform, through a session."""

    platform = ''
    # Words for roles/firewall_pair/README.md: the product, how it takes a change back by itself, and what that was seen on.
    product, rollback, tried = '', '', 'simulator'
    # The active member sends its configuration to the other: a change is made there, and only there.
    replicated = True
    # The device counts in steps of so many seconds until it takes a change back.
    granularity = 1
    # Expression that marks an answer as an error.
    errors = ''
    # Seconds that a command may take, unless it is known to take longer.
    deadline = 30

    def __init__(self, session):
        self.session = session

    def ask(self, command, **options):
        """A command outside of configuration mode; an answer that looks like an error is one."""
        return self.session.ask(command, **dict({'errors': self.errors, 'deadline': self.deadline}, **options))

    def configure(self, lines, **options):
        """Lines in configuration mode."""
        return self.session.configure(list(lines), **dict({'errors': self.errors, 'deadline': self.deadline}, **options))

    # ---- pure

    @classmethod
    def render(cls, policy, member):
        """``(lines, notes)``: a policy in normal form, and sentences about what the platform cannot express.

        :raises DialectError: the policy cannot be expressed in a way that is safe
        """
        raise NotImplementedError

    @classmethod
    def shown(cls, policy, interfaces):
        """A policy as lines for people: those that ``render`` makes for any member, and its notes."""
        lines, notes = cls.render(policy, {'interfaces': interfaces, 'local': []})
        return list(lines) + ['note: %s' % note for note in notes]

    @classmethod
    def common(cls, lines):
        """Those of the lines that both members of a pair have."""
        return list(lines)

    @classmethod
    def restored(cls, lines):
        """Those of the lines that come back when a change is taken back."""
        return list(lines)

    # ---- reading

    def facts(self):
        """Facts, read now."""
        raise NotImplementedError

    def running(self):
        """Lines of the policy in force."""
        raise NotImplementedError

    def saved(self):
        """Lines of the policy that would be in force after a reboot."""
        raise NotImplementedError

    def ready(self, lines, seconds):
        """Tell what is in the way of a change, as ``apply`` does before it sends anything; what it returns is for that only.

        :raises Refusal: something is
        """

    # ---- changing; each raises ConnectionError or DialectError

    def apply(self, lines, seconds):
        """Put the lines in force, and have the device take them back by itself after so many seconds. When this fails, what was in force
        is still in force, or will be again when that time has passed.

        :raises Refusal: as ``ready`` does
        """
        raise NotImplementedError

    def confirm(self):
        """Keep what was applied, over a reboot too. Fails when it was taken back in the meantime."""
        raise NotImplementedError

    def revert(self):
        """Take back at once what was applied and not confirmed. No error if there is nothing."""
        raise NotImplementedError

    def switchover(self):
        """Make the standby the active member. Called on either, after both were found ready."""
        raise NotImplementedError


def field(text, pattern, what, command, secret=False):
    """The first group of an expression that has to be in an answer.

    :param secret: the answer is a whole configuration, in which there are hashes of passwords: it is not quoted
    :raises DialectError: it is not there, because the answer is cut off, garbled or of another product
    """
    match = pattern.search(text)
    if match is None:
        said = '%d lines' % len(text.splitlines()) if secret else repr(text if len(text) <= 200 else text[:200] + ' ...')
        raise DialectError("'%s' answered %s, expected %s. Is the device of the declared platform, and is the answer complete?" % (command, said, what))
    return match.group(1)
