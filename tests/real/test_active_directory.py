"""Users of an Active Directory domain at the running service; Samba controls it."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from peers.dialogue import Reply
from peers.loopback import fresh_address
from peers.process import wait_for
from peers.samba import (
    BASE,
    CAROL,
    CAROL_PASSWORD,
    DAVE,
    DAVE_PASSWORD,
    GROUPS,
    SERVICE,
    SERVICE_PASSWORD,
    DomainController,
)
from peers.service import OWN, Service, plain_settings
from peers.sink import RecordingSink

pytestmark = [pytest.mark.deep, pytest.mark.timeout(240)]
LIFETIME = 3.0
REFUSED = "535 5.7.8"
LATER = "454 4.7.0"
WAYS: dict[str, dict[str, Any]] = {
    "search": {},
    "direct": {"user_dn": "{user}@ad.test"},
    "alone": {"user_dn": "{user}@ad.test", "bind_dn": None, "bind_password": None},
}


@pytest.fixture(scope="module")
def domain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DomainController]:
    with DomainController(tmp_path_factory.mktemp("ad")) as running:
        running.modify(
            f"dn: {running.dn(CAROL)}",
            "changetype: modify",
            "replace: proxyAddresses",
            f"proxyAddresses: SMTP:carol@{OWN}",
            f"proxyAddresses: smtp:c.c@{OWN}",
            f"proxyAddresses: sip:dave@{OWN}",
        )
        yield running


@pytest.fixture(scope="module", params=WAYS)
def service(
    request: pytest.FixtureRequest,
    domain: DomainController,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Service]:
    directory: dict[str, Any] = {
        "kind": "ldap",
        "profile": "active-directory",
        "servers": [domain.url, domain.starttls_url],
        "ca": domain.authority,
        "base": BASE,
        "bind_dn": SERVICE,
        "bind_password": SERVICE_PASSWORD,
        "group_base": GROUPS,
        "cache_seconds": LIFETIME,
        **WAYS[request.param],
    }
    with RecordingSink() as world:
        settings = plain_settings(world.url)
        settings["lockout"] = {
            "pair_failures": 1000,
            "block_failures": 1000,
            "service_failures": 0,
        }
        settings["authenticator"] = [
            {key: value for key, value in directory.items() if value is not None}
        ]
        settings["grant"] = [{"name": "relay", "who": ["group:Relay"]}]
        folder = tmp_path_factory.mktemp("service") / "service"
        with Service(folder, settings) as serving:
            yield serving


def answer_to(service: Service, user: str, password: str) -> Reply:
    with service.dial("submission", source=fresh_address()) as client:
        client.starttls()
        return client.login(user, password)


@pytest.mark.parametrize("name", ["carol", "Carol", "carol@ad.test", "CAROL@AD.TEST"])
def test_a_user_signs_in_by_either_name(service: Service, name: str) -> None:
    with service.dial("submission", source=fresh_address()) as client:
        client.starttls()
        assert client.login(name, CAROL_PASSWORD).code == 235
        # Of her own addresses, by a group within a group.
        for address in (f"carol@{OWN}", f"c.c@{OWN}"):
            assert client.say(f"MAIL FROM:<{address}>").code == 250
            assert client.say("RCPT TO:<c@world.test>").code == 250
            assert client.say("RSET").code == 250
        assert client.say(f"MAIL FROM:<dave@{OWN}>").code == 553


def test_a_user_outside_the_group_does_not_relay(service: Service) -> None:
    with service.dial("submission", source=fresh_address()) as client:
        client.starttls()
        assert client.login(DAVE, DAVE_PASSWORD).code == 235
        answer = client.say(f"MAIL FROM:<dave@{OWN}>")
        if answer.code == 250:
            answer = client.say("RCPT TO:<c@world.test>")
        assert answer.code == 550


@pytest.mark.parametrize(
    ("user", "password"),
    [
        (CAROL, DAVE_PASSWORD),
        ("nobody", CAROL_PASSWORD),
        ("*", CAROL_PASSWORD),
        ("AD\\carol", CAROL_PASSWORD),
        ("carol@other.test", CAROL_PASSWORD),
        ("krbtgt", CAROL_PASSWORD),
        ("guest", CAROL_PASSWORD),
        ("dc$", CAROL_PASSWORD),
    ],
)
def test_what_proves_nothing_is_refused(
    service: Service, user: str, password: str
) -> None:
    assert answer_to(service, user, password).status == REFUSED


def test_an_empty_password_is_refused(service: Service) -> None:
    assert answer_to(service, CAROL, "").status in {REFUSED, "501 5.5.2"}


Change = Callable[[DomainController], None]
CHANGES: dict[str, tuple[Change, Change]] = {
    "disabled": (
        lambda domain: domain.local("user", "disable", DAVE),
        lambda domain: domain.local("user", "enable", DAVE),
    ),
    "expired": (
        lambda domain: domain.modify(
            f"dn: {domain.dn(DAVE)}",
            "changetype: modify",
            "replace: accountExpires",
            "accountExpires: 133000000000000000",
        ),
        lambda domain: domain.local("user", "setexpiry", DAVE, "--noexpiry"),
    ),
    "new password": (
        lambda domain: domain.local(
            "user", "setpassword", DAVE, "--newpassword=An0ther-of-the-domain!"
        ),
        lambda domain: domain.local(
            "user", "setpassword", DAVE, f"--newpassword={DAVE_PASSWORD}"
        ),
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_account_is_refused_within_the_lifetime(
    service: Service, domain: DomainController, change: str
) -> None:
    do, undo = CHANGES[change]
    with service.dial("submission", source=fresh_address()) as client:
        client.starttls()
        assert client.login(DAVE, DAVE_PASSWORD).code == 235
        assert client.say(f"MAIL FROM:<dave@{OWN}>").code in {250, 550}
        do(domain)
        try:

            def is_out() -> bool:
                client.say("RSET")
                return client.say(f"MAIL FROM:<dave@{OWN}>").code == 421

            wait_for("the end of the session", is_out, LIFETIME + 2)
            if change != "new password":  # the old one is good for an hour there
                assert answer_to(service, DAVE, DAVE_PASSWORD).status == REFUSED
        finally:
            undo(domain)

    def is_back() -> bool:
        return answer_to(service, DAVE, DAVE_PASSWORD).code == 235

    wait_for("235", is_back, LIFETIME + 2)


def test_a_trial_tells_groups_addresses_and_grants(service: Service) -> None:
    given = ("auth", "test", CAROL, "--password-file", "-", "--json")
    tried = service.run(*given, data=CAROL_PASSWORD.encode())
    assert tried.status == 0, tried
    told = json.loads(tried.output)
    assert told["answer"] == "verified"
    assert told["account"] == CAROL
    assert told["grants"] == ["relay"]
    assert set(told["groups"]) == {"relay", "inner team"}
    assert set(told["addresses"]) == {f"carol@{OWN}", f"c.c@{OWN}"}
    assert CAROL_PASSWORD not in tried.output


def test_without_the_domain_it_is_454_and_with_it_235_again(
    service: Service, domain: DomainController
) -> None:
    assert answer_to(service, CAROL, CAROL_PASSWORD).code == 235
    domain.stop()
    try:

        def is_later() -> bool:
            return answer_to(service, CAROL, CAROL_PASSWORD).status == LATER

        wait_for("454", is_later, LIFETIME + 10)
        assert answer_to(service, CAROL, "wrong").status == LATER
    finally:
        domain.start()
    assert answer_to(service, CAROL, CAROL_PASSWORD).code == 235
    assert answer_to(service, CAROL, "wrong").status == REFUSED
