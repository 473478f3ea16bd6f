"""One connection to the server that is audited: octets out, whole replies in.

The other side is a stranger and perhaps broken on purpose, so nothing here assumes a
right answer: each wait is bounded, and silence, a closed door and words that are no
SMTP are errors with a name, all of them a `HindranceError`. Everything said is kept in
the transcript; secrets go in by `hide` first and never stand there.

Certificates are not looked at: what is asked is whom the server trusts.
"""

import asyncio
import ssl
from contextlib import suppress
from types import TracebackType
from typing import Self

from sekisho.audit.target import Target
from sekisho.audit.transcript import Direction, Transcript
from sekisho.model.reply import Reply
from sekisho.session.client_extensions import (
    NO_CAPABILITIES,
    Capabilities,
    parse_capabilities,
)
from sekisho.wire.reply_lines import ReplyReader, ReplySyntaxError

CONNECT_SECONDS = 10.0
REPLY_SECONDS = 10.0
CLOSE_SECONDS = 0.2
PARTING_SECONDS = 0.3
READ_OCTETS = 65536


class HindranceError(Exception):
    """Something stood in the way; the message says what, in one sentence."""


class NoConnectionError(HindranceError):
    """Nobody answers at this port."""


class ClosedError(HindranceError):
    """The server closed where a reply was wanted."""


class SilentError(HindranceError):
    """No reply came in time."""


class GarbageError(HindranceError):
    """What came is no SMTP reply."""


class TlsError(HindranceError):
    """The handshake failed, or STARTTLS was refused."""


def any_certificate() -> ssl.SSLContext:
    """Make a context that takes whatever is shown, and old protocols too."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    # The servers that most need an audit speak nothing newer.
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    return context


class Conversation:
    """An open connection; use `Visit.dial` to get one.

    Attributes:
        greeting: The 220, once `greet` has read it.
        offers: What the last EHLO offered.
        secured: Whether TLS is on.
        last_octets: What was read last, as it came; `Reply` cuts what is long.

    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        transcript: Transcript,
        *,
        hostname: str = "audit.invalid",
    ) -> None:
        self.transcript = transcript
        self.greeting: Reply | None = None
        self.offers: Capabilities = NO_CAPABILITIES
        self.secured = False
        self.last_octets = b""
        self.hostname = hostname
        self._reader = reader
        self._writer = writer
        self._socket = writer.transport
        self._replies = ReplyReader()

    @classmethod
    async def open(
        cls,
        target: Target,
        transcript: Transcript,
        *,
        opening: bytes = b"",
        context: ssl.SSLContext | None = None,
    ) -> Self:
        """Connect; speak TLS from the start where the port wants it.

        Args:
            target: Whom to.
            transcript: Where to write what is said.
            opening: Octets before everything else, before a handshake too (PROXY).
            context: For the handshake, where a certificate of ours is shown.

        Raises:
            HindranceError: Nobody is there, or the handshake failed.

        """
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                reader, writer = await asyncio.open_connection(
                    target.address, target.port, local_addr=target.source
                )
        except (OSError, TimeoutError) as error:
            said = getattr(error, "strerror", None) or "no answer"
            raise NoConnectionError(f"no connection to {target}: {said}") from error
        self = cls(reader, writer, transcript)
        try:
            if opening:
                await self.send(opening)
            if target.implicit_tls:
                await self.handshake(context)
        except BaseException:
            await self.close()
            raise
        return self

    async def __aenter__(self) -> Self:
        """Give itself."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close without a word."""
        await self.close()

    # --- talking

    async def greet(self) -> Reply:
        """Read the greeting, whatever its code."""
        self.greeting = await self.reply()
        return self.greeting

    async def say(self, line: str | bytes, *, seconds: float = REPLY_SECONDS) -> Reply:
        """Send one line with its CRLF, and give the reply."""
        octets = (
            line.encode("utf-8", "surrogateescape") if isinstance(line, str) else line
        )
        await self.send(octets + b"\r\n")
        return await self.reply(seconds)

    async def ehlo(self, name: str = "") -> Reply:
        """Say EHLO, and remember what is offered; after a refusal nothing is."""
        reply = await self.say(f"EHLO {name or self.hostname}")
        well = reply.code == 250  # noqa: PLR2004 - RFC 5321 §4.1.1.1
        self.offers = parse_capabilities(reply) if well else NO_CAPABILITIES
        return reply

    async def start_tls(self, context: ssl.SSLContext | None = None) -> None:
        """Say STARTTLS, and shake hands; EHLO is not said again.

        Raises:
            TlsError: It was refused, or the handshake failed.

        """
        reply = await self.say("STARTTLS")
        if reply.code != 220:  # noqa: PLR2004 - RFC 3207 §4
            raise TlsError(f"STARTTLS was refused: {reply.code} {reply.lines[0]}")
        await self.handshake(context)

    async def handshake(self, context: ssl.SSLContext | None = None) -> None:
        """Shake hands now.

        Raises:
            TlsError: It failed.

        """
        self.transcript.note("TLS handshake")
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await self._writer.start_tls(context or any_certificate())
        except (OSError, TimeoutError, ssl.SSLError) as error:
            raise TlsError(f"the TLS handshake failed: {error}") from error
        self.secured = True
        self.offers = NO_CAPABILITIES

    @property
    def peer_certificate(self) -> bytes:
        """The server's certificate in DER, or nothing."""
        tls = self._writer.get_extra_info("ssl_object")
        shown = tls.getpeercert(binary_form=True) if tls is not None else None
        return shown or b""

    # --- octets

    async def send(self, octets: bytes) -> None:
        """Send octets, whatever they are.

        Raises:
            ClosedError: The server is gone.

        """
        if self._writer.is_closing():
            # A TLS transport that was closed cannot even be written to.
            raise ClosedError("the server closed the connection")
        self.transcript.add(Direction.OURS, octets)
        try:
            self._writer.write(octets)
            async with asyncio.timeout(REPLY_SECONDS):
                await self._writer.drain()
        except TimeoutError as error:
            raise SilentError("the server does not read what it is sent") from error
        except OSError as error:
            raise ClosedError("the server closed the connection") from error

    async def reply(self, seconds: float = REPLY_SECONDS) -> Reply:
        """Read one whole reply.

        Raises:
            HindranceError: None came, or no SMTP.

        """
        try:
            async with asyncio.timeout(seconds):
                while True:
                    if (reply := self._replies.next_reply()) is not None:
                        return reply
                    octets = await self._read()
                    if not octets:
                        raise ClosedError("the server closed the connection")
                    self._replies.receive(octets)
                    self.last_octets = octets
        except TimeoutError as error:
            raise SilentError(f"no reply within {seconds:g} s") from error
        except ReplySyntaxError as error:
            raise GarbageError(f"what came is no SMTP reply: {error}") from error

    async def more(self, seconds: float) -> Reply | None:
        """Give one more reply if one comes within the time, else None."""
        try:
            return await self.reply(seconds)
        except SilentError:
            return None

    async def ends(self, seconds: float = REPLY_SECONDS) -> bool:
        """Whether the server closes within the time; what it says is thrown away."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while await self._read():
                    pass
                return True
        return False

    async def _read(self) -> bytes:
        try:
            octets = await self._reader.read(READ_OCTETS)
        except OSError:
            octets = b""
        if octets:
            self.transcript.add(Direction.THEIRS, octets)
        return octets

    async def quit(self) -> None:
        """Say QUIT where somebody listens, and close."""
        with suppress(HindranceError):
            await self.say("QUIT", seconds=2.0)
        await self.close()

    async def part(self) -> None:
        """Say QUIT and wait a moment; some servers count who just goes as there."""
        if self._writer.is_closing():
            return
        with suppress(HindranceError):
            await self.send(b"QUIT\r\n")
            await self.ends(PARTING_SECONDS)

    async def close(self) -> None:
        """Close; no error is told, for all was said.

        Some servers leave a TLS connection half closed and count it as open: after a
        short wait it is cut off.
        """
        self._writer.close()
        with suppress(OSError, ssl.SSLError, TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._writer.wait_closed()
                return
        # The one below TLS: a closed one of TLS has nothing left to abort.
        self._socket.abort()
