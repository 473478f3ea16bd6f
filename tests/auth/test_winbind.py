"""NTLM through a helper: verified only by its word for the very account claimed."""

import asyncio
import sys
from base64 import b64encode
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from auth.support import CONTEXT, Clock
from auth.test_ntlmssp import authenticate, negotiate
from sekisho.auth.gatekeeper import Gatekeeper, GatekeeperOptions
from sekisho.auth.lockout import Lockout, LockoutRules
from sekisho.auth.members import MemberOptions, Members
from sekisho.auth.sasl import Challenge
from sekisho.auth.winbind import (
    MAX_HELPERS,
    WinbindAuthenticator,
    WinbindOptions,
)
from sekisho.model.identity import Answer, Rejected, Unavailable, Verified

_HELPER = """\
import sys, time
answers = {{"YR": {yr!r}, "KK": {kk!r}}}
for line in sys.stdin:
    answer = answers[line.split()[0]]
    if answer == "end":
        sys.exit(1)
    print(answer, flush=True)
"""
CHALLENGE = "TT " + b64encode(b"NTLMSSP\0challenge").decode()


MADE: list[WinbindAuthenticator] = []


def randomness(octets: int) -> bytes:
    return b"\x07" * octets


@pytest_asyncio.fixture(autouse=True)
async def reaped() -> AsyncIterator[None]:
    """No helper outlives its test."""
    yield
    for one in MADE:
        await asyncio.gather(*one.ending)
    MADE.clear()
    await asyncio.sleep(0.01)


def keeper_of(folder: Path, clock: Clock, yr: str, kk: str) -> Gatekeeper:
    """A gatekeeper whose helper always says the same; no mock of Samba, but a liar."""
    helper = folder / "helper.py"
    helper.write_text(_HELPER.format(yr=yr, kk=kk))
    options = WinbindOptions(
        command=(sys.executable, "-u", str(helper)), domains=frozenset({"OWN"})
    )
    ours = MemberOptions(
        name="winbind", session_seconds=600, addresses=lambda _account: ()
    )
    members = Members(ours, None, clock, randomness)
    one = WinbindAuthenticator(options, members)
    MADE.append(one)
    return Gatekeeper(
        [one],
        Lockout(LockoutRules()),
        clock=clock,
        options=GatekeeperOptions(decoy_secret=b"d" * 32),
    )


async def sign_in(keeper: Gatekeeper, message: bytes) -> Answer:
    exchange = keeper.begin("NTLM", CONTEXT)
    assert await exchange.step(None) == Challenge(b"")
    first = await exchange.step(negotiate())
    if not isinstance(first, Challenge):
        return first
    answer = await exchange.step(message)
    assert not isinstance(answer, Challenge)
    return answer


@pytest.mark.asyncio
async def test_the_helpers_word_verifies_for_a_while(
    tmp_path: Path, clock: Clock
) -> None:
    keeper = keeper_of(tmp_path, clock, CHALLENGE, "AF OWN\\Alice")
    answer = await sign_in(keeper, authenticate())
    assert isinstance(answer, Verified)
    assert answer.identity.account == "alice"
    assert answer.identity.groups == {"own"}
    assert keeper.is_current(answer.identity)
    clock.move(601)
    assert not keeper.is_current(answer.identity)


@pytest.mark.asyncio
async def test_a_default_domain_goes_without_saying(
    tmp_path: Path, clock: Clock
) -> None:
    answer = await sign_in(
        keeper_of(tmp_path, clock, CHALLENGE, "AF alice"), authenticate(domain="own")
    )
    assert isinstance(answer, Verified)
    assert answer.identity.groups == {"own"}


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("kk", "message"),
    [
        ("AF OWN\\guest", authenticate()),
        ("AF guest", authenticate()),
        ("AF OTHER\\alice", authenticate()),
        ("NA NT_STATUS_WRONG_PASSWORD", authenticate()),
        ("AF OWN\\alice", authenticate(domain="OTHER")),
        ("AF OWN\\alice", authenticate(user="", response=b"")),
        ("AF OWN\\alice", authenticate(response=b"r" * 24)),
        ("AF OWN\\alice", b"."),
    ],
)
async def test_another_account_a_guest_or_an_old_response_is_refused(
    tmp_path: Path, clock: Clock, kk: str, message: bytes
) -> None:
    answer = await sign_in(keeper_of(tmp_path, clock, CHALLENGE, kk), message)
    assert isinstance(answer, Rejected), answer


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("yr", "kk"),
    [
        (CHALLENGE, "BH broken"),
        (CHALLENGE, "NA NT_STATUS_NO_LOGON_SERVERS"),
        (CHALLENGE, "NA"),
        (CHALLENGE, "AF"),
        (CHALLENGE, ""),
        (CHALLENGE, "OK"),
        (CHALLENGE, "end"),
        (CHALLENGE, "TT again"),
        ("AF OWN\\alice", "AF OWN\\alice"),
        ("TT no base64!", "AF OWN\\alice"),
        ("BH", "AF OWN\\alice"),
        ("end", "AF OWN\\alice"),
    ],
)
async def test_a_helper_that_says_anything_else_is_unavailable(
    tmp_path: Path, clock: Clock, yr: str, kk: str
) -> None:
    answer = await sign_in(keeper_of(tmp_path, clock, yr, kk), authenticate())
    assert isinstance(answer, Unavailable), answer


@pytest.mark.asyncio
async def test_a_helper_that_is_not_there_is_unavailable(
    tmp_path: Path, clock: Clock
) -> None:
    keeper = keeper_of(tmp_path, clock, CHALLENGE, "AF OWN\\alice")
    exchange = keeper.begin("NTLM", CONTEXT)
    (tmp_path / "helper.py").unlink()
    await exchange.step(None)
    assert isinstance(await exchange.step(negotiate()), Unavailable)


@pytest.mark.asyncio
async def test_an_exchange_that_is_dropped_ends_its_helper_and_frees_its_place(
    tmp_path: Path, clock: Clock
) -> None:
    keeper = keeper_of(tmp_path, clock, CHALLENGE, "AF OWN\\alice")
    for _ in range(MAX_HELPERS + 1):
        exchange = keeper.begin("NTLM", CONTEXT)
        assert await exchange.step(None) == Challenge(b"")
        assert isinstance(await exchange.step(negotiate()), Challenge)
        exchange.close()
    await asyncio.gather(*MADE[-1].ending)
    assert isinstance(await sign_in(keeper, authenticate()), Verified)
