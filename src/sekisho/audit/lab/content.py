"""DATA and BDAT of a sound server."""

import re

from sekisho.audit.lab.session import HangUpError, LabSession
from sekisho.audit.lab.sound import MAX_SIZE

_TAIL_OCTETS = 16
"""Longer than any end of data: where a search must start again."""
_BDAT = re.compile(rb"([0-9]{1,10})( LAST)?", re.IGNORECASE)
NO_RECIPIENTS = b"554 5.5.1 no valid recipients"
OUT_OF_ORDER = b"503 5.5.1 out of order"
TOO_BIG = b"552 5.3.4 message too big"


async def data(session: LabSession, argument: bytes) -> bytes:
    """DATA (RFC 5321 §4.1.1.4)."""
    if argument:
        return b"501 5.5.4 DATA has no argument"
    if session.sender is None or session.chunks is not None:
        return OUT_OF_ORDER
    if not session.recipients:
        return NO_RECIPIENTS
    if session.manners.data_sync and session.input:
        raise HangUpError(b"554 5.5.0 wait for the reply to DATA")
    await session.send(b"354 go on")
    content = await _until_the_end(session)
    if content is None:
        session.reset()
        return TOO_BIG
    return await session.took(content)


async def _until_the_end(session: LabSession) -> bytes | None:
    """Read what DATA brings, dots removed; None if it was too big."""
    # The CRLF of DATA's own line may stand before a first dot.
    content = bytearray(b"\r\n")
    too_big, searched = False, 0
    while True:
        content += session.input
        session.input.clear()
        end = session.manners.data_ends.search(content, searched)
        if end is not None:
            session.input += content[end.end() :]
            del content[end.start() :]
            whole = bytes(content).replace(b"\r\n..", b"\r\n.")[2:] + b"\r\n"
            return None if too_big or len(content) > MAX_SIZE else whole
        if len(content) > MAX_SIZE:
            too_big = True
            del content[:-_TAIL_OCTETS]
        searched = max(0, len(content) - _TAIL_OCTETS)
        await session.more()


async def bdat(session: LabSession, argument: bytes) -> bytes:
    """BDAT (RFC 3030): whatever is answered, the octets announced are octets."""
    found = _BDAT.fullmatch(argument)
    if found is None:
        # Nobody knows how many octets come: none of them must run as a command.
        raise HangUpError(b"501 5.5.4 syntax: BDAT size [LAST]")
    size = int(found[1])
    if size > MAX_SIZE:
        raise HangUpError(TOO_BIG)
    chunk = await session.octets(size)
    if session.sender is None:
        return OUT_OF_ORDER
    if not session.recipients:
        return NO_RECIPIENTS
    session.chunks = bytearray() if session.chunks is None else session.chunks
    session.chunks += chunk
    if len(session.chunks) > MAX_SIZE:
        session.reset()
        return TOO_BIG
    if found[2]:
        return await session.took(bytes(session.chunks))
    return b"250 2.0.0 %d octets" % size
