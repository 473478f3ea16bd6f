"""Random bits for message ids, fetched in advance: a system call for many, not for one.

Promise: no two processes ever take the same bits. What is held ahead is thrown away in
every child that is forked, and what is taken is taken out in one step.
"""

import os

ID_OCTETS = 10
"""80 bits, of which an id takes 74."""

_AHEAD = 64
_held: list[int] = []


def id_bits() -> int:
    """Random bits for one message id, as good as the kernel's own."""
    try:
        return _held.pop()
    except IndexError:
        octets = os.urandom(ID_OCTETS * _AHEAD)
        first, *others = (
            int.from_bytes(octets[at : at + ID_OCTETS], "big")
            for at in range(0, len(octets), ID_OCTETS)
        )
        _held.extend(others)
        return first


os.register_at_fork(after_in_child=_held.clear)
