"""To the second: how long failures count, and how long a lock holds."""

from ipaddress import ip_address

from sekisho.auth.lockout import FREE, Locked, Lockout, LockoutRules

HERE = ip_address("192.0.2.1")
RULES = LockoutRules(
    pair_failures=2,
    block_failures=1000,
    first_seconds=60,
    longest_seconds=600,
    forget_seconds=1000,
    service_failures=0,
)


def test_a_failure_counts_until_it_is_forgotten() -> None:
    for waited, is_locked in ((1000.0, True), (1001.0, False)):
        lockout = Lockout(RULES)
        lockout.failed("alice", HERE, 0.0)
        lockout.failed("alice", HERE, waited)
        standing = lockout.standing("alice", HERE, waited)
        assert isinstance(standing, Locked) == is_locked


def test_a_forgotten_failure_is_the_first_of_none() -> None:
    lockout = Lockout(RULES)
    for now in (0.0, 1001.0, 2002.1, 3003.2):
        lockout.failed("alice", HERE, now)
        assert lockout.standing("alice", HERE, now) == FREE


def test_a_lock_holds_to_its_end_and_no_longer() -> None:
    lockout = Lockout(RULES)
    for _ in range(2):
        lockout.failed("alice", HERE, 0.0)
    assert isinstance(lockout.standing("alice", HERE, 59.9), Locked)
    assert lockout.standing("alice", HERE, 60.0) == FREE
    lockout.failed("alice", HERE, 60.0)
    assert isinstance(lockout.standing("alice", HERE, 179.9), Locked)
    assert lockout.standing("alice", HERE, 180.0) == FREE


def test_a_clock_that_was_set_far_back_locks_nobody_for_ever() -> None:
    lockout = Lockout(RULES)
    for _ in range(2):
        lockout.failed("alice", HERE, 10_000.0)
    back = 10_060.0 - 2 * RULES.longest_seconds
    assert isinstance(lockout.standing("alice", HERE, back), Locked)
    assert lockout.standing("alice", HERE, back - 1) == FREE
