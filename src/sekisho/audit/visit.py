"""What one probe is given: the target, the names to use, and a door to knock at.

Placeholders in wire texts are the catalogue's: ``{D}`` the local domain, ``{H}`` the
server's name, ``{IP}`` its address, ``{X}`` the canary's domain, ``{C}`` the canary's
local part with this probe's token, ``{U}`` the account, ``{N}`` a user that does not
exist, ``{V}`` another local user.
"""

import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from sekisho.audit.conversation import Conversation, HindranceError
from sekisho.audit.target import Target
from sekisho.audit.transcript import Transcript
from sekisho.model.reply import Reply

GREETING = 220


class TurnedAwayError(HindranceError):
    """The greeting is no 220: a ban, a block list, too many connections."""


def spelled(reply: Reply) -> str:
    """Give a reply for people: code, enhanced code and its first line."""
    return " ".join(filter(None, (str(reply.code), reply.enhanced, reply.lines[0])))


@dataclass(frozen=True, slots=True)
class Account:
    """The administrator's test account; the password is in no repr."""

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Names:
    """What placeholders stand for.

    Attributes:
        domain: Local at the server.
        server: Its own name, from the greeting.
        foreign: A domain that the server has no reason to relay to.
        canary: The administrator's address in it, or empty.
        known: The local part of a user who exists, or empty where none was named.
        unknown: A local part that nobody has.
        other: Another local user.

    """

    domain: str
    server: str
    foreign: str
    canary: str
    known: str
    unknown: str
    other: str


@dataclass(slots=True, kw_only=True)
class Visit:
    """One probe's stay at one port.

    Attributes:
        target: Whom.
        names: The placeholders.
        account: Where one was given.
        token: This probe's own, in local parts and Message-IDs.
        transcript: Of all its connections.
        pace: Waits before each connection; the manners.
        arrived: Asks, or waits for, the canary by token; None without a canary.
        fetched: Gives what arrived, octets and all, or None; None itself where the
            canary's mailbox cannot be read.
        spent: Called before each attempt with a user and a password.

    """

    target: Target
    names: Names
    token: str
    account: Account | None = None
    transcript: Transcript = field(default_factory=Transcript)
    pace: Callable[[], Awaitable[None]] | None = None
    arrived: Callable[[str], Awaitable[bool]] | None = None
    fetched: Callable[[str], Awaitable[bytes | None]] | None = None
    spent: Callable[[], None] | None = None

    @property
    def recipient(self) -> str:
        """The canary's local part with the token in it.

        A ``*`` in the canary's address stands for the token; without one it comes
        behind a ``+``, as many servers let a mailbox have more names.
        """
        marked = f"audit-{self.token}"
        local = self.names.canary.rpartition("@")[0]
        if "*" in local:
            return local.replace("*", marked)
        return f"{local}+{marked}" if local else marked

    def text(self, template: str) -> str:
        """Fill the placeholders.

        Where people sign in with an address, ``{U}`` alone is it, ``{U}@{D}`` as well,
        and elsewhere ``{U}`` is its local part.
        """
        names = self.names
        user = self.account.user if self.account else names.known
        if "@" in user and template != "{U}":
            template = template.replace("{U}@{D}", user)
            user = user.rpartition("@")[0]
        values = {
            "D": names.domain,
            "H": names.server,
            "IP": self.target.address,
            "X": names.foreign,
            "C": self.recipient,
            "U": user,
            "N": names.unknown,
            "V": names.other,
        }
        # Not str.format: braces of probes such as "${run{x}}" are theirs.
        for name, value in values.items():
            template = template.replace("{" + name + "}", value)
        return template

    @asynccontextmanager
    async def dial(
        self,
        *,
        greeted: bool = True,
        opening: bytes = b"",
        context: ssl.SSLContext | None = None,
    ) -> AsyncGenerator[Conversation]:
        """Connect; read the greeting unless told not to; close at the end.

        Args:
            greeted: Whether to read it.
            opening: Octets to send before everything else.
            context: For TLS from the start, where a certificate of ours is shown.

        Raises:
            HindranceError: No connection, or no greeting with 220.

        """
        if self.pace is not None:
            await self.pace()
        self.transcript.note(f"connection to {self.target}")
        async with await Conversation.open(
            self.target,
            self.transcript,
            opening=self.target.proxy + opening,
            context=context,
        ) as conversation:
            if greeted:
                reply = await conversation.greet()
                if reply.code != GREETING:
                    raise TurnedAwayError(
                        f"the server turned us away: {spelled(reply)}"
                    )
            yield conversation

    @asynccontextmanager
    async def ready(self) -> AsyncGenerator[Conversation]:
        """Connect, EHLO, TLS with EHLO again where it is offered; QUIT at the end."""
        async with self.dial() as conversation:
            await conversation.ehlo()
            if not conversation.secured and "STARTTLS" in conversation.offers.keywords:
                await conversation.start_tls()
                await conversation.ehlo()
            yield conversation
            await conversation.part()
