"""One at a time for each block of client addresses.

A lock counts failures, and a failure is known only when the hash is done. Without
turns, whoever opens a hundred sessions would have a hundred guesses checked before
the first of them counts, and a hundred more each time a lock ends.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager


class _Turn:
    __slots__ = ("lock", "wanted")

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.wanted = 0


class Turns:
    """Gives turns by key. Keeps nothing for keys that nobody waits for."""

    def __init__(self) -> None:
        self._turns: dict[str, _Turn] = {}

    @asynccontextmanager
    async def of(self, key: str) -> AsyncGenerator[None]:
        """Wait for the key's turn, and have it while the context lasts."""
        turn = self._turns.setdefault(key, _Turn())
        turn.wanted += 1
        try:
            async with turn.lock:
                yield
        finally:
            turn.wanted -= 1
            if not turn.wanted:
                del self._turns[key]
