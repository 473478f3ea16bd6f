"""Hostile structure: bounded, linear, and never read otherwise than others read it."""

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sekisho.wire.mime import converted
from sekisho.wire.mime_plan import Refusal, Target
from sekisho.wire.mime_structure import MAX_HEADER_BYTES, MAX_NESTING, MAX_PARTS
from wire.mime_reading import EIGHT, MIME, assert_fit, in_pieces, leaves_of


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


DAMAGES = [
    *(b"", b" x", b"text", EIGHT, b"X: y", b"--", b"--bb", b"MIME-Version: 1.0"),
    *(b"--b", b"--b--", b"--b-- ", b"--c", b"--c--", b"--c "),
    b"Content-Type: text/plain",
    b"Content-Type: text/html; (x",
    b"Content-Type: message/rfc822",
    b"Content-Type: multipart/signed; boundary=c",
    b"Content-Type: multipart/mixed; boundary=bb",
    b'Content-Type: multipart/mixed; boundary="c"; boundary=b',
    b"Content-Transfer-Encoding: 8bit",
    b"Content-Transfer-Encoding: base64",
]
WELL_MADE = (
    MIME
    + b"Content-Type: multipart/mixed; boundary=b\r\n"
    + b"Content-Transfer-Encoding: 8bit\r\n\r\nbefore\r\n"
    + b"--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n"
    + b"--c\r\nContent-Type: text/plain\r\n\r\n%b\r\n" % EIGHT
    + b"--c\r\nContent-Type: image/png\r\n\r\n%b\r\n--c--\r\nbehind\r\n" % EIGHT
    + b"--b\r\nContent-Type: message/rfc822\r\n\r\n"
    + b"Subject: y\r\n%b\r\n%b\r\n--b--\r\nend\r\n" % (MIME, EIGHT)
).split(b"\r\n")


@given(
    st.lists(
        st.tuples(
            st.sampled_from([0, 1]),
            st.integers(0, len(WELL_MADE)),
            st.lists(st.sampled_from(DAMAGES), max_size=1),
        ),
        min_size=1,
        max_size=5,
    )
)
@settings(max_examples=1500, deadline=None)
def test_lines_lost_and_put_in_change_no_leaf(
    damage: list[tuple[int, int, list[bytes]]],
) -> None:
    """Where it is still converted, Python's reader sees the leaves that it saw."""
    lines = list(WELL_MADE)
    for taken, at, put in damage:
        lines[at : at + taken] = put
    sent = b"\r\n".join(lines)
    result = converted(sent, Target.SEVEN_BIT)
    if not isinstance(result, Refusal):
        assert result.isascii()
        assert leaves_of(result) == leaves_of(sent)


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
        began = time.process_time()
        in_pieces(data, 65536, Target.SEVEN_BIT)
        assert time.process_time() - began < 3.0
