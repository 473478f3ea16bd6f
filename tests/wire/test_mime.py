"""Converted, each part is what it was; what cannot be is refused, not guessed."""

import binascii
import email
import email.message
import email.policy
import itertools
import re
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sekisho.wire.mime import Conversion, converted
from sekisho.wire.mime_coding import Coding, encoder
from sekisho.wire.mime_plan import Refusal, Target
from sekisho.wire.mime_structure import (
    MAX_HEADER_BYTES,
    MAX_NESTING,
    MAX_PARTS,
    StructureScan,
)

VECTORS = sorted((Path(__file__).parent / "mime").glob("*.in"))
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


@pytest.mark.parametrize("vector", VECTORS, ids=lambda path: path.stem)
@pytest.mark.parametrize("size", [1, 7, 10**6])
def test_vectors(vector: Path, size: int) -> None:
    """Files have LF for CRLF; 50 and above go to a host with 8BITMIME."""
    target = Target.EIGHT_BIT if vector.stem >= "5" else Target.SEVEN_BIT
    expected = vector.with_suffix(".out").read_bytes()
    result = in_pieces(crlf(vector.read_bytes()), size, target)
    if isinstance(result, Refusal):
        assert expected == f"refused: {result.name.lower()}\n".encode()
    else:
        assert result == crlf(expected)


# -- Python's own reader sees the same ------------------------------------------------

_numbers = itertools.count()

texts: st.SearchStrategy[bytes] = st.one_of(
    st.text(max_size=300).map(str.encode),
    st.binary(max_size=300),
    st.lists(
        st.sampled_from(
            [EIGHT, b"x" * 75, b" ", b"\t", b"=", b".", b"\r\n", b"-", b"--", b"From "]
        ),
        max_size=30,
    ).map(b"".join),
    st.sampled_from([1, 999, 6000]).map(lambda units: EIGHT[:1] * units),
    st.sampled_from([998, 4096]).map(lambda size: b"x" * size + b"\r\n" + EIGHT),
)


def as_lines(data: bytes) -> bytes:
    unix = data.replace(b"\0", b"").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return unix.replace(b"\n", b"\r\n")


TYPES = [
    b"",
    b"Content-Type: text/plain; charset=utf-8\r\n",
    b"Content-Type: TEXT/html\r\n",
    b"Content-Type: image/png; name=x.png\r\n",
]
LABELS = [
    b"",
    b"Content-Transfer-Encoding: 7bit\r\n",
    b"content-transfer-encoding:  8BIT\r\n",
    b"Content-Transfer-Encoding:\r\n binary (yes)\r\n",
]


def leaf(kind: bytes, label: bytes, body: bytes) -> bytes:
    return kind + label + b"\r\n" + body


def multipart(minor: bytes, parts: list[bytes], around: bytes) -> bytes:
    boundary = b"=_next_%06d_" % next(_numbers)
    line = b"\r\n--" + boundary
    return (
        b'Content-Type: multipart/%b; boundary="%b"\r\n\r\n' % (minor, boundary)
        + b"".join([around, *(line + b"\r\n" + part for part in parts)])
        + line
        + b"--\r\n"
        + around
    )


def inner_message(part: bytes) -> bytes:
    return b"Content-Type: message/rfc822\r\n\r\nSubject: x\r\n" + MIME + part


def parts_with(bodies: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    leaves = st.builds(leaf, st.sampled_from(TYPES), st.sampled_from(LABELS), bodies)
    return st.recursive(
        leaves,
        lambda parts: st.one_of(
            st.builds(
                multipart,
                st.sampled_from([b"mixed", b"alternative"]),
                st.lists(parts, min_size=1, max_size=3),
                st.sampled_from([b"", b"Nothing to see."]),
            ),
            parts.map(inner_message),
        ),
        max_leaves=6,
    )


def leaves_of(message: bytes) -> list[tuple[str, bytes]]:
    """Types and decoded bodies, as Python's own package reads them.

    Its text mode folds CRLF, so line ends become visible octets first.
    """
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


@given(part=parts_with(texts.map(as_lines)), size=st.integers(1, 5000))
@settings(max_examples=300, deadline=None)
def test_eight_bit_becomes_seven_bit_with_the_same_leaves(
    part: bytes, size: int
) -> None:
    sent = b"From: a@example.com\r\n" + MIME + part
    if not sent.endswith(b"\r\n"):
        sent += b"\r\n"
    result = converted(sent, Target.SEVEN_BIT)
    assert isinstance(result, bytes), result
    assert_fit(result)
    assert leaves_of(result) == leaves_of(sent)
    assert not re.search(rb"(?im)^content-transfer-encoding:\s*(8bit|binary)", result)
    assert converted(result, Target.SEVEN_BIT) == result
    assert in_pieces(sent, size, Target.SEVEN_BIT) == result


@given(part=parts_with(texts), target=st.sampled_from(Target), size=st.integers(1, 999))
@settings(max_examples=300, deadline=None)
def test_binary_loses_nothing(part: bytes, target: Target, size: int) -> None:
    """Against a reader of our own: Python's takes a lone CR for a line's end."""
    sent = MIME + part
    result = converted(sent, target)
    assert isinstance(result, bytes), result
    if target is Target.SEVEN_BIT:
        assert_fit(result)
    assert b"\0" not in result
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", result)
    assert bodies_of(result) == bodies_of(sent)
    assert converted(result, target) == result
    assert in_pieces(sent, size, target) == result


def bodies_of(entity: bytes) -> list[bytes]:
    """Decoded leaf bodies of what this file generates, without bounds or care."""
    head, _, body = entity.partition(b"\r\n\r\n")
    if entity.startswith(b"\r\n"):
        head, body = b"", entity[2:]
    if found := re.search(rb'boundary="(.*?)"', head):
        inner = (b"\r\n" + body).split(b"\r\n--" + found[1])[1:-1]
        return [each for part in inner for each in bodies_of(part[2:])]
    if b"message/rfc822" in head:
        return bodies_of(body)
    if b"quoted-printable" in head:
        return [binascii.a2b_qp(body)]
    return [binascii.a2b_base64(body) if b"base64" in head else body]


@given(st.binary(max_size=400))
@settings(max_examples=500, deadline=None)
def test_anything_at_all_is_converted_or_refused(data: bytes) -> None:
    for target in Target:
        result = converted(data, target)
        assert result == in_pieces(data, 1, target)


hostile: st.SearchStrategy[bytes] = st.lists(
    st.sampled_from(
        [
            *(
                b"\r\n",
                b"\r\n\r\n",
                b"--b",
                b"--b--",
                b"--c",
                b"--",
                b"b",
                b"\r",
                b"\n",
            ),
            *(
                MIME,
                b"Content-Type: multipart/mixed; boundary=b\r\n",
                EIGHT,
                b" ",
                b":",
            ),
            *(
                b"Content-Type: multipart/mixed; boundary=c\r\n",
                b"text",
                b"\0",
                b"X: y",
            ),
            *(b"Content-Type: message/rfc822\r\n", b"Content-Type: multipart/signed; "),
            b"Content-Transfer-Encoding: 8bit\r\n",
        ]
    ),
    max_size=60,
).map(b"".join)


@given(data=hostile, size=st.integers(1, 50), target=st.sampled_from(Target))
@settings(max_examples=1000, deadline=None)
def test_hostile_structures_come_out_fit_or_not_at_all(
    data: bytes, size: int, target: Target
) -> None:
    result = converted(MIME + data, target)
    assert in_pieces(MIME + data, size, target) == result
    if isinstance(result, Refusal):
        return
    assert converted(result, target) == result
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)|\0", result)
    assert target is Target.EIGHT_BIT or result.isascii()


# -- encoders -------------------------------------------------------------------------


@given(
    data=texts,
    coding=st.sampled_from(Coding),
    cuts=st.lists(st.integers(1, 5000), max_size=8),
    of_content=st.booleans(),
)
@settings(max_examples=500, deadline=None)
def test_encoders_give_the_same_for_every_cut(
    data: bytes, coding: Coding, cuts: list[int], of_content: bool
) -> None:
    whole = encoder(coding)
    once = whole.piece(data) + whole.end(of_content=of_content)
    cut = encoder(coding)
    out: list[bytes] = []
    for length in cuts:
        out.append(cut.piece(data[:length]))
        data = data[length:]
    out.append(cut.piece(data) + cut.end(of_content=of_content))
    assert b"".join(out) == once
    assert max(map(len, once.split(b"\r\n"))) <= 76


# -- bounds ---------------------------------------------------------------------------


def nested(depth: int, innermost: bytes) -> bytes:
    sent = innermost
    for level in range(depth):
        line = b"\r\n--level%03d_" % level
        head = b"Content-Type: multipart/mixed; boundary=level%03d_\r\n" % level
        sent = head + line + b"\r\n" + sent + line + b"--"
    return MIME + sent


@pytest.mark.parametrize("body", [b"x", EIGHT])
def test_nesting_is_bounded(body: bytes) -> None:
    inside = nested(MAX_NESTING, b"\r\n" + body)
    assert isinstance(converted(inside, Target.SEVEN_BIT), bytes)
    outside = nested(MAX_NESTING + 1, b"\r\n" + body)
    carried = converted(outside, Target.SEVEN_BIT)
    assert carried == (outside if body == b"x" else Refusal.UNCLEAR)


def test_messages_within_messages_are_bounded() -> None:
    for depth, result in ((MAX_NESTING, bytes), (MAX_NESTING + 1, Refusal)):
        inner = (b"Content-Type: message/rfc822\r\n\r\n" + MIME) * depth
        sent = MIME + inner + b"\r\n" + EIGHT
        assert isinstance(converted(sent, Target.SEVEN_BIT), result)


def test_parts_are_bounded() -> None:
    head = MIME + b"Content-Type: multipart/mixed; boundary=b\r\n"
    for count, result in ((MAX_PARTS - 1, bytes), (MAX_PARTS, Refusal)):
        sent = head + b"\r\n--b\r\n\r\n" + EIGHT
        sent += (b"\r\n--b\r\n\r\n" + EIGHT) * (count - 1) + b"\r\n--b--\r\n"
        assert isinstance(converted(sent, Target.SEVEN_BIT), result)


@pytest.mark.parametrize("end", [b"", b"\r\n\r\nx"])
def test_headers_are_bounded(end: bytes) -> None:
    long = b"X: " + b"x" * MAX_HEADER_BYTES
    for size in (1000, 10**6):
        assert in_pieces(long + end, size, Target.SEVEN_BIT) is Refusal.UNCLEAR


def test_a_boundary_line_is_bounded() -> None:
    head = MIME + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b"
    for blanks, result in ((995, bytes), (997, Refusal), (5000, Refusal)):
        sent = head + b" " * blanks + b"\r\n\r\n" + EIGHT + b"\r\n--b--"
        for size in (100, 10**6):
            assert isinstance(in_pieces(sent, size, Target.SEVEN_BIT), result)


def test_a_long_line_in_a_part_is_none() -> None:
    head = MIME + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n"
    sent = head + b"x\r\n--" + b"y" * 5000 + EIGHT + b"\r\n--b--"
    for size in (100, 10**6):
        result = in_pieces(sent, size, Target.SEVEN_BIT)
        assert isinstance(result, bytes)
        assert_fit(result)


@pytest.mark.parametrize(
    "unit",
    [
        b"\r\n--",
        b"\r\n--b\r\n",
        b"\r\n",
        b"\r",
        EIGHT,
        b"(",
        b"Content-Type: a(\r\n ",
        b"X:\r\n ",
    ],
)
def test_time_is_linear(unit: bytes) -> None:
    """A megabyte of the worst takes no longer than a few of the best."""
    head = MIME + b"Content-Type: multipart/mixed; boundary=b\r\n"
    for start in (MIME, head + b"\r\n", head + b"\r\n--b\r\n\r\n"):
        data = start + unit * (2**20 // len(unit))
        began = time.perf_counter()
        in_pieces(data, 65536, Target.SEVEN_BIT)
        assert time.perf_counter() - began < 3.0
