"""What a worker left behind is taken over: nothing lost, killed at any moment."""

import asyncio
import contextlib
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from queued_mail import NOW, decision, message
from sekisho.model.content import FileBody
from sekisho.model.ids import MessageId
from sekisho.queue.adoption import adopt
from sekisho.queue.errors import QueueError
from sekisho.queue.file import QueueFile
from sekisho.queue.records import Action, QueuedMessage, Result, Selection, State
from sekisho.queue.store import Queue, QueueOptions

CHILD = Path(__file__).with_name("adopting_child.py")
OPTIONS = QueueOptions(min_free_bytes=0)


def fill(folder: Path, count: int) -> dict[MessageId, QueuedMessage]:
    """A left-over queue: one in fifty with a body file; tried, held, dead ones."""
    file = QueueFile(folder, OPTIONS.destinations)
    (folder / "bodies").mkdir()
    mails = [message() for _ in range(0)]
    for number in range(count):
        if number % 50:
            mails.append(message("bob@b.example", "eve@c.example"))
            continue
        name = f"{number:032x}"
        (folder / "bodies" / name).write_bytes(b"y" * 100_000)
        mails.append(message(body=FileBody(name, 100_000)))
    for start in range(0, count, 500):
        page = mails[start : start + 500]
        answers, _ = file.commit([file.put(one, decision(one)) for one in page])
        assert answers == [None] * len(page)
    tried = Result(0, State.DEFERRED, "451 later", NOW + 900, "greylisted", NOW + 5)
    file.commit([file.settle(one.id, [tried]) for one in mails[1::7]])
    file.commit(
        [file.settle(one.id, [Result(0, State.DEAD, "no")]) for one in mails[2::9]]
    )
    file.close()
    queue = Queue.open(folder, options=OPTIONS)
    queue.act_now(Action.HOLD, Selection(ids=tuple(m.id for m in mails[3:40])), NOW)
    queue.pause_now("c.example", NOW)
    held = {one.id: queue.reader.get(one.id) for one in mails}
    queue.close_now()
    return {key: one for key, one in held.items() if one is not None}


def run(queue: Queue, folder: Path) -> tuple[int, tuple[str, ...]]:
    async def both() -> tuple[int, tuple[str, ...]]:
        queue.start(asyncio.get_running_loop(), pytest.fail)
        adopted = await adopt(queue, folder)
        return adopted.messages, adopted.unreadable

    return asyncio.run(both())


def assert_has_all(queue: Queue, wanted: dict[MessageId, QueuedMessage]) -> None:
    for key, one in wanted.items():
        assert queue.reader.get(key) == one
        body = one.message.content.body
        if isinstance(body, FileBody):
            assert queue.bodies.read_now(body, 0, 200_000) == b"y" * 100_000


def test_all_that_is_known_of_a_message_comes_along(tmp_path: Path) -> None:
    wanted = fill(tmp_path / "queue-1", 300)
    queue = Queue.open(tmp_path / "queue", options=OPTIONS)
    own = message()
    queue.put_now(own, decision(own))
    assert run(queue, tmp_path / "queue-1") == (300, ())
    assert_has_all(queue, wanted)
    assert queue.reader.get(own.id) is not None
    assert queue.paused == {"c.example": NOW} == queue.reader.paused()
    assert not (tmp_path / "queue-1").exists()
    queue.close_now()


def test_a_folder_in_use_is_left_alone(tmp_path: Path) -> None:
    fill(tmp_path / "queue-1", 5)
    owner = Queue.open(tmp_path / "queue-1", options=OPTIONS)
    queue = Queue.open(tmp_path / "queue", options=OPTIONS)
    with pytest.raises(QueueError, match="in use by process"):
        run(queue, tmp_path / "queue-1")
    assert owner.reader.stats(NOW).messages == 5
    queue.close_now()
    owner.close_now()


def test_a_message_without_its_body_stays_and_is_named(tmp_path: Path) -> None:
    wanted = fill(tmp_path / "queue-1", 120)
    lost = [
        key
        for key, one in wanted.items()
        if isinstance(one.message.content.body, FileBody)
    ][1]
    body = wanted.pop(lost).message.content.body
    assert isinstance(body, FileBody)
    (tmp_path / "queue-1" / "bodies" / body.name).unlink()
    queue = Queue.open(tmp_path / "queue", options=OPTIONS)
    assert run(queue, tmp_path / "queue-1") == (119, (str(lost),))
    assert_has_all(queue, wanted)
    assert queue.reader.get(lost) is None
    assert (tmp_path / "queue-1" / "queue.db").exists()
    queue.close_now()


def test_what_was_taken_over_before_a_kill_is_not_set_back(tmp_path: Path) -> None:
    """It is in both files; the newer knows more."""
    (key,) = fill(tmp_path / "queue-1", 1)
    queue = Queue.open(tmp_path / "queue", options=OPTIONS)
    left_over = Queue.open(tmp_path / "queue-1", options=OPTIONS)
    rows = tuple(left_over.reader.stored(-1, 10))
    left_over.close_now()

    async def both() -> None:
        queue.start(asyncio.get_running_loop(), pytest.fail)
        await queue.adopt(rows)
        await queue.settle(key, [Result(0, State.DEFERRED, "later", NOW + 77)])
        await adopt(queue, tmp_path / "queue-1")

    asyncio.run(both())
    queued = queue.reader.get(key)
    assert queued is not None
    assert queued.recipients[0].last_reply == "later"
    assert queue.reader.stats(NOW).messages == 1
    queue.close_now()


@pytest.mark.timeout(110)
@pytest.mark.parametrize("seed", range(2))
def test_killed_at_any_moment_nothing_is_lost_and_nothing_doubled(
    tmp_path: Path, seed: int
) -> None:
    wanted = fill(tmp_path / "queue-1", 10_000)
    chance = random.Random(seed)
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(part for part in sys.path if part),
    }
    kills = 0
    for _ in range(40):
        if not (tmp_path / "queue-1").exists():
            break
        with subprocess.Popen(
            [sys.executable, str(CHILD), str(tmp_path)],
            stdout=subprocess.PIPE,
            env=environment,
        ) as running:
            assert running.stdout is not None
            assert running.stdout.readline() == b"ready\n"
            with contextlib.suppress(subprocess.TimeoutExpired):
                running.wait(chance.uniform(0.01, 0.12))
            kills += running.poll() is None
            running.send_signal(signal.SIGKILL)
    assert kills >= 3
    queue = Queue.open(tmp_path / "queue", options=OPTIONS)
    if (tmp_path / "queue-1").exists():
        run(queue, tmp_path / "queue-1")
    assert queue.reader.stats(NOW).messages == len(wanted) == 10_000
    assert_has_all(queue, wanted)
    queue.close_now()
