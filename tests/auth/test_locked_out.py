"""Whoever is locked out is refused whatever he sends, and nothing of it counts."""

import pytest

from auth.support import CLIENT, NAME, Clock, login, plain, say
from sekisho.auth.gatekeeper import Gatekeeper
from sekisho.auth.sasl import Challenge, read_saslname
from sekisho.model.identity import Rejected

pytestmark = pytest.mark.asyncio


@pytest.mark.parametrize(
    "junk", [plain(NAME, ""), plain(NAME, "\x07bell"), plain(NAME, "x", "bob")]
)
async def test_a_broken_exchange_under_a_lock_is_refused_and_lengthens_nothing(
    keeper: Gatekeeper, clock: Clock, junk: bytes
) -> None:
    for _ in range(5):
        assert isinstance(await login(keeper, password="wrong"), Rejected)
    (before,) = keeper.lockout.locked(clock.now)
    answer = await say(keeper, "PLAIN", [junk])
    assert isinstance(answer, Rejected)
    assert "locked out" in answer.reason
    assert keeper.lockout.locked(clock.now) == [before]
    clock.now = before.until
    assert not isinstance(await login(keeper), Rejected | Challenge)


async def test_junk_counts_against_a_pair_like_a_wrong_password(
    keeper: Gatekeeper, clock: Clock
) -> None:
    for _ in range(5):
        assert isinstance(await say(keeper, "PLAIN", [plain(NAME, "")]), Rejected)
    assert isinstance(await login(keeper), Rejected)
    (lock,) = keeper.lockout.locked(clock.now)
    assert (lock.account, lock.block) == (NAME, str(CLIENT))


async def test_a_saslname_means_what_it_escapes() -> None:
    assert read_saslname("a=2Cb=3Dc") == "a,b=c"
