"""What workers that are no more have left: their mail, and their timelines."""

from contextlib import suppress
from pathlib import Path

from sekisho.app.clock import unix_seconds
from sekisho.app.storage import leftover_queues, timeline_paths
from sekisho.app.watch import Watch
from sekisho.config.schema import Config
from sekisho.queue.adoption import adopt
from sekisho.queue.errors import QueueError
from sekisho.queue.store import Queue

_DAY_SECONDS = 86_400


async def take_over(config: Config, workers: int, queue: Queue, watch: Watch) -> None:
    """Take over all mail that is left over, and remove timelines that are too old."""
    forget_timelines(config, workers)
    for folder in leftover_queues(config.data_dir, workers):
        about = f"left-over queue {folder.name}"
        try:
            adopted = await adopt(queue, folder)
        except QueueError as error:
            watch.alarm(about, str(error), error.hint)
            continue
        if adopted.unreadable:
            detail = f"{len(adopted.unreadable)} messages have no body and stay there"
            watch.alarm(about, detail, f"look at {folder}")
        if adopted.set_aside:
            detail = f"it was damaged; what could not be read is in {folder}"
            watch.alarm(about, detail, "see set-aside.txt there; then move it away")


def forget_timelines(config: Config, workers: int) -> None:
    """Remove left-over timelines whose newest event is older than is kept."""
    oldest = unix_seconds() - _DAY_SECONDS * config.observe.timeline_days
    for path in timeline_paths(config.data_dir, least=workers):
        with suppress(OSError):
            if path.stat().st_mtime < oldest:
                for suffix in ("", "-wal", "-shm"):
                    Path(f"{path}{suffix}").unlink(missing_ok=True)
