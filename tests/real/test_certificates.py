"""Certificates of clients on the running service, from clients that people have."""

import datetime as dt
import smtplib
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from peers.authority import ClientAuthority, ClientCertificate
from peers.dialogue import ClosedError, Dialogue, encoded
from peers.loopback import fresh_address
from peers.namespace import require_program
from peers.process import run
from peers.service import OWN, Service, Settings, plain_settings
from peers.sink import RecordingSink
from real.messages import a_message, token

Serve = Callable[..., Service]

USER, PASSWORD = Service.USER, Service.PASSWORD
REFUSED = "535 5.7.8"
SCANNER = "scanner"


@pytest.fixture
def authority(tmp_path: Path) -> ClientAuthority:
    return ClientAuthority(tmp_path / "clients")


def settings_of(
    sink: RecordingSink, authority: ClientAuthority, **changes: Any
) -> Settings:
    """Passwords and certificates at one door; the certificate's name is the account."""
    settings = plain_settings(sink.url)
    one = {"kind": "certificate", "by": "email", "accounts": "local", **changes}
    settings["authenticator"] = [{"kind": "local"}, one]
    settings["listener"][1] |= {
        "client_ca": str(authority.file),
        "mechanisms": ["EXTERNAL", "PLAIN"],
    }
    return settings


def show(client: Dialogue, shown: ClientCertificate | None) -> list[str]:
    """STARTTLS with a certificate; what is offered then."""
    client.ehlo()
    assert client.say("STARTTLS").code == 220
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if shown is not None:
        context.load_cert_chain(shown.certificate, shown.key)
    client.stream = context.wrap_socket(client.stream)
    return [line for line in client.ehlo() if line.startswith("AUTH")]


def trusting(service: Service, shown: ClientCertificate) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(service.certificate.certificate))
    context.load_cert_chain(shown.certificate, shown.key)
    return context


def test_external_is_offered_to_those_who_have_a_certificate(
    serve: Serve, sink: RecordingSink, authority: ClientAuthority
) -> None:
    service = serve(settings_of(sink, authority))
    shown = authority.issue("x", emails=[USER])
    for certificate, offered in ((None, "AUTH PLAIN"), (shown, "AUTH EXTERNAL PLAIN")):
        with service.dial("submission") as client:
            assert show(client, certificate) == [offered]
            if certificate is None:
                for line in ("AUTH EXTERNAL", "AUTH EXTERNAL ="):
                    assert client.say(line).status == "504 5.5.4"
            # A certificate does not stand in for the password of somebody else.
            assert client.login(USER, "wrong").status == REFUSED
            assert client.say(f"MAIL FROM:<{USER}>").status == "530 5.7.0"
            assert client.login(USER, PASSWORD).code == 235


def test_a_certificate_is_its_account_and_no_other(
    serve: Serve, sink: RecordingSink, authority: ClientAuthority
) -> None:
    service = serve(settings_of(sink, authority))
    service.add_user(f"ceo@{OWN}", PASSWORD)
    shown = authority.issue(f"ceo@{OWN}", emails=[USER])
    for name in (f"ceo@{OWN}", "nobody", "ceo", "postmaster", "a b", "a\0b"):
        with service.dial("submission", source=fresh_address()) as client:
            show(client, shown)
            answer = client.say(b"AUTH EXTERNAL " + encoded(name))
            assert answer.status == REFUSED, name
            assert client.say(f"MAIL FROM:<{USER}>").status == "530 5.7.0"
    for name in ("", USER, USER.upper()):
        with service.dial("submission", source=fresh_address()) as client:
            show(client, shown)
            answer = client.say(b"AUTH EXTERNAL " + (encoded(name) or b"="))
            assert answer.status == "235 2.7.0"
            assert client.say(f"MAIL FROM:<ceo@{OWN}>").status == "553 5.7.1"
            assert client.say(f"MAIL FROM:<{USER}>").code == 250
            assert client.say("RCPT TO:<c@world.test>").code == 250
    nobodys = authority.issue("x", emails=[f"unknown@{OWN}"])
    with service.dial("submission", source=fresh_address()) as client:
        show(client, nobodys)
        assert client.say("AUTH EXTERNAL =").status == REFUSED
    service.run("user", "disable", USER).well()
    with service.dial("submission", source=fresh_address()) as client:
        show(client, shown)
        assert client.say("AUTH EXTERNAL =").status == REFUSED


def test_another_authority_s_certificate_ends_the_handshake(
    serve: Serve, sink: RecordingSink, authority: ClientAuthority, tmp_path: Path
) -> None:
    service = serve(settings_of(sink, authority))
    other = ClientAuthority(tmp_path / "other")
    late = -dt.timedelta(hours=1)
    stranger = ClientAuthority(tmp_path / "stranger", "Strangers")
    for shown, reason in (
        (other.issue("x", emails=[USER]), "certificate signature failure"),
        (stranger.issue("x", emails=[USER]), "unable to get local issuer certificate"),
        (authority.issue("x", emails=[USER], ends=late), "certificate has expired"),
    ):
        source = fresh_address()
        with (
            service.dial("submission", source=source) as client,
            pytest.raises((ssl.SSLError, ClosedError, OSError)),
        ):
            show(client, shown)
        event = service.wait_for_event("session.tls_failed", client=source)
        assert event["reason"] == reason
    # A listener without authorities does not ask for any.
    with service.dial("mx") as client:
        assert show(client, other.issue("x")) == []


def test_curl_sends_with_a_certificate(
    serve: Serve, sink: RecordingSink, authority: ClientAuthority, tmp_path: Path
) -> None:
    shown = authority.issue("Scanner 2nd floor")
    user = {
        "fingerprint": shown.fingerprint,
        "account": SCANNER,
        "addresses": [f"scanner@{OWN}"],
        "groups": ["devices"],
    }
    settings = settings_of(
        sink, authority, by="fingerprint", accounts="listed", users=[user]
    )
    settings["grant"] = [{"name": "devices", "who": ["group:devices"]}]
    service = serve(settings)
    host, port = service.address("submission")
    mail, mark = tmp_path / "mail", token()
    mail.write_bytes(a_message(mark, author=f"scanner@{OWN}"))
    run(
        [
            *(require_program("curl"), "--silent", "--show-error", "--ssl-reqd"),
            *("--url", f"smtp://{host}:{port}/scanner.test", "--max-time", "20"),
            *("--cacert", service.certificate.certificate),
            *("--cert", shown.certificate, "--key", shown.key),
            *("--login-options", "AUTH=EXTERNAL", "--user", f"{SCANNER}:"),
            *("--mail-from", f"scanner@{OWN}", "--mail-rcpt", "somebody@world.test"),
            *("--upload-file", mail),
        ]
    ).well()
    assert sink.wait_for_content(mark.encode())
    event = service.wait_for_event("auth.succeeded")
    assert (event["account"], event["mechanism"]) == (SCANNER, "EXTERNAL")


def test_smtplib_sends_with_a_certificate_over_implicit_tls(
    serve: Serve, sink: RecordingSink, authority: ClientAuthority
) -> None:
    settings = settings_of(sink, authority)
    settings["listener"][1]["tls"] = "implicit"
    service = serve(settings)
    shown = authority.issue("x", emails=[USER])
    host, port = service.address("submission")
    mark = token()

    def answer(challenge: bytes | None = None) -> str:
        del challenge
        return USER

    with smtplib.SMTP_SSL(
        host, port, timeout=10, context=trusting(service, shown)
    ) as client:
        client.ehlo()
        client.auth("EXTERNAL", answer)
        client.sendmail(USER, ["somebody@world.test"], a_message(mark))
    assert sink.wait_for_content(mark.encode())


def test_swaks_with_a_certificate_still_signs_in_by_password(
    serve: Serve, sink: RecordingSink, authority: ClientAuthority
) -> None:
    service = serve(settings_of(sink, authority))
    shown = authority.issue("x", emails=[USER])
    host, port = service.address("submission")
    mark = token()
    done = run(
        [
            *(require_program("swaks"), "--server", host, "--port", str(port), "--tls"),
            *("--tls-cert", shown.certificate, "--tls-key", shown.key),
            *("--auth", "PLAIN", "--auth-user", USER, "--auth-password", PASSWORD),
            *("--from", USER, "--to", "somebody@world.test", "--h-Subject", mark),
        ]
    ).well()
    assert "EXTERNAL PLAIN" in done.output
    assert sink.wait_for_content(mark.encode())


def test_a_session_ends_with_its_certificate(
    serve: Serve, sink: RecordingSink, authority: ClientAuthority
) -> None:
    service = serve(settings_of(sink, authority))
    shown = authority.issue("x", emails=[USER], ends=dt.timedelta(seconds=5))
    with service.dial("submission") as client:
        show(client, shown)
        assert client.say("AUTH EXTERNAL =").code == 235
        assert client.say(f"MAIL FROM:<{USER}>").code == 250
        client.say("RSET")
        time.sleep(5.5)
        assert client.say(f"MAIL FROM:<{USER}>").code == 421


def test_a_revoked_certificate_is_out_after_a_reload(
    serve: Serve, sink: RecordingSink, authority: ClientAuthority
) -> None:
    shown, other = authority.issue("x", emails=[USER]), authority.issue("y")
    settings = settings_of(sink, authority)
    settings["listener"][1]["client_crl"] = str(authority.revoke(other))
    service = serve(settings)
    with service.dial("submission") as client:
        show(client, shown)
        assert client.say("AUTH EXTERNAL =").code == 235
    authority.revoke(other, shown)
    service.reload()
    service.wait_for_event("service.reloaded")
    with (
        service.dial("submission", source=fresh_address()) as client,
        pytest.raises((ssl.SSLError, ClosedError, OSError)),
    ):
        show(client, shown)
    event = service.wait_for_event("session.tls_failed")
    assert event["reason"] == "certificate revoked"
    authority.revoke(ends=-dt.timedelta(hours=1))
    told = service.run("check")
    assert told.status == 1
    assert "client_crl is too old" in told.output
