"""One spelling for one octet string."""

import base64 as standard

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.wire.base64 import Base64Fault, decode, encode


@given(st.binary())
def test_what_is_encoded_is_decoded(data: bytes):
    assert encode(data) == standard.b64encode(data)
    assert decode(encode(data)) == data


@given(st.binary(max_size=12))
def test_no_second_spelling_is_decoded(text: bytes):
    data = decode(text)
    assert isinstance(data, Base64Fault) or encode(data) == text


@pytest.mark.parametrize(
    "text",
    [
        b"=",
        b"QQ",
        b"QQ=",
        b"QR==",
        b"QQ==\n",
        b" QQ==",
        b"Q Q==",
        b"_w==",
        b"QQ==QQ==",
        b".",
        b"*",
        b"====",
        b"A",
        b"\xff",
    ],
)
def test_lax_spellings_are_refused(text: bytes):
    assert decode(text) is Base64Fault.MALFORMED
