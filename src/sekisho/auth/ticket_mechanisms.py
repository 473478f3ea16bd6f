"""GSSAPI (RFC 4752), GSS-SPNEGO (RFC 4178) and NTLM: the client's tokens, passed on.

What stands in a token is read by whoever made its kind: the Kerberos library, winbind.
Here only its size is looked at, and who begins: the client, in the response to an empty
challenge where AUTH brought none.
"""

from sekisho.auth.sasl import Challenge, Credential, Failed, Step, TicketGiven

MAX_TICKET_OCTETS = 64 * 1024
"""Of one token; a ticket of somebody in a thousand groups has about 40,000."""

_EMPTY = Challenge(b"")


class Tickets:
    """One exchange of tokens.

    Args:
        credential: What takes them.

    """

    __slots__ = ("_begun", "_credential")

    def __init__(self, credential: Credential) -> None:
        self._credential = credential
        self._begun = False

    def step(self, response: bytes | None) -> Step:
        """Pass a token on; the first one is never empty."""
        if response is None:
            return _EMPTY
        if len(response) > MAX_TICKET_OCTETS:
            return Failed("the token is too long")
        if not response and not self._begun:
            return Failed("the first token is empty")
        self._begun = True
        return TicketGiven(self._credential, response)
