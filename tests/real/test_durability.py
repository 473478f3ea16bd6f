"""A 250 is kept: through kill -9, a full disk and a next host that says no."""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from peers.process import run, wait_for
from peers.service import OWN, Service, plain_settings
from peers.sink import RecordingSink
from real.messages import a_message, assert_carried, stuffed, token

Serve = Callable[..., Service]
SENDER = "a@outside.test"


def hand_in(
    service: Service,
    mark: str,
    *,
    sender: str = SENDER,
    recipient: str = f"known@{OWN}",
    body: str = "Hello.\r\n",
) -> bytes:
    """Give a message to the mx listener and want 250."""
    sent = a_message(mark, author="a@outside.test", body=body)
    with service.dial("mx") as client:
        client.ehlo()
        assert client.say(f"MAIL FROM:<{sender}>").code == 250
        assert client.say(f"RCPT TO:<{recipient}>").code == 250
        assert client.say("DATA").code == 354
        client.send(stuffed(sent))
        assert client.reply().code == 250
    return sent


def refusing(*verbs: bytes, reply: bytes) -> Callable[[bytes], bytes | None]:
    """Make a next host that answers these commands with this reply."""
    return lambda line: reply if line.upper().startswith(verbs) else None


def taking(line: bytes) -> None:
    """Let a next host take everything."""


def settings_for(sink: RecordingSink) -> dict[str, object]:
    """Retry at once instead of after minutes."""
    return {**plain_settings(sink.url, workers=2), "queue": {"retry_minutes": [0.01]}}


def states(service: Service) -> dict[str, str]:
    """What is in the queue, and how it stands."""
    return {str(item["id"]): str(item["state"]) for item in service.queue()}


@pytest.mark.parametrize("size", [100, 200_000], ids=["row", "file"])
def test_killed_after_250_is_delivered_after_the_next_start(
    serve: Serve, sink: RecordingSink, size: int
) -> None:
    """While the next host is down, then up again."""
    sink.answer = refusing(b"EHLO", b"HELO", reply=b"421 4.3.2 not now")
    service = serve(settings_for(sink), users=False)
    marks = [token() for _ in range(5)]
    body = "y" * 70 + "\r\n"
    sent = {
        mark: hand_in(service, mark, body=body * (size // len(body) + 1))
        for mark in marks
    }
    service.kill()
    assert sink.messages == []
    sink.answer = taking
    service.start()
    for mark in marks:
        arrived = sink.wait_for_content(mark.encode())
        assert_carried(arrived.content, sent[mark])
    wait_for("an empty queue", lambda: service.queue() == [])
    service.stop()


def test_killed_at_any_moment_loses_nothing_that_was_acknowledged(
    serve: Serve, sink: RecordingSink
) -> None:
    """Three rounds; at least once, so duplicates are allowed, gaps are not."""
    service = serve(settings_for(sink), users=False)
    acknowledged: list[str] = []
    for _ in range(3):
        for _ in range(8):
            mark = f"{token()}."
            hand_in(service, mark)
            acknowledged.append(mark)
        service.kill()
        service.start()
    for mark in acknowledged:
        sink.wait_for_content(f"Subject: {mark}\r\n".encode())
    service.stop()


def test_half_a_message_is_no_message(serve: Serve, sink: RecordingSink) -> None:
    """Killed, or left by the client, before the final dot."""
    service = serve(settings_for(sink), users=False)
    for ending in ("left", "killed"):
        with service.dial("mx") as client:
            client.ehlo()
            assert client.say(f"MAIL FROM:<{SENDER}>").code == 250
            assert client.say(f"RCPT TO:<known@{OWN}>").code == 250
            assert client.say("DATA").code == 354
            client.send(b"Subject: half\r\n\r\n" + b"z\r\n" * 40_000)
            if ending == "killed":
                service.kill()
    service.start()
    mark = token()
    hand_in(service, mark)
    sink.wait_for_content(mark.encode())
    service.wait_for_event("message.finished")
    assert [m for m in sink.messages if b"Subject: half" in m.content] == []
    assert service.queue() == []
    service.stop()


def test_a_second_service_on_the_same_queue_does_not_start(
    serve: Serve, sink: RecordingSink
) -> None:
    service = serve(settings_for(sink), users=False)
    second = run([*service.process.arguments], folder=service.folder, seconds=20)
    assert second.status != 0
    assert "Traceback" not in second.errors
    mark = token()
    hand_in(service, mark)
    sink.wait_for_content(mark.encode())


# -- a full disk ----------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 32 MiB: two workers take about 8 of an empty one."""
    if os.geteuid() != 0:
        pytest.skip("a file system of its own needs root")
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = run(["mount", "-t", "tmpfs", "-o", "size=32m", "small", str(folder)])
    if mounted.status != 0:
        pytest.skip(f"cannot mount: {mounted.errors}")
    yield folder
    run(["umount", "-l", str(folder)]).well()


@pytest.mark.parametrize("min_free_bytes", [4 * 1024 * 1024, 0], ids=["low", "full"])
def test_a_full_disk_is_452_and_service_goes_on_when_there_is_room(
    serve: Serve, sink: RecordingSink, small_disk: Path, min_free_bytes: int
) -> None:
    """Above the reserve it is looked at beforehand; without one it is met."""
    settings = settings_for(sink)
    settings["data_dir"] = str(small_disk / "data")
    settings["limits"] = {"min_free_bytes": min_free_bytes}
    service = serve(settings, users=False)
    before = token()
    hand_in(service, before)
    sink.wait_for_content(before.encode())

    ballast = small_disk / "ballast"
    free = shutil.disk_usage(small_disk).free
    with ballast.open("wb") as file:
        file.write(b"\0" * (free - (64 * 1024 if not min_free_bytes else 1024 * 1024)))

    statuses: set[str] = set()

    def refused() -> bool:
        # Below the reserve it may take a moment until the shortage is seen.
        statuses.add(_attempt(service))
        return bool({"452 4.3.1"} & statuses)

    wait_for("452 4.3.1", refused)
    assert statuses <= {"452 4.3.1", "250 2.0.0"}

    ballast.unlink()
    # Each worker looks for itself, and a client meets either.
    wait_for(
        "250 again",
        lambda: all(_attempt(service) == "250 2.0.0" for _ in range(12)),
    )
    after = token()
    hand_in(service, after)
    sink.wait_for_content(after.encode())
    service.process.assert_alive()


def _attempt(service: Service) -> str:
    big = a_message(token(), author=SENDER, body=("w" * 70 + "\r\n") * 4_000)
    with service.dial("mx") as client:
        client.ehlo()
        for line in (f"MAIL FROM:<{SENDER}>", f"RCPT TO:<known@{OWN}>", "DATA"):
            answer = client.say(line)
            if answer.code >= 400:
                return answer.status
        client.send(stuffed(big))
        return client.reply().status


# -- failures -------------------------------------------------------------------------


def test_a_permanent_failure_comes_back_to_the_sender(
    serve: Serve, sink: RecordingSink
) -> None:
    """RFC 3464: to the reverse-path, from nobody, with the next host's words."""
    sink.answer = refusing(b"RCPT TO:<KNOWN@", reply=b"550 5.2.1 mailbox is closed")
    service = serve(settings_for(sink), users=False)
    mark = token()
    hand_in(service, mark)
    bounce = sink.wait_for_messages(1)[0]
    assert bounce.reverse_path == ""
    assert bounce.recipients == [SENDER]
    text = bounce.content.decode()
    assert re.search(
        r'(?i)content-type: multipart/report;\s+report-type="?delivery-st', text
    )
    assert re.search(rf"(?mi)^Final-Recipient: rfc822; ?known@{OWN}\r$", text)
    assert re.search(r"(?mi)^Action: failed\r$", text)
    assert re.search(r"(?mi)^Status: 5\.2\.1\r$", text)
    assert "mailbox is closed" in text
    assert mark in text
    service.wait_for_event("message.reported")
    wait_for("an empty queue", lambda: service.queue() == [])


def test_the_null_sender_gets_no_bounce(serve: Serve, sink: RecordingSink) -> None:
    """Else two hosts would bounce at each other for ever. An operator finds it."""
    sink.answer = refusing(b"RCPT TO:<KNOWN@", reply=b"550 5.2.1 mailbox is closed")
    service = serve(settings_for(sink), users=False)
    hand_in(service, token(), sender="")
    event = service.wait_for_event("delivery.failed")
    wait_for("it to be dead", lambda: states(service) == {event["message"]: "dead"})
    assert sink.messages == []
    assert service.events("message.reported") == []


def test_a_bounce_that_cannot_be_delivered_is_not_bounced(
    serve: Serve, sink: RecordingSink
) -> None:
    sink.answer = refusing(b"RCPT", reply=b"550 5.1.1 nobody here")
    service = serve(settings_for(sink), users=False)
    hand_in(service, token())
    event = service.wait_for_event("delivery.failed", recipient=SENDER)
    wait_for("it to be dead", lambda: states(service) == {event["message"]: "dead"})
    about = "a message from <> cannot be delivered"
    alarm = service.wait_for_event("alarm", about=about)
    assert event["message"] in alarm["detail"]
    assert "--state dead" in alarm["hint"]
    assert len(service.events("message.reported")) == 1


def test_a_temporary_failure_is_tried_again(serve: Serve, sink: RecordingSink) -> None:
    """4xx at the end of content; then it is taken, once."""
    sink.answer = refusing(b".", reply=b"451 4.3.0 try later")
    service = serve(settings_for(sink), users=False)
    mark = token()
    sent = hand_in(service, mark)
    event = service.wait_for_event("delivery.deferred")
    assert "451" in event["reply"]
    sink.answer = taking
    assert_carried(sink.wait_for_content(mark.encode()).content, sent)
    service.wait_until_idle()
    assert len(sink.messages) == 1


def test_recipients_fail_and_arrive_one_by_one(
    serve: Serve, sink: RecordingSink
) -> None:
    """One refused, one taken: a bounce that names the one alone."""
    sink.answer = refusing(b"RCPT TO:<KNOWN@", reply=b"550 5.2.1 closed")
    service = serve(settings_for(sink), users=False)
    mark = token()
    with service.dial("mx") as client:
        client.ehlo()
        assert client.say(f"MAIL FROM:<{SENDER}>").code == 250
        assert client.say(f"RCPT TO:<known@{OWN}>").code == 250
        assert client.say(f"RCPT TO:<user@{OWN}>").code == 250
        assert client.say("DATA").code == 354
        client.send(stuffed(a_message(mark, author=SENDER)))
        assert client.reply().code == 250
    sink.wait_for_messages(2)
    by_sender = {message.reverse_path: message for message in sink.messages}
    assert by_sender[SENDER].recipients == [f"user@{OWN}"]
    report = by_sender[""].content
    assert re.findall(rb"(?mi)^Final-Recipient: rfc822; ?(.*)\r$", report) == [
        f"known@{OWN}".encode()
    ]


def test_an_expired_message_is_bounced(serve: Serve, sink: RecordingSink) -> None:
    sink.answer = refusing(b"RCPT TO:<KNOWN@", reply=b"450 4.2.1 busy for ever")
    settings = settings_for(sink)
    settings["queue"] = {"retry_minutes": [0.01], "expire_hours": 0.0005}
    service = serve(settings, users=False)
    hand_in(service, token())
    bounce = sink.wait_for_messages(1, seconds=20)[0]
    assert bounce.reverse_path == ""
    assert b"busy for ever" in bounce.content
