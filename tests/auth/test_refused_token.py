"""A token that was refused stays refused, whatever the client says to the error."""

from typing import TYPE_CHECKING, cast

import pytest

from auth.support import CONTEXT, NAME, Clock
from auth.test_faults import Odd, gives
from sekisho.auth.gatekeeper import Gatekeeper, GatekeeperOptions
from sekisho.auth.lockout import Lockout, LockoutRules
from sekisho.auth.sasl import Challenge
from sekisho.model.identity import Identity, Rejected, Verified

if TYPE_CHECKING:
    from sekisho.auth.authenticator import Authenticator

MESSAGE = b"n,,\x01auth=Bearer abc\x01\x01"


class OddTokens(Odd):
    """Says what scope it wants, too."""

    token_scope = "mail"


@pytest.mark.asyncio
async def test_a_right_token_after_the_error_is_too_late() -> None:
    odd = OddTokens(gives(Rejected("no")))
    keeper = Gatekeeper(
        [cast("Authenticator", odd)],
        Lockout(LockoutRules()),
        clock=Clock(),
        options=GatekeeperOptions(decoy_secret=b"s" * 32),
    )
    exchange = keeper.begin("OAUTHBEARER", CONTEXT)
    assert isinstance(await exchange.step(MESSAGE), Challenge)
    odd.fault = gives(Verified(Identity(NAME, "odd", "", 1)))
    assert isinstance(await exchange.step(MESSAGE), Rejected)
    assert odd.asked == 1
    again = keeper.begin("OAUTHBEARER", CONTEXT)
    assert isinstance(await again.step(MESSAGE), Verified)
