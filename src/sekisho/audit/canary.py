"""The canary: the administrator's own address, and how to see what comes to it.

A message counts as arrived where its header, or the envelope of the listener, names
the probe's token as recipient or in its Message-ID. A bounce that only quotes the
message names it in neither, so a server that takes and then returns mail is not
mistaken for one that relays.
"""

import asyncio
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Protocol

TOKEN = re.compile(rb"audit-([0-9a-z]{4,40})")
"""As `Visit.text` puts it into ``{C}``."""
MAX_MESSAGE_OCTETS = 1024 * 1024
MAX_MESSAGES = 10_000
POLL_SECONDS = 0.2
SESSION_SECONDS = 120.0
MAX_RECIPIENTS = 100
_NAMING = re.compile(
    rb"(?im)^(?:to|delivered-to|x-original-to|envelope-to|message-id):"
    rb"[^\r\n]*(?:\r?\n[ \t][^\r\n]*)*"
)
_REPORT = re.compile(rb"(?im)^content-type:\s*multipart/report")


class Canary(Protocol):
    """Where arrivals are seen.

    Attributes:
        address: The administrator's.
        seconds: How long to wait for one message.

    """

    address: str
    seconds: float

    async def has(self, token: str) -> bool:
        """Whether it has come by now."""
        ...

    async def message(self, token: str) -> bytes | None:
        """Give what has come, octets and all; no bounces."""
        ...


async def arrived(canary: Canary, token: str) -> bool:
    """Wait for it."""
    for _ in range(_looks(canary)):
        if await canary.has(token):
            return True
        await asyncio.sleep(POLL_SECONDS)
    return await canary.has(token)


async def fetched(canary: Canary, token: str) -> bytes | None:
    """Wait for it, and give it."""
    for _ in range(_looks(canary)):
        if (came := await canary.message(token)) is not None:
            return came
        await asyncio.sleep(POLL_SECONDS)
    return await canary.message(token)


def _looks(canary: Canary) -> int:
    return int(canary.seconds / POLL_SECONDS)


class Arrivals:
    """What has come, by token; bounded."""

    def __init__(self) -> None:
        self._messages: dict[str, bytes] = {}
        self._tokens: set[str] = set()

    def add(self, content: bytes, *recipients: bytes) -> None:
        """Take one message in."""
        head = re.split(rb"\r?\n\r?\n", content, maxsplit=1)[0]
        named = b"\n".join([*recipients, *_NAMING.findall(head + b"\n")])
        tokens = {one.decode() for one in TOKEN.findall(named.lower())}
        if len(self._tokens) < MAX_MESSAGES:
            self._tokens |= tokens
            if not _REPORT.search(head):
                for token in tokens:
                    self._messages.setdefault(token, content)

    def has(self, token: str) -> bool:
        """Whether it came."""
        return token.lower() in self._tokens

    def message(self, token: str) -> bytes | None:
        """What came."""
        return self._messages.get(token.lower())


class MaildirCanary:
    """A mailbox on this machine; what was in it before is not looked at twice."""

    def __init__(self, address: str, folder: Path, seconds: float) -> None:
        self.address = address
        self.seconds = seconds
        self._folder = folder
        self._seen: set[str] = set()
        self._arrivals = Arrivals()
        self._looking = asyncio.Lock()

    async def has(self, token: str) -> bool:
        """Look anew."""
        await self._look()
        return self._arrivals.has(token)

    async def message(self, token: str) -> bytes | None:
        """Look anew."""
        await self._look()
        return self._arrivals.message(token)

    async def _look(self) -> None:
        async with self._looking:
            await asyncio.to_thread(self._read)

    def _read(self) -> None:
        for file in self._files():
            # A reader moves a file from new/ to cur/, and flags come behind ":".
            name = file.name.partition(":")[0]
            if name in self._seen:
                continue
            with suppress(FileNotFoundError), file.open("rb") as stream:
                self._arrivals.add(stream.read(MAX_MESSAGE_OCTETS))
                self._seen.add(name)

    def _files(self) -> Iterator[Path]:
        for part in ("new", "cur"):
            with suppress(FileNotFoundError):
                yield from (self._folder / part).iterdir()


class ListeningCanary:
    """A server of our own that only receives, while the audit runs.

    It takes every recipient, keeps what comes in memory, and sends nothing on.
    """

    def __init__(self, address: str, host: str, port: int, seconds: float) -> None:
        self.address = address
        self.seconds = seconds
        self.port = port
        self._host = host
        self._arrivals = Arrivals()
        self._server: asyncio.Server | None = None
        self._sessions: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen.

        Raises:
            OSError: The port cannot be had.

        """
        self._server = await asyncio.start_server(
            self._serve, self._host, self.port, limit=MAX_MESSAGE_OCTETS
        )
        self.port = int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.close()
        for session in self._sessions:
            session.cancel()
        await asyncio.gather(*self._sessions, return_exceptions=True)

    async def has(self, token: str) -> bool:
        """Whether it came."""
        return self._arrivals.has(token)

    async def message(self, token: str) -> bytes | None:
        """What came."""
        return self._arrivals.message(token)

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        session = asyncio.current_task()
        if session is not None:
            self._sessions.add(session)
            session.add_done_callback(self._sessions.discard)
        # `close` cancels: that ends it as well, and asyncio would tell of it.
        ends = (OSError, TimeoutError, EOFError, asyncio.LimitOverrunError)
        with suppress(*ends, asyncio.CancelledError):
            async with asyncio.timeout(SESSION_SECONDS):
                await _Receiving(reader, writer, self._arrivals).converse()
        writer.close()


_REPLIES = {
    b"HELO": b"250 canary.invalid",
    b"EHLO": b"250-canary.invalid\r\n250-8BITMIME\r\n250 SMTPUTF8",
    b"MAIL": b"250 2.1.0 ok",
    b"RSET": b"250 2.0.0 ok",
    b"NOOP": b"250 2.0.0 ok",
    b"DATA": b"354 go on",
    b"QUIT": b"221 2.0.0 bye",
}


class _Receiving:
    """One session of the listener."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        arrivals: Arrivals,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._arrivals = arrivals
        self._recipients: list[bytes] = []

    async def converse(self) -> None:
        await self._say(b"220 canary.invalid ESMTP receives only")
        while True:
            line = (await self._reader.readuntil(b"\r\n")).rstrip()
            verb = line[:4].upper()
            await self._say(self._reply(verb, line))
            if verb == b"DATA":
                await self._data()
            elif verb == b"QUIT":
                return

    def _reply(self, verb: bytes, line: bytes) -> bytes:
        if verb != b"RCPT":
            if verb in (b"MAIL", b"RSET", b"EHLO", b"HELO"):
                self._recipients = []
            return _REPLIES.get(verb, b"500 5.5.1 not known")
        if len(self._recipients) < MAX_RECIPIENTS:
            self._recipients.append(line)
        return b"250 2.1.5 ok"

    async def _data(self) -> None:
        content = await self._reader.readuntil(b"\r\n.\r\n")
        plain = content[:-3]
        if plain.startswith(b"."):
            plain = plain[1:]
        self._arrivals.add(plain.replace(b"\r\n.", b"\r\n"), *self._recipients)
        await self._say(b"250 2.0.0 seen")

    async def _say(self, line: bytes) -> None:
        self._writer.write(line + b"\r\n")
        await self._writer.drain()
