"""A bounded pool over several servers: a connection that works, or the reason.

Servers are tried in the configured order. One that failed stands back for a while, so
that not every login waits for it; where all stand back, all are tried. What fails on a
connection that lay in the pool is tried on a new one first: the server may have closed
it meanwhile. Nothing asked here changes anything, so asking twice does no harm.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import TypeVar

from sekisho.auth.authenticator import AuthUnavailableError
from sekisho.auth.ldap.connection import Connection
from sekisho.auth.ldap.options import Server
from sekisho.auth.ldap.wire import ServerFaultError

STAND_BACK_SECONDS = 15.0
MAX_IDLE_SECONDS = 60.0
_T = TypeVar("_T")
Open = Callable[[Server], Awaitable[Connection]]
Work = Callable[[Connection], Awaitable[_T]]


class Pool:
    """Connections of one kind.

    Args:
        servers: In order.
        open_: Opens a connection that is ready for work.
        size: So many are open at once, at most.
        attempt_seconds: So long one server may take for a piece of work.
        clock: Monotonic seconds.

    """

    def __init__(
        self,
        servers: tuple[Server, ...],
        open_: Open,
        *,
        size: int,
        attempt_seconds: float,
        clock: Callable[[], float],
    ) -> None:
        self._servers = servers
        self._open = open_
        self._free = asyncio.Semaphore(size)
        self._attempt_seconds = attempt_seconds
        self._clock = clock
        self._idle: dict[Server, list[tuple[Connection, float]]] = defaultdict(list)
        self._back_at: dict[Server, float] = {}
        self._closed = False

    async def use(self, work: Work[_T]) -> _T:
        """Do a piece of work on the first server that can.

        Raises:
            AuthUnavailableError: None can, or the work says so.

        """
        faults: list[str] = []
        async with self._free:
            for server in self._in_order():
                try:
                    return await self._on(server, work)
                except ServerFaultError as fault:
                    faults.append(str(fault))
                    self._back_at[server] = self._clock() + STAND_BACK_SECONDS
        raise AuthUnavailableError("; ".join(faults))

    def close(self) -> None:
        """Close what lies here, and keep nothing any more."""
        self._closed = True
        for kept in self._idle.values():
            for connection, _ in kept:
                connection.close()
        self._idle.clear()

    def _in_order(self) -> list[Server]:
        now = self._clock()
        return sorted(self._servers, key=lambda one: self._back_at.get(one, now) > now)

    async def _on(self, server: Server, work: Work[_T]) -> _T:
        try:
            async with asyncio.timeout(self._attempt_seconds):
                kept = self._kept(server)
                if kept is not None:
                    try:
                        return await self._with(kept, work)
                    except ServerFaultError:
                        self._drop(server)
                return await self._with(await self._open(server), work)
        except TimeoutError:
            raise ServerFaultError(f"{server}: it does not answer in time") from None

    async def _with(self, connection: Connection, work: Work[_T]) -> _T:
        try:
            done = await work(connection)
        except BaseException:
            # Also when cancelled: an answer may still be on its way.
            connection.close()
            raise
        self._back_at.pop(connection.server, None)
        if connection.is_usable and not self._closed:
            self._idle[connection.server].append((connection, self._clock()))
        else:
            connection.close()
        return done

    def _kept(self, server: Server) -> Connection | None:
        kept = self._idle[server]
        while kept:
            connection, since = kept.pop()
            if connection.is_usable and self._clock() - since < MAX_IDLE_SECONDS:
                return connection
            connection.close()
        return None

    def _drop(self, server: Server) -> None:
        for connection, _ in self._idle.pop(server, []):
            connection.close()
