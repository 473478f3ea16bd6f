"""How the C library hands out memory: large pieces on their own, and given back.

Each TLS session has a read buffer of 64 KiB of which it touches a page or two. From
the heap they are cut between longer-lived pieces, so that a thousand sessions cost
46 MiB and the holes they leave are not filled again: the process grows with each crowd.
Mapped on their own they cost what is touched (30 MiB), and are gone with the session.
"""

import ctypes
from contextlib import suppress

_M_MMAP_THRESHOLD = -3
"""``mallopt(3)``, of the GNU C library."""
MAPPED_BYTES = 64 * 1024


def map_large_pieces() -> None:
    """Have pieces from `MAPPED_BYTES` on mapped; another C library is left alone."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, MAPPED_BYTES)
