"""What is said under TLS comes out whole, however it was cut, and ends when it ends."""

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from peers.certificate import make_certificate
from sekisho.net.tls import load_server_tls
from sekisho.net.tls_feed import PIECE_BYTES, TlsFeed

LONG = bytes(range(256)) * 1000
VERSIONS = pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])


class Peer:
    """A client of a `TlsFeed`, and what each has heard of the other."""

    def __init__(self, folder: Path, version: str = "TLSv1_3", cut: int = 0) -> None:
        pair = make_certificate(folder, "localhost")
        self.feed = TlsFeed(load_server_tls(pair.certificate, pair.key).context)
        self.cut = cut
        self.server_heard = b""
        trust = ssl.create_default_context(cafile=pair.certificate)
        trust.maximum_version = ssl.TLSVersion[version]
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = trust.wrap_bio(
            self.incoming, self.outgoing, server_hostname="localhost"
        )

    def shake(self) -> None:
        while True:
            try:
                self.tls.do_handshake()
            except ssl.SSLWantReadError:
                self.flush()
            else:
                break

    def flush(self) -> None:
        """Hand over what the client has to send, and back what it is answered."""
        for piece in self.pieces(self.outgoing.read()):
            self.server_heard += self.feed.receive(piece)
            self.incoming.write(self.feed.output())

    def pieces(self, octets: bytes) -> Iterator[bytes]:
        step = self.cut or max(1, len(octets))
        for start in range(0, len(octets), step):
            yield octets[start : start + step]


@VERSIONS
@pytest.mark.parametrize("cut", [1, 5, 1000, PIECE_BYTES, PIECE_BYTES + 1, 0])
def test_all_that_is_said_comes_out_in_order(
    tmp_path: Path, version: str, cut: int
) -> None:
    peer = Peer(tmp_path, version, cut)
    peer.shake()
    peer.tls.write(LONG)
    peer.flush()
    assert peer.feed.is_shaken
    assert peer.server_heard == LONG
    assert not peer.feed.has_ended


def test_all_that_is_answered_comes_out_in_order(tmp_path: Path) -> None:
    peer = Peer(tmp_path)
    peer.shake()
    peer.flush()
    peer.incoming.write(peer.feed.send(LONG))
    heard = b""
    while len(heard) < len(LONG):
        heard += peer.tls.read(len(LONG))
    assert heard == LONG


@VERSIONS
def test_what_comes_behind_the_clients_end_is_not_heard(
    tmp_path: Path, version: str
) -> None:
    peer = Peer(tmp_path, version)
    peer.shake()
    peer.tls.write(b"QUIT\r\n")
    with pytest.raises(ssl.SSLWantReadError):
        peer.tls.unwrap()
    octets = peer.outgoing.read()
    assert peer.feed.receive(octets + b"\x17\x03\x03\x00\x01x") == b"QUIT\r\n"
    assert peer.feed.has_ended


@VERSIONS
def test_the_client_can_tell_the_end_from_a_cut(tmp_path: Path, version: str) -> None:
    peer = Peer(tmp_path, version)
    peer.shake()
    peer.flush()
    peer.incoming.write(peer.feed.end(b"221 bye\r\n"))
    assert peer.tls.read(100) == b"221 bye\r\n"
    assert peer.tls.read(100) == b""


def test_plain_text_is_no_handshake(tmp_path: Path) -> None:
    feed = Peer(tmp_path).feed
    with pytest.raises(ssl.SSLError):
        feed.receive(b"EHLO evil.test\r\nMAIL FROM:<a@outside.test>\r\n")
    assert not feed.is_shaken
    assert feed.end() == b""


def test_a_record_that_was_changed_on_its_way_is_not_heard(tmp_path: Path) -> None:
    peer = Peer(tmp_path)
    peer.shake()
    peer.flush()
    peer.tls.write(b"NOOP\r\n")
    octets = bytearray(peer.outgoing.read())
    octets[-1] ^= 1
    with pytest.raises(ssl.SSLError):
        peer.feed.receive(bytes(octets))
    # The alert, which is encrypted as all else.
    assert peer.feed.output()[:1] == b"\x17"


def test_no_tickets_are_given(tmp_path: Path) -> None:
    """Another worker could not read them."""
    peer = Peer(tmp_path)
    peer.shake()
    peer.flush()
    assert not peer.incoming.pending
