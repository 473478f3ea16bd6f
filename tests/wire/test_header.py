"""Who wrote a message: the tricks by which one header names two authors."""

import time
from email.headerregistry import HeaderRegistry
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.model.address import Address, parse_address
from sekisho.model.facts import HeaderFacts, Malformation
from sekisho.wire.header import (
    MAX_COMMENT_NESTING,
    MAX_KNOWN_OCTETS,
    MOST_KNOWN,
    _known,
    begins_with_field,
    field_values,
    header_end,
    header_facts,
    needs_smtputf8,
    rewrite_from,
)

ME = Address("me", "own.example")
BROKEN = Malformation.BROKEN

# The value of the only From field → its author, or what is wrong with it.
AUTHORS: list[tuple[bytes, str | Malformation]] = [
    # The forms that people write
    (b" me@own.example", "me@own.example"),
    (b"me@own.example", "me@own.example"),
    (b"\tme@own.example \t", "me@own.example"),
    (b" <me@own.example>", "me@own.example"),
    (b" My Name <me@own.example>", "me@own.example"),
    (b' "My, Name" <me@own.example>', "me@own.example"),
    (b' "My \\"Nick\\" Name" <me@own.example>', "me@own.example"),
    (b' "Name"<me@own.example>', "me@own.example"),
    (b" Name<me@own.example>", "me@own.example"),
    (b" John Q. Public <me@own.example>", "me@own.example"),
    (b" Shop [Berlin] <me@own.example>", "me@own.example"),
    (b" O'Neil & Co. + Sons <me@own.example>", "me@own.example"),
    (b" =?utf-8?B?5bGx55Sw?= <me@own.example>", "me@own.example"),
    (" 山田 <me@own.example>".encode(), "me@own.example"),
    (b" B\xfcro <me@own.example>", "me@own.example"),
    (b" ME@Own.Example", "ME@own.example"),
    (b" me+tag@own.example", "me+tag@own.example"),
    (b" me=x%y!z@own.example", "me=x%y!z@own.example"),
    (b' "m e"@own.example', '"m e"@own.example'),
    (b' <"m\\"e"@own.example>', '"m\\"e"@own.example'),
    (b" me@[192.0.2.1]", "me@[192.0.2.1]"),
    (b" <me@[IPv6:2001:db8::1]>", "me@[IPv6:2001:db8::1]"),
    ("山田@例.example".encode(), "山田@xn--fsq.example"),
    # Folds and comments
    (b" My\r\n Name\r\n\t<me@own.example>", "me@own.example"),
    (b"\r\n me@own.example", "me@own.example"),
    (b' "My\r\n Name" <me@own.example>', "me@own.example"),
    (b" me@own.example (My Name)", "me@own.example"),
    (b" (a (b (c)) \\) \\( d) me@own.example", "me@own.example"),
    (b" me (at work) @ (the office) own.example", "me@own.example"),
    (b" Name (x) <me@own.example> (y)", "me@own.example"),
    (b' "(" <me@own.example>', "me@own.example"),
    (
        b" (" * MAX_COMMENT_NESTING + b")" * MAX_COMMENT_NESTING + b"me@own.example",
        "me@own.example",
    ),
    (
        b" (" * (MAX_COMMENT_NESTING + 1)
        + b")" * (MAX_COMMENT_NESTING + 1)
        + b"me@own.example",
        BROKEN,
    ),
    (b" me@own.example (never closed", BROKEN),
    (b" me@own.example )", BROKEN),
    (b" (a) (b", BROKEN),
    (b" m(x)e@own.example", BROKEN),
    (b" me@own(x).example", BROKEN),
    # What looks like an author, but is a name
    (b' "me@own.example" <b@evil.example>', "b@evil.example"),
    (b" b@evil.example (me@own.example)", "b@evil.example"),
    (b" (me@own.example) b@evil.example", "b@evil.example"),
    (b' "me@own.example>" <b@evil.example>', "b@evil.example"),
    (b' "<me@own.example>" <b@evil.example>', "b@evil.example"),
    (b" =?utf-8?q?me=40own.example?= <b@evil.example>", "b@evil.example"),
    (b' "me@own.example"@evil.example', '"me@own.example"@evil.example'),
    (b' <"me@own.example> "@evil.example>', '"me@own.example> "@evil.example'),
    # What readers understand differently
    (b" me@own.example <b@evil.example>", BROKEN),
    (b" <me@own.example> <b@evil.example>", BROKEN),
    (b" <me@own.example> b@evil.example", BROKEN),
    (b" <me@own.example>\0", BROKEN),
    (b" <me@own.example\0@evil.example>", BROKEN),
    (b" <me@own.example\x01>", BROKEN),
    (b" \x0bme@own.example", BROKEN),
    (b" me@own.example\rb@evil.example", BROKEN),
    (b" me@own.example\nFrom: b@evil.example", BROKEN),
    (" a\u2028From: b@evil.example <me@own.example>".encode(), BROKEN),
    (" a\u0085 <me@own.example>".encode(), BROKEN),
    (b" =?utf-8?q?x?=@own.example", BROKEN),
    (b" =?utf-8?q?b=40evil.example=3e?=@own.example", BROKEN),
    (b" <@evil.example:me@own.example>", BROKEN),
    (b" <<me@own.example>>", BROKEN),
    (b" <me@own.example", BROKEN),
    (b" me@own.example>", BROKEN),
    (b" me@evil.example@own.example", BROKEN),
    (b" me@own . example", BROKEN),
    (b" m . e@own.example", BROKEN),
    (b" me@own.example.", BROKEN),
    (b" me..x@own.example", BROKEN),
    (b" .me@own.example", BROKEN),
    (b' "me"x@own.example', BROKEN),
    (b' "never closed <me@own.example>', BROKEN),
    (b" a\\ b <me@own.example>", BROKEN),
    (b" me@own_example", BROKEN),
    (b" me@192.0.2.1", BROKEN),
    (b" me@[not a literal]", BROKEN),
    (" m\u200be@own.example".encode(), BROKEN),
    (b" m\xfc@own.example", BROKEN),
    ("me\uff20own.example".encode(), BROKEN),
    (b" me", BROKEN),
    (b"", BROKEN),
    (b" <>", BROKEN),
    (b" ,me@own.example", BROKEN),
    (b" me@own.example;", BROKEN),
    (b" " + b"a" * 65 + b"@own.example", BROKEN),
    # More than one, or none
    (b" me@own.example, b@evil.example", Malformation.MANY_MAILBOXES),
    (b" <me@own.example>,\r\n <b@evil.example>", Malformation.MANY_MAILBOXES),
    (b" me@own.example,", Malformation.MANY_MAILBOXES),
    (b" Undisclosed:;", Malformation.GROUP),
    (b" Team: me@own.example;", Malformation.GROUP),
    (b' "A" team (x): me@own.example, b@evil.example;', Malformation.GROUP),
]


@pytest.mark.parametrize(("value", "author"), AUTHORS)
def test_a_from_has_one_author_or_none(
    value: bytes, author: str | Malformation
) -> None:
    for before in (b"", b"Subject: x\r\n", b"X: B\xfcro\r\n"):
        facts = header_facts(before + b"From:" + value + b"\r\nTo: x@y.example\r\n\r\n")
        if isinstance(author, str):
            assert facts == HeaderFacts(
                parse_address(author), None, Malformation.NONE, 0
            )
        else:
            assert facts == HeaderFacts(None, None, author, 0)


@pytest.mark.parametrize(("value", "author"), AUTHORS)
def test_a_sender_is_read_like_an_author(
    value: bytes, author: str | Malformation
) -> None:
    facts = header_facts(b"From: me@own.example\r\nSender:" + value + b"\r\n\r\n")
    if isinstance(author, str):
        assert facts == HeaderFacts(ME, parse_address(author), Malformation.NONE, 0)
    else:
        assert facts == HeaderFacts(None, None, BROKEN, 0)


# A whole header → what is wrong with it.
HEADERS: list[tuple[bytes, Malformation]] = [
    (b"From: me@own.example\r\n\r\n", Malformation.NONE),
    (b"From: me@own.example\r\n", Malformation.NONE),
    (b"From: me@own.example", Malformation.NONE),
    (b"FROM:me@own.example\r\n\r\n", Malformation.NONE),
    (b"From : me@own.example\r\n\r\n", Malformation.NONE),
    (b"From\t\t: me@own.example\r\n\r\n", Malformation.NONE),
    (b"From\r\n : me@own.example\r\n\r\n", Malformation.NONE),
    (b"Fromage: b@evil.example\r\nFrom: me@own.example\r\n\r\n", Malformation.NONE),
    (b"From: me@own.example\r\nFrom-X: b@evil.example\r\n\r\n", Malformation.NONE),
    (b"X-From: b@evil.example\r\nFrom: me@own.example\r\n\r\n", Malformation.NONE),
    (
        b"Subject: a\r\n From: b@evil.example\r\nFrom: me@own.example\r\n\r\n",
        Malformation.NONE,
    ),
    (
        b"From b@evil.example Tue Nov 24 05:54:19\r\nFrom: me@own.example\r\n\r\n",
        Malformation.NONE,
    ),
    (b"", Malformation.NO_FROM),
    (b"\r\n", Malformation.NO_FROM),
    (b"Subject: x\r\n\r\n", Malformation.NO_FROM),
    (b"Subject: x\r\n From: me@own.example\r\n\r\n", Malformation.NO_FROM),
    ("Fr\u043em: b@evil.example\r\n\r\n".encode(), Malformation.NO_FROM),
    (b"From: me@own.example\r\nFrom: b@evil.example\r\n\r\n", Malformation.MANY_FROM),
    (b"From: me@own.example\r\nfrom: me@own.example\r\n\r\n", Malformation.MANY_FROM),
    (b"From: me@own.example\r\nFrom : b@evil.example\r\n\r\n", Malformation.MANY_FROM),
    (b"From: me@own.example\r\nFrom\r\n : b@evil.example\r\n", Malformation.MANY_FROM),
    (b"From: me@own.example\r\n \r\nFrom: b@evil.example\r\n", Malformation.MANY_FROM),
    (b"From: me@own.example\r\nX\r\nFrom: b@evil.example\r\n", Malformation.MANY_FROM),
    (b"From: me@own.example\r\nX: a\nFrom: b@evil.example\r\n", BROKEN),
    (b"From: me@own.example\r\nX: a\rFrom: b@evil.example\r\n", BROKEN),
    (b"From: me@own.example\r\nX: a\0\r\n", BROKEN),
    (b"\0From: me@own.example\r\n\r\n", BROKEN),
    (b"From\0: me@own.example\r\n\r\n", BROKEN),
    (b"From\x0b: me@own.example\r\n\r\n", BROKEN),
    (b"\x7fFrom: me@own.example\r\n\r\n", BROKEN),
    (b"\xef\xbb\xbfFrom: me@own.example\r\n\r\n", BROKEN),
    (b"From\xe2\x80\x8b: me@own.example\r\n\r\n", BROKEN),
    (b"From\xc2\xa0: me@own.example\r\n\r\n", BROKEN),
    (b"From: me@own.example\r\n\xc2\xa0From: b@evil.example\r\n\r\n", BROKEN),
    (b"From: me@own.example\r\nSender\xc2\xa0: b@evil.example\r\n\r\n", BROKEN),
    (b" From: me@own.example\r\n\r\n", BROKEN),
    (b"\tX: y\r\nFrom: me@own.example\r\n\r\n", BROKEN),
    (
        b"From: me@own.example\r\nSender: me@own.example\r\nSender: b@evil.example\r\n",
        Malformation.MANY_SENDER,
    ),
    (b"Sender: me@own.example\r\n\r\n", Malformation.NO_FROM),
]


@pytest.mark.parametrize(("header", "malformation"), HEADERS)
def test_a_header_names_its_author_once(
    header: bytes, malformation: Malformation
) -> None:
    facts = header_facts(header)
    # Two fields of which one is in disguise are refused for either reason.
    assert facts.malformation is malformation
    assert facts.author == (ME if malformation is Malformation.NONE else None)


@pytest.mark.parametrize("count", [0, 1, 101])
def test_every_received_field_is_a_hop(count: int) -> None:
    fields = [b"Received: by x\r\n\tReceived: no\r\n", b"RECEIVED : x\r\n"] * count
    header = b"".join(fields[:count]) + b"X-Received: a\r\nFrom: me@own.example\r\n\r\n"
    assert header_facts(header) == HeaderFacts(ME, None, Malformation.NONE, count)


@pytest.mark.parametrize(
    ("data", "end"),
    [
        (b"", 0),
        (b"\r\nbody", 2),
        (b"A: b\r\n\r\nbody\r\n\r\n", 8),
        (b"A: b\r\n", 6),
        (b"A: b\n\nbody", 10),
    ],
)
def test_the_first_blank_line_ends_the_header(data: bytes, end: int) -> None:
    assert header_end(data) == end


def test_smtputf8_is_needed_by_any_octet_above_127() -> None:
    assert not needs_smtputf8(b"Subject: =?utf-8?q?=C3=BC?=\r\n\r\n")
    assert needs_smtputf8("Subject: ü\r\n\r\n".encode())


def test_field_values_come_unfolded_and_in_order() -> None:
    header = b"To: a\r\n b\r\nX-To: c\r\nto : d \r\nTo:\r\n\r\nTo: body\r\n"
    assert field_values(header[: header_end(header)], b"TO") == [b"a b", b"d", b""]
    assert field_values(b"A.B: x\r\nAxB: y\r\n", b"a.b") == [b"x"]


# Rewriting


@pytest.mark.parametrize("header", [header for header, _ in HEADERS])
def test_rewriting_leaves_one_author_however_it_was_hidden(header: bytes) -> None:
    assert header_facts(rewrite_from(header, ME)) == HeaderFacts(
        ME, None, Malformation.NONE, 0
    )


def test_rewriting_keeps_the_place_and_what_stood_there() -> None:
    header = b"To: x\r\nFrom: a\r\n b@evil.example\r\nSender: c\r\nX: y\r\n\r\n"
    assert rewrite_from(header, ME) == (
        b"To: x\r\n"
        b"From: <me@own.example>\r\n"
        b"X-Original-From: a\r\n b@evil.example\r\n"
        b"X-Original-Sender: c\r\n"
        b"X: y\r\n\r\n"
    )


def test_rewriting_adds_a_missing_author() -> None:
    assert rewrite_from(b"\r\n", ME) == b"From: <me@own.example>\r\n\r\n"


@given(st.binary(max_size=400))
def test_rewriting_any_octets_leaves_one_author(header: bytes) -> None:
    header = header[: header_end(header)]
    facts = header_facts(rewrite_from(header, ME))
    assert facts.author == ME
    assert facts.malformation is Malformation.NONE


# Whatever the octets

FRAGMENTS = st.lists(
    st.sampled_from(
        (
            *(b"From", b"Sender", b":", b" ", b"\r\n", b"\r\n ", b"\n", b"\0", b"\xff"),
            *(b'"', b"<", b">", b"(", b")", b"\\", b"@", b",", b";", b"[", b"]"),
            *(b"a", b".b", b"me@own.example", b"=?utf-8?q?x?="),
        )
    ),
    max_size=40,
).map(b"".join)


@given(st.one_of(st.binary(), FRAGMENTS, FRAGMENTS.map(lambda value: b"From:" + value)))
def test_no_octets_raise_and_author_and_malformation_exclude_each_other(
    header: bytes,
) -> None:
    facts = header_facts(header)
    assert (facts.author is None) == (facts.malformation is not Malformation.NONE)
    if facts.author is not None:
        assert parse_address(str(facts.author)) == facts.author
    field_values(header, b"From")


@given(FRAGMENTS)
def test_the_fast_way_reads_as_the_grammar_does(value: bytes) -> None:
    plain = header_facts(b"From:" + value + b"\r\n")
    # An octet above 127 elsewhere makes the header go the long way.
    long = header_facts(b"X: \xff\r\nFrom:" + value + b"\r\n")
    assert plain == long


LOCAL = st.text("abcXYZ019!#$%&'*+-/=^_`{|}~", min_size=1, max_size=12)
DOMAIN = st.lists(
    st.text("abcxyz019", min_size=1, max_size=8), min_size=1, max_size=4
).map(lambda labels: ".".join([*labels, "example"]))
QUOTED = st.text(
    [chr(code) for code in range(32, 127) if chr(code) not in '"\\'],
    min_size=1,
    max_size=12,
).map(lambda text: f'"{text}"')
COMMENT = st.text("abc @<>,;:.", max_size=8).map(lambda text: f"({text})")
BLANK = st.one_of(st.sampled_from(["", " ", "\r\n ", "\t"]), COMMENT)
PHRASE = st.one_of(st.text("abc 019!#$", max_size=12), QUOTED)


@st.composite
def mailboxes(draw: st.DrawFn) -> str:
    spec = f"{draw(st.one_of(LOCAL, QUOTED))}@{draw(DOMAIN)}"
    if draw(st.booleans()):
        spec = f"{draw(PHRASE)} <{spec}>"
    return f"{draw(BLANK)}{spec}{draw(BLANK)}"


@given(st.lists(mailboxes(), min_size=1, max_size=3))
def test_valid_lists_are_read_as_pythons_email_package_does(found: list[str]) -> None:
    text = ",".join(found)
    unfolded = text.replace("\r\n", "")
    oracle = HeaderRegistry()("from", unfolded)
    addresses = cast("tuple[object, ...]", oracle.addresses)  # type: ignore[attr-defined] - From has them
    assert len(addresses) == len(found)
    facts = header_facts(b"From:" + text.encode() + b"\r\n\r\n")
    if len(found) > 1:
        assert facts.malformation is Malformation.MANY_MAILBOXES
    else:
        assert facts.author is not None
        assert facts.author.local_part == addresses[0].username  # type: ignore[attr-defined] - as above
        assert facts.author.domain == addresses[0].domain  # type: ignore[attr-defined] - as above


SIZE = 256 * 1024
FLOODS = [
    b"From:" + b"(" * SIZE,
    b"From:" + b"()" * (SIZE // 2) + b"me@own.example",
    b"From:" + b"(\\" * (SIZE // 2),
    b"From:" + b'"' * SIZE,
    b"From: " + b'"\\' * (SIZE // 2),
    b"From:" + b"a " * (SIZE // 2),
    b"From:" + b"a." * (SIZE // 2),
    b"From:" + b"<a@" * (SIZE // 3),
    b"From:" + b"@[" * (SIZE // 2),
    b"From:" + b"\r\n " * (SIZE // 3),
    b'From:("' + b'\\"' * (SIZE // 2),
    b'From:"' + b'\\"' * (SIZE // 2) + b"()",
    b'From:()"' + b'\\"' * (SIZE // 2),
    b"From:" + b'"a"()' * (SIZE // 5),
    b"From:" + b'"a"' * (SIZE // 3) + b"(",
    b"From" * (SIZE // 4),
    b"From\r\n " * (SIZE // 7),
    b"From:\r\n" * (SIZE // 7),
    b"Received:\r\n" * (SIZE // 11),
    b"\x80\r\n" * (SIZE // 3),
    b"\r" * SIZE,
    b"\n" * SIZE,
    b"\0" * SIZE,
    b" " * SIZE,
]


@pytest.mark.parametrize("header", FLOODS, ids=lambda header: repr(header[:12]))
def test_time_grows_with_size_alone(header: bytes) -> None:
    began = time.process_time()
    header_facts(header)
    rewrite_from(header, ME)
    assert time.process_time() - began < 1.0


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", True),
        (b"\r\nbody", True),
        (b"Subject: x\r\n", True),
        (b"Subject : x\r\n", True),
        (b" folded: x\r\n", False),
        (b"\tfolded: x\r\n", False),
        (b"hello\r\n", False),
        (b": x\r\n", False),
        (b"Gr\xc3\xbc\xc3\x9fe: x\r\n", False),
    ],
)
def test_what_begins_with_no_field_is_body(*, content: bytes, expected: bool) -> None:
    assert begins_with_field(content) is expected


def known() -> int:
    return _known.cache_info().currsize


def test_what_is_remembered_of_from_lines_has_a_bound() -> None:
    for n in range(2 * MOST_KNOWN):
        header_facts(b"From: <a@host%d.example>\r\n" % n)
    assert known() == MOST_KNOWN


def test_a_long_from_line_is_not_remembered_and_reads_as_a_short_one() -> None:
    _known.cache_clear()
    longest = b"From: %b <me@own.example>"
    room = MAX_KNOWN_OCTETS - len(longest % b"")
    for name, remembered in ((b"n" * room, 1), (b"n" * (room + 1), 1)):
        assert header_facts(longest % name + b"\r\n").author == ME
        assert known() == remembered
