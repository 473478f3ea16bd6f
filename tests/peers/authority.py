"""An authority that signs certificates for clients, and takes them back."""

import datetime as dt
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CLIENT = ExtendedKeyUsageOID.CLIENT_AUTH
SERVER = ExtendedKeyUsageOID.SERVER_AUTH
ANY = ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE
DAY = dt.timedelta(days=1)


@dataclass(frozen=True)
class ClientCertificate:
    """A certificate with its key, as files and as octets."""

    certificate: Path
    key: Path
    der: bytes
    serial: int

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(self.der).hexdigest()


def _write(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    path.touch(mode=0o600)
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )


class ClientAuthority:
    """One authority; its certificate is in ``ca.pem``."""

    def __init__(self, folder: Path, name: str = "Clients") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.file = folder / "ca.pem"
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = dt.datetime.now(dt.UTC)
        self.certificate = (
            x509.CertificateBuilder()
            .subject_name(self._name)
            .issuer_name(self._name)
            .public_key(self._key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - 30 * DAY)
            .not_valid_after(now + 30 * DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.file.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))

    def issue(
        self,
        name: str,
        *,
        emails: Sequence[str] = (),
        names: Sequence[str] = (),
        usage: Sequence[x509.ObjectIdentifier] = (CLIENT,),
        begins: dt.timedelta = -DAY,
        ends: dt.timedelta = DAY,
    ) -> ClientCertificate:
        """Sign a certificate.

        Args:
            name: Its common name, and that of its files.
            emails: Among its alternative names.
            names: More common names.
            usage: What it is for; nothing said if empty.
            begins: From now.
            ends: From now.

        """
        key = ec.generate_private_key(ec.SECP256R1())
        now = dt.datetime.now(dt.UTC)
        serial = x509.random_serial_number()
        subject = [x509.NameAttribute(NameOID.COMMON_NAME, n) for n in (name, *names)]
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name(subject))
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(serial)
            .not_valid_before(now + begins)
            .not_valid_after(now + ends)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
        )
        if emails:
            alternatives = [x509.RFC822Name(one) for one in emails]
            builder = builder.add_extension(
                x509.SubjectAlternativeName(alternatives), critical=False
            )
        if usage:
            builder = builder.add_extension(
                x509.ExtendedKeyUsage(usage), critical=False
            )
        signed = builder.sign(self._key, hashes.SHA256())
        stem = hashlib.sha256(f"{name}{serial}".encode()).hexdigest()[:12]
        files = self.folder / f"{stem}.pem", self.folder / f"{stem}.key"
        files[0].write_bytes(signed.public_bytes(serialization.Encoding.PEM))
        _write(files[1], key)
        der = signed.public_bytes(serialization.Encoding.DER)
        return ClientCertificate(*files, der, serial)

    def revoke(
        self,
        *certificates: ClientCertificate,
        file: str = "crl.pem",
        ends: dt.timedelta = DAY,
    ) -> Path:
        """Write the list of revoked certificates."""
        now = dt.datetime.now(dt.UTC)
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self._name)
            .last_update(now - 2 * DAY)
            .next_update(now + ends)
        )
        for one in certificates:
            builder = builder.add_revoked_certificate(
                x509.RevokedCertificateBuilder()
                .serial_number(one.serial)
                .revocation_date(now - DAY)
                .build()
            )
        path = self.folder / file
        path.write_bytes(
            builder.sign(self._key, hashes.SHA256()).public_bytes(
                serialization.Encoding.PEM
            )
        )
        return path
