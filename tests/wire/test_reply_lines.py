"""What the next host says is read exactly, bounded, and never trusted as text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.model.reply import Reply, reply
from sekisho.wire.reply_lines import (
    MAX_REPLY_LINE_BYTES,
    MAX_REPLY_LINES,
    ReplyReader,
    ReplySyntaxError,
)


def replies(*pieces: bytes) -> list[Reply]:
    reader = ReplyReader()
    found: list[Reply] = []
    for piece in pieces:
        reader.receive(piece)
        while (answer := reader.next_reply()) is not None:
            found.append(answer)
    return found


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        (b"250 2.1.0 OK\r\n", reply(250, "2.1.0", "OK")),
        (b"250 OK\r\n", reply(250, "", "OK")),
        (b"250\r\n", reply(250, "", "")),
        (b"250 \r\n", reply(250, "", "")),
        (b"250 OK\n", reply(250, "", "OK")),
        (b"250 2.1.0\r\n", reply(250, "2.1.0", "")),
        (b"354 2.1.0 go\r\n", reply(354, "", "2.1.0 go")),
        (b"550 2.1.0 no\r\n", reply(550, "", "2.1.0 no")),
        (b"550 5.1.1  no\r\n", reply(550, "5.1.1", "no")),
        (b"250 5.1.10.2 OK\r\n", reply(250, "", "5.1.10.2 OK")),
        (
            b"550-5.1.1 no\r\n550-5.1.1 such\r\n550 user\r\n",
            reply(550, "5.1.1", "no", "such", "user"),
        ),
        (b"354-go\r\n354 on\r\n", reply(354, "", "go", "on")),
        (b"250-a\r\n250 2.0.0 b\r\n", reply(250, "", "a", "2.0.0 b")),
        (b"250-2.0.0 a\r\n250 2.1.0 b\r\n", reply(250, "2.0.0", "a", "2.1.0 b")),
    ],
)
def test_replies_are_read_as_rfc_5321_and_2034_say(
    octets: bytes, expected: Reply
) -> None:
    assert replies(octets) == [expected]
    assert replies(*(octets[n : n + 1] for n in range(len(octets)))) == [expected]


def test_hostile_octets_become_printable() -> None:
    (answer,) = replies(b"550 5.1.1 \x1b[2J\xff\x00\x07\rname\r\n")
    assert answer == reply(550, "5.1.1", "?[2J????name")


def test_long_text_is_cut_to_what_a_reply_of_ours_can_hold() -> None:
    (answer,) = replies(b"250 2.0.0 " + b"x" * 3000 + b"\r\n")
    assert answer.enhanced == "2.0.0"
    assert set(answer.lines[0]) == {"x"}
    assert len(answer.encoded) <= 512


@pytest.mark.parametrize(
    "octets",
    [
        b"\r\n",
        b"2\r\n",
        b"25 OK\r\n",
        b"hello\r\n",
        b"150 wait\r\n",
        b"650 what\r\n",
        b"2500 OK\r\n",
        b"250_OK\r\n",
        "\uff12\uff15\uff10 OK\r\n".encode(),
        b"250-OK\r\n251 OK\r\n",
        b"xyz-OK\r\n250 OK\r\n",
        b"250-OK\r\nOK\r\n",
        b"x" * MAX_REPLY_LINE_BYTES,
        b"250 " + b"x" * MAX_REPLY_LINE_BYTES + b"\r\n",
        b"250-x\r\n" * MAX_REPLY_LINES,
    ],
)
def test_what_is_no_reply_is_an_error(octets: bytes) -> None:
    with pytest.raises(ReplySyntaxError):
        replies(octets)


def test_bounds_are_taken_up_to_the_last_octet_and_line() -> None:
    longest = b"250 " + b"x" * (MAX_REPLY_LINE_BYTES - 6) + b"\r\n"
    assert len(replies(longest)) == 1
    most = b"250-x\r\n" * (MAX_REPLY_LINES - 1) + b"250 x\r\n"
    assert len(replies(most)[0].lines) == MAX_REPLY_LINES


@pytest.mark.parametrize(
    ("octets", "pending"),
    [
        (b"", False),
        (b"220 go\r\n", False),
        (b"220 go\r\n2", True),
        (b"220 go\r\n250-x\r\n", True),
    ],
)
def test_what_stands_behind_a_reply_is_seen(octets: bytes, *, pending: bool) -> None:
    reader = ReplyReader()
    reader.receive(octets)
    while reader.next_reply() is not None:
        pass
    assert reader.pending is pending


@given(st.lists(st.binary(max_size=40), max_size=20))
def test_any_octets_give_replies_or_the_declared_error(pieces: list[bytes]) -> None:
    try:
        found = replies(*pieces)
    except ReplySyntaxError:
        return
    assert all(answer.encoded.isascii() for answer in found)


_TEXT = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=30)


@given(
    st.integers(200, 599),
    st.sampled_from(["", "1.1", "7.10", "0.999"]),
    st.lists(_TEXT.filter(lambda t: not t[:1].isdigit()), min_size=1, max_size=4),
    st.integers(1, 7),
)
def test_our_own_replies_come_back_as_they_were(
    code: int, detail: str, lines: list[str], step: int
) -> None:
    enhanced = f"{code // 100}.{detail}" if detail and code // 100 in (2, 4, 5) else ""
    lines = [line.lstrip() for line in lines]
    sent = Reply(code, enhanced, tuple(lines))
    octets = sent.encoded
    cut = [octets[n : n + step] for n in range(0, len(octets), step)]
    assert replies(*cut) == [sent]
