"""Hashing is bounded, and gives way to the mail."""

import os
import threading

import pytest

from sekisho.auth.hashing import LESS_URGENT_BY, HashingPool


def _urgency() -> int:
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


@pytest.mark.asyncio
async def test_hashing_threads_alone_are_less_urgent() -> None:
    pool, ours = HashingPool(threads=2), _urgency()
    try:
        for _ in range(4):
            assert await pool.run(_urgency) == min(ours + LESS_URGENT_BY, 19)
    finally:
        pool.close()
    assert _urgency() == ours
