"""What waits for a host's step is known wherever the queue's rows come to."""

import asyncio
from pathlib import Path

import apsw
import pytest

from queued_mail import NOW, decision, message
from sekisho.model.message import Message
from sekisho.queue.adoption import adopt
from sekisho.queue.operations import Acted
from sekisho.queue.postponing import Parked, Postpone, Unpark
from sekisho.queue.records import QueuedRecipient, Result, Selection, State
from sekisho.queue.set_aside import mark_damaged
from sekisho.queue.sqlite import connect
from sekisho.queue.store import Queue, QueueOptions

OPTIONS = QueueOptions(min_free_bytes=0)
STEP = Parked("b.example", NOW + 300, 1, "451 4.4.1 Connection refused", "unreachable")
NOTICE, EXPIRY = 14_400.0, 172_800.0
PARK = Postpone(STEP, NOW + 1, NOTICE, EXPIRY)


def parked(folder: Path, *mails: Message) -> Queue:
    """A queue that has parked them."""
    queue = Queue.open(folder, options=OPTIONS)
    for mail in mails:
        queue.put_now(mail, decision(mail))
    queue.apply(PARK)
    queue.parked = queue.reader.parked()
    return queue


def recipients(queue: Queue, mail: Message) -> tuple[QueuedRecipient, ...]:
    queued = queue.reader.get(mail.id)
    assert queued is not None
    return queued.recipients


def stored_moment(queue: Queue, state: State = State.DEFERRED) -> list[float]:
    query = "SELECT next_attempt FROM recipient WHERE state = ? ORDER BY key"
    rows = queue.reader._execute(query, (int(state),))
    return [at for (at,) in rows]


def test_parked_mail_waits_for_its_notice_and_is_shown_with_the_step(
    tmp_path: Path,
) -> None:
    mail, other = message("x@b.example"), message("x@c.example")
    queue = parked(tmp_path, mail, other)
    assert stored_moment(queue) == [NOW + NOTICE]
    (one,) = recipients(queue, mail)
    assert (one.next_attempt, one.attempts) == (NOW + 300, 1)
    assert (one.last_reply, one.cause) == (STEP.last_reply, STEP.cause)
    # The next step is one row, and shown of all.
    queue.apply(Parked("b.example", NOW + 1200, 2, "451 4.4.2 Silence", "timeout"))
    (one,) = recipients(queue, mail)
    assert (one.next_attempt, one.last_reply) == (NOW + 1200, "451 4.4.2 Silence")
    (listed,) = queue.reader.listed(Selection(destination="b.example"), 9, None)
    assert listed.recipients[0].next_attempt is not None
    assert listed.recipients[0].next_attempt.timestamp() == NOW + 1200
    assert listed.recipients[0].last_reply == "451 4.4.2 Silence"
    (untouched,) = recipients(queue, other)
    assert (untouched.state, untouched.next_attempt) == (State.PENDING, NOW)
    queue.close_now()


def test_told_and_null_senders_wait_for_their_expiry(tmp_path: Path) -> None:
    null, told = message("x@b.example", sender=""), message("y@b.example")
    queue = Queue.open(tmp_path, options=OPTIONS)
    for mail in (null, told):
        queue.put_now(mail, decision(mail))
    late = Result(0, State.DEFERRED, "450 x", NOW, "dns", NOW + 1)
    queue.apply(queue._file.settle(told.id, [late]))
    queue.apply(PARK)
    assert stored_moment(queue) == [NOW + EXPIRY] * 2
    queue.close_now()


def test_what_somebody_has_to_be_told_of_is_left_alone(tmp_path: Path) -> None:
    old = message("x@b.example", now=NOW - NOTICE)
    queue = parked(tmp_path, old)
    assert stored_moment(queue, State.PENDING) == [NOW - NOTICE]
    queue.close_now()


def test_unparking_ends_with_the_last_page(tmp_path: Path) -> None:
    mails = [message("x@b.example") for _ in range(5)]
    queue = parked(tmp_path, *mails)
    after, pages = -1, 0
    while pages == 0 or after >= 0:
        acted = queue.apply(Unpark("b.example", NOW + 400, after, limit=2))
        assert isinstance(acted, Acted)
        after, pages = acted.last, pages + 1
        assert bool(queue.reader.parked()) == (after >= 0)
    assert pages == 4
    assert stored_moment(queue) == [NOW + 400] * 5
    queue.close_now()


def test_adopted_mail_comes_with_its_hosts_step(tmp_path: Path) -> None:
    mail = message("x@b.example", "x@c.example")
    parked(tmp_path / "queue-1", mail).close_now()
    queue = Queue.open(tmp_path / "queue", options=OPTIONS)

    async def both() -> None:
        queue.start(asyncio.get_running_loop(), pytest.fail)
        await adopt(queue, tmp_path / "queue-1")

    asyncio.run(both())
    assert queue.reader.parked() == {}
    assert stored_moment(queue) == [NOW + 300]
    queue.close_now()


@pytest.mark.parametrize("readable", [True, False])
def test_salvaged_mail_waits_for_no_step_that_is_lost(
    tmp_path: Path, readable: bool
) -> None:
    mail = message("x@b.example")
    parked(tmp_path, mail).close_now()
    path = tmp_path / "queue.db"
    if not readable:
        connection = connect(str(path), apsw.SQLITE_OPEN_READWRITE)
        query = "SELECT rootpage FROM sqlite_schema WHERE name = 'parked'"
        ((page,),) = connection.execute(query).fetchall()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        connection.close()
        with path.open("r+b") as file:
            file.seek((page - 1) * 4096)
            file.write(b"\xff" * 4096)
    mark_damaged(tmp_path, "a test")
    queue = Queue.open(tmp_path, options=OPTIONS)
    assert queue.salvaged is not None
    assert queue.parked == ({"b.example": STEP} if readable else {})
    assert stored_moment(queue) == [NOW + NOTICE if readable else 0]
    queue.close_now()
