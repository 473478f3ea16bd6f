"""Pacing: a host is not knocked at faster than this, whoever knocks."""

import asyncio
from ipaddress import ip_address

PACE_SECONDS = 0.02
"""Between two connections to a host that is not this machine."""


class Pace:
    """One host's."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._next = 0.0

    async def wait(self) -> None:
        """Wait for the next turn."""
        if not self._seconds:
            return
        loop = asyncio.get_running_loop()
        now = loop.time()
        turn = max(now, self._next)
        self._next = turn + self._seconds
        await asyncio.sleep(turn - now)


def pace_for(addresses: tuple[str, ...], seconds: float = PACE_SECONDS) -> Pace:
    """Give a host's pace: none where it is this machine."""
    here = all(ip_address(one.partition("%")[0]).is_loopback for one in addresses)
    return Pace(0.0 if here else seconds)
