"""Sending like a mail server that keeps what it could not hand over: tried again, until a server has taken the responsibility."""

import asyncio
import contextlib

import aiosmtplib

from . import answers, clients, plan


class Outcome(Exception):
    """How an attempt ended, see answers.py. ``connected``: the server let us speak, so the next address is not tried at once."""

    def __init__(self, outcome, kind="", reply="", connected=True):
        super().__init__(outcome)
        self.outcome, self.kind, self.reply, self.connected = outcome, kind, reply, connected


async def attempt(site, context, message, planned, address):
    """Try once to hand a message over to one address; return its Outcome."""
    stage = "connect"
    client = sock = None
    try:
        sock = await clients.dial(address, planned["port"], site["connect_timeout"])
        client = clients.smtp(sock, planned["port"], site, context, site["answer_timeout"])
        stage = "greeting"
        await client.connect()
        if planned["port"] != 465:
            stage = "starttls"
            await client.starttls(server_hostname=site["service_name"])
        stage = "ehlo"
        await client.ehlo()
        if planned["user"]:
            stage = "login"
            await client.auth_plain(planned["user"], site["accounts"][planned["user"]])
        stage = "mail"
        await client.mail(plan.sender_of(site, planned))
        stage = "rcpt"
        await client.rcpt(planned["to"])
        stage = "data"
        code, text = await client.data(message, timeout=site["dot_timeout"])
        return Outcome("accepted", "", f"{code} {text}")
    except aiosmtplib.SMTPResponseException as error:
        return Outcome(answers.outcome(stage, error.code), f"{stage}: {clients.kind_of(error)}", f"{error.code} {error.message}",
                       stage not in ("connect", "greeting"))
    except (OSError, aiosmtplib.SMTPException, ValueError) as error:
        return Outcome(answers.outcome(stage), f"{stage}: {clients.kind_of(error)}", str(error)[:200], stage not in ("connect", "greeting"))
    finally:
        if client is not None:
            _leave(client)
        elif sock is not None:
            sock.close()


_leaving = set()  # asyncio itself holds its tasks only weakly


def _leave(client):
    """End a session, politely where the server still listens, without making anybody wait."""
    async def leave():
        with contextlib.suppress(OSError, aiosmtplib.SMTPException):
            if client.is_connected:
                await client.quit(timeout=1)
        client.close()

    task = asyncio.create_task(leave())
    _leaving.add(task)
    task.add_done_callback(_leaving.discard)


class Sender:
    """All messages under way."""

    # Connections to one address at a time: below the limit that servers have for one client (Postfix: 50).
    AT_ONCE = 20

    def __init__(self, site, run, context, book, clock):
        self._site, self._run, self._context, self._book, self._clock = site, run, context, book, clock
        self._room = {(of_users, vip): asyncio.Semaphore(self.AT_ONCE) for of_users in (False, True) for vip in site["vips"]}
        self.under_way = {}
        self.accepted = set()

    def start(self, number, tried=0):
        """Begin, or go on, with a message."""
        task = asyncio.create_task(self._carry(number, tried))
        self.under_way[number] = task
        task.add_done_callback(lambda _task: self.under_way.pop(number))

    async def _carry(self, number, tried):
        site = self._site
        planned = plan.planned(site, number)
        message = plan.compose(site, self._run, number, self._clock())
        started, pause, addresses_left = self._clock(), site["retry_first"], len(site["vips"])
        while True:
            vip = site["vips"][(planned["vip"] + tried) % len(site["vips"])]
            tried += 1
            async with self._room[planned["user"] is not None, vip]:
                await self._book.write(e="try", t=self._clock(), n=number, a=tried, vip=vip, p=planned["p"], port=planned["port"],
                                       to=planned["to"], size=len(message))
                begun = self._clock()
                result = await attempt(site, self._context, message, planned, vip)
                ended = self._clock()
                await self._book.write(e="end", t=ended, n=number, a=tried, outcome=result.outcome, kind=result.kind,
                                       reply=result.reply, s=round(ended - begun, 4))
            if result.outcome == "accepted":
                self.accepted.add(number)
                return
            if result.outcome == "refused" or self._clock() - started > site["give_up"]:
                return
            # A client whose server does not answer goes to the name's next address at once (RFC 5321, 5.1).
            addresses_left -= 1
            if result.connected or addresses_left <= 0:
                await asyncio.sleep(pause)
                pause, addresses_left = min(2 * pause, site["retry_longest"]), len(site["vips"])
