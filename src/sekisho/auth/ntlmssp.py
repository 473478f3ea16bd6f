"""NTLM messages (MS-NLMP), looked at before anybody takes them for papers.

Samba's helper verifies; what is refused here never reaches it: an anonymous or null
session (MS02-011 took one for an account), the first version of the response, which
can be computed back, and fields that lead out of the message (offsets and lengths are
the client's). Names are in UTF-16, or in ASCII where the client knows no Unicode, as
curl: what an octet above that means in an "OEM" character set, only the client knows.
"""

import struct
from dataclasses import dataclass

SIGNATURE = b"NTLMSSP\0"
_NEGOTIATE, _AUTHENTICATE = 1, 3
_LEAST_NEGOTIATE, _LEAST_AUTHENTICATE = 16, 64
_UNICODE, _ANONYMOUS = 0x1, 0x800
_V1_OCTETS = 24
_MAX_NAME_OCTETS = 512


class NtlmError(Exception):
    """The message is none, or one that is not taken; the text is for the log."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """Whom an AUTHENTICATE message names, and nothing of its proof."""

    user: str
    domain: str


def check_negotiate(message: bytes) -> None:
    """Look at a NEGOTIATE message.

    Raises:
        NtlmError: It is none.

    """
    _kind(message, _NEGOTIATE, _LEAST_NEGOTIATE)


def read_authenticate(message: bytes) -> Claimed:
    """Look at an AUTHENTICATE message.

    Raises:
        NtlmError: It is none, is anonymous, or holds no NTLMv2 response.

    """
    _kind(message, _AUTHENTICATE, _LEAST_AUTHENTICATE)
    (flags,) = struct.unpack_from("<I", message, 60)
    response = _field(message, 20)
    if flags & _ANONYMOUS or not response:
        raise NtlmError("an anonymous session")
    if len(response) <= _V1_OCTETS:
        raise NtlmError("NTLM of version 1")
    encoding = "utf-16-le" if flags & _UNICODE else "ascii"
    user = _name(_field(message, 36), encoding)
    if not user:
        raise NtlmError("a null session: there is no user")
    return Claimed(user, _name(_field(message, 28), encoding))


def _kind(message: bytes, kind: int, least: int) -> None:
    if len(message) < least or not message.startswith(SIGNATURE):
        raise NtlmError("it is no NTLM message")
    (found,) = struct.unpack_from("<I", message, 8)
    if found != kind:
        raise NtlmError(f"NTLM message {found} where {kind} belongs")


def _field(message: bytes, at: int) -> bytes:
    length, _, offset = struct.unpack_from("<HHI", message, at)
    if offset + length > len(message):
        raise NtlmError("a field leads out of the message")
    return message[offset : offset + length]


def _name(octets: bytes, encoding: str) -> str:
    if len(octets) > _MAX_NAME_OCTETS:
        raise NtlmError("a name is too long")
    try:
        name = octets.decode(encoding)
    except UnicodeDecodeError:
        raise NtlmError(f"a name is no {encoding}") from None
    if not name.isprintable():
        raise NtlmError("a name holds control characters")
    return name
