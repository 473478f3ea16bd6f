"""TLS on a connection that has begun in plain text.

`asyncio` begins TLS with what comes next from the socket. Octets that were read too
early (a ClientHello in one piece with its PROXY header) it has no way to take, so they
are given to its protocol as if they came now. Nothing read in plain text may ever reach
the session instead: it would stand there as if it had been said under TLS.
"""

import asyncio
import ssl
from collections.abc import Callable
from typing import cast


async def start_tls(
    transport: asyncio.Transport,
    protocol: asyncio.Protocol,
    context: ssl.SSLContext,
    *,
    seconds: float,
    early: Callable[[], bytes],
) -> asyncio.Transport:
    """Shake hands as a server.

    Args:
        transport: The connection.
        protocol: Gets what the client says under TLS, perhaps before this returns.
        context: The certificate and what is spoken.
        seconds: How long it may take.
        early: Gives the handshake's first octets, where they were read already.

    Returns:
        The transport that encrypts.

    Raises:
        OSError: It failed, or the client has gone; `ssl.SSLError` is one.

    """
    loop = asyncio.get_running_loop()
    handshake = asyncio.ensure_future(
        loop.start_tls(
            transport,
            protocol,
            context,
            server_side=True,
            ssl_handshake_timeout=seconds,
        )
    )
    try:
        # It takes the connection over in its first step, and begins to read in the
        # loop's next turn: these octets go in before any that come then.
        await asyncio.sleep(0)
        if octets := early():
            await asyncio.sleep(0)
            _feed(transport, octets)
        private = await handshake
    finally:
        handshake.cancel()
    if private is None:
        raise ConnectionResetError("the client closed the connection")
    return private


def _feed(transport: asyncio.Transport, octets: bytes) -> None:
    """Let octets come in once more."""
    protocol = cast("asyncio.BufferedProtocol", transport.get_protocol())
    rest = memoryview(octets)
    while rest:
        room = memoryview(protocol.get_buffer(len(rest)))
        taken = min(len(room), len(rest))
        room[:taken] = rest[:taken]
        protocol.buffer_updated(taken)
        rest = rest[taken:]
