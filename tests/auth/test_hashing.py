"""Hashing is bounded, and gives way to the mail."""

import asyncio
import threading
import time

import pytest
from argon2 import PasswordHasher

from auth.support import PASSWORD, QUICK
from sekisho.auth.authenticator import AuthUnavailableError
from sekisho.auth.hashing import Hasher, HashingPool, PasswordCheck, expected


def _burn(seconds: float) -> float:
    """Work for so long; when it began."""
    began = time.perf_counter()
    ends = time.thread_time() + seconds
    while time.thread_time() < ends:
        pass
    return began


@pytest.mark.asyncio
async def test_after_a_call_beside_others_the_thread_rests() -> None:
    pool = HashingPool()
    try:
        began = time.perf_counter()
        await pool.run(time.sleep, 0.02)  # as if the core had been another's
        next_began = await pool.run(_burn, 0.0)
        assert next_began - began >= 0.06
        await pool.run(time.sleep, 5 * 0.02)  # and no longer than the bound
        ended = time.perf_counter()
        assert await pool.run(_burn, 0.0) - ended < 2.0
        await pool.run(time.sleep, 0.5)
        with expected(is_known=True):  # who is known waits for nobody's rest
            ended = time.perf_counter()
            assert await pool.run(_burn, 0.0) - ended < 0.09
    finally:
        pool.close()


@pytest.mark.asyncio
async def test_who_waits_for_others_does_not_rest() -> None:
    pool = HashingPool(gives_way=False)
    try:
        await pool.run(time.sleep, 0.5)
        ended = time.perf_counter()
        assert await pool.run(_burn, 0.0) - ended < 0.09
    finally:
        pool.close()


@pytest.mark.asyncio
async def test_who_is_expected_waits_behind_no_stranger() -> None:
    pool, gate = HashingPool(threads=1, waiting=3), threading.Event()
    guesses = [asyncio.ensure_future(pool.run(gate.wait, 10)) for _ in range(3)]
    try:
        await asyncio.sleep(0)
        with pytest.raises(AuthUnavailableError):
            await pool.run(_burn, 0.0)
        with expected(is_known=True):
            await asyncio.wait_for(pool.run(_burn, 0.0), 5)
        assert not any(one.done() for one in guesses)
    finally:
        gate.set()
        await asyncio.gather(*guesses)
        pool.close()


@pytest.mark.parametrize("said", [False, None, 1, "yes"])
def test_only_a_clear_yes_is_right(
    monkeypatch: pytest.MonkeyPatch, said: object
) -> None:
    kept = QUICK.hash(PASSWORD)
    assert QUICK.check(kept, PASSWORD) is PasswordCheck.RIGHT
    assert QUICK.check(kept, "another") is PasswordCheck.WRONG

    def verify(*_given: object) -> object:
        return said

    monkeypatch.setattr(PasswordHasher, "verify", verify)
    assert QUICK.check(kept, PASSWORD) is PasswordCheck.WRONG


@pytest.mark.asyncio
async def test_a_pool_gives_what_was_called_by_name() -> None:
    pool = HashingPool()
    try:
        assert await pool.run(int, "11", base=2) == 3
    finally:
        pool.close()


def test_a_hash_costs_what_is_recommended_and_the_decoys_no_less() -> None:
    hasher, cost = Hasher(), "$argon2id$v=19$m=19456,t=2,p=1$"
    assert hasher.hash(PASSWORD).startswith(cost)
    assert hasher.decoy.startswith(cost)
    assert QUICK.hash(PASSWORD).startswith("$argon2id$v=19$m=8,t=1,p=1$")


def test_no_password_has_the_hash_of_the_decoy() -> None:
    another = Hasher(memory_kib=8, passes=1)
    assert QUICK.decoy != another.decoy
    for password in ("", PASSWORD):
        assert QUICK.check(QUICK.decoy, password) is PasswordCheck.WRONG
