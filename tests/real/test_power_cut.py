"""A power cut: what was answered 250 is on the disk, not only in the kernel's memory.

The service's data lies on an ext4 image. While clients send, the image is copied as it
is: what was not synced is not in it yet. The copy is mounted as after a power cut, and
every message that was acknowledged before must be in its queues. The service's
processes stand still for the copy, since a copy takes longer than a power cut.
"""

import os
import shutil
import signal
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from peers.process import run
from peers.service import Service
from peers.sink import RecordingSink
from real.test_durability import Serve, refusing, settings_for
from real.test_kills import Load
from sekisho.app.storage import queue_folders
from sekisho.model.ids import parse_message_id
from sekisho.queue.records import Selection
from sekisho.queue.store import Queue, QueueOptions

CUTS = 3


@contextmanager
def mounted(image: Path, folder: Path) -> Generator[Path]:
    """Mount an image; skip where that is not permitted."""
    folder.mkdir()
    done = run(["mount", "-o", "loop", str(image), str(folder)])
    if done.status != 0:
        pytest.skip(f"an image cannot be mounted here: {done.errors.strip()}")
    try:
        yield folder
    finally:
        run(["umount", "-l", str(folder)]).well()


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """An ext4 file system in a file."""
    if os.geteuid() != 0:
        pytest.skip("mounting an image needs root")
    make = shutil.which("mkfs.ext4") or shutil.which(
        "mkfs.ext4", path="/usr/sbin:/sbin"
    )
    if make is None:
        pytest.skip("there is no mkfs.ext4")
    path = tmp_path / "disk.img"
    with path.open("wb") as file:
        file.truncate(512 * 1024 * 1024)
    run([make, "-q", "-F", str(path)]).well()
    return path


@pytest.fixture
def disk(tmp_path: Path, image: Path) -> Iterator[Path]:
    with mounted(image, tmp_path / "disk") as folder:
        yield folder


def processes(service: Service) -> list[int]:
    return [*service.workers().values(), service.process.running.pid]


def cut(service: Service, image: Path, disk: Path, copy: Path) -> None:
    """Copy the image while nobody writes to it."""
    for pid in processes(service):
        os.kill(pid, signal.SIGSTOP)
    try:
        (disk / copy.stem).write_bytes(b"written and never synced")
        run(["cp", "--sparse=always", str(image), str(copy)]).well()
    finally:
        for pid in processes(service):
            os.kill(pid, signal.SIGCONT)


def subjects(data_dir: Path) -> set[str]:
    """Of all messages in the queues of a data folder."""
    found: set[str] = set()
    for folder in queue_folders(data_dir):
        queue = Queue.open(folder, options=QueueOptions(min_free_bytes=0))
        assert queue.salvaged is None
        after = None
        while page := queue.reader.listed(Selection(), 500, after):
            for one in page:
                after = parse_message_id(one.id)
                queued = queue.reader.get(after)
                assert queued is not None
                content = b"".join(queue.bodies.pages_now(queued.message.content))
                assert len(content) == one.size_bytes
                lines = content.split(b"\r\n")
                found.update(
                    line.removeprefix(b"Subject: ").decode()
                    for line in lines
                    if line.startswith(b"Subject: ")
                )
        queue.close_now()
    return found


@pytest.mark.timeout(120)
@pytest.mark.parametrize("lines", [3, 1500], ids=["row", "file"])
def test_what_was_acknowledged_before_a_power_cut_is_there_after_it(
    disk: Path,
    image: Path,
    tmp_path: Path,
    serve: Serve,
    sink: RecordingSink,
    lines: int,
) -> None:
    sink.answer = refusing(b"EHLO", b"HELO", reply=b"421 4.3.2 not now")
    settings = {**settings_for(sink), "data_dir": str(disk / "data")}
    settings["limits"] = {"min_free_bytes": 0}
    settings["queue"] = {"retry_minutes": [60]}
    service = serve(settings, users=False)
    load = Load(service, "cut", ("x" * 70 + "\r\n") * lines)
    load.start()
    for number in range(CUTS):
        time.sleep(0.7)
        acknowledged = set(load.acknowledged)
        assert acknowledged
        copy = tmp_path / f"copy{number}.img"
        cut(service, image, disk, copy)
        with mounted(copy, tmp_path / f"copy{number}") as after:
            # That nothing but syncing brings something here, this shows.
            control = after / copy.stem
            assert not control.exists() or control.read_bytes() == b""
            assert acknowledged - subjects(after / "data") == set()
        copy.unlink()
    load.join()
    service.stop()
