"""Lines end with CRLF alone, and the cut into reads changes nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.wire.lines import InputBuffer, LineFault

OCTETS = st.lists(st.sampled_from([b"\r", b"\n", b"\0", b"a", b"\r\n"])).map(b"".join)


def buffer_of(data: bytes) -> InputBuffer:
    buffer = InputBuffer()
    buffer.feed(data)
    return buffer


def test_a_line_comes_without_its_end_and_the_rest_stays():
    buffer = buffer_of(b"one\r\ntwo\r\nthr")
    assert buffer.take_line(100) == b"one"
    assert buffer.take_line(100) == b"two"
    assert buffer.take_line(100) is LineFault.INCOMPLETE
    assert buffer.held == 3
    buffer.feed(b"ee\r\n")
    assert buffer.take_line(100) == b"three"
    assert buffer.held == 0


@pytest.mark.parametrize(
    "data",
    [b"a\n", b"\n", b"a\rb", b"a\rb\r\n", b"a\0", b"a\0\r\n", b"a\r\r\n", b"a\nb\r\n"],
)
def test_what_another_reader_may_take_for_a_line_end_is_no_line(data: bytes):
    assert buffer_of(data).take_line(100) is LineFault.BAD_OCTET


def test_the_limit_counts_the_line_end():
    assert buffer_of(b"abc\r\n").take_line(5) == b"abc"
    assert buffer_of(b"abcd\r\n").take_line(5) is LineFault.TOO_LONG
    assert buffer_of(b"abcd").take_line(5) is LineFault.INCOMPLETE
    assert buffer_of(b"abcde").take_line(5) is LineFault.TOO_LONG


def test_what_stands_behind_the_limit_is_not_judged():
    assert buffer_of(b"abcde\0\r\n").take_line(5) is LineFault.TOO_LONG
    assert buffer_of(b"abcd\rx").take_line(5) is LineFault.TOO_LONG


@given(OCTETS, st.integers(2, 12))
def test_octet_by_octet_gives_the_same_lines(data: bytes, limit: int):
    def lines(*pieces: bytes) -> list[bytes | LineFault]:
        buffer = InputBuffer()
        found: list[bytes | LineFault] = []
        for piece in pieces:
            buffer.feed(piece)
            while (line := buffer.take_line(limit)) is not LineFault.INCOMPLETE:
                found.append(line)
                if isinstance(line, LineFault):
                    return found
        return found

    assert lines(data) == lines(*(data[i : i + 1] for i in range(len(data))))


def test_skipping_ends_behind_a_crlf_that_was_cut():
    buffer = buffer_of(b"abc\r")
    assert not buffer.skip_line()
    assert buffer.held == 1
    buffer.feed(b"\nnext")
    assert buffer.skip_line()
    assert buffer.take(10) == b"next"


def test_peek_reads_nothing_and_clear_forgets():
    buffer = buffer_of(b"abcdef")
    assert buffer.take(2) == b"ab"
    assert buffer.peek(2) == b"cd"
    assert buffer.held == 4
    buffer.clear()
    assert buffer.held == 0
