"""One accepted connection, down to the octets on both sides of a handshake.

`asyncio` streams keep what was read before STARTTLS out of sight, and what becomes of
just those octets is what some flaws are about. So this is a plain socket, with TLS laid
over it by hand.
"""

import asyncio
import socket
import ssl

READ_OCTETS = 65536


class Door:
    """A connected socket; every wait is bounded by whoever calls."""

    def __init__(self, sock: socket.socket) -> None:
        sock.settimeout(0)
        self._sock = sock
        self._loop = asyncio.get_running_loop()
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls: ssl.SSLObject | None = None

    @property
    def secured(self) -> bool:
        """Whether TLS is on."""
        return self._tls is not None

    @property
    def shows_certificate(self) -> bool:
        """Whether the client has shown a certificate that is trusted."""
        return self._tls is not None and bool(self._tls.getpeercert())

    async def read(self) -> bytes:
        """Give what came next; nothing once the other side has closed."""
        if self._tls is None:
            return await self._loop.sock_recv(self._sock, READ_OCTETS)
        while True:
            try:
                return self._tls.read(READ_OCTETS)
            except ssl.SSLWantReadError:
                if not await self._fill():
                    return b""
            except ssl.SSLZeroReturnError:
                return b""

    async def write(self, octets: bytes) -> None:
        """Send."""
        if self._tls is None:
            await self._loop.sock_sendall(self._sock, octets)
            return
        self._tls.write(octets)
        await self._flush()

    async def handshake(self, context: ssl.SSLContext) -> None:
        """Shake hands as the server.

        Raises:
            OSError: It failed (`ssl.SSLError` is one), or the client is gone.

        """
        tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                await self._flush()
                if not await self._fill():
                    raise ConnectionResetError("gone in the handshake") from None
        await self._flush()
        self._tls = tls

    async def _fill(self) -> bool:
        octets = await self._loop.sock_recv(self._sock, READ_OCTETS)
        self._incoming.write(octets)
        return bool(octets)

    async def _flush(self) -> None:
        if octets := self._outgoing.read():
            await self._loop.sock_sendall(self._sock, octets)

    def close(self) -> None:
        """Close; a wait that was cancelled must not look for the descriptor later."""
        self._loop.remove_reader(self._sock)
        self._loop.remove_writer(self._sock)
        self._sock.close()
