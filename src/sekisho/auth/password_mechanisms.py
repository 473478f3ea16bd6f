"""PLAIN (RFC 4616) and LOGIN (draft-murchison-sasl-login), which send the password.

Both are exact about their fields: one NUL too many or too few, an empty name, an
empty password or a foreign authorization identity is a failure, never a guess at
what was meant.
"""

from sekisho.auth.precis import PreparationError
from sekisho.auth.sasl import Challenge, Failed, Step, claim, read_name

_PLAIN_FIELDS = 3
_USERNAME = Challenge(b"Username:")
_PASSWORD = Challenge(b"Password:")
_EMPTY = Challenge(b"")


class Plain:
    """``[authzid] NUL authcid NUL password`` in one response."""

    __slots__ = ()

    def step(self, response: bytes | None) -> Step:
        """Ask for the response if none came with AUTH; then read it."""
        if response is None:
            return _EMPTY
        fields = response.split(b"\0")
        if len(fields) != _PLAIN_FIELDS:
            return Failed("PLAIN has exactly three fields")
        authzid, authcid, password = fields
        try:
            # An empty authcid is a failure by itself. To take the authzid for it
            # would let whoever fills that field choose the account.
            account = read_name(authcid)
            acts_as = read_name(authzid) if authzid else account
        except PreparationError as error:
            return Failed(f"a name is none: {error}")
        if acts_as != account:
            return Failed("the authorization identity is another account's", account)
        return claim(account, password)


class Login:
    """Name and password in two responses; the name may come with AUTH."""

    __slots__ = ("_account",)

    def __init__(self) -> None:
        self._account = ""

    def step(self, response: bytes | None) -> Step:
        """Ask for the name, then for the password."""
        if self._account:
            return claim(self._account, response or b"")
        if response is None:
            return _USERNAME
        try:
            self._account = read_name(response)
        except PreparationError as error:
            return Failed(f"the name is none: {error}")
        return _PASSWORD
