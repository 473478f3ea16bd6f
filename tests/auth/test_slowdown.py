"""Guessers with many addresses make strangers wait, and lock nobody out."""

import asyncio
from collections.abc import Iterator
from ipaddress import ip_address
from itertools import count, pairwise
from pathlib import Path

import pytest

from auth.keepers import local_gatekeeper
from auth.support import (
    CLIENT,
    CONTEXT,
    NAME,
    PASSWORD,
    Clock,
    add_alice,
    login,
    open_store,
    scram_client,
)
from replacing import replace
from sekisho.auth.authenticator import AuthUnavailableError
from sekisho.auth.gatekeeper import Gatekeeper
from sekisho.auth.hashing import HashingPool
from sekisho.auth.lockout import FREE, KNOWN_SECONDS, Lockout, LockoutRules
from sekisho.auth.slowdown import CALM
from sekisho.auth.waits import MAX_WAITING, MAX_WAITING_OF_BLOCK, Waits
from sekisho.model.identity import Answer, Rejected, Unavailable, Verified
from sekisho.shared.failures import SharedFailures
from sekisho.shared.store import SharedStore

RULES = LockoutRules(
    service_failures=10, service_delay_seconds=8.0, forget_seconds=1000.0
)
HERE = ip_address("192.0.2.1")
FIRST = int(ip_address("10.0.0.0"))
_numbers = count()


def attack(lockout: Lockout, failures: int, now: float = 0.0) -> None:
    """Guess once from each of so many addresses."""
    for _ in range(failures):
        number = next(_numbers)
        lockout.failed(f"guess{number}", ip_address(FIRST + number), now)


@pytest.fixture(params=["in memory", "shared"])
def lockout(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Lockout]:
    if request.param == "in memory":
        yield Lockout(RULES)
        return
    store, _ = SharedStore.create(tmp_path / "shared.db")
    yield Lockout(RULES, table=SharedFailures(store, 50_000, 20_000))
    store.close()


def test_strangers_wait_from_the_bound_on_twice_as_long_with_each_further(
    lockout: Lockout,
) -> None:
    waits: list[float] = []
    for _ in range(60):
        attack(lockout, 1)
        waits.append(lockout.delay("alice", HERE, 0.0))
    assert waits == [0.0] * 9 + [1.0] * 10 + [2.0] * 10 + [4.0] * 10 + [8.0] * 21
    assert lockout.standing("alice", HERE, 0.0) == FREE
    assert lockout.locked(0.0) == []


def test_whoever_is_known_does_not_wait(lockout: Lockout) -> None:
    lockout.succeeded("alice", HERE, -1.0)
    attack(lockout, 40)
    assert lockout.delay("alice", HERE, 0.0) == 0.0
    assert lockout.delay("bob", HERE, 0.0) == 8.0
    assert lockout.delay("", HERE, 0.0) == 8.0
    assert lockout.delay("alice", ip_address("192.0.2.2"), 0.0) == 8.0
    # It succeeded, and whoever guesses at others gains nothing by it.
    lockout.succeeded("alice", HERE, 0.0)
    assert lockout.delay("bob", HERE, 0.0) == 8.0


def test_after_30_days_a_pair_is_a_stranger_again(lockout: Lockout) -> None:
    lockout.succeeded("alice", HERE, 0.0)
    attack(lockout, 10, KNOWN_SECONDS)
    assert lockout.delay("alice", HERE, KNOWN_SECONDS) == 1.0


def test_clients_behind_a_gateway_neither_count_nor_wait() -> None:
    lockout = Lockout(RULES, exempt=[HERE])
    for n in range(100):
        lockout.failed(f"guess{n}", HERE, 0.0)
    assert lockout.strain(0.0) == CALM
    attack(lockout, 10)
    assert lockout.delay("alice", HERE, 0.0) == 0.0


def test_what_people_mistype_all_day_never_adds_up(lockout: Lockout) -> None:
    for n in range(300):
        attack(lockout, 1, n * 100.0)
    assert lockout.delay("alice", HERE, 29_900.0) == 0.0


def test_a_slow_attack_above_the_bound_is_found(lockout: Lockout) -> None:
    for n in range(60):
        attack(lockout, 1, n * 80.0)
    assert lockout.delay("alice", HERE, 59 * 80.0) == 1.0


def test_it_ends_when_failures_leak_out_or_stop(lockout: Lockout) -> None:
    attack(lockout, 1000)
    waits = [lockout.delay("alice", HERE, now) for now in (0.0, 900.0, 1000.0, 1000.1)]
    assert waits == [8.0, 8.0, 4.0, 0.0]
    # With one failure in a while it takes longer, and ends as well.
    lockout.end_delay(0.0)
    attack(lockout, 1000)
    slower: list[float] = []
    for n in range(1, 13):
        attack(lockout, 1, n * 500.0)
        slower.append(lockout.delay("alice", HERE, n * 500.0))
    assert slower[0] == 8.0
    assert slower[-1] == 0.0
    assert all(one >= next_one for one, next_one in pairwise(slower))


def test_quiet_begins_the_count_anew(lockout: Lockout) -> None:
    attack(lockout, 9)
    attack(lockout, 1, 1000.1)
    strain = lockout.strain(1000.1)
    assert (strain.seconds, strain.failures) == (0.0, 1)
    assert strain.fullness == pytest.approx(0.1)


def test_a_clock_set_back_leaves_nobody_waiting(lockout: Lockout) -> None:
    attack(lockout, 40, 10_000_000.0)
    assert lockout.delay("alice", HERE, 10_000_000.0 - 86_400) == 0.0
    assert lockout.delay("alice", HERE, 10_000_000.0 - 1000) == 8.0


def test_none_is_counted_where_it_is_off() -> None:
    lockout = Lockout(replace(RULES, service_failures=0))
    attack(lockout, 1000)
    assert lockout.strain(0.0) == CALM
    assert lockout.delay("alice", HERE, 0.0) == 0.0
    assert not lockout.end_delay(0.0)


def test_a_short_bound_holds_from_the_first_wait() -> None:
    lockout = Lockout(replace(RULES, service_delay_seconds=0.5))
    attack(lockout, 1000)
    assert lockout.delay("alice", HERE, 0.0) == 0.5


def test_an_operator_ends_it(lockout: Lockout) -> None:
    attack(lockout, 25)
    assert "25 failed sign-ins, from many" in lockout.strain(0.0).reason
    assert "waits 2 s" in lockout.strain(0.0).reason
    lockout.unlock(account="alice", now=0.0)
    lockout.unlock(block="10.0.0.1", now=0.0)
    assert lockout.delay("alice", HERE, 0.0) == 2.0
    assert lockout.end_delay(0.0)
    assert lockout.delay("alice", HERE, 0.0) == 0.0
    assert not lockout.end_delay(0.0)
    attack(lockout, 10)
    assert lockout.unlock(now=0.0) == []
    assert lockout.delay("alice", HERE, 0.0) == 0.0


def test_the_count_of_the_service_outlasts_a_full_table() -> None:
    lockout = Lockout(replace(RULES, max_blocks=3))
    attack(lockout, 40)
    assert lockout.delay("alice", HERE, 0.0) == 8.0


# Who waits, and where


class Slept:
    """Notes how long attempts wait; they do so until let go."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.go = asyncio.Event()
        self.go.set()

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        await self.go.wait()


@pytest.fixture
def slept() -> Slept:
    return Slept()


@pytest.fixture
def keeper(tmp_path: Path, clock: Clock, pool: HashingPool, slept: Slept) -> Gatekeeper:
    store = open_store(tmp_path / "accounts.db", clock)
    add_alice(store)
    keeper = local_gatekeeper(store, pool, clock=clock, rules=RULES)
    keeper._judge._waits = Waits(slept)
    return keeper


async def scram(keeper: Gatekeeper, password: str) -> Answer | object:
    client = scram_client("SCRAM-SHA-256", password=password)
    exchange = keeper.begin("SCRAM-SHA-256", CONTEXT)
    challenge = await exchange.step(client.get_client_first().encode())
    client.set_server_first(challenge.data.decode())  # type: ignore[union-attr]
    return await exchange.step(client.get_client_final().encode())


@pytest.mark.asyncio
async def test_wrong_password_unknown_user_and_junk_wait_alike(
    keeper: Gatekeeper, clock: Clock, slept: Slept
) -> None:
    attack(keeper.lockout, 10, clock.now)
    assert isinstance(await login(keeper, password="wrong"), Rejected)
    assert isinstance(await login(keeper, name="nobody@example.com"), Rejected)
    assert isinstance(await login(keeper, password="a\x07b"), Rejected)
    await scram(keeper, "wrong")
    assert slept.seconds == [1.0] * 4


@pytest.mark.asyncio
async def test_the_right_password_waits_once_and_is_known_from_then_on(
    keeper: Gatekeeper, clock: Clock, slept: Slept
) -> None:
    attack(keeper.lockout, 20, clock.now)
    assert isinstance(await login(keeper), Verified)
    assert slept.seconds == [2.0]
    clock.move(70.0)
    attack(keeper.lockout, 20, clock.now)
    assert isinstance(await login(keeper), Verified)
    await scram(keeper, PASSWORD)
    assert slept.seconds == [2.0]


@pytest.mark.asyncio
async def test_a_stranger_does_not_learn_at_once_what_is_remembered(
    keeper: Gatekeeper, clock: Clock, slept: Slept
) -> None:
    assert isinstance(await login(keeper), Verified)
    attack(keeper.lockout, 10, clock.now)
    stranger = replace(CONTEXT, client=ip_address("198.51.100.9"))
    slept.go.clear()
    async with asyncio.TaskGroup() as group:
        for _ in range(MAX_WAITING_OF_BLOCK):
            group.create_task(login(keeper, password="wrong", context=stranger))
        await asyncio.sleep(0.01)
        # Right or wrong: it is not judged, and so there is nothing to count.
        for password in (PASSWORD, "wrong"):
            answer = await login(keeper, password=password, context=stranger)
            assert isinstance(answer, Unavailable)
        slept.go.set()
    assert isinstance(await login(keeper), Verified)


@pytest.mark.asyncio
async def test_nobody_waits_while_all_is_calm(
    keeper: Gatekeeper, clock: Clock, slept: Slept
) -> None:
    attack(keeper.lockout, 9, clock.now)
    await login(keeper)
    assert slept.seconds == []


@pytest.mark.asyncio
@pytest.mark.parametrize("answer", [Rejected("no", ""), Rejected("no", "eve")])
async def test_what_is_shown_waits_after_its_answer(
    keeper: Gatekeeper, clock: Clock, slept: Slept, answer: Rejected
) -> None:
    attack(keeper.lockout, 10, clock.now)
    judge = keeper._judge
    told = await judge.shown(answer, "claimed", "EXTERNAL", CLIENT)
    assert isinstance(told, Rejected)
    assert slept.seconds == [1.0]
    away = Unavailable("away")
    assert await judge.shown(away, NAME, "EXTERNAL", CLIENT) is away
    assert slept.seconds == [1.0]


@pytest.mark.asyncio
async def test_who_finds_no_place_to_wait_is_told_not_now(
    keeper: Gatekeeper, clock: Clock, slept: Slept
) -> None:
    attack(keeper.lockout, 10, clock.now)
    slept.go.clear()
    async with asyncio.TaskGroup() as group:
        first = [
            group.create_task(login(keeper, password="wrong"))
            for _ in range(MAX_WAITING_OF_BLOCK)
        ]
        await asyncio.sleep(0.01)
        assert isinstance(await login(keeper), Unavailable)
        other = replace(CONTEXT, client=ip_address("198.51.100.9"))
        elsewhere = group.create_task(login(keeper, context=other))
        await asyncio.sleep(0.01)
        slept.go.set()
    assert {type(one.result()) for one in first} == {Rejected}
    assert isinstance(elsewhere.result(), Verified)
    assert keeper._judge._waits._waiting == {}


@pytest.mark.asyncio
async def test_waiting_places_are_bounded_and_given_back(slept: Slept) -> None:
    waits = Waits(slept)
    slept.go.clear()
    waiting = [asyncio.ensure_future(waits.wait(f"b{n}", 1.0)) for n in range(500)]
    assert len(waiting) == MAX_WAITING
    await asyncio.sleep(0.01)
    with pytest.raises(AuthUnavailableError):
        await waits.wait("another", 1.0)
    await waits.wait("another", 0.0)
    waiting[0].cancel()
    await asyncio.sleep(0.01)
    slept.go.set()
    await waits.wait("another", 1.0)
    await asyncio.gather(*waiting, return_exceptions=True)
    assert waits._waiting == {}
