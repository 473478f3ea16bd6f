"""Received, Date and Message-ID: what they say, and what nobody can make them say."""

import email
import email.policy
import email.utils

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replacing import replace
from sekisho.model.address import Address, parse_address
from sekisho.model.ids import new_message_id
from sekisho.report.trace import Trace, missing_fields, received_field, rfc5322_date

CASE = Trace(
    hostname="relay.example.com",
    id=new_message_id(1_790_000_000.0, 1),
    now=1_790_000_000.0,
    client="192.0.2.1",
    greeting_name="client.example",
)


def test_the_field_reads_as_rfc_5321_says() -> None:
    case = replace(
        CASE,
        authenticated=True,
        tls_version="TLSv1.3",
        tls_cipher="TLS_AES_256_GCM_SHA384",
        account="alice@example.com",
        for_recipient=Address("bob", "example.net"),
    )
    assert received_field(case) == (
        b"Received: from client.example ([192.0.2.1])\r\n"
        b"\tby relay.example.com with ESMTPSA (TLSv1.3 TLS_AES_256_GCM_SHA384)\r\n"
        b"\t(account alice@example.com)\r\n"
        b"\tid 01m3250v00e008000000000001\r\n"
        b"\tfor <bob@example.net>;\r\n"
        b"\tMon, 21 Sep 2026 14:13:20 +0000\r\n"
    )


PROTOCOLS = [
    # esmtp lmtp smtputf8 tls auth
    ("SMTP", False, False, False, False, False),
    ("SMTP", False, False, False, True, False),
    ("ESMTP", True, False, False, False, False),
    ("ESMTPA", True, False, False, False, True),
    ("ESMTPS", True, False, False, True, False),
    ("ESMTPSA", True, False, False, True, True),
    ("UTF8SMTP", True, False, True, False, False),
    ("UTF8SMTPA", True, False, True, False, True),
    ("UTF8SMTPS", True, False, True, True, False),
    ("UTF8SMTPSA", True, False, True, True, True),
    ("LMTP", True, True, False, False, False),
    ("LMTPA", True, True, False, False, True),
    ("LMTPS", True, True, False, True, False),
    ("LMTPSA", True, True, False, True, True),
    ("UTF8LMTP", True, True, True, False, False),
    ("UTF8LMTPA", True, True, True, False, True),
    ("UTF8LMTPS", True, True, True, True, False),
    ("UTF8LMTPSA", True, True, True, True, True),
]


@pytest.mark.parametrize(("word", "esmtp", "lmtp", "utf8", "tls", "auth"), PROTOCOLS)
def test_the_protocol_word_is_the_registered_one(
    word: str, esmtp: bool, lmtp: bool, utf8: bool, tls: bool, auth: bool
) -> None:
    case = replace(
        CASE,
        esmtp=esmtp,
        lmtp=lmtp,
        smtputf8=utf8,
        tls_version="TLSv1.3" if tls else "",
        tls_cipher="X" if tls else "",
        authenticated=auth,
    )
    assert f" with {word}".encode() in received_field(case)
    assert f" with {word}".encode() + (b" (TLSv1.3 X)\r\n" if tls else b"\r\n") in (
        received_field(case)
    )


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("client.example", "client.example"),
        ("[192.0.2.9]", "[192.0.2.9]"),
        ("[IPv6:2001:db8::1]", "[IPv6:2001:db8::1]"),
        ("", "unknown"),
        ("x)(y", "x??y"),
        ("a\r\nb", "a??b"),
        ("a b;c", "a?b?c"),
        ("[1.2.3.4", "?1.2.3.4"),
        ("日本.example", "??.example"),
        ("a" * 300, "a" * 255),
        ("\u017f.example", "?.example"),
        ("[\u0661\u0662.1.1.1]", "???.1.1.1?"),
    ],
)
def test_a_greeting_stays_within_its_clause(name: str, written: str) -> None:
    field = received_field(replace(CASE, greeting_name=name)).decode()
    assert field.startswith(f"Received: from {written} ([192.0.2.1])\r\n")


def test_an_ipv6_client_is_a_literal_without_zone() -> None:
    field = received_field(replace(CASE, client="fe80::1%eth0"))
    assert b"([IPv6:fe80::1])" in field


def test_the_recipient_is_named_in_utf8_only_with_smtputf8() -> None:
    case = replace(CASE, for_recipient=Address("山田", "example.net"))
    assert b"for" not in received_field(case)
    field = received_field(replace(case, smtputf8=True))
    assert "\r\n\tfor <山田@example.net>;".encode() in field


def test_an_odd_recipient_stays_quoted() -> None:
    odd = parse_address('"a)(b; c"@example.net')
    field = received_field(replace(CASE, for_recipient=odd))
    assert b'for <"a)(b; c"@example.net>;' in field


@given(st.text(), st.text(), st.text(), st.text())
def test_no_words_of_a_client_leave_their_clause(
    greeting: str, account: str, version: str, cipher: str
) -> None:
    plain = replace(CASE, account="x", tls_version="x", tls_cipher="x")
    case = replace(
        plain,
        greeting_name=greeting,
        account=account or "x",
        tls_version=version or "x",
        tls_cipher=cipher,
    )
    field = received_field(case)
    for mark in (b"\r", b"\n", b"(", b")", b";", b"\t", b'"', b"\\"):
        assert field.count(mark) == received_field(plain).count(mark)
    assert field.isascii()
    assert max(len(line) for line in field.split(b"\r\n")) < 998


@given(st.integers(0, 4_102_444_800))
def test_dates_read_back(now: int) -> None:
    text = rfc5322_date(now + 0.25)
    assert email.utils.parsedate_to_datetime(text).timestamp() == now
    assert text == email.utils.format_datetime(
        email.utils.parsedate_to_datetime(text)
    ).replace(", 0", ", ")


ADDED = {
    b"": ["Date", "Message-ID"],
    b"Subject: x\r\n\r\n": ["Date", "Message-ID"],
    b"Date: x\r\n\r\n": ["Message-ID"],
    b"Subject: y\r\nDATE : x\r\n\r\n": ["Message-ID"],
    b"Message-Id: <x@y>\r\n\r\n": ["Date"],
    b"message-id : <x@y>\r\n\r\n": ["Date"],
    b"X-Date: x\r\nSubject: a\r\n date: b\r\n\r\n": ["Date", "Message-ID"],
    b"Date: x\r\nMessage-ID: <x@y>\r\n\r\n": [],
}


@pytest.mark.parametrize(("header", "names"), ADDED.items())
def test_only_what_is_missing_is_added(header: bytes, names: list[str]) -> None:
    added = missing_fields(header, id=CASE.id, hostname="relay.example", now=0.0)
    fields = email.message_from_bytes(added, policy=email.policy.SMTP)
    assert list(fields.keys()) == names
    if "Message-ID" in names:
        assert fields["Message-ID"] == f"<{CASE.id}@relay.example>"
    if "Date" in names:
        assert b"Date: Thu, 1 Jan 1970 00:00:00 +0000\r\n" in added
