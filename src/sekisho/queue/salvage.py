"""A damaged queue file: what can be read goes on, the rest is set aside and named.

Whoever opens a queue folder (`QueueFile`) and finds its file damaged, or finds the mark
that an owner left who met the damage while he was serving, does this first:

1. ``queue.db.part`` is filled with every message whose rows are all there and are a
   message; what is not is written down, and so is what there is of its content;
2. body files that no message has any more are moved into ``damaged-<time>/bodies``;
3. it is renamed to ``damaged-<time>.db``: from here on the salvage is done, and a kill
   only keeps its end back;
4. the damaged file is moved into ``damaged-<time>/`` with its WAL, and the new one
   takes its name.

Nothing is deleted. A healthy file is not checked at a start: that would take minutes
where it is large. SQLite tells of damage when it meets it; damage in the WAL, of which
it tells nobody, is looked for at each start (`sekisho.queue.wal`).
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import apsw

from sekisho.queue.bodies import fsync_folder
from sekisho.queue.errors import QueueError
from sekisho.queue.moving import insert_adopted
from sekisho.queue.operations import Adopt, StoredMessage
from sekisho.queue.rows import (
    INDEX_MASK,
    BodyRow,
    MessageRow,
    RecipientRow,
    restore,
)
from sekisho.queue.schema import INDEX_BITS, damaged, open_writer
from sekisho.queue.set_aside import (
    MARK,
    REPORT,
    WAL,
    Salvaged,
    finish,
    give_to_owner,
    new_folder,
)
from sekisho.queue.sqlite import Connection
from sekisho.queue.unreadable import name_of, why
from sekisho.queue.walk import (
    BODIES,
    MESSAGES,
    READ_ERRORS,
    RECIPIENTS,
    Walk,
    last_number,
)
from sekisho.queue.wreck import Wreck

_SUFFIXES = ("", "-wal", "-shm")
_BATCH = 500
_RECIPIENT = (
    "SELECT key,state,attempts,next_attempt,destination,address,last_reply,facts,{} "
    "FROM recipient NOT INDEXED WHERE key BETWEEN ? AND ? ORDER BY key"
)


def salvage_where_marked(folder: Path) -> Salvaged | None:
    """Do what an owner before has left to do; the caller holds the folder's lock.

    Raises:
        QueueError: It cannot be done.

    """
    for whole in folder.glob("damaged-*.db"):
        return finish(folder, whole)
    return salvage(folder) if (folder / MARK).exists() else None


def salvage(folder: Path) -> Salvaged:
    """Make a sound file of a damaged one; the caller holds the folder's lock.

    Raises:
        QueueError: Not one message can be read in it, or there is no room.

    """
    path = folder / "queue.db"
    aside = new_folder(folder, path)
    part = folder / "queue.db.part"
    _remove(part)
    try:
        wreck = Wreck(path)
    except READ_ERRORS as error:
        raise damaged(path, error) from error
    try:
        new = open_writer(part)
        try:
            _Salvage(wreck, new, folder, aside).run()
        finally:
            new.close()
    except apsw.FullError as error:
        raise QueueError(
            f"there is no room to salvage the damaged queue file {path}",
            "make room and start again",
        ) from error
    finally:
        wreck.close()
    give_to_owner(folder, part, aside, aside / REPORT)
    with part.open("rb") as file:
        os.fsync(file.fileno())
    whole = folder / f"{aside.name}.db"
    part.rename(whole)
    fsync_folder(folder)
    return finish(folder, whole)


def _remove(part: Path) -> None:
    for suffix in _SUFFIXES:
        Path(f"{part}{suffix}").unlink(missing_ok=True)


class _Salvage:
    """One run: from the wreck into the new file."""

    def __init__(
        self, wreck: Wreck, new: Connection, folder: Path, aside: Path
    ) -> None:
        self._old = wreck.connection
        later = "'',0" if wreck.version == 1 else "cause,delay_told_at"
        self._recipients_query = _RECIPIENT.format(later)
        self._version = wreck.version
        self._has_broken_wal = wreck.wal is not None
        self._new = new
        self._folder = folder
        self._aside = aside
        self._files: set[str] = set()
        self._batch: list[StoredMessage] = []
        self._lines = [f"{WAL}: {wreck.wal.told()}"] if wreck.wal is not None else []
        self._next_seq = 1
        self._ids: dict[int, object] = {}

    def run(self) -> None:
        self._new.execute("PRAGMA synchronous = OFF").fetchall()
        last = last_number(self._old)
        walk = Walk(self._old, MESSAGES, last)
        done: set[int] = set()
        self._ids = self._names()
        for number in walk.numbers():
            done.add(number)
            self._take(number)
        self._store()
        others = self._others(last) - done
        # Behind a broken WAL there may be a file that all mail has left.
        if not (done or others or self._has_broken_wal):
            raise damaged(self._folder / "queue.db", ValueError("no message in it"))
        for number in sorted(others | self._known(walk, done)):
            self._name(number, "its row cannot be read")
        if walk.cut is not None:
            first, after = walk.cut
            self._lines.append(
                f"numbers {first} to {after}: not all could be asked for"
            )
        self._copy_pauses()
        self._copy_parked()
        self._new.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        self._move_bodies()
        text = "".join(f"{line}\n" for line in self._lines)
        report = self._aside / REPORT
        report.write_text(text, encoding="utf-8")
        with report.open("rb") as file:
            os.fsync(file.fileno())

    # Messages

    def _take(self, number: int) -> None:
        """Take one message over, or name it."""
        try:
            query = "SELECT * FROM message NOT INDEXED WHERE seq = ?"
            row = self._old.execute(query, (number,)).fetchall()[0]
            body = self._body(number)
            recipients, whole = self._recipients(number, row[5])
            _check(cast("Any", row), cast("Any", body), recipients)
            missing = self._is_missing(row[6])
        except Exception as error:  # noqa: BLE001 - a damaged row may hold anything
            self._name(number, why(error))
            return
        known = name_of(row[1], number)
        if missing:
            self._lines.append(f"{known}: its body file is missing")
        if not whole or len(recipients) < row[5]:
            self._lines.append(
                f"{known}: it goes on to {len(recipients)} of {row[5]} recipients; "
                "the others cannot be read, or were removed before"
            )
        if row[6]:
            self._files.add(row[6])
        self._batch.append(
            StoredMessage(cast("Any", row), cast("Any", body), tuple(recipients))
        )
        if len(self._batch) >= _BATCH:
            self._store()

    def _is_missing(self, file: object) -> bool:
        return bool(file) and not (self._folder / "bodies" / str(file)).is_file()

    def _body(self, number: int) -> tuple[Any, ...]:
        query = "SELECT * FROM body NOT INDEXED WHERE seq = ?"
        rows = self._old.execute(query, (number,)).fetchall()
        if not rows:
            raise LookupError("its content is missing")
        return rows[0]

    def _recipients(self, number: int, count: int) -> tuple[list[Any], bool]:
        """Those that can be read, and whether reading met no error."""
        base = number << INDEX_BITS
        query = self._recipients_query
        try:
            bounds = (base, base + INDEX_MASK)
            return self._old.execute(query, bounds).fetchall(), True
        except READ_ERRORS:
            pass
        found: list[Any] = []
        for key in range(base, base + min(count, INDEX_MASK)):
            try:
                found += self._old.execute(query, (key, key)).fetchall()
            except READ_ERRORS:
                continue
        return found, False

    def _store(self) -> None:
        batch, self._batch = self._batch, []
        unique: dict[bytes, StoredMessage] = {}
        for one in batch:
            unique.setdefault(one.message[1], one)
        with self._new:
            insert_adopted(self._new, Adopt(self._next_seq, tuple(unique.values())))
        self._next_seq += len(batch)

    # What is not whole

    def _others(self, last: int) -> set[int]:
        """Numbers that other tables tell of."""
        return {
            number
            for table in (BODIES, RECIPIENTS)
            for number in Walk(self._old, table, last).numbers()
        }

    def _known(self, walk: Walk, done: set[int]) -> set[int]:
        """Of the numbers that could not be asked for, those that were messages."""
        # A message that left took all of its rows: where its others can be asked for
        # and are not there, it was none.
        return {one for one in walk.holes if self._left_traces(one)} | (
            self._ids.keys() - done
        )

    def _left_traces(self, number: int) -> bool:
        base = number << INDEX_BITS
        for table, low, high in (
            (BODIES, number, number),
            (RECIPIENTS, base, base + INDEX_MASK),
        ):
            try:
                if self._old.execute(table.one(), (low, high)).fetchall():
                    return True
            except READ_ERRORS:
                return True
        return False

    def _names(self) -> dict[int, object]:
        """Ids by number, as far as the index has them: good for names only."""
        found: dict[int, object] = {}
        query = "SELECT seq, id FROM message INDEXED BY message_id ORDER BY id"
        for order in ("", " DESC"):
            try:
                for seq, octets in self._old.execute(query + order):
                    if order and seq in found:
                        break
                    found[seq] = octets
            except READ_ERRORS:
                continue
            else:
                break
        return found

    def _name(self, number: int, reason: str) -> None:
        """Write a message down that is not taken over, and keep what there is of it."""
        name = name_of(self._ids.get(number) or self._own_id(number), number)
        try:
            recipients, _ = self._recipients(number, 0)
            to = ", ".join(str(one[5]) for one in recipients)
        except READ_ERRORS:
            to = ""
        try:
            _, prefix, data = self._body(number)
            content = self._aside / f"{name.replace(' ', '-')}.eml"
            content.write_bytes(bytes(prefix) + bytes(data or b""))
            give_to_owner(self._folder, content)
        except (*READ_ERRORS, LookupError, TypeError, ValueError):
            pass  # There is nothing of it.
        self._lines.append(f"{name}: {reason}; to {to or 'unknown recipients'}")

    def _own_id(self, number: int) -> object:
        query = "SELECT id FROM message NOT INDEXED WHERE seq = ?"
        try:
            for (octets,) in self._old.execute(query, (number,)):
                return octets
        except READ_ERRORS:
            pass
        return None

    def _copy_pauses(self) -> None:
        pauses: list[Any] = []
        try:
            if self._version > 2:  # noqa: PLR2004 - the version that brought them
                pauses.extend(self._old.execute("SELECT * FROM paused"))
        except READ_ERRORS:
            self._lines.append("which destinations were paused cannot be read")
        with self._new:
            query = "INSERT OR IGNORE INTO paused(destination, since) VALUES (?, ?)"
            self._new.executemany(query, pauses)

    def _copy_parked(self) -> None:
        parked: list[Any] = []
        try:
            if self._version > 3:  # noqa: PLR2004 - the version that brought them
                parked.extend(self._old.execute("SELECT * FROM parked"))
        except READ_ERRORS:
            # What waited for them would wait for its notice, or its end: retry it all.
            with self._new:
                self._new.execute(
                    "UPDATE recipient SET next_attempt = 0 WHERE state = 1"
                )
        with self._new:
            query = "INSERT OR REPLACE INTO parked VALUES (?, ?, ?, ?, ?)"
            self._new.executemany(query, parked)

    def _move_bodies(self) -> None:
        bodies = self._folder / "bodies"
        for path in _entries(bodies):
            if path.name not in self._files:
                path.rename(self._aside / "bodies" / path.name)
        fsync_folder(self._aside / "bodies")
        fsync_folder(self._aside)
        if bodies.is_dir():
            fsync_folder(bodies)


def _check(row: MessageRow, body: BodyRow, recipients: Sequence[RecipientRow]) -> None:
    """Hold that rows are a message.

    Raises:
        Exception: Of any kind, where they are none.

    """
    if not recipients:
        raise LookupError("none of its recipients can be read")
    restore(row, body, recipients)


def _entries(folder: Path) -> Iterator[Path]:
    yield from list(folder.iterdir()) if folder.is_dir() else ()
