"""How the tests of conversion read what comes out: with Python's `email`."""

import email
import email.message
import email.policy
import re

from sekisho.wire.mime import Conversion
from sekisho.wire.mime_plan import Refusal, Target
from sekisho.wire.mime_structure import StructureScan

MIME = b"MIME-Version: 1.0\r\n"
EIGHT = "é".encode()


def crlf(data: bytes) -> bytes:
    return data.replace(b"\n", b"\r\n")


def in_pieces(data: bytes, size: int, target: Target) -> bytes | Refusal:
    cut = [data[at : at + size] for at in range(0, len(data), size)]
    scan = StructureScan(target)
    for piece in cut:
        scan.feed(piece)
    plan = scan.finish()
    assert scan.refused is (plan if isinstance(plan, Refusal) else None)
    if isinstance(plan, Refusal):
        return plan
    conversion = Conversion(plan)
    return b"".join([conversion.feed(piece) for piece in cut])


def as_lines(data: bytes) -> bytes:
    unix = data.replace(b"\0", b"").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return unix.replace(b"\n", b"\r\n")


def leaves_of(message: bytes) -> list[tuple[str, bytes]]:
    """Types and decoded bodies, as Python's own package reads them."""
    parsed = email.message_from_bytes(message, policy=email.policy.SMTP)
    return [
        (part.get_content_type(), _decoded(part))
        for part in parsed.walk()
        if not part.is_multipart()
    ]


def _decoded(part: email.message.Message) -> bytes:
    payload = part.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload


def assert_fit(data: bytes) -> None:
    assert data.isascii()
    assert b"\0" not in data
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", data)
    assert max(map(len, data.split(b"\r\n"))) <= 998
