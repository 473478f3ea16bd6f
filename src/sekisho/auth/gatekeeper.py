"""The one door through which credentials are checked.

`Gatekeeper.begin` gives an `Exchange`; its `step` takes what the client sent and
answers with a challenge or with `Verified`, `Rejected` or `Unavailable`.

In this order, so that neither text nor time tells a client anything:

1. the mechanism reads the exchange to its end, exactly (`mechanisms`, `sasl`);
2. strangers wait while the whole service is being guessed at (`slowdown`, `waits`);
   what is no password, after step 5's authenticators;
3. a success of the last minute counts if its generation is current (`memory`);
4. clients of one block of addresses wait for one another (`turns`);
5. whoever is locked out is `Rejected`, after the time of a wrong password; else the
   authenticators are asked, in order (`chain`);
6. a failure is counted, a success clears the pair's count (`lockout`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from sekisho.auth.authenticator import Authenticator
from sekisho.auth.chain import Chain
from sekisho.auth.context import AuthContext
from sekisho.auth.exchange import Exchange
from sekisho.auth.judge import GatekeeperOptions, Judge
from sekisho.auth.lockout import Lockout
from sekisho.auth.mechanisms import MECHANISMS, Mechanism, Needs
from sekisho.auth.sasl import Challenge, Credential, Failed, Step
from sekisho.model.identity import Identity

__all__ = ["AuthContext", "Challenge", "Exchange", "Gatekeeper", "GatekeeperOptions"]


@dataclass(frozen=True, slots=True)
class Door:
    """What differs on a listener.

    Attributes:
        authenticators: Names of those that are asked; all if empty.
        mechanisms: Announced as far as at least one of them can verify them; if empty,
            those that every one can verify.

    """

    authenticators: tuple[str, ...] = ()
    mechanisms: tuple[str, ...] = ()


_FRONT_DOOR = Door()


class Gatekeeper:
    """Checks credentials.

    Args:
        authenticators: Asked in this order; at least one.
        lockout: Who may not try for a while; also for the operator's `unlock`.
        clock: Unix seconds.
        options: See there.
        doors: By listener; the others have nothing special.

    """

    def __init__(
        self,
        authenticators: Sequence[Authenticator],
        lockout: Lockout,
        *,
        clock: Callable[[], float],
        options: GatekeeperOptions,
        doors: Mapping[str, Door] | None = None,
    ) -> None:
        self.lockout = lockout
        self._doors = doors or {}
        self._chain = Chain(authenticators)
        self._chains = {
            listener: self._chain.only(door.authenticators)
            for listener, door in self._doors.items()
            if door.authenticators
        }
        self._judge = Judge(self._chain, lockout, clock, options)
        self._judges = {
            listener: self._judge.over(chain)
            for listener, chain in self._chains.items()
        }
        self._randomness = options.randomness

    def mechanisms(
        self,
        listener: str = "",
        *,
        channel_binding: bool = True,
        certificate: bool = False,
    ) -> tuple[str, ...]:
        """Which mechanisms to announce under TLS, the strongest first.

        Args:
            listener: Its name.
            channel_binding: Whether the connection has one; without it -PLUS cannot
                work.
            certificate: Whether the client gave one in the handshake; without it
                EXTERNAL cannot work.

        """
        door = self._doors.get(listener, _FRONT_DOOR)
        chain = self._chains.get(listener, self._chain)
        able = chain.some_credentials() if door.mechanisms else chain.credentials()
        return _announced(able, door, channel_binding, certificate)

    def begin(self, mechanism: str, context: AuthContext) -> Exchange:
        """Begin an exchange; one of a mechanism that is not offered is rejected."""
        offered = self.mechanisms(
            context.listener,
            channel_binding=bool(context.channel_binding),
            certificate=bool(context.certificate),
        )
        judge = self._judges.get(context.listener, self._judge)
        for one in MECHANISMS:
            if one.name == mechanism and mechanism in offered:
                dialogue = one.begin(context, self._randomness)
                return Exchange(judge, context, mechanism, dialogue)
        return Exchange(judge, context, mechanism, _NotOffered())

    def is_current(self, identity: Identity) -> bool:
        """Whether the account is there, enabled and unchanged; from memory, fast."""
        return self._chain.is_current(identity)

    async def save_successes(self) -> None:
        """Store who succeeded since the last time; to be called when stopping.

        While logins come in it happens by itself once a minute.
        """
        await self._judge.save_successes()


@lru_cache(maxsize=256)
def _announced(
    able: frozenset[Credential],
    door: Door,
    channel_binding: bool,  # noqa: FBT001 - keywords are part of what is remembered
    certificate: bool,  # noqa: FBT001
) -> tuple[str, ...]:
    there = {
        Needs.NOTHING: True,
        Needs.BINDING: channel_binding,
        Needs.CERTIFICATE: certificate,
    }
    return tuple(
        one.name
        for one in MECHANISMS
        if there[one.needs] and _is_offered(one, able, door)
    )


def _is_offered(one: Mechanism, able: frozenset[Credential], door: Door) -> bool:
    wanted = one.name in door.mechanisms if door.mechanisms else not one.is_off
    return wanted and one.credential in able


class _NotOffered:
    """The dialogue of a mechanism that is not offered."""

    def step(self, response: bytes | None) -> Step:
        """Fail."""
        del response
        return Failed("the mechanism is not offered")
