"""NTLM messages: what is anonymous, old or malformed never reaches winbind."""

import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.auth.ntlmssp import (
    SIGNATURE,
    Claimed,
    NtlmError,
    check_negotiate,
    read_authenticate,
)

UNICODE, ANONYMOUS = 0x1, 0x800


def negotiate() -> bytes:
    return SIGNATURE + struct.pack("<II", 1, 0x8201) + bytes(16)


def authenticate(
    user: str = "alice",
    domain: str = "OWN",
    response: bytes = b"r" * 48,
    flags: int = UNICODE,
) -> bytes:
    """Build a message; offsets from the end of its fixed part."""
    encoding = "utf-16-le" if flags & UNICODE else "latin-1"
    parts = [
        b"l" * 24,
        response,
        domain.encode(encoding),
        user.encode(encoding),
        b"",
        b"",
    ]
    head, payload = b"", b""
    for part in parts:
        head += struct.pack("<HHI", len(part), len(part), 64 + len(payload))
        payload += part
    return SIGNATURE + struct.pack("<I", 3) + head + struct.pack("<I", flags) + payload


def test_whole_messages_are_read() -> None:
    check_negotiate(negotiate())
    for flags in (UNICODE, 0):
        message = authenticate(flags=flags)
        assert read_authenticate(message) == Claimed("alice", "OWN")
    assert read_authenticate(authenticate("ü")) == Claimed("ü", "OWN")
    check_negotiate(negotiate()[:16])
    longest = "a" * 256
    assert read_authenticate(authenticate(longest)) == Claimed(longest, "OWN")


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (b"", "no NTLM"),
        (b".", "no NTLM"),
        (negotiate(), "no NTLM"),
        (negotiate() + bytes(64), "message 1 where 3"),
        (authenticate(response=b""), "anonymous"),
        (authenticate(flags=UNICODE | ANONYMOUS), "anonymous"),
        (authenticate(user="", response=b"\0"), "version 1"),
        (authenticate(user=""), "null session"),
        (authenticate(response=b"r" * 24), "version 1"),
        (authenticate(user="ü", flags=0), "no ascii"),
        (authenticate(domain="ü", flags=0), "no ascii"),
        (authenticate(user="", flags=0), "null session"),
        (authenticate(user="a\0", flags=0), "control"),
        (authenticate(user="a\nb"), "control"),
        (authenticate(user="a" * 257), "too long"),
        (negotiate()[:15], "no NTLM"),
    ],
)
def test_what_proves_nothing_is_refused(message: bytes, words: str) -> None:
    with pytest.raises(NtlmError, match=words):
        read_authenticate(message)


@pytest.mark.parametrize("at", [12, 20, 28, 36])
@pytest.mark.parametrize("field", [(0xFFFF, 0), (8, 0xFFFFFFF0), (3, 60)])
def test_a_field_out_of_the_message_or_odd_is_refused(
    at: int, field: tuple[int, int]
) -> None:
    message = bytearray(authenticate())
    struct.pack_into("<HHI", message, at, field[0], field[0], field[1])
    if at == 12:
        return  # The old response is not looked at, and so leads nowhere.
    with pytest.raises(NtlmError):
        read_authenticate(bytes(message))


@given(st.binary(max_size=300) | st.binary(max_size=200).map(SIGNATURE.__add__))
def test_no_octets_raise_anything_else(message: bytes) -> None:
    for read in (check_negotiate, read_authenticate):
        with suppress(NtlmError):
            read(message)
