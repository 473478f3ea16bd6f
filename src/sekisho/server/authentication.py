"""The AUTH exchange of one session (RFC 4954), carried out.

Promise: only `Verified` leads to 235. The table below has no other row with a
positive reply, and what an exchange answers beyond it cannot be typed.
"""

from typing import assert_never

from sekisho.auth.gatekeeper import Challenge, Exchange
from sekisho.model import replies
from sekisho.model.identity import NOBODY, Rejected, Unavailable, Verified, Who
from sekisho.model.reply import Reply, printable
from sekisho.observe.events import AuthFailed, AuthSucceeded
from sekisho.server.client import Client
from sekisho.server.services import Services

MAX_LOGGED_ACCOUNT = 128


class Authentication:
    """Who the client of one session proved to be so far."""

    __slots__ = ("_client", "_exchange", "_mechanism", "_services", "who")

    def __init__(self, services: Services, client: Client) -> None:
        self._services = services
        self._client = client
        self._mechanism = ""
        self._exchange: Exchange | None = None
        self.who: Who = NOBODY

    def forget(self) -> None:
        """Be nobody again, as after STARTTLS (RFC 3207 §4.2)."""
        self.who = NOBODY
        self.cancel()

    async def begin(self, mechanism: str, initial: bytes | None) -> Reply | Challenge:
        """Begin an exchange, with the client's initial response if it sent one."""
        self._mechanism = mechanism
        context = self._client.auth_context()
        self._exchange = self._services.gatekeeper.begin(mechanism, context)
        return await self.respond(initial)

    async def respond(self, response: bytes | None) -> Reply | Challenge:
        """Take the client's next response."""
        exchange = self._exchange
        if exchange is None:
            return replies.AUTH_UNAVAILABLE
        step = await exchange.step(response)
        match step:
            case Challenge():
                # Now: few clients stay for the reply that comes after it.
                if (refused := exchange.refused) is not None:
                    self._note_failure(refused.reason, refused.account)
                return step
            case Verified(identity):
                self._exchange, self.who = None, identity
                self._services.emit(
                    AuthSucceeded(
                        session=self._client.session_id,
                        listener=self._client.listener,
                        client=self._client.text,
                        account=identity.account,
                        mechanism=self._mechanism,
                        authenticator=identity.authenticator,
                    )
                )
                return replies.AUTH_OK
            case Rejected(reason, account):
                if exchange.refused is None:
                    self._note_failure(reason, account)
                self.forget()
                return replies.AUTH_FAILED
            case Unavailable(reason):
                self._note_failure(reason, "", replies.AUTH_UNAVAILABLE)
                self.forget()
                return replies.AUTH_UNAVAILABLE
            case _:
                assert_never(step)

    def _note_failure(
        self, reason: str, account: str, reply: Reply = replies.AUTH_FAILED
    ) -> None:
        self._services.emit(
            AuthFailed(
                session=self._client.session_id,
                listener=self._client.listener,
                client=self._client.text,
                account=printable(account, MAX_LOGGED_ACCOUNT),
                mechanism=self._mechanism,
                reply=str(reply),
                reason=reason,
            )
        )

    def cancel(self) -> None:
        """Drop the exchange: the client cancelled it, broke it, or has gone."""
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            # An authenticator may hold a process or a context for it.
            exchange.close()
