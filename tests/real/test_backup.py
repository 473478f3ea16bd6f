"""``sekisho queue backup`` of a running service, and ``restore`` of it."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

from peers.service import OWN, Service, plain_settings
from peers.sink import RecordingSink
from real.messages import a_message, stuffed, token

Serve = Callable[..., Service]
SENDER = "a@outside.test"


def not_now(line: bytes) -> bytes | None:
    return b"421 4.3.2 not now" if line[:4] == b"EHLO" else None


def test_a_backup_of_a_running_service_is_restored_held(
    serve: Serve, sink: RecordingSink, tmp_path: Path
) -> None:
    sink.answer = not_now
    service = serve(plain_settings(sink.url), users=False)
    for size in (1, 4_000):
        with service.dial("mx") as client:
            client.ehlo()
            for line in (f"MAIL FROM:<{SENDER}>", f"RCPT TO:<known@{OWN}>", "DATA"):
                assert client.say(line).code < 400
            body = ("w" * 70 + "\r\n") * size
            client.send(stuffed(a_message(token(), author=SENDER, body=body)))
            assert client.reply().code == 250
    ids = {str(one["id"]) for one in service.queue()}
    folder = tmp_path / "backup"
    told = json.loads(
        service.run("queue", "backup", "--json", str(folder)).well().output
    )
    assert sum(one["messages"] for one in told) == 2
    refused = service.run("queue", "restore", str(folder))
    assert refused.status != 0
    assert "running" in refused.errors
    service.stop()
    refused = service.run("queue", "restore", str(folder))
    assert refused.status != 0
    assert "there is mail in" in refused.errors
    for file in [*(service.folder / "data").glob("queue*/queue.db")]:
        shutil.rmtree(file.parent)
    assert "all held" in service.run("queue", "restore", str(folder)).well().output
    service.start()
    listed = {str(one["id"]): one["state"] for one in service.queue()}
    assert listed == dict.fromkeys(ids, "held")
    service.stop()
