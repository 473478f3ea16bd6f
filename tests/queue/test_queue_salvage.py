"""A queue file damaged in its middle: what can be read goes on, the rest is named."""

import asyncio
import random
import re
import shutil
from contextlib import suppress
from pathlib import Path

import pytest

from queued_mail import NOW, decision, message
from scheduled import RETRY, World
from sekisho.model.content import FileBody, InlineBody
from sekisho.model.message import Message
from sekisho.queue.errors import QueueError, UnreadableError
from sekisho.queue.records import Selection
from sekisho.queue.set_aside import MARK, REPORT
from sekisho.queue.store import Queue, QueueOptions
from sekisho.scheduler.options import SchedulerOptions

MESSAGES = 3000
PAGE = 4096


def options() -> QueueOptions:
    return QueueOptions(min_free_bytes=0)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Message]]:
    """A queue of 3,000 messages: short ones, long ones, and ones in files."""
    folder = tmp_path_factory.mktemp("sound") / "queue"
    chance = random.Random(1)
    mails: list[Message] = []
    queue = Queue.open(folder, options=options())
    for number in range(MESSAGES):
        body: bytes | FileBody = b"%d" % number * chance.choice((10, 100, 300, 2500))
        if number % 100 == 0:
            (queue.bodies.folder / f"file{number}").write_bytes(b"%d\r\n" % number)
            body = FileBody(f"file{number}", len(b"%d\r\n" % number))
        to = [f"to{one}@d{number % 7}.example" for one in range(1 + number % 3)]
        mail = message(*to, body=body)
        queue.put_now(mail, decision(mail))
        mails.append(mail)
    queue.close_now()
    return folder, mails


def damage(path: Path, chance: random.Random, pages: int, *, first: int = 1) -> None:
    """Overwrite pages with noise, zeros, or the page beside them."""
    octets = bytearray(path.read_bytes())
    count = len(octets) // PAGE
    for _ in range(pages):
        at = chance.randrange(first, count) * PAGE
        other = chance.randrange(1, count) * PAGE
        octets[at : at + PAGE] = chance.choice(
            (chance.randbytes(PAGE), bytes(PAGE), octets[other : other + PAGE])
        )
    path.write_bytes(octets)


def named_in(queue: Queue) -> set[str]:
    """What the report names: ids, and numbers where there is none."""
    if queue.salvaged is None:
        return set()
    text = "\n".join(queue.salvaged.lines)
    assert (queue.salvaged.folder / REPORT).read_text().strip() == text
    return set(re.findall(r"(?m)^([0-9a-z]{26}|number \d+):", text))


async def all_ids(queue: Queue, mails: list[Message]) -> set[str]:
    """Those that can be read, whole."""
    found: set[str] = set()
    for mail in mails:
        with suppress(UnreadableError):
            if await queue.get(mail.id) is not None:
                found.add(str(mail.id))
    return found


@pytest.mark.asyncio
@pytest.mark.timeout(60)
@pytest.mark.parametrize("seed", range(8))
async def test_what_is_readable_goes_on_and_the_rest_is_named(
    tmp_path: Path, sound: tuple[Path, list[Message]], seed: int
) -> None:
    folder, mails = tmp_path / "queue", sound[1]
    shutil.copytree(sound[0], folder)
    chance = random.Random(seed)
    damage(folder / "queue.db", chance, chance.choice((1, 3, 10, 60)))
    queue, named = await well(folder)
    readable = await all_ids(queue, mails)
    lost = {
        str(mail.id)
        for number, mail in enumerate(mails, 1)
        if f"number {number}" in named or str(mail.id) in named
    }
    assert readable | lost == {str(mail.id) for mail in mails}
    # A page of rows holds some dozens; one that leads to rows, some hundreds.
    assert len(readable) > MESSAGES / 4
    for mail in mails:
        if str(mail.id) in readable:
            queued = await queue.get(mail.id)
            assert queued is not None
            assert queued.message.envelope.reverse_path == mail.envelope.reverse_path
            body = mail.content.body
            if isinstance(body, InlineBody) and len(body.data) < 3500:
                assert queued.message.content == mail.content
    world = World(queue, SchedulerOptions(retry_seconds=RETRY))
    # What is waited for has no event.
    while {str(one) for one, _ in world.transactions} < readable:  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    await world.settled()
    assert {str(one) for one, _ in world.transactions} == readable
    await world.scheduler.stop(1)
    await world.running
    await queue.close()


async def well(folder: Path) -> tuple[Queue, set[str]]:
    """Start as a supervisor does: who meets damage ends, the next one salvages.

    Returns:
        The queue, and what was named: set aside with the file or in it.

    """
    failures: list[str] = []
    named: set[str] = set()
    for _ in range(3):
        queue = Queue.open(folder, options=options())
        queue.start(asyncio.get_running_loop(), failures.append)
        named |= named_in(queue)
        try:
            named |= await unreadable_in(queue)
        except QueueError:
            await asyncio.sleep(0)
            assert failures
            assert (folder / MARK).exists()
            await queue.close()
        else:
            assert not (folder / MARK).exists()
            return queue, named
    raise AssertionError(f"it does not get well: {failures}")


async def unreadable_in(queue: Queue) -> set[str]:
    """Read all that is due, as the scheduler does."""
    await queue.stats(NOW)
    await queue.destinations(100)
    cursor, found = None, set[str]()
    while True:
        page = await queue.due(NOW, 500, after=cursor)
        found |= {one.name for one in page.unreadable}
        if (cursor := page.cursor) is None:
            return found


@pytest.mark.asyncio
async def test_a_file_without_its_first_page_is_salvaged(
    tmp_path: Path, sound: tuple[Path, list[Message]]
) -> None:
    folder, mails = tmp_path / "queue", sound[1]
    shutil.copytree(sound[0], folder)
    octets = bytearray((folder / "queue.db").read_bytes())
    octets[:PAGE] = random.Random(3).randbytes(PAGE)
    (folder / "queue.db").write_bytes(octets)
    queue = Queue.open(folder, options=options())
    assert queue.salvaged is not None
    assert queue.salvaged.lines == ()
    assert (queue.salvaged.folder / "queue.db").read_bytes() == octets
    assert {str(mail.id) for mail in mails} == await all_ids(queue, mails)
    queue.close_now()
    assert Queue.open(folder, options=options()).salvaged is None


def test_a_kill_in_a_salvage_only_keeps_its_end_back(
    tmp_path: Path, sound: tuple[Path, list[Message]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """At each rename in turn."""
    for kill_at in range(6):
        folder = tmp_path / f"queue{kill_at}"
        shutil.copytree(sound[0], folder)
        (folder / MARK).write_text("met while it was serving\n")
        rename, left = Path.rename, [kill_at]

        def dying(self: Path, target: Path, left: list[int] = left) -> Path:
            if not left[0]:
                raise KeyboardInterrupt
            left[0] -= 1
            return rename(self, target)  # noqa: B023 - the same in every turn

        monkeypatch.setattr(Path, "rename", dying)
        with suppress(KeyboardInterrupt):
            Queue.open(folder, options=options()).close_now()
        monkeypatch.setattr(Path, "rename", rename)
        queue = Queue.open(folder, options=options())
        assert len(queue.reader.listed(Selection(), 10_000, None)) == MESSAGES
        assert not (folder / MARK).exists()
        assert len(list((folder / "bodies").iterdir())) == MESSAGES / 100
        queue.close_now()
