"""The process in the background: sends, watches and probes until it is told to stop; goes on where a killed one left off."""

import asyncio
import contextlib
import secrets
import signal
import time

import aiosmtplib
import mail_clients

from . import book as books
from . import probing, reconcile, sending, sink, watching

# Longer delays of the prober's own loop are written down, so that they are not taken for the service's.
STALL = 0.1


def make_clock():
    """Seconds since the epoch that never jump: the wall clock is asked once."""
    offset = time.time() - time.monotonic()
    return lambda: round(time.monotonic() + offset, 4)


def speak_up(loop, context):
    """What asyncio says of errors that nobody asked for. aiosmtplib leaves one behind for every connection that a server closes."""
    if not isinstance(context.get("exception"), aiosmtplib.SMTPServerDisconnected):
        loop.default_exception_handler(context)


async def warm_up(site, context):
    """Meet the service before the clock runs: every account logs in, every address answers. Raises what stands in the way.

    Postfix tests the first contact of a client for some seconds and remembers him, on each node by itself.
    """
    patient = site | {"probe_timeout": 15}
    meetings = [(protocol, vip, user) for vip in site["vips"] for user in sorted(site["accounts"]) for protocol in ("imap", "submission")]
    meetings += [("smtp", vip, None) for vip in site["vips"] for _time in range(12)]
    kinds = await asyncio.gather(*(probing.probe(patient, context, *meeting) for meeting in meetings))
    failed = [f"{protocol} at {vip}{' as ' + user if user else ''}: {kind}" for (protocol, vip, user), kind in zip(meetings, kinds) if kind]
    if failed:
        raise ConnectionError("the service does not answer before the first message: " + "; ".join(dict.fromkeys(failed)))


async def meet(site):
    """Meet the service as a prober would before its first message, and do nothing else. Raises ConnectionError for what stands in the way."""
    asyncio.get_running_loop().set_exception_handler(speak_up)
    await warm_up(site, mail_clients.tls_context(site["ca_file"]))


class Prober:
    """One run, from its first or a later start to its end."""

    def __init__(self, site, path):
        self._site, self._clock = site, make_clock()
        self._records = books.read(path)[0] if path.exists() else []
        self._run = next((record["run"] for record in self._records if record["e"] == "run"), secrets.token_hex(4))
        self._resumed = any(record["e"] == "sending" for record in self._records)
        self._book = books.Book(path)
        self._context = mail_clients.tls_context(site["ca_file"])
        self._sender = sending.Sender(site, self._run, self._context, self._book, self._clock)
        self._stop = asyncio.Event()

    async def run(self):
        """Do it all; return when done. Raises ConnectionError when the service is not there at the first start."""
        site, clock, loop = self._site, self._clock, asyncio.get_running_loop()
        loop.set_exception_handler(speak_up)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._book.keep())]
            await self._book.write(e="run", t=clock(), run=self._run, resumed=self._resumed)
            if not self._resumed:
                await warm_up(site, self._context)
            watchers = [watching.Watcher(site, self._run, user, turn, self._context, self._book, clock, self._resumed)
                        for turn, user in enumerate(sorted(site["accounts"]))]
            tasks += [group.create_task(work()) for watcher in watchers for work in (watcher.idle, watcher.poll)]
            if site["foreign_domain"]:
                watchers.append(sink.Watcher(site, self._run, self._book, clock, self._resumed))
                tasks.append(group.create_task(watchers[-1].poll()))
            tasks += [group.create_task(probing.keep_probing(site, self._context, protocol, self._book, clock)) for protocol in probing.PROBES]
            tasks.append(group.create_task(self._feel_stalls()))
            if not self._resumed:  # then the mailboxes are read from their beginnings
                await asyncio.wait([asyncio.create_task(watcher.ready.wait()) for watcher in watchers], timeout=site["answer_timeout"])
            await self._book.write(e="sending", t=clock())
            await self._send_until_stopped()
            await self._book.write(e="stop", t=clock())
            await self._wait_for_stragglers(watchers)
            await self._book.write(e="done", t=clock())
            for task in tasks:
                task.cancel()

    async def _send_until_stopped(self):
        known = reconcile.messages(self._records)
        for number, message in known.items():
            if message["accepted"] is None and not message["refused"]:
                self._sender.start(number, message["attempts"])
            elif message["accepted"] is not None and message["seen"] is None:
                self._sender.accepted.add(number)
        self._records = []
        number, loop = max(known, default=-1) + 1, asyncio.get_running_loop()
        due = loop.time()
        while not self._stop.is_set():
            self._sender.start(number)
            number += 1
            # After a stall of the prober the messages that it missed are not sent all at once.
            due = max(due + 1 / self._site["rate"], loop.time() - 1)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), max(0, due - loop.time()))

    async def _wait_for_stragglers(self, watchers):
        """Until every message was accepted and seen, or the time for it is over."""
        ends = time.monotonic() + self._site["stragglers"]
        while time.monotonic() < ends:
            seen = set().union(*(watcher.seen for watcher in watchers))
            if not self._sender.under_way and self._sender.accepted <= seen:
                return
            await asyncio.sleep(0.2)
        for task in list(self._sender.under_way.values()):
            task.cancel()

    async def _feel_stalls(self):
        while True:
            before = time.monotonic()
            await asyncio.sleep(STALL)
            if (stalled := time.monotonic() - before - STALL) > STALL:
                self._book.note(e="stall", t=self._clock(), s=round(stalled, 3))
