"""One exchange of GSSAPI (RFC 4752) or GSS-SPNEGO.

```
token … token      until the context is complete          both
server offers      wrap(1 0 0 0): no security layer       GSSAPI alone
client chooses     wrap(1 0 0 0 authzid)                  GSSAPI alone
```

No layer but TLS is offered, so the client can choose nothing else. A client that says
that it binds itself to this TLS session and does not is refused by the library; one
that says nothing is refused here, unless the configuration allows it: whoever sits
between could have passed its ticket on.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Protocol

from sekisho.auth.kerberos.gss import KRB5_OID_DER, GssRefusedError, Library, Shown
from sekisho.auth.precis import PreparationError, prepare_name
from sekisho.auth.sasl import Challenge
from sekisho.model.identity import ChainAnswer, Rejected

NO_LAYER = b"\x01\x00\x00\x00"
MAX_STEPS = 6
_HEADER_OCTETS = 20
"""A token's tag, length and mechanism are in these (RFC 2743 §3.1)."""

Run = Callable[..., Awaitable[Any]]
"""Calls a function of the library in a thread."""


class Owner(Protocol):
    """Whose exchange it is."""

    async def judge(self, shown: Shown) -> ChainAnswer:
        """Say who has shown this."""
        ...

    def account_of(self, principal: str) -> str:
        """The account of a principal.

        Raises:
            PreparationError: It can be none.

        """
        ...


class KerberosAcceptor:
    """One exchange.

    Args:
        owner: Says whose the ticket is.
        library: Reads it.
        run: Calls the library in a thread.
        channel_binding: Of our certificate.
        negotiates: Whether it is SPNEGO, which has no security layers.

    """

    def __init__(
        self,
        owner: Owner,
        library: Library,
        run: Run,
        channel_binding: bytes,
        *,
        negotiates: bool,
    ) -> None:
        self.account = ""
        self._owner = owner
        self._library = library
        self._run = run
        self._binding = channel_binding
        self._negotiates = negotiates
        self._context: Any = None
        self._take: Callable[[bytes], Awaitable[Challenge | ChainAnswer]] = (
            self._take_first
        )
        self._steps = 0

    async def step(self, response: bytes) -> Challenge | ChainAnswer:
        """Take the client's next token."""
        self._steps += 1
        if self._steps > MAX_STEPS:
            return Rejected("the exchange has too many steps", self.account)
        try:
            return await self._take(response)
        except GssRefusedError as error:
            return Rejected(str(error), self.account)

    def close(self) -> None:
        """Forget the context."""
        self._context = None

    async def _take_first(self, token: bytes) -> Challenge | ChainAnswer:
        if not self._negotiates and KRB5_OID_DER not in token[:_HEADER_OCTETS]:
            return Rejected("the token is not one of Kerberos")
        self._context = await self._run(self._library.begin, self._binding)
        self._take = self._take_token
        return await self._take_token(token)

    async def _take_token(self, token: bytes) -> Challenge | ChainAnswer:
        answer: bytes
        answer, is_complete = await self._run(self._library.step, self._context, token)
        if not is_complete:
            return Challenge(answer)
        shown: Shown = await self._run(self._library.shown, self._context)
        try:
            self.account = self._owner.account_of(shown.principal)
        except PreparationError as error:
            return Rejected(str(error))
        if answer:
            self._take = partial(self._take_nothing, shown)
            return Challenge(answer)
        return await self._offer(shown)

    async def _take_nothing(
        self, shown: Shown, response: bytes
    ) -> Challenge | ChainAnswer:
        """Take the client's empty response to our last token."""
        if response:
            return Rejected("a token where none belongs", self.account)
        return await self._offer(shown)

    async def _offer(self, shown: Shown) -> Challenge | ChainAnswer:
        if self._negotiates:
            return await self._owner.judge(shown)
        self._take = partial(self._take_choice, shown)
        return Challenge(await self._run(self._library.wrap, self._context, NO_LAYER))

    async def _take_choice(self, shown: Shown, response: bytes) -> ChainAnswer:
        chosen: bytes = await self._run(self._library.unwrap, self._context, response)
        if chosen[:4] != NO_LAYER:
            return Rejected("the client chose another security layer", self.account)
        if chosen[4:] and not self._names_itself(chosen[4:], shown):
            return Rejected(
                "the authorization identity is another account's", self.account
            )
        return await self._owner.judge(shown)

    def _names_itself(self, authzid: bytes, shown: Shown) -> bool:
        try:
            acts_as = prepare_name(authzid.decode("utf-8"))
        except (UnicodeDecodeError, PreparationError):
            return False
        return acts_as in (self.account, shown.principal.lower())
