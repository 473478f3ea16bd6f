"""OAUTHBEARER, XOAUTH2 and EXTERNAL read what their grammars allow, and no more."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.auth.external import External
from sekisho.auth.precis import MAX_NAME_OCTETS
from sekisho.auth.sasl import (
    CertificateClaimed,
    Challenge,
    Dialogue,
    Failed,
    TokenGiven,
)
from sekisho.auth.token_mechanisms import (
    MAX_TOKEN_OCTETS,
    bearer_fault,
    oauthbearer,
    vendor_fault,
    xoauth2,
)

Begin = Callable[[], Dialogue]

TOKEN = "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg=="
RFC_7628 = (
    "n,a=user@example.com,\x01host=server.example.com\x01port=143\x01"
    f"auth=Bearer {TOKEN}\x01\x01"
).encode()
VENDOR = f"user=someuser@example.com\x01auth=Bearer {TOKEN}\x01\x01".encode()


def test_the_rfcs_example_is_read() -> None:
    step = oauthbearer().step(RFC_7628)
    assert step == TokenGiven(TOKEN, "user@example.com", bearer_fault)


def test_the_vendors_example_is_read() -> None:
    step = xoauth2().step(VENDOR)
    assert step == TokenGiven(TOKEN, "someuser@example.com", vendor_fault)


@pytest.mark.parametrize("begin", [oauthbearer, xoauth2, External])
def test_without_an_initial_response_there_is_an_empty_challenge(begin: Begin) -> None:
    assert begin().step(None) == Challenge(b"")


@pytest.mark.parametrize(
    ("message", "account"),
    [
        (f"n,,\x01auth=Bearer {TOKEN}\x01\x01", ""),
        (f"y,,\x01auth=bearer  {TOKEN}\x01\x01", ""),
        (f"n,a=User=2Cx@Example.com,\x01auth=Bearer {TOKEN}\x01\x01", None),
        (f"n,a=a=3Db,\x01auth=Bearer {TOKEN}\x01\x01", "a=b"),
        (f"n,,\x01auth=BEARER {TOKEN}\x01extra=a b\tc\r\nd\x01\x01", ""),
    ],
)
def test_oauthbearer_has_more_than_one_form(message: str, account: str | None) -> None:
    step = oauthbearer().step(message.encode())
    assert isinstance(step, TokenGiven)
    assert step.token == TOKEN
    if account is not None:
        assert step.account == account


PAIR = f"auth=Bearer {TOKEN}"


@pytest.mark.parametrize(
    "message",
    [
        "",
        "\x01",
        "n,,",
        "n,,\x01",
        "n,,\x01\x01",
        f"n,,\x01{PAIR}",
        f"n,,\x01{PAIR}\x01",
        f"n,,\x01{PAIR}\x01\x01\x01",
        f"n,,\x01{PAIR}\x01\x01 ",
        f"n,,{PAIR}\x01\x01",
        f"n,\x01{PAIR}\x01\x01",
        f"p=tls-server-end-point,,\x01{PAIR}\x01\x01",
        f"F,n,,\x01{PAIR}\x01\x01",
        f"N,,\x01{PAIR}\x01\x01",
        f"n,a=,\x01{PAIR}\x01\x01",
        f"n,a=x=2,\x01{PAIR}\x01\x01",
        f"n,a=x=2c,\x01{PAIR}\x01\x01",
        f"n,a=x y,\x01{PAIR}\x01\x01",
        f"n,a=x\0,\x01{PAIR}\x01\x01",
        f"n,a=x,y,\x01{PAIR}\x01\x01",
        f"n,a={'x' * (MAX_NAME_OCTETS + 1)},\x01{PAIR}\x01\x01",
        f"n,,\x01{PAIR}\x01{PAIR}\x01\x01",
        f"n,,\x01host=a\x01host=b\x01{PAIR}\x01\x01",
        f"n,,\x01h0st=a\x01{PAIR}\x01\x01",
        f"n,,\x01=a\x01{PAIR}\x01\x01",
        f"n,,\x01host\x01{PAIR}\x01\x01",
        f"n,,\x01host=\0\x01{PAIR}\x01\x01",
        f"n,,\x01host=\u00e9\x01{PAIR}\x01\x01",
        "n,,\x01auth=\x01\x01",
        "n,,\x01auth=Bearer\x01\x01",
        "n,,\x01auth=Bearer \x01\x01",
        f"n,,\x01auth=Basic {TOKEN}\x01\x01",
        f"n,,\x01auth={TOKEN}\x01\x01",
        f"n,,\x01auth=Bearer {TOKEN} x\x01\x01",
        "n,,\x01auth=Bearer a=b\x01\x01",
        "n,,\x01auth=Bearer ==\x01\x01",
        f"n,,\x01auth=Bearer\t{TOKEN}\x01\x01",
        f"n,,\x01Auth=Bearer {TOKEN}\x01\x01",
    ],
)
def test_what_is_no_oauthbearer_message_gives_no_token(message: str) -> None:
    assert isinstance(oauthbearer().step(message.encode()), Failed)


@pytest.mark.parametrize(
    "message",
    [
        "",
        f"user=\x01{PAIR}\x01\x01",
        f"user=a b\x01{PAIR}\x01\x01",
        f"user=a\0\x01{PAIR}\x01\x01",
        f"USER=a\x01{PAIR}\x01\x01",
        f"user=a\x01{PAIR}\x01",
        f"user=a\x01{PAIR}\x01\x01\x01",
        f"user=a\x01\x01{PAIR}\x01\x01",
        f"user=a\x01{PAIR}\x01{PAIR}\x01\x01",
        f"user=a\x01user=b\x01{PAIR}\x01\x01",
        f"{PAIR}\x01user=a\x01\x01",
        "user=a\x01auth=Bearer \x01\x01",
        f"user=a\x01auth=Basic {TOKEN}\x01\x01",
        f"user=a {PAIR}\x01\x01",
    ],
)
def test_what_is_no_xoauth2_message_gives_no_token(message: str) -> None:
    assert isinstance(xoauth2().step(message.encode()), Failed)


@pytest.mark.parametrize(
    ("begin", "shape"),
    [
        (oauthbearer, "n,,\x01auth=Bearer {}\x01\x01"),
        (xoauth2, "user=a\x01auth=Bearer {}\x01\x01"),
    ],
)
def test_a_token_has_its_bound(begin: Begin, shape: str) -> None:
    longest = "x" * MAX_TOKEN_OCTETS
    assert isinstance(begin().step(shape.format(longest).encode()), TokenGiven)
    answer = begin().step(shape.format(longest + "x").encode())
    assert isinstance(answer, Failed)
    assert "8192" in answer.reason


@pytest.mark.parametrize("begin", [oauthbearer, xoauth2, External])
def test_what_is_not_utf_8_is_nothing(begin: Begin) -> None:
    assert isinstance(begin().step(b"n,,\xff"), Failed)


def test_the_errors_are_as_their_descriptions_say() -> None:
    assert bearer_fault("a b") == b'{"status":"invalid_token","scope":"a b"}'
    assert bearer_fault("") == b'{"status":"invalid_token"}'
    assert vendor_fault("a") == b'{"status":"401","schemes":"bearer","scope":"a"}'


pieces = st.lists(
    st.sampled_from(
        [
            *(b"n,", b"a=x,", b",", b"\x01", b"auth=", b"Bearer ", b"user=", b"x"),
            *(b"=", TOKEN.encode(), b"\0", b"\xff", b"host=", b"=2C"),
        ]
    ),
    max_size=14,
).map(b"".join)


@given(st.one_of(st.binary(max_size=200), pieces))
def test_any_octets_give_a_failure_or_a_token(octets: bytes) -> None:
    for begin in (oauthbearer, xoauth2):
        step = begin().step(octets)
        assert isinstance(step, Failed | TokenGiven)
        if isinstance(step, TokenGiven):
            assert step.token.encode() in octets
            assert step.token.isascii()
            assert step.token not in repr(step)
    assert isinstance(External().step(octets), Failed | CertificateClaimed)


def test_external_takes_a_name_or_none() -> None:
    assert External().step(b"") == CertificateClaimed("")
    assert External().step(b"User@Example.com") == CertificateClaimed(
        "user@example.com"
    )
    for wrong in (b"a b", b"a\0b", b"\xff", b"x" * (MAX_NAME_OCTETS + 1)):
        assert isinstance(External().step(wrong), Failed)
