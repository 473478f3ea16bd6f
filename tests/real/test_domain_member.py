"""Members of an Active Directory domain by each of their ways; Samba controls it.

By password (LDAP), by Kerberos (GSSAPI and GSS-SPNEGO, keys exported from the domain
controller) and by NTLM (a machine that has joined, winbind and its own helper).
Whichever way somebody comes, groups, addresses and whether he may come at all are the
directory's.
"""

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from auth.test_ntlmssp import ANONYMOUS, UNICODE, authenticate, negotiate
from peers.dialogue import Dialogue, Reply, encoded
from peers.gss import Client, Held, context_of, sign_in_at_the_kdc
from peers.loopback import fresh_address
from peers.member import LOCAL_PASSWORD as MACHINES_PASSWORD
from peers.member import LOCAL_USER as MACHINES
from peers.member import NAME as MACHINE
from peers.member import Member
from peers.namespace import require_program
from peers.ntlm import VERSION_1, NtlmClient
from peers.process import run, wait_for
from peers.samba import (
    BASE,
    CAROL,
    CAROL_PASSWORD,
    DAVE,
    DAVE_PASSWORD,
    DOMAIN,
    GROUPS,
    REALM,
    SERVICE,
    SERVICE_PASSWORD,
    DomainController,
)
from peers.service import OWN, Service, Settings, plain_settings
from peers.sink import RecordingSink
from real.messages import a_message, stuffed, token

pytest.importorskip("gssapi", reason="no package gssapi: run .ci/peers")
pytestmark = [pytest.mark.deep, pytest.mark.timeout(480)]
LIFETIME = 3.0
REFUSED = "535 5.7.8"
LATER = "454 4.7.0"
TAKEN = "235 2.7.0"
PASSWORDS = {CAROL: CAROL_PASSWORD, DAVE: DAVE_PASSWORD}
LOCAL, LOCAL_PASSWORD = "local", "a local battery staple"
KERBEROS = ["GSSAPI", "GSS-SPNEGO"]


@dataclass
class Domain:
    """A domain, and the tickets that its people hold."""

    controller: DomainController
    member: Member
    held: dict[tuple[str, str], Held]

    def by_password(self, dialogue: Dialogue, name: str) -> Reply:
        return dialogue.login(name, PASSWORDS[name])

    def by_gssapi(self, dialogue: Dialogue, name: str) -> Reply:
        return Client(dialogue, held=self.held[name, "GSSAPI"]).gssapi()

    def by_spnego(self, dialogue: Dialogue, name: str) -> Reply:
        return Client(dialogue, held=self.held[name, "GSS-SPNEGO"]).gss_spnego()

    def by_ntlm(self, dialogue: Dialogue, name: str, **changes: Any) -> Reply:
        given = {"password": PASSWORDS.get(name, ""), "domain": DOMAIN, **changes}
        with NtlmClient(self.controller.configuration, name, **given) as client:
            return client.sign_in(dialogue)


SignIn = Callable[[Domain, Dialogue, str], Reply]
WAYS: dict[str, SignIn] = {
    "password": Domain.by_password,
    "GSSAPI": Domain.by_gssapi,
    "GSS-SPNEGO": Domain.by_spnego,
    "NTLM": Domain.by_ntlm,
}


@pytest.fixture(scope="module")
def domain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Domain]:
    with (
        DomainController(tmp_path_factory.mktemp("ad")) as running,
        pytest.MonkeyPatch.context() as patch,
    ):
        running.modify(
            f"dn: {running.dn(CAROL)}",
            "changetype: modify",
            "replace: proxyAddresses",
            f"proxyAddresses: smtp:c.c@{OWN}",
        )
        running.make_keytab()
        patch.setenv("KRB5_CONFIG", str(running.krb5_conf))
        held: dict[tuple[str, str], Held] = {}
        for name, password in PASSWORDS.items():
            for mechanism in KERBEROS:
                spnego = mechanism == "GSS-SPNEGO"
                got = sign_in_at_the_kdc(name, password, realm=REALM, spnego=spnego)
                # With the one for the relay, too: nothing else asks the KDC later.
                assert context_of(got).step()
                held[name, mechanism] = got
        with Member(tmp_path_factory.mktemp("member") / "data", running) as member:
            yield Domain(running, member, held)


@pytest.fixture(scope="module")
def world() -> Iterator[RecordingSink]:
    with RecordingSink() as listening:
        yield listening


def settings_for(domain: Domain, world: RecordingSink) -> Settings:
    controller = domain.controller
    settings = plain_settings(world.url)
    settings["lockout"] = {
        "pair_failures": 1000,
        "block_failures": 1000,
        "service_failures": 0,
    }
    settings["authenticator"] = [
        {
            "kind": "kerberos",
            "realms": [REALM],
            "keytab": controller.keytab,
            "krb5_conf": controller.krb5_conf,
            "passwords": False,
            "directory": "people",
        },
        {
            "kind": "winbind",
            "domains": [DOMAIN],
            "helper": domain.member.helper,
            "directory": "people",
        },
        {
            "kind": "ldap",
            "name": "people",
            "profile": "active-directory",
            "servers": [controller.url],
            "ca": controller.authority,
            "base": BASE,
            "bind_dn": SERVICE,
            "bind_password": SERVICE_PASSWORD,
            "group_base": GROUPS,
            "cache_seconds": LIFETIME,
        },
        {"kind": "local"},
    ]
    [submission] = [one for one in settings["listener"] if one["name"] == "submission"]
    devices = {"authenticators": ["winbind", "local"], "mechanisms": ["NTLM"]}
    settings["listener"].append({**submission, "name": "devices", **devices})
    submission["authenticators"] = ["kerberos", "people"]
    submission["mechanisms"] = [*KERBEROS, "PLAIN"]
    settings["grant"] = [{"name": "relay", "who": ["group:Relay"]}]
    return settings


@pytest.fixture(scope="module")
def service(
    domain: Domain, world: RecordingSink, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("service") / "service"
    serving = Service(folder, settings_for(domain, world), within=domain.member.within)
    serving.add_user(LOCAL, LOCAL_PASSWORD, [f"local@{OWN}"])
    with serving:
        yield serving


@contextmanager
def private(service: Service, way: str) -> Generator[Dialogue]:
    listener = "devices" if way == "NTLM" else "submission"
    with service.dial(listener, source=fresh_address()) as dialogue:
        dialogue.starttls()
        yield dialogue


@contextmanager
def open_sessions(service: Service, domain: Domain) -> Generator[dict[str, Dialogue]]:
    """One of Carol's by each way."""
    with ExitStack() as stack:
        open_ = {way: stack.enter_context(private(service, way)) for way in WAYS}
        for way, dialogue in open_.items():
            assert WAYS[way](domain, dialogue, CAROL).code == 235, way
            assert dialogue.say(f"MAIL FROM:<carol@{OWN}>").code == 250
        yield open_


def wait_until_over(open_: Mapping[str, Dialogue]) -> None:
    """Want each to end at a MAIL within the lifetime."""
    left = dict(open_)

    def all_are_over() -> bool:
        for way, dialogue in list(left.items()):
            dialogue.say("RSET")
            if dialogue.say(f"MAIL FROM:<carol@{OWN}>").code == 421:
                del left[way]
        return not left

    wait_for("the end of all sessions", all_are_over, LIFETIME + 2)


def wait_for_answers(
    service: Service, domain: Domain, status: str, seconds: float
) -> None:
    """Want this answer by each way, sooner or later: each worker remembers its own."""
    for way in WAYS:

        def is_so(way: str = way) -> bool:
            return answer_to(service, domain, way, CAROL).status == status

        wait_for(f"{status} by {way}", is_so, seconds)


def answer_to(service: Service, domain: Domain, way: str, name: str) -> Reply:
    with private(service, way) as dialogue:
        return WAYS[way](domain, dialogue, name)


def assert_no_passage(dialogue: Dialogue) -> None:
    assert dialogue.say(f"MAIL FROM:<carol@{OWN}>").code == 530


@pytest.mark.parametrize("way", WAYS)
def test_a_member_sends_by_each_way(
    service: Service, domain: Domain, world: RecordingSink, way: str
) -> None:
    with private(service, way) as dialogue:
        assert WAYS[way](domain, dialogue, CAROL).code == 235
        assert dialogue.say(f"MAIL FROM:<dave@{OWN}>").code == 553
        for address in (f"carol@{OWN}", f"c.c@{OWN}"):
            mark = token()
            message = a_message(mark, author=address)
            assert dialogue.say(f"MAIL FROM:<{address}>").code == 250
            assert dialogue.say("RCPT TO:<somebody@world.test>").code == 250
            assert dialogue.say("DATA").code == 354
            assert dialogue.say(stuffed(message).removesuffix(b"\r\n")).code == 250
            assert world.wait_for_content(mark.encode()).content.endswith(message)
    succeeded = service.events("auth.succeeded", account=CAROL)[-1]
    assert succeeded["mechanism"] == ("PLAIN" if way == "password" else way)


@pytest.mark.parametrize("way", WAYS)
def test_a_member_of_no_such_group_does_not_relay(
    service: Service, domain: Domain, way: str
) -> None:
    with private(service, way) as dialogue:
        assert WAYS[way](domain, dialogue, DAVE).code == 235
        answer = dialogue.say(f"MAIL FROM:<dave@{OWN}>")
        if answer.code == 250:
            answer = dialogue.say("RCPT TO:<somebody@world.test>")
        assert answer.code == 550


def test_who_is_disabled_is_refused_by_each_way_within_the_lifetime(
    service: Service, domain: Domain
) -> None:
    """Also with a ticket of before, and in a session that is open."""
    with open_sessions(service, domain) as open_:
        domain.controller.local("user", "disable", CAROL)
        try:
            wait_until_over(open_)
            wait_for_answers(service, domain, REFUSED, LIFETIME)
        finally:
            domain.controller.local("user", "enable", CAROL)
    wait_for_answers(service, domain, TAKEN, LIFETIME + 2)


def test_without_the_domain_it_is_454_by_each_way_and_with_it_235_again(
    service: Service, domain: Domain
) -> None:
    with open_sessions(service, domain) as open_:
        domain.controller.stop()
        try:
            wait_until_over(open_)
            wait_for_answers(service, domain, LATER, LIFETIME)
        finally:
            domain.controller.start()
    wait_for_answers(service, domain, TAKEN, 30)


def test_curl_sends_by_ntlm(
    service: Service, world: RecordingSink, tmp_path: Path
) -> None:
    mark = token()
    (tmp_path / "message").write_bytes(a_message(mark, author=f"carol@{OWN}"))
    host, port = service.address("devices")
    said = run(
        [
            *(require_program("curl"), "--silent", "--show-error", "--ssl-reqd"),
            *("--insecure", "--url", f"smtp://{host}:{port}/client.test"),
            *("--user", f"{DOMAIN}\\{CAROL}:{CAROL_PASSWORD}"),
            *("--login-options", "AUTH=NTLM", "--mail-from", f"carol@{OWN}"),
            *("--mail-rcpt", "somebody@world.test"),
            *("--upload-file", tmp_path / "message"),
        ]
    )
    said.well()
    assert world.wait_for_content(mark.encode())


# What NTLM is not taken for.


def test_ntlm_of_the_first_version_is_refused(service: Service, domain: Domain) -> None:
    with private(service, "NTLM") as dialogue:
        reply = domain.by_ntlm(dialogue, CAROL, options=VERSION_1)
        assert reply.status == REFUSED
        assert_no_passage(dialogue)
    [*_, failed] = service.events("auth.failed")
    assert "version 1" in failed["reason"], failed


@pytest.mark.parametrize(
    ("user", "password", "name_of_domain"),
    [
        (CAROL, "wrong", DOMAIN),
        (CAROL, "", DOMAIN),
        ("nobody", CAROL_PASSWORD, DOMAIN),
        # What a workgroup would take for the same.
        (CAROL, CAROL_PASSWORD, "WORKGROUP"),
        (CAROL, CAROL_PASSWORD, "RELAY"),
        (CAROL, CAROL_PASSWORD, "DC"),
        (CAROL, CAROL_PASSWORD, MACHINE),
        (CAROL, CAROL_PASSWORD, "BUILTIN"),
        (CAROL, CAROL_PASSWORD, "."),
        ("carol@ad.test", CAROL_PASSWORD, DOMAIN),
        ("guest", "", DOMAIN),
        ("guest", "guest", DOMAIN),
        ("krbtgt", "", DOMAIN),
    ],
)
def test_ntlm_that_proves_no_member_is_refused(
    service: Service, domain: Domain, user: str, password: str, name_of_domain: str
) -> None:
    with private(service, "NTLM") as dialogue:
        given = {"password": password, "domain": name_of_domain}
        assert domain.by_ntlm(dialogue, user, **given).status == REFUSED
        assert_no_passage(dialogue)


def test_a_local_account_is_no_member_for_ntlm(
    service: Service, domain: Domain
) -> None:
    for name_of_domain in (DOMAIN, "RELAY"):
        with private(service, "NTLM") as dialogue:
            given = {"password": LOCAL_PASSWORD, "domain": name_of_domain}
            assert domain.by_ntlm(dialogue, LOCAL, **given).status == REFUSED
            assert_no_passage(dialogue)


def test_an_account_of_the_machine_is_no_member_for_ntlm(
    service: Service, domain: Domain
) -> None:
    """winbind takes it; it is no account of the domain."""
    assert domain.member.takes(MACHINES, MACHINES_PASSWORD, MACHINE)
    for name_of_domain in (MACHINE, DOMAIN, "RELAY", "."):
        with private(service, "NTLM") as dialogue:
            given = {"password": MACHINES_PASSWORD, "domain": name_of_domain}
            assert domain.by_ntlm(dialogue, MACHINES, **given).status == REFUSED
            assert_no_passage(dialogue)


@pytest.mark.parametrize(
    "message",
    [
        authenticate(user="", response=b"", domain=""),
        authenticate(user="", response=b"\0" * 48, domain=DOMAIN),
        authenticate(user=CAROL, domain=DOMAIN, flags=UNICODE | ANONYMOUS),
        authenticate(user=CAROL, domain=DOMAIN, response=b""),
        authenticate(user=CAROL, domain=DOMAIN),
        authenticate(user="guest", domain=DOMAIN),
        negotiate(),
        b"",
    ],
)
def test_ntlm_of_nobody_is_refused(service: Service, message: bytes) -> None:
    with private(service, "NTLM") as dialogue:
        assert dialogue.say(b"AUTH NTLM " + encoded(negotiate())).code == 334
        assert dialogue.say(encoded(message)).status in {REFUSED, "501 5.5.2"}
        assert_no_passage(dialogue)


# What Kerberos is not taken for.


def test_a_ticket_of_a_machine_or_of_no_person_here_is_refused(
    service: Service, domain: Domain
) -> None:
    """A domain gives tickets to machines as well; the directory's filter does not."""
    controller = domain.controller
    controller.local("computer", "create", "printer")
    controller.local("user", "setpassword", "printer$", "--newpassword=Pr1nter-its-own")
    held = sign_in_at_the_kdc("printer$", "Pr1nter-its-own", realm=REALM)
    with private(service, "GSSAPI") as dialogue:
        assert Client(dialogue, held=held).gssapi().status == REFUSED
        assert_no_passage(dialogue)
    [*_, failed] = service.events("auth.failed")
    assert "no such account" in failed["reason"], failed
