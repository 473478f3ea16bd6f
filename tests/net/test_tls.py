"""TLS contexts refuse what they cannot use, and bind to our own certificate."""

import hashlib
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import NameOID

from peers.certificate import make_certificate
from sekisho.net.tls import (
    TlsFilesError,
    load_server_tls,
    opportunistic_context,
    server_end_point,
    verifying_context,
)


def signed(
    key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey,
    algorithm: hashes.SHA256 | hashes.SHA384 | None,
    template: x509.Certificate,
) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x")])
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(template.not_valid_before_utc)
        .not_valid_after(template.not_valid_after_utc)
        .sign(key, algorithm)
    )


def test_server_side_is_modern_and_bound_to_its_certificate(tmp_path: Path) -> None:
    files = make_certificate(tmp_path, "mx.example.com")
    tls = load_server_tls(files.certificate, files.key)
    assert tls.context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert tls.context.options & ssl.OP_NO_RENEGOTIATION
    own = x509.load_pem_x509_certificate(files.certificate.read_bytes())
    der = own.public_bytes(serialization.Encoding.DER)
    assert tls.channel_binding == hashlib.sha256(der).digest()
    assert tls.not_after == own.not_valid_after_utc.timestamp()


def test_channel_binding_takes_the_hash_of_the_signature(tmp_path: Path) -> None:
    files = make_certificate(tmp_path, "mx.example.com")
    template = x509.load_pem_x509_certificate(files.certificate.read_bytes())
    longer = signed(ec.generate_private_key(ec.SECP384R1()), hashes.SHA384(), template)
    assert len(server_end_point(longer)) == 48
    none = signed(ed25519.Ed25519PrivateKey.generate(), None, template)
    assert server_end_point(none) == b""


def test_channel_binding_of_a_sha1_signature_is_sha256(tmp_path: Path) -> None:
    files = make_certificate(tmp_path, "mx.example.com")
    own = x509.load_pem_x509_certificate(files.certificate.read_bytes())

    class Old:
        """A certificate of the kind that nobody signs any more."""

        signature_hash_algorithm = hashes.SHA1()

        def public_bytes(self, encoding: serialization.Encoding) -> bytes:
            return own.public_bytes(encoding)

    assert server_end_point(Old()) == server_end_point(own)  # type: ignore[arg-type]


def test_wrong_pair_missing_and_locked_files_are_explained(tmp_path: Path) -> None:
    one = make_certificate(tmp_path / "one", "mx.example.com")
    two = make_certificate(tmp_path / "two", "mx.example.com")
    text = tmp_path / "text"
    text.write_text("no PEM")
    locked = tmp_path / "locked"
    key = serialization.load_pem_private_key(one.key.read_bytes(), None)
    locked.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    for certificate, its_key in (
        (one.certificate, two.key),
        (tmp_path / "missing", one.key),
        (text, one.key),
        (one.certificate, locked),
    ):
        with pytest.raises(TlsFilesError) as caught:
            load_server_tls(certificate, its_key)
        assert str(its_key) in str(caught.value)
        assert caught.value.hint


def test_client_side_verifies_or_does_not(tmp_path: Path) -> None:
    files = make_certificate(tmp_path, "mx.example.com")
    strict = verifying_context(files.certificate)
    assert strict.check_hostname
    assert strict.verify_mode is ssl.CERT_REQUIRED
    assert opportunistic_context().verify_mode is ssl.CERT_NONE
    with pytest.raises(TlsFilesError):
        verifying_context(tmp_path / "missing")
