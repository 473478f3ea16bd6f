"""Our login at an upstream host: PLAIN, LOGIN and SCRAM-SHA-256 (RFC 4954).

PLAIN comes first: it needs one round trip and, like all of them, is spoken under TLS
alone. SCRAM is for hosts that offer neither PLAIN nor LOGIN. It wants the server's
own proof before a 235 counts; a host that cannot give it does not know our password.
"""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# scramp has annotations for part of itself and no stubs.

import re
from typing import Final, Protocol

from scramp import ScramClient, ScramException

from sekisho.model.route import Credentials

_MAX_ROUNDS: Final = 600_000
"""A host that wants more rounds wants our processor, not our password."""

_ROUNDS = re.compile(r",i=([0-9]{1,9})(?:,|$)")


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


class ScramLogin:
    """RFC 7677."""

    mechanism = "SCRAM-SHA-256"

    def __init__(self, credentials: Credentials, nonce: str) -> None:
        self._client = ScramClient(
            [self.mechanism], credentials.username, credentials.password, c_nonce=nonce
        )
        self._steps = [self._proven, self._prove]
        self._proof_seen = False

    def initial(self) -> bytes:
        """Give the client-first message."""
        return self._client.get_client_first().encode()

    def respond(self, challenge: bytes) -> bytes:
        """Prove ourselves, then check the server's proof."""
        if not self._steps:
            raise LoginError("the server asked for more after SCRAM")
        try:
            return self._steps.pop()(challenge.decode("ascii"))
        except (ScramException, ValueError) as error:
            # Text of the library may name what it was given.
            raise LoginError("the server's SCRAM message is wrong") from error

    def _prove(self, challenge: str) -> bytes:
        rounds = _ROUNDS.search(challenge)
        if rounds is None or int(rounds[1]) > _MAX_ROUNDS:
            raise LoginError("the server wants too many SCRAM rounds")
        self._client.set_server_first(challenge)
        return self._client.get_client_final().encode()

    def _proven(self, challenge: str) -> bytes:
        self._client.set_server_final(challenge)
        self._proof_seen = True
        return b""

    def may_end(self) -> bool:
        """Only the server's proof ends it."""
        return self._proof_seen


_LOGINS: Final = (PlainLogin, LoginLogin, ScramLogin)


def choose_login(
    offered: frozenset[str], credentials: Credentials, nonce: str
) -> Login | None:
    """Take the first of our mechanisms that is offered; None where none is."""
    for login in _LOGINS:
        if login.mechanism in offered:
            return login(credentials, nonce)
    return None
