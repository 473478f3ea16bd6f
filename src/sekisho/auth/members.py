"""What somebody may do whom a realm or a domain has verified, and for how long.

A ticket, or NTLM, says who somebody is and no more. What he may send from, in which
groups he is and whether he still may sign in stands in a register: a directory that is
asked by name, as whom we are. Where no register is configured, the configuration gives
the addresses, and nobody tells of accounts that are disabled later.

A sign-in ends with the first of: what was shown (a ticket), the bound of the
configuration, and the register's word, which is asked for again while it is in use. A
register that cannot be asked is "unavailable", one that does not have the name is a
refusal: that another has verified it is not enough.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from sekisho.auth.lives import Life, Lives
from sekisho.model.address import AddressPattern
from sekisho.model.identity import Identity, Rejected, Verified


class Register(Protocol):
    """What knows accounts by name, without their passwords."""

    async def look_up(self, account: str) -> Verified | Rejected:
        """Say who somebody is whom another has verified.

        Raises:
            AuthUnavailableError: It could not be found out.

        """
        ...

    def is_current(self, identity: Identity) -> bool:
        """Whether the account is there, enabled and unchanged; from memory, fast."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberOptions:
    """Whose members they are.

    Attributes:
        name: The authenticator's, as configured.
        session_seconds: How long a sign-in lasts at most.
        addresses: Gives what an account may send from, where there is no register.

    """

    name: str
    session_seconds: float
    addresses: Callable[[str], tuple[AddressPattern, ...]]


class Members:
    """Those whom one authenticator has verified.

    Args:
        options: See there.
        register: Says what they may; None where the configuration does.
        clock: Unix seconds.
        randomness: Gives so many random octets.

    """

    def __init__(
        self,
        options: MemberOptions,
        register: Register | None,
        clock: Callable[[], float],
        randomness: Callable[[int], bytes],
    ) -> None:
        self._options = options
        self._register = register
        self._clock = clock
        self._randomness = randomness
        self._lives = Lives(randomness)

    @property
    def name(self) -> str:
        """The authenticator's."""
        return self._options.name

    async def admit(
        self,
        account: str,
        seconds: float = float("inf"),
        groups: frozenset[str] = frozenset(),
    ) -> Verified | Rejected:
        """Begin the sign-in of somebody who is verified.

        Args:
            account: The account's name in normal form.
            seconds: How long what was shown is good.
            groups: In which it is, where there is no register.

        Raises:
            AuthUnavailableError: The register could not be asked.

        """
        # Before the register is asked: the ticket's time goes on meanwhile.
        now = self._clock()
        seconds = min(seconds, self._options.session_seconds)
        if seconds <= 0:
            return Rejected("what was shown has expired", account)
        entry: Identity | None = None
        addresses = self._options.addresses(account)
        if self._register is not None:
            match await self._register.look_up(account):
                case Verified(entry):
                    addresses, groups = entry.addresses, entry.groups
                case Rejected() as refused:
                    return refused
        identity = Identity(
            account=account,
            authenticator=self.name,
            mechanism="",
            generation=self._lives.generation(self._randomness(16)),
            addresses=addresses,
            groups=groups,
        )
        self._lives.begin(Life(identity, now + seconds, now, rests_on=entry))
        return Verified(identity)

    def is_current(self, identity: Identity) -> bool:
        """Whether the sign-in's time is not over, and the register says so, too."""
        life = self._lives.of(identity, self._clock())
        if life is None:
            return False
        if self._register is None:
            return True
        return life.rests_on is not None and self._register.is_current(life.rests_on)
