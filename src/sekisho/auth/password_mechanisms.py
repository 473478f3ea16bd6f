"""PLAIN (RFC 4616) and LOGIN (draft-murchison-sasl-login), which send the password.

Both are exact about their fields: one NUL too many or too few, an empty name, an
empty password or a foreign authorization identity is a failure, never a guess at
what was meant.
"""

from sekisho.auth.sasl import Challenge, Failed, Step, claim

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
        authzid, name, password = fields
        return claim(name, password, authzid)


class Login:
    """Name and password in two responses; the name may come with AUTH."""

    __slots__ = ("_name",)

    def __init__(self) -> None:
        self._name = b""

    def step(self, response: bytes | None) -> Step:
        """Ask for the name, then for the password."""
        if response is None:
            return _USERNAME
        if self._name:
            return claim(self._name, response)
        if not response:
            return Failed("the name is empty")
        self._name = response
        return _PASSWORD
