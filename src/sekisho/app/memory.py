"""How the C library hands out memory: large pieces on their own, and given back.

Each TLS session has a read buffer of 64 KiB of which it touches a page or two. From
the heap they are cut between longer-lived pieces, so that a thousand sessions cost
46 MiB and the holes they leave are not filled again: the process grows with each crowd.
Mapped on their own they cost what is touched (30 MiB), and are gone with the session.

What a crowd of messages leaves free between longer-lived pieces is given back at times:
the library does it by itself only at the heap's end.
"""

import asyncio
import ctypes
from contextlib import suppress

_M_MMAP_THRESHOLD = -3
"""``mallopt(3)``, of the GNU C library."""
MAPPED_BYTES = 64 * 1024
_GIVE_BACK_SECONDS = 3.0


def map_large_pieces() -> None:
    """Have pieces from `MAPPED_BYTES` on mapped; another C library is left alone."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, MAPPED_BYTES)


async def give_back_at_times() -> None:
    """Give free pages back to the system now and then, in a thread, for ever."""
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(_GIVE_BACK_SECONDS)
        await loop.run_in_executor(None, _give_back)


def _give_back() -> None:
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
