"""LDAP messages over a transport: where one ends, and how many octets are too many.

A message is a BER SEQUENCE of definite length (RFC 4511 §5.1). It is cut out by its
length alone and handed on whole, so that a parser never waits inside of one; what is
longer than a bound, or no SEQUENCE, breaks the connection.
"""

import asyncio
from collections import deque
from typing import cast

from sekisho.auth.authenticator import AuthUnavailableError

MAX_MESSAGE_BYTES = 1024 * 1024
MAX_WAITING_BYTES = 4 * 1024 * 1024
_SEQUENCE = 0x30
_SHORT = 0x80
_MAX_LENGTH_OCTETS = 4


class ServerFaultError(AuthUnavailableError):
    """A server does not answer, or not as a directory does; another one may."""


class Wire(asyncio.Protocol):
    """Octets in, messages out, one reader."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._messages: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._fault = ""
        self._news = asyncio.Event()
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport; TLS puts another one in its place later."""
        # Not by isinstance: uvloop's transports are no subclass.
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Cut out what is whole."""
        self._buffer += data
        while not self._fault and (size := self._size()):
            self._messages.append(bytes(self._buffer[:size]))
            self._waiting_bytes += size
            del self._buffer[:size]
        if self._waiting_bytes > MAX_WAITING_BYTES:
            self._break("it answers without end")
        self._news.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the reader."""
        self._break(type(exc).__name__ if exc else "it closed the connection")

    @property
    def is_idle(self) -> bool:
        """Whether nothing is here that nobody asked for, and it is not broken."""
        return not (self._fault or self._messages or self._buffer)

    async def message(self) -> bytes:
        """Wait for the next message.

        Raises:
            ServerFaultError: There is none, and will be none.

        """
        while not self._messages:
            if self._fault:
                raise ServerFaultError(self._fault)
            self._news.clear()
            await self._news.wait()
        found = self._messages.popleft()
        self._waiting_bytes -= len(found)
        return found

    def _size(self) -> int:
        """The octets of the first message; 0 while it is not whole."""
        buffer = self._buffer
        if buffer and buffer[0] != _SEQUENCE:
            self._break("its answer is no LDAP")
            return 0
        if len(buffer) < 2:  # noqa: PLR2004 - tag and length
            return 0
        octets = buffer[1] - _SHORT if buffer[1] >= _SHORT else 0
        if buffer[1] == _SHORT or octets > _MAX_LENGTH_OCTETS:
            self._break("its answer is no LDAP")
            return 0
        header = 2 + octets
        if len(buffer) < header:
            return 0
        content = int.from_bytes(buffer[2:header], "big") if octets else buffer[1]
        if content > MAX_MESSAGE_BYTES:
            self._break("its answer is too long")
            return 0
        return header + content if len(buffer) >= header + content else 0

    def _break(self, fault: str) -> None:
        self._fault = self._fault or fault
        self._buffer.clear()
        self._news.set()
        if self.transport is not None:
            self.transport.abort()
