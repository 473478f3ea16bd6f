"""Only certificates of the named authority are taken, and none that it took back."""

import contextlib
import datetime as dt
import ssl
from pathlib import Path

import pytest

from peers.authority import SERVER, ClientAuthority, ClientCertificate
from peers.certificate import make_certificate
from sekisho.net import client_certificates
from sekisho.net.client_certificates import (
    Authority,
    ask_clients,
    read_authority,
    shown_certificate,
)
from sekisho.net.tls import TlsFilesError, load_server_tls

LISTENER = "submission"


@pytest.fixture
def authority(tmp_path: Path) -> ClientAuthority:
    return ClientAuthority(tmp_path / "clients")


def server(tmp_path: Path, ca: Path, crl: Path | None = None) -> ssl.SSLContext:
    pair = make_certificate(tmp_path / "server", "relay.test")
    authorities = {LISTENER: read_authority(ca, crl)}
    tls = load_server_tls(pair.certificate, pair.key, authorities)
    assert tls.context_of("another") is tls.context
    assert tls.context.verify_mode is ssl.CERT_NONE
    return tls.context_of(LISTENER)


def client_context(
    shown: ClientCertificate | None, version: ssl.TLSVersion
) -> ssl.SSLContext:
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_mode = ssl.CERT_NONE
    client.maximum_version = version
    if shown is not None:
        client.load_cert_chain(shown.certificate, shown.key)
    return client


def talk(
    context: ssl.SSLContext,
    client: ssl.SSLContext,
    session: ssl.SSLSession | None = None,
) -> tuple[ssl.SSLObject, ssl.SSLObject]:
    """Shake hands, and say a word, with which tickets come along."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = context.wrap_bio(to_server, to_client, server_side=True)
    theirs = client.wrap_bio(to_client, to_server, session=session)
    for one in [theirs, ours] * 5:
        with contextlib.suppress(ssl.SSLWantReadError):
            one.do_handshake()
    ours.write(b"x")
    assert theirs.read(1) == b"x"
    return theirs, ours


def shake(
    context: ssl.SSLContext,
    shown: ClientCertificate | None,
    version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3,
) -> bytes:
    """Shake hands; what the server has seen."""
    return shown_certificate(talk(context, client_context(shown, version))[1])


VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_certificate_of_the_authority_is_seen(
    tmp_path: Path, authority: ClientAuthority, version: ssl.TLSVersion
) -> None:
    context = server(tmp_path, authority.file)
    shown = authority.issue("device")
    assert shake(context, shown, version) == shown.der
    assert shake(context, None, version) == b""


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("what", ["stranger", "expired", "future", "server", "itself"])
def test_a_certificate_that_cannot_be_verified_ends_the_handshake(
    tmp_path: Path, authority: ClientAuthority, what: str, version: ssl.TLSVersion
) -> None:
    hour = dt.timedelta(hours=1)
    own = make_certificate(tmp_path / "own", "device")
    shown = {
        "stranger": lambda: ClientAuthority(tmp_path / "other").issue("device"),
        "expired": lambda: authority.issue("device", ends=-hour),
        "future": lambda: authority.issue("device", begins=hour, ends=2 * hour),
        "server": lambda: authority.issue("device", usage=(SERVER,)),
        "itself": lambda: ClientCertificate(own.certificate, own.key, b"", 0),
    }[what]()
    with pytest.raises(ssl.SSLError, match=r"(?i)certificate"):
        shake(server(tmp_path, authority.file), shown, version)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_revoked_certificate_ends_the_handshake(
    tmp_path: Path, authority: ClientAuthority, version: ssl.TLSVersion
) -> None:
    good, bad = authority.issue("good"), authority.issue("bad")
    context = server(tmp_path, authority.file, authority.revoke(bad))
    assert shake(context, good, version) == good.der
    with pytest.raises(ssl.SSLError, match="revoked"):
        shake(context, bad, version)


def test_past_its_time_a_list_lets_nobody_in(
    tmp_path: Path, authority: ClientAuthority
) -> None:
    crl = authority.revoke(ends=-dt.timedelta(hours=1))
    assert read_authority(authority.file, crl).next_update < 2e9
    with pytest.raises(ssl.SSLError, match="CRL has expired"):
        shake(server(tmp_path, authority.file, crl), authority.issue("device"))
    assert shake(server(tmp_path, authority.file, crl), None) == b""


def test_a_file_of_revocations_brings_no_authority_along(
    tmp_path: Path, authority: ClientAuthority
) -> None:
    other = ClientAuthority(tmp_path / "other")
    crl = authority.revoke()
    listed, stranger = crl.read_bytes(), other.file.read_bytes()
    for octets in (stranger + listed, listed + stranger):
        crl.write_bytes(octets)
        with pytest.raises(ssl.SSLError):
            shake(server(tmp_path, authority.file, crl), other.issue("device"))


def test_a_resumed_session_brings_no_certificate(
    tmp_path: Path, authority: ClientAuthority
) -> None:
    """It would be one that was verified earlier, and may be revoked by now.

    TLS 1.3 resumes by tickets, which are not given out; TLS 1.2 by a cache, which
    cannot be switched off from here.
    """
    context = server(tmp_path, authority.file)
    shown = authority.issue("device")
    client = client_context(shown, ssl.TLSVersion.TLSv1_2)
    first, ours = talk(context, client)
    assert shown_certificate(ours) == shown.der
    _, again = talk(context, client, first.session)
    assert again.session_reused
    assert again.getpeercert(binary_form=True) == shown.der
    assert shown_certificate(again) == b""
    client = client_context(shown, ssl.TLSVersion.TLSv1_3)
    first, ours = talk(context, client)
    assert shown_certificate(ours) == shown.der
    _, again = talk(context, client, first.session)
    assert not again.session_reused


def test_files_that_cannot_be_used_are_named(
    tmp_path: Path, authority: ClientAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = authority.issue("device")
    nothing, junk = tmp_path / "nothing.pem", tmp_path / "junk.pem"
    junk.write_text("junk")
    half = tmp_path / "half.pem"
    half.write_bytes(authority.revoke().read_bytes().replace(b"A", b"!"))
    for ca, crl, said in (
        (nothing, None, "No such file"),
        (junk, None, "cannot be read"),
        (device.certificate, None, "no certification authority"),
        (authority.file, nothing, "No such file"),
        (authority.file, junk, "holds no list"),
        (authority.file, half, "cannot be read"),
    ):
        with pytest.raises(TlsFilesError, match=said):
            read_authority(ca, crl)
    own = make_certificate(tmp_path / "own", "no.authority")
    assert read_authority(own.certificate, None).certificates
    size = authority.file.stat().st_size
    monkeypatch.setattr(client_certificates, "MAX_FILE_OCTETS", size)
    assert read_authority(authority.file, None)
    monkeypatch.setattr(client_certificates, "MAX_FILE_OCTETS", size - 1)
    with pytest.raises(TlsFilesError, match="larger"):
        read_authority(authority.file, None)


def test_what_openssl_does_not_take_is_an_error_of_the_files() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    for octets in (b"junk", b"\xff"):
        with pytest.raises(TlsFilesError):
            ask_clients(context, Authority(octets))
    assert context.verify_mode is ssl.CERT_NONE
