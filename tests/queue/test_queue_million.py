"""A million messages: opened, counted and listed within the issue's bounds."""

import subprocess
import sys
from pathlib import Path

import pytest

from queued_mail import decision, message
from sekisho.queue.file import QueueFile
from sekisho.queue.options import QueueOptions

MEASURE = """
import resource, sys, time
from pathlib import Path
from sekisho.queue.records import Selection
from sekisho.queue.store import Queue, QueueOptions
at = [time.monotonic()]
queue = Queue.open(Path(sys.argv[1]), options=QueueOptions(min_free_bytes=0))
at.append(time.monotonic())
assert queue.reader.stats(0.0).messages == 1_000_000
at.append(time.monotonic())
page = queue.reader.listed(Selection(destination="d7.example"), 100, None)
assert len(page) == 100
at.append(time.monotonic())
print(*(after - before for before, after in zip(at, at[1:])),
      resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
queue.close_now()
"""


@pytest.mark.deep
@pytest.mark.timeout(600)
def test_a_million_messages_are_opened_counted_and_listed(tmp_path: Path) -> None:
    file = QueueFile(tmp_path, QueueOptions().destinations)
    body = b"Subject: x\r\n\r\n" + b"x" * 1000
    for page in range(500):
        mails = [
            message(f"u@d{(page * 2000 + number) % 1000}.example", body=body)
            for number in range(2000)
        ]
        file.commit([file.put(one, decision(one)) for one in mails])
        if page % 20 == 0:
            file.checkpoint()
    file.checkpoint()
    file.close()
    measured = subprocess.run(
        [sys.executable, "-c", MEASURE, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
    )
    opened, counted, listed, mebibytes = map(float, measured.stdout.split())
    assert opened <= 5
    assert counted <= 1
    assert listed <= 1
    assert mebibytes <= 200
