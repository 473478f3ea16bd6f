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
        self._exchange = None

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
                return self._failed(replies.AUTH_FAILED, reason, account)
            case Unavailable(reason):
                return self._failed(replies.AUTH_UNAVAILABLE, reason, "")
            case _:
                assert_never(step)

    def _failed(self, reply: Reply, reason: str, account: str) -> Reply:
        self.forget()
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
        return reply

    def cancel(self) -> None:
        """Drop the exchange: the client cancelled it, or broke it."""
        self._exchange = None
