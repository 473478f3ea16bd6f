"""``/metrics`` for Prometheus, on an address of its own.

A tiny HTTP/1.1 server: GET of two paths, one request a connection, bounded in octets
and time. It is for scrapers on a private address, and knows nothing else.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    generate_latest,
)

MAX_REQUEST_BYTES = 8192
REQUEST_SECONDS = 10.0
MAX_CONNECTIONS = 32

_REASONS: Mapping[int, str] = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
}
_TEXT = "text/plain; charset=utf-8"


class MetricsServer:
    """Serves a registry's metrics."""

    def __init__(
        self, registry: CollectorRegistry, gather: Callable[[], Awaitable[None]]
    ) -> None:
        """Prepare.

        Args:
            registry: What is served.
            gather: Waited for before it is read.

        """
        self._registry = registry
        self._gather = gather
        self._server: asyncio.Server | None = None
        self._open = 0

    async def start(self, host: str, port: int) -> int:
        """Bind the address.

        Returns:
            The port, for those who asked for any.

        Raises:
            OSError: It cannot be bound.

        """
        self._server = await asyncio.start_server(
            self._serve, host, port, limit=MAX_REQUEST_BYTES
        )
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Close it."""
        if self._server is not None:
            self._server.close()

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._open += 1
        try:
            if self._open <= MAX_CONNECTIONS:
                async with asyncio.timeout(REQUEST_SECONDS):
                    head = await reader.readuntil(b"\r\n\r\n")
                    writer.write(await self._answer(head))
                    await writer.drain()
        except (
            OSError,
            TimeoutError,
            asyncio.IncompleteReadError,
            asyncio.LimitOverrunError,
        ):
            pass  # Whoever it was, it was no scraper.
        finally:
            self._open -= 1
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _answer(self, head: bytes) -> bytes:
        words = head.split(b"\r\n", 1)[0].split(b" ")
        match words:
            case [b"GET", path, version] if version.startswith(b"HTTP/1."):
                return await self._get(path.split(b"?", 1)[0])
            case [_, _, version] if version.startswith(b"HTTP/1."):
                return _response(405, _TEXT, b"only GET\n")
            case _:
                return _response(400, _TEXT, b"no HTTP request\n")

    async def _get(self, path: bytes) -> bytes:
        if path == b"/metrics":
            await self._gather()
            page = generate_latest(self._registry)
            return _response(200, CONTENT_TYPE_LATEST, page)
        if path == b"/healthz":
            return _response(200, _TEXT, b"well\n")
        return _response(404, _TEXT, b"see /metrics\n")


def _response(code: int, content_type: str, page: bytes) -> bytes:
    head = (
        f"HTTP/1.1 {code} {_REASONS[code]}\r\nContent-Type: {content_type}\r\n"
        f"Content-Length: {len(page)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + page
