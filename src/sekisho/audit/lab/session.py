"""One session of a lab server: what is known of the client, and reading from it."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from sekisho.audit.lab.door import Door
from sekisho.audit.lab.manners import Manners
from sekisho.audit.lab.sound import LOCALS, MALFORMED_CREDENTIALS
from sekisho.wire.base64 import Base64Fault, decode, encode

MAX_SESSION_SECONDS = 300.0
PATIENCE = 1.0
"""Times ``command_seconds``; who cannot wait for so long shortens it."""
MAX_DISCARDED_OCTETS = 8 * 1024 * 1024


class HangUpError(Exception):
    """Say the last words (none, if empty), and close."""

    def __init__(self, reply: bytes = b"") -> None:
        super().__init__(reply.decode("latin-1"))
        self.reply = reply


class ExchangeEndedError(Exception):
    """An AUTH exchange ends early, with this reply."""

    def __init__(self, reply: bytes) -> None:
        super().__init__(reply.decode("latin-1"))
        self.reply = reply


@dataclass(frozen=True, slots=True)
class Delivered:
    """A message that was taken; it stays in memory.

    Attributes:
        sender: What stood behind ``MAIL FROM:``.
        recipients: What stood behind ``RCPT TO:``.
        mailboxes: Whereto a server with the flaw would have sent it.
        content: Without dot-stuffing.

    """

    sender: bytes
    recipients: tuple[bytes, ...]
    mailboxes: tuple[bytes, ...]
    content: bytes


class LabSession:
    """A client that has connected.

    Attributes:
        manners: Of the server.
        peer: The client's address.
        input: What was read and not yet used.
        ehlo: What the client calls itself; empty before EHLO or HELO.
        extended: Whether it was EHLO.
        identity: Who has signed in, or empty.
        sender: Behind ``MAIL FROM:``, or None outside of a transaction.
        recipients: Behind ``RCPT TO:``.
        smtputf8: Whether MAIL asked for it.
        chunks: What BDAT brought, or None.
        errors: Refusals so far.
        failed_logins: So far.
        looked_up: What was asked of VRFY last, where a flaw remembers it.

    """

    def __init__(
        self,
        manners: Manners,
        door: Door,
        peer: str,
        deliver: Callable[[Delivered], Awaitable[None]],
        context: Callable[[], ssl.SSLContext],
    ) -> None:
        self.manners = manners
        self.peer = peer
        self.deliver = deliver
        self.input = bytearray()
        self.identity = ""
        self.failed_logins = 0
        self.looked_up = b""
        self.errors = 0
        self.ehlo = b""
        self.extended = False
        self._door = door
        self._context = context
        self.reset()

    def reset(self) -> None:
        """End the transaction."""
        self.sender: bytes | None = None
        self.recipients: list[bytes] = []
        self.smtputf8 = False
        self.chunks: bytearray | None = None

    @property
    def secured(self) -> bool:
        """Whether TLS is on."""
        return self._door.secured

    @property
    def shows_certificate(self) -> bool:
        """Whether the client has shown a certificate that is trusted."""
        return self._door.shows_certificate

    # --- octets

    async def send(self, line: bytes) -> None:
        """Send a reply; its CRLF is put behind it."""
        await self._door.write(line + b"\r\n")

    async def more(self) -> None:
        """Wait for more input.

        Raises:
            HangUpError: The client is gone or silent.

        """
        try:
            async with asyncio.timeout(self.manners.idle_seconds):
                octets = await self._door.read()
        except TimeoutError:
            raise HangUpError(b"421 4.4.2 too slow") from None
        if not octets:
            raise HangUpError
        self.input += octets

    async def spoke_early(self) -> bool:
        """Whether input came within the greeting's wait."""
        # A timeout could cancel the read after it took the octets off the socket.
        reading = asyncio.create_task(self.more())
        done, _ = await asyncio.wait({reading}, timeout=self.manners.greeting_wait)
        if not done:
            reading.cancel()
            await asyncio.wait({reading})
            return False
        await reading
        return True

    async def line(self, limit: int = 0) -> bytes | None:
        """Read a command line without its end; None if it was too long.

        Raises:
            HangUpError: It holds what no line may hold, or no line came.

        """
        try:
            async with asyncio.timeout(self.manners.command_seconds * PATIENCE):
                return await self._line(limit or self.manners.max_line_octets)
        except TimeoutError:
            raise HangUpError(b"421 4.4.2 too slow") from None

    async def _line(self, limit: int) -> bytes | None:
        while (end := self.manners.command_ends.search(self.input)) is None:
            self._refuse_bad_octets(len(self.input))
            if len(self.input) > limit:
                await self._discard_line()
                return None
            await self.more()
        self._refuse_bad_octets(end.end())
        line = bytes(self.input[: end.start()])
        del self.input[: end.end()]
        return line if len(line) <= limit else None

    def _refuse_bad_octets(self, end: int) -> None:
        if self.manners.command_refuses.search(self.input, 0, end):
            raise HangUpError(b"500 5.5.2 bare CR, bare LF or NUL")

    async def _discard_line(self) -> None:
        discarded = 0
        while (end := self.manners.command_ends.search(self.input)) is None:
            discarded += len(self.input) - 1
            if discarded > MAX_DISCARDED_OCTETS:
                raise HangUpError(b"500 5.5.2 line too long")
            del self.input[:-1]
            await self.more()
        del self.input[: end.end()]

    async def octets(self, count: int) -> bytes:
        """Read so many octets, whatever they are."""
        while len(self.input) < count:
            await self.more()
        taken = bytes(self.input[:count])
        del self.input[:count]
        return taken

    async def start_tls(self) -> None:
        """Shake hands, and forget what the manners do not keep."""
        kept = self.manners.keeps_over_starttls
        if "input" not in kept:
            self.input.clear()
        async with asyncio.timeout(self.manners.idle_seconds):
            await self._door.handshake(self._context())
        if "envelope" not in kept:
            self.reset()
        if "ehlo" not in kept:
            self.ehlo = b""
            self.extended = False
        if "identity" not in kept:
            self.identity = ""

    # --- AUTH

    async def raw_challenge(self, text: bytes = b"") -> bytes:
        """Say 334 with this text as it is, and give the client's line as it is.

        Raises:
            ExchangeEndedError: The line was too long.

        """
        await self.send(b"334 " + text)
        line = await self.line(self.manners.max_auth_octets)
        if line is None:
            raise ExchangeEndedError(b"500 5.5.6 line too long")
        return line

    async def challenge(self, text: bytes = b"") -> bytes:
        """Say 334 with this text in base64, and give the client's answer decoded.

        Raises:
            ExchangeEndedError: The client has cancelled, or the answer is malformed.

        """
        line = await self.raw_challenge(encode(text))
        if line == b"*":
            raise ExchangeEndedError(b"501 5.7.0 cancelled")
        return self._decoded(line)

    async def response(self, initial: bytes | None, prompt: bytes = b"") -> bytes:
        """Give the initial response decoded, or ask for one."""
        if initial is None:
            return await self.challenge(prompt)
        return self._decoded(b"" if initial == b"=" else initial)

    def _decoded(self, line: bytes) -> bytes:
        octets = decode(line)
        if isinstance(octets, Base64Fault):
            raise ExchangeEndedError(MALFORMED_CREDENTIALS)
        return octets

    def signed_in(self, user: bytes) -> bytes:
        """Note who it is, and give the 235."""
        self.identity = user.decode("utf-8", "replace")
        return b"235 2.7.0 authenticated"

    # --- a message

    async def took(self, content: bytes) -> bytes:
        """Judge whole content, keep what is well, and end the transaction."""
        reply = next(
            filter(
                None, (check(self, content) for check in self.manners.content_checks)
            ),
            None,
        )
        if reply is None:
            await self._keep(content)
            reply = b"250 2.0.0 taken"
        self.reset()
        return reply

    async def _keep(self, content: bytes) -> None:
        content = self.manners.sends_on(self, content)
        sender, recipients = self.sender or b"", tuple(self.recipients)
        leads_to = self.manners.leads_to
        mailboxes = tuple(leads_to(recipient) for recipient in recipients)
        await self.deliver(Delivered(sender, recipients, mailboxes, content))
        strangers = [m for m in mailboxes if m.partition(b"@")[0] not in LOCALS]
        if self.manners.bounces and strangers:
            back = leads_to(sender)
            await self.deliver(
                Delivered(b"<>", (b"<" + back + b">",), (back,), content)
            )
