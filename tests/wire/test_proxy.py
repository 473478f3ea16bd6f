"""PROXY headers: read whole, bounded, and never guessed."""

import struct
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.wire.proxy import (
    NeedMore,
    ProxyAnswer,
    ProxyError,
    ProxyHeader,
    parse_proxy,
)

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
V4 = bytes([192, 0, 2, 1, 192, 0, 2, 2]) + struct.pack("!HH", 4000, 25)
V6 = (
    ip_address("2001:db8::1").packed
    + ip_address("2001:db8::2").packed
    + struct.pack("!HH", 4000, 25)
)


def version_2(command: int, family: int, body: bytes) -> bytes:
    return SIGNATURE + struct.pack("!BBH", command, family, len(body)) + body


def header(source: str, destination: str, consumed: int) -> ProxyHeader:
    return ProxyHeader(ip_address(source), 4000, ip_address(destination), 25, consumed)


GOOD: list[tuple[bytes, ProxyHeader]] = [
    (
        b"PROXY TCP4 192.0.2.1 192.0.2.2 4000 25\r\n",
        header("192.0.2.1", "192.0.2.2", 40),
    ),
    (
        b"PROXY TCP6 2001:db8::1 2001:db8::2 4000 25\r\n",
        header("2001:db8::1", "2001:db8::2", 44),
    ),
    (b"PROXY UNKNOWN\r\n", ProxyHeader(None, 0, None, 0, 15)),
    (b"PROXY UNKNOWN x y z\r\n", ProxyHeader(None, 0, None, 0, 21)),
    (version_2(0x21, 0x11, V4), header("192.0.2.1", "192.0.2.2", 28)),
    (version_2(0x21, 0x21, V6), header("2001:db8::1", "2001:db8::2", 52)),
    (
        version_2(0x21, 0x11, V4 + b"\x04\0\1x"),
        header("192.0.2.1", "192.0.2.2", 32),
    ),
    (version_2(0x20, 0x11, V4), ProxyHeader(None, 0, None, 0, 28)),
    (version_2(0x20, 0x00, b""), ProxyHeader(None, 0, None, 0, 16)),
    (version_2(0x21, 0x00, b"abc"), ProxyHeader(None, 0, None, 0, 19)),
    (version_2(0x20, 0x00, bytes(4096)), ProxyHeader(None, 0, None, 0, 4112)),
]


@pytest.mark.parametrize(("data", "expected"), GOOD)
def test_headers_are_read_and_what_follows_is_left(data: bytes, expected: ProxyHeader):
    assert parse_proxy(data + b"EHLO x\r\n") == expected
    assert expected.local is (expected.source is None)


@pytest.mark.parametrize("data", [data for data, _ in GOOD])
def test_no_part_of_a_header_is_a_header(data: bytes):
    for length in range(len(data)):
        assert parse_proxy(data[:length]) == NeedMore()


@pytest.mark.parametrize(
    "data",
    [
        b"EHLO x\r\n",
        b"PROXX",
        b"\r\n\r\nX",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 4000\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 4000 65536\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 04000 25\r\n",
        b"PROXY TCP4 192.0.2.01 192.0.2.2 4000 25\r\n",
        b"PROXY TCP4 2001:db8::1 2001:db8::2 4000 25\r\n",
        b"PROXY TCP6 192.0.2.1 192.0.2.2 4000 25\r\n",
        b"PROXY TCP4  192.0.2.1 192.0.2.2 4000 25\r\n",
        b"PROXY UDP4 192.0.2.1 192.0.2.2 4000 25\r\n",
        b"PROXY UNKNOWNX\r\n",
        b"PROXY TCP4 \xff 192.0.2.2 4000 25\r\n",
        b"PROXY " + b"a" * 101,
        b"PROXY UNKNOWN " + b"a" * 92 + b"\r\n",
        version_2(0x11, 0x11, V4),
        version_2(0x22, 0x11, V4),
        version_2(0x21, 0x12, V4),
        version_2(0x21, 0x31, bytes(216)),
        version_2(0x21, 0x11, V4[:-1]),
        version_2(0x21, 0x21, V4),
        version_2(0x20, 0x00, bytes(4097))[:16],
    ],
)
def test_what_is_no_header_is_an_error(data: bytes):
    assert isinstance(parse_proxy(data), ProxyError)


@given(
    st.binary(max_size=200)
    | st.binary(max_size=200).map(lambda data: b"PROXY " + data)
    | st.binary(max_size=200).map(lambda data: SIGNATURE + data)
)
def test_no_octets_raise_and_more_of_them_change_no_answer(data: bytes):
    answer: ProxyAnswer = parse_proxy(data)
    if not isinstance(answer, NeedMore):
        assert parse_proxy(data + b"x") == answer
