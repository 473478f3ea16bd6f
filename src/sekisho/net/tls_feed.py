"""TLS of one connection as its server: octets in, octets out, and no transport.

`asyncio` can put TLS between a transport and its protocol. Here the protocol keeps its
transport and asks a `TlsFeed` what the octets say and how to say its own. So pauses,
bounds and ends are the same as in plain text, what is said under TLS is known to be
said under TLS, and a handshake needs neither a task nor a timer nor a future.

What OpenSSL is given at once is bounded by `PIECE_BYTES`: its buffers never shrink, and
there is one for each connection that stays.
"""

import ssl
from contextlib import suppress

PIECE_BYTES = 16_384
"""The most that one TLS record says (RFC 8446 §5.1)."""


class TlsFeed:
    """One connection under TLS.

    Attributes:
        ssl_object: For what the handshake showed.
        is_shaken: The handshake is over.
        has_ended: The client said that it says no more (``close_notify``).

    """

    __slots__ = ("_incoming", "_outgoing", "has_ended", "is_shaken", "ssl_object")

    def __init__(self, context: ssl.SSLContext) -> None:
        """Begin with the client's first octet of the handshake."""
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.ssl_object = context.wrap_bio(
            self._incoming, self._outgoing, server_side=True
        )
        self.is_shaken = False
        self.has_ended = False

    def receive(self, octets: bytes) -> bytes:
        """Take what came; `output` may have something to send then.

        Returns:
            What the client says under TLS.

        Raises:
            ssl.SSLError: It is no TLS, or none that we take; the connection is over.

        """
        if len(octets) <= PIECE_BYTES:
            return self._taken(octets)
        return b"".join(
            [
                self._taken(octets[start : start + PIECE_BYTES])
                for start in range(0, len(octets), PIECE_BYTES)
            ]
        )

    def _taken(self, piece: bytes) -> bytes:
        incoming, ssl_object = self._incoming, self.ssl_object
        incoming.write(piece)
        said = b""
        with suppress(ssl.SSLWantReadError):
            if not self.is_shaken:
                ssl_object.do_handshake()
                self.is_shaken = True
            # Nothing waits behind the usual one record: no exception has to say so.
            while incoming.pending and not self.has_ended:
                more = ssl_object.read(PIECE_BYTES)
                said = said + more if said else more
                self.has_ended = not more
        return said

    def output(self) -> bytes:
        """Give what has to be sent for TLS itself: handshake, alert, new keys."""
        return self._outgoing.read()

    def send(self, data: bytes) -> bytes:
        """Say something under TLS: the octets to send."""
        self.ssl_object.write(data)
        return self._outgoing.read()

    def end(self, last: bytes = b"") -> bytes:
        """Say the last, and that it was: the octets to send, none in a handshake."""
        with suppress(ssl.SSLError):
            if last:
                self.ssl_object.write(last)
            # Complains that the client has not said so yet: it need not (§6.1).
            self.ssl_object.unwrap()
        return self._outgoing.read()
