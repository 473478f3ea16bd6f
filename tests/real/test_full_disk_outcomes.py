"""A disk that is full while outcomes and bounces are to be written.

What was delivered and could not be recorded is kept in mind and recorded later, never
delivered again; what was not delivered yet waits until there is room.
"""

import os
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from peers.process import run, wait_for
from peers.sink import RecordingSink
from real.messages import token
from real.test_durability import Serve, hand_in, settings_for

MESSAGES = 60
AT_ONCE = 20
"""More than may be on their way to one host when the first outcome is refused."""


@pytest.fixture
def little_disk(tmp_path: Path) -> Iterator[Path]:
    if os.geteuid() != 0:
        pytest.skip("a file system of its own needs root")
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = run(["mount", "-t", "tmpfs", "-o", "size=12m", "little", str(folder)])
    if mounted.status != 0:
        pytest.skip(f"cannot mount: {mounted.errors}")
    yield folder
    run(["umount", "-l", str(folder)]).well()


def fill(ballast: Path) -> None:
    with suppress(OSError), ballast.open("ab", buffering=0) as file:
        while file.write(b"\0" * 4096):
            pass


def marks_in(sink: RecordingSink, marks: list[str]) -> Counter[str]:
    """How often each mark arrived, as a subject or within a bounce."""
    pattern = re.compile(rf"\b(?:{'|'.join(marks)})\b")
    return Counter(
        mark
        for message in sink.messages
        for mark in set(pattern.findall(message.content.decode()))
    )


@pytest.mark.timeout(120)
@pytest.mark.parametrize("refused", [False, True], ids=["outcomes", "bounces"])
def test_nothing_is_lost_or_doubled_and_delivery_waits_for_room(
    serve: Serve, sink: RecordingSink, little_disk: Path, refused: bool
) -> None:
    gate = threading.Event()

    def answer(line: bytes) -> bytes | None:
        if line.upper().startswith(b"MAIL"):
            gate.wait(60)
        if refused and line.upper().startswith(b"RCPT TO:<KNOWN@"):
            return b"550 5.2.1 mailbox is closed"
        return None

    sink.answer = answer
    settings = {**settings_for(sink), "data_dir": str(little_disk / "data")}
    settings["limits"] = {"min_free_bytes": 0}
    settings["workers"] = 1
    service = serve(settings, users=False)
    marks = [token() for _ in range(MESSAGES)]
    for mark in marks:
        hand_in(service, mark)
    fill(little_disk / "ballast")
    gate.set()
    time.sleep(4)
    during = len(sink.messages)
    assert len(service.queue()) == MESSAGES, "an outcome was recorded on a full disk"
    # Without its failure on record there is no bounce; and whatever was on its way.
    assert during == 0 if refused else 0 < during <= AT_ONCE
    (little_disk / "ballast").unlink()
    wait_for("an empty queue", lambda: service.queue() == [], 60)
    assert marks_in(sink, marks) == Counter(marks)
    assert len(sink.messages) == MESSAGES
    service.process.assert_alive()
    assert service.events("worker.ended") == []
