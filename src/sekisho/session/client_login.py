"""Our login at an upstream host: PLAIN, LOGIN and SCRAM-SHA-256 (RFC 4954).

PLAIN comes first: it needs one round trip and, like all of them, is spoken under TLS
alone. SCRAM is for hosts that offer neither PLAIN nor LOGIN. It wants the server's
own proof before a 235 counts; a host that cannot give it does not know our password.
"""

from collections.abc import Callable, Mapping
from typing import Final, Protocol

from sekisho.model.route import Credentials


class LoginError(Exception):
    """The exchange cannot go on; the message says why, without secrets."""


class Login(Protocol):
    """One exchange."""

    mechanism: str

    def initial(self) -> bytes:
        """Give the initial response, empty where the server speaks first."""
        ...

    def respond(self, challenge: bytes) -> bytes:
        """Answer a challenge.

        Raises:
            LoginError: It cannot be answered.

        """
        ...

    def may_end(self) -> bool:
        """Whether a 235 is to be believed now."""
        ...


class PlainLogin:
    """RFC 4616."""

    mechanism = "PLAIN"

    def __init__(self, credentials: Credentials, _nonce: str) -> None:
        self._message = f"\0{credentials.username}\0{credentials.password}".encode()

    def initial(self) -> bytes:
        """Say all at once."""
        return self._message

    def respond(self, challenge: bytes) -> bytes:
        """Refuse: all was said."""
        del challenge
        raise LoginError("the server asked for more after PLAIN")

    def may_end(self) -> bool:
        """Anything ends it."""
        return True


class LoginLogin:
    """The LOGIN mechanism: user name, then password, whatever the prompts say."""

    mechanism = "LOGIN"

    def __init__(self, credentials: Credentials, _nonce: str) -> None:
        self._answers = [credentials.password.encode(), credentials.username.encode()]

    def initial(self) -> bytes:
        """Nothing: some servers do not take an initial response to LOGIN."""
        return b""

    def respond(self, challenge: bytes) -> bytes:
        """Give the next of the two."""
        del challenge
        if not self._answers:
            raise LoginError("the server asked for more after LOGIN")
        return self._answers.pop()

    def may_end(self) -> bool:
        """Anything ends it."""
        return True


def _scram(credentials: Credentials, nonce: str) -> Login:
    # Imported here: its library is a tenth of a start, and few hosts want it.
    from sekisho.session.client_scram import ScramLogin  # noqa: PLC0415

    return ScramLogin(credentials, nonce)


_LOGINS: Final[Mapping[str, Callable[[Credentials, str], Login]]] = {
    "PLAIN": PlainLogin,
    "LOGIN": LoginLogin,
    "SCRAM-SHA-256": _scram,
}


def choose_login(
    offered: frozenset[str], credentials: Credentials, nonce: str
) -> Login | None:
    """Take the first of our mechanisms that is offered; None where none is."""
    for mechanism, login in _LOGINS.items():
        if mechanism in offered:
            return login(credentials, nonce)
    return None
