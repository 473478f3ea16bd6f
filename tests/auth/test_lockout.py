"""Guessing is stopped; nobody can lock somebody else out (AUTH-065)."""

from ipaddress import ip_address, ip_network
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.auth.lockout import (
    FREE,
    KNOWN_SECONDS,
    Free,
    Locked,
    Lockout,
    LockoutRules,
    Success,
    block_of,
)
from sekisho.model.rules import IPAddress
from sekisho.shared.failures import MemoryFailures, SharedFailures
from sekisho.shared.store import SharedStore

HERE = ip_address("192.0.2.1")
THERE = ip_address("198.51.100.1")
GATEWAY = ip_address("172.17.0.1")
RULES = LockoutRules(
    pair_failures=3,
    block_failures=5,
    first_seconds=60,
    longest_seconds=600,
    forget_seconds=1000,
    max_pairs=10,
    max_blocks=4,
    service_failures=0,
)


@pytest.fixture(params=["in memory", "shared"], autouse=True)
def form(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every test here holds for both forms of the table."""
    if request.param == "in memory":
        return
    numbers = count()

    def table(max_pairs: int, max_blocks: int) -> SharedFailures:
        store, _ = SharedStore.create(tmp_path / f"{next(numbers)}.db")
        request.addfinalizer(store.close)
        return SharedFailures(store, max_pairs, max_blocks)

    monkeypatch.setattr("sekisho.auth.lockout.MemoryFailures", table)


def failing(lockout: Lockout, account: str, client: IPAddress, times: int) -> None:
    for _ in range(times):
        lockout.failed(account, client, 0.0)


def test_a_pair_is_locked_after_its_failures_and_not_before() -> None:
    lockout = Lockout(RULES)
    failing(lockout, "alice", HERE, 2)
    assert lockout.standing("alice", HERE, 0.0) == FREE
    failing(lockout, "alice", HERE, 1)
    locked = Locked("alice", "192.0.2.1", 60.0, 3)
    assert lockout.standing("alice", HERE, 59.9) == locked
    assert "alice" in locked.reason
    assert lockout.standing("alice", HERE, 60.0) == FREE


def test_each_next_lock_is_twice_as_long_up_to_a_bound() -> None:
    lockout = Lockout(RULES)
    failing(lockout, "alice", HERE, 2)
    now, lengths = 0.0, list[float]()
    for _ in range(6):
        lockout.failed("alice", HERE, now)
        standing = lockout.standing("alice", HERE, now)
        assert isinstance(standing, Locked)
        lengths.append(standing.until - now)
        now = standing.until
    assert lengths == [60, 120, 240, 480, 600, 600]


def test_a_thousand_failures_do_not_overflow() -> None:
    lockout = Lockout(RULES)
    failing(lockout, "alice", HERE, 5000)
    assert lockout.standing("alice", HERE, 600.0) == FREE


def test_quiet_forgets() -> None:
    lockout = Lockout(RULES)
    failing(lockout, "alice", HERE, 2)
    lockout.failed("alice", HERE, 1000.1)
    assert lockout.standing("alice", HERE, 1000.1) == FREE


def test_failures_from_elsewhere_lock_nobody_here() -> None:
    lockout = Lockout(RULES)
    for last in range(1, 255):
        failing(lockout, "alice", ip_address(f"203.0.113.{last}"), 50)
    assert lockout.standing("alice", HERE, 0.0) == FREE


def test_a_block_is_locked_for_accounts_it_never_succeeded_with() -> None:
    lockout = Lockout(RULES)
    lockout.succeeded("alice", HERE, -KNOWN_SECONDS + 1)
    for n in range(5):
        lockout.failed(f"guess{n}", HERE, 0.0)
    locked = lockout.standing("bob", HERE, 0.0)
    assert isinstance(locked, Locked)
    assert locked.account == ""
    assert "clients at 192.0.2.1" in locked.reason
    assert lockout.standing("alice", HERE, 0.0) == FREE
    assert lockout.standing("bob", THERE, 0.0) == FREE


def test_a_success_is_forgotten_after_30_days() -> None:
    lockout = Lockout(RULES, known=[Success("alice", "192.0.2.1", -KNOWN_SECONDS)])
    failing(lockout, "", HERE, 5)
    assert isinstance(lockout.standing("alice", HERE, 0.0), Locked)


def test_stored_successes_are_known_again() -> None:
    before = Lockout(RULES)
    before.succeeded("alice", HERE, 1.0)
    before.succeeded("alice", HERE, 2.0)
    stored = before.unsaved()
    assert stored == [Success("alice", "192.0.2.1", 2.0)]
    assert before.unsaved() == []
    after = Lockout(RULES, known=stored)
    failing(after, "", HERE, 5)
    assert after.standing("alice", HERE, 0.0) == FREE
    assert after.unsaved() == []


def test_a_success_clears_the_pair_but_not_the_block() -> None:
    lockout = Lockout(RULES)
    failing(lockout, "alice", HERE, 2)
    lockout.succeeded("alice", HERE, 0.0)
    failing(lockout, "alice", HERE, 2)
    assert lockout.standing("alice", HERE, 0.0) == FREE
    lockout.failed("bob", HERE, 0.0)
    assert isinstance(lockout.standing("carol", HERE, 0.0), Locked)


@pytest.mark.parametrize("client", ["172.17.0.1", "::ffff:172.17.0.1"])
def test_a_default_gateway_is_never_locked(client: str) -> None:
    lockout = Lockout(RULES, exempt=[GATEWAY])
    failing(lockout, "alice", ip_address(client), 100)
    assert lockout.standing("alice", GATEWAY, 0.0) == FREE
    assert lockout.locked(0.0) == []


@pytest.mark.parametrize(
    ("client", "block"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:0:1:2:3:4:5", "2001:db8:0:1::/64"),
        ("2001:db8:0:1:ffff::", "2001:db8:0:1::/64"),
        ("::1", "::/64"),
    ],
)
def test_blocks_are_what_one_client_can_have(client: str, block: str) -> None:
    assert block_of(ip_address(client)) == block


def test_an_operator_lifts_locks_by_account_or_block_or_all() -> None:
    def lock() -> Lockout:
        lockout = Lockout(RULES)
        failing(lockout, "alice", HERE, 3)
        failing(lockout, "bob", THERE, 5)
        return lockout

    alice = Locked("alice", "192.0.2.1", 60.0, 3)
    assert lock().unlock(account="alice", now=0.0) == [alice]
    assert lock().unlock(block="192.0.2.1", now=0.0) == [alice]
    assert lock().unlock(account="carol", now=0.0) == []
    lockout = lock()
    assert {lifted.account for lifted in lockout.unlock(now=0.0)} == {
        "alice",
        "bob",
        "",
    }
    assert lockout.locked(0.0) == []
    assert lockout.standing("bob", THERE, 0.0) == FREE


def test_tables_are_bounded_and_the_oldest_goes_first() -> None:
    lockout = Lockout(RULES)
    for n in range(1, 8):
        failing(lockout, "alice", ip_address(f"203.0.113.{n}"), 5)
    assert {lock.block for lock in lockout.locked(0.0) if not lock.account} == {
        f"203.0.113.{n}" for n in (4, 5, 6, 7)
    }
    for n in range(1, 200):
        lockout.failed(f"guess{n}", HERE, 0.0)
    table = lockout._table
    assert isinstance(table, MemoryFailures | SharedFailures)
    assert table.sizes() == (10, 4)


def test_known_pairs_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sekisho.auth.lockout.MAX_KNOWN_PAIRS", 3)
    lockout = Lockout(RULES)
    for n in range(10):
        lockout.succeeded(f"user{n}", HERE, float(n))
    assert [one.account for one in lockout.unsaved()] == ["user7", "user8", "user9"]


_ACCOUNTS = st.sampled_from(["alice", "bob", ""])
_CLIENTS = st.sampled_from(list(ip_network("192.0.2.0/29")))


@given(st.lists(st.tuples(_ACCOUNTS, _CLIENTS, st.floats(0, 1e5))))
def test_no_failures_elsewhere_ever_stop_a_client(
    failures: list[tuple[str, IPAddress, float]],
) -> None:
    lockout = Lockout(RULES)
    for account, client, now in failures:
        lockout.failed(account, client, now)
    for now in (0.0, 1e5):
        assert isinstance(lockout.standing("alice", THERE, now), Free)


def test_a_clock_set_back_keeps_no_lock_for_days() -> None:
    lockout = Lockout(RULES)
    now = 10_000_000.0
    for _ in range(RULES.pair_failures):
        lockout.failed("alice", HERE, now)
    assert isinstance(lockout.standing("alice", HERE, now), Locked)
    # A little is borne, a day is not: the lock is another clock's.
    a_little = now - RULES.longest_seconds
    assert isinstance(lockout.standing("alice", HERE, a_little), Locked)
    yesterday = now - 86_400
    assert lockout.standing("alice", HERE, yesterday) is FREE
    assert lockout.locked(yesterday) == []
    # Failures count from then on as ever, and lock again at once.
    lockout.failed("alice", HERE, yesterday)
    assert isinstance(lockout.standing("alice", HERE, yesterday), Locked)


def test_nothing_is_counted_of_the_audit_of_the_service_while_it_lasts() -> None:
    lockout = Lockout(RULES, exempt=[GATEWAY])
    lockout.spare([HERE])
    failing(lockout, "alice", HERE, 20)
    assert lockout.exempts(HERE)
    assert lockout.exempts(GATEWAY)
    lockout.spare([])
    assert lockout.standing("alice", HERE, 0.0) == FREE
    assert not lockout.exempts(HERE)
    failing(lockout, "alice", HERE, 3)
    assert isinstance(lockout.standing("alice", HERE, 0.0), Locked)
