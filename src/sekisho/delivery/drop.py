"""Delivery into a folder where each message becomes one ``.eml`` file.

For looking at, and for programs that pick mail up. The octets are those that an SMTP
host would have got, with the envelope before them: ``Return-Path``, and one
``X-Original-To`` a recipient. Files that are still being written begin with a dot.
"""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from sekisho.delivery.content import pieces
from sekisho.delivery.files import NewFile, envelope_fields, make_folder, store
from sekisho.delivery.maildir import LocalTools
from sekisho.model.envelope import Recipient
from sekisho.model.message import Message
from sekisho.model.outcome import Outcome


class DropCarrier:
    """Carries into one folder."""

    def __init__(self, path: str, tools: LocalTools) -> None:
        self._folder = Path(path)
        self._tools = tools

    @property
    def reusable(self) -> bool:
        """Always: there is no connection."""
        return True

    async def deliver(
        self, message: Message, recipients: Sequence[Recipient]
    ) -> list[Outcome]:
        """Store one file for all these recipients."""
        reverse_path = message.envelope.reverse_path
        fields = envelope_fields(reverse_path, "X-Original-To", recipients)
        # A message may come more than once: other recipients, or a second attempt.
        name = f"{message.id}-{self._tools.token()}.eml"

        def new_file() -> NewFile:
            make_folder(self._folder)
            return NewFile(self._folder / f".{name}", self._folder / name)

        return await store(
            new_file,
            _with(fields, pieces(message.content, self._tools.bodies)),
            place=str(self._folder),
            count=len(recipients),
        )

    async def close(self) -> None:
        """Nothing is open."""


async def _with(fields: bytes, content: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield fields
    async for piece in content:
        yield piece
