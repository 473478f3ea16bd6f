"""``sekisho audit`` at a running service: quick, and without a false alarm."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from peers.apart import Apart
from peers.debian import DebianExim, DebianOpenSmtpd, DebianPostfix
from peers.mail_server import HOSTNAME, MailServer
from peers.process import run
from peers.service import COMMAND, OWN, Service, plain_settings
from sekisho.audit.names import Wanted
from sekisho.audit.results import Port
from sekisho.audit.runner import audit_port
from sekisho.audit.target import Target
from sekisho.audit.verdicts import Verdict

NOBODY = "smtp://127.0.0.1:1"
SECONDS = 20.0


def audited(
    service: Service, listener: str, *options: str
) -> tuple[int, dict[str, dict[str, str]], float]:
    """Audit a listener; exit code, results by id, and how long it took."""
    host, port = service.address(listener)
    began = time.monotonic()
    ended = run([COMMAND, "audit", f"{host}:{port}", "--json", *options])
    took = time.monotonic() - began
    (port_found,) = json.loads(ended.output)["targets"]
    return ended.status, {one["id"]: one for one in port_found["results"]}, took


@pytest.mark.parametrize("listener", ["mx", "submission"])
def test_a_default_audit_is_quick_and_finds_nothing(
    tmp_path: Path, listener: str
) -> None:
    with Service(tmp_path / "s", plain_settings(NOBODY)) as service:
        _, found, took = audited(
            service, listener, "--domain", OWN, "--known-user", "known"
        )
    bad = [one for one in found.values() if one["verdict"] in ("flawed", "suspect")]
    assert bad == []
    assert len(found) >= 80
    assert took < SECONDS


def test_an_account_is_not_locked_out_by_its_audit(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text(Service.PASSWORD)
    service = Service(tmp_path / "s", plain_settings(NOBODY))
    service.add_user()
    account = ("--user", Service.USER, "--password-file", str(secret))
    with service:
        _, found, took = audited(service, "submission", *account)
        with service.signed_in():
            pass
    said = [one["evidence"] for one in found.values()]
    assert not any("a control that went well before" in one for one in said)
    assert not [one for one in found.values() if one["verdict"] == "flawed"]
    assert took < SECONDS


def test_a_listener_behind_a_proxy_is_audited_as_a_stranger(tmp_path: Path) -> None:
    settings = plain_settings(NOBODY)
    settings["listener"][0]["proxy_protocol"] = ["127.0.0.1/32"]
    with Service(tmp_path / "s", settings) as service:
        few = ("--only", "RLY-001", "--only", "RLY-023")
        code, found, _ = audited(service, "mx", *few)
        assert found == {}  # Without the header nothing can be asked.
        assert code == 4
        source = ("--proxy-protocol", "198.51.100.7")
        code, found, _ = audited(service, "mx", *few, *source)
        assert {one["verdict"] for one in found.values()} == {"safe"}
        assert code == 0
        clients = {one["client"] for one in service.events("mail.refused")}
        assert clients == {"198.51.100.7"}


@pytest.fixture(scope="module")
def apart() -> Iterator[Apart]:
    with Apart() as wire:
        yield wire


TRUE_FINDINGS: dict[type[MailServer], set[str]] = {DebianExim: {"BDT-002"}}
"""Exim keeps 32 bits of a chunk's size, and the rest runs as commands."""


@pytest.mark.parametrize("kind", [DebianPostfix, DebianExim, DebianOpenSmtpd])
def test_servers_as_debian_sets_them_up_take_a_whole_audit(
    apart: Apart, tmp_path: Path, kind: type[MailServer]
) -> None:
    async def ask(server: MailServer) -> Port:
        target = Target(host=server.address, address=server.address, port=server.port)
        return await audit_port(target, Wanted(domain=HOSTNAME, known="root"))

    with kind(tmp_path / "server", address=apart.here) as server:
        began = time.monotonic()
        port = apart.run(lambda: ask(server))
        took = time.monotonic() - began
    found = {one.probe.id: one.judgement for one in port.results}
    assert not any("positive control" in one.en for one in port.notes), port.notes
    bad = {
        name: one
        for name, one in found.items()
        if one.verdict in (Verdict.FLAWED, Verdict.SUSPECT)
    }
    assert set(bad) <= TRUE_FINDINGS.get(kind, set()), bad
    doubted = [n for n, one in found.items() if "control that went" in one.evidence.en]
    assert doubted == []
    assert took < SECONDS
