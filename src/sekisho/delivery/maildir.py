"""Delivery into a Maildir: ``tmp`` to ``new``, lines ended by LF as its readers expect.

``Return-Path`` and one ``Delivered-To`` a recipient stand before what came.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Protocol

from sekisho.delivery.content import Bodies, pieces
from sekisho.delivery.files import NewFile, envelope_fields, make_folder, store
from sekisho.model.envelope import Recipient
from sekisho.model.message import Message
from sekisho.model.outcome import Outcome


class LocalTools(Protocol):
    """What local delivery takes from outside; see `CourierTools`."""

    @property
    def bodies(self) -> Bodies:
        """Where bodies in files are read."""
        ...

    @property
    def token(self) -> Callable[[], str]:
        """Random hex digits."""
        ...

    @property
    def clock(self) -> Callable[[], float]:
        """Unix seconds."""
        ...


class MaildirCarrier:
    """Carries into one Maildir."""

    def __init__(self, path: str, hostname: str, tools: LocalTools) -> None:
        self._folder = Path(path)
        self._hostname = hostname
        self._tools = tools

    @property
    def reusable(self) -> bool:
        """Always: there is no connection."""
        return True

    async def deliver(
        self, message: Message, recipients: Sequence[Recipient]
    ) -> list[Outcome]:
        """Store one file for all these recipients."""
        fields = envelope_fields(
            message.envelope.reverse_path, "Delivered-To", recipients
        )
        return await store(
            self._new_file,
            _lines(fields, pieces(message.content, self._tools.bodies)),
            place=str(self._folder),
            count=len(recipients),
        )

    async def close(self) -> None:
        """Nothing is open."""

    def _new_file(self) -> NewFile:
        for name in ("tmp", "new", "cur"):
            make_folder(self._folder / name)
        seconds = int(self._tools.clock())
        name = f"{seconds}.{self._tools.token()}.{self._hostname}"
        return NewFile(self._folder / "tmp" / name, self._folder / "new" / name)


async def _lines(fields: bytes, content: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Put fields before the content, and turn CRLF into LF, across pieces too."""
    yield fields.replace(b"\r\n", b"\n")
    held = b""
    async for piece in content:
        joined = held + piece
        held = b"\r" if joined.endswith(b"\r") else b""
        yield joined[: len(joined) - len(held)].replace(b"\r\n", b"\n")
    if held:
        yield held
