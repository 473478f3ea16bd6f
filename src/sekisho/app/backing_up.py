"""``sekisho queue backup``, the command's side: begin, ask, finish."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from sekisho.app.backups import queue_names
from sekisho.app.control import Refusal
from sekisho.app.desk import perform
from sekisho.config.schema import Config


def make_backup(
    config: Config, folder: Path, told: Callable[[int, int], None]
) -> dict[str, Any]:
    """Have a whole backup made, by the service or, where it is stopped, by ourselves.

    Args:
        config: Of the service.
        folder: A new one, by its whole path.
        told: Called now and then: pages done, pages in all.

    Returns:
        What is in it: ``queues``, as `state` gives them, and ``files``.

    Raises:
        Refusal: There is no whole backup.

    """
    before, asked = queue_names(config.data_dir), {"folder": str(folder)}
    states = perform(config, "queue.backup", asked)
    while not all(one["done"] for one in states):
        states = perform(config, "queue.backup.state", asked)
        pages = sum(one["pages"] for one in states)
        told(pages - sum(one["pages_left"] for one in states), pages)
    queues = [one["queue"] for one in states]
    refuse_unless_whole(before, queues)
    finished = perform(config, "queue.backup.finish", {**asked, "queues": queues})
    shown = ("queue", "messages", "body_files")
    return {
        "queues": [{key: one[key] for key in shown} for one in states],
        "files": finished["files"],
    }


def refuse_unless_whole(before: list[str], backed_up: list[str]) -> None:
    """Refuse a backup that lacks a queue that was there when it began.

    Raises:
        Refusal: It does.

    """
    missing = sorted(set(before) - set(backed_up))
    if missing:
        sentence = f"not in this backup: {', '.join(missing)}"
        hint = "another worker is taking that over; wait and back up to a new folder"
        raise Refusal(sentence, hint)
