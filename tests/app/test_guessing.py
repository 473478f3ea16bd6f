"""Operators hear once that the service is guessed at, and once that it is over."""

import asyncio

import pytest

from sekisho.app.guessing import MATTER, GuessingAlarm, watch_guessing
from sekisho.auth.slowdown import CALM, Strain
from sekisho.observe.events import Alarm, AlarmSettled, Event
from sekisho.shared.store import StoreUnavailableError


def test_it_is_told_once_and_settled_well_below_the_bound() -> None:
    alarm = GuessingAlarm()
    assert alarm.look(CALM) is None
    assert alarm.look(Strain(0.0, 9, 0.9)) is None
    told = alarm.look(Strain(1.0, 10, 1.0))
    assert isinstance(told, Alarm)
    assert told.about == MATTER
    assert "10 failed sign-ins, from many addresses" in told.detail
    assert "unlock --service" in told.hint
    for strain in (Strain(2.0, 20, 2.0), Strain(0.0, 20, 0.9), Strain(1.0, 21, 1.0)):
        assert alarm.look(strain) is None
    assert alarm.look(Strain(0.0, 21, 0.5)) is None
    assert alarm.look(Strain(0.0, 21, 0.49)) == AlarmSettled(MATTER)
    assert alarm.look(CALM) is None
    assert isinstance(alarm.look(Strain(1.0, 10, 1.0)), Alarm)


@pytest.mark.asyncio
async def test_looking_goes_on_without_the_store(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sekisho.app.guessing.LOOK_SECONDS", 0.0)
    told: list[Event] = []
    looks = iter([True, False])

    def strain() -> Strain:
        if next(looks, False):
            raise StoreUnavailableError("gone")
        return Strain(1.0, 10, 1.0)

    looking = asyncio.ensure_future(watch_guessing(strain, told.append))
    for _ in range(20):
        await asyncio.sleep(0)
    looking.cancel()
    assert [type(one) for one in told] == [Alarm]
