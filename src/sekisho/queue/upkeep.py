"""Work that must not keep a commit waiting: checkpoints, and files to remove.

The WAL grows with every group. From `wal_bytes` on, a thread of its own copies it into
the file while groups go on (a passive checkpoint waits for nobody). What was written
meanwhile is short, and the writer itself copies that between two groups: only when
*all* is copied does SQLite begin the WAL anew. So its size stays bounded under load
that never pauses, and no group waits for more than that rest.
"""

from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from threading import Thread

import apsw

from sekisho.queue.schema import open_keeper


class Upkeep:
    """The thread beside the writer."""

    def __init__(
        self,
        path: Path,
        *,
        remove: Callable[[str], None],
        on_fatal: Callable[[str], None],
    ) -> None:
        """Start it.

        Args:
            path: The queue file.
            remove: Removes a body file.
            on_fatal: Called where the disk failed otherwise than by being full.

        """
        self._connection = open_keeper(path)
        self._remove = remove
        self._on_fatal = on_fatal
        self._work: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._running = False
        self._copied = False
        self._thread = Thread(target=self._run, name="queue-upkeep", daemon=True)
        self._thread.start()

    def remove(self, files: tuple[str, ...]) -> None:
        """Remove body files, some time."""
        self._work.put(lambda: self._remove_all(files))

    def wal_is_long(self) -> bool:
        """Called by the writer between groups while the WAL is long.

        Returns:
            Whether the writer is to copy the rest itself now.

        """
        if self._copied:
            self._copied = False
            return True
        if not self._running:
            self._running = True
            self._work.put(self._checkpoint)
        return False

    def close(self) -> None:
        """End when all work is done."""
        self._work.put(None)
        self._thread.join()
        self._connection.close()

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            try:
                work()
            except (apsw.BusyError, apsw.FullError):
                pass  # Tried again when the writer next finds the WAL long.
            except (apsw.Error, OSError) as error:
                self._on_fatal(f"the queue's upkeep failed ({error})")
            finally:
                self._running = False

    def _checkpoint(self) -> None:
        self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        self._copied = True

    def _remove_all(self, files: tuple[str, ...]) -> None:
        for file in files:
            self._remove(file)
