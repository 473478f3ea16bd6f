"""Pausing a destination from the shell, with the service stopped."""

from pathlib import Path

from cli.conftest import Command


def test_a_pause_is_shown_until_it_is_resumed(config: Path, sekisho: Command) -> None:
    where = ("--config", str(config))
    nothing = sekisho("queue", "destinations", *where)
    assert nothing.out == "the queue is empty, and nothing is paused\n", nothing.err
    paused = sekisho("queue", "pause", "b.example", *where)
    assert paused.out == "b.example is paused; 0 recipients wait\n"
    (shown,) = sekisho("queue", "destinations", "--json", *where).json
    assert shown["destination"] == "b.example"
    assert shown["paused_since"]
    assert "paused since" in sekisho("queue", "destinations", *where).out
    resumed = sekisho("queue", "resume", "b.example", "--json", *where)
    assert resumed.json == {"destination": "b.example", "recipients": 0}
    again = sekisho("queue", "resume", "b.example", *where)
    assert again.code == 1
    assert "b.example is not paused" in again.err
