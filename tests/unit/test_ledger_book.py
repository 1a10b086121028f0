"""The ledger on disk: what was written is there, and what a crash cut off harms nothing else."""

import asyncio
import os
import pathlib
import signal
import subprocess
import sys

from ledger import book

WRITER = """
import asyncio, sys
from ledger import book
async def main():
    open_book = book.Book(sys.argv[1])
    keeper = asyncio.create_task(open_book.keep())
    number = 0
    while True:
        await asyncio.gather(*(open_book.write(e="try", n=number + part) for part in range(5)))
        number += 5
        print(number, flush=True)
asyncio.run(main())
"""


async def written(path, *records):
    open_book = book.Book(path)
    keeper = asyncio.create_task(open_book.keep())
    await asyncio.gather(*(open_book.write(**record) for record in records))
    keeper.cancel()


def test_written_is_read(tmp_path):
    path = tmp_path / "ledger.jsonl"
    asyncio.run(written(path, {"e": "try", "n": 1}, {"e": "end", "n": 1}))
    asyncio.run(written(path, {"e": "try", "n": 2}))
    assert book.read(path) == ([{"e": "try", "n": 1}, {"e": "end", "n": 1}, {"e": "try", "n": 2}], 0)
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_line_that_was_cut_off_is_counted_and_spoils_no_other(tmp_path):
    path = tmp_path / "ledger.jsonl"
    path.write_text('{"e":"try","n":1}\n{"e":"en')
    asyncio.run(written(path, {"e": "try", "n": 2}))
    assert book.read(path) == ([{"e": "try", "n": 1}, {"e": "try", "n": 2}], 1)


def test_a_killed_writer_leaves_all_that_it_was_sure_of(tmp_path):
    path = tmp_path / "ledger.jsonl"
    root = pathlib.Path(__file__).resolve().parents[2]
    with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, cwd=root, env=os.environ | {"PYTHONPATH": str(root)}) as writer:
        for _line in range(20):
            sure = int(writer.stdout.readline())
        writer.send_signal(signal.SIGKILL)
    records, torn = book.read(path)
    assert {record["n"] for record in records} >= set(range(sure)) and torn <= 1
