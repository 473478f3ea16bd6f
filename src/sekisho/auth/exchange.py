"""One AUTH command: a mechanism's dialogue, and what the judge says of it.

`Exchange.step` never raises, ends in bounded time, and answers once. Everything that
is not expected comes out as `Unavailable`, which is 454.
"""

import asyncio
from typing import TYPE_CHECKING, assert_never

from sekisho.auth.authenticator import AuthUnavailableError
from sekisho.auth.context import AuthContext
from sekisho.auth.judge import Found, Judge
from sekisho.auth.sasl import (
    CertificateClaimed,
    Challenge,
    Dialogue,
    Failed,
    KeysNeeded,
    PasswordGiven,
    PasswordHopeless,
    Proven,
    Step,
    TicketGiven,
    TokenGiven,
)
from sekisho.model.identity import Answer, Identity, Rejected, Unavailable, Verified
from sekisho.shared.store import StoreUnavailableError

if TYPE_CHECKING:
    from sekisho.auth.chain import CheckedAcceptor


class Exchange:
    """One AUTH command, from its first response to its answer."""

    __slots__ = (
        "_acceptor",
        "_begun",
        "_client",
        "_confirmed",
        "_context",
        "_dialogue",
        "_judge",
        "_mechanism",
        "_over",
        "_owner",
        "_refused",
    )

    def __init__(
        self, judge: Judge, context: AuthContext, mechanism: str, dialogue: Dialogue
    ) -> None:
        self._judge = judge
        self._context = context
        self._client = context.client
        self._mechanism = mechanism
        self._dialogue = dialogue
        self._begun = False
        self._over = False
        self._owner: Identity | Rejected | None = None
        self._confirmed: Verified | None = None
        self._refused: Rejected | None = None
        self._acceptor: CheckedAcceptor | None = None

    async def step(self, response: bytes | None) -> Challenge | Answer:
        """Take the client's response.

        Args:
            response: Decoded from base64; None for the first step where AUTH had no
                initial response.

        Returns:
            A challenge to send, or the answer, after which each further step is
            `Rejected`.

        """
        if self._over:
            return Rejected("the exchange is over")
        # Until a challenge says otherwise: also when this step is cancelled half-way.
        self._over = True
        try:
            async with asyncio.timeout(self._judge.patience()):
                answer = await self._step(response)
        except TimeoutError:
            return Unavailable("it took too long to find out")
        except (AuthUnavailableError, StoreUnavailableError) as error:
            return Unavailable(str(error))
        except Exception as error:  # noqa: BLE001 - the promise: a fault is never 235
            # Not its text: a library may have put the password there.
            return Unavailable(f"{type(error).__name__} while checking")
        self._over = not isinstance(answer, Challenge)
        if self._over:
            self.close()
        return answer

    @property
    def refused(self) -> Rejected | None:
        """The refusal of which the client is told in a challenge first."""
        return self._refused

    def close(self) -> None:
        """Let go of what an authenticator holds for this exchange."""
        acceptor, self._acceptor = self._acceptor, None
        if acceptor is not None:
            acceptor.close()

    async def _step(self, response: bytes | None) -> Challenge | Answer:
        if self._confirmed is not None:
            return self._after_server_final(self._confirmed, response)
        if self._refused is not None:
            # Whatever the client says to the error that it was told (RFC 7628 §3.2.3).
            return self._refused
        # Only a first response may be missing; a later one is empty at the least.
        if response is None and self._begun:
            response = b""
        self._begun = True
        return await self._carry_out(self._dialogue.step(response))

    async def _carry_out(self, step: Step) -> Challenge | Answer:
        match step:
            case Challenge():
                return step
            case PasswordGiven() | PasswordHopeless():
                return await self._take_password(step)
            case KeysNeeded():
                return await self._look_up(step)
            case Proven():
                return self._judge_proof(step)
            case TokenGiven() | CertificateClaimed() | TicketGiven():
                return await self._take_shown(step)
            case Failed(reason, account):
                # For the log: not "the proof is wrong" where there was none to give.
                if isinstance(self._owner, Rejected):
                    reason = self._owner.reason
                return self._judge.refuse(reason, account, self._client)
            case _:
                assert_never(step)

    async def _take_password(self, step: PasswordGiven | PasswordHopeless) -> Answer:
        match step:
            case PasswordGiven():
                return await self._judge.password(step, self._mechanism, self._client)
            case PasswordHopeless():
                return await self._judge.hopeless(step, self._client)

    async def _take_shown(
        self, step: TokenGiven | CertificateClaimed | TicketGiven
    ) -> Challenge | Answer:
        match step:
            case TokenGiven():
                return await self._take_token(step)
            case CertificateClaimed():
                return await self._judge.certificate(
                    step, self._context.certificate, self._mechanism, self._client
                )
            case TicketGiven():
                return await self._take_ticket(step)

    async def _look_up(self, step: KeysNeeded) -> Challenge | Answer:
        match await self._judge.scram_keys(step.account, step.credential, self._client):
            case Found(keys, owner):
                self._owner = owner
                return await self._carry_out(step.then(keys))
            case Unavailable() as unavailable:
                return unavailable

    async def _take_token(self, step: TokenGiven) -> Challenge | Answer:
        answer = await self._judge.token(step, self._mechanism, self._client)
        if not isinstance(answer, Rejected):
            return answer
        self._refused = answer
        return Challenge(step.fault(self._judge.token_scope))

    async def _take_ticket(self, step: TicketGiven) -> Challenge | Answer:
        if self._acceptor is None:
            if (locked := self._judge.locked("", self._client)) is not None:
                return locked
            self._acceptor = self._judge.acceptor(
                step.credential, self._mechanism, self._context
            )
        acceptor = self._acceptor
        answer = await acceptor.step(step.response)
        if isinstance(answer, Challenge):
            return answer
        account = acceptor.account
        # It may be a process of few: none is held while a stranger waits.
        self.close()
        return await self._judge.shown(answer, account, self._mechanism, self._client)

    def _judge_proof(self, step: Proven) -> Challenge | Answer:
        if self._owner is None:
            return Unavailable("a proof came before its keys")
        answer = self._judge.proof(self._owner, self._mechanism, self._client)
        if not isinstance(answer, Verified):
            return answer
        # Only now: the server's signature tells the client that its proof is right.
        self._confirmed = answer
        return Challenge(step.server_final)

    def _after_server_final(self, verified: Verified, response: bytes | None) -> Answer:
        """Take the empty response to server-final: a 235 carries no data (RFC 4954)."""
        account = verified.identity.account
        if response:
            return Rejected("the response to server-final is not empty", account)
        if not self._judge.is_current(verified.identity):
            return Rejected("the account has changed", account)
        return verified
