"""A message whose rows are no message keeps no other waiting, and is named."""

import asyncio
from pathlib import Path

import apsw
import pytest

from queued_mail import NOW, decision, message
from scheduled import RETRY, World
from sekisho.model.message import Message
from sekisho.observe import events
from sekisho.queue.errors import UnreadableError
from sekisho.queue.records import Selection, State
from sekisho.queue.sqlite import connect
from sekisho.queue.store import Queue, QueueOptions
from sekisho.scheduler.options import SchedulerOptions

DAMAGE = {
    "facts of the message": "UPDATE message SET facts = x'c1ff' WHERE seq = 2",
    "facts of a recipient": "UPDATE recipient SET facts = x'00' WHERE key >> 20 = 2",
    "text that is none": (
        "UPDATE message SET reverse_path = CAST(x'ff61' AS TEXT) WHERE seq = 2"
    ),
    "a recipient's text": (
        "UPDATE recipient SET address = CAST(x'ff61' AS TEXT) WHERE key >> 20 = 2"
    ),
    "a recipient that is none": (
        "UPDATE recipient SET address = 'a@b@c d' WHERE key >> 20 = 2"
    ),
    "no content": "DELETE FROM body WHERE seq = 2",
    "an id that is none": "UPDATE message SET id = 'text' WHERE seq = 2",
    "no row of the message": "DELETE FROM message WHERE seq = 2",
    "a moment that is none": "UPDATE message SET received_at = 'x' WHERE seq = 2",
}
NAMELESS = ("an id that is none", "no row of the message")


def options() -> QueueOptions:
    return QueueOptions(min_free_bytes=0)


def a_damaged_queue(folder: Path, damage: str) -> list[Message]:
    """Three messages, of which the second is made unreadable in the file."""
    queue = Queue.open(folder, options=options())
    mails = [message(f"to{number}@b.example") for number in range(3)]
    for mail in mails:
        queue.put_now(mail, decision(mail))
    queue.close_now()
    connection = connect(str(folder / "queue.db"), apsw.SQLITE_OPEN_READWRITE)
    connection.execute(damage)
    connection.close()
    return mails


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", DAMAGE)
async def test_other_mail_goes_on_and_the_unreadable_is_named(
    tmp_path: Path, kind: str
) -> None:
    mails = a_damaged_queue(tmp_path, DAMAGE[kind])
    queue = Queue.open(tmp_path, options=options())
    queue.start(asyncio.get_running_loop(), pytest.fail)
    world = World(queue, SchedulerOptions(retry_seconds=RETRY))
    await world.until(lambda: len(world.transactions) == 2)
    await world.settled()
    assert {one for one, _ in world.transactions} == {mails[0].id, mails[2].id}
    name = "number 2" if kind in NAMELESS else str(mails[1].id)
    about = [alarm.about for alarm in world.seen(events.Alarm)]
    assert about == [f"unreadable message {name}"]
    # Once is enough: it is never due again, and an operator finds it.
    await world.pass_time(3600)
    assert len(world.seen(events.Alarm)) == 1
    assert (await queue.stats(NOW)).by_state["dead"] == 1
    if kind != "no row of the message":
        (listed,) = await queue.list(Selection(state=State.DEAD))
        assert (listed.id, listed.state) == (name, "dead")
        assert "set aside" in listed.recipients[0].last_reply
    if kind not in NAMELESS:
        with pytest.raises(UnreadableError, match=str(mails[1].id)):
            await queue.get(mails[1].id)
        assert await queue.remove(Selection(ids=(mails[1].id,)), NOW) == 1
        assert await queue.list() == []
    await world.scheduler.stop(1)
    await world.running
    await queue.close()


@pytest.mark.asyncio
async def test_a_state_that_is_none_is_shown_and_breaks_no_list(tmp_path: Path) -> None:
    mails = a_damaged_queue(
        tmp_path, "UPDATE recipient SET state = 77 WHERE key >> 20 = 2"
    )
    queue = Queue.open(tmp_path, options=options())
    queue.start(asyncio.get_running_loop(), pytest.fail)
    listed = await queue.list()
    assert [one.id for one in listed] == [str(mail.id) for mail in mails]
    assert listed[1].recipients[0].state == "unreadable (77)"
    assert len((await queue.due(NOW, 10)).messages) == 2
    await queue.close()
