"""``sekisho audit`` at a running service: quick, and without a false alarm."""

import json
import time
from pathlib import Path

import pytest

from peers.process import run
from peers.service import COMMAND, OWN, Service, plain_settings

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
