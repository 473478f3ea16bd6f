"""A self-signed certificate, so that the first start has TLS.

Clients that verify (RFC 8314 wants submission clients to) will not take it; it is
replaced by one of a certification authority. Renewal is the file's matter, not ours.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

LIFETIME = timedelta(days=825)


@dataclass(frozen=True, slots=True)
class CertificatePair:
    """A certificate and its key, as PEM."""

    certificate: bytes
    key: bytes

    def __repr__(self) -> str:
        return "CertificatePair()"


def self_signed(hostname: str, unix_seconds: float) -> CertificatePair:
    """Make a certificate for a host name, valid from an hour ago.

    Args:
        hostname: In normal form.
        unix_seconds: Now.

    """
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.fromtimestamp(unix_seconds, UTC)
    # A common name has at most 64 characters; who reads it today reads the SAN.
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hostname[:64])])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + LIFETIME)
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName(hostname)]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    return CertificatePair(
        certificate.public_bytes(Encoding.PEM),
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    )
