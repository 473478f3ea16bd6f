"""Hashing is bounded, and gives way to the mail."""

import asyncio
import os
import threading

import pytest

from sekisho.auth.authenticator import AuthUnavailableError
from sekisho.auth.hashing import LESS_URGENT_BY, HashingPool, expected


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


@pytest.mark.asyncio
async def test_who_is_expected_waits_behind_no_stranger() -> None:
    pool, gate = HashingPool(threads=1, waiting=3), threading.Event()
    guesses = [asyncio.ensure_future(pool.run(gate.wait, 10)) for _ in range(3)]
    try:
        await asyncio.sleep(0)
        with pytest.raises(AuthUnavailableError):
            await pool.run(_urgency)
        with expected(is_known=True):
            await asyncio.wait_for(pool.run(_urgency), 5)
        assert not any(one.done() for one in guesses)
    finally:
        gate.set()
        await asyncio.gather(*guesses)
        pool.close()
