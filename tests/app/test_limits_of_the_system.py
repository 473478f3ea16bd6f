"""Sessions are fitted to the files that may be open, and an operator is told."""

import resource

import pytest

from sekisho.app import descriptors
from sekisho.app.descriptors import RESERVED, fit_to_descriptors
from sekisho.app.memory import map_large_pieces
from sekisho.model.limits import ServiceLimits


class Told(list[str]):
    """What an operator was told."""

    def tell(self, about: str, detail: str, hint: str) -> None:
        self.append(f"{about}: {detail} ({hint})")


@pytest.fixture
def told() -> Told:
    return Told()


def given(monkeypatch: pytest.MonkeyPatch, soft: int, hard: int) -> list[int]:
    now = [soft, hard]

    def setrlimit(_which: int, limits: tuple[int, int]) -> None:
        now[:] = limits

    def getrlimit(_which: int) -> tuple[int, int]:
        return now[0], now[1]

    monkeypatch.setattr(descriptors.resource, "getrlimit", getrlimit)
    monkeypatch.setattr(descriptors.resource, "setrlimit", setrlimit)
    return now


def test_the_limit_is_raised_and_suffices(
    monkeypatch: pytest.MonkeyPatch, told: Told
) -> None:
    now = given(monkeypatch, 1024, 20_000)
    limits = ServiceLimits(max_sessions=4096)
    assert fit_to_descriptors(limits, told.tell) == limits
    assert (now, told) == ([20_000, 20_000], [])


def test_no_more_sessions_than_descriptors(
    monkeypatch: pytest.MonkeyPatch, told: Told
) -> None:
    given(monkeypatch, 1024, 1024)
    limits = ServiceLimits(max_sessions=4096)
    fitted = fit_to_descriptors(limits, told.tell)
    assert fitted.max_sessions == 1024 - RESERVED
    assert "4096" in told[0]


def test_endless_descriptors_bound_nothing(
    monkeypatch: pytest.MonkeyPatch, told: Told
) -> None:
    given(monkeypatch, 1024, resource.RLIM_INFINITY)
    limits = ServiceLimits(max_sessions=10**9)
    assert fit_to_descriptors(limits, told.tell) == limits
    assert told == []


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_name: object) -> None:
        raise OSError("no such library")

    monkeypatch.setattr("ctypes.CDLL", missing)
    map_large_pieces()
