"""``tls-server-end-point``: what binds SCRAM-SHA-256-PLUS to our certificate.

RFC 5929 §4.1: the hash of the certificate, by the hash of its own signature, with
SHA-256 in place of MD5 and SHA-1. A signature without a hash of its own (Ed25519) has
no such binding by that text; then there is none, and -PLUS is not offered.
"""

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.x509 import load_der_x509_certificate


def server_end_point(certificate: bytes) -> bytes:
    """Compute the channel binding of a certificate.

    Args:
        certificate: In DER.

    Returns:
        The binding, or nothing where none is defined.

    Raises:
        ValueError: It is no certificate.

    """
    loaded = load_der_x509_certificate(certificate)
    try:
        algorithm = loaded.signature_hash_algorithm
    except UnsupportedAlgorithm:
        return b""
    if algorithm is None:
        return b""
    if isinstance(algorithm, hashes.MD5 | hashes.SHA1):
        algorithm = hashes.SHA256()
    return loaded.fingerprint(algorithm)
