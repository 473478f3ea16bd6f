"""One message to one server over a blocking socket: for ``send`` and ``sendmail``.

It drives the same client machine as delivery does, so that what an administrator tries
by hand is what the service does. Every line said and heard can be watched; what would
show a secret is masked before it gets there.
"""

import re
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import IO

from sekisho.model.envelope import Envelope, Recipient
from sekisho.model.outcome import Deferred, Failed, Outcome
from sekisho.session.client import ClientSession
from sekisho.session.client_events import (
    ClientEvent,
    ClientProfile,
    ContentFacts,
    ContentWanted,
    SessionFailed,
    SessionReady,
    TlsWanted,
    TransactionDone,
)

PIECE_BYTES = 64 * 1024
_READ_BYTES = 64 * 1024
_AUTH_LINE = re.compile(rb"(AUTH [A-Z0-9-]+) .+", re.IGNORECASE)

Watch = Callable[[str, bytes], None]
"""Called with ``>`` or ``<`` or ``*`` and one line, without its end."""


def _unwatched(mark: str, line: bytes) -> None:
    del mark, line


@dataclass(slots=True)
class Letter:
    """A message that lies in a file.

    Attributes:
        envelope: With its recipients.
        content: In CRLF form, from its present position on.
        size: Octets of it.
        eight_bit: Whether an octet above 127 stands in it.
        utf8_header: Whether one stands in its header.

    """

    envelope: Envelope
    content: IO[bytes] = field(repr=False)
    size: int
    eight_bit: bool = True
    utf8_header: bool = False


class Conversation:
    """A session with a server, from the greeting to QUIT."""

    def __init__(
        self,
        connection: socket.socket,
        profile: ClientProfile,
        *,
        context: ssl.SSLContext | None = None,
        implicit_tls: bool = False,
        watch: Watch = _unwatched,
    ) -> None:
        self._socket = connection
        self._profile = profile
        self._context = context
        self._watch = watch
        self._masks_next = False
        if implicit_tls:
            self._wrap()
        tls = self._tls_version() if implicit_tls else ""
        self._session = ClientSession(profile, now=time.monotonic(), tls=tls)

    def deliver(self, letter: Letter) -> tuple[Outcome, ...]:
        """Send a message and say QUIT.

        Returns:
            One outcome for each recipient, in the envelope's order.

        """
        recipients = letter.envelope.recipients
        while True:
            event = self._next_event()
            match event:
                case TlsWanted():
                    self._start_tls()
                case SessionReady():
                    facts = ContentFacts(
                        letter.size, letter.eight_bit, letter.utf8_header
                    )
                    self._session.send(
                        letter.envelope, recipients, facts, time.monotonic()
                    )
                case ContentWanted():
                    self._send_content(letter.content)
                case TransactionDone(outcomes):
                    self._session.quit(time.monotonic())
                    self._say_goodbye()
                    return outcomes
                case SessionFailed(failure):
                    return self._all(recipients, failure)
                case _:
                    pass  # Probes are not asked for here.

    @staticmethod
    def _all(
        recipients: Sequence[Recipient], failure: Deferred | Failed
    ) -> tuple[Outcome, ...]:
        return (failure,) * len(recipients)

    def _next_event(self) -> ClientEvent:
        while (event := self._session.next_event()) is None:
            self._send(self._session.output())
            # What was said may itself have settled the matter.
            if (event := self._session.next_event()) is not None:
                return event
            self._receive()
        return event

    def _send_content(self, content: IO[bytes]) -> None:
        sent = 0
        while piece := content.read(PIECE_BYTES):
            self._session.content(piece, time.monotonic())
            octets = self._session.output()
            self._socket.sendall(octets)
            sent += len(piece)
        self._session.content_ends(time.monotonic())
        self._socket.sendall(self._session.output())
        self._watch("*", b"%d octets of content, then a lone dot" % sent)

    def _say_goodbye(self) -> None:
        self._send(self._session.output())
        while not self._session.ended:
            self._receive()

    def _send(self, octets: bytes) -> None:
        for line in octets.splitlines():
            self._watch(">", self._masked(line))
        if octets:
            self._socket.sendall(octets)

    def _masked(self, line: bytes) -> bytes:
        if self._masks_next:
            self._masks_next = False
            return b"(secret)"
        return _AUTH_LINE.sub(rb"\1 (secret)", line)

    def _receive(self) -> None:
        try:
            octets = self._socket.recv(_READ_BYTES)
        except TimeoutError:
            self._session.timed_out()
            return
        except OSError:
            octets = b""
        if not octets:
            self._session.lost()
            return
        for line in octets.splitlines():
            self._masks_next = line.startswith(b"334")
            self._watch("<", line)
        self._session.receive(octets, time.monotonic())

    def _start_tls(self) -> None:
        try:
            self._wrap()
        except (OSError, ssl.SSLError) as error:
            self._session.tls_failed(str(getattr(error, "reason", "") or error))
            return
        self._session.tls_started(self._tls_version(), time.monotonic())

    def _wrap(self) -> None:
        context = self._context or ssl.create_default_context()
        self._socket = context.wrap_socket(
            self._socket, server_hostname=self._profile.host
        )
        self._watch("*", f"TLS handshake: {self._tls_version()}".encode())

    def _tls_version(self) -> str:
        version = getattr(self._socket, "version", None)
        return (version() if version else None) or ""
