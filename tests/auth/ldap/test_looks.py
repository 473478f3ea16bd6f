"""What is remembered of accounts: bounded, by the clock, and never turned back."""

from auth.support import Clock
from sekisho.auth.ldap.entries import DirectoryAccount
from sekisho.auth.ldap.looks import IN_USE_SECONDS, Looks
from sekisho.model.identity import Identity


def seen(name: str, generation: int = 1, refusal: str = "") -> DirectoryAccount:
    return DirectoryAccount(name, f"uid={name}", (), frozenset(), refusal, generation)


def who(name: str, generation: int = 1) -> Identity:
    return Identity(name, "ldap", "", generation)


def test_a_look_counts_for_so_long_and_no_longer() -> None:
    clock = Clock()
    looks = Looks(60, clock)
    looks.keep(seen("ann"), "ann", clock.now)
    assert looks.is_current(who("ann"))
    assert not looks.is_current(who("ann", 2))
    assert not looks.is_current(who("bob"))
    clock.move(59.9)
    assert looks.is_current(who("ann"))
    clock.move(0.1)
    assert not looks.is_current(who("ann"))
    clock.move(-61)
    assert not looks.is_current(who("ann"))  # a look from the future is none


def test_an_older_look_does_not_undo_a_later_one() -> None:
    clock = Clock()
    looks = Looks(60, clock)
    early = clock.now
    clock.move(5)
    looks.keep(seen("ann", 2), "ann", clock.now)
    looks.again("ann", None, early)
    looks.keep(seen("ann", 1), "ann", early)
    assert looks.is_current(who("ann", 2))
    looks.again("ann", None, clock.now)
    assert not looks.is_current(who("ann", 2))
    looks.again("nobody", 1, clock.now)
    assert len(looks) == 1


def test_who_may_not_sign_in_is_not_current() -> None:
    clock = Clock()
    looks = Looks(60, clock)
    looks.keep(seen("ann", 1, "the account is disabled"), "ann", clock.now)
    assert not looks.is_current(who("ann"))


def test_the_memory_is_bounded_and_who_is_in_use_stays() -> None:
    clock = Clock()
    looks = Looks(60, clock, bound=3)
    for name in ("a", "b", "c"):
        looks.keep(seen(name), name, clock.now)
    assert looks.is_current(who("a"))
    looks.keep(seen("d"), "d", clock.now)
    assert len(looks) == 3
    assert [looks.is_current(who(name)) for name in "abcd"] == [True, False, True, True]


def test_whose_time_ends_is_due_and_who_is_gone_is_forgotten() -> None:
    clock = Clock()
    looks = Looks(60, clock)
    looks.keep(seen("ann"), "ann@own.test", clock.now)
    assert looks.due(30) == []
    clock.move(31)
    [(name, look)] = looks.due(30)
    assert (name, look.login, look.dn) == ("ann", "ann@own.test", "uid=ann")
    clock.move(IN_USE_SECONDS)
    assert looks.due(30) == []
    assert len(looks) == 0
