"""Base64 as AUTH uses it, read strictly (RFC 4648 §3.3 and §3.5, RFC 4954 §4).

Promise: every octet string has one spelling. Whatever is not that spelling (blanks,
missing or spare padding, bits behind the end, another alphabet) is refused: two
spellings of one secret would be a way past whatever compares spellings.
"""

import binascii
from enum import Enum


class Base64Fault(Enum):
    """Why there are no octets."""

    MALFORMED = "malformed"


def decode(text: bytes) -> bytes | Base64Fault:
    """Decode a response, which may be empty."""
    try:
        data = binascii.a2b_base64(text, strict_mode=True) if text else b""
    except binascii.Error:
        return Base64Fault.MALFORMED
    # Strict mode lets bits behind the end pass ("QQ==" and "QR==" are both "A").
    return data if encode(data) == text else Base64Fault.MALFORMED


def encode(data: bytes) -> bytes:
    """Encode a challenge, without a line end."""
    return binascii.b2a_base64(data, newline=False)
