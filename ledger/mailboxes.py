"""What is in the mailboxes at the end: every folder of every account, and the sink, are asked for this run's messages."""

import asyncio

import mail_clients

from . import clients, plan, sink, watching

TRIES = 60
CHUNK = 500


class MailboxError(Exception):
    """A mailbox cannot be read, so nothing can be said about its messages; the text says which."""


async def visit(site, context, run, user, work):
    """Call ``await work(session, uids)`` in every folder with messages of this run, over whichever address answers."""
    error = None
    for turn in range(TRIES):
        vip = site["vips"][turn % len(site["vips"])]
        session = None
        try:
            session = await clients.Imap.open(vip, site, context, user, site["answer_timeout"])
            results = []
            for folder in await session.folders():
                await session.select(folder)
                uids = await session.uid_search("HEADER", "Message-ID", f'"<{run}."')
                for start in range(0, len(uids), CHUNK):
                    results.append(await work(session, uids[start:start + CHUNK]))
            return results
        except (OSError, clients.ImapRefused) as problem:
            error = f"{vip}: {clients.kind_of(problem)} {problem}"
            await asyncio.sleep(1)
        finally:
            if session:
                await session.close()
    raise MailboxError(f"The mailbox of {user} cannot be read ({error}), so nothing was reconciled; try again when it can.")


async def _numbers(run, session, uids):
    lines = await session.uid("fetch", ",".join(uids), "(UID BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")
    return [number for number, _uid in watching.parse_fetch(lines, run)[0]]


async def collect(site, run):
    """{address: [n, n, ...]}: all messages of this run, as often as they are there. Raises MailboxError; NotADirectoryError for the sink."""
    context = mail_clients.tls_context(site["ca_file"])
    found = {}
    for user in sorted(site["accounts"]):
        chunks = await visit(site, context, run, user, lambda session, uids: _numbers(run, session, uids))
        found[user] = sorted(number for chunk in chunks for number in chunk)
    if site["foreign_domain"]:
        sink.require(site)
        found[plan.foreign_address(site)] = sink.numbers(site["foreign_maildir"], run)
    return found


async def clean(site, run):
    """Remove this run's messages, and nothing else. Raises MailboxError."""
    context = mail_clients.tls_context(site["ca_file"])
    for user in sorted(site["accounts"]):
        await visit(site, context, run, user, lambda session, uids: session.expunge(uids))
    if site["foreign_domain"]:
        sink.clean(site["foreign_maildir"], run)
