"""The SASL mechanisms that we offer: one table, in the order of announcement.

Not offered, on purpose: ANONYMOUS (it proves nothing), CRAM-MD5 and DIGEST-MD5
(they need the password itself on the server, and MD5). A name that is not in the table
is 504.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

from sekisho.auth.context import AuthContext
from sekisho.auth.external import External
from sekisho.auth.password_mechanisms import Login, Plain
from sekisho.auth.sasl import Credential, Dialogue
from sekisho.auth.scram import Hash, Scram
from sekisho.auth.ticket_mechanisms import Tickets
from sekisho.auth.token_mechanisms import oauthbearer, xoauth2


class Needs(Enum):
    """What a connection must have before a mechanism is announced on it."""

    NOTHING = auto()
    BINDING = auto()
    CERTIFICATE = auto()


@dataclass(frozen=True, slots=True)
class Mechanism:
    """One row.

    Attributes:
        name: As registered.
        credential: What every authenticator must be able to verify before it is
            announced: clients pick the strongest and do not fall back.
        needs: A channel binding, a certificate of the client's, or nothing.
        begin: Makes a dialogue of its context and a source of random octets.
        is_off: Announced only where a listener's ``mechanisms`` names it.

    """

    name: str
    credential: Credential
    needs: Needs
    begin: Callable[[AuthContext, Callable[[int], bytes]], Dialogue]
    is_off: bool = False


def _scram(
    hashed: Hash, *, plus: bool = False
) -> Callable[[AuthContext, Callable[[int], bytes]], Dialogue]:
    def begin(context: AuthContext, randomness: Callable[[int], bytes]) -> Dialogue:
        return Scram(
            requires_binding=plus,
            channel_binding=context.channel_binding,
            randomness=randomness,
            hashed=hashed,
        )

    return begin


def _simple(
    make: Callable[[], Dialogue],
) -> Callable[[AuthContext, Callable[[int], bytes]], Dialogue]:
    return lambda _context, _randomness: make()


def _tickets(
    credential: Credential,
) -> Callable[[AuthContext, Callable[[int], bytes]], Dialogue]:
    return lambda _context, _randomness: Tickets(credential)


_PASSWORD, _TOKEN = Credential.PASSWORD, Credential.TOKEN
_KERBEROS, _NTLM = Credential.KERBEROS, Credential.NTLM
_SCRAM, _SCRAM_1 = Credential.SCRAM_SHA_256, Credential.SCRAM_SHA_1
_CERTIFICATE = Credential.CERTIFICATE
_PLUS_256, _PLUS_1 = _scram("sha256", plus=True), _scram("sha1", plus=True)

MECHANISMS = (
    Mechanism("EXTERNAL", _CERTIFICATE, Needs.CERTIFICATE, _simple(External)),
    Mechanism("GSSAPI", _KERBEROS, Needs.NOTHING, _tickets(_KERBEROS)),
    Mechanism("GSS-SPNEGO", _KERBEROS, Needs.NOTHING, _tickets(_KERBEROS)),
    Mechanism("SCRAM-SHA-256-PLUS", _SCRAM, Needs.BINDING, _PLUS_256),
    Mechanism("SCRAM-SHA-256", _SCRAM, Needs.NOTHING, _scram("sha256")),
    Mechanism("SCRAM-SHA-1-PLUS", _SCRAM_1, Needs.BINDING, _PLUS_1, is_off=True),
    Mechanism("SCRAM-SHA-1", _SCRAM_1, Needs.NOTHING, _scram("sha1"), is_off=True),
    Mechanism("OAUTHBEARER", _TOKEN, Needs.NOTHING, _simple(oauthbearer)),
    Mechanism("XOAUTH2", _TOKEN, Needs.NOTHING, _simple(xoauth2)),
    Mechanism("PLAIN", _PASSWORD, Needs.NOTHING, _simple(Plain)),
    Mechanism("LOGIN", _PASSWORD, Needs.NOTHING, _simple(Login)),
    Mechanism("NTLM", _NTLM, Needs.NOTHING, _tickets(_NTLM)),
)
