"""Sekisho, asked by its own audit from outside: all safe, whoever signs in and how.

Every kind of listener and every authenticator is asked as a stranger asks, and as one
with an account, with a canary behind the service's own route, and with loads. Nothing
is to be flawed, suspect or undecided.

The service of the doors has no brake on guessing: it would answer for the mechanisms.
The other one is as it is by default, and shows what an audit does to its users.
"""

import asyncio
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from peers.loopback import fresh_address
from peers.service import OWN, Service, Settings, plain_settings
from peers.sink import RecordingSink
from real.auth_probes.doors import ALICE, OTHER, USER, Door, Person, opened
from sekisho.audit.budget import MAX_ATTEMPTS, Budget, spent_text
from sekisho.audit.catalogue import PROBES
from sekisho.audit.names import Wanted
from sekisho.audit.pace import Pace
from sekisho.audit.probe import Group, Need, Probe
from sekisho.audit.results import Port
from sekisho.audit.runner import PortAudit, Terms
from sekisho.audit.target import Target
from sekisho.audit.targets import proxy_header
from sekisho.audit.verdicts import Verdict
from sekisho.audit.visit import Account

Doors = dict[str, Door]

WELL = {Verdict.SAFE, Verdict.NOT_APPLICABLE}
CLAIMED = "198.51.100.7"
"""A stranger, as a proxy tells of him."""

PASSWORDS: dict[str, Person] = {
    "local": USER,
    "implicit": USER,
    "several": USER,
    "proxied": USER,
    "submission6": USER,
    "ldap": ALICE,
    "kerberos": ALICE,
}
"""Who signs in where by a password."""

NO_PASSWORDS = ("mx", "mx6", "proxied-mx", "lane")
OTHER_PAPERS = ("oidc", "introspection", "certificate")
LISTENERS = (*NO_PASSWORDS, *OTHER_PAPERS, *PASSWORDS)
LONGEST = "DOS-007"
"""It waits five minutes."""


def _unbraked(settings: Settings) -> None:
    settings["lockout"] = {
        "service_failures": 0,
        "pair_failures": 1_000,
        "block_failures": 1_000,
    }


def _with_all_listeners(settings: Settings) -> None:
    _unbraked(settings)
    known = {one["name"] for one in settings["authenticator"]}
    order = [name for name in ("ldap", "kerberos", "local", "oidc") if name in known]
    mx = {"role": "mx", "bind": ["127.0.0.1:0"]}
    submission = {
        "role": "submission",
        "bind": ["127.0.0.1:0"],
        "authenticators": ["local"],
    }
    several = {
        "authenticators": order,
        "mechanisms": ["SCRAM-SHA-256", "OAUTHBEARER", "PLAIN", "LOGIN"],
    }
    lane = {
        "role": "legacy",
        "bind": ["127.0.0.1:0"],
        "who": ["192.0.2.0/24"],
        "senders": [f"printer@{OWN}"],
    }
    behind = {"proxy_protocol": ["127.0.0.1"]}
    settings["listener"] += [
        {"name": "lane", **lane},
        {"name": "several", **submission, **several},
        {"name": "proxied", **submission, **behind},
        {"name": "proxied-mx", **mx, **behind},
        {"name": "mx6", **mx, "bind": ["[::1]:0"]},
        {"name": "submission6", **submission, "bind": ["[::1]:0"]},
    ]


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    """Serve them all; that nothing of ours was sent on is seen at the end."""
    with opened(tmp_path_factory.mktemp("doors"), _with_all_listeners) as found:
        yield found


def _service(doors: Doors, listener: str) -> Service:
    if listener in ("ldap", "kerberos") and listener not in doors:
        pytest.skip(f"what {listener} needs is not there: run .ci/peers")
    return doors["local"].service


def target_of(service: Service, listener: str, source: str = "") -> Target:
    """Come from an address of our own, or from a proxy that tells of a stranger."""
    host, port = service.address(listener)
    here = ":" in host or listener.startswith("proxied")
    return Target(
        host=host,
        address=host,
        port=port,
        implicit_tls=listener == "implicit",
        source=None if here else (source or fresh_address(), 0),
        proxy=proxy_header(CLAIMED, host, port) if "proxied" in listener else b"",
    )


def audited(target: Target, terms: Terms) -> Port:
    """Audit one port."""
    audit = PortAudit(target, terms, pace=Pace(0.0), budget=Budget())
    asyncio.run(audit.run())
    return audit.port()


def unwell(port: Port) -> list[str]:
    """What is not as it should be; the transcripts are shown with the failure."""
    bad = [one for one in port.results if one.judgement.verdict not in WELL]
    for one in bad:
        sys.stdout.write(f"--- {one.probe.id}\n")
        for line in one.transcript[:60]:
            sys.stdout.write(f"{line.who.value} {line.text}\n")
    return [
        f"{one.probe.id} {one.judgement.verdict.value}: {one.judgement.evidence.en}"
        for one in bad
    ]


def asked(port: Port) -> int:
    """How many questions were answered safely, and not merely set aside."""
    return sum(one.judgement.verdict is Verdict.SAFE for one in port.results)


@pytest.mark.parametrize("listener", LISTENERS)
def test_strangers_find_all_safe(doors: Doors, listener: str) -> None:
    target = target_of(_service(doors, listener), listener)
    port = audited(target, Terms(wanted=Wanted(domain=OWN, known="known", other="x")))
    assert unwell(port) == []
    assert asked(port) > 60


@pytest.mark.parametrize("listener", [*PASSWORDS, *OTHER_PAPERS, "mx"])
def test_who_has_an_account_finds_all_safe(doors: Doors, listener: str) -> None:
    """Where no password is taken, these questions do not apply."""
    service, who = _service(doors, listener), PASSWORDS.get(listener, USER)
    probes = tuple(one for one in PROBES if Need.ACCOUNT in one.needs)
    terms = Terms(
        wanted=Wanted(domain=OWN, other=OTHER.name.partition("@")[0]),
        account=Account(who.name, who.password),
        probes=probes,
    )
    port = audited(target_of(service, listener), terms)
    assert unwell(port) == []
    assert (asked(port) > 5) is (listener in PASSWORDS)


# -- as it is by default --------------------------------------------------------------


@dataclass
class SinkCanary:
    """What comes to the next host by the service's own route."""

    world: RecordingSink
    address: str = "watch@canary.test"
    seconds: float = 5.0

    async def has(self, token: str) -> bool:
        """Whether it came."""
        return await self.message(token) is not None

    async def message(self, token: str) -> bytes | None:
        """What came."""
        found = (m.content for m in self.world.messages if token.encode() in m.content)
        return next(found, None)


@dataclass
class House:
    """A service, its own domain's next host, and the world behind it."""

    service: Service
    inner: RecordingSink
    canary: SinkCanary


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """Serve anew, so that no audit's failures count against the next."""
    with RecordingSink() as inner, RecordingSink() as world:
        settings = plain_settings(world.url, own=inner.url)
        service = Service(tmp_path / "service", settings)
        service.add_user()
        with service:
            yield House(service, inner, SinkCanary(world))


def terms_of(house: House, *probes: Probe, stress: bool = False) -> Terms:
    """Give it all that can be given."""
    return Terms(
        wanted=Wanted(domain=OWN, known="known", canary=house.canary.address),
        probes=probes,
        account=Account(Service.USER, Service.PASSWORD),
        canary=house.canary,
        stress=stress,
    )


@pytest.mark.parametrize("listener", ["mx", "submission"])
def test_with_a_canary_nothing_comes_but_what_users_may_send(
    house: House, listener: str
) -> None:
    """A stranger reaches our own domains, a user the world, each as himself."""
    probes = [one for one in PROBES if Need.CANARY in one.needs]
    port = audited(target_of(house.service, listener), terms_of(house, *probes))
    assert unwell(port) == []
    assert asked(port) > 15
    senders = {one.reverse_path for one in house.canary.world.messages}
    assert senders == ({Service.USER} if listener == "submission" else set())
    assert house.inner.messages  # else no content was ever asked about


@pytest.mark.parametrize("listener", ["mx", "submission"])
def test_with_loads_all_is_safe(house: House, listener: str) -> None:
    probes = [one for one in PROBES if Need.STRESS in one.needs and one.id != LONGEST]
    terms = terms_of(house, *probes, stress=True)
    port = audited(target_of(house.service, listener), terms)
    assert unwell(port) == []
    assert asked(port) > 5


@pytest.mark.deep
@pytest.mark.timeout(500)
def test_slow_clients_are_not_waited_for(house: House) -> None:
    probe = next(one for one in PROBES if one.id == LONGEST)
    port = audited(target_of(house.service, "mx"), terms_of(house, probe, stress=True))
    assert unwell(port) == []


def sign_in(service: Service, source: str) -> int:
    """Sign in rightly from there; the code of the answer."""
    with service.dial("submission", source=source) as client:
        client.starttls()
        return client.login(service.USER, service.PASSWORD).code


def test_an_audit_locks_out_nobody_but_newcomers_at_its_own_address(
    house: House, stranger: str
) -> None:
    """Who signed in from there before still can, and who comes from elsewhere.

    Not the ten passwords do it but the malformed exchanges, which count as well.
    """
    service, office = house.service, fresh_address()
    assert sign_in(service, office) == 235
    wanted = Wanted(domain=OWN, known="user", other="known")
    probes = tuple(one for one in PROBES if one.group is Group.AUTHENTICATION)
    terms = Terms(wanted=wanted, probes=probes)
    for source in (office, stranger):
        audited(target_of(service, "submission", source), terms)
        assert "20 failures" in service.events("auth.failed")[-1]["reason"]
    assert sign_in(service, office) == 235
    assert sign_in(service, fresh_address()) == 235
    assert sign_in(service, stranger) == 535
    service.run("user", "unlock", "--client", stranger).well()
    assert sign_in(service, stranger) == 235


def test_the_command_itself_finds_all_safe(house: House, tmp_path: Path) -> None:
    """As an administrator would call it, with the JSON that a pipeline reads."""
    secret = tmp_path / "secret"
    secret.write_text(Service.PASSWORD)
    host, port = house.service.address("submission")
    account = ("--user", Service.USER, "--password-file", str(secret))
    named = ("audit", f"{host}:{port}", "--domain", OWN, *account, "--json")
    report = json.loads(house.service.run(*named).well().output)
    found = [one for target in report["targets"] for one in target["results"]]
    assert {one["verdict"] for one in found} == {"safe", "not_applicable"}


@pytest.mark.deep
def test_all_four_ports_of_a_host_take_no_longer_than_twenty_seconds(
    tmp_path: Path,
) -> None:
    """Ten attempts are a host's, so what guesses is not asked of every port."""
    address = fresh_address()
    roles = {25: "mx", 465: "submission", 587: "submission", 2525: "submission"}
    settings = plain_settings("smtp://127.0.0.1:9")
    settings["listener"] = [
        {
            "name": f"at-{port}",
            "role": role,
            "bind": [f"{address}:{port}"],
            "tls": "implicit" if port == 465 else "starttls",
        }
        for port, role in roles.items()
    ]
    service = Service(tmp_path / "service", settings)
    service.add_user()
    with service:
        named = ("audit", address, "--domain", OWN, "--known-user", "known", "--json")
        report = json.loads(service.run(*named).output)
    assert [one["port"] for one in report["targets"]] == [*roles]
    found = [one for target in report["targets"] for one in target["results"]]
    unclear = [one for one in found if one["verdict"] not in ("safe", "not_applicable")]
    spent = spent_text(MAX_ATTEMPTS).en
    assert {(one["verdict"], one["evidence"]) for one in unclear} == {
        ("undecided", spent)
    }
    assert report["seconds"] <= 20
