"""What an authenticator is: the contract of local accounts, LDAP and all others.

An authenticator

- answers `NotMine` only if it can look an account up and has none by that name;
- answers `Unavailable`, or raises, whenever it could not find out, and never
  `Rejected` for that: a directory that is down is not a wrong password;
- takes as long for an account that it does not have, or that is disabled, as for a
  wrong password (whoever can tell them apart can list accounts);
- is never asked about an empty, overlong or unprepared name or password.
"""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol

from sekisho.auth.sasl import ScramKeys
from sekisho.model.identity import (
    ChainAnswer,
    Identity,
    NotMine,
    Rejected,
    Unavailable,
)


class Credential(Enum):
    """What can be verified."""

    PASSWORD = auto()
    SCRAM_SHA_256 = auto()


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

    async def verify_password(self, account: str, password: str) -> ChainAnswer:
        """Verify a password; both prepared after RFC 8265."""
        ...

    async def scram_record(self, account: str) -> KeysAnswer:
        """Look SCRAM keys up.

        A disabled account's are given out as well: decoys in their place would tell
        that something has changed. Its identity is not current, and so not verified.
        """
        ...

    async def pretend(self) -> None:
        """Take as long as a wrong password takes, and ask nobody outside."""
        ...

    def is_current(self, identity: Identity) -> bool:
        """Whether the account is there, enabled and unchanged; from memory, fast."""
        ...
