"""The SASL mechanisms that we offer: one table, in the order of announcement.

Not offered, on purpose: ANONYMOUS (it proves nothing), CRAM-MD5 and DIGEST-MD5
(they need the password itself on the server, and MD5), EXTERNAL and GSSAPI until an
authenticator here can verify them. A name that is not in the table is 504.
"""

from collections.abc import Callable
from dataclasses import dataclass

from sekisho.auth.context import AuthContext
from sekisho.auth.password_mechanisms import Login, Plain
from sekisho.auth.sasl import Credential, Dialogue
from sekisho.auth.scram import Scram


@dataclass(frozen=True, slots=True)
class Mechanism:
    """One row.

    Attributes:
        name: As registered.
        credential: What every authenticator must be able to verify before it is
            announced: clients pick the strongest and do not fall back.
        needs_binding: Whether it is announced only where the TLS connection has a
            channel binding.
        begin: Makes a dialogue of its context and a source of random octets.

    """

    name: str
    credential: Credential
    needs_binding: bool
    begin: Callable[[AuthContext, Callable[[int], bytes]], Dialogue]


def _scram(context: AuthContext, randomness: Callable[[int], bytes]) -> Dialogue:
    return Scram(
        requires_binding=False,
        channel_binding=context.channel_binding,
        randomness=randomness,
    )


def _scram_plus(context: AuthContext, randomness: Callable[[int], bytes]) -> Dialogue:
    return Scram(
        requires_binding=True,
        channel_binding=context.channel_binding,
        randomness=randomness,
    )


def _plain(_context: AuthContext, _randomness: Callable[[int], bytes]) -> Dialogue:
    return Plain()


def _login(_context: AuthContext, _randomness: Callable[[int], bytes]) -> Dialogue:
    return Login()


MECHANISMS = (
    Mechanism("SCRAM-SHA-256-PLUS", Credential.SCRAM_SHA_256, True, _scram_plus),  # noqa: FBT003 - a column
    Mechanism("SCRAM-SHA-256", Credential.SCRAM_SHA_256, False, _scram),  # noqa: FBT003 - a column
    Mechanism("PLAIN", Credential.PASSWORD, False, _plain),  # noqa: FBT003 - a column
    Mechanism("LOGIN", Credential.PASSWORD, False, _login),  # noqa: FBT003 - a column
)
