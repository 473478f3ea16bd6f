"""Damage in the WAL loses nothing unsaid; the torn end of a power cut is no damage."""

import random
import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from queued_mail import decision, message
from sekisho.model.message import Message
from sekisho.queue.records import Action, Selection
from sekisho.queue.set_aside import REPORT
from sekisho.queue.store import Queue, QueueOptions
from sekisho.queue.wal import find_break

PAGE, HEAD, FRAME = 4096, 32, 4096 + 24
MESSAGES = 40
OPTIONS = QueueOptions(min_free_bytes=0)


def filled(folder: Path, count: int = MESSAGES) -> list[Message]:
    """A queue as `kill -9` leaves it: all of it in the WAL, one commit a message."""
    live = folder.with_name("live")
    queue = Queue.open(live, options=OPTIONS)
    mails = [message(body=b"%d " % number * 500) for number in range(count)]
    for mail in mails:
        queue.put_now(mail, decision(mail))
    shutil.copytree(live, folder)
    queue.close_now()
    return mails


class WalFile:
    """The WAL of a queue that nobody has open, frame by frame (from 1)."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "queue.db-wal"
        self.octets = bytearray(self.path.read_bytes())
        self.frames = (len(self.octets) - HEAD) // FRAME
        self.commits = [
            number
            for number in range(1, self.frames + 1)
            if struct.unpack_from(">I", self.octets, self.at(number) + 4)[0]
        ]

    def at(self, number: int) -> int:
        return HEAD + (number - 1) * FRAME

    def spoil(self, number: int, start: int = 24, length: int = PAGE) -> None:
        """Make each octet of a part of a frame another one."""
        at = self.at(number) + start
        changes = random.Random(number).choices(range(1, 256), k=length)
        for place, change in enumerate(changes, at):
            self.octets[place] ^= change
        self.save()

    def save(self) -> None:
        self.path.write_bytes(self.octets)


def ids_in(folder: Path) -> tuple[set[str], Queue]:
    queue = Queue.open(folder, options=OPTIONS)
    listed = queue.reader.listed(Selection(), 10_000, None)
    return {one.id for one in listed if one.state == "active"}, queue


@pytest.mark.parametrize("part", [(24, PAGE), (24, 1), (0, 24), (0, FRAME)])
@pytest.mark.parametrize("seed", range(4))
def test_what_lies_behind_a_damaged_frame_is_kept_and_the_damage_named(
    tmp_path: Path, seed: int, part: tuple[int, int]
) -> None:
    folder = tmp_path / "queue"
    mails = filled(folder)
    wal = WalFile(folder)
    first, last = wal.commits[5], wal.commits[-3]
    bad = random.Random(seed).randrange(first, last)
    wal.spoil(bad, *part)
    octets = wal.path.read_bytes()
    found, queue = ids_in(folder)
    assert queue.salvaged is not None
    aside, report = queue.salvaged.folder, queue.salvaged.lines
    assert (aside / "queue.db-wal").read_bytes() == octets
    assert report[0].startswith(f"queue.db-wal: frame {bad} of ")
    assert report[0] in (aside / REPORT).read_text()
    detail, hint = queue.salvaged.told()
    assert detail.startswith("queue.db-wal: frame ")
    assert str(aside) in hint
    named = {line.split(":")[0] for line in report[1:]}
    # Whatever was acknowledged goes on or is named; most of it goes on.
    assert found | named >= {str(mail.id) for mail in mails}
    assert len(found) > MESSAGES - 8
    queue.close_now()
    assert {one.name for one in folder.glob("wreck*")} == set()
    again, queue = ids_in(folder)
    assert again == found
    assert queue.salvaged is None
    queue.close_now()


def torn_in_the_last_commit(wal: WalFile) -> None:
    wal.spoil(wal.commits[-2] + 1)


def torn_at_its_end(wal: WalFile) -> None:
    wal.spoil(wal.frames)


def cut_short(wal: WalFile) -> None:
    del wal.octets[wal.at(wal.frames) + 100 :]
    wal.save()


def behind_lie_frames_of_an_older_cycle(wal: WalFile) -> None:
    """As a WAL that began anew over a longer one: the same frames, other salts."""
    older = bytearray(wal.octets[HEAD:])
    for at in range(0, len(older), FRAME):
        older[at + 8 : at + 16] = b"\1\2\3\4\5\6\7\x08"
    wal.octets += older
    wal.save()


def behind_lies_an_earlier_cut(wal: WalFile) -> None:
    """A commit that was not whole, its beginning written over since."""
    wal.octets += wal.octets[
        wal.at(wal.commits[3]) + FRAME : wal.at(wal.commits[4]) + FRAME
    ]
    wal.spoil(wal.commits[-1])


def behind_lie_zeros(wal: WalFile) -> None:
    wal.octets += bytes(20 * FRAME)
    wal.save()


def nothing_in_it(wal: WalFile) -> None:
    del wal.octets[:]
    wal.save()


@pytest.mark.parametrize(
    "cut",
    [
        torn_in_the_last_commit,
        torn_at_its_end,
        cut_short,
        behind_lie_frames_of_an_older_cycle,
        behind_lies_an_earlier_cut,
        behind_lie_zeros,
    ],
)
def test_what_a_power_cut_leaves_is_no_damage(
    tmp_path: Path, cut: Callable[[WalFile], None]
) -> None:
    folder = tmp_path / "queue"
    mails = filled(folder)
    cut(WalFile(folder))
    found, queue = ids_in(folder)
    assert queue.salvaged is None
    # The last group was not whole on disk, so nobody was told that it is kept.
    assert found >= {str(mail.id) for mail in mails[:-1]}
    queue.close_now()


def test_no_wal_is_no_damage(tmp_path: Path) -> None:
    folder = tmp_path / "queue"
    filled(folder)
    assert find_break(folder / "queue.db") is None
    assert find_break(folder / "other.db") is None
    nothing_in_it(WalFile(folder))
    assert find_break(folder / "queue.db") is None


def test_a_queue_that_all_mail_has_left_begins_empty(tmp_path: Path) -> None:
    """Its WAL tells of mail that came and went; there is nothing to salvage."""
    live, folder = tmp_path / "live", tmp_path / "queue"
    queue = Queue.open(live, options=OPTIONS)
    for _ in range(10):
        mail = message()
        queue.put_now(mail, decision(mail))
    for _ in range(10):
        mail = message()
        queue.put_now(mail, decision(mail))
        assert queue.act_now(Action.REMOVE, Selection(), 0.0)
    shutil.copytree(live, folder)
    queue.close_now()
    wal = WalFile(folder)
    wal.spoil(wal.commits[-8])
    found, queue = ids_in(folder)
    assert queue.salvaged is not None
    assert len(found) <= 1
    queue.close_now()


def test_a_damaged_header_of_the_wal_loses_nothing_without_a_word(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "queue"
    mails = filled(folder)
    wal = WalFile(folder)
    wal.octets[16:32] = bytes(range(16))
    wal.save()
    found, queue = ids_in(folder)
    assert queue.salvaged is not None
    named = {line.split(":")[0] for line in queue.salvaged.lines[1:]}
    assert found | named >= {str(mail.id) for mail in mails}
    queue.close_now()
