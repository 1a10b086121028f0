"""The ledger on disk: JSON lines, only ever appended to, forced to disk before the prober goes on.

Records, by their ``e``; ``t`` is the time in seconds since the epoch:

    run      run, resumed                     the prober started
    sending                                   warm-up is over, the first message follows
    try      n, a, p, port, vip, to, size     attempt a of message n is about to begin; p: smtp, submission, outbound (plan.DIRECTIONS)
    end      n, a, outcome, kind, reply, s    how it ended, after s seconds; outcome: see answers.py
    seen     n, to, first                     the message was seen in the mailbox of `to`, or in the sink; first: by the first look after a start
    push     to                               the IDLE session of `to` was told of something new
    session  to, by, vip, up, kind            a session (by: idle, poll) came up or was found dead, and why
    probe    p, vip, ok, kind, s              one availability probe
    stall    s                                the prober itself stood still for s seconds
    stop                                      sending ended on request
    done                                      the prober ended: nothing more will follow
"""

import asyncio
import json
import os


def read(path):
    """All records of a ledger: ([record], torn), where torn counts lines that a crash cut off in the middle."""
    records, torn = [], 0
    with open(path, "rb") as lines:
        for line in lines:
            if not line.strip():
                continue
            try:
                records.append(json.loads(line))
            except ValueError:
                torn += 1
    return records, torn


class Book:
    """An open ledger. Many writers share one write and one fsync (group commit), done outside of the event loop."""

    # Notes that nobody waits for are on disk this many seconds later at the latest.
    LAZY = 1.0

    def __init__(self, path):
        self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        size = os.fstat(self._file).st_size
        if size and os.pread(self._file, 1, size - 1) != b"\n":
            os.write(self._file, b"\n")  # what a crash cut off stays a line of its own
        self._lines, self._waiters, self._wanted = [], [], asyncio.Event()

    def note(self, **record):
        """Write a record down with the next that has to be on disk."""
        self._lines.append(json.dumps(record, separators=(",", ":")) + "\n")

    async def write(self, **record):
        """Write a record down; return when it is on disk."""
        self.note(**record)
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        self._wanted.set()
        await waiter

    async def keep(self):
        """Carry what is written to disk, for ever; the prober's heart. A disk that fails ends the prober."""
        while True:
            try:
                await asyncio.wait_for(self._wanted.wait(), self.LAZY)
            except TimeoutError:
                pass
            self._wanted.clear()
            await self.commit()

    async def commit(self):
        """Carry what was written so far to disk."""
        lines, self._lines = self._lines, []
        waiters, self._waiters = self._waiters, []
        if lines:
            await asyncio.get_running_loop().run_in_executor(None, self._force, "".join(lines).encode())
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    def _force(self, data):
        while data:
            data = data[os.write(self._file, data):]
        os.fdatasync(self._file)
