"""Accounts are kept, changed and seen at once by everybody."""

import stat
from pathlib import Path
from typing import Any

import apsw
import pytest

from auth.support import NAME, PASSWORD, QUICK, Clock, add_alice, open_store
from sekisho.auth import accounts_file
from sekisho.auth.account import (
    Account,
    AccountError,
    account_password,
    random_password,
)
from sekisho.auth.accounts import AccountStore, NewAccount
from sekisho.auth.hashing import PasswordCheck, is_hash
from sekisho.auth.lockout import KNOWN_SECONDS, Success
from sekisho.auth.scram import DEFAULT_ITERATIONS, MIN_ITERATIONS, derive_keys
from sekisho.model.address import parse_address, parse_pattern
from sekisho.model.identity import Identity, NotMine


def raw(path: Path) -> Any:
    """SQLite without us; Any, as apsw's stubs are not for Python 3.11."""
    return apsw.Connection(str(path))


def found(store: AccountStore, name: str = NAME) -> Account:
    account = store.find(name)
    assert isinstance(account, Account)
    return account


def identity(account: Account) -> Identity:
    return Identity(account.name, "local", "PLAIN", account.generation)


def test_a_name_that_is_an_address_is_its_first_address(store: AccountStore) -> None:
    store.add(NewAccount("Bob@Example.com", PASSWORD, ["*@b.example", "bob@x.example"]))
    bob = found(store, "bob@example.com")
    assert list(map(str, bob.addresses)) == [
        "bob@example.com",
        "*@b.example",
        "bob@x.example",
    ]
    assert store.set_addresses(bob.name, []).addresses == (
        parse_pattern("bob@example.com"),
    )


def test_a_star_in_a_name_is_no_pattern(store: AccountStore) -> None:
    store.add(NewAccount("*@example.com", PASSWORD, ["bob@x.example"]))
    star = found(store, "*@example.com")
    assert list(map(str, star.addresses)) == ["bob@x.example"]


def test_a_name_that_is_none_has_the_addresses_given(store: AccountStore) -> None:
    store.add(NewAccount("printer", PASSWORD, ["scan@例え.jp"], ["Fleet"]))
    printer = found(store, "printer")
    assert printer.addresses[0].matches(parse_address("scan@xn--r8jz45g.jp"))
    assert printer.groups == {"fleet"}
    assert store.set_groups("printer", ["a", "b"]).groups == {"a", "b"}


def test_a_hash_is_argon2id_and_the_keys_have_enough_rounds(
    store: AccountStore,
) -> None:
    alice = found(store)
    assert is_hash(alice.password_hash)
    assert QUICK.check(alice.password_hash, PASSWORD) is PasswordCheck.RIGHT
    assert alice.scram is not None
    assert alice.scram.iterations == DEFAULT_ITERATIONS >= MIN_ITERATIONS
    assert "argon2" not in repr(alice)
    assert PASSWORD not in repr(NewAccount(NAME, PASSWORD))


def test_scram_keys_can_be_left_out_and_thrown_away(store: AccountStore) -> None:
    assert store.all_have_scram()[0]
    store.drop_scram(NAME)
    assert found(store).scram is None
    assert not store.all_have_scram()[0]
    store.set_password(NAME, "another password")
    assert store.all_have_scram()[0]
    store.set_password(NAME, "another password", scram=False)
    assert not store.all_have_scram()[0]
    store.disable(NAME)
    assert store.all_have_scram()[0]
    store.enable(NAME)
    assert not store.all_have_scram()[0]
    store.remove(NAME)
    assert store.all_have_scram()[0]
    store.add(NewAccount("bob", PASSWORD, scram=False))
    assert not store.all_have_scram()[0]


def test_each_change_is_a_new_generation(store: AccountStore, clock: Clock) -> None:
    seen = {found(store).generation}
    created = found(store).created_at
    changes = [
        lambda: store.disable(NAME),
        lambda: store.enable(NAME),
        lambda: store.set_password(NAME, "another password"),
        lambda: store.set_addresses(NAME, ["*@example.com"]),
        lambda: store.set_groups(NAME, ["staff"]),
        lambda: store.drop_scram(NAME),
    ]
    for n, change in enumerate(changes, start=2):
        clock.move(1)
        account = change()
        seen.add(account.generation)
        assert len(seen) == n
        assert account == found(store)
        assert (account.created_at, account.changed_at) == (created, clock.now)


def test_an_account_added_again_never_has_an_old_generation(
    store: AccountStore,
) -> None:
    old = identity(found(store))
    store.remove(NAME)
    assert store.find(NAME) == NotMine()
    assert not store.is_current(old)
    add_alice(store)
    assert found(store).generation > old.generation
    assert not store.is_current(old)
    assert store.is_current(identity(found(store)))


@pytest.mark.parametrize("change", ["disable", "remove", "set_password"])
def test_a_change_by_another_handle_is_seen_at_once(
    store: AccountStore, path: Path, clock: Clock, change: str
) -> None:
    other = open_store(path, clock)
    was = identity(found(store))
    assert store.is_current(was)
    match change:
        case "disable":
            other.disable(NAME)
        case "remove":
            other.remove(NAME)
        case _:
            other.set_password(NAME, "another password")
    assert not store.is_current(was)
    add_alice(other, name="bob")
    assert isinstance(store.find("bob"), Account)
    other.close()


def test_a_disabled_account_is_not_current(store: AccountStore) -> None:
    disabled = store.disable(NAME)
    assert not disabled.enabled
    assert not store.is_current(identity(disabled))


def test_listing(store: AccountStore) -> None:
    add_alice(store, name="aaron")
    assert [account.name for account in store.list()] == ["aaron", NAME]
    assert store.get("ALICE@example.com") == found(store)


def test_accounts_are_added_all_or_none(store: AccountStore) -> None:
    with pytest.raises(AccountError, match="already"):
        store.add_all([NewAccount("bob", PASSWORD), NewAccount(NAME, PASSWORD)])
    assert store.find("bob") == NotMine()
    add_alice(store, name="bob")


@pytest.mark.parametrize(
    ("new", "wrong"),
    [
        (NewAccount("", PASSWORD), "name"),
        (NewAccount("al ice", PASSWORD), "name"),
        (NewAccount("alice@", PASSWORD), "address"),
        (NewAccount("bob", PASSWORD, ["*bob@example.com"]), "address"),
        (NewAccount("bob", PASSWORD, [f"a{n}@b.jp" for n in range(1001)]), "1000"),
        (NewAccount("bob", PASSWORD, [], [""]), "group"),
        (NewAccount("bob", PASSWORD, [], [f"g{n}" for n in range(101)]), "100"),
        (NewAccount("bob", "sevenlt"), "8 characters"),
        (NewAccount("bob", ""), "password"),
        (NewAccount("bob", "x" * 1025), "1024"),
        (NewAccount("bob", "pass\nword"), "password"),
        (NewAccount("bobolink", "BOBOLINK"), "name"),
        (NewAccount("bobolink@example.com", "bobolink"), "name"),
    ],
)
def test_wrong_accounts_are_refused_in_words(
    store: AccountStore, new: NewAccount, wrong: str
) -> None:
    with pytest.raises(AccountError, match=wrong) as error:
        store.add(new)
    assert not new.password or new.password not in str(error.value)
    assert len(store.list()) == 1


def test_changing_what_is_not_there_is_refused(store: AccountStore) -> None:
    for change in (store.enable, store.disable, store.remove, store.get):
        with pytest.raises(AccountError, match="no account 'bob'"):
            change("bob")


def test_random_passwords_keep_the_rules_and_differ(store: AccountStore) -> None:
    passwords = {random_password() for _ in range(50)}
    assert len(passwords) == 50
    assert all(len(password) == 29 for password in passwords)
    store.set_password(NAME, passwords.pop())


def test_successes_are_kept_bounded_and_change_no_generation(
    store: AccountStore, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sekisho.auth.accounts.MAX_KNOWN_PAIRS", 3)
    before = found(store).generation
    now = clock.now
    store.keep_successes(
        [Success(NAME, f"192.0.2.{n}", now - 100 + n) for n in range(10)]
        + [Success("nobody", "192.0.2.1", now)]
        + [Success(NAME, "192.0.2.9", now - KNOWN_SECONDS)]
    )
    assert [one.block for one in store.successes()] == [
        "192.0.2.7",
        "192.0.2.8",
        "192.0.2.9",
    ]
    assert store.get(NAME).last_success == now - 91
    assert found(store).generation == before
    clock.move(KNOWN_SECONDS)
    assert store.successes() == ()
    store.keep_successes([])
    assert store.get(NAME).last_success == 0
    store.keep_successes([Success(NAME, "192.0.2.1", clock.now)])
    store.remove(NAME)
    add_alice(store)
    assert store.successes() == ()


def test_nobody_else_can_read_the_files(path: Path, clock: Clock) -> None:
    path.touch(mode=0o644)
    store = open_store(path, clock)
    add_alice(store)
    files = list(path.parent.iterdir())
    assert len(files) == 3
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    store.close()


def test_accounts_outlive_the_process(path: Path, clock: Clock) -> None:
    first = open_store(path, clock)
    add_alice(first)
    secret = first.decoy_secret
    alice = found(first)
    first.close()
    second = open_store(path, clock)
    assert found(second) == alice
    assert second.decoy_secret == secret
    assert len(secret) == 32
    second.close()


def test_a_newer_file_is_refused_and_left_alone(path: Path, clock: Clock) -> None:
    open_store(path, clock).close()
    connection = raw(path)
    connection.pragma("user_version", 99)
    connection.close()
    with pytest.raises(AccountError, match="newer Sekisho") as error:
        open_store(path, clock)
    assert error.value.hint


def test_an_older_file_is_migrated_whole_or_not_at_all(
    path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(path, clock)
    add_alice(store)
    store.close()
    now = accounts_file.MIGRATIONS
    half = "CREATE TABLE more (x) STRICT; INSERT INTO missing VALUES (1)"
    monkeypatch.setattr(accounts_file, "MIGRATIONS", (*now, half))
    with pytest.raises(AccountError, match="cannot be used"):
        open_store(path, clock)
    monkeypatch.setattr(
        accounts_file, "MIGRATIONS", (*now, "CREATE TABLE more (x TEXT) STRICT")
    )
    store = open_store(path, clock)
    assert found(store).name == NAME
    store.close()
    monkeypatch.setattr(accounts_file, "MIGRATIONS", now)
    with pytest.raises(AccountError, match="newer"):
        open_store(path, clock)


def test_other_files_are_refused(tmp_path: Path, clock: Clock) -> None:
    (tmp_path / "text").write_bytes(b"alice:secret\n" * 1000)
    raw(tmp_path / "other").execute("CREATE TABLE t (x)")
    for name in ("text", "other", "missing/accounts.db"):
        with pytest.raises(AccountError):
            open_store(tmp_path / name, clock)


def test_a_write_that_fails_changes_nothing(store: AccountStore, path: Path) -> None:
    other = raw(path)
    other.execute("BEGIN IMMEDIATE")
    store._writer._connection.set_busy_timeout(1)
    with pytest.raises(AccountError, match="could not be written"):
        store.disable(NAME)
    other.execute("ROLLBACK")
    assert found(store).enabled
    assert not store.disable(NAME).enabled


def test_a_closed_store_verifies_nobody(path: Path, clock: Clock) -> None:
    store = open_store(path, clock)
    add_alice(store)
    was = identity(found(store))
    store.close()
    with pytest.raises(apsw.Error):
        store.is_current(was)


RIGHT = PasswordCheck.RIGHT
WEAK = ("short", NAME, "Alice", "password123", "1234567890")


@pytest.mark.parametrize("password", WEAK)
def test_a_weak_password_is_set_at_an_operators_word_alone(
    store: AccountStore, password: str
) -> None:
    for refused in (
        lambda: store.set_password(NAME, password),
        lambda: store.set_password(NAME, password, weak=False),
        lambda: store.add(NewAccount(NAME.replace("example", "x"), password)),
    )[: 2 if password == NAME else 3]:
        with pytest.raises(AccountError):
            refused()
    assert store.hasher.check(found(store).password_hash, PASSWORD) is RIGHT
    store.set_password(NAME, password, weak=True)
    assert store.hasher.check(found(store).password_hash, password) is RIGHT


def test_a_new_account_has_a_weak_password_at_an_operators_word(
    store: AccountStore,
) -> None:
    store.add(NewAccount("bob", "short", scram=False, weak=True))
    kept = found(store, "bob").password_hash
    assert store.hasher.check(kept, "short") is RIGHT


@pytest.mark.parametrize("password", WEAK)
def test_the_rules_hold_unless_somebody_says_otherwise(password: str) -> None:
    with pytest.raises(AccountError):
        account_password(NAME, password)
    assert account_password(NAME, password, weak=True) == password


def test_without_scram_keys_there_are_none(store: AccountStore) -> None:
    store.set_password(NAME, "another password", scram=False)
    assert found(store).scram is None
    store.add(NewAccount("bob", PASSWORD, scram=False))
    assert found(store, "bob").scram is None


def test_keys_for_sha_1_are_kept_where_they_are_asked_for(store: AccountStore) -> None:
    for asked in (store.keeps_sha_1, True):
        store.keeps_sha_1 = asked
        store.set_password(NAME, "another password")
        assert (found(store).scram_sha_1 is not None) == asked


def test_a_hash_made_anew_is_of_the_password_that_was_shown(
    store: AccountStore,
) -> None:
    before = found(store)
    store.renew(before, "as it was shown")
    after = found(store)
    assert store.hasher.check(after.password_hash, "as it was shown") is RIGHT
    assert store.hasher.check(after.password_hash, PASSWORD) is PasswordCheck.WRONG
    assert after.scram is not None
    assert before.scram is not None
    salt, rounds = after.scram.salt, after.scram.iterations
    assert derive_keys("as it was shown", salt, rounds) == after.scram
