"""Only a right credential of a current account is ever verified."""

import asyncio
import threading
from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from auth.keepers import local_gatekeeper
from auth.ranks import ALPHA_Z, rank_z
from auth.support import (
    BINDING,
    CLIENT,
    CONTEXT,
    NAME,
    PASSWORD,
    Clock,
    add_alice,
    login,
    open_store,
    plain,
    say,
    scram,
    scram_client,
)
from replacing import replace
from sekisho.auth.accounts import AccountStore, NewAccount
from sekisho.auth.gatekeeper import Gatekeeper, GatekeeperOptions
from sekisho.auth.hashing import Hasher, HashingPool
from sekisho.auth.local import LocalAuthenticator
from sekisho.auth.lockout import Lockout, LockoutRules, Success
from sekisho.auth.mechanisms import MECHANISMS
from sekisho.auth.memory import SuccessMemory
from sekisho.auth.sasl import Challenge, Credential
from sekisho.model.identity import (
    NOBODY,
    Identity,
    Rejected,
    Unavailable,
    Verified,
)

ELSEWHERE = replace(CONTEXT, client=ip_address("198.51.100.9"))


def count_checks(monkeypatch: pytest.MonkeyPatch, store: AccountStore) -> list[str]:
    """Note which hash each check is about."""
    checks: list[str] = []
    check = store.hasher.check

    def noting(password_hash: str, password: str) -> object:
        checks.append("decoy" if password_hash == store.hasher.decoy else "account")
        return check(password_hash, password)

    monkeypatch.setattr(store.hasher, "check", noting)
    return checks


# Mechanisms


@pytest.mark.asyncio
async def test_mechanisms_are_those_that_all_accounts_have(
    keeper: Gatekeeper, store: AccountStore
) -> None:
    able = {Credential.PASSWORD, Credential.SCRAM_SHA_256}
    assert keeper.mechanisms() == tuple(
        one.name for one in MECHANISMS if one.credential in able
    )
    store.drop_scram(NAME)
    assert keeper.mechanisms() == ("PLAIN", "LOGIN")
    client = scram_client("SCRAM-SHA-256")
    answer = await scram(keeper.begin("SCRAM-SHA-256", CONTEXT), client)
    assert answer == Rejected("the mechanism is not offered")


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "mechanism",
    [
        "GSSAPI",
        "GSS-SPNEGO",
        "NTLM",
        "CRAM-MD5",
        "DIGEST-MD5",
        "SCRAM-SHA-1",
        "EXTERNAL",
        "ANONYMOUS",
        "OAUTHBEARER",
        "XOAUTH2",
        "OTP",
        "SKEY",
        "SRP",
        "KERBEROS_V4",
        "X-UNKNOWN",
        "plain",
    ],
)
@pytest.mark.parametrize("junk", [None, b"", b".", b"\0", b"test", plain()])
async def test_what_is_not_in_the_table_is_rejected(
    keeper: Gatekeeper, mechanism: str, junk: bytes | None
) -> None:
    assert isinstance(await say(keeper, mechanism, [junk] * 4), Rejected)


@pytest.mark.asyncio
@pytest.mark.parametrize("mechanism", [one.name for one in MECHANISMS])
@pytest.mark.parametrize(
    "junk", [None, b"", b".", b"\0", b"\0\0", b"=", b"*", b"\xff", b"x" * 12289]
)
async def test_junk_ends_in_a_refusal(
    keeper: Gatekeeper, mechanism: str, junk: bytes | None
) -> None:
    answer = await say(keeper, mechanism, [junk] * 4)
    assert isinstance(answer, Rejected)


# An exchange answers once


@pytest.mark.asyncio
async def test_after_the_answer_every_step_is_rejected(keeper: Gatekeeper) -> None:
    exchange = keeper.begin("PLAIN", CONTEXT)
    assert isinstance(await exchange.step(plain(password="wrong")), Rejected)
    assert await exchange.step(plain()) == Rejected("the exchange is over")
    exchange = keeper.begin("PLAIN", CONTEXT)
    assert isinstance(await exchange.step(plain()), Verified)
    assert await exchange.step(plain()) == Rejected("the exchange is over")


@pytest.mark.asyncio
async def test_a_second_step_during_the_first_is_rejected(keeper: Gatekeeper) -> None:
    exchange = keeper.begin("PLAIN", CONTEXT)
    answers = await asyncio.gather(exchange.step(plain()), exchange.step(plain()))
    assert isinstance(answers[0], Verified)
    assert answers[1] == Rejected("the exchange is over")


@pytest.mark.asyncio
async def test_a_cancelled_step_ends_the_exchange(keeper: Gatekeeper) -> None:
    exchange = keeper.begin("PLAIN", CONTEXT)
    step = asyncio.ensure_future(exchange.step(plain()))
    await asyncio.sleep(0)
    step.cancel()
    with pytest.raises(asyncio.CancelledError):
        await step
    assert await exchange.step(plain()) == Rejected("the exchange is over")


# Nothing is asked that need not be, and wrong ones are alike


@pytest.mark.asyncio
async def test_an_empty_password_asks_nobody(
    keeper: Gatekeeper, store: AccountStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks = count_checks(monkeypatch, store)
    for mechanism, responses in (
        ("PLAIN", [plain(password="")]),
        ("PLAIN", [plain("", "")]),
        ("LOGIN", [NAME.encode(), b""]),
        ("LOGIN", [NAME.encode(), None]),
        ("LOGIN", [b"", b"x"]),
    ):
        assert isinstance(await say(keeper, mechanism, responses), Rejected)
    assert checks == []


@pytest.mark.asyncio
async def test_every_refusal_costs_exactly_one_hash(
    keeper: Gatekeeper,
    store: AccountStore,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store.add(NewAccount("off", PASSWORD))
    store.disable("off")
    store.add(NewAccount("nohash", PASSWORD))
    for kept in ("", "!", "*"):
        checks = count_checks(monkeypatch, store)
        store._writer.run(
            "UPDATE account SET password_hash = ?, generation = generation + 10"
            " WHERE name = 'nohash'",
            (kept,),
        )
        store._writer.run("UPDATE file SET generation = generation + 10")
        for name, password, hashed in (
            (NAME, "wrong", "account"),
            (NAME, "x" * 1025, "decoy"),
            (NAME, "a\nb", "decoy"),
            ("a b", "wrong", "decoy"),
            ("nobody", PASSWORD, "decoy"),
            ("off", PASSWORD, "decoy"),
            ("nohash", PASSWORD, "decoy"),
            ("nohash", "!", "decoy"),
        ):
            answer = await login(keeper, name, password)
            assert isinstance(answer, Rejected)
            assert checks == [hashed], (name, password)
            checks.clear()
            keeper.lockout.unlock(now=clock.now)
        monkeypatch.undo()


@pytest.mark.asyncio
async def test_wrong_password_and_unknown_user_take_the_same_time(
    path: Path, pool: HashingPool, clock: Clock
) -> None:
    store = open_store(path, clock, Hasher(memory_kib=2048, passes=1))
    add_alice(store)
    never = LockoutRules(pair_failures=10**6, block_failures=10**6)
    keeper = local_gatekeeper(store, pool, clock=clock, rules=never)
    loop = asyncio.get_running_loop()

    async def time(name: str) -> float:
        begun = loop.time()
        assert isinstance(await login(keeper, name, "wrong password"), Rejected)
        return loop.time() - begun

    def differs(known: list[float], unknown: list[float]) -> bool:
        # p < 0.001 both ways, and more than the noise of a busy machine.
        medians = abs(sorted(known)[15] - sorted(unknown)[15])
        return abs(rank_z(known, unknown)) > ALPHA_Z and medians > 0.0005

    rounds = 0
    for _ in range(3):  # something else may run during one of them
        known, unknown = list[float](), list[float]()
        for n in range(30):
            known.append(await time(NAME))
            unknown.append(await time(f"nobody{n}@example.com"))
        rounds += differs(known, unknown)
    assert rounds < 3
    store.close()


# Successes are remembered for a short while


@pytest.mark.asyncio
async def test_a_success_is_remembered_for_60_seconds(
    keeper: Gatekeeper,
    store: AccountStore,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    checks = count_checks(monkeypatch, store)
    for _ in range(3):
        answer = await login(keeper)
        assert isinstance(answer, Verified)
    answer = await say(keeper, "LOGIN", [NAME.encode(), PASSWORD.encode()])
    assert isinstance(answer, Verified)
    assert answer.identity.mechanism == "LOGIN"
    assert len(checks) == 1
    assert isinstance(await login(keeper, password=PASSWORD + "x"), Rejected)
    clock.move(60)
    assert isinstance(await login(keeper), Verified)
    assert len(checks) == 3


@pytest.mark.asyncio
async def test_who_signed_in_from_there_before_waits_behind_no_guesser(
    keeper: Gatekeeper, pool: HashingPool, clock: Clock
) -> None:
    assert isinstance(await login(keeper), Verified)
    clock.move(61)
    gate = threading.Event()
    guess = asyncio.ensure_future(pool.run(gate.wait, 10))
    stranger = asyncio.ensure_future(login(keeper, context=ELSEWHERE))
    try:
        assert isinstance(await asyncio.wait_for(login(keeper), 5), Verified)
        assert not guess.done()
        assert not stranger.done()
    finally:
        gate.set()
    assert isinstance(await stranger, Verified)
    await guess


@pytest.mark.asyncio
@pytest.mark.parametrize("change", ["disable", "remove", "set_password"])
@pytest.mark.parametrize("elsewhere", [False, True])
async def test_a_change_ends_remembered_successes_and_identities_at_once(
    keeper: Gatekeeper,
    store: AccountStore,
    path: Path,
    clock: Clock,
    change: str,
    elsewhere: bool,
) -> None:
    answer = await login(keeper)
    assert isinstance(answer, Verified)
    assert keeper.is_current(answer.identity)
    other = open_store(path, clock) if elsewhere else store
    match change:
        case "disable":
            other.disable(NAME)
        case "remove":
            other.remove(NAME)
        case _:
            other.set_password(NAME, "another password")
    assert not keeper.is_current(answer.identity)
    assert isinstance(await login(keeper), Rejected)
    if elsewhere:
        other.close()


def test_memory_is_bounded_keyed_and_short() -> None:
    one = Identity("a", "local", "", 1)
    memory = SuccessMemory(b"k" * 32, 999, 2)
    for name in "abc":
        memory.keep(replace(one, account=name), name, "pw", 100.0)
    assert memory.find("local", "a", "pw", 100.0) == NOBODY
    assert memory.find("local", "b", "pw", 159.9) == replace(one, account="b")
    for miss in (("ldap", "c", "pw"), ("local", "c", "pw "), ("local", "cp", "w")):
        assert memory.find(*miss, 100.0) == NOBODY
    assert memory.find("local", "b", "pw", 160.0) == NOBODY
    assert memory.find("local", "b", "pw", 100.0) == NOBODY
    assert memory.find("local", "c", "pw", 99.0) == NOBODY  # the clock was set back
    digests = [
        SuccessMemory(key, 60, 2)._digest("local", "a", "pw")
        for key in (b"1" * 32, b"2" * 32)
    ]
    assert digests[0] != digests[1]


# Lockout


@pytest.mark.asyncio
async def test_a_locked_pair_is_refused_alike_with_the_right_password(
    keeper: Gatekeeper,
    store: AccountStore,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert isinstance(await login(keeper), Verified)
    for _ in range(5):
        assert isinstance(await login(keeper, password="wrong"), Rejected)
    checks = count_checks(monkeypatch, store)
    answer = await login(keeper)
    assert isinstance(answer, Rejected)
    assert "locked out after 5 failures" in answer.reason
    assert checks == ["decoy"]
    client = scram_client("SCRAM-SHA-256-PLUS", binding=BINDING)
    answer = await scram(keeper.begin("SCRAM-SHA-256-PLUS", CONTEXT), client)
    assert isinstance(answer, Rejected)
    assert "locked out" in answer.reason
    assert isinstance(await login(keeper, context=ELSEWHERE), Verified)
    for _ in range(20):
        assert isinstance(await login(keeper, password="wrong"), Rejected)
    clock.move(60)
    assert isinstance(await login(keeper), Verified)


@pytest.mark.asyncio
async def test_an_operator_lifts_a_lock(keeper: Gatekeeper, clock: Clock) -> None:
    for _ in range(5):
        await login(keeper, password="wrong")
    assert isinstance(await login(keeper), Rejected)
    assert len(keeper.lockout.unlock(account=NAME, now=clock.now)) == 1
    assert isinstance(await login(keeper), Verified)


@pytest.mark.asyncio
async def test_scram_failures_and_broken_exchanges_count_too(
    keeper: Gatekeeper, clock: Clock
) -> None:
    for _ in range(5):
        client = scram_client("SCRAM-SHA-256", password="wrong")
        await scram(keeper.begin("SCRAM-SHA-256", CONTEXT), client)
    assert [lock.account for lock in keeper.lockout.locked(clock.now)] == [NAME]
    for _ in range(15):
        await say(keeper, "PLAIN", [b"nonsense"])
    assert len(keeper.lockout.locked(clock.now)) == 2
    answer = await login(keeper, "somebody")
    assert isinstance(answer, Rejected)
    assert "clients at 192.0.2.7" in answer.reason


@pytest.mark.asyncio
async def test_successes_are_stored_once_a_minute_and_when_stopping(
    keeper: Gatekeeper, store: AccountStore, pool: HashingPool, clock: Clock
) -> None:
    await login(keeper)
    await asyncio.sleep(0.05)
    assert store.successes() == (Success(NAME, str(CLIENT), clock.now),)
    clock.move(10)
    await login(keeper)
    await login(keeper, context=ELSEWHERE)
    await asyncio.sleep(0.05)
    assert len(store.successes()) == 1
    await keeper.save_successes()
    await keeper.save_successes()
    assert len(store.successes()) == 2
    assert store.get(NAME).last_success == clock.now
    again = local_gatekeeper(store, pool, clock=clock)
    for n in range(20):
        await login(again, f"guess{n}")
    assert isinstance(await login(again), Verified)


@pytest.mark.asyncio
async def test_successes_that_cannot_be_stored_stop_nobody(
    store: AccountStore, pool: HashingPool, clock: Clock
) -> None:
    async def broken(_batch: Sequence[Success]) -> None:
        raise OSError("disk full")

    keeper = Gatekeeper(
        [LocalAuthenticator(store, pool, clock=clock)],
        Lockout(LockoutRules()),
        clock=clock,
        options=GatekeeperOptions(decoy_secret=b"s" * 32, keep_successes=broken),
    )
    assert isinstance(await login(keeper), Verified)
    await asyncio.sleep(0)
    await keeper.save_successes()


@pytest.mark.asyncio
async def test_a_hundred_guesses_at_once_are_no_more_than_one_after_the_other(
    keeper: Gatekeeper,
    store: AccountStore,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    checks = count_checks(monkeypatch, store)
    for guesses in (5, 1):
        checks.clear()
        answers = await asyncio.gather(
            *(login(keeper, password=f"guess {n}") for n in range(100))
        )
        assert all(isinstance(answer, Rejected) for answer in answers)
        assert checks.count("account") == guesses
        clock.move(60)
    assert keeper._judge._turns._turns == {}


@pytest.mark.asyncio
async def test_behind_a_gateway_nobody_waits_for_another(
    store: AccountStore, pool: HashingPool, clock: Clock
) -> None:
    keeper = local_gatekeeper(store, pool, clock=clock, exempt=[CLIENT])
    wrong = [login(keeper, password=f"guess {n}") for n in range(50)]
    answers = await asyncio.gather(*wrong, login(keeper))
    assert all(isinstance(answer, Rejected) for answer in answers[:-1])
    assert isinstance(answers[-1], Verified)


@pytest.mark.asyncio
async def test_many_sessions_with_the_right_password_all_get_in(
    keeper: Gatekeeper, store: AccountStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks = count_checks(monkeypatch, store)
    answers = await asyncio.gather(*(login(keeper) for _ in range(100)))
    assert all(isinstance(answer, Verified) for answer in answers)
    assert len(checks) == 1


# Whatever is sent


_PIECES = st.sampled_from(
    [
        NAME.encode(),
        b"nobody",
        b"wrong",
        b"",
        b"\0",
        b"n,,",
        b"n=",
        b",r=abc",
        b"c=biws",
    ]
)
_RESPONSES = st.lists(
    st.none()
    | st.binary(max_size=60)
    | st.lists(_PIECES, max_size=6).map(b"".join)
    | st.lists(_PIECES, max_size=4).map(b"\0".join),
    max_size=5,
)


@given(
    mechanism=st.sampled_from([one.name for one in MECHANISMS] + ["GSSAPI"]),
    responses=_RESPONSES,
)
@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_nothing_that_holds_no_password_is_verified(
    keeper: Gatekeeper, clock: Clock, mechanism: str, responses: list[bytes | None]
) -> None:
    # Else the first examples would lock the rest out, and prove nothing.
    keeper.lockout.unlock(now=clock.now)

    async def talk() -> None:
        exchange = keeper.begin(mechanism, CONTEXT)
        for response in responses:
            answer = await exchange.step(response)
            assert isinstance(answer, Challenge | Rejected)

    asyncio.run(talk())


@given(st.data())
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_a_right_response_with_one_octet_changed_is_not_verified(
    keeper: Gatekeeper, clock: Clock, data: st.DataObject
) -> None:
    right = plain()
    place = data.draw(st.integers(0, len(right) - 1))
    octet = data.draw(st.integers(0, 255))
    changed = right[:place] + bytes([octet]) + right[place + 1 :]
    keeper.lockout.unlock(now=clock.now)
    answer = asyncio.run(say(keeper, "PLAIN", [changed]))
    # Another case of a letter in the name is the same name.
    in_name = 1 <= place <= len(NAME)
    same = changed == right or (in_name and changed.lower() == right)
    assert isinstance(answer, Verified if same else Rejected | Unavailable)
