"""After a failed sync the process ends, and all it ever acknowledged is there."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sekisho.model.ids import parse_message_id
from sekisho.queue.store import Queue, QueueOptions

CHILD = Path(__file__).with_name("acknowledging_child.py")


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
@pytest.mark.parametrize("call", ["fdatasync", "fsync"])
def test_what_was_acknowledged_before_is_there_and_the_process_ends(
    tmp_path: Path, call: str
) -> None:
    log = tmp_path / "strace.log"
    done = subprocess.run(
        [
            *("strace", "-f", "-o", str(log), "-e", "trace=fsync,fdatasync,write"),
            *("-e", f"inject={call}:error=EIO:when=30+", "-s", "64"),
            *(sys.executable, str(CHILD), str(tmp_path / "queue"), "forever"),
        ],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
        timeout=25,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(part for part in sys.path if part),
        },
    )
    if "ready" not in done.stdout:
        pytest.skip("strace may not trace here")
    assert done.returncode == 70  # The child's on_fatal.
    stored = set(re.findall(r"^put (\S{26})$", done.stdout, re.MULTILINE))
    settled = set(re.findall(r"^settled (\S{26})$", done.stdout, re.MULTILINE))
    assert stored
    queue = Queue.open(tmp_path / "queue", options=QueueOptions(min_free_bytes=0))
    missing = [
        name
        for name in stored - settled
        if queue.reader.get(parse_message_id(name)) is None
    ]
    queue.close_now()
    # A settling may have reached the file and not its client: one each of twenty.
    assert len(missing) <= 20
    assert "(INJECTED)" in log.read_text("utf-8", "replace")
