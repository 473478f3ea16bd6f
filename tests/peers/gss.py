"""A Kerberos client over SMTP (GSSAPI, GSS-SPNEGO), by Python's gssapi.

Its side of the library finds its realm by KRB5_CONFIG in this process.
"""

import base64
import hashlib
import importlib
import ssl
from dataclasses import dataclass
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from peers.dialogue import Dialogue, Reply
from peers.kdc import ALICE, ALICE_PASSWORD, REALM

NO_LAYER = b"\x01\x00\x00\x00"
RELAY = "smtp@relay.test"


@dataclass(frozen=True)
class Held:
    """The tickets of somebody who has signed in at his KDC."""

    credentials: Any
    spnego: bool


def sign_in_at_the_kdc(
    user: str, password: str, *, realm: str = REALM, spnego: bool = False
) -> Held:
    """Get tickets by a password."""
    gss: Any = importlib.import_module("gssapi")
    principal = gss.Name(f"{user}@{realm}", name_type=gss.NameType.kerberos_principal)
    got = gss.raw.acquire_cred_with_password(
        principal,
        password.encode(),
        mechs=[_spnego(gss)] if spnego else None,
        usage="initiate",
    )
    return Held(gss.Credentials(base=got.creds), spnego)


def _spnego(gss: Any) -> Any:
    return gss.OID.from_int_seq("1.3.6.1.5.5.2")


def context_of(held: Held, target: str = RELAY, bindings: Any = None) -> Any:
    """Begin to show tickets to a service."""
    gss: Any = importlib.import_module("gssapi")
    return gss.SecurityContext(
        name=gss.Name(target, name_type=gss.NameType.hostbased_service),
        creds=held.credentials,
        usage="initiate",
        mech=_spnego(gss) if held.spnego else None,
        channel_bindings=bindings,
        flags=gss.RequirementFlag.mutual_authentication,
    )


class Client:
    """One exchange of tickets with the service.

    Args:
        dialogue: Under TLS.
        login: As whom to sign in at the KDC first.
        held: Tickets to show instead.
        target: The service that they are shown to.
        spnego: Whether to negotiate.
        bound: Whether to bind them to the TLS session, or to what else.

    """

    def __init__(
        self,
        dialogue: Dialogue,
        *,
        login: tuple[str, str] = (ALICE, ALICE_PASSWORD),
        held: Held | None = None,
        target: str = RELAY,
        spnego: bool = False,
        bound: bool | bytes = True,
    ) -> None:
        self.dialogue = dialogue
        bindings = None
        if bound:
            gss: Any = importlib.import_module("gssapi")
            end_point = bound if isinstance(bound, bytes) else end_point_of(dialogue)
            bindings = gss.raw.ChannelBindings(
                application_data=b"tls-server-end-point:" + end_point
            )
        held = held or sign_in_at_the_kdc(*login, spnego=spnego)
        self.context = context_of(held, target, bindings)

    def tokens(self, mechanism: str) -> Reply:
        """Exchange tokens until the context is whole; the last reply."""
        token = self.context.step()
        reply = self.dialogue.say(
            f"AUTH {mechanism} {base64.b64encode(token).decode()}"
        )
        while reply.code == 334 and not self.context.complete:
            more = self.context.step(challenge(reply)) or b""
            reply = self.dialogue.say(base64.b64encode(more))
        return reply

    def gssapi(self, choice: bytes = NO_LAYER) -> Reply:
        """Sign in by GSSAPI."""
        reply = self.tokens("GSSAPI")
        if reply.code != 334:
            return reply
        assert self.context.unwrap(challenge(reply)).message == NO_LAYER
        wrapped = self.context.wrap(choice, False).message
        return self.dialogue.say(base64.b64encode(wrapped))

    def gss_spnego(self) -> Reply:
        """Sign in by GSS-SPNEGO."""
        reply = self.tokens("GSS-SPNEGO")
        return self.dialogue.say("") if reply.code == 334 else reply


def challenge(reply: Reply) -> bytes:
    """What a 334 brings."""
    return base64.b64decode(reply.lines[-1])


def end_point_of(dialogue: Dialogue) -> bytes:
    """The server's certificate, as a channel binding (RFC 5929)."""
    assert isinstance(dialogue.stream, ssl.SSLSocket)
    der = dialogue.stream.getpeercert(binary_form=True)
    assert der is not None
    certificate = x509.load_der_x509_certificate(der)
    return hashlib.sha256(certificate.public_bytes(Encoding.DER)).digest()
