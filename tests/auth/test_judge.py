"""Whose a stranger's wait and a failure are: the account's that the answer names.

Without a store and a hash: each takes a millisecond, so that the mutation test of
`sekisho.auth.judge` finds time for all of them.
"""

from ipaddress import ip_address
from typing import TYPE_CHECKING, cast

import pytest

from auth.support import CLIENT, NAME, Clock
from auth.test_faults import Odd, gives
from sekisho.auth.chain import Chain
from sekisho.auth.judge import GatekeeperOptions, Judge
from sekisho.auth.lockout import Locked, Lockout, LockoutRules
from sekisho.auth.sasl import CertificateClaimed, PasswordHopeless, TokenGiven
from sekisho.model.identity import Answer, Identity, Rejected, Verified

if TYPE_CHECKING:
    from sekisho.auth.authenticator import Authenticator

RULES = LockoutRules(service_failures=10, service_delay_seconds=8.0)
ALICE = Verified(Identity(NAME, "odd", "", 1))


class Asked(Odd):
    """Notes what it is shown, and whose it is claimed to be."""

    shown: list[tuple[object, str]]

    async def verify_token(self, token: str, account: str) -> object:
        self.shown.append((token, account))
        return await super().verify_token(token, account)

    async def verify_certificate(self, certificate: bytes, account: str) -> object:
        self.shown.append((certificate, account))
        return await super().verify_certificate(certificate, account)


class Bench:
    """A judge, and what he counts and waits for."""

    def __init__(self, answer: Answer) -> None:
        self.clock = Clock()
        self.lockout = Lockout(RULES)
        self.slept: list[float] = []
        self.odd = Asked(gives(answer))
        self.odd.shown = []
        self.judge = Judge(
            Chain([cast("Authenticator", self.odd)]),
            self.lockout,
            self.clock,
            GatekeeperOptions(decoy_secret=b"s" * 32, sleep=self._sleep),
        )

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    def attack(self, failures: int = 10) -> None:
        """Guess once from each of so many addresses."""
        for number in range(failures):
            client = ip_address(0x0A000000 + number)
            self.lockout.failed(f"guess{number}", client, self.clock())

    async def say(self, way: str, account: str = NAME) -> Answer:
        """Come this way, and claim to be this account."""
        match way:
            case "token":
                given = TokenGiven("a token", account, lambda _: b"")
                return await self.judge.token(given, "OAUTHBEARER", CLIENT)
            case "certificate":
                claimed = CertificateClaimed(account)
                return await self.judge.certificate(claimed, b"x", "EXTERNAL", CLIENT)
            case _:
                return await self.judge.hopeless(
                    PasswordHopeless(account, "it is none"), CLIENT
                )


WAYS = ("token", "certificate", "hopeless")


@pytest.mark.asyncio
@pytest.mark.parametrize("way", WAYS)
async def test_a_stranger_waits_and_who_is_known_does_not(way: str) -> None:
    for answer in (ALICE, Rejected("no", NAME), Rejected("no", "")):
        bench = Bench(answer)
        bench.attack()
        await bench.say(way)
        assert bench.slept == [1.0]
        bench.lockout.succeeded(NAME, CLIENT, bench.clock())
        await bench.say(way)
        assert bench.slept == [1.0]


@pytest.mark.asyncio
async def test_whom_the_answer_names_is_who_waits_and_not_whom_the_client_claims() -> (
    None
):
    for known, waits in (("eve", []), (NAME, [1.0])):
        bench = Bench(ALICE)
        bench.attack()
        bench.lockout.succeeded(known, CLIENT, bench.clock())
        answer = Rejected("no", "eve")
        assert await bench.judge.shown(answer, NAME, "EXTERNAL", CLIENT) == answer
        assert bench.slept == waits


@pytest.mark.asyncio
async def test_who_judges_what_is_shown_knows_whose_it_is_claimed_to_be() -> None:
    for way, what in (("token", "a token"), ("certificate", b"x")):
        bench = Bench(ALICE)
        await bench.say(way)
        await bench.say(way, "")
        assert bench.odd.shown == [(what, NAME), (what, "")]


@pytest.mark.asyncio
async def test_the_mechanism_is_that_by_which_somebody_came() -> None:
    for way, mechanism in (("token", "OAUTHBEARER"), ("certificate", "EXTERNAL")):
        answer = await Bench(ALICE).say(way)
        assert isinstance(answer, Verified)
        assert answer.identity.mechanism == mechanism


@pytest.mark.asyncio
@pytest.mark.parametrize("way", WAYS)
async def test_failures_lock_the_pair_and_under_the_lock_nothing_counts(
    way: str,
) -> None:
    bench = Bench(Rejected("no", ""))
    for _ in range(RULES.pair_failures):
        assert bench.lockout.locked(bench.clock()) == []
        assert isinstance(await bench.say(way), Rejected)
    locks = bench.lockout.locked(bench.clock())
    assert [(one.account, one.block) for one in locks] == [(NAME, str(CLIENT))]
    for _ in range(RULES.block_failures):
        told = await bench.say(way)
        assert isinstance(told, Rejected)
        assert told.reason == locks[0].reason
    assert bench.lockout.locked(bench.clock()) == locks


def test_a_refusal_under_a_lock_says_so_and_does_not_count() -> None:
    bench = Bench(ALICE)
    for _ in range(RULES.pair_failures):
        assert bench.judge.refuse("no", NAME, CLIENT) == Rejected("no", NAME)
    standing = bench.lockout.standing(NAME, CLIENT, bench.clock())
    assert isinstance(standing, Locked)
    for _ in range(RULES.block_failures):
        told = bench.judge.refuse("no", NAME, CLIENT)
        assert told == Rejected(standing.reason, NAME)
    other = bench.judge.refuse("no", "bob", CLIENT)
    assert other == Rejected("no", "bob"), "the block is not locked"


def test_a_step_has_as_much_longer_as_strangers_wait() -> None:
    bench = Bench(ALICE)
    usual = bench.judge.options.step_seconds
    assert bench.judge.patience() == usual
    bench.attack(40)
    assert bench.judge.patience() == usual + 8.0
