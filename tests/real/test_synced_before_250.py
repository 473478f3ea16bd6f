"""The kernel's word for it: a sync is done before each 250 for content."""

import re
import shutil
from pathlib import Path

import pytest

from peers.process import wait_for
from peers.service import Service
from peers.sink import RecordingSink
from real.messages import token
from real.test_durability import hand_in, settings_for

_CALLS = "trace=fsync,fdatasync,write,writev,sendto,sendmsg"
_BEGUN = re.compile(r"^(\d+) +(fsync|fdatasync)\(\d+<([^>]*)>(.*)")
_ENDED = re.compile(r"^(\d+) +<\.\.\. (?:fsync|fdatasync) resumed>\) += 0")
_REPLY = re.compile(r'^\d+ +(?:write|writev|sendto|sendmsg)\(.*?"(354 |250 2\.0\.0 )')


def synced_between(trace: str) -> list[set[str]]:
    """For each 250 of content: the files whose sync ended since the 354 before it."""
    found: list[set[str]] = []
    ended: set[str] = set()
    running: dict[str, str] = {}
    for line in trace.splitlines():
        if begun := _BEGUN.match(line):
            thread, _, path, rest = begun.groups()
            if rest.startswith("<unfinished") or "<unfinished" in rest:
                running[thread] = path
            elif rest.rstrip().endswith("= 0"):
                ended.add(path)
        elif done := _ENDED.match(line):
            ended.add(running.pop(done[1], ""))
        elif reply := _REPLY.match(line):
            if reply[1] == "354 ":
                ended = set()
            else:
                found.append(ended)
    return found


@pytest.mark.timeout(90)
def test_each_250_follows_a_sync_of_what_it_promises(
    tmp_path: Path, sink: RecordingSink
) -> None:
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("there is no strace")
    trace = tmp_path / "trace.txt"
    within = [strace, "-D", "-f", "-y", "-qq", "-s", "64", "-e", _CALLS, "-o", trace]
    settings = {**settings_for(sink), "workers": 1}
    bodies = ("Hello.\r\n", "y" * 70 + "\r\n", ("z" * 70 + "\r\n") * 3000)
    with Service(tmp_path / "service", settings, within=within) as service:
        for body in bodies:
            mark = token()
            hand_in(service, mark, body=body)
            # One after the other, so that no sync is another message's.
            sink.wait_for_content(mark.encode())
            service.wait_until_idle()
    wait_for("the trace", lambda: len(synced_between(trace.read_text())) >= len(bodies))
    synced = synced_between(trace.read_text())[: len(bodies)]
    for files in synced:
        assert any(one.endswith("queue.db-wal") for one in files), files
    # The body's own file, and the folder that names it.
    assert any("/bodies/" in one for one in synced[-1]), synced[-1]
    assert any(one.endswith("/bodies") for one in synced[-1]), synced[-1]
