"""What a listener's door says of who is asked, and by which mechanisms."""

from typing import TYPE_CHECKING, cast

import pytest

from auth.support import CONTEXT, NAME, PASSWORD, Clock, login, plain, say
from auth.test_faults import Odd, gives
from replacing import replace
from sekisho.auth.gatekeeper import Door, Gatekeeper, GatekeeperOptions
from sekisho.auth.lockout import Lockout, LockoutRules
from sekisho.model.identity import Identity, NotMine, Rejected, Verified

if TYPE_CHECKING:
    from sekisho.auth.authenticator import Authenticator

pytestmark = pytest.mark.asyncio


def keeper_with(door: Door, *authenticators: Odd) -> Gatekeeper:
    return Gatekeeper(
        [cast("Authenticator", one) for one in authenticators],
        Lockout(LockoutRules()),
        clock=Clock(),
        options=GatekeeperOptions(decoy_secret=b"s" * 32),
        doors={"submission": door},
    )


async def test_a_listener_asks_only_those_whom_it_names() -> None:
    named = Odd(gives(NotMine()), "named")
    other = Odd(gives(Verified(Identity(NAME, "other", "", 1))), "other")
    keeper = keeper_with(Door(authenticators=("named",)), other, named)
    assert isinstance(await login(keeper), Rejected)
    assert (named.asked, other.asked) == (1, 0)
    elsewhere = replace(CONTEXT, listener="elsewhere")
    assert isinstance(await login(keeper, context=elsewhere), Verified)


async def test_a_mechanism_that_a_listener_does_not_name_is_not_taken() -> None:
    odd = Odd(gives(Verified(Identity(NAME, "odd", "", 1))))
    keeper = keeper_with(Door(mechanisms=("LOGIN",)), odd)
    assert keeper.mechanisms("submission") == ("LOGIN",)
    assert isinstance(await say(keeper, "PLAIN", [plain()]), Rejected)
    assert odd.asked == 0
    answer = await say(keeper, "LOGIN", [NAME.encode(), PASSWORD.encode()])
    assert isinstance(answer, Verified)
