"""Two sessions for each mailbox: one in IDLE, as a mail program has it, and one that looks by itself and never waits long.

The first shows how long a user would have been blind; the second when each message was there.
"""

import asyncio
import re

from . import clients, plan

# Pauses after a session could not be had: short at first, so that the end of a gap is seen, and no storm after that.
PAUSES = (0.1, 0.2, 0.4, 0.8)
_NEXT = re.compile(rb"UIDNEXT (\d+)")
_UID = re.compile(rb"\bUID (\d+)")


def parse_fetch(lines, run):
    """Lines of FETCH (UID BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)]) -> ({number of this run: uid}, highest uid or 0).

    aioimaplib gives a list of byte strings in which literals are bytearrays.
    """
    found, uid, highest = [], 0, 0
    for line in lines:
        if isinstance(line, bytearray):
            number = plan.number_of(line.decode(errors="replace").partition(":")[2], run)
            if number is not None:
                found.append((number, uid))
        elif match := _UID.search(line):
            uid = int(match[1])
            highest = max(highest, uid)
    return found, highest


class Watcher:
    """The sessions of one mailbox."""

    def __init__(self, site, run, user, first_vip, context, book, clock, resumed):
        self._site, self._run, self._user, self._vip = site, run, user, first_vip
        self._context, self._book, self._clock = context, book, clock
        self._look = asyncio.Event()
        self._uid = 0
        self._first = resumed
        self.seen = set()
        self.ready = asyncio.Event()  # what comes from now on will be seen

    async def _sessions(self, by, timeout, work):
        """Open sessions for ever, each by the next address after one has failed."""
        turn = self._vip
        up, failures = True, 0
        while True:
            vip = self._site["vips"][turn % len(self._site["vips"])]
            turn += 1
            session = None
            try:
                session = await clients.Imap.open(vip, self._site, self._context, self._user, self._site["answer_timeout"])
                session.timeout = timeout
                selected = await session.select()
                up, failures = True, 0
                self._book.note(e="session", t=self._clock(), to=self._user, by=by, vip=vip, up=True)
                await work(session, selected)
            except (OSError, clients.ImapRefused) as error:
                if up:
                    up = False
                    self._book.note(e="session", t=self._clock(), to=self._user, by=by, vip=vip, up=False, kind=clients.kind_of(error))
                await asyncio.sleep(PAUSES[min(failures, len(PAUSES) - 1)])
                failures += 1
            finally:
                if session:
                    await session.close(polite=False)

    async def idle(self):
        """The mail program: believes in its connection until it is renewed or closed."""
        def told(lines):
            if isinstance(lines, list) and any(b"EXISTS" in line for line in lines):
                self._book.note(e="push", t=self._clock(), to=self._user)
                self._look.set()

        async def work(session, _selected):
            self._look.set()
            while True:
                await session.idle(self._site["idle_renew"], told)

        await self._sessions("idle", self._site["answer_timeout"], work)

    async def poll(self):
        """Look when the other was told something, and every poll_interval anyway."""
        async def work(session, selected):
            if not self._uid and not self._first:
                self._uid = int(_NEXT.search(b"\n".join(selected))[1]) - 1
            while True:
                lines = await session.uid("fetch", f"{self._uid + 1}:*", "(UID BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")
                found, highest = parse_fetch(lines, self._run)
                for number, uid in found:
                    if uid > self._uid:
                        self.seen.add(number)
                        self._book.note(e="seen", t=self._clock(), n=number, to=self._user, first=self._first)
                self._uid, self._first = max(self._uid, highest), False
                self.ready.set()
                try:
                    await asyncio.wait_for(self._look.wait(), self._site["poll_interval"])
                except TimeoutError:
                    pass
                self._look.clear()
                await session.noop()

        await self._sessions("poll", self._site["poll_timeout"], work)
