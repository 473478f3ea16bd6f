"""Certificates of clients: who may have signed them, and asking for them.

A listener trusts the authorities that its configuration names and nobody else: not
those of the system, and no certificate that a file of revocations brings along. A
client may come without a certificate; one that OpenSSL cannot verify (chain, validity,
purpose, revocation) ends the handshake.

Sessions are not resumed where certificates are asked for: a resumed one would bring a
certificate that was verified earlier, and may have been revoked since.
"""

import os
import ssl
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from sekisho.net.tls_files import TlsFilesError, why

MAX_FILE_OCTETS = 16 * 1024 * 1024
_CRL_END = b"-----END X509 CRL-----"


@dataclass(frozen=True, slots=True)
class Authority:
    """Who signs the certificates of a listener's clients.

    Attributes:
        certificates: Of the authorities, as PEM.
        revoked: Their lists of revoked certificates, as PEM; nothing is looked up in
            them where there are none.
        next_update: Unix seconds from which on the first of the lists is too old, and
            no client's certificate is taken; infinite without a list.

    """

    certificates: bytes = field(repr=False)
    revoked: bytes = field(default=b"", repr=False)
    next_update: float = float("inf")


def read_authority(ca: Path, crl: Path | None) -> Authority:
    """Read the files.

    Raises:
        TlsFilesError: They cannot be used.

    """
    certificates = _read(ca)
    try:
        found = x509.load_pem_x509_certificates(certificates)
        strangers = [one.subject.rfc4514_string() for one in found if not _signs(one)]
    except ValueError as error:
        raise TlsFilesError(
            f"{ca} cannot be read: {error}", "give a PEM file of certificates"
        ) from error
    if strangers:
        raise TlsFilesError(
            f"{ca}: {strangers[0]} is no certification authority",
            "name the authority that signs the clients, not a client",
        )
    if crl is None:
        return Authority(certificates)
    revoked, next_update = _revocations(crl, _read(crl))
    return Authority(certificates, revoked, next_update)


def ask_clients(context: ssl.SSLContext, authority: Authority) -> None:
    """Have a server's context ask for certificates that this authority has signed.

    Raises:
        TlsFilesError: OpenSSL does not take them.

    """
    try:
        context.load_verify_locations(cadata=authority.certificates.decode("ascii"))
        if authority.revoked:
            with in_memory(authority.revoked) as file:
                context.load_verify_locations(file)
            context.verify_flags |= ssl.VerifyFlags.VERIFY_CRL_CHECK_LEAF
    except (OSError, UnicodeDecodeError) as error:
        reason = why(error) if isinstance(error, OSError) else "not PEM"
        raise TlsFilesError(
            f"the clients' authority cannot be used: {reason}", "give PEM files"
        ) from error
    context.verify_mode = ssl.CERT_OPTIONAL
    context.options |= ssl.OP_NO_TICKET
    context.num_tickets = 0


def shown_certificate(tls: ssl.SSLObject) -> bytes:
    """The client's certificate in DER, if it was verified in this very handshake."""
    if tls.context.verify_mode is ssl.CERT_NONE or tls.session_reused:
        return b""
    return tls.getpeercert(binary_form=True) or b""


@contextmanager
def in_memory(octets: bytes) -> Generator[Path]:
    """Lend octets as a file without a name, to OpenSSL, which reads files alone."""
    descriptor = os.memfd_create("sekisho", os.MFD_CLOEXEC)
    try:
        with os.fdopen(os.dup(descriptor), "wb") as file:
            file.write(octets)
        yield Path(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            octets = file.read(MAX_FILE_OCTETS + 1)
    except OSError as error:
        raise TlsFilesError(
            f"{path} cannot be read: {why(error)}", "give a PEM file"
        ) from error
    if len(octets) > MAX_FILE_OCTETS:
        raise TlsFilesError(f"{path} is larger than {MAX_FILE_OCTETS} octets", "")
    return octets


def _signs(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(
            x509.BasicConstraints
        ).value.ca
    except x509.ExtensionNotFound:
        return False


def _revocations(path: Path, octets: bytes) -> tuple[bytes, float]:
    """Take the lists out of a file, and nothing else that may stand there."""
    blocks = [block + _CRL_END for block in octets.split(_CRL_END)[:-1]]
    try:
        lists = [x509.load_pem_x509_crl(block) for block in blocks]
    except ValueError as error:
        raise TlsFilesError(
            f"{path} cannot be read: {error}", "give a PEM file of revocation lists"
        ) from error
    if not lists:
        raise TlsFilesError(f"{path} holds no list of revoked certificates", "PEM")
    ends = [
        one.next_update_utc.timestamp()
        for one in lists
        if one.next_update_utc is not None
    ]
    pem = b"".join(one.public_bytes(Encoding.PEM) for one in lists)
    return pem, min(ends, default=float("inf"))
