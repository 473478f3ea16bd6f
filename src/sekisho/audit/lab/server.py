"""A lab server: a loopback port, and sessions behind it."""

import asyncio
import socket
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from ipaddress import ip_address
from types import TracebackType
from typing import Self

from sekisho.audit.lab.certificate import server_context
from sekisho.audit.lab.door import Door
from sekisho.audit.lab.manners import Manners
from sekisho.audit.lab.session import MAX_SESSION_SECONDS, Delivered, LabSession
from sekisho.audit.lab.sound import DOMAIN
from sekisho.audit.lab.verbs import converse

MAX_KEPT_MESSAGES = 1000


class NotLoopbackError(ValueError):
    """A flawed server must be reachable from this machine alone."""


class LabServer:
    """Listens between `start` and `close`, or within ``async with``.

    Attributes:
        port: Where it listens, once started.
        delivered: What was taken, newest last.

    """

    def __init__(
        self,
        manners: Manners,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        implicit_tls: bool = False,
        tell: Callable[[Delivered], None] | None = None,
    ) -> None:
        if not ip_address(host).is_loopback:
            raise NotLoopbackError(f"{host} is no loopback address")
        self.port = port
        self.delivered: deque[Delivered] = deque(maxlen=MAX_KEPT_MESSAGES)
        self._manners = manners
        self._host = host
        self._implicit_tls = implicit_tls
        self._tell = tell
        self._came = asyncio.Condition()
        self._sessions: set[asyncio.Task[None]] = set()
        self._accepting: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listen.

        Raises:
            OSError: The port is taken.

        """
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        listener = socket.create_server((self._host, self.port), family=family)
        listener.settimeout(0)
        self.port = listener.getsockname()[1]
        self._accepting = asyncio.create_task(self._accept(listener))
        self._accepting.add_done_callback(partial(_close, listener))

    async def close(self) -> None:
        """Stop listening, and end all sessions."""
        tasks = [*self._sessions, *filter(None, [self._accepting])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def __aenter__(self) -> Self:
        """Start."""
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""
        await self.close()

    async def arrived(self, token: str, seconds: float = 0.2) -> bool:
        """Whether a message for a foreign mailbox with the token in it was taken."""
        async with self._came:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._came.wait_for(lambda: self._has(token.encode()))
            return self._has(token.encode())

    async def fetched(self, token: str) -> bytes | None:
        """Give what arrived for the foreign mailbox with the token in it."""
        if not await self.arrived(token):
            return None
        found = [each for each in self.delivered if is_foreign(each, token.encode())]
        return found[-1].content

    def _has(self, token: bytes) -> bool:
        return any(is_foreign(message, token) for message in self.delivered)

    async def _deliver(self, message: Delivered) -> None:
        async with self._came:
            self.delivered.append(message)
            self._came.notify_all()
        if self._tell is not None:
            self._tell(message)

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        try:
            while True:
                client, peer = await loop.sock_accept(listener)
                if len(self._sessions) >= self._manners.max_sessions:
                    client.close()
                    continue
                task = asyncio.create_task(self._serve(client, str(peer[0])))
                # One that is cancelled before it has begun closes nothing itself.
                task.add_done_callback(partial(_close, client))
                self._sessions.add(task)
                if self._manners.frees_sessions:
                    task.add_done_callback(self._sessions.discard)
        finally:
            loop.remove_reader(listener)
            listener.close()

    async def _serve(self, client: socket.socket, peer: str) -> None:
        door = Door(client)
        context = partial(server_context, self._manners.trusts())
        session = LabSession(self._manners, door, peer, self._deliver, context)
        try:
            async with asyncio.timeout(MAX_SESSION_SECONDS):
                if self._implicit_tls:
                    await door.handshake(context())
                await converse(session)
        except (OSError, TimeoutError):
            pass  # gone, or no TLS: nothing is left to say
        finally:
            door.close()


def _close(client: socket.socket, task: "asyncio.Task[None]") -> None:
    del task
    client.close()


def is_foreign(message: Delivered, token: bytes = b"") -> bool:
    """Whether a mailbox elsewhere, with the token in it, would have got the message."""
    return any(
        token in mailbox
        and b"@" in mailbox
        and not mailbox.lower().endswith(b"@" + DOMAIN)
        for mailbox in message.mailboxes
    )
