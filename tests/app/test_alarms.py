"""`sekisho ping` tells what is still the matter, and no more."""

from sekisho.app.alarms import MAX_ALARMS, Alarms
from sekisho.observe.events import Alarm

LOGIN = "a next host refuses our login"


def test_one_is_settled_for_its_own_destination_alone() -> None:
    alarms = Alarms()
    alarms.note(Alarm(LOGIN, "a: 535", destination="a"))
    alarms.note(Alarm(LOGIN, "b: 535", destination="b"))
    alarms.note(Alarm(LOGIN, "a: 534", destination="a"))
    assert alarms.told() == [f"{LOGIN}: b: 535", f"{LOGIN}: a: 534"]
    alarms.settled(LOGIN, "a")
    alarms.settled(LOGIN)
    assert alarms.told() == [f"{LOGIN}: b: 535"]


def test_no_more_are_kept_than_anybody_reads() -> None:
    alarms = Alarms()
    for number in range(MAX_ALARMS + 1):
        alarms.note(Alarm(LOGIN, str(number), destination=str(number)))
    assert len(alarms.told()) == MAX_ALARMS
    assert alarms.told()[0] == f"{LOGIN}: 1"
