"""An exchange has one end: after it, and in what comes too late, nobody is verified.

Without a store and a hash, as `test_judge`.
"""

import pytest

from auth.support import CONTEXT, NAME, PASSWORD, plain, scram_client
from auth.test_faults import ALICE, YES, Odd, gives, keeper_of
from sekisho.auth.authenticator import ScramRecord
from sekisho.auth.sasl import Challenge
from sekisho.auth.scram import MIN_ITERATIONS, derive_keys
from sekisho.model.identity import Answer, Rejected, Verified

OVER = Rejected("the exchange is over")
pytestmark = pytest.mark.asyncio


@pytest.mark.parametrize("answer", [YES, Rejected("no")])
async def test_after_its_answer_an_exchange_is_over(answer: Answer) -> None:
    odd = Odd(gives(answer))
    exchange = keeper_of(odd).begin("PLAIN", CONTEXT)
    assert isinstance(await exchange.step(plain()), type(answer))
    odd.fault = gives(YES)
    for response in (plain(), b"", None):
        assert await exchange.step(response) == OVER
    assert odd.asked == 1


async def test_a_first_response_may_be_missing_and_no_other() -> None:
    for mechanism in ("PLAIN", "SCRAM-SHA-256"):
        exchange = keeper_of(Odd(gives(YES))).begin(mechanism, CONTEXT)
        assert await exchange.step(None) == Challenge(b"")
        assert isinstance(await exchange.step(None), Rejected)
        assert await exchange.step(plain()) == OVER


@pytest.mark.parametrize("response", [b"", b"x", None])
async def test_server_final_is_answered_with_nothing(response: bytes | None) -> None:
    keys = derive_keys(PASSWORD, b"s" * 16, MIN_ITERATIONS)
    odd = Odd(gives(ScramRecord(keys, ALICE)))
    exchange = keeper_of(odd).begin("SCRAM-SHA-256", CONTEXT)
    client = scram_client("SCRAM-SHA-256")
    first = await exchange.step(client.get_client_first().encode())
    assert isinstance(first, Challenge)
    client.set_server_first(first.data.decode())
    final = await exchange.step(client.get_client_final().encode())
    assert isinstance(final, Challenge)
    answer = await exchange.step(response)
    if response:
        assert answer == Rejected("the response to server-final is not empty", NAME)
    else:
        assert isinstance(answer, Verified)
    assert await exchange.step(b"") == OVER
