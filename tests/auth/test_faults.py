"""A fault at any call to the outside is never a yes (AUTH-063)."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from pathlib import Path
from typing import Any, cast

import pytest

from auth.support import (
    CONTEXT,
    NAME,
    PASSWORD,
    Clock,
    login,
    plain,
    say,
    scram,
    scram_client,
)
from replacing import replace
from sekisho.auth.accounts import AccountStore
from sekisho.auth.authenticator import (
    Authenticator,
    AuthUnavailableError,
    Credential,
    ScramRecord,
)
from sekisho.auth.chain import Chain
from sekisho.auth.gatekeeper import Gatekeeper, GatekeeperOptions
from sekisho.auth.hashing import HashingPool
from sekisho.auth.local import LocalAuthenticator
from sekisho.auth.lockout import Lockout, LockoutRules
from sekisho.auth.scram import derive_keys
from sekisho.model.identity import (
    Answer,
    Identity,
    NotMine,
    Rejected,
    Unavailable,
    Verified,
)

SECRET = "hunter2 from the library"
Fault = Callable[[], Awaitable[object]]


class Odd:
    """An authenticator that does as it is told."""

    def __init__(self, fault: Fault, name: str = "odd") -> None:
        self.name = name
        self.fault = fault
        self.current: object = True
        self.asked = 0

    def credentials(self) -> frozenset[Credential]:
        return frozenset(Credential)

    async def verify_password(self, account: str, password: str) -> object:
        self.asked += 1
        return await self.fault()

    async def scram_record(self, account: str) -> object:
        self.asked += 1
        return await self.fault()

    async def verify_token(self, token: str, account: str) -> object:
        self.asked += 1
        return await self.fault()

    async def verify_certificate(self, certificate: bytes, account: str) -> object:
        self.asked += 1
        return await self.fault()

    async def pretend(self) -> None:
        await self.fault()

    def is_current(self, identity: Identity) -> object:
        if isinstance(self.current, Exception):
            raise self.current
        return self.current


def keeper_of(*authenticators: object, clock: Clock | None = None) -> Gatekeeper:
    return Gatekeeper(
        [cast("Authenticator", one) for one in authenticators],
        Lockout(LockoutRules()),
        clock=clock or Clock(),
        options=GatekeeperOptions(decoy_secret=b"s" * 32, step_seconds=0.05),
    )


def gives(value: object) -> Fault:
    async def give() -> object:
        return value

    return give


def throws(error: BaseException) -> Fault:
    async def throw() -> object:
        raise error

    return throw


async def hang() -> object:
    await asyncio.sleep(3600)
    return Verified(ALICE)


ALICE = Identity(NAME, "odd", "", 1)
YES = Verified(ALICE)


class TruthfulLie:
    """Says yes to whoever asks for a truth value or compares."""

    def __bool__(self) -> bool:
        return True

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 0


FAULTS: list[Fault] = [
    throws(RuntimeError(SECRET)),
    throws(TimeoutError()),
    throws(ConnectionResetError(SECRET)),
    throws(AuthUnavailableError("the directory is down")),
    throws(KeyError(SECRET)),
    throws(AssertionError()),
    throws(MemoryError()),
    hang,
    gives(None),
    gives(True),
    gives(1),
    gives("Verified"),
    gives(b""),
    gives({}),
    gives(ALICE),
    gives(Verified),
    gives(TruthfulLie()),
    gives(Verified(cast("Identity", None))),
    gives(Verified(cast("Identity", NAME))),
    gives(Verified(Identity(NAME, "another", "", 1))),
    gives(Unavailable("down")),
]


@pytest.mark.asyncio
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize(
    "mechanism",
    ["PLAIN", "LOGIN", "SCRAM-SHA-256", "OAUTHBEARER", "XOAUTH2", "EXTERNAL"],
)
async def test_a_fault_is_unavailable_and_ends_the_search(
    fault: Fault, mechanism: str
) -> None:
    odd = Odd(fault)
    later = Odd(gives(Verified(Identity(NAME, "later", "", 1))), "later")
    keeper = keeper_of(odd, later)
    responses = {
        "PLAIN": [plain()],
        "LOGIN": [NAME.encode(), PASSWORD.encode()],
        "SCRAM-SHA-256": [f"n,,n={NAME},r=abc".encode()],
        "OAUTHBEARER": [b"n,,\x01auth=Bearer abc\x01\x01"],
        "XOAUTH2": [f"user={NAME}\x01auth=Bearer abc\x01\x01".encode()],
        "EXTERNAL": [NAME.encode()],
    }[mechanism]
    context = replace(CONTEXT, certificate=b"shown")
    answer = await say(keeper, mechanism, responses, context)
    assert isinstance(answer, Unavailable)
    assert SECRET not in answer.reason
    assert odd.asked == 1
    assert later.asked == 0
    # It was nobody's failure, and nothing of it is remembered.
    assert keeper.lockout.locked(0.0) == []
    odd.fault = gives(NotMine())
    later.fault = gives(Rejected("wrong"))
    assert isinstance(await login(keeper), Rejected)


@pytest.mark.asyncio
@pytest.mark.parametrize("error", [asyncio.CancelledError(), KeyboardInterrupt()])
async def test_a_cancellation_goes_through_and_verifies_nobody(
    error: BaseException,
) -> None:
    exchange = keeper_of(Odd(throws(error))).begin("PLAIN", CONTEXT)
    with pytest.raises(type(error)):
        await exchange.step(plain())
    assert isinstance(await exchange.step(plain()), Rejected)


@pytest.mark.asyncio
async def test_the_chain_goes_on_only_after_not_mine() -> None:
    yes = Verified(Identity(NAME, "second", "", 1))
    for first, expected in (
        (NotMine(), Verified),
        (Rejected("wrong"), Rejected),
        (Unavailable("down"), Unavailable),
    ):
        second = Odd(gives(yes), "second")
        answer = await login(keeper_of(Odd(gives(first)), second))
        assert isinstance(answer, expected)
        assert second.asked == (1 if expected is Verified else 0)


@pytest.mark.asyncio
async def test_nobodys_account_is_rejected() -> None:
    keeper = keeper_of(Odd(gives(NotMine())), Odd(gives(NotMine()), "second"))
    assert await login(keeper) == Rejected(
        "nobody knows the account, or can verify it so", NAME
    )


@pytest.mark.asyncio
@pytest.mark.parametrize("current", [False, None, 1, "yes", RuntimeError()])
async def test_a_yes_counts_only_while_the_identity_is_current(
    current: object,
) -> None:
    odd = Odd(gives(YES))
    keeper = keeper_of(odd)
    answer = await login(keeper)
    assert isinstance(answer, Verified)
    odd.current = current
    odd.fault = gives(Rejected("wrong"))
    assert not keeper.is_current(answer.identity)
    assert isinstance(await login(keeper), Rejected)
    odd.fault = gives(YES)
    assert isinstance(await login(keeper), Rejected)
    odd.fault = gives(ScramRecord(derive_keys(PASSWORD, b"s" * 16, 4096), ALICE))
    client = scram_client("SCRAM-SHA-256")
    answer = await scram(keeper.begin("SCRAM-SHA-256", CONTEXT), client)
    assert isinstance(answer, Rejected)


def test_an_identity_of_nobody_here_is_not_current() -> None:
    keeper = keeper_of(Odd(gives(YES)))
    assert keeper.is_current(ALICE)
    assert not keeper.is_current(Identity(NAME, "gone", "", 1))


@pytest.mark.asyncio
async def test_a_pretence_that_fails_is_unavailable() -> None:
    keeper = keeper_of(Odd(throws(OSError(SECRET))))
    answer = await login(keeper, password="x" * 2000)
    assert answer == Unavailable("OSError while checking")
    answer = await login(keeper_of(Odd(hang)), password="x" * 2000)
    assert answer == Unavailable("it took too long to find out")


@pytest.mark.asyncio
async def test_a_clock_that_fails_is_unavailable() -> None:
    class Broken(Clock):
        def __call__(self) -> float:
            raise OSError(SECRET)

    assert isinstance(
        await login(keeper_of(Odd(gives(YES)), clock=Broken())), Unavailable
    )


def test_proven_decoys_are_nobodys() -> None:
    keeper = keeper_of(Odd(gives(YES)))
    owner = Rejected("nobody knows the account, or can verify it so", "nobody")
    assert keeper._judge.proof(owner, "SCRAM-SHA-256", CONTEXT.client) == owner


def test_an_authenticator_that_cannot_say_what_it_can_offers_nothing() -> None:
    class Mute(Odd):
        def credentials(self) -> frozenset[Credential]:
            raise RuntimeError(SECRET)

    assert keeper_of(Odd(gives(YES)), Mute(gives(YES), "mute")).mechanisms() == ()


def test_a_chain_of_none_or_of_twins_is_refused() -> None:
    one = cast("Authenticator", Odd(gives(YES)))
    for wrong in ([], [one, one]):
        with pytest.raises(ValueError, match="own name"):
            Chain(wrong)


# The local authenticator's outside: the file, the pool, argon2


def raising(error: Exception) -> Callable[..., Any]:
    def throw(*_args: object, **_kwargs: object) -> object:
        raise error

    return throw


async def everything(keeper: Gatekeeper) -> list[Any]:
    """Log in by each way."""
    client = scram_client("SCRAM-SHA-256")
    return [
        await login(keeper),
        await login(keeper, "nobody"),
        await say(keeper, "LOGIN", [NAME.encode(), PASSWORD.encode()]),
        await scram(keeper.begin("SCRAM-SHA-256", CONTEXT), client),
    ]


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "where", ["_reader.rows", "_reader.value", "find", "hasher.check", "is_current"]
)
async def test_a_fault_in_the_store_verifies_nobody(
    keeper: Gatekeeper,
    store: AccountStore,
    monkeypatch: pytest.MonkeyPatch,
    where: str,
) -> None:
    *path, last = where.split(".")
    owner: object = store
    for part in path:
        owner = getattr(owner, part)
    store._view._data_version = store._view._generation = -1
    monkeypatch.setattr(owner, last, raising(OSError(SECRET)))
    answers: list[Answer] = await everything(keeper)
    by_scram = answers.pop()
    for answer in answers:
        assert isinstance(answer, Rejected | Unavailable)
        assert SECRET not in answer.reason
    if where != "hasher.check":  # SCRAM needs no hash
        assert isinstance(by_scram, Rejected | Unavailable)


@pytest.mark.asyncio
@pytest.mark.parametrize("value", [True, None, "RIGHT", 1])
async def test_a_check_of_another_type_verifies_nobody(
    keeper: Gatekeeper,
    store: AccountStore,
    monkeypatch: pytest.MonkeyPatch,
    value: object,
) -> None:
    def check(_hash: str, _password: str) -> object:
        return value

    monkeypatch.setattr(store.hasher, "check", check)
    assert isinstance(await login(keeper), Unavailable)


@pytest.mark.asyncio
async def test_a_closed_file_is_unavailable(
    keeper: Gatekeeper, store: AccountStore
) -> None:
    store.close()
    assert keeper.mechanisms() == ()
    for answer in await everything(keeper):
        assert isinstance(answer, Rejected | Unavailable)


@pytest.mark.asyncio
async def test_a_damaged_file_is_unavailable(
    keeper: Gatekeeper, path: Path, store: AccountStore
) -> None:
    store._view._data_version = store._view._generation = -1
    for file in (path, path.with_name(path.name + "-wal")):
        file.write_bytes(b"damage" * 10000)
    for answer in await everything(keeper):
        assert isinstance(answer, Rejected | Unavailable)


@pytest.mark.asyncio
async def test_an_account_disabled_while_it_is_hashed_is_rejected(
    keeper: Gatekeeper, store: AccountStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    check = store.hasher.check

    def slowly(password_hash: str, password: str) -> object:
        store.disable(NAME)
        return check(password_hash, password)

    monkeypatch.setattr(store.hasher, "check", slowly)
    answer = await login(keeper)
    assert isinstance(answer, Rejected)
    assert "changed" in answer.reason


@pytest.mark.asyncio
async def test_a_full_pool_is_unavailable_and_gets_free_again(
    store: AccountStore, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = HashingPool(threads=1, waiting=2, gives_way=False)
    keeper = keeper_of(LocalAuthenticator(store, pool, clock=clock), clock=clock)
    gate = threading.Event()
    check = store.hasher.check

    def blocked(password_hash: str, password: str) -> object:
        gate.wait(5)
        return check(password_hash, password)

    monkeypatch.setattr(store.hasher, "check", blocked)
    clients = [replace(CONTEXT, client=ip_address(f"192.0.2.{n}")) for n in range(1, 5)]
    stuck = await asyncio.gather(
        *(login(keeper, context=context) for context in clients[:3]),
        login(keeper, password="x" * 2000, context=clients[3]),
    )
    assert all(isinstance(answer, Unavailable) for answer in stuck)
    assert str(stuck).count("too many passwords") == 2
    # The hung one still holds its place; the one that waited gave it back.
    assert pool._strangers._under_way == 1
    gate.set()
    for _ in range(100):
        await asyncio.sleep(0 if pool._strangers._under_way < 1 else 0.01)
    assert isinstance(await login(keeper), Verified)
    pool.close()
    clock.move(61)
    assert isinstance(await login(keeper), Unavailable)


@pytest.mark.asyncio
async def test_hashing_does_not_stop_the_loop(keeper: Gatekeeper) -> None:
    seen: list[str] = []

    async def tick() -> None:
        await asyncio.sleep(0)
        seen.append("tick")

    await asyncio.gather(login(keeper), tick())
    assert seen == ["tick"]
