"""The start of TLS of one connection, and what client and log hear of it."""

from sekisho.model.reply import printable
from sekisho.net.client_certificates import shown_certificate
from sekisho.net.tls_feed import TlsFeed
from sekisho.observe.events import TlsFailed, TlsStarted
from sekisho.server.client import Client
from sekisho.server.services import Services

HANDSHAKE_SECONDS = 30.0


def begin_tls(services: Services, client: Client) -> TlsFeed:
    """Wait for the client's handshake, with the listener's certificate as it is now.

    Raises:
        ConnectionAbortedError: There is none any more.

    """
    tls = services.tls
    if tls is None:
        raise ConnectionAbortedError("there is no certificate any more")
    # Of this handshake: the certificate may be renewed while the session runs.
    client.channel_binding = tls.channel_binding
    return TlsFeed(tls.context_of(client.listener))


def note_tls(services: Services, client: Client, tls: TlsFeed) -> None:
    """Note of the client what the handshake showed, and log it."""
    ssl_object = tls.ssl_object
    client.certificate = shown_certificate(ssl_object)
    client.tls_version = ssl_object.version() or ""
    client.tls_cipher = (ssl_object.cipher() or ("",))[0]
    services.emit(TlsStarted(client.session_id, client.tls_version, client.tls_cipher))


def note_no_tls(services: Services, client: Client, error: Exception) -> None:
    """Log why there is no TLS."""
    said = (getattr(error, name, None) for name in ("verify_message", "reason"))
    reason = next(filter(None, said), str(error) or type(error).__name__)
    services.emit(
        TlsFailed(
            session=client.session_id,
            client=client.text,
            reason=printable(str(reason)),
        )
    )
