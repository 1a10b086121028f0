"""Availability: a short visit ten times a second, whatever else goes on, that sees gaps which no message happened to meet."""

import asyncio
import itertools

import aiosmtplib

from . import clients


async def _smtp(site, context, address, _user):
    """Port 25 greets and answers EHLO."""
    await _greeted(site, context, address, 25)


async def _submission(site, context, address, user):
    """Port 465 ends TLS, greets and lets the user in, for which it needs Dovecot."""
    await _greeted(site, context, address, 465, user)


async def _greeted(site, context, address, port, user=None):
    client = clients.smtp(await clients.dial(address, port, site["probe_timeout"]), port, site, context, site["probe_timeout"])
    try:
        await client.connect()
        await client.ehlo()
        if user:
            await client.auth_plain(user, site["accounts"][user])
        await client.quit()
    finally:
        client.close()


async def _imap(site, context, address, user):
    """Port 993 ends TLS, the directory knows the user, and the node with his seat answers."""
    session = await clients.Imap.open(address, site, context, user, site["probe_timeout"])
    try:
        await session.noop()
    finally:
        await session.close()


PROBES = {"smtp": _smtp, "submission": _submission, "imap": _imap}


async def probe(site, context, protocol, address, user):
    """One probe; return "" or the kind of its failure."""
    try:
        async with asyncio.timeout(site["probe_timeout"]):
            await PROBES[protocol](site, context, address, user)
    except (OSError, aiosmtplib.SMTPException, clients.ImapRefused) as error:
        return clients.kind_of(error)
    return ""


async def keep_probing(site, context, protocol, book, clock):
    """Probe one protocol for ever, by turns through addresses and accounts. A probe that hangs does not hold up the next."""
    running = set()

    async def visit(address, user):
        begun = clock()
        kind = await probe(site, context, protocol, address, user)
        ended = clock()
        book.note(e="probe", t=ended, p=protocol, vip=address, ok=not kind, kind=kind, s=round(ended - begun, 4))

    loop = asyncio.get_running_loop()
    due = loop.time()
    pairs = itertools.cycle([(address, user) for user in sorted(site["accounts"]) for address in site["vips"]])
    for address, user in pairs:
        task = asyncio.create_task(visit(address, user))
        running.add(task)
        task.add_done_callback(running.discard)
        due = max(due + site["probe_interval"][protocol], loop.time() - 1)
        await asyncio.sleep(max(0, due - loop.time()))
