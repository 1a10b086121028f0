"""SMTP and IMAP clients that dial one address and hold it to the service's name, each wait with an end of its own.

The protocols are those of aiosmtplib and aioimaplib; here is only what a prober has to add.
"""

import asyncio
import contextlib
import socket
import ssl

import aioimaplib
import aiosmtplib

# It would log every answer it does not expect.
aioimaplib.aioimaplib.log.setLevel("CRITICAL")


def kind_of(error):
    """What a client would call this error, in a word or two."""
    if isinstance(error, aiosmtplib.SMTPResponseException) and error.code > 0:
        return str(error.code)
    for candidate in (error, error.__cause__, error.__context__):
        if isinstance(candidate, TimeoutError | aiosmtplib.SMTPTimeoutError):
            return "timeout"
        if isinstance(candidate, ConnectionRefusedError):
            return "refused"
        if isinstance(candidate, ConnectionResetError | BrokenPipeError):
            return "reset"
        if isinstance(candidate, ssl.SSLCertVerificationError):
            return "certificate"
    if isinstance(error, aiosmtplib.SMTPServerDisconnected | ConnectionError | ssl.SSLError | aiosmtplib.SMTPConnectError):
        return "closed"
    if isinstance(error, OSError):
        return error.strerror or "network"
    if isinstance(error, ImapRefused):
        return "NO"
    return type(error).__name__


async def dial(address, port, timeout):
    """A connected, non-blocking socket. Raises OSError, TimeoutError."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setblocking(False)
    try:
        async with asyncio.timeout(timeout):
            await asyncio.get_running_loop().sock_connect(sock, (address, port))
    except BaseException:
        sock.close()
        raise
    return sock


def smtp(sock, port, site, context, timeout):
    """An SMTP client over a connected socket: TLS at once on 465, STARTTLS elsewhere (by the caller)."""
    return aiosmtplib.SMTP(hostname=site["service_name"], sock=sock, use_tls=port == 465, start_tls=False, timeout=timeout,
                           tls_context=context, local_hostname=f"ledger.{site['sender'].rpartition('@')[2]}")


class ImapRefused(Exception):
    """The server said NO or BAD; the text is its reason."""


class _Imap(aioimaplib.IMAP4):
    """aioimaplib verifies the certificate for the host it dials; here it is the service's name."""

    def __init__(self, address, name, context, timeout, lost):
        self._name = name
        super().__init__(address, 993, ssl_context=context, timeout=timeout, conn_lost_cb=lost)

    def create_client(self, host, port, loop, conn_lost_cb=None, ssl_context=None):
        self.protocol = aioimaplib.IMAP4ClientProtocol(asyncio.get_running_loop(), conn_lost_cb)
        self._client_task = asyncio.create_task(asyncio.get_running_loop().create_connection(
            lambda: self.protocol, host, port, ssl=ssl_context, server_hostname=self._name))


class Imap:
    """A logged-in IMAP session. Every call ends by an answer, by the loss of the connection or after ``timeout`` seconds."""

    def __init__(self, client, lost, timeout):
        self._client, self._lost, self.timeout = client, lost, timeout

    @classmethod
    async def open(cls, address, site, context, user, timeout):
        """Connect and log in, all of it within ``timeout`` seconds."""
        lost = asyncio.get_running_loop().create_future()
        client = _Imap(address, site["service_name"], context, timeout, lambda error: lost.done() or lost.set_result(error))
        session = cls(client, lost, timeout)
        try:
            async with asyncio.timeout(timeout):
                await client._client_task  # pylint: disable=protected-access # the only place where its error can be seen
                await session.ask(client.wait_hello_from_server())
                await session.ask(client.login(user, site["accounts"][user]))
        except BaseException:
            await session.close(polite=False)
            raise
        return session

    async def ask(self, coroutine, timeout=None):
        """Await an answer; return its lines. Raises ImapRefused, ConnectionError, TimeoutError."""
        asked = asyncio.ensure_future(coroutine)
        try:
            await asyncio.wait({asked, self._lost}, timeout=timeout or self.timeout, return_when=asyncio.FIRST_COMPLETED)
            if asked.done():
                answer = asked.result()
                if not isinstance(answer, aioimaplib.Response):
                    return answer
                if answer.result != "OK":
                    raise ImapRefused(b" ".join(answer.lines).decode(errors="replace"))
                return answer.lines
            if self._lost.done():
                raise ConnectionError("the server closed the connection")
            raise TimeoutError("no answer")
        except aioimaplib.CommandTimeout as error:
            raise TimeoutError("no answer") from error
        except (aioimaplib.AioImapException, aioimaplib.Abort) as error:
            raise ConnectionError(str(error)) from error
        finally:
            asked.cancel()

    async def select(self, folder="INBOX"):
        """Select a folder."""
        return await self.ask(self._client.select(f'"{folder}"'))

    async def noop(self):
        """NOOP; untagged news come with the answer."""
        return await self.ask(self._client.noop())

    async def uid(self, *command):
        """UID FETCH, UID STORE ..."""
        return await self.ask(self._client.uid(*command))

    async def uid_search(self, *criteria):
        """UIDs that match (list of str)."""
        lines = await self.ask(self._client.uid_search(*criteria, charset=None))
        return lines[0].decode().split() if lines else []

    async def folders(self):
        """Names of all folders that can be selected."""
        lines = await self.ask(self._client.list('""', "*"))
        names = [line.decode() for line in lines if line.startswith(b"(") and b"\\Noselect" not in line.partition(b")")[0]]
        return [name.partition(") ")[2].split(" ", 1)[1].strip('"') for name in names]

    async def expunge(self, uids):
        """Remove exactly these messages of the selected folder (UIDPLUS, RFC 4315)."""
        await self.uid("store", ",".join(uids), "+FLAGS.SILENT", r"(\Deleted)")
        await self.ask(self._client.protocol.expunge(",".join(uids), by_uid=True))

    async def idle(self, renew, told):
        """IDLE for ``renew`` seconds (RFC 2177); call ``told(lines)`` for what the server pushes. Raises ConnectionError, TimeoutError."""
        idling = await self.ask(self._client.idle_start(timeout=renew + 60))
        loop = asyncio.get_running_loop()
        ends = loop.time() + renew
        while (left := ends - loop.time()) > 0:
            with contextlib.suppress(TimeoutError):
                told(await self.ask(self._client.wait_server_push(timeout=left + 1), left))
        self._client.idle_done()
        await self.ask(asyncio.shield(idling))

    async def close(self, polite=True):
        """Log out if the server still listens, and close in any case."""
        if polite:
            with contextlib.suppress(Exception):
                await self.ask(self._client.logout(), 1)
        self._client._client_task.cancel()  # pylint: disable=protected-access
        if self._client.protocol.transport:
            self._client.protocol.transport.abort()
