"""A command that meets damage while the service is stopped tells of it."""

import shutil
from pathlib import Path

from cli.conftest import Command
from queued_mail import decision, message
from sekisho.config.load import load_config
from sekisho.queue.store import Queue, QueueOptions

MESSAGES = 30


def test_damage_that_a_command_salvages_is_told_on_its_standard_error(
    config: Path, sekisho: Command, tmp_path: Path
) -> None:
    queue = Queue.open(tmp_path / "live", options=QueueOptions(min_free_bytes=0))
    for _ in range(MESSAGES):
        mail = message(body=b"x" * 3000)
        queue.put_now(mail, decision(mail))
    folder = load_config(config, {}).data_dir / "queue"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(tmp_path / "live", folder)  # As `kill -9` leaves it.
    queue.close_now()
    wal = folder / "queue.db-wal"
    octets = bytearray(wal.read_bytes())
    octets[len(octets) // 2] ^= 1
    wal.write_bytes(octets)
    first = sekisho("queue", "stats", "--json", "--config", str(config))
    assert first.code == 0, first.err
    assert first.json["messages"] > MESSAGES - 4
    assert first.err.startswith("sekisho: damaged queue file: queue.db-wal: frame ")
    assert "set-aside.txt" in first.err
    again = sekisho("queue", "stats", "--config", str(config))
    assert again.err == ""
