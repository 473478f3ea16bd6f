"""A man in the middle of a directory's connections: he changes what it answers."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from peers.loopback import free_port, fresh_address

Write = Callable[[bytes], None]
SILENT = b""


def message_id(message: bytes) -> int:
    """The number of a message as slapd spells it."""
    start = 2 + (message[1] & 0x7F if message[1] & 0x80 else 0)
    assert message[start] == 2
    return int.from_bytes(message[start + 2 : start + 2 + message[start + 1]], "big")


def sealed(number: int, operation: bytes) -> bytes:
    """A message with this number and this operation, both short."""
    content = bytes([2, 2, *number.to_bytes(2, "big")]) + operation
    return bytes([0x30, len(content)]) + content


def result(tag: int, code: int, more: bytes = b"") -> bytes:
    """An LDAPResult."""
    content = bytes([10, 1, code, 4, 0, 4, 0]) + more
    return bytes([tag, len(content)]) + content


BIND, DONE, EXTENDED = 0x61, 0x65, 0x78


@dataclass
class Middleman:
    """Stands before a directory that speaks in clear.

    Attributes:
        tamper: What becomes of an answer: octets to send in its place (none: nothing
            is sent), or None to break the connection.
        first: The number of the first answer that he touches, from 0.
        seen: How many answers came by.

    """

    url: str
    tamper: Callable[[bytes], bytes | None]
    first: int
    drip_seconds: float = 0.0
    seen: int = 0
    tasks: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])


@asynccontextmanager
async def between(
    host: str,
    port: int,
    tamper: Callable[[bytes], bytes | None],
    first: int,
    drip_seconds: float = 0.0,
) -> AsyncGenerator[Middleman]:
    """Stand between whoever connects to `url` and the directory."""
    address = fresh_address()
    own = free_port(address)
    man = Middleman(f"ldap://{address}:{own}", tamper, first, drip_seconds)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        man.tasks.add(task)
        back, forth = await asyncio.open_connection(host, port)
        up = asyncio.create_task(_copy(reader, forth))
        try:
            await _answers(man, back, writer)
        finally:
            up.cancel()
            forth.close()
            writer.transport.abort()
            man.tasks.discard(task)

    server = await asyncio.start_server(serve, address, own)
    try:
        yield man
    finally:
        server.close()
        for task in list(man.tasks):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()


async def _answers(
    man: Middleman, back: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    with suppress(OSError, asyncio.IncompleteReadError):
        while True:
            message = await _message(back)
            number, man.seen = man.seen, man.seen + 1
            told = message if number < man.first else man.tamper(message)
            if told is None:
                return
            pieces = [told]
            if man.drip_seconds and number >= man.first:
                pieces = [told[n : n + 1] for n in range(len(told))]
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                if len(pieces) > 1:
                    await asyncio.sleep(man.drip_seconds)


async def _message(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readexactly(2)
    length = head[1]
    if length & 0x80:
        more = await reader.readexactly(length & 0x7F)
        head += more
        length = int.from_bytes(more, "big")
    return head + await reader.readexactly(length)
