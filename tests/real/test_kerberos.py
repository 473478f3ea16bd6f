"""Kerberos over the wire, with a real KDC: by ticket, by password, by nothing less."""

import base64
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from peers import slapd as ldap
from peers.dialogue import Dialogue
from peers.gss import NO_LAYER, Client, Held, context_of, sign_in_at_the_kdc
from peers.kdc import (
    ALICE,
    ALICE_PASSWORD,
    BOB,
    BOB_PASSWORD,
    REALM,
    Kdc,
    require_kdc,
)
from peers.namespace import require_program
from peers.process import run, wait_for
from peers.service import OWN, Service, Settings, plain_settings
from peers.sink import RecordingSink
from real.messages import a_message, token
from real.test_durability import Serve, taking


@pytest.fixture(scope="module")
def kdc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kdc]:
    require_kdc()
    with Kdc(tmp_path_factory.mktemp("kdc") / "realm") as running:
        yield running


@pytest.fixture(autouse=True)
def client_library(kdc: Kdc, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The client's side of the library is in this process."""
    monkeypatch.setenv("KRB5_CONFIG", str(kdc.krb5_conf))
    monkeypatch.setenv("KRB5CCNAME", f"FILE:{tmp_path}/cc")


def settings_for(kdc: Kdc, sink: RecordingSink, **keys: Any) -> Settings:
    sink.answer = taking
    settings = plain_settings(sink.url)
    settings["authenticator"] = [
        {
            "kind": "kerberos",
            "realms": [REALM],
            "keytab": str(kdc.keytab),
            "krb5_conf": str(kdc.krb5_conf),
            "addresses": [f"{{user}}@{OWN}"],
            **keys,
        }
    ]
    return settings


@pytest.fixture
def service(kdc: Kdc, serve: Serve, sink: RecordingSink) -> Service:
    return serve(settings_for(kdc, sink), users=False)


def private(service: Service) -> Dialogue:
    dialogue = service.dial("submission")
    dialogue.starttls()
    dialogue.say("EHLO client.test")
    return dialogue


def test_a_ticket_signs_in_and_sends_from_its_owners_address_alone(
    service: Service,
) -> None:
    with private(service) as dialogue:
        offered = " ".join(dialogue.say("EHLO client.test").lines)
        assert "GSSAPI GSS-SPNEGO PLAIN LOGIN" in offered
        assert Client(dialogue).gssapi().code == 235
        assert dialogue.say(f"MAIL FROM:<bob@{OWN}>").code == 553
        assert dialogue.say(f"MAIL FROM:<alice@{OWN}>").code == 250
        assert dialogue.say("RCPT TO:<somebody@world.test>").code == 250
    succeeded = service.wait_for_event("auth.succeeded")
    assert succeeded["account"] == ALICE
    assert succeeded["mechanism"] == "GSSAPI"


def test_spnego_signs_in(service: Service) -> None:
    with private(service) as dialogue:
        assert Client(dialogue, spnego=True).gss_spnego().code == 235


def test_gssapi_takes_no_negotiated_token(service: Service) -> None:
    with private(service) as dialogue:
        assert Client(dialogue, spnego=True).tokens("GSSAPI").code == 535


@pytest.mark.parametrize("bound", [False, b"x" * 32])
def test_a_ticket_that_is_not_bound_to_this_session_is_refused(
    service: Service, bound: bool | bytes
) -> None:
    with private(service) as dialogue:
        assert Client(dialogue, bound=bound).gssapi().code == 535
        assert dialogue.say(f"MAIL FROM:<alice@{OWN}>").code == 530


def test_an_unbound_ticket_is_taken_where_the_configuration_says_so(
    kdc: Kdc, serve: Serve, sink: RecordingSink
) -> None:
    settings = settings_for(kdc, sink, require_channel_binding=False)
    with private(serve(settings, users=False)) as dialogue:
        assert Client(dialogue, bound=False).gssapi().code == 235


def test_curl_which_binds_nothing_sends_where_the_configuration_says_so(
    kdc: Kdc, serve: Serve, sink: RecordingSink, tmp_path: Path
) -> None:
    settings = settings_for(kdc, sink, require_channel_binding=False)
    service = serve(settings, users=False)
    run(["kinit", ALICE], data=f"{ALICE_PASSWORD}\n".encode()).well()
    mark = token()
    (tmp_path / "message").write_bytes(a_message(mark, author=f"alice@{OWN}"))
    port = service.address("submission")[1]
    here = f"relay.test:{port}:127.0.0.1"
    run(
        [
            *(require_program("curl"), "--silent", "--show-error", "--ssl-reqd"),
            *("--insecure", "--resolve", here, "--url", f"smtp://relay.test:{port}"),
            *("--user", f"{ALICE}@{REALM}:", "--login-options", "AUTH=GSSAPI"),
            *("--mail-from", f"alice@{OWN}", "--mail-rcpt", "somebody@world.test"),
            *("--upload-file", tmp_path / "message"),
        ]
    ).well()
    assert sink.wait_for_content(mark.encode())


def test_another_layer_or_another_identity_is_refused(service: Service) -> None:
    others = [NO_LAYER + one for one in (b"bob", b"bob\0", b"alice\0", b"\0alice")]
    for choice in (b"\x02\x00\x10\x00", b"\x04\x00\x10\x00", b"", *others):
        with private(service) as dialogue:
            assert Client(dialogue).gssapi(choice).code == 535, choice


def test_an_identity_of_its_own_is_taken_however_it_is_spelled(
    service: Service,
) -> None:
    for itself in (b"alice", b"ALICE@OWN.TEST"):
        with private(service) as dialogue:
            assert Client(dialogue).gssapi(NO_LAYER + itself).code == 235, itself


def test_an_administrators_instance_is_no_account(service: Service) -> None:
    with private(service) as dialogue:
        login = (f"{BOB}/admin", BOB_PASSWORD)
        assert Client(dialogue, login=login).gssapi().code == 535


def test_a_ticket_for_another_service_is_refused(service: Service) -> None:
    with private(service) as dialogue:
        assert Client(dialogue, target="http@relay.test").gssapi().code == 535


def test_a_token_once_taken_is_refused_in_another_session(service: Service) -> None:
    with private(service) as dialogue:
        client = Client(dialogue)
        token = base64.b64encode(client.context.step())
        assert dialogue.say(b"AUTH GSSAPI " + token).code == 334
    with private(service) as dialogue:
        assert dialogue.say(b"AUTH GSSAPI " + token).code == 535


@pytest.mark.parametrize(
    "junk", [b".", b"\0", b"\x60\x03abc", b"NTLMSSP\0\x01", b"x" * 60]
)
@pytest.mark.parametrize("mechanism", ["GSSAPI", "GSS-SPNEGO"])
def test_junk_is_never_235(service: Service, mechanism: str, junk: bytes) -> None:
    with private(service) as dialogue:
        reply = dialogue.say(f"AUTH {mechanism}")
        assert reply.code == 334
        answer = dialogue.say(base64.b64encode(junk))
        assert answer.code in (535, 454), answer
        assert dialogue.say(f"MAIL FROM:<alice@{OWN}>").code == 530


def test_passwords_are_verified_by_the_kdc(service: Service) -> None:
    for name, password, code in (
        (ALICE, ALICE_PASSWORD, 235),
        (f"{ALICE}@{REALM}", ALICE_PASSWORD, 235),
        (ALICE, BOB_PASSWORD, 535),
        ("nobody", ALICE_PASSWORD, 535),
        (f"{BOB}/admin", BOB_PASSWORD, 535),
        (f"{ALICE}@ELSEWHERE.TEST", ALICE_PASSWORD, 535),
        (BOB, BOB_PASSWORD, 235),
    ):
        with service.dial("submission") as dialogue:
            dialogue.starttls()
            assert dialogue.login(name, password).code == code, name


def test_a_disabled_principal_is_refused(kdc: Kdc, service: Service) -> None:
    kdc.admin(f"modprinc -allow_tix {BOB}")
    try:
        with service.dial("submission") as dialogue:
            dialogue.starttls()
            assert dialogue.login(BOB, BOB_PASSWORD).code == 535
    finally:
        kdc.admin(f"modprinc +allow_tix {BOB}")


def test_a_kdc_that_is_down_is_454_and_back_235(kdc: Kdc, service: Service) -> None:
    kdc.stop()
    try:
        with service.dial("submission") as dialogue:
            dialogue.starttls()
            assert dialogue.login(ALICE, ALICE_PASSWORD).code == 454
            assert dialogue.say(f"MAIL FROM:<alice@{OWN}>").code == 530
    finally:
        kdc.start()
    with service.dial("submission") as dialogue:
        dialogue.starttls()
        assert dialogue.login(ALICE, ALICE_PASSWORD).code == 235


def test_keys_that_are_gone_are_454(
    kdc: Kdc, serve: Serve, sink: RecordingSink, tmp_path: Path
) -> None:
    keytab = tmp_path / "copy.keytab"
    keytab.write_bytes(kdc.keytab.read_bytes())
    service = serve(settings_for(kdc, sink, keytab=str(keytab)), users=False)
    keytab.unlink()
    with private(service) as dialogue:
        assert Client(dialogue).gssapi().code == 454
    with service.dial("submission") as dialogue:
        dialogue.starttls()
        assert dialogue.login(ALICE, ALICE_PASSWORD).code == 454


def test_a_keytab_that_is_broken_is_not_reloaded_and_the_old_one_still_serves(
    kdc: Kdc, serve: Serve, sink: RecordingSink, tmp_path: Path
) -> None:
    settings = settings_for(kdc, sink)
    service = serve(settings, users=False)
    kdc.admin(f"ktadd -k {tmp_path}/http.keytab http/relay.test")
    half = kdc.keytab.read_bytes()[:40]
    (tmp_path / "half.keytab").write_bytes(half)
    (tmp_path / "text.keytab").write_text("keys to come")
    with private(service) as dialogue:
        assert Client(dialogue).gssapi().code == 235
        for name, sentence, hint in (
            ("no", "cannot be read: No such file or directory", "service's user"),
            ("half", "is no keytab", "write it anew"),
            ("text", "is no keytab", "write it anew"),
            ("http", "has no key of smtp/", "add its key"),
        ):
            keytab = f"{tmp_path}/{name}.keytab"
            service.change(settings_for(kdc, sink, keytab=keytab))
            refused = service.run("reload")
            assert refused.status == 1, name
            assert f"kerberos: keytab: {keytab} {sentence}" in refused.errors
            assert hint in refused.errors
            assert "Traceback" not in refused.errors
            alarms = service.events("alarm", about="configuration")
            assert f"{keytab} {sentence}" in alarms[-1]["detail"]
            assert dialogue.say(f"MAIL FROM:<alice@{OWN}>").code == 250
            dialogue.say("RSET")
    assert service.run("check").status == 1
    with private(service) as dialogue:
        assert Client(dialogue).gssapi().code == 235
    assert service.events("service.reloaded") == []
    service.change(settings)
    service.run("reload").well()


# With a directory beside the KDC, who may do what is the directory's to say.

LIFETIME = 2.0


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ldap.Slapd]:
    with ldap.Slapd(tmp_path_factory.mktemp("slapd") / "d") as running:
        yield running


@pytest.fixture
def members(
    kdc: Kdc, directory: ldap.Slapd, serve: Serve, sink: RecordingSink
) -> Service:
    settings = settings_for(kdc, sink, directory="people")
    del settings["authenticator"][0]["addresses"]
    settings["authenticator"].append(
        {
            "kind": "ldap",
            "name": "people",
            "profile": "openldap",
            "servers": [directory.url],
            "ca": directory.certificate.certificate,
            "base": ldap.BASE,
            "bind_dn": ldap.SERVICE,
            "bind_password": ldap.SERVICE_PASSWORD,
            "group_base": ldap.GROUPS,
            "cache_seconds": LIFETIME,
        }
    )
    settings["listener"][1]["authenticators"] = ["kerberos"]
    settings["grant"] = [{"name": "scanners", "who": ["group:Scanner Team"]}]
    # One memory: each worker has its own.
    settings["workers"] = 1
    return serve(settings, users=False)


def tickets_of(user: str, password: str) -> Held:
    """Tickets of which none is asked of the KDC any more."""
    held = sign_in_at_the_kdc(user, password)
    assert context_of(held).step()
    return held


@contextmanager
def signed_in(service: Service, held: Held) -> Generator[Dialogue]:
    with private(service) as dialogue:
        assert Client(dialogue, held=held).gssapi().code == 235
        yield dialogue


def test_groups_and_addresses_of_a_principal_are_the_directorys(
    members: Service,
) -> None:
    with signed_in(members, tickets_of(ALICE, ALICE_PASSWORD)) as dialogue:
        assert dialogue.say(f"MAIL FROM:<bob@{OWN}>").code == 553
        assert dialogue.say(f"MAIL FROM:<alice@{OWN}>").code == 250
        assert dialogue.say("RCPT TO:<somebody@world.test>").code == 250
    with signed_in(members, tickets_of(BOB, BOB_PASSWORD)) as dialogue:
        assert dialogue.say(f"MAIL FROM:<bob@{OWN}>").code == 250
        assert dialogue.say("RCPT TO:<somebody@world.test>").code == 550
    with private(members) as dialogue:
        assert dialogue.login(ALICE, ALICE_PASSWORD).code == 235
        assert dialogue.say(f"MAIL FROM:<alice@{OWN}>").code == 250
        assert dialogue.say("RCPT TO:<somebody@world.test>").code == 250


def test_a_principal_that_the_directory_does_not_have_is_refused(
    kdc: Kdc, members: Service
) -> None:
    kdc.admin(f'addprinc -pw "{ALICE_PASSWORD}" eve')
    held = tickets_of("eve", ALICE_PASSWORD)
    with private(members) as dialogue:
        assert Client(dialogue, held=held).gssapi().code == 535
        assert dialogue.login("eve", ALICE_PASSWORD).code == 535
        assert dialogue.say(f"MAIL FROM:<eve@{OWN}>").code == 530


def test_a_principal_that_the_directory_locks_is_out_within_the_lifetime(
    members: Service, directory: ldap.Slapd
) -> None:
    held = tickets_of(ALICE, ALICE_PASSWORD)
    with signed_in(members, held) as dialogue:
        directory.change(ALICE, "pwdAccountLockedTime", "000001010000Z")
        try:

            def is_out() -> bool:
                dialogue.say("RSET")
                return dialogue.say(f"MAIL FROM:<alice@{OWN}>").code == 421

            wait_for("the end of the session", is_out, LIFETIME + 1)
            with private(members) as another:
                assert Client(another, held=held).gssapi().code == 535
                assert another.login(ALICE, ALICE_PASSWORD).code == 535
        finally:
            directory.change(ALICE, "pwdAccountLockedTime")
    with signed_in(members, held):
        pass


def test_without_the_directory_tickets_are_454_and_with_it_235_again(
    members: Service, directory: ldap.Slapd
) -> None:
    held = tickets_of(ALICE, ALICE_PASSWORD)
    directory.stop()
    try:
        with private(members) as dialogue:
            assert Client(dialogue, held=held).gssapi().code == 454
            assert dialogue.login(ALICE, ALICE_PASSWORD).code == 454
            assert dialogue.say(f"MAIL FROM:<alice@{OWN}>").code == 530
    finally:
        directory.start()
    with signed_in(members, held):
        pass
