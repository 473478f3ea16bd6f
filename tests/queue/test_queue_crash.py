"""What was acknowledged is there: after kill -9, on a full disk, and by strace."""

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sekisho.model.ids import parse_message_id
from sekisho.queue.records import State
from sekisho.queue.store import Queue, QueueOptions

CHILD = Path(__file__).with_name("acknowledging_child.py")


def child(folder: Path, *before: str, mode: str = "forever") -> "subprocess.Popen[str]":
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(part for part in sys.path if part),
    }
    return subprocess.Popen(
        [*before, sys.executable, str(CHILD), str(folder), mode],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )


def test_acknowledged_mail_survives_kill_9(tmp_path: Path) -> None:
    chance = random.Random(20260101)
    stored: set[str] = set()
    settled: set[str] = set()
    for _ in range(4):
        running = child(tmp_path)
        assert running.stdout is not None
        assert running.stdout.readline() == "ready\n"
        time.sleep(chance.uniform(0.05, 0.5))
        running.send_signal(signal.SIGKILL)
        lines = running.stdout.read().splitlines()
        running.wait()
        running.stdout.close()
        assert lines
        for line in lines:
            match line.split():
                case ["put", name] if len(name) == 26:
                    stored.add(name)
                case ["settled", name] if len(name) == 26:
                    settled.add(name)
                case _:
                    pass  # The last line may be cut short: it was not acknowledged.
        queue = Queue.open(tmp_path, options=QueueOptions(min_free_bytes=0))
        for name in stored - settled:
            queued = queue.reader.get(parse_message_id(name))
            # Its settling may have been stored and not yet acknowledged.
            if queued is None:
                continue
            assert queued.recipients[0].state is State.PENDING
            assert len(b"".join(queue.bodies.pages_now(queued.message.content)))
        missing = [
            name
            for name in stored - settled
            if queue.reader.get(parse_message_id(name)) is None
        ]
        assert len(missing) <= 20  # The child has twenty clients, one settle each.
        settled.update(missing)
        for name in settled:
            assert queue.reader.get(parse_message_id(name)) is None
        queue.close_now()
    assert len(stored) > 100


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_fsync_comes_before_the_acknowledgement(tmp_path: Path) -> None:
    log = tmp_path / "strace.log"
    running = child(
        tmp_path / "queue",
        *("strace", "-f", "-y", "-o", str(log)),
        *("-e", "trace=write,pwrite64,fsync,fdatasync", "-s", "64"),
        mode="one",
    )
    output, _ = running.communicate(timeout=25)
    if "ready" not in output:
        pytest.skip("strace may not trace here")
    lines = log.read_text("utf-8", "replace").splitlines()
    ready = _first(lines, 0, r'write\(1<.*"ready')
    wal_written = _first(lines, ready, r"pwrite64\(\d+<[^>]*queue\.db-wal>")
    wal_synced = _first(lines, wal_written, r"fdatasync\(\d+<[^>]*queue\.db-wal>")
    answered = _first(lines, ready, r'write\(1<.*"put ')
    assert ready < wal_written < wal_synced < answered
    # The message has a large body: file and folder come before the row.
    body_synced = _first(lines, ready, r"fsync\(\d+<[^>]*/bodies/[0-9a-f]+>")
    folder_synced = _first(lines, body_synced, r"fsync\(\d+<[^>]*/bodies>")
    assert body_synced < folder_synced < wal_written


def _first(lines: list[str], start: int, pattern: str) -> int:
    for number in range(start, len(lines)):
        if re.search(pattern, lines[number]):
            return number
    pytest.fail(f"no {pattern} after line {start}")
