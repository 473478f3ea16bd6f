"""Every line is some command, and what is parsed is what was written."""

from collections.abc import Callable
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.model import replies
from sekisho.model.address import NULL_PATH, Address, parse_address
from sekisho.model.envelope import BodyKind, Envelope, Notify, Recipient, Ret
from sekisho.model.reply import Reply
from sekisho.wire.commands import (
    _REMEMBERING,
    MAX_REMEMBERED_OCTETS,
    MOST_REMEMBERED,
    UNKNOWN_VERB,
    Auth,
    Bdat,
    Ehlo,
    Fatal,
    Mail,
    Malformed,
    Rcpt,
    parse_command,
)
from sekisho.wire.parameters import (
    parse_mail_parameters,
    parse_rcpt_parameters,
)
from sekisho.wire.path import parse_forward_path, parse_reverse_path


@given(st.binary())
def test_no_line_raises(line: bytes):
    parse_command(line)


@given(
    st.sampled_from(
        [
            b"MAIL FROM:<%s>",
            b"RCPT TO:<%s>",
            b"EHLO %s",
            b"BDAT %s",
            b"AUTH %s",
            b"MAIL FROM:<a@b.example> %s",
            b"RCPT TO:<a@b.example> %s",
            b"VRFY %s",
        ]
    ),
    st.text().map(str.encode) | st.binary(),
)
def test_no_argument_raises(frame: bytes, argument: bytes):
    parse_command(frame % argument)


def test_mail_holds_all_that_was_asked_for():
    line = b"MAIL FROM:<A@B.Example> SIZE=9 BODY=BINARYMIME SMTPUTF8"
    line += b" RET=HDRS ENVID=x+2By"
    assert parse_command(line) == Mail(
        Envelope(
            Address("A", "b.example"),
            body=BodyKind.BINARY_MIME,
            smtputf8=True,
            ret=Ret.HDRS,
            envid="x+y",
            declared_bytes=9,
        ),
        extended=True,
    )
    assert parse_command(b"MAIL FROM:<>") == Mail(Envelope(NULL_PATH), extended=False)


def test_rcpt_holds_all_that_was_asked_for():
    line = b"RCPT TO:<b@c.example> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;b+2Bx@c.example"
    assert parse_command(line) == Rcpt(
        Recipient(
            Address("b", "c.example"),
            Notify.SUCCESS | Notify.DELAY,
            notify_given=True,
            original="rfc822;b+x@c.example",
        ),
        extended=True,
        utf8=False,
    )
    assert parse_command(b"RCPT TO:<PostMaster>") == Rcpt(
        Recipient(Address("PostMaster", "")), extended=False, utf8=False
    )


def test_never_is_told_from_nothing_given():
    never = parse_command(b"RCPT TO:<b@c.example> NOTIFY=NEVER")
    assert isinstance(never, Rcpt)
    assert never.recipient.notify is Notify.NEVER
    assert never.recipient.notify_given


def test_chunk_sizes():
    assert parse_command(b"bdat 9999999999 last") == Bdat(9_999_999_999, last=True)
    assert parse_command(b"BDAT 10000000000") == Fatal("BDAT", replies.BAD_SYNTAX)


def test_an_initial_response_is_not_shown():
    command = parse_command(b"auth plain c2VjcmV0")
    assert command == Auth("PLAIN", b"c2VjcmV0")
    assert "c2VjcmV0" not in repr(command)


def test_a_password_sent_out_of_turn_is_not_named_as_a_verb():
    assert parse_command(b"c2VjcmV0") == Malformed(
        UNKNOWN_VERB, replies.UNKNOWN_COMMAND
    )


@pytest.mark.parametrize(
    "verb", ["GET", "POST", "HEAD", "PUT", "OPTIONS", "CONNECT", "DELETE", "get"]
)
def test_http_is_not_talked_to(verb: str):
    assert parse_command(f"{verb} / HTTP/1.1".encode()) == Fatal(
        verb.upper(), replies.NOT_SMTP
    )


@pytest.mark.parametrize(
    ("name", "good"),
    [
        ("a" * 255, True),
        ("a" * 256, False),
        ("-a", False),
        ("a-", False),
        ("[]", False),
        ("[192.0.2.1]", True),
        ("a_b", True),
        ("a.", True),
        ("a:b", False),
    ],
)
def test_names_of_clients(name: str, good: bool):
    command = parse_command(f"EHLO {name}".encode())
    assert isinstance(command, Ehlo) is good


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1))
def test_xtext_comes_back_as_it_was(text: str):
    xtext = "".join(f"+{ord(c):02X}" for c in text)
    found = parse_mail_parameters(f"ENVID={xtext}")
    if len(xtext) <= 100:
        assert not isinstance(found, Reply)
        assert found.envid == text
    else:
        assert found is replies.BAD_SYNTAX


def test_utf8_original_recipients_stay_utf8():
    found = parse_rcpt_parameters("ORCPT=utf-8;用户+2B@例.example")
    assert not isinstance(found, Reply)
    assert found.original == "utf-8;用户+@例.example"


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        ("<c%d.example@e.example>", "c%d.example@e.example"),
        ("<d.example!c@e.example>", "d.example!c@e.example"),
        ('<"c@d.example"@e.example>', '"c@d.example"@e.example'),
        ('<"a\\"b"@e.example>', '"a\\"b"@e.example'),
        ("<c@E.EXAMPLE>", "c@e.example"),
        ("<c@[IPv6:2001:DB8::1]>", "c@[IPv6:2001:db8::1]"),
    ],
)
def test_local_parts_are_opaque(path: str, kept: str):
    assert str(parse_forward_path(path)) == kept
    assert parse_reverse_path(path) == parse_address(kept)


@pytest.mark.parametrize("parse", [parse_forward_path, parse_reverse_path])
def test_a_source_route_is_refused_and_not_stripped(
    parse: Callable[[str], Address | Reply],
):
    assert parse("<@a.example,@[IPv6:::1]:b@c.example>") is replies.SOURCE_ROUTE


def remembered(verb: bytes) -> int:
    return cast("Any", _REMEMBERING[verb]).cache_info().currsize


def test_what_is_remembered_of_lines_has_a_bound() -> None:
    for n in range(2 * MOST_REMEMBERED):
        parse_command(b"EHLO host%d" % n)
        parse_command(b"MAIL FROM:<a@host%d.example>" % n)
        parse_command(b"RCPT TO:<a@host%d.example>" % n)
    for verb in (b"EHLO", b"MAIL", b"RCPT"):
        assert remembered(verb) == MOST_REMEMBERED


def test_a_long_line_is_not_remembered_and_reads_as_a_short_one() -> None:
    cast("Any", _REMEMBERING[b"RCPT"]).cache_clear()
    longest = b"RCPT TO:<a@%b>" % (b"d" * 50 + b"." + b"e" * 57 + b".example")
    assert len(longest) == MAX_REMEMBERED_OCTETS
    for line, held in ((longest, 1), (longest.replace(b"<a", b"<aa"), 1)):
        command = parse_command(line)
        assert isinstance(command, Rcpt)
        assert f"<{command.recipient.address}>" == line.decode()[8:]
        assert remembered(b"RCPT") == held


def test_only_what_holds_no_secret_is_remembered() -> None:
    kept = {
        verb for verb, parse in _REMEMBERING.items() if hasattr(parse, "cache_info")
    }
    assert kept == {b"EHLO", b"MAIL", b"RCPT"}
