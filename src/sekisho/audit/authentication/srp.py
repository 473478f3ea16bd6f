"""SRP as a SASL mechanism, as far as an A of 0 needs it (draft-burmeister-sasl-srp).

The server's secret is a power of A times something, so that A = 0 modulo N makes it 0,
whatever the password: whoever knows that can prove the key.
"""

import hashlib
import struct

from sekisho.audit.conversation import GarbageError

MAX_FIELDS = 8


def _utf8(text: str) -> bytes:
    octets = text.encode()
    return struct.pack(">H", len(octets)) + octets


def _whole(content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + content


def hello(user: str) -> bytes:
    """Name the user; nobody else is acted for, and no session is resumed."""
    return _whole(_utf8(user) + _utf8("") + _utf8("") + b"\0")


def _hash(octets: bytes) -> bytes:
    return hashlib.sha1(octets, usedforsecurity=False).digest()


def _fields(challenge: bytes) -> tuple[bytes, bytes, bytes, bytes, bytes]:
    """Read N, g, s, B and L: numbers and L with two octets of length, s with one."""
    at = 5  # the whole's length, and the octet that says "a new session"
    taken: list[bytes] = []
    try:
        for width in (2, 2, 1, 2, 2):
            (size,) = struct.unpack_from(">H" if width > 1 else ">B", challenge, at)
            taken.append(challenge[at + width : at + width + size])
            at += width + size
    except struct.error as error:
        raise GarbageError("the challenge of SRP cannot be read") from error
    return taken[0], taken[1], taken[2], taken[3], taken[4]


def answer(challenge: bytes, user: str, times: int) -> bytes:
    """Answer with A = `times` N, and the proof that follows from a secret of 0.

    Raises:
        GarbageError: The challenge is none.

    """
    modulus, generator, salt, public, options = _fields(challenge)
    number = int.from_bytes(modulus, "big") * times
    ours = number.to_bytes((number.bit_length() + 7) // 8, "big")
    proof = evidence(modulus, generator, user.encode(), salt, ours, public, options)
    content = struct.pack(">H", len(ours)) + ours
    content += struct.pack(">B", len(proof)) + proof + _utf8("") + b"\0"
    return _whole(content)


def evidence(*parts: bytes) -> bytes:
    """Make M1 of N, g, user, s, A, B and L, with the key that a secret of 0 gives."""
    modulus, generator, user, salt, ours, public, options = parts
    mixed = bytes(a ^ b for a, b in zip(_hash(modulus), _hash(generator), strict=True))
    key, nobody_else = _hash(b""), _hash(b"")
    return _hash(
        mixed + _hash(user) + salt + ours + public + key + nobody_else + _hash(options)
    )
