"""The one door through which credentials are checked.

`Gatekeeper.begin` gives an `Exchange`; its `step` takes what the client sent and
answers with a challenge or with `Verified`, `Rejected` or `Unavailable`.

In this order, so that neither text nor time tells a client anything:

1. the mechanism reads the exchange to its end, exactly (`mechanisms`, `sasl`);
2. a success of the last minute counts if its generation is current (`memory`);
3. clients of one block of addresses wait for one another (`turns`);
4. whoever is locked out is `Rejected`, after the time of a wrong password; else the
   authenticators are asked, in order (`chain`);
5. a failure is counted, a success clears the pair's count (`lockout`).
"""

from collections.abc import Callable, Sequence

from sekisho.auth.authenticator import Authenticator
from sekisho.auth.chain import Chain
from sekisho.auth.exchange import AuthContext, Exchange
from sekisho.auth.judge import GatekeeperOptions, Judge
from sekisho.auth.lockout import Lockout
from sekisho.auth.mechanisms import MECHANISMS
from sekisho.auth.sasl import Challenge, Failed, Step
from sekisho.model.identity import Identity

__all__ = ["AuthContext", "Challenge", "Exchange", "Gatekeeper", "GatekeeperOptions"]


class Gatekeeper:
    """Checks credentials.

    Args:
        authenticators: Asked in this order; at least one.
        lockout: Who may not try for a while; also for the operator's `unlock`.
        clock: Unix seconds.
        options: See there.

    """

    def __init__(
        self,
        authenticators: Sequence[Authenticator],
        lockout: Lockout,
        *,
        clock: Callable[[], float],
        options: GatekeeperOptions,
    ) -> None:
        self.lockout = lockout
        self._chain = Chain(authenticators)
        self._judge = Judge(self._chain, lockout, clock, options)
        self._randomness = options.randomness

    def mechanisms(self, *, channel_binding: bool = True) -> tuple[str, ...]:
        """Which mechanisms to announce under TLS, the strongest first.

        Args:
            channel_binding: Whether the connection has one; without it -PLUS cannot
                work.

        """
        able = self._chain.credentials()
        return tuple(
            one.name
            for one in MECHANISMS
            if one.credential in able and (channel_binding or not one.needs_binding)
        )

    def begin(self, mechanism: str, context: AuthContext) -> Exchange:
        """Begin an exchange; one of a mechanism that is not offered is rejected."""
        binding = context.channel_binding
        offered = self.mechanisms(channel_binding=bool(binding))
        for one in MECHANISMS:
            if one.name == mechanism and mechanism in offered:
                dialogue = one.begin(binding, self._randomness)
                return Exchange(self._judge, context.client, mechanism, dialogue)
        return Exchange(self._judge, context.client, mechanism, _NotOffered())

    def is_current(self, identity: Identity) -> bool:
        """Whether the account is there, enabled and unchanged; from memory, fast."""
        return self._chain.is_current(identity)

    async def save_successes(self) -> None:
        """Store who succeeded since the last time; to be called when stopping.

        While logins come in it happens by itself once a minute.
        """
        await self._judge.save_successes()


class _NotOffered:
    """The dialogue of a mechanism that is not offered."""

    def step(self, response: bytes | None) -> Step:
        """Fail."""
        del response
        return Failed("the mechanism is not offered")
