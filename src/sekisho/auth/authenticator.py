"""What an authenticator is: the contract of local accounts, LDAP and all others.

An authenticator

- answers `NotMine` only if it can look an account up and has none by that name;
- answers `Unavailable`, or raises, whenever it could not find out, and never
  `Rejected` for that: a directory that is down is not a wrong password;
- takes as long for an account that it does not have, or that is disabled, as for a
  wrong password (whoever can tell them apart can list accounts);
- is never asked about an empty, overlong or unprepared name or password.

`credentials` says which of the protocols below it carries out beside `Authenticator`:
the chain asks it for nothing else.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from sekisho.auth.context import AuthContext
from sekisho.auth.sasl import Challenge, Credential, ScramKeys
from sekisho.model.identity import (
    ChainAnswer,
    Identity,
    NotMine,
    Rejected,
    Unavailable,
)


class AuthUnavailableError(Exception):
    """It could not be found out; the message is fit for the log."""


@dataclass(frozen=True, slots=True)
class ScramRecord:
    """An account's keys, and who is verified by them if it still `is_current`."""

    keys: ScramKeys
    identity: Identity


KeysAnswer = ScramRecord | Rejected | Unavailable | NotMine


class Authenticator(Protocol):
    """Something that can tell whether a credential is right."""

    @property
    def name(self) -> str:
        """As configured; unique in a chain."""
        ...

    def credentials(self) -> frozenset[Credential]:
        """What it can verify for every one of its accounts, as of now."""
        ...

    async def pretend(self) -> None:
        """Take as long as a wrong password takes, and ask nobody outside."""
        ...

    def is_current(self, identity: Identity) -> bool:
        """Whether the account is there, enabled and unchanged; from memory, fast."""
        ...


class ChecksPasswords(Authenticator, Protocol):
    """`Credential.PASSWORD`."""

    async def verify_password(self, account: str, password: str) -> ChainAnswer:
        """Verify a password; both prepared after RFC 8265."""
        ...


class KeepsScramKeys(Authenticator, Protocol):
    """`Credential.SCRAM_SHA_256`."""

    async def scram_record(self, account: str) -> KeysAnswer:
        """Look SCRAM keys up.

        A disabled account's are given out as well: decoys in their place would tell
        that something has changed. Its identity is not current, and so not verified.
        """
        ...


class KeepsScramSha1Keys(Authenticator, Protocol):
    """`Credential.SCRAM_SHA_1`."""

    async def scram_sha_1_record(self, account: str) -> KeysAnswer:
        """Look the older keys up, as `KeepsScramKeys.scram_record` does."""
        ...


class ChecksTokens(Authenticator, Protocol):
    """`Credential.TOKEN`."""

    @property
    def token_scope(self) -> str:
        """The scope that a token needs, for clients to ask for; may be empty."""
        ...

    async def verify_token(self, token: str, account: str) -> ChainAnswer:
        """Verify a bearer token.

        Args:
            token: Of its characters, and bounded.
            account: Prepared name of whom the client claims to be, empty for whoever
                the token is about. A token of another account is `Rejected`.

        """
        ...


class ChecksCertificates(Authenticator, Protocol):
    """`Credential.CERTIFICATE`."""

    async def verify_certificate(self, certificate: bytes, account: str) -> ChainAnswer:
        """Say whose a certificate is.

        Args:
            certificate: DER; its chain and validity were verified in the handshake,
                unless it is empty.
            account: Prepared name that the client asks for, empty for whoever the
                certificate is about. A certificate of another account is `Rejected`.

        """
        ...


class Acceptor(Protocol):
    """One exchange of tickets; it may hold something open between its steps."""

    account: str
    """Whom the client claims to be, as far as is known; for log and lockout."""

    async def step(self, response: bytes) -> Challenge | ChainAnswer:
        """Take the client's next token, and answer it or end the exchange."""
        ...

    def close(self) -> None:
        """Let go of what is held; the exchange is over."""
        ...


class AcceptsTickets(Authenticator, Protocol):
    """`Credential.KERBEROS`, `Credential.NTLM`."""

    def accept(self, mechanism: str, context: AuthContext) -> Acceptor:
        """Begin an exchange; `mechanism` is GSSAPI, GSS-SPNEGO or NTLM."""
        ...


@dataclass(frozen=True, slots=True)
class DiagnosisStep:
    """A step on the way to an answer, for ``sekisho auth test``.

    Attributes:
        what: In one or two words: ``resolved``, ``TLS``, ``found``.
        is_good: Whether the way goes on.
        detail: For people; never a secret.

    """

    what: str
    is_good: bool
    detail: str


def good(what: str, detail: str) -> DiagnosisStep:
    """A step after which the way goes on."""
    return DiagnosisStep(what, is_good=True, detail=detail)


def bad(what: str, detail: str) -> DiagnosisStep:
    """A step at which it ends."""
    return DiagnosisStep(what, is_good=False, detail=detail)


@runtime_checkable
class Diagnoses(Protocol):
    """What an authenticator may do besides: say how it comes to its answer."""

    def diagnose(
        self, account: str, password: str | None
    ) -> AsyncIterator[DiagnosisStep | Identity | ChainAnswer]:
        """Ask as for a client, and tell each step; the last item is the outcome.

        Args:
            account: Prepared.
            password: Prepared; None to look the account up and no more. The outcome
                may then be the identity that it would have.

        """
        ...


@runtime_checkable
class DiagnosesTokens(Protocol):
    """The same for a token."""

    def diagnose_token(
        self, token: str, account: str
    ) -> AsyncIterator[DiagnosisStep | ChainAnswer]:
        """Verify a token as for a client, and tell each step; the last is the answer.

        Args:
            token: As a client would send it.
            account: Prepared.

        """
        ...
