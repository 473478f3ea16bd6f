"""TLS contexts, and the channel binding of our own certificate.

TLS 1.2 is the least on both sides. Renegotiation is off on the server: it buys nothing
in SMTP and costs a class of attacks. As a client there are two contexts: one verifies
chain and name (`TlsPolicy.REQUIRED`), one encrypts for whoever is there, which still
beats plain text against all who only listen (RFC 7435).
"""

import hashlib
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from sekisho.net.client_certificates import Authority, ask_clients
from sekisho.net.tls_files import TlsFilesError, why

__all__ = [
    "ServerTls",
    "TlsFilesError",
    "load_server_tls",
    "opportunistic_context",
    "server_end_point",
    "verifying_context",
]


@dataclass(frozen=True, slots=True)
class ServerTls:
    """What a listener needs.

    Attributes:
        context: For the handshake.
        channel_binding: ``tls-server-end-point`` (RFC 5929 §4), or empty where the
            certificate's signature names no hash, for which the RFC defines none.
        not_after: Unix seconds when the certificate expires.
        asking: Contexts of the listeners that ask for clients' certificates.

    """

    context: ssl.SSLContext
    channel_binding: bytes
    not_after: float
    asking: Mapping[str, ssl.SSLContext] = field(
        default_factory=dict[str, ssl.SSLContext]
    )

    def context_of(self, listener: str) -> ssl.SSLContext:
        """What this listener shakes hands with."""
        return self.asking.get(listener, self.context)


def load_server_tls(
    certificate: Path, key: Path, authorities: Mapping[str, Authority] | None = None
) -> ServerTls:
    """Read a certificate chain and its key.

    Args:
        certificate: PEM.
        key: PEM.
        authorities: Who signs the certificates of clients, by listener.

    Raises:
        TlsFilesError: They cannot be read, or do not belong together.

    """
    context, own = _load(certificate, key)
    asking: dict[str, ssl.SSLContext] = {}
    for listener, authority in (authorities or {}).items():
        asking[listener], _ = _load(certificate, key)
        ask_clients(asking[listener], authority)
    return ServerTls(
        context=context,
        channel_binding=server_end_point(own),
        not_after=own.not_valid_after_utc.timestamp(),
        asking=asking,
    )


def _load(certificate: Path, key: Path) -> tuple[ssl.SSLContext, x509.Certificate]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    # A ticket is good at the worker that gave it and at no other, and saves no round
    # trip; making two of them costs a sixth of a handshake.
    context.num_tickets = 0
    try:
        # A key with a passphrase would ask for it on the terminal.
        context.load_cert_chain(certificate, key, password=_refuse_passphrase)
        own = x509.load_pem_x509_certificates(certificate.read_bytes())[0]
    except OSError as error:
        # ssl.SSLError is an OSError too.
        raise TlsFilesError(
            f"{certificate} and {key} cannot be used: {why(error)}",
            "give a PEM certificate chain, own certificate first, and its PEM key",
        ) from error
    except ValueError as error:
        raise TlsFilesError(
            f"{key} or {certificate} cannot be read: {error}",
            "give PEM files; the key without a passphrase",
        ) from error
    return context, own


def _refuse_passphrase() -> str:
    raise ValueError("the key is protected by a passphrase")


def server_end_point(certificate: x509.Certificate) -> bytes:
    """Make the ``tls-server-end-point`` binding of a certificate (RFC 5929 §4.1)."""
    algorithm = certificate.signature_hash_algorithm
    if algorithm is None:
        return b""
    name = "sha256" if algorithm.name in ("md5", "sha1") else algorithm.name
    return hashlib.new(name, certificate.public_bytes(Encoding.DER)).digest()


def verifying_context(ca_file: Path | None = None) -> ssl.SSLContext:
    """Make the client context that verifies chain and name.

    Args:
        ca_file: Trust these authorities instead of the system's.

    Raises:
        TlsFilesError: The file cannot be used.

    """
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise TlsFilesError(
            f"{ca_file} cannot be used: {why(error)}", "give a PEM file"
        ) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def opportunistic_context() -> ssl.SSLContext:
    """Make the client context that encrypts and verifies nothing."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
