"""Users of a directory at the running service: OpenLDAP's server, and its absence."""

from collections.abc import Callable, Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from peers.dialogue import Dialogue, Reply
from peers.loopback import fresh_address
from peers.process import wait_for
from peers.service import OWN, Service, Settings, plain_settings
from peers.sink import RecordingSink
from peers.slapd import (
    ALICE,
    ALICE_PASSWORD,
    BASE,
    BOB,
    BOB_PASSWORD,
    GROUPS,
    PEOPLE,
    SERVICE,
    SERVICE_PASSWORD,
    Slapd,
)
from real.auth_probes.doors import assert_no_passage
from sekisho.app.roster import LINGER_SECONDS

LIFETIME = 2.0
ESTABLISHED = "01"
REFUSED = "535 5.7.8"
LATER = "454 4.7.0"
LOCAL, LOCAL_PASSWORD = f"local@{OWN}", "a local battery staple"


@pytest.fixture(scope="module")
def slapd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slapd]:
    more = "allow bind_anon_cred bind_anon_dn"
    with Slapd(tmp_path_factory.mktemp("slapd") / "d", more=more) as running:
        yield running


@pytest.fixture(scope="module")
def world() -> Iterator[RecordingSink]:
    with RecordingSink() as listening:
        yield listening


def with_directory(slapd: Slapd, world: RecordingSink, **keys: Any) -> Settings:
    """The plain relay, for people of a directory and then for local accounts."""
    directory = {
        "kind": "ldap",
        "name": "staff",
        "profile": "openldap",
        "servers": [slapd.url, slapd.tls_url],
        "ca": slapd.certificate.certificate,
        "base": BASE,
        "bind_dn": SERVICE,
        "bind_password": SERVICE_PASSWORD,
        "group_base": GROUPS,
        "cache_seconds": LIFETIME,
        **keys,
    }
    settings = plain_settings(world.url)
    # The first failures of a test must not lock out the next one's.
    settings["lockout"] = {
        "pair_failures": 1000,
        "block_failures": 1000,
        "service_failures": 0,
    }
    settings["authenticator"] = [directory, {"kind": "local"}]
    settings["grant"] = [{"name": "scanners", "who": ["group:Scanner Team"]}]
    return settings


@pytest.fixture(scope="module")
def service(
    slapd: Slapd, world: RecordingSink, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("ldap") / "service"
    serving = Service(folder, with_directory(slapd, world))
    serving.add_user(LOCAL, LOCAL_PASSWORD)
    with serving:
        yield serving


@pytest.fixture
def client(service: Service) -> Iterator[Dialogue]:
    with service.dial("submission", source=fresh_address()) as dialogue:
        dialogue.starttls()
        yield dialogue


def answer_to(service: Service, user: str, password: str) -> Reply:
    with service.dial("submission", source=fresh_address()) as client:
        client.starttls()
        return client.login(user, password)


def test_a_listener_announces_what_a_directory_can_verify(client: Dialogue) -> None:
    [line] = [line for line in client.ehlo() if line.startswith("AUTH ")]
    assert line.split()[1:] == ["PLAIN", "LOGIN"]


def test_check_says_what_is_not_announced_and_why(service: Service) -> None:
    told = service.run("check").output
    assert "SCRAM-SHA-256" in told
    assert '"staff" cannot verify it' in told


def test_a_group_relays_from_its_own_addresses_alone(client: Dialogue) -> None:
    assert client.login(ALICE, ALICE_PASSWORD).code == 235
    assert client.say(f"MAIL FROM:<bob@{OWN}>").code == 553
    assert client.say(f"MAIL FROM:<Alice@{OWN}>").code == 250
    assert client.say("RCPT TO:<c@world.test>").code == 250


def test_whoever_is_in_no_such_group_does_not_relay(client: Dialogue) -> None:
    assert client.login(BOB, BOB_PASSWORD).code == 235
    answer = client.say(f"MAIL FROM:<bob@{OWN}>")
    if answer.code == 250:
        answer = client.say("RCPT TO:<c@world.test>")
    assert answer.code == 550


@pytest.mark.parametrize(
    ("user", "password"),
    [
        (ALICE, "wrong"),
        (ALICE, BOB_PASSWORD),
        (ALICE, " "),
        ("nobody", ALICE_PASSWORD),
        ("*", ALICE_PASSWORD),
        ("alice)(uid=*", ALICE_PASSWORD),
        (f"uid=alice,{PEOPLE}", ALICE_PASSWORD),
        (SERVICE, SERVICE_PASSWORD),
        ("sekisho", SERVICE_PASSWORD),
    ],
)
def test_what_proves_nothing_is_refused_alike(
    client: Dialogue, user: str, password: str
) -> None:
    assert client.login(user, password).status == REFUSED
    assert_no_passage(client)


@pytest.mark.parametrize("user", [ALICE, "nobody"])
def test_an_empty_password_is_refused_though_the_directory_takes_it(
    client: Dialogue, user: str
) -> None:
    """AUTH-010, with unauthenticated binds allowed."""
    assert client.login(user, "").status in {REFUSED, "501 5.5.2"}
    assert_no_passage(client)


def test_who_is_not_in_the_directory_may_be_a_local_account(service: Service) -> None:
    assert answer_to(service, LOCAL, LOCAL_PASSWORD).code == 235
    assert answer_to(service, LOCAL, ALICE_PASSWORD).status == REFUSED


CHANGES: dict[str, Callable[[Slapd], None]] = {
    "locked": lambda slapd: slapd.change(
        ALICE, "pwdAccountLockedTime", "000001010000Z"
    ),
    "new password": lambda slapd: slapd.change(ALICE, "userPassword", "new"),
    "removed": lambda slapd: slapd.delete(ALICE),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_seen_within_the_lifetime(
    world: RecordingSink, tmp_path: Path, change: str
) -> None:
    with Slapd(tmp_path / "d") as slapd:
        settings = with_directory(slapd, world)
        with (
            Service(tmp_path / "service", settings) as service,
            service.dial("submission", source=fresh_address()) as client,
        ):
            client.starttls()
            assert client.login(ALICE, ALICE_PASSWORD).code == 235
            assert client.say(f"MAIL FROM:<alice@{OWN}>").code == 250
            CHANGES[change](slapd)

            def is_out() -> bool:
                client.say("RSET")
                return client.say(f"MAIL FROM:<alice@{OWN}>").code == 421

            wait_for("the end of the session", is_out, LIFETIME + 1)
            assert answer_to(service, ALICE, ALICE_PASSWORD).status == REFUSED


def test_without_the_directory_it_is_454_and_with_it_235_again(
    world: RecordingSink, tmp_path: Path
) -> None:
    with Slapd(tmp_path / "d") as slapd:
        settings = with_directory(slapd, world)
        serving = Service(tmp_path / "service", settings)
        serving.add_user(LOCAL, LOCAL_PASSWORD)
        with serving as service:
            assert answer_to(service, ALICE, ALICE_PASSWORD).code == 235
            slapd.stop()

            def is_later() -> bool:
                return answer_to(service, ALICE, ALICE_PASSWORD).status == LATER

            wait_for("454", is_later, LIFETIME + 1)
            # Nobody else by that name stands in, and nobody is told a wrong password.
            for user, password in ((ALICE, "wrong"), (LOCAL, LOCAL_PASSWORD)):
                assert answer_to(service, user, password).status == LATER
            slapd.start()
            assert answer_to(service, ALICE, ALICE_PASSWORD).code == 235
            assert answer_to(service, LOCAL, LOCAL_PASSWORD).code == 235
            assert answer_to(service, ALICE, "wrong").status == REFUSED


def test_a_reload_of_the_same_ends_no_session(service: Service) -> None:
    with service.dial("submission", source=fresh_address()) as client:
        client.starttls()
        assert client.login(ALICE, ALICE_PASSWORD).code == 235
        service.run("reload").well()
        assert client.say(f"MAIL FROM:<alice@{OWN}>").code == 250


def asking(slapd: Slapd) -> set[int]:
    """The ports from which connections to the directory are open, as it sees them."""
    ours = {f"{port:04X}" for port in (slapd.port, slapd.tls_port)}
    host = f"{int.from_bytes(ip_address(slapd.address).packed, 'little'):08X}"
    found: set[int] = set()
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, remote, state, *_ = line.split()
        if local in {f"{host}:{port}" for port in ours} and state == ESTABLISHED:
            found.add(int(remote.partition(":")[2], 16))
    return found


def test_a_reload_ends_sessions_and_connections_of_what_changed_alone(
    world: RecordingSink, tmp_path: Path
) -> None:
    with Slapd(tmp_path / "d") as slapd:
        settings = with_directory(slapd, world)
        directory = settings["authenticator"][0]
        with (
            Service(tmp_path / "service", settings) as service,
            service.dial("submission", source=fresh_address()) as client,
        ):
            client.starttls()
            assert client.login(ALICE, ALICE_PASSWORD).code == 235
            before = asking(slapd)
            assert before

            machines = {"kind": "local", "name": "machines"}
            settings["authenticator"] = [machines, directory]
            service.change(settings)
            service.run("reload").well()
            assert client.say(f"MAIL FROM:<alice@{OWN}>").code == 250
            client.say("RSET")
            assert answer_to(service, ALICE, ALICE_PASSWORD).code == 235
            assert before <= asking(slapd)

            # What cannot be used is not taken, and costs nobody anything.
            broken = tmp_path / "broken.pem"
            broken.write_text("no certificate")
            settings["authenticator"] = [machines, {**directory, "ca": broken}]
            service.change(settings)
            refused = service.run("reload")
            assert refused.status == 1
            assert f"{broken} cannot be used" in refused.errors
            assert "give a PEM file" in refused.errors
            assert client.say(f"MAIL FROM:<alice@{OWN}>").code == 250
            client.say("RSET")

            before = asking(slapd)
            changed = {**directory, "timeout_seconds": 4.0}
            settings["authenticator"] = [machines, changed]
            service.change(settings)
            service.run("reload").well()
            assert client.say(f"MAIL FROM:<alice@{OWN}>").code == 421

            def are_closed() -> bool:
                return not before & asking(slapd)

            wait_for("the end of the old connections", are_closed, LINGER_SECONDS + 2)
            assert answer_to(service, ALICE, ALICE_PASSWORD).code == 235


def test_a_trial_walks_step_by_step(service: Service) -> None:
    tried = service.run("auth", "test", ALICE)
    assert tried.status == 0, tried
    for word in ("resolved", "connected", "TLS: TLSv1.", "bound", "found", "enabled"):
        assert f"ok   {word}" in tried.output, tried
    assert "may send from: alice@own.test" in tried.output
    assert "groups: scanner team" in tried.output
    assert "grants: scanners" in tried.output
    assert "not tried" in tried.output

    given = ("auth", "test", ALICE, "--password-file", "-", "--json")
    good = service.run(*given, data=ALICE_PASSWORD.encode())
    assert good.status == 0, good
    assert '"answer": "verified"' in good.output
    wrong = service.run(*given, data=b"wrong one")
    assert wrong.status == 1
    assert "the password is wrong" in wrong.output
    unknown = service.run("auth", "test", "nobody")
    assert unknown.status == 1
    assert "nobody has this account" in unknown.output
    local = service.run("auth", "test", LOCAL)
    assert local.status == 0, local
    assert "may send from: local@own.test" in local.output
    for told in (tried, good, wrong, unknown, local):
        for secret in (ALICE_PASSWORD, SERVICE_PASSWORD, "wrong one"):
            assert secret not in told.output + told.errors


def test_a_trial_says_where_it_stopped(
    slapd: Slapd, world: RecordingSink, tmp_path: Path
) -> None:
    for keys, stopped in (
        ({"servers": ["ldaps://no-such-host.invalid"]}, "stop resolved"),
        ({"servers": ["ldaps://127.0.0.1:9"]}, "stop connected"),
        ({"ca": "cert.pem"}, "stop TLS"),
        ({"bind_password": "wrong"}, "stop bound"),
        ({"filter": "(&(uid={user})(sn=other))"}, "stop found"),
    ):
        folder = tmp_path / stopped.replace(" ", "-")
        service = Service(folder, with_directory(slapd, world, **keys))
        tried = service.run("auth", "test", ALICE)
        assert tried.status == 1
        assert stopped in tried.output, (stopped, tried)
        assert "Traceback" not in tried.errors


def test_no_secret_is_in_the_log(service: Service) -> None:
    assert answer_to(service, ALICE, ALICE_PASSWORD).code == 235
    assert answer_to(service, ALICE, "wrong-and-secret").status == REFUSED
    service.wait_for_event("auth.succeeded")
    log = service.log_file.read_text() + service.process.output()
    for secret in (ALICE_PASSWORD, SERVICE_PASSWORD, "wrong-and-secret"):
        assert secret not in log
