"""NTLM messages (MS-NLMP) that prove nothing, and what a challenge tells."""

import struct
from base64 import b64encode

SIGNATURE = b"NTLMSSP\0"
CHALLENGE, AUTHENTICATE = 2, 3
UNICODE, ANONYMOUS = 0x1, 0x800
FIXED_OCTETS = 64
USER_FIELD, RESPONSE_FIELD = 36, 20
NAME_FIELD, INFO_FIELD = 12, 40
PAIR_HEAD_OCTETS, NAMING_PAIRS = 4, frozenset(range(1, 6))
"""Computer, domain and forest, by NetBIOS and by DNS (MS-NLMP §2.2.2.1)."""

NEGOTIATE = b"TlRMTVNTUAABAAAAB4IAgAAAAAAAAAAAAAAAAAAAAAA="
"""Flags 0x80008207, no domain, no workstation."""
NULL_SESSION = (
    b"TlRMTVNTUAADAAAAAQABAEAAAAAAAAAAQQAAAAAAAABAAAAAAAAAAEAAAAAAAAAA"
    b"QAAAAAAAAABBAAAABYIAAAA="
)
"""One octet for a response, and no name: how MS02-011 is looked for."""


def authenticate(user: str, response: bytes) -> bytes:
    """Make an AUTHENTICATE message, its payload behind the fixed part."""
    parts = [b"\1" * 24, response, b"", user.encode("utf-16-le"), b"", b""]
    head, payload = b"", b""
    for part in parts:
        head += struct.pack("<HHI", len(part), len(part), FIXED_OCTETS + len(payload))
        payload += part
    kind, flags = struct.pack("<I", AUTHENTICATE), struct.pack("<I", UNICODE)
    return SIGNATURE + kind + head + flags + payload


def answer(message: bytes) -> bytes:
    """Spell a message for the wire."""
    return b64encode(message)


def misshapen() -> tuple[bytes, ...]:
    """Make messages whose fields lead out of them, and one that ends early."""
    whole = authenticate("audit", b"r" * 24)

    def with_field(at: int, length: int, offset: int) -> bytes:
        return (
            whole[:at] + struct.pack("<HHI", length, length, offset) + whole[at + 8 :]
        )

    return (
        with_field(USER_FIELD, 0xFFFF, FIXED_OCTETS),
        with_field(RESPONSE_FIELD, 24, 0xFFFFFFFF),
        with_field(USER_FIELD, 7, FIXED_OCTETS),
        whole[:RESPONSE_FIELD],
    )


def names_in(challenge: bytes) -> list[str]:
    """Give the names of domains and hosts that a CHALLENGE message tells."""
    if not challenge.startswith(SIGNATURE + struct.pack("<I", CHALLENGE)):
        return []
    named = [_field(challenge, NAME_FIELD)]
    pairs = _field(challenge, INFO_FIELD)
    while len(pairs) >= PAIR_HEAD_OCTETS:
        kind, length = struct.unpack_from("<HH", pairs)
        if kind in NAMING_PAIRS:
            named.append(pairs[PAIR_HEAD_OCTETS : PAIR_HEAD_OCTETS + length])
        pairs = pairs[PAIR_HEAD_OCTETS + length :]
    return [octets.decode("utf-16-le", "replace") for octets in named if octets]


def _field(message: bytes, at: int) -> bytes:
    if len(message) < at + 8:
        return b""
    length, _, offset = struct.unpack_from("<HHI", message, at)
    return message[offset : offset + length]
