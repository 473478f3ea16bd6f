"""What the service does about what its own audit found."""

import asyncio
from pathlib import Path

import pytest

from peers.service import as_toml, plain_settings
from sekisho.app.audit_words import Found
from sekisho.app.bulletin import Bulletin
from sekisho.app.orders import Settings
from sekisho.app.self_audit import Hands, SelfAudit
from sekisho.config.load import load_config


def found(verdict: str, severity: str) -> Found:
    said = ("x", "x")
    return Found("mx", "relay.test:25", "AUTH-001", verdict, severity, said, said)


class House:
    """A service that only remembers what it was told."""

    def __init__(self, folder: Path, on_flaw: str) -> None:
        file = folder / "sekisho.toml"
        settings = plain_settings("mx")
        del settings["tls"], settings["listener"], settings["route"]
        settings["audit"] = {"enabled": False, "on_flaw": on_flaw}
        file.write_text(as_toml(settings))
        self.settings = Settings(load_config(file, {}), None)
        self.bulletin = Bulletin(self.settings.config, 0)
        hands = Hands(
            settings=lambda: self.settings,
            tell=self._tell,
            addresses=dict,
            randomness=lambda bits: bits,
        )
        self.audit = SelfAudit(hands, self.bulletin)

    async def _tell(self, settings: Settings) -> None:
        self.settings = settings

    def act(self, *results: Found) -> None:
        asyncio.run(self.audit._act(results, 1.0))

    def by_itself(self) -> None:
        asyncio.run(self.audit.by_itself())


@pytest.mark.parametrize(
    ("verdict", "severity", "on_flaw", "closed"),
    [
        ("flawed", "critical", "close", True),
        ("flawed", "high", "close", True),
        ("flawed", "medium", "close", False),
        ("flawed", "low", "close", False),
        ("suspect", "critical", "close", False),
        ("undecided", "critical", "close", False),
        ("flawed", "critical", "alarm", False),
    ],
)
def test_only_a_grave_flaw_closes_relaying(
    tmp_path: Path, verdict: str, severity: str, on_flaw: str, closed: bool
) -> None:
    house = House(tmp_path, on_flaw)
    house.act(found("safe", "critical"), found(verdict, severity))
    assert house.settings.relaying_closed is closed
    told = [one for one in house.bulletin.alarms() if "AUTH-001" in one]
    assert bool(told) is (verdict in ("flawed", "suspect"))


def test_an_audit_that_finds_nothing_opens_it_and_takes_the_alarm_back(
    tmp_path: Path,
) -> None:
    house = House(tmp_path, "close")
    house.act(found("flawed", "critical"))
    house.act(found("safe", "critical"))
    assert not house.settings.relaying_closed
    assert house.bulletin.alarms() == []


def test_who_switches_the_audit_off_is_open_again(tmp_path: Path) -> None:
    house = House(tmp_path, "close")
    house.act(found("flawed", "critical"))
    house.by_itself()
    assert not house.settings.relaying_closed


def test_an_audit_that_was_not_answered_opens_nothing(tmp_path: Path) -> None:
    house = House(tmp_path, "close")
    house.act(found("flawed", "critical"))
    house.act(found("undecided", "critical"))
    assert house.settings.relaying_closed
