"""An authenticator for Sekisho to begin from: users in a file of name:SHA-256 lines."""

import hmac
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from sekisho.auth.authenticator import AuthUnavailableError
from sekisho.auth.plugin import PluginTools
from sekisho.auth.sasl import Credential
from sekisho.model.address import parse_pattern
from sekisho.model.identity import ChainAnswer, Identity, NotMine, Rejected, Verified


class ExampleAuthenticator:
    """Reads its file at each question, so a change counts at once."""

    def __init__(self, users: Path, tools: PluginTools) -> None:
        self._users = users
        self._name = tools.name

    @property
    def name(self) -> str:
        """As configured."""
        return self._name

    def credentials(self) -> frozenset[Credential]:
        """Passwords alone."""
        return frozenset({Credential.PASSWORD})

    async def verify_password(self, account: str, password: str) -> ChainAnswer:
        """Verify a password."""
        kept = self._read().get(account)
        shown = sha256(password.encode()).hexdigest()
        # Compared in any case: an account that is not there takes as long.
        is_right = hmac.compare_digest(kept or "0" * 64, shown)
        if kept is None:
            return NotMine()
        if not is_right:
            return Rejected("the password is wrong", account)
        return Verified(self._identity(account, kept))

    async def pretend(self) -> None:
        """Nothing takes long here."""

    def is_current(self, identity: Identity) -> bool:
        """Whether the account has the password that it had."""
        kept = self._read().get(identity.account)
        return kept is not None and _generation(kept) == identity.generation

    def _identity(self, account: str, kept: str) -> Identity:
        addresses = (parse_pattern(account),) if "@" in account else ()
        return Identity(account, self._name, "", _generation(kept), addresses)

    def _read(self) -> dict[str, str]:
        try:
            lines = self._users.read_text("utf-8").splitlines()
        except OSError as error:
            # Not a refusal: it could not be found out.
            raise AuthUnavailableError(f"its file: {error.strerror}") from error
        return dict(line.split(":", 1) for line in lines if ":" in line)


def _generation(kept: str) -> int:
    return int(kept[:12], 16)


def build(options: Mapping[str, Any], tools: PluginTools) -> ExampleAuthenticator:
    """Build it: ``options = { users = "/etc/sekisho/users" }``."""
    return ExampleAuthenticator(Path(options["users"]), tools)


build.mechanisms = ("PLAIN", "LOGIN")  # type: ignore[attr-defined]
