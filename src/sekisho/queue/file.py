"""`QueueFile`: the synchronous core of the store, with one owner and no loop.

`commit` takes whatever waits and makes one transaction of it: all of it is on disk
when it returns, or none of it is. It is what the service's writer thread calls, and
what a command calls while the service is stopped.

What may go wrong, and what then is true:

* No room (SQLITE_FULL): rolled back; each message of the group is answered
  `PutRefused`; results and operators' acts are tried once more without them.
* One operation is impossible (the same id twice): rolled back; each is tried alone,
  and only the impossible one is answered with its error.
* Anything else: the error is raised. What is in the file is not known any more than
  that everything answered before is there, so nothing is tried again on this handle.
"""

import shutil
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path

import apsw

from sekisho.model.decision import Decision
from sekisho.model.ids import MessageId
from sekisho.model.message import Message
from sekisho.queue.bodies import fsync_folder
from sekisho.queue.errors import DamagedError, PutRefused
from sekisho.queue.group import Group
from sekisho.queue.lock import FolderLock
from sekisho.queue.operations import (
    Adopt,
    Answer,
    Operation,
    Put,
    Release,
    Settle,
)
from sekisho.queue.postponing import NOTHING_PARKED, Parked
from sekisho.queue.records import Result
from sekisho.queue.rows import Destinations, PreparedMessage, admitted_by, prepare
from sekisho.queue.salvage import salvage, salvage_where_marked
from sekisho.queue.schema import INDEX_BITS, damaged, open_writer
from sekisho.queue.set_aside import mark_damaged, set_aside_folders
from sekisho.queue.wal import find_break

DAMAGE = (apsw.CorruptError, apsw.NotADBError)


class QueueFile:
    """One queue folder, held by one owner.

    Attributes:
        path: The file.
        parked: Hosts that are down, as messages for them are stored.
        salvaged: What came of a damaged one, where it was one.

    """

    def __init__(self, folder: Path, destinations: Destinations) -> None:
        """Lock the folder, open or make its file, migrate it where it is older.

        Args:
            folder: Made if it is not there.
            destinations: Names where a recipient's mail goes.

        Raises:
            QueueError: Somebody else holds it, or the file is damaged or newer.

        """
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = FolderLock(folder)
        self.path = folder / "queue.db"
        self._destinations = destinations
        self.parked: Mapping[str, Parked] = NOTHING_PARKED
        self.wal_pages = 0
        try:
            self.salvaged = salvage_where_marked(folder)
            if self.salvaged is None and find_break(self.path) is not None:
                self.salvaged = salvage(folder)
            try:
                self._open()
            except DamagedError:
                self.salvaged = salvage(folder)
                self._open()
        except BaseException:
            self._lock.release()
            raise
        self._connection.set_wal_hook(self._committed)

    def _open(self) -> None:
        self._connection = open_writer(self.path)
        try:
            self._next_seq = self._first_free_seq()
        except (apsw.CorruptError, apsw.SQLError) as error:
            self._connection.close()
            raise damaged(self.path, error) from error
        except BaseException:
            self._connection.close()
            raise

    def mark_damaged(self, error: Exception) -> None:
        """Have the next owner salvage it; what is in it is not touched any more."""
        with suppress(OSError):
            mark_damaged(self.path.parent, str(error))

    def close(self) -> None:
        """Close the file and let the next owner in."""
        self._connection.close()
        self._lock.release()

    def body_files(self) -> set[str]:
        """The names of all body files that belong to a message."""
        query = "SELECT file FROM message WHERE file IS NOT NULL"
        return {file for (file,) in self._connection.execute(query)}

    def checkpoint(self) -> None:
        """Bring the WAL into the file, as far as readers allow."""
        self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)

    def close_and_remove(self) -> None:
        """Close a file that holds nothing any more, and remove its folder.

        Raises:
            OSError: It cannot be removed.

        """
        # Closed first: what SQLite finds of a WAL beside a missing file it believes.
        self._connection.close()
        try:
            shutil.rmtree(self.path.parent)
            fsync_folder(self.path.parent.parent)
        finally:
            self._lock.release()

    def has_mail(self) -> bool:
        """Whether there is a message in it, or beside it where it was damaged."""
        query = "SELECT 1 FROM message LIMIT 1"
        found = bool(self._connection.execute(query).fetchall())
        return found or bool(set_aside_folders(self.path.parent))

    def numbers(self, count: int) -> int:
        """Set numbers for messages apart; the first of them."""
        first = self._next_seq
        self._next_seq = first + count
        return first

    # Operations made of values

    def put(self, message: Message, decision: Decision) -> Put:
        """Make the operation that stores a message.

        Raises:
            TypeError: The decision refuses, or is about another envelope.

        """
        return Put(self._prepare(message, decision))

    def settle(
        self,
        message_id: MessageId,
        results: Sequence[Result],
        reports: Iterable[tuple[Message, Decision]] = (),
    ) -> Settle:
        """Make the operation that stores an attempt's results.

        Raises:
            TypeError: A report's decision refuses, or is about another envelope.

        """
        return Settle(
            message_id.octets,
            results,
            [self._prepare(message, decision) for message, decision in reports],
        )

    @staticmethod
    def release(message: Message, decision: Decision, now: float) -> Release:
        """Make the operation that lets a held message go on.

        Raises:
            TypeError: The decision refuses, or is about another envelope.

        """
        admitted_by(message.envelope, decision)
        return Release(message.id.octets, decision, now)

    def _prepare(self, message: Message, decision: Decision) -> PreparedMessage:
        # Numbers are given here and not in the transaction: a gap harms nobody.
        seq = self._next_seq
        self._next_seq = seq + 1
        return prepare(seq, message, decision, self._destinations, self.parked)

    # Transactions

    def commit(
        self, operations: Sequence[Operation]
    ) -> tuple[list[Answer], tuple[str, ...]]:
        """Do all operations in one transaction and wait for the disk.

        Returns:
            An answer for each operation, in order (an exception where it was not
            done: then nothing of it was); and the names of body files that no
            message needs any more.

        Raises:
            apsw.Error: The transaction failed, and this handle must not be used
                any more.

        """
        try:
            return self._transaction(operations)
        except DAMAGE as error:
            self.mark_damaged(error)
            raise
        except apsw.FullError:
            return self._commit_without_puts(operations)
        except apsw.ConstraintError as error:
            if len(operations) == 1:
                return [error], ()
            alone = [self.commit([operation]) for operation in operations]
            return (
                [answers[0] for answers, _ in alone],
                tuple(chain.from_iterable(files for _, files in alone)),
            )

    def _commit_without_puts(
        self, operations: Sequence[Operation]
    ) -> tuple[list[Answer], tuple[str, ...]]:
        refused = PutRefused("there is no room on the disk")
        others = [one for one in operations if not isinstance(one, Put | Adopt)]
        answers: Iterable[Answer] = [refused] * len(others)
        files: tuple[str, ...] = ()
        if others and len(others) < len(operations):
            done, files = self.commit(others)
            answers = done
        rest = iter(answers)
        return [
            refused if isinstance(one, Put | Adopt) else next(rest)
            for one in operations
        ], files

    def _transaction(
        self, operations: Sequence[Operation]
    ) -> tuple[list[Answer], tuple[str, ...]]:
        execute = self._connection.execute
        execute("BEGIN IMMEDIATE")
        try:
            group = Group(self._connection)
            answers = group.run(operations)
            execute("COMMIT")
        except BaseException:
            # SQLite rolls back by itself after some errors.
            if self._connection.in_transaction:
                execute("ROLLBACK")
            raise
        return answers, tuple(group.files)

    def _committed(self, _connection: object, _name: str, pages: int) -> int:
        self.wal_pages = pages
        return apsw.SQLITE_OK

    def _first_free_seq(self) -> int:
        query = "SELECT max(ifnull(max(seq), 0), (SELECT ifnull(max(key), 0) >> ?"
        rows = self._connection.execute(
            f"{query} FROM recipient)) FROM message", (INDEX_BITS,)
        ).fetchall()
        return int(rows[0][0]) + 1
