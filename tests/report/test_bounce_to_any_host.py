"""A bounce can be delivered to any host, whatever octets the message in it has."""

from base64 import b64decode

import pytest

from replacing import replace
from report.test_bounce import CASE, HEADER, octets, parsed, words
from sekisho.model.envelope import BodyKind
from sekisho.model.text import Language
from sekisho.report.bounce import bounce
from sekisho.report.case import Report, WholeMessage
from sekisho.report.texts import TEXTS
from sekisho.wire.mime import converted
from sekisho.wire.mime_plan import Target

SIGNED = (
    b"From: a@own.example\r\nMIME-Version: 1.0\r\n"
    b'Content-Type: multipart/signed; boundary="b"\r\n'
    b"Content-Transfer-Encoding: 8bit\r\n\r\n"
    b"--b\r\nContent-Type: text/plain; charset=utf-8\r\n"
    b"Content-Transfer-Encoding: 8bit\r\n\r\n\xc3\xa9\r\n"
    b"--b\r\nContent-Type: application/pgp-signature\r\n\r\nxx\r\n--b--\r\n"
)


@pytest.mark.parametrize(
    "original",
    [HEADER + "日本\r\n".encode(), SIGNED, HEADER[:-2] + "X: é\r\n\r\né\r\n".encode()],
    ids=["plain", "signed", "header"],
)
def test_a_host_without_8bitmime_gets_it_whole_all_the_same(original: bytes) -> None:
    report = octets(replace(CASE, original=WholeMessage(original)))
    fit = converted(report, Target.SEVEN_BIT)
    assert isinstance(fit, bytes)
    assert fit.isascii()


@pytest.mark.parametrize(
    "original",
    [SIGNED, HEADER[:-2] + "X: é\r\n\r\né\r\n".encode()],
    ids=["signed", "header"],
)
def test_what_cannot_be_converted_goes_back_encoded(original: bytes) -> None:
    case = replace(CASE, original=WholeMessage(original))
    report = bounce(case)
    assert isinstance(report, Report)
    assert report.body is BodyKind.SEVEN_BIT
    part = octets(case).rpartition(b"Content-Type: message/global\r\n")[2]
    encoded = part.partition(b"\r\n\r\n")[2].partition(b"\r\n--")[0]
    assert b64decode(encoded) == original
    assert TEXTS[Language.ENGLISH].whole in words(case)


def test_where_it_would_be_too_long_encoded_the_header_goes_back() -> None:
    filled = SIGNED + b"y" * 70 * 700
    case = replace(
        CASE, original=WholeMessage(filled.replace(b"y" * 70, b"y" * 68 + b"\r\n"))
    )
    assert parsed(case)[1][2].get_content_type() == "text/rfc822-headers"


def test_a_header_in_an_unknown_charset_goes_back_alone() -> None:
    case = replace(CASE, original=WholeMessage(HEADER[:-2] + b"X: \xe9\r\n\r\nx\r\n"))
    assert octets(case).isascii()
    assert parsed(case)[1][2].get_content_type() == "text/rfc822-headers"
