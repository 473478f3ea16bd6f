"""A word must lead to the ports that were meant, and a mistake to none."""

import asyncio
from pathlib import Path

import pytest

from sekisho.audit.lab.manners import SOUND
from sekisho.audit.lab.server import LabServer
from sekisho.audit.targets import (
    MAX_PLACES,
    PORTS,
    Host,
    Place,
    PlaceError,
    knock,
    proxy_header,
    read_place,
    read_places,
    resolve,
)
from sekisho.wire.proxy import ProxyHeader, parse_proxy


@pytest.mark.parametrize(
    ("word", "place"),
    [
        ("mail.example.com", Place("mail.example.com", PORTS)),
        ("mail.example.com:2525", Place("mail.example.com", (2525,), named=True)),
        ("192.0.2.1", Place("192.0.2.1", PORTS)),
        ("192.0.2.1:25", Place("192.0.2.1", (25,), named=True)),
        ("2001:db8::1", Place("2001:db8::1", PORTS)),
        ("::1", Place("::1", PORTS)),
        ("[2001:db8::1]:587", Place("2001:db8::1", (587,), named=True)),
        ("[fe80::1%eth0]:25", Place("fe80::1%eth0", (25,), named=True)),
        ("smtp://a.test", Place("a.test", (25,), named=True)),
        ("smtps://a.test", Place("a.test", (465,), named=True, implicit_tls=True)),
        ("smtps://a.test:8465/", Place("a.test", (8465,), True, True)),
        ("  a.test  ", Place("a.test", PORTS)),
    ],
)
def test_reads_every_spelling(word: str, place: Place) -> None:
    assert read_place(word) == place


@pytest.mark.parametrize(
    "word",
    [
        *("", ":25", "a.test:", "a.test:0", "a.test:65536", "a b", "-a.test", ".a"),
        *("http://a.test", "[1.2.3.4]:25", "[::zz]:25", "a.test/x", "a@b.test"),
        "a.test:25:25",
    ],
)
def test_refuses_what_names_no_host(word: str) -> None:
    with pytest.raises(PlaceError):
        read_place(word)


def test_a_file_names_the_line_that_is_wrong(tmp_path: Path) -> None:
    file = tmp_path / "hosts"
    file.write_text("# ours\na.test\n\nb.test:25 # the new one\n")
    assert [place.host for place in read_places(file)] == ["a.test", "b.test"]
    file.write_text("a.test\nb test\n")
    with pytest.raises(PlaceError, match=":2: 'b test'"):
        read_places(file)


def test_a_file_is_bounded(tmp_path: Path) -> None:
    file = tmp_path / "hosts"
    file.write_text("a.test\n" * MAX_PLACES)
    assert len(read_places(file)) == MAX_PLACES
    file.write_text("a.test\n" * (MAX_PLACES + 1))
    with pytest.raises(PlaceError, match="more than"):
        read_places(file)


def test_a_name_that_leads_nowhere_is_told_and_asked_once() -> None:
    place = read_place("nowhere.invalid")
    (host,) = asyncio.run(resolve([place, place]))
    assert host.addresses == ()
    assert host.trouble


def test_loopback_is_known_of_addresses_and_names() -> None:
    places = [read_place(one) for one in ("127.9.8.7", "::1", "192.0.2.1")]
    four, six, other = asyncio.run(resolve(places))
    assert (four.is_here, six.is_here, other.is_here) == (True, True, False)
    mixed = Host(places[0], ("127.0.0.1", "192.0.2.1"))
    assert not mixed.is_here


def test_all_addresses_of_a_name_are_asked_and_a_silent_one_is_told() -> None:
    async def run() -> None:
        async with LabServer(SOUND) as server:
            place = Place("two.test", (server.port,), named=True)
            doors = await knock(Host(place, ("127.0.0.1", "::1")))
            assert [one.address for one in doors.targets] == ["127.0.0.1"]
            assert "::1" in doors.notes[0].en
            assert not doors.silent
            async with LabServer(SOUND, host="::1", port=server.port):
                doors = await knock(Host(place, ("127.0.0.1", "::1")))
                assert [one.address for one in doors.targets] == ["127.0.0.1", "::1"]
                assert not doors.notes

    asyncio.run(run())


def test_without_a_port_only_those_that_answer_are_asked() -> None:
    async def run() -> None:
        async with LabServer(SOUND) as server, LabServer(SOUND) as second:
            place = Place("127.0.0.1", (server.port, 1, second.port))
            doors = await knock(Host(place, ("127.0.0.1",)))
            assert [one.port for one in doors.targets] == [server.port, second.port]
            assert not doors.notes

    asyncio.run(run())


@pytest.mark.parametrize(
    ("claimed", "address"),
    [("198.51.100.7", "127.0.0.1"), ("2001:db8::7", "::1"), ("198.51.100.7", "::1")],
)
def test_the_proxy_header_is_read_by_our_own_service(
    claimed: str, address: str
) -> None:
    header = parse_proxy(proxy_header(claimed, address, 25))
    assert isinstance(header, ProxyHeader)
    assert str(header.source) == claimed
