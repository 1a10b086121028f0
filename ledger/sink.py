"""The sink: a maildir of the prober's own host, in which mail to the foreign domain ends. In it only messages of this run are looked at."""

import asyncio
import contextlib
import email.parser
import pathlib

from . import plan


def require(site):
    """Raise NotADirectoryError where the sink that the settings name is not on this host."""
    if site["foreign_domain"] and not pathlib.Path(site["foreign_maildir"]).is_dir():
        raise NotADirectoryError(f"foreign_maildir: {site['foreign_maildir']} is no directory on this host, expected the maildir in which mail to "
                                 f"{site['foreign_domain']} ends; correct it, or set foreign_domain and foreign_maildir to null.")


def look(maildir, run, known=()):
    """{name: (path, number or None)}: all messages whose name is not known; None for those of others.

    The name stays when a mail program moves a message or flags it.
    """
    found = {}
    for part in ("new", "cur"):
        with contextlib.suppress(FileNotFoundError):  # they come with the first message
            for path in (pathlib.Path(maildir) / part).iterdir():
                name = path.name.partition(":")[0]
                if name in known:
                    continue
                with contextlib.suppress(FileNotFoundError), open(path, "rb") as message:
                    header = email.parser.BytesHeaderParser().parse(message)
                    found[name] = (path, plan.number_of(str(header["Message-ID"]), run))
    return found


def numbers(maildir, run):
    """[n, n, ...]: all messages of this run, as often as they are there."""
    return sorted(number for _path, number in look(maildir, run).values() if number is not None)


def clean(maildir, run):
    """Remove this run's messages, and nothing else."""
    for path, number in look(maildir, run).values():
        if number is not None:
            path.unlink(missing_ok=True)


class Watcher:
    """Sees when each message was there, like watching.Watcher; nobody is in IDLE here."""

    def __init__(self, site, run, book, clock, resumed):
        self._site, self._run, self._book, self._clock, self._first = site, run, book, clock, resumed
        self.seen = set()
        self.ready = asyncio.Event()  # what comes from now on will be seen

    async def poll(self):
        """Look every poll_interval."""
        known = set()
        while True:
            # Not in the loop: a maildir may hold much that is not ours.
            found = await asyncio.to_thread(look, self._site["foreign_maildir"], self._run, known)
            known |= set(found)
            for number in sorted(number for _path, number in found.values() if number is not None):
                self.seen.add(number)
                self._book.note(e="seen", t=self._clock(), n=number, to=plan.foreign_address(self._site), first=self._first)
            self._first = False
            self.ready.set()
            await asyncio.sleep(self._site["poll_interval"])
