"""Our login with SCRAM-SHA-256 (RFC 7677), for hosts that offer nothing simpler."""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# scramp has annotations for part of itself and no stubs.

import re
from typing import Final

from scramp import ScramClient, ScramException

from sekisho.model.route import Credentials
from sekisho.session.client_login import LoginError

_MAX_ROUNDS: Final = 600_000
"""A host that wants more rounds wants our processor, not our password."""

_ROUNDS = re.compile(r",i=([0-9]{1,9})(?:,|$)")


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
