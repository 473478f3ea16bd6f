"""The channel binding is that of RFC 5929 §4.1."""

import datetime as dt
from hashlib import sha256, sha384
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from sekisho.auth.channel_binding import server_end_point


def certificate(key: Any, algorithm: Any) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "relay.example.com")])
    start = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + dt.timedelta(days=1))
    )
    return builder.sign(key, algorithm).public_bytes(Encoding.DER)


def test_the_hash_is_the_signatures_own() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    for algorithm, expected in ((hashes.SHA256(), sha256), (hashes.SHA384(), sha384)):
        der = certificate(key, algorithm)
        assert server_end_point(der) == expected(der).digest()


def test_md5_and_sha1_are_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    der = certificate(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())

    class Old:
        signature_hash_algorithm = hashes.SHA1()

        def fingerprint(self, algorithm: hashes.HashAlgorithm) -> bytes:
            return x509.load_der_x509_certificate(der).fingerprint(algorithm)

    def load(_der: bytes) -> Old:
        return Old()

    monkeypatch.setattr("sekisho.auth.channel_binding.load_der_x509_certificate", load)
    assert server_end_point(der) == sha256(der).digest()


def test_a_signature_without_a_hash_has_no_binding() -> None:
    der = certificate(ed25519.Ed25519PrivateKey.generate(), None)
    assert server_end_point(der) == b""


def test_what_is_no_certificate_is_refused() -> None:
    with pytest.raises(ValueError, match="pars"):
        server_end_point(b"nonsense")
