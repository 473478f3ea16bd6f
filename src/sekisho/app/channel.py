"""The channel between the supervisor and a worker: typed messages, and open sockets.

A frame is its length and that many octets of MessagePack. A frame of length 0 brings
one descriptor (``SCM_RIGHTS``) for the message that follows it. What a worker says is
decoded to the types that the supervisor expects, and to nothing else: workers read
what strangers send, and the supervisor must not come to harm by one that was overcome.

Where the other side has gone, `on_close` is called once.
"""

import asyncio
import socket
import struct
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Generic, TypeVar

import msgspec

MAX_FRAME_BYTES = 256 * 1024 * 1024
_HEAD = struct.Struct("!I")
_READ_BYTES = 256 * 1024
_READ_DESCRIPTORS = 64
_Received = TypeVar("_Received")


class Channel(Generic[_Received]):
    """One end of a socket pair."""

    def __init__(
        self,
        end: socket.socket,
        kind: "type[_Received]",
        heard: "Callable[[_Received, list[socket.socket]], None]",
        on_close: Callable[[], None],
    ) -> None:
        """Begin to listen.

        Args:
            end: Of a stream socket pair; the channel closes it.
            kind: What the other side says.
            heard: Called with each message and the sockets that came with it.
            on_close: Called when the other side has gone, or broke the rules.

        """
        end.setblocking(False)  # noqa: FBT003 - the standard library's signature
        self._socket = end
        self._decoder = msgspec.msgpack.Decoder(kind)
        self._heard = heard
        self._on_close = on_close
        self._buffer = bytearray()
        self._sockets: list[socket.socket] = []
        self._waiting: deque[tuple[memoryview, socket.socket | None]] = deque()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(end, self._readable)

    def send(self, message: object, sockets: Sequence[socket.socket] = ()) -> None:
        """Send a message; what the other side does not take yet waits here.

        Args:
            message: A struct of `sekisho.app.orders`.
            sockets: Handed over with it; ours stay open.

        """
        if self._socket.fileno() < 0:
            return
        body = msgspec.msgpack.encode(message)
        was_idle = not self._waiting
        for one in sockets:
            # A copy: the caller may close its own before this one is on its way.
            self._waiting.append((memoryview(_HEAD.pack(0)), one.dup()))
        self._waiting.append((memoryview(_HEAD.pack(len(body)) + body), None))
        if was_idle:
            self._writable()
            if self._waiting:
                self._loop.add_writer(self._socket, self._writable)

    def close(self) -> None:
        """Close this end; `on_close` is not called."""
        if self._socket.fileno() < 0:
            return
        self._loop.remove_reader(self._socket)
        self._loop.remove_writer(self._socket)
        self._socket.close()
        for _, copy in self._waiting:
            if copy is not None:
                copy.close()
        self._waiting.clear()
        for one in self._sockets:
            one.close()
        self._sockets.clear()

    def _writable(self) -> None:
        try:
            while self._waiting:
                self._send_some()
        except BlockingIOError:
            return
        except OSError:
            self._gone()
            return
        self._loop.remove_writer(self._socket)

    def _send_some(self) -> None:
        octets, copy = self._waiting[0]
        if copy is None:
            sent = self._socket.send(octets)
        else:
            # The descriptor goes with the first octet; only the rest is left over.
            sent = socket.send_fds(self._socket, [octets], [copy.fileno()])
            copy.close()
        if sent == len(octets):
            self._waiting.popleft()
        else:
            self._waiting[0] = octets[sent:], None

    def _readable(self) -> None:
        try:
            octets, descriptors, _, _ = socket.recv_fds(
                self._socket, _READ_BYTES, _READ_DESCRIPTORS
            )
        except BlockingIOError:
            return
        except OSError:
            octets, descriptors = b"", []
        self._sockets += [socket.socket(fileno=one) for one in descriptors]
        if not octets:
            self._gone()
            return
        self._buffer += octets
        try:
            self._take_frames()
        except msgspec.MsgspecError:
            self._gone()

    def _take_frames(self) -> None:
        while len(self._buffer) >= _HEAD.size:
            (length,) = _HEAD.unpack_from(self._buffer)
            if length > MAX_FRAME_BYTES:
                raise msgspec.DecodeError("a frame is too long")
            end = _HEAD.size + length
            if len(self._buffer) < end:
                return
            body = bytes(memoryview(self._buffer)[_HEAD.size : end])
            del self._buffer[:end]
            if body:
                sockets, self._sockets = self._sockets, []
                self._heard(self._decoder.decode(body), sockets)

    def _gone(self) -> None:
        if self._socket.fileno() >= 0:
            self.close()
            with suppress(Exception):
                self._on_close()
