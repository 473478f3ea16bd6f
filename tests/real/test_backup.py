"""``sekisho queue backup`` of a running service, and ``restore`` of it."""

import json
import shutil
from pathlib import Path

from peers.service import Service, plain_settings
from peers.sink import RecordingSink
from real.messages import token
from real.test_durability import Serve, hand_in


def not_now(line: bytes) -> bytes | None:
    return b"421 4.3.2 not now" if line[:4] == b"EHLO" else None


def app_password(service: Service) -> str:
    """Make one for the user."""
    arguments = ("user", "app-password", "add", service.USER, "printer", "--json")
    return json.loads(service.run(*arguments).well().output)["password"]


def test_a_backup_of_a_running_service_is_restored_held(
    serve: Serve, sink: RecordingSink, tmp_path: Path
) -> None:
    """Two workers' queues, accounts and app passwords, on a machine that has none."""
    sink.answer = not_now
    service = serve(plain_settings(sink.url, workers=2))
    for size in (1, 4_000):
        hand_in(service, token(), body=("w" * 70 + "\r\n") * size)
    password = app_password(service)
    ids = {str(one["id"]) for one in service.queue()}
    folder = tmp_path / "backup"
    told = json.loads(
        service.run("queue", "backup", "--json", str(folder)).well().output
    )
    assert {one["queue"] for one in told["queues"]} == {"queue", "queue-1"}
    assert sum(one["messages"] for one in told["queues"]) == 2
    assert told["files"] == ["accounts.db", "shared.db"]
    for file in (*folder.glob("*.*"), *folder.glob("queue*/queue.db")):
        assert file.stat().st_mode & 0o777 == 0o600, file
    assert folder.stat().st_mode & 0o777 == 0o700
    again = service.run("queue", "backup", str(folder))
    assert "is a backup already" in again.errors
    refused = service.run("queue", "restore", str(folder))
    assert refused.status != 0
    assert "running" in refused.errors
    service.stop()
    refused = service.run("queue", "restore", str(folder))
    assert refused.status != 0
    assert "there is mail in" in refused.errors
    shutil.rmtree(service.folder / "data")
    said = service.run("queue", "restore", str(folder)).well().output
    assert "all held" in said
    assert "accounts.db: restored" in said
    service.start()
    listed = {str(one["id"]): one["state"] for one in service.queue()}
    assert listed == dict.fromkeys(ids, "held")
    with service.signed_in():
        pass
    with service.dial("submission") as client:
        client.starttls()
        assert client.login(service.USER, password).code == 235
    service.stop()


def test_accounts_that_are_there_stay(
    serve: Serve, sink: RecordingSink, tmp_path: Path
) -> None:
    """Of the machine that is restored to, and a backup made while it was stopped."""
    service = serve(plain_settings(sink.url, workers=2))
    service.stop()
    folder = tmp_path / "backup"
    service.run("queue", "backup", str(folder)).well()
    service.add_user("late@own.test")
    told = json.loads(
        service.run("queue", "restore", "--json", str(folder)).well().output
    )
    assert told["files"]["accounts.db"] == "kept"
    users = json.loads(service.run("user", "list", "--json").well().output)
    assert "late@own.test" in {one["name"] for one in users}
    service.start()


def test_what_was_broken_off_is_no_backup(
    serve: Serve, sink: RecordingSink, tmp_path: Path
) -> None:
    service = serve(plain_settings(sink.url, workers=2))
    service.stop()
    folder = tmp_path / "backup"
    service.run("queue", "backup", str(folder)).well()
    (folder / "backup.json").unlink()
    refused = service.run("queue", "restore", str(folder))
    assert refused.status == 1
    assert "none that came to its end" in refused.errors
    service.start()
