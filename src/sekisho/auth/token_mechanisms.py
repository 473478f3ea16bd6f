"""OAUTHBEARER (RFC 7628) and XOAUTH2 (as mail providers describe it): bearer tokens.

Both say "this is my token, and I am that user" in one message, which is read whole
against its grammar. What the token is worth, only an authenticator says: here it is
octets of the right alphabet, no more than `MAX_TOKEN_OCTETS`.

A refusal has two steps in both: an error as JSON in a challenge, the client's empty
answer to it, then 535 (`Exchange` carries that out). The error names the scope that is
wanted here, and is the same whatever was wrong with the token.
"""

import re
from collections.abc import Callable
from functools import partial

import msgspec

from sekisho.auth.precis import PreparationError, prepare_name
from sekisho.auth.sasl import Challenge, Failed, Step, TokenGiven, read_saslname

MAX_TOKEN_OCTETS = 8192
"""Of one token; what providers issue with many groups has some 6,000."""

_EMPTY = Challenge(b"")

# RFC 6750 §2.1.
_B64TOKEN = r"[A-Za-z0-9._~+/-]+=*"
_BEARER = re.compile(rf"bearer +({_B64TOKEN})", re.IGNORECASE)

# RFC 7628 §3.1: gs2-header kvsep *kvpair kvsep. Channel bindings ("p=") it has none.
_OAUTHBEARER = re.compile(
    r"[ny],(?:a=(?P<authzid>[^\x00-\x1f,]+))?,\x01(?P<pairs>(?:[^\x01]+\x01)*)\x01"
)
_PAIR = re.compile(r"([A-Za-z]+)=([\t\n\r -~]*)")
_XOAUTH2 = re.compile(r"user=(?P<user>[^\x00-\x1f]+)\x01auth=(?P<auth>[ -~]+)\x01\x01")

Fault = Callable[[str], bytes]


def is_token(text: str) -> bool:
    """Whether a client could send it."""
    return re.fullmatch(_B64TOKEN, text) is not None and len(text) <= MAX_TOKEN_OCTETS


def bearer_fault(scope: str) -> bytes:
    """Write the error of RFC 7628 §3.2.2."""
    return _json({"status": "invalid_token", "scope": scope})


def vendor_fault(scope: str) -> bytes:
    """Write the error of XOAUTH2."""
    return _json({"status": "401", "schemes": "bearer", "scope": scope})


def _json(fields: dict[str, str]) -> bytes:
    return msgspec.json.encode({key: value for key, value in fields.items() if value})


class TokenDialogue:
    """One exchange of a token.

    Args:
        read: Reads the client's only message.

    """

    __slots__ = ("_read",)

    def __init__(self, read: Callable[[str], Step]) -> None:
        self._read = read

    def step(self, response: bytes | None) -> Step:
        """Ask for the message if none came with AUTH; then read it."""
        if response is None:
            return _EMPTY
        try:
            return self._read(response.decode("utf-8"))
        except UnicodeDecodeError:
            return Failed("the message is not UTF-8")


def oauthbearer() -> TokenDialogue:
    """Begin OAUTHBEARER; ``host`` and ``port`` of the client's are passed over."""
    return TokenDialogue(_read_oauthbearer)


def xoauth2() -> TokenDialogue:
    """Begin XOAUTH2."""
    return TokenDialogue(_read_xoauth2)


def _read_oauthbearer(message: str) -> Step:
    found = _OAUTHBEARER.fullmatch(message)
    if found is None:
        return Failed("the OAUTHBEARER message is malformed")
    pairs: dict[str, str] = {}
    for text in found["pairs"].split("\x01")[:-1]:
        pair = _PAIR.fullmatch(text)
        if pair is None or pair[1] in pairs:
            return Failed("the OAUTHBEARER message has a pair that is none, or two")
        pairs[pair[1]] = pair[2]
    read_name = partial(read_saslname, found["authzid"] or "")
    return _given(read_name, pairs.get("auth", ""), bearer_fault)


def _read_xoauth2(message: str) -> Step:
    found = _XOAUTH2.fullmatch(message)
    if found is None:
        return Failed("the XOAUTH2 message is malformed")
    return _given(partial(prepare_name, found["user"]), found["auth"], vendor_fault)


def _given(read_name: Callable[[], str], auth: str, fault: Fault) -> Step:
    try:
        account = read_name()
    except PreparationError as error:
        return Failed(f"a name is none: {error}")
    found = _BEARER.fullmatch(auth)
    if found is None:
        return Failed("there is no bearer token", account)
    if len(found[1]) > MAX_TOKEN_OCTETS:
        return Failed(f"the token has more than {MAX_TOKEN_OCTETS} octets", account)
    return TokenGiven(found[1], account, fault)
