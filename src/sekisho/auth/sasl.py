"""What SASL mechanisms and the gatekeeper say to one another (RFC 4422, RFC 4954).

A mechanism is a sans-IO dialogue: it takes the client's responses and says what it
needs next. It reads octets and does arithmetic; it never learns whether an account
exists, so it cannot tell anybody.

Every misstep is `Failed`, which ends the dialogue. There is no way back into it and
no way around: MS01-037 was a step whose failure was taken for progress.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Protocol

from sekisho.auth.precis import PreparationError, prepare_name, prepare_password


class Credential(Enum):
    """What an authenticator can verify."""

    PASSWORD = auto()
    SCRAM_SHA_256 = auto()
    SCRAM_SHA_1 = auto()
    TOKEN = auto()
    CERTIFICATE = auto()
    KERBEROS = auto()
    NTLM = auto()

    __hash__ = object.__hash__  # By identity: sets of them are made a session.


@dataclass(frozen=True, slots=True)
class Challenge:
    """Send this to the client, base64-encoded after 334, and await its response."""

    data: bytes


@dataclass(frozen=True, slots=True)
class PasswordGiven:
    """The client claims an account by a password; both are prepared (RFC 8265)."""

    account: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class PasswordHopeless:
    """No account can have this name or this password; refuse it as a wrong one.

    In the same time as well: what is refused at once, or hashed at its own length,
    lets a client measure what happens inside. `account` is empty where it is no name.
    """

    account: str
    reason: str


@dataclass(frozen=True, slots=True)
class ScramKeys:
    """What a server keeps of a password for SCRAM (RFC 5802 §3, RFC 7677)."""

    salt: bytes
    iterations: int
    stored_key: bytes = field(repr=False)
    server_key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class KeysNeeded:
    """Look the account's keys up, or make decoys, and go on with `then`.

    Attributes:
        account: Prepared name.
        then: Goes on.
        credential: Of which hash the keys are.

    """

    account: str
    then: Callable[[ScramKeys], "Step"] = field(repr=False)
    credential: Credential = Credential.SCRAM_SHA_256


@dataclass(frozen=True, slots=True)
class Proven:
    """The client has the keys. Send `server_final` once the account was judged."""

    account: str
    server_final: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Failed:
    """The client broke the exchange or has proved nothing; `reason` is for the log."""

    reason: str
    account: str = ""


@dataclass(frozen=True, slots=True)
class TokenGiven:
    """The client gives a bearer token (RFC 6750).

    Attributes:
        token: As given; bounded and of the token's characters.
        account: Prepared name of whom the client claims to be; empty for whoever the
            token is about.
        fault: Writes, of the scope that a token needs here, what the client is told
            before it is refused (RFC 7628 §3.2.2).

    """

    token: str = field(repr=False)
    account: str
    fault: Callable[[str], bytes] = field(repr=False)


@dataclass(frozen=True, slots=True)
class CertificateClaimed:
    """The client points at its TLS certificate (RFC 4422, appendix A).

    `account` is the prepared name that it asks for; empty for whoever the certificate
    is about.
    """

    account: str


@dataclass(frozen=True, slots=True)
class TicketGiven:
    """A token of GSSAPI, SPNEGO or NTLM, for an authenticator's `Acceptor`."""

    credential: Credential
    response: bytes = field(repr=False)


Step = (
    Challenge
    | PasswordGiven
    | PasswordHopeless
    | KeysNeeded
    | Proven
    | TokenGiven
    | CertificateClaimed
    | TicketGiven
    | Failed
)


class Dialogue(Protocol):
    """One exchange of one mechanism."""

    def step(self, response: bytes | None) -> Step:
        """Take the client's next response; None: no initial response was sent."""
        ...


def claim(
    name: bytes, password: bytes, authzid: bytes = b""
) -> PasswordGiven | PasswordHopeless | Failed:
    """Read what PLAIN and LOGIN send, and prepare it (RFC 8265).

    Args:
        name: The authentication identity.
        password: As sent.
        authzid: The authorization identity: empty, or the same account's name.

    """
    if not name:
        # A failure by itself. To take the authzid for it would let whoever fills
        # that field choose the account.
        return Failed("the name is empty")
    try:
        account = prepare_name(_utf8(name))
        acts_as = prepare_name(_utf8(authzid)) if authzid else account
    except PreparationError as error:
        return PasswordHopeless("", f"a name is none: {error}")
    if acts_as != account:
        return Failed("the authorization identity is another account's", account)
    if not password:
        # Before anything is asked: a directory that allows unauthenticated binds
        # says yes to an empty password (RFC 4513 §5.1.2).
        return Failed("the password is empty", account)
    try:
        return PasswordGiven(account, prepare_password(_utf8(password)))
    except PreparationError as error:
        return PasswordHopeless(account, f"the password is none: {error}")


_SASLNAME = re.compile(r"(?:[^=]|=2C|=3D)+")


def read_saslname(text: str) -> str:
    """Read a name out of a GS2 header or a SCRAM message (RFC 5801 §4); empty: none.

    Raises:
        PreparationError: It is no name.

    """
    if not text:
        return ""
    if not _SASLNAME.fullmatch(text):
        raise PreparationError("a name escapes only , and =")
    return prepare_name(text.replace("=2C", ",").replace("=3D", "="))


def _utf8(octets: bytes) -> str:
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        # The decoder's own error quotes the octets.
        raise PreparationError("it is not UTF-8") from None
