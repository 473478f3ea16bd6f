"""Tickets: an authenticator's word for one is taken for no more than it is."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import pytest

from auth.support import CONTEXT, NAME, Clock, say
from auth.test_faults import FAULTS, SECRET, Fault, Odd, gives, hang
from sekisho.auth.gatekeeper import Door, Gatekeeper, GatekeeperOptions
from sekisho.auth.lockout import Lockout, LockoutRules
from sekisho.auth.sasl import Challenge, Credential
from sekisho.auth.ticket_mechanisms import MAX_TICKET_OCTETS
from sekisho.model.identity import Identity, NotMine, Rejected, Unavailable, Verified

if TYPE_CHECKING:
    from sekisho.auth.authenticator import Authenticator
    from sekisho.auth.context import AuthContext

pytestmark = pytest.mark.asyncio

YES = Verified(Identity(NAME, "odd", "", 1))


class OddTickets(Odd):
    """Takes tickets, and does at each step as it is told."""

    asked: int

    def __init__(
        self, *steps: Fault, name: str = "odd", only: Sequence[Credential] = ()
    ) -> None:
        super().__init__(gives(NotMine()), name)
        self.steps = list(steps)
        self.only = frozenset(only or (Credential.KERBEROS,))
        self.begun: list[tuple[str, AuthContext]] = []
        self.heard: list[bytes] = []
        self.closed = 0
        self.account = NAME

    def credentials(self) -> frozenset[Credential]:
        return self.only

    def accept(self, mechanism: str, context: "AuthContext") -> "OddTickets":
        self.begun.append((mechanism, context))
        return self

    async def step(self, response: bytes) -> object:
        self.asked += 1
        self.heard.append(response)
        return await self.steps.pop(0)()

    def close(self) -> None:
        self.closed += 1


def keeper_of(*authenticators: OddTickets, block_failures: int = 3) -> Gatekeeper:
    return Gatekeeper(
        [cast("Authenticator", one) for one in authenticators],
        Lockout(LockoutRules(block_failures=block_failures)),
        clock=Clock(),
        options=GatekeeperOptions(decoy_secret=b"s" * 32, step_seconds=0.05),
        doors={CONTEXT.listener: Door(mechanisms=("GSSAPI",))},
    )


async def test_a_ticket_that_is_right_is_its_account_and_lets_go() -> None:
    odd = OddTickets(gives(Challenge(b"more")), gives(YES))
    exchange = keeper_of(odd).begin("GSSAPI", CONTEXT)
    assert await exchange.step(b"one") == Challenge(b"more")
    assert odd.closed == 0
    answer = await exchange.step(b"two")
    assert isinstance(answer, Verified)
    assert (answer.identity.account, answer.identity.mechanism) == (NAME, "GSSAPI")
    assert odd.begun == [("GSSAPI", CONTEXT)]
    assert odd.heard == [b"one", b"two"]
    assert odd.closed == 1


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_in_a_step_verifies_nobody(fault: Fault) -> None:
    odd = OddTickets(gives(Challenge(b"")), fault)
    answer = await say(keeper_of(odd), "GSSAPI", [b"one", b"two"])
    assert isinstance(answer, Unavailable)
    assert SECRET not in answer.reason
    assert odd.asked == 2


@pytest.mark.parametrize("answer", [NotMine(), Rejected("no"), Rejected("no", NAME)])
async def test_a_no_is_a_refusal_of_whom_it_names_and_counts(answer: object) -> None:
    keeper = keeper_of(OddTickets(*[gives(answer)] * 4))
    for _ in range(3):
        refused = await say(keeper, "GSSAPI", [b"one"])
        assert isinstance(refused, Rejected)
        assert refused.account == NAME
    assert [lock.account for lock in keeper.lockout.locked(Clock().now)] == [""]


async def test_whoever_is_locked_out_begins_no_exchange_of_tickets() -> None:
    odd = OddTickets(*[gives(Rejected("no"))] * 3, gives(YES))
    keeper = keeper_of(odd)
    for _ in range(4):
        assert isinstance(await say(keeper, "GSSAPI", [b"one"]), Rejected)
    assert odd.asked == 3


async def test_a_ticket_of_an_account_that_is_locked_or_has_changed_is_refused() -> (
    None
):
    odd = OddTickets(gives(YES), gives(YES))
    keeper = keeper_of(odd, block_failures=20)
    odd.current = False
    assert isinstance(await say(keeper, "GSSAPI", [b"one"]), Rejected)
    odd.current = True
    for _ in range(5):
        keeper.lockout.failed(NAME, CONTEXT.client, Clock().now)
    assert [one.account for one in keeper.lockout.locked(Clock().now)] == [NAME]
    assert isinstance(await say(keeper, "GSSAPI", [b"one"]), Rejected)


async def test_tickets_go_to_who_takes_them_and_to_nobody_else() -> None:
    passwords = OddTickets(gives(YES), name="first", only=[Credential.PASSWORD])
    odd = OddTickets(gives(YES))
    answer = await say(keeper_of(passwords, odd), "GSSAPI", [b"one"])
    assert isinstance(answer, Verified)
    assert (len(passwords.begun), passwords.asked, odd.asked) == (0, 0, 1)


async def test_an_exchange_begins_with_a_token_and_no_longer_one_than_the_bound() -> (
    None
):
    for first in (b"", b"x" * (MAX_TICKET_OCTETS + 1)):
        odd = OddTickets(gives(YES))
        assert isinstance(await say(keeper_of(odd), "GSSAPI", [first]), Rejected)
        assert isinstance(await say(keeper_of(odd), "GSSAPI", [None, b""]), Rejected)
        assert odd.asked == 0
    odd = OddTickets(gives(YES))
    longest = b"x" * MAX_TICKET_OCTETS
    assert isinstance(await say(keeper_of(odd), "GSSAPI", [longest]), Verified)


async def test_what_is_held_is_let_go_when_a_step_takes_too_long() -> None:
    odd = OddTickets(hang)
    exchange = keeper_of(odd).begin("GSSAPI", CONTEXT)
    assert isinstance(await exchange.step(b"one"), Unavailable)
    exchange.close()
    assert odd.closed == 1
    assert isinstance(await exchange.step(b"two"), Rejected)
