"""What an operator does to one message, a destination or a sender; it touches no other.

Two workers, as whoever runs a command does not know whose queue a message lies in.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from peers.process import wait_for
from peers.service import OWN, Service, plain_settings
from peers.sink import RecordingSink
from real.messages import token
from real.test_durability import hand_in, refusing, taking
from sekisho.app.control import Refusal, ask

OTHER = "second.test"
# MAIL too: a connection of the test before may still be open.
NOT_NOW = refusing(b"EHLO", b"HELO", b"MAIL", reply=b"421 4.3.2 not now")
SELECTIONS = ("id", "destination", "sender")
COUNT = 3
"""Messages of each kind: likely of both workers."""


@dataclass
class Office:
    """A running service, two next hosts that take nothing yet, and an operator."""

    service: Service
    near: RecordingSink
    far: RecordingSink

    def ask(self, do: str, **arguments: Any) -> Any:
        """Look at the queue without the cost of a command."""
        return ask(self.service.folder / "data", do, arguments)

    def run(self, *arguments: str) -> Any:
        """Do what an operator does."""
        ended = self.service.run(*arguments, "--json").well()
        return json.loads(ended.output)

    def states(self) -> dict[str, str]:
        return {one["id"]: one["state"] for one in self.ask("queue.list")}

    def attempts(self, message_id: str) -> int:
        (one,) = self.ask("queue.show", id=message_id)["recipients"]
        return one["attempts"]

    def of(self, sender: str) -> set[str]:
        """The messages of a sender, by the list's own filter."""
        return {one["id"] for one in self.ask("queue.list", sender=sender)}

    def send(self, recipient: str, count: int) -> "Mail":
        mark = token()
        sender = f"{mark}@outside.test"
        for _ in range(count):
            hand_in(self.service, mark, sender=sender, recipient=recipient)
        ids = self.of(sender)
        assert len(ids) == count
        wait_for(
            "first attempts",
            lambda: all(self.states()[one] == "deferred" for one in ids),
        )
        show = self.ask("queue.show", id=min(ids))
        return Mail(mark, sender, show["recipients"][0]["destination"], sorted(ids))


@dataclass
class Mail:
    """Messages of one sender to one destination."""

    mark: str
    sender: str
    destination: str
    ids: list[str]

    def chosen(self, selection: str) -> tuple[list[str], list[str]]:
        """What to say for it on the command line, and which messages that means."""
        if selection == "id":
            return [self.ids[0]], self.ids[:1]
        value = self.sender if selection == "sender" else self.destination
        return [f"--{selection}", value], self.ids


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with RecordingSink() as near, RecordingSink() as far:
        settings = plain_settings(near.url, workers=2)
        settings["workers"] = 2
        settings["domains"][OTHER] = {"route": far.url, "recipients": [f"b@{OTHER}"]}
        folder = tmp_path_factory.mktemp("office")
        with Service(folder, settings) as service:
            yield Office(service, near, far)


@pytest.fixture
def office(running: Office) -> Iterator[Office]:
    """The same service for all, with next hosts that take nothing and no mail."""
    running.near.answer = running.far.answer = NOT_NOW
    yield running
    running.ask("queue.remove", everything=True)
    assert running.states() == {}


Check = Callable[[Office, Sequence[str]], bool]


def hold(office: Office, ids: Sequence[str]) -> bool:
    return all(office.states()[one] == "held" for one in ids)


def tried_again(office: Office, ids: Sequence[str]) -> bool:
    return all(office.attempts(one) >= 2 for one in ids)


def gone(office: Office, ids: Sequence[str]) -> bool:
    return not set(ids) & set(office.states())


@pytest.mark.parametrize("selection", SELECTIONS)
@pytest.mark.parametrize(
    ("action", "held_before", "done"),
    [
        ("hold", False, hold),
        ("release", True, tried_again),
        ("retry", False, tried_again),
        ("remove", False, gone),
    ],
)
def test_an_action_is_done_to_what_is_meant_and_to_nothing_else(
    office: Office, selection: str, action: str, held_before: bool, done: Check
) -> None:
    mail, other = office.send(f"known@{OWN}", COUNT), office.send(f"b@{OTHER}", 1)
    if held_before:
        office.ask("queue.hold", ids=[*mail.ids, *other.ids])
    before = office.states()
    tries = {one: office.attempts(one) for one in before}
    named, meant = mail.chosen(selection)
    told = office.run("queue", action, *named)
    assert told["recipients"] == len(meant)
    wait_for(f"what {action} is for", lambda: done(office, meant))
    rest = before.keys() - set(meant)
    assert {one: office.states()[one] for one in rest} == {
        one: before[one] for one in rest
    }
    assert {one: office.attempts(one) for one in rest} == {
        one: tries[one] for one in rest
    }


@pytest.mark.parametrize("selection", SELECTIONS)
def test_messages_are_exported_as_they_would_be_sent(
    office: Office, selection: str, tmp_path: Path
) -> None:
    mail, other = office.send(f"known@{OWN}", COUNT), office.send(f"b@{OTHER}", 1)
    named, meant = mail.chosen(selection)
    told = office.run("queue", "export", *named, "--to", str(tmp_path / "out"))
    assert told == {
        "messages": len(meant),
        "folder": str(tmp_path / "out"),
        "failed": {},
    }
    files = sorted((tmp_path / "out").iterdir())
    assert [one.name for one in files] == [f"{one}.eml" for one in meant]
    for file in files:
        assert f"\r\nSubject: {mail.mark}\r\n".encode() in file.read_bytes()
        assert file.stat().st_mode & 0o777 == 0o600
    assert set(office.states()) == {*mail.ids, *other.ids}


def test_a_paused_destination_gets_nothing_until_it_is_resumed(
    office: Office,
) -> None:
    mail, other = office.send(f"known@{OWN}", COUNT), office.send(f"b@{OTHER}", 1)
    paused = office.run("queue", "pause", mail.destination)
    assert paused["recipients"] == COUNT
    had = len(office.near.messages)
    office.near.answer = office.far.answer = taking
    office.run("queue", "retry", "--all")
    wait_for("the other destination's mail", lambda: gone(office, other.ids))
    shown = {one["destination"]: one for one in office.run("queue", "destinations")}
    assert shown[mail.destination]["paused_since"]
    assert len(office.near.messages) == had
    assert not gone(office, mail.ids[:1])
    resumed = office.run("queue", "resume", mail.destination)
    assert resumed["recipients"] == COUNT
    wait_for("the resumed destination's mail", lambda: gone(office, mail.ids))
    assert len(office.near.messages) == had + COUNT


def test_show_tells_by_which_rule_and_until_when(office: Office) -> None:
    mail = office.send(f"known@{OWN}", 1)
    (one,) = office.run("queue", "show", mail.ids[0])["recipients"]
    assert one["retry_rule"] == "rate"
    assert one["retry_set_by"] == "[queue]"
    assert one["retry_seconds"][:2] == [300, 600]
    assert one["expiry_set_by"] == "[queue]"
    assert one["delay_notice_at"] < one["expires_at"]
    assert one["next_attempt"] < one["delay_notice_at"]
    said = office.service.run("queue", "show", mail.ids[0]).well().output
    assert "rate: after 5m, 10m, 20m, 40m, 1h, then every 2h ([queue])" in said


def test_a_message_that_is_not_there_is_not_exported(
    office: Office, tmp_path: Path
) -> None:
    gone_id = "01m85ws554fzzvzzzzzzzzzzzz"
    with pytest.raises(Refusal):
        office.ask("queue.export", id=gone_id)
    ended = office.service.run("queue", "export", gone_id, "--to", str(tmp_path))
    assert ended.status == 1
    assert list(tmp_path.iterdir()) == []
