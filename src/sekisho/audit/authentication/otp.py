"""One-time passwords (RFC 2289), as the mechanism OTP (RFC 2444) asks for them."""

import hashlib
import re
from collections.abc import Callable

MAX_ROUNDS = 10_000
_CHALLENGE = re.compile(r"otp-(md5|sha1) (\d{1,5}) ([A-Za-z0-9]{1,16})(?: .*)?")


def _md5(octets: bytes) -> bytes:
    digest = hashlib.md5(octets, usedforsecurity=False).digest()
    return _xor(digest[:8], digest[8:])


def _sha1(octets: bytes) -> bytes:
    digest = hashlib.sha1(octets, usedforsecurity=False).digest()
    words = [int.from_bytes(digest[n : n + 4], "big") for n in range(0, 20, 4)]
    # RFC 2289 appendix A: five words are folded to two, which are little-endian.
    folded = (words[0] ^ words[2] ^ words[4], words[1] ^ words[3])
    return b"".join(word.to_bytes(4, "little") for word in folded)


def _xor(one: bytes, two: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, two, strict=True))


HASHES: dict[str, Callable[[bytes], bytes]] = {"md5": _md5, "sha1": _sha1}


def one_time_password(passphrase: str, challenge: str) -> str | None:
    """Answer a challenge, in hexadecimal; None where it cannot be read."""
    told = _CHALLENGE.fullmatch(challenge.strip())
    if told is None or int(told[2]) > MAX_ROUNDS:
        return None
    step = HASHES[told[1]]
    octets = step((told[3].lower() + passphrase).encode())
    for _ in range(int(told[2])):
        octets = step(octets)
    return f"hex:{octets.hex()}"
