"""EXTERNAL (RFC 4422 appendix A): who vouches for himself.

The certificate of AUTH-032 is of an authority whose key stands here for all to read: a
server may refuse the handshake, may not ask for one, or must refuse EXTERNAL.
"""

import datetime as dt
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from sekisho.audit.authentication.attempt import (
    Attempt,
    auth,
    b64,
    tried,
    worst,
)
from sekisho.audit.authentication.row import NOT_OFFERED, clear, person, row
from sekisho.audit.conversation import (
    ClosedError,
    Conversation,
    TlsError,
    any_certificate,
)
from sekisho.audit.probe import Probe
from sekisho.audit.verdicts import Judgement, Severity, not_applicable, safe
from sekisho.audit.visit import Visit
from sekisho.model.text import Text

FROM = dt.datetime(2001, 7, 5, tzinfo=dt.UTC)
AUTHORITY, PUBLISHED = "Sekisho audit, an authority of nobody", 4711
UNTIL = dt.datetime(2099, 1, 1, tzinfo=dt.UTC)


def _claims(visit: Visit) -> list[Attempt]:
    return [
        auth("EXTERNAL", b"="),
        auth("EXTERNAL", b64(person(visit))),
        auth("EXTERNAL", b64("postmaster")),
        auth("EXTERNAL", None, b""),
    ]


async def without_certificate(visit: Visit) -> Judgement:
    """Vouch for oneself, in clear and under TLS."""
    under_tls = await tried(visit, _claims(visit))
    if visit.target.implicit_tls:
        return under_tls
    in_clear = await tried(visit, _claims(visit)[:2], clear(visit))
    if in_clear.evidence.en.startswith("AUTH EXTERNAL wants TLS first"):
        return under_tls
    return worst([in_clear, under_tls])


def _authority_key() -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(PUBLISHED, ec.SECP256R1())


def _name(name: str) -> x509.Name:
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, name)] if name else []
    return x509.Name(attributes)


def _builder(name: str, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(_name(AUTHORITY))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(FROM)
        .not_valid_after(UNTIL)
    )


def authority() -> str:
    """Give the certificate of our authority in PEM; its key is published here."""
    key = _authority_key()
    whole = _builder(AUTHORITY, key).add_extension(
        x509.BasicConstraints(ca=True, path_length=0), critical=True
    )
    signed = whole.sign(key, hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM).decode()


def _context(name: str, email: str) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _builder(name, key)
    if email:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([x509.RFC822Name(email)]),
            critical=not name,
        )
    octets = builder.sign(_authority_key(), hashes.SHA256()).public_bytes(
        serialization.Encoding.PEM
    ) + key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    context = any_certificate()
    with TemporaryDirectory() as folder:
        file = Path(folder) / "pair.pem"
        file.touch(mode=0o600)
        file.write_bytes(octets)
        context.load_cert_chain(file)
    return context


@asynccontextmanager
async def _showing(
    visit: Visit, context: ssl.SSLContext
) -> AsyncGenerator[Conversation]:
    async with visit.dial(context=context) as conversation:
        await conversation.ehlo()
        if not conversation.secured:
            await conversation.start_tls(context)
            await conversation.ehlo()
        yield conversation


async def untrusted_certificate(visit: Visit) -> Judgement:
    """Show a certificate of an authority that anybody can be."""
    async with visit.ready() as conversation:
        secured = conversation.secured
    if not secured:
        return not_applicable("no TLS is offered", "TLS が提供されていない")
    user = person(visit)
    email = visit.text(f"{user}@{{D}}") if user.isascii() and "@" not in user else ""
    heard: list[Judgement] = []
    for context in (_context(user, email), _context("", "")):
        door = partial(_showing, visit, context)
        attempts = [auth("EXTERNAL", b"="), auth("EXTERNAL", b64(user))]
        try:
            heard.append(await tried(visit, attempts, door))
        except (TlsError, ClosedError):
            heard.append(
                safe(
                    "the handshake with a certificate of our own is refused",
                    "信頼されない認証局の証明書によるハンドシェイクは拒否された",
                )
            )
    return worst(heard)


CERTIFICATES: tuple[Probe, ...] = (
    row(
        id="AUTH-031",
        title=Text(
            "AUTH EXTERNAL lets in who shows no certificate",
            "証明書なしで AUTH EXTERNAL に成功する",
        ),
        severity=Severity.CRITICAL,
        wire=("AUTH EXTERNAL =", "AUTH EXTERNAL base64({U})", "in clear and under TLS"),
        safe=NOT_OFFERED,
        advice=Text(
            "Offer EXTERNAL only where a certificate was verified.",
            "検証済みの証明書がある場合にのみ EXTERNAL を提供してください。",
        ),
        references=("RFC 4422 appendix A",),
        run=without_certificate,
    ),
    row(
        id="AUTH-032",
        title=Text(
            "AUTH EXTERNAL believes any certificate",
            "AUTH EXTERNAL が任意の証明書を信用する",
        ),
        severity=Severity.CRITICAL,
        wire=(
            "TLS with a certificate of {U}, of an authority that anybody can be",
            "AUTH EXTERNAL =",
        ),
        safe=Text(
            "The handshake fails, or 504 or 535.",
            "ハンドシェイクが失敗するか、504 または 535 を返す。",
        ),
        advice=Text(
            "Verify the chain against your own authority, and refuse empty names.",
            "自組織の認証局で証明書を検証し、名前が空のものは拒否してください。",
        ),
        references=("CVE-2019-3814", "RFC 4422 appendix A"),
        run=untrusted_certificate,
    ),
)
