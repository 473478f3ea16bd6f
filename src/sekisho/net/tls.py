"""TLS contexts, and the channel binding of our own certificate.

TLS 1.2 is the least on both sides. Renegotiation is off on the server: it buys nothing
in SMTP and costs a class of attacks. As a client there are two contexts: one verifies
chain and name (`TlsPolicy.REQUIRED`), one encrypts for whoever is there, which still
beats plain text against all who only listen (RFC 7435).
"""

import hashlib
import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding


class TlsFilesError(Exception):
    """Certificate or key cannot be used.

    Attributes:
        hint: What to do.

    """

    def __init__(self, sentence: str, hint: str) -> None:
        super().__init__(sentence)
        self.hint = hint


@dataclass(frozen=True, slots=True)
class ServerTls:
    """What a listener needs.

    Attributes:
        context: For the handshake.
        channel_binding: ``tls-server-end-point`` (RFC 5929 §4), or empty where the
            certificate's signature names no hash, for which the RFC defines none.
        not_after: Unix seconds when the certificate expires.

    """

    context: ssl.SSLContext
    channel_binding: bytes
    not_after: float


def load_server_tls(certificate: Path, key: Path) -> ServerTls:
    """Read a certificate chain and its key.

    Raises:
        TlsFilesError: They cannot be read, or do not belong together.

    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    try:
        # A key with a passphrase would ask for it on the terminal.
        context.load_cert_chain(certificate, key, password=_refuse_passphrase)
        own = x509.load_pem_x509_certificates(certificate.read_bytes())[0]
    except OSError as error:
        # ssl.SSLError is an OSError too.
        raise TlsFilesError(
            f"{certificate} and {key} cannot be used: {_why(error)}",
            "give a PEM certificate chain, own certificate first, and its PEM key",
        ) from error
    except ValueError as error:
        raise TlsFilesError(
            f"{key} or {certificate} cannot be read: {error}",
            "give PEM files; the key without a passphrase",
        ) from error
    return ServerTls(
        context=context,
        channel_binding=server_end_point(own),
        not_after=own.not_valid_after_utc.timestamp(),
    )


def _refuse_passphrase() -> str:
    raise ValueError("the key is protected by a passphrase")


def _why(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return error.reason or "not PEM"
    return error.strerror or str(error)


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
            f"{ca_file} cannot be used: {_why(error)}", "give a PEM file"
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
