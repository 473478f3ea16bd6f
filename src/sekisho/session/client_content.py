"""Content on its way out: dot-stuffed for DATA, as it is for BDAT.

RFC 5321 §4.5.2 and RFC 3030. Pieces may be cut anywhere: the last two octets given
are remembered, since a line's end and its dot may come in two pieces.
"""

from typing import Protocol


class ContentEncoder(Protocol):
    """What becomes of content octets on the wire."""

    def piece(self, data: bytes) -> bytes:
        """Encode the next piece."""
        ...

    def end(self) -> bytes:
        """Give what stands behind the last piece."""
        ...


class DotStuffing:
    """For DATA."""

    __slots__ = ("_tail",)

    def __init__(self) -> None:
        # Content begins as if behind a line's end: a first dot is stuffed too.
        self._tail = b"\r\n"

    def piece(self, data: bytes) -> bytes:
        """Double each dot that begins a line."""
        tail = self._tail
        self._tail = (data if len(data) > 1 else tail + data)[-2:]
        stuffed = data.replace(b"\r\n.", b"\r\n..")  # Copies where there is one.
        if data.startswith(b".") and tail == b"\r\n":
            return b"." + stuffed
        if data.startswith(b"\n.") and tail.endswith(b"\r"):
            return b"\n." + stuffed[1:]
        return stuffed

    def end(self) -> bytes:
        """End the last line where it is open, then the content."""
        return b".\r\n" if self._tail == b"\r\n" else b"\r\n.\r\n"


class Verbatim:
    """For BDAT, whose length was announced."""

    __slots__ = ()

    def piece(self, data: bytes) -> bytes:
        """Leave it as it is."""
        return data

    def end(self) -> bytes:
        """Nothing: the chunk's length ends it."""
        return b""
