"""A queue file of an older version is taken over as it is, mail and all."""

import asyncio
from pathlib import Path

import apsw
import pytest

from queued_mail import NOW, decision, message
from sekisho.queue.records import Result, State
from sekisho.queue.schema import VERSION
from sekisho.queue.sqlite import connect
from sekisho.queue.store import Queue, QueueOptions

OPTIONS = QueueOptions(min_free_bytes=0)
DOWNGRADES = {
    4: ("DROP TABLE parked",),
    3: ("DROP TABLE paused",),
    2: (
        "ALTER TABLE recipient DROP COLUMN cause",
        "ALTER TABLE recipient DROP COLUMN delay_told_at",
    ),
}
"""What makes a file of version n one of n - 1 again."""


def downgrade(path: Path, version: int) -> None:
    connection = connect(str(path), apsw.SQLITE_OPEN_READWRITE)
    for newer in range(VERSION, version, -1):
        for statement in DOWNGRADES[newer]:
            connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {version}")
    connection.close()


@pytest.mark.asyncio
@pytest.mark.parametrize("version", range(1, VERSION))
async def test_older_file_is_migrated_with_its_mail(
    tmp_path: Path, version: int
) -> None:
    first = Queue.open(tmp_path, options=OPTIONS)
    mail = message("a@b.example", "b@b.example")
    first.put_now(mail, decision(mail))
    first.close_now()
    downgrade(tmp_path / "queue.db", version)

    queue = Queue.open(tmp_path, options=OPTIONS)
    queue.start(asyncio.get_running_loop(), pytest.fail)
    queued = await queue.get(mail.id)
    assert queued is not None
    assert queued.message == mail
    assert [(one.cause, one.delay_told_at) for one in queued.recipients] == [
        ("", 0)
    ] * 2
    # What only the newer version can keep, it keeps.
    late = Result(1, State.DEFERRED, "450 x", NOW + 60, "greylisted", NOW)
    await queue.settle(mail.id, [late])
    await queue.settle(mail.id, [Result(1, State.DEFERRED, "450 y", NOW + 120, "DNS")])
    queued = await queue.get(mail.id)
    assert queued is not None
    told = queued.recipients[1]
    assert (told.cause, told.delay_told_at, told.attempts) == ("DNS", NOW, 2)
    await queue.close()
    connection = connect(str(tmp_path / "queue.db"), apsw.SQLITE_OPEN_READWRITE)
    assert connection.execute("PRAGMA user_version").fetchall() == [(VERSION,)]
    connection.close()
