"""The start of TLS: one handshake of one connection, and what the log hears of it.

The connection gets one of two answers: the transport that encrypts, or why there is
none. A client that has gone meanwhile is told of to the connection only (asyncio says
nothing to whoever shakes hands): it calls `give_up`, and no answer comes.
"""

import asyncio
from collections.abc import Callable
from typing import cast

from sekisho.model.reply import printable
from sekisho.net.client_certificates import shown_certificate
from sekisho.net.tls import ServerTls
from sekisho.observe.events import TlsFailed, TlsStarted
from sekisho.server.client import Client
from sekisho.server.handshake import start_tls
from sekisho.server.services import Services

HANDSHAKE_SECONDS = 30.0


class TlsStart:
    """One handshake; begins when it is made."""

    def __init__(
        self,
        services: Services,
        client: Client,
        transport: asyncio.Transport,
        *,
        early: Callable[[], bytes],
        shaken: Callable[[asyncio.Transport, ServerTls], None],
        failed: Callable[[OSError], None],
    ) -> None:
        """Shake hands in a task.

        Args:
            services: Where the certificate is, and the log.
            client: Gets what the handshake shows of it.
            transport: The connection in plain text. Its protocol gets what the client
                says under TLS, perhaps before `shaken`.
            early: Gives the handshake's first octets, where they were read already.
            shaken: Gets the transport that encrypts, and by which certificate.
            failed: Gets the reason.

        """
        self._services = services
        self._client = client
        self._shaken = shaken
        self._failed = failed
        # What comes now is the handshake's, which goes on reading when it begins.
        transport.pause_reading()
        self._task = asyncio.ensure_future(self._shake(transport, early))

    def give_up(self) -> None:
        """Stop; no answer is given any more."""
        self._task.cancel()

    async def _shake(
        self, transport: asyncio.Transport, early: Callable[[], bytes]
    ) -> None:
        tls = self._services.tls
        try:
            if tls is None:
                raise ConnectionAbortedError("there is no certificate any more")
            private = await start_tls(
                transport,
                cast("asyncio.Protocol", transport.get_protocol()),
                tls.context_of(self._client.listener),
                seconds=HANDSHAKE_SECONDS,
                early=early,
            )
        except OSError as error:
            self._failed(error)
        else:
            self._shaken(private, tls)

    def note_success(self, transport: asyncio.Transport, tls: ServerTls) -> None:
        """Note of the client what the handshake showed, and log it."""
        client = self._client
        # Of this handshake: the certificate may be renewed while the session runs.
        client.channel_binding = tls.channel_binding
        ssl_object = transport.get_extra_info("ssl_object")
        client.certificate = shown_certificate(ssl_object)
        client.tls_version = ssl_object.version() or ""
        client.tls_cipher = (ssl_object.cipher() or ("",))[0]
        self._services.emit(
            TlsStarted(client.session_id, client.tls_version, client.tls_cipher)
        )

    def note_failure(self, error: Exception) -> None:
        """Log why there is no TLS."""
        said = (getattr(error, name, None) for name in ("verify_message", "reason"))
        reason = next(filter(None, said), str(error) or type(error).__name__)
        self._services.emit(
            TlsFailed(
                session=self._client.session_id,
                client=self._client.text,
                reason=printable(str(reason)),
            )
        )
