"""A queue file damaged in its middle, through the service: the rest is carried on."""

import random
import re
from pathlib import Path

from peers.process import wait_for
from peers.sink import RecordingSink
from real.messages import token
from real.test_durability import Serve, hand_in, refusing, settings_for, taking

PAGE = 4096
MESSAGES = 60


def overwrite_the_page_with(path: Path, needle: bytes) -> None:
    octets = bytearray(path.read_bytes())
    at = octets.index(needle) // PAGE * PAGE
    octets[at : at + PAGE] = random.Random(7).randbytes(PAGE)
    path.write_bytes(octets)


def test_what_is_readable_is_carried_on_and_the_rest_is_named(
    serve: Serve, sink: RecordingSink
) -> None:
    sink.answer = refusing(b"EHLO", b"HELO", reply=b"421 4.3.2 not now")
    service = serve({**settings_for(sink), "workers": 1}, users=False)
    marks = [token() for _ in range(MESSAGES)]
    for mark in marks:
        hand_in(service, mark)
    wait_for("the log", lambda: len(service.events("mail.accepted")) == MESSAGES, 10.0)
    accepted = [str(one["message"]) for one in service.events("mail.accepted")]
    service.stop()
    folder = service.folder / "data" / "queue"
    overwrite_the_page_with(folder / "queue.db", marks[MESSAGES // 2].encode())
    sink.answer = taking
    service.start()
    (report,) = wait_for(
        "the list", lambda: list(folder.glob("damaged-*/set-aside.txt")), 20
    )
    wait_for("an empty queue", lambda: service.queue() == [], 30)
    named = set(re.findall(r"(?m)^([0-9a-z]{26}):", report.read_text()))
    finished = {str(one["message"]) for one in service.events("message.finished")}
    assert named
    assert named | finished == set(accepted)
    assert named & finished == set()
    arrived = b"".join(message.content for message in sink.messages)
    carried = [mark for mark in marks if mark.encode() in arrived]
    # What was on its way when the first worker met the damage goes out again.
    assert len(carried) == len(finished) <= len(sink.messages)
    alarm = service.wait_for_event("alarm", about="damaged queue file")
    assert next(iter(named)) in alarm["detail"] or len(named) > 20
    assert (report.parent / "queue.db").exists()
    # It goes on as before.
    mark = token()
    hand_in(service, mark)
    sink.wait_for_content(mark.encode())


def test_damage_in_the_wal_is_told_and_the_rest_is_carried_on(
    serve: Serve, sink: RecordingSink
) -> None:
    """Killed with all of it in the WAL; then a page of that goes bad."""
    sink.answer = refusing(b"EHLO", b"HELO", reply=b"421 4.3.2 not now")
    service = serve({**settings_for(sink), "workers": 1}, users=False)
    marks = [token() for _ in range(MESSAGES)]
    for mark in marks:
        hand_in(service, mark)
    service.kill()
    folder = service.folder / "data" / "queue"
    wal = folder / "queue.db-wal"
    octets = bytearray(wal.read_bytes())
    at = octets.index(marks[MESSAGES // 2].encode())
    octets[at] ^= 1
    wal.write_bytes(octets)
    sink.answer = taking
    service.start()
    alarm = service.wait_for_event("alarm", about="damaged queue file")
    assert alarm["detail"].startswith("queue.db-wal: frame ")
    wait_for("an empty queue", lambda: service.queue() == [], 30)
    arrived = b"".join(message.content for message in sink.messages)
    lost = [mark for mark in marks if f"Subject: {mark}\r\n".encode() not in arrived]
    assert len(lost) <= 2, lost
