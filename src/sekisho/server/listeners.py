"""The ports: bound before anything is served, closed first when the service stops.

A listener's connections are looked at once a second (`TICK_SECONDS`) for what has taken
too long: one timer for all is cheaper than one a connection, and no bound here is
finer than a second.
"""

import asyncio
import itertools
import socket
import sys
from contextlib import suppress
from functools import partial

from sekisho.net.ports import BACKLOG
from sekisho.observe.events import Alarm
from sekisho.server.connection import Connection
from sekisho.server.services import ListenerContext, Services

TICK_SECONDS = 1.0


class Listeners:
    """All listeners of one process."""

    def __init__(self, services: Services, prefix: str) -> None:
        """Make them, without a port yet.

        Args:
            services: What connections need.
            prefix: Put before each session's number, so that session names stay
                different from those of other processes and of earlier starts.

        """
        self._services = services
        self._prefix = prefix
        self._numbers = itertools.count(1)
        self._servers: dict[int, asyncio.Server] = {}
        self._connections: set[Connection] = set()
        self._ticking: asyncio.Task[None] | None = None

    async def open(
        self, listener: ListenerContext, bound: socket.socket, number: int
    ) -> None:
        """Serve a listener on a socket that is bound, known by a number from now on."""
        loop = asyncio.get_running_loop()
        make = partial(self._connect, listener)
        if bound.family == socket.AF_UNIX:
            # Its name is the supervisor's, and stays when this process ends.
            serve = loop.create_unix_server
            if sys.version_info >= (3, 13):
                serve = partial(serve, cleanup_socket=False)
            server = await serve(make, sock=bound, backlog=BACKLOG)
        else:
            server = await loop.create_server(make, sock=bound, backlog=BACKLOG)
        self._servers[number] = server
        if self._ticking is None:
            self._ticking = asyncio.ensure_future(self._tick())

    def shut(self, number: int) -> None:
        """Take no more clients on a socket; those that are there stay."""
        if (server := self._servers.pop(number, None)) is not None:
            server.close()

    async def close(self, drain_seconds: float) -> None:
        """Take no more clients, let running transactions end, then close the rest."""
        for number in list(self._servers):
            self.shut(number)
        loop = asyncio.get_running_loop()
        end = loop.time() + drain_seconds
        while self._connections and loop.time() < end:
            for connection in list(self._connections):
                connection.stop()
            await asyncio.sleep(0.05)
        for connection in list(self._connections):
            connection.abort()
        if self._ticking is not None:
            self._ticking.cancel()
            with suppress(asyncio.CancelledError):
                await self._ticking

    def _connect(self, listener: ListenerContext) -> Connection:
        name = f"{self._prefix}{next(self._numbers):x}"
        return Connection(self._services, listener, name, self._connections)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            now = self._services.ticks()
            for connection in list(self._connections):
                try:
                    connection.look_at_clock(now)
                except Exception as error:  # noqa: BLE001 - the others' time runs on
                    detail = f"{type(error).__name__}: {error}"
                    self._services.emit(Alarm("a session failed", detail))
                    connection.abort()
