"""Converted, each part is what it was; what cannot be is refused, not guessed."""

import binascii
import itertools
import re
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sekisho.wire.mime import converted
from sekisho.wire.mime_coding import Coding, encoder
from sekisho.wire.mime_plan import Refusal, Target
from wire.mime_reading import (
    EIGHT,
    MIME,
    as_lines,
    assert_fit,
    crlf,
    in_pieces,
    leaves_of,
)

VECTORS = sorted((Path(__file__).parent / "mime").glob("*.in"))


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


# -- encoders -------------------------------------------------------------------------


@example(b" " * 70 + b".88888", Coding.QUOTED_PRINTABLE, [], True)
@example(b"x" * 75 + b"\xff" + b"x" * 4096, Coding.QUOTED_PRINTABLE, [], True)
@given(
    data=texts,
    coding=st.sampled_from(Coding),
    cuts=st.lists(st.integers(1, 5000), max_size=8),
    of_content=st.booleans(),
)
@example(data=b"x" * 9000, coding=Coding.QUOTED_PRINTABLE, cuts=[5000], of_content=True)
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
