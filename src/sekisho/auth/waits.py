"""Attempts that wait before they are judged: so many at once, and few of a client."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable

from sekisho.auth.authenticator import AuthUnavailableError

MAX_WAITING = 500
MAX_WAITING_OF_BLOCK = 10
"""So one client does not take all places."""


class Waits:
    """Has attempts wait; nothing is kept for blocks of which none does."""

    def __init__(
        self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self._sleep = sleep
        self._waiting: Counter[str] = Counter()

    async def wait(self, block: str, seconds: float) -> None:
        """Wait.

        Args:
            block: Where the client is.
            seconds: How long; nothing takes no place.

        Raises:
            AuthUnavailableError: Too many wait already.

        """
        if not seconds:
            return
        of_block = self._waiting.get(block, 0)
        if of_block >= MAX_WAITING_OF_BLOCK or self._waiting.total() >= MAX_WAITING:
            raise AuthUnavailableError("too many failed sign-ins, too many attempts")
        self._waiting[block] += 1
        try:
            await self._sleep(seconds)
        finally:
            self._waiting[block] -= 1
            if not self._waiting[block]:
                del self._waiting[block]
