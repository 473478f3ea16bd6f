"""The end of content, dots and bounds, against a plain reading of the rules."""

import re
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.model.rules import BareNewline
from sekisho.session.client_content import DotStuffing
from sekisho.wire.data import (
    PIECE_BYTES,
    ChunkReceiver,
    ContentFault,
    ContentRules,
    DataReceiver,
)
from sekisho.wire.lines import InputBuffer

TRICKY = st.lists(
    st.sampled_from(
        [b"\r\n", b".", b"\r", b"\n", b"a", b"\0", b"\r\n.\r\n", b"\r\n\r\n", b"aaaaaa"]
    ),
    max_size=20,
).map(b"".join)
CLEAN = st.lists(st.sampled_from([b"\r\n", b".", b"a", b"bcd"]), max_size=20).map(
    b"".join
)
CUTS = st.lists(st.integers(1, 7), min_size=1, max_size=5)


def rules(
    bare: BareNewline = BareNewline.REFUSE,
    *,
    message: int = 10_000,
    header: int = 10_000,
    line: int = 10_000,
) -> ContentRules:
    return ContentRules(message, header, line, bare)


def cut(data: bytes, sizes: list[int]) -> list[bytes]:
    pieces: list[bytes] = []
    index = 0
    while data:
        size = sizes[index % len(sizes)]
        pieces.append(data[:size])
        data = data[size:]
        index += 1
    return pieces


@dataclass
class Taken:
    content: bytes
    fault: ContentFault
    finished: bool
    rest: bytes


def take(pieces: list[bytes], by: ContentRules) -> Taken:
    receiver, source = DataReceiver(by), InputBuffer()
    content = b""
    for piece in pieces:
        source.feed(piece)
        if not receiver.finished:
            content += receiver.receive(source)
    return Taken(
        content, receiver.check.fault, receiver.finished, source.take(source.held)
    )


def read_plainly(data: bytes) -> tuple[bytes, bytes] | None:
    """Content still stuffed, and what follows; None where there is no end."""
    end = (b"\r\n" + data).find(b"\r\n.\r\n")
    if end < 0:
        return None
    return data[:end], data[end + 3 :]


@given(TRICKY, CUTS)
def test_only_crlf_dot_crlf_ends_content_however_it_is_cut(
    data: bytes, sizes: list[int]
):
    taken = take(cut(data, sizes), rules())
    plain = read_plainly(data)
    assert taken.finished is (plain is not None)
    if plain is None:
        return
    stuffed, rest = plain
    assert taken.rest == rest
    bare = re.search(rb"\0|(?<!\r)\n|\r(?!\n)", stuffed) is not None
    assert (taken.fault is ContentFault.BARE_NEWLINE) is bare
    if not bare:
        assert taken.content == re.sub(rb"(?<![^\n])\.", b"", stuffed)


@given(TRICKY.map(lambda data: data.replace(b"\0", b"")), CUTS)
def test_normalised_content_has_no_bare_newline_and_the_same_end(
    data: bytes, sizes: list[int]
):
    taken = take(cut(data, sizes), rules(BareNewline.NORMALISE))
    plain = read_plainly(data)
    assert taken.fault is ContentFault.NONE
    if plain is None:
        assert not taken.finished
        return
    assert taken.rest == plain[1]
    unstuffed = re.sub(rb"(?:(?<=\r\n)|\A)\.", b"", plain[0])
    assert taken.content == re.sub(rb"\r\n|\r|\n", b"\r\n", unstuffed)


def plain_fault(content: bytes, by: ContentRules) -> ContentFault:
    if re.search(rb"\0|(?<!\r)\n|\r(?!\n)", content):
        return ContentFault.BARE_NEWLINE
    lines = content.split(b"\r\n")
    if any(len(line) + 2 > by.max_text_line_bytes for line in lines if line):
        return ContentFault.LINE_TOO_LONG
    blank = (b"\r\n" + content).find(b"\r\n\r\n")
    if (len(content) if blank < 0 else blank + 2) > by.max_header_bytes:
        return ContentFault.HEADER_TOO_BIG
    if len(content) > by.max_message_bytes:
        return ContentFault.TOO_BIG
    return ContentFault.NONE


@given(CLEAN, CUTS, st.integers(1, 30), st.integers(1, 30), st.integers(3, 12))
def test_the_gravest_fault_is_told_however_content_is_cut(
    text: bytes, sizes: list[int], message: int, header: int, line: int
):
    by = rules(message=message, header=header, line=line)
    content = text + b"\r\n"
    stuffer = DotStuffing()
    wire = stuffer.piece(content) + stuffer.end()
    assert take([wire], by).fault is plain_fault(content, by)
    assert take(cut(wire, sizes), by).fault is plain_fault(content, by)


@given(CLEAN, CUTS)
def test_what_our_client_stuffs_comes_back_as_it_was(text: bytes, sizes: list[int]):
    stuffer = DotStuffing()
    wire = b"".join(stuffer.piece(piece) for piece in cut(text, sizes)) + stuffer.end()
    taken = take([wire, b"QUIT"], rules())
    assert taken.finished
    assert taken.rest == b"QUIT"
    ended = not text or text.endswith(b"\r\n")
    assert taken.content == text + (b"" if ended else b"\r\n")


@given(TRICKY, CUTS, CUTS, st.booleans())
def test_chunks_are_counted_and_never_read_for_an_end(
    data: bytes, chunks: list[int], reads: list[int], binary: bool
):
    receiver, source = ChunkReceiver(rules(), binary=binary), InputBuffer()
    content = b""
    for chunk in cut(data, chunks):
        receiver.begin(len(chunk), last=False)
        for read in cut(chunk, reads):
            source.feed(read)
            content += receiver.receive(source)
        assert receiver.left == 0
        assert not receiver.finished
    receiver.begin(0, last=True)
    source.feed(b"QUIT")
    content += receiver.receive(source)
    assert receiver.finished
    assert source.take(10) == b"QUIT"
    bare = re.search(rb"\0|(?<!\r)\n|\r(?!\n)", data) is not None
    if binary or not bare:
        assert receiver.check.fault is ContentFault.NONE
        assert content == data
        assert receiver.check.size == len(data)
    else:
        assert receiver.check.fault is ContentFault.BARE_NEWLINE


def test_a_chunk_too_many_is_known_before_its_octets_come():
    receiver = ChunkReceiver(rules(message=10), binary=False)
    receiver.begin(10, last=False)
    assert receiver.check.fault is ContentFault.NONE
    receiver.begin(1, last=True)
    assert receiver.check.fault is ContentFault.TOO_BIG


@pytest.mark.parametrize("size", [1, 1000, PIECE_BYTES, PIECE_BYTES + 1, 1_000_000])
def test_a_message_in_one_read_comes_in_bounded_pieces(size: int):
    source = InputBuffer()
    content = (b"a" * 78 + b"\r\n") * (size // 80) + b"a" * (size % 80) + b"\r\n"
    source.feed(content + b".\r\n")
    receiver = DataReceiver(rules(message=2_000_000, header=2_000_000))
    pieces: list[bytes] = []
    while not receiver.finished:
        pieces.append(receiver.receive(source))
    assert b"".join(pieces) == content
    assert max(map(len, pieces)) <= PIECE_BYTES
    assert len(pieces) <= size // (PIECE_BYTES - 2) + 2


@given(TRICKY, st.integers(0, 12))
def test_the_end_is_found_across_pieces(data: bytes, before: int):
    text = b"a" * (PIECE_BYTES - 2 - before) + b"\r\n"
    wanted = take([text, data], rules(line=100_000, header=100_000, message=200_000))
    source = InputBuffer()
    source.feed(text + data)
    receiver = DataReceiver(rules(line=100_000, header=100_000, message=200_000))
    content = b""
    for _ in range(4):
        if not receiver.finished:
            content += receiver.receive(source)
    rest = source.take(source.held)
    assert Taken(content, receiver.check.fault, receiver.finished, rest) == wanted


def test_a_chunk_in_one_read_comes_in_bounded_pieces():
    source = InputBuffer()
    source.feed(b"x" * 200_000 + b"NOOP\r\n")
    receiver = ChunkReceiver(rules(message=200_000, line=200_000), binary=True)
    receiver.begin(200_000, last=True)
    pieces: list[bytes] = []
    while not receiver.finished:
        pieces.append(receiver.receive(source))
    assert [len(piece) for piece in pieces] == [PIECE_BYTES] * 3 + [3392]
    assert source.take(100) == b"NOOP\r\n"
