"""Members of a realm: what a register says of them, and when their sign-in is over."""

import pytest

from auth.support import Clock
from sekisho.auth.authenticator import AuthUnavailableError
from sekisho.auth.members import MemberOptions, Members
from sekisho.model.address import AddressPattern
from sekisho.model.identity import Identity, Rejected, Verified

pytestmark = pytest.mark.asyncio
ENTRY = Identity(
    "alice",
    "people",
    "",
    7,
    addresses=(AddressPattern("alice", "own.test"),),
    groups=frozenset({"staff"}),
)


class Register:
    """Says what it is told to, after some seconds."""

    def __init__(self, clock: Clock, answer: Verified | Rejected | Exception) -> None:
        self.clock = clock
        self.answer = answer
        self.seconds = 0.0
        self.current = True

    async def look_up(self, account: str) -> Verified | Rejected:
        assert account == "alice"
        self.clock.move(self.seconds)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def is_current(self, identity: Identity) -> bool:
        assert identity == ENTRY
        return self.current


class Random:
    """Other octets each time."""

    def __init__(self) -> None:
        self.number = 0

    def __call__(self, octets: int) -> bytes:
        self.number += 1
        return self.number.to_bytes(octets, "big")


def members_of(clock: Clock, register: Register | None = None) -> Members:
    options = MemberOptions(
        name="kerberos",
        session_seconds=600,
        addresses=lambda account: (AddressPattern(account, "pattern.test"),),
    )
    return Members(options, register, clock, Random())


async def admitted(members: Members, seconds: float = 3600) -> Identity:
    answer = await members.admit("alice", seconds, frozenset({"own"}))
    assert isinstance(answer, Verified)
    assert members.is_current(answer.identity)
    return answer.identity


async def test_without_a_register_the_configuration_says_what_they_may(
    clock: Clock,
) -> None:
    identity = await admitted(members_of(clock))
    assert identity.authenticator == "kerberos"
    assert identity.mechanism == ""
    assert identity.addresses == (AddressPattern("alice", "pattern.test"),)
    assert identity.groups == {"own"}


async def test_a_register_alone_says_what_they_may(clock: Clock) -> None:
    identity = await admitted(members_of(clock, Register(clock, Verified(ENTRY))))
    assert identity.authenticator == "kerberos"
    assert identity.account == "alice"
    assert identity.addresses == ENTRY.addresses
    assert identity.groups == ENTRY.groups


@pytest.mark.parametrize("has_register", [False, True])
async def test_a_sign_in_ends_with_the_ticket_or_with_the_bound(
    clock: Clock, has_register: bool
) -> None:
    register = Register(clock, Verified(ENTRY)) if has_register else None
    members = members_of(clock, register)
    short, long = await admitted(members, 60), await admitted(members)
    clock.move(60)
    assert not members.is_current(short)
    assert members.is_current(long)
    clock.move(540)
    assert not members.is_current(long)


async def test_a_ticket_that_is_over_begins_nothing(clock: Clock) -> None:
    await admitted(members_of(clock), 1.0)
    answer = await members_of(clock).admit("alice", 0.0)
    assert answer == Rejected("what was shown has expired", "alice")


async def test_a_tickets_time_goes_on_while_the_register_is_asked(
    clock: Clock,
) -> None:
    register = Register(clock, Verified(ENTRY))
    register.seconds = 5
    members = members_of(clock, register)
    answer = await members.admit("alice", 5.0)
    assert isinstance(answer, Verified)
    assert not members.is_current(answer.identity)


async def test_a_sign_in_ends_with_the_registers_word(clock: Clock) -> None:
    register = Register(clock, Verified(ENTRY))
    members = members_of(clock, register)
    identity = await admitted(members)
    register.current = False
    assert not members.is_current(identity)


async def test_another_identity_of_the_same_account_is_not_current(
    clock: Clock,
) -> None:
    members = members_of(clock, Register(clock, Verified(ENTRY)))
    await admitted(members)
    assert not members.is_current(ENTRY)
    assert not members.is_current(Identity("alice", "kerberos", "", 0))


async def test_a_register_that_refuses_or_cannot_be_asked_verifies_nobody(
    clock: Clock,
) -> None:
    refusal = Rejected("the account is disabled", "alice")
    members = members_of(clock, Register(clock, refusal))
    assert await members.admit("alice") == refusal
    members = members_of(clock, Register(clock, AuthUnavailableError("down")))
    with pytest.raises(AuthUnavailableError):
        await members.admit("alice")
