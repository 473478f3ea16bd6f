"""A message's content as delivery reads it: whole where small, in pieces where large.

Promise: of a body in a file, never more than `PIECE_BYTES` are in memory.
"""

from collections.abc import AsyncIterator
from typing import Protocol

from sekisho.model.content import Content, FileBody, InlineBody
from sekisho.model.envelope import BodyKind, Envelope
from sekisho.session.client_events import ContentFacts
from sekisho.session.client_extensions import Capabilities
from sekisho.wire.header import header_end

PIECE_BYTES = 64 * 1024


class Bodies(Protocol):
    """Where bodies in files are read; `queue` has one."""

    async def read(self, body: FileBody, offset: int, length: int) -> bytes:
        """Give up to `length` octets from `offset`.

        Raises:
            OSError: The file cannot be read.

        """
        ...


class BodyCutShortError(OSError):
    """A body's file is shorter than it was when it was accepted."""


def whole(content: Content, body: InlineBody) -> bytes:
    """Give a small content whole."""
    data = body.data[content.skip :] if content.skip else body.data
    return content.prefix + data


async def pieces(content: Content, bodies: Bodies) -> AsyncIterator[bytes]:
    """Give a content in pieces of at most `PIECE_BYTES`, the prefix by itself.

    Raises:
        OSError: It cannot be read to its end.

    """
    match content.body:
        case InlineBody() as body:
            yield whole(content, body)
        case FileBody(size=size) as body:
            if content.prefix:
                yield content.prefix
            offset = content.skip
            while offset < size:
                piece = await bodies.read(body, offset, min(PIECE_BYTES, size - offset))
                if not piece:
                    raise BodyCutShortError(f"body {body.name} ends at {offset}")
                offset += len(piece)
                yield piece


def inline_facts(envelope: Envelope, data: bytes) -> ContentFacts:
    """Say what the client machine must know of a small content."""
    if data.isascii():
        return ContentFacts(len(data))
    utf8_header = envelope.smtputf8 and not data[: header_end(data)].isascii()
    return ContentFacts(len(data), eight_bit=True, utf8_header=utf8_header)


async def file_facts(
    envelope: Envelope, content: Content, bodies: Bodies, offered: Capabilities
) -> ContentFacts:
    """Say the same of a large content, reading it only where the answer matters.

    A host that takes 8BITMIME is told so without a look: 7-bit content is good
    8BITMIME, and a second reading of 50 MiB is not free.
    """
    eight_bit, utf8_header = True, False
    if "8BITMIME" not in offered.keywords and envelope.body is not BodyKind.BINARY_MIME:
        eight_bit = not await _is_ascii(content, bodies)
    if eight_bit and envelope.smtputf8 and "SMTPUTF8" not in offered.keywords:
        utf8_header = not await _header_is_ascii(content, bodies)
    return ContentFacts(content.size, eight_bit=eight_bit, utf8_header=utf8_header)


async def _is_ascii(content: Content, bodies: Bodies) -> bool:
    async for piece in pieces(content, bodies):
        if not piece.isascii():
            return False
    return True


async def _header_is_ascii(content: Content, bodies: Bodies) -> bool:
    seen = b""
    async for piece in pieces(content, bodies):
        # Three octets back: the blank line may be cut in two.
        seen = seen[-3:] + piece
        end = seen.find(b"\r\n\r\n")
        if not (seen if end < 0 else seen[:end]).isascii():
            return False
        if end >= 0:
            return True
    return True
