"""What happens inside one transaction: the operations that waited, in bulk.

Messages are inserted and finished ones deleted some dozens at a time: with groups of
twenty a message costs about a third of what it costs alone.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, assert_never

from sekisho.model.ids import MessageId
from sekisho.queue.moving import delete_forgotten, insert_adopted
from sekisho.queue.operations import (
    Act,
    Acted,
    Adopt,
    Answer,
    Forget,
    Operation,
    Pause,
    Put,
    Release,
    Resume,
    SetAside,
    Settle,
)
from sekisho.queue.postponing import (
    Parked,
    Postpone,
    Unpark,
    note_parked,
    walk,
)
from sekisho.queue.records import UNFINISHED, WAITING, Action, Result, Settled, State
from sekisho.queue.rows import INDEX_MASK, PreparedMessage, released_facts
from sekisho.queue.schema import INDEX_BITS
from sekisho.queue.sqlite import Connection, blobs, integers
from sekisho.queue.unreadable import set_aside

_COLUMNS = {
    "message": "seq,id,received_at,reverse_path,size,recipients,file,facts",
    "body": "seq,prefix,data",
    "recipient": (
        "key,state,attempts,next_attempt,destination,address,last_reply,facts"
    ),
}
_MOST_ROWS = 16


def _insert(table: str, rows: int) -> str:
    columns = _COLUMNS[table]
    row = "(" + ",".join("?" * (columns.count(",") + 1)) + ")"
    values = ",".join([row] * rows)
    return f"INSERT INTO {table}({columns}) VALUES {values}"  # noqa: S608 - constants


# Several rows a statement: each step lets go of the interpreter lock, and to have it
# back from a busy loop costs more than a row does.
_INSERTS = {
    table: tuple(_insert(table, rows) for rows in range(1, _MOST_ROWS + 1))
    for table in _COLUMNS
}

_UPDATE = """
UPDATE recipient SET
  state = iif(state = 2 AND ?1 = 1, 2, ?1),
  attempts = attempts + ?6, next_attempt = ?2, last_reply = ?3, cause = ?4,
  delay_told_at = max(delay_told_at, ?5)
WHERE key = ?7 AND state < 4
"""
"""A recipient held meanwhile stays held when the attempt is deferred (2 is HELD, 1 is
DEFERRED); a final one stays final (4 and above)."""

_PAUSE = "INSERT OR IGNORE INTO paused(destination, since) VALUES (?, ?)"
_RESUME = "DELETE FROM paused WHERE destination = ?"


class Group:
    """What happens inside one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._execute = connection.execute
        self.files: list[str] = []

    def run(self, operations: Sequence[Operation]) -> list[Answer]:
        """Do all operations; answers come in their order."""
        puts: list[PreparedMessage] = []
        settles: list[Settle] = []
        for one in operations:
            if isinstance(one, Put):
                puts.append(one.prepared)
            elif isinstance(one, Settle):
                settles.append(one)
                puts.extend(one.reports)
        self._insert(puts)
        settled = iter(self._settle(settles))
        return [self._answer(one, settled) for one in operations]

    def _answer(self, one: Operation, settled: Iterator[Settled]) -> Answer:
        match one:
            case Put():
                return None
            case Settle():
                return next(settled)
            case Act():
                return self._act(one)
            case Release():
                return self._release(one)
            case Postpone() | Unpark():
                last = walk(self._connection, one)
                return Acted(0, (), -1 if last is None else last)
            case _:
                return self._carry_out(one)

    def _carry_out(
        self, one: Parked | Pause | Resume | Adopt | Forget | SetAside
    ) -> None:
        match one:
            case Parked():
                note_parked(self._connection, one)
            case Pause():
                self._execute(_PAUSE, (one.destination, one.since))
            case Resume():
                self._execute(_RESUME, (one.destination,))
            case Adopt():
                insert_adopted(self._connection, one)
            case Forget():
                self.files.extend(delete_forgotten(self._connection, one))
            case SetAside():
                set_aside(self._connection, one.messages)
            case _:
                assert_never(one)

    def _insert(self, puts: list[PreparedMessage]) -> None:
        if not puts:
            return
        self._insert_rows("message", [put.message for put in puts])
        self._insert_rows("body", [put.body for put in puts])
        self._insert_rows(
            "recipient", list(chain.from_iterable(put.recipients for put in puts))
        )

    def _insert_rows(self, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
        statements = _INSERTS[table]
        for begin in range(0, len(rows), _MOST_ROWS):
            some = rows[begin : begin + _MOST_ROWS]
            self._execute(statements[len(some) - 1], tuple(chain.from_iterable(some)))

    def _settle(self, settles: list[Settle]) -> list[Settled]:
        if not settles:
            return []
        found = {
            octets: (seq, recipients, file)
            for octets, seq, recipients, file in self._execute(
                "SELECT id, seq, recipients, file FROM message WHERE id IN carray(?)",
                (blobs({one.octets for one in settles}),),
            )
        }
        gone: dict[int, tuple[int, str | None]] = {}
        answers: list[Settled] = []
        for one in settles:
            row = found.get(one.octets)
            if row is None:
                answers.append(Settled(0, 0, 0))
                continue
            seq, recipients, file = row
            if len(one.results) == recipients:
                answer = _all_at_once(one.results)
            else:
                answer = Settled(recipients, 0, 0)
            if answer.unfinished:
                answer = self._update(seq, one.results)
            answers.append(answer)
            if not answer.unfinished:
                gone[seq] = (recipients, file)
        self._delete(gone)
        return answers

    def _update(self, seq: int, results: Sequence[Result]) -> Settled:
        base = seq << INDEX_BITS
        self._connection.executemany(
            _UPDATE,
            [
                (
                    int(one.state),
                    one.next_attempt,
                    one.last_reply,
                    one.cause,
                    one.delay_told_at,
                    one.tries,
                    base + one.index,
                )
                for one in results
            ],
        )
        counts = dict(
            self._execute(
                "SELECT state, count(*) FROM recipient WHERE key BETWEEN ? AND ? "
                "GROUP BY state",
                (base, base + INDEX_MASK),
            ).fetchall()
        )
        return Settled(
            sum(counts.get(state, 0) for state in UNFINISHED),
            counts.get(State.DELIVERED, 0),
            counts.get(State.FAILED, 0),
        )

    def _delete(self, gone: dict[int, tuple[int, str | None]]) -> None:
        """Remove whole messages: seq → how many recipients, body file."""
        if not gone:
            return
        numbers = integers(gone)
        keys = [
            (seq << INDEX_BITS) + index
            for seq, (recipients, _) in gone.items()
            for index in range(recipients)
        ]
        self._execute("DELETE FROM message WHERE seq IN carray(?)", (numbers,))
        self._execute("DELETE FROM body WHERE seq IN carray(?)", (numbers,))
        self._execute("DELETE FROM recipient WHERE key IN carray(?)", (integers(keys),))
        self.files.extend(file for _, file in gone.values() if file is not None)

    # What operators do

    def _act(self, act: Act) -> Acted:
        query, bindings = _selected(act)
        keys = [key for (key,) in self._execute(query, bindings)]
        if not keys:
            return Acted(0, (), -1)
        numbers = sorted({key >> INDEX_BITS for key in keys})
        ids = tuple(
            MessageId(int.from_bytes(octets, "big"))
            for (octets,) in self._execute(
                "SELECT id FROM message WHERE seq IN carray(?)", (integers(numbers),)
            )
        )
        where = integers(keys)
        match act.action:
            case Action.HOLD:
                self._execute(
                    "UPDATE recipient SET state = ? WHERE key IN carray(?)",
                    (int(State.HELD), where),
                )
            case Action.RETRY:
                self._execute(
                    "UPDATE recipient SET next_attempt = ? WHERE key IN carray(?)",
                    (act.now, where),
                )
            case Action.REMOVE:
                self._execute("DELETE FROM recipient WHERE key IN carray(?)", (where,))
                self._remove_finished(numbers)
            case Action.RELEASE:
                raise TypeError("a release needs a decision: use Release")
            case _:
                assert_never(act.action)
        return Acted(len(keys), ids, keys[-1])

    def _remove_finished(self, numbers: Iterable[int]) -> None:
        gone: dict[int, tuple[int, str | None]] = {}
        for seq, recipients, file in self._execute(
            "SELECT seq, recipients, file FROM message m WHERE seq IN carray(?) "
            "AND NOT EXISTS (SELECT 1 FROM recipient WHERE "
            "key BETWEEN m.seq << ? AND (m.seq << ?) + ? AND state < ?)",
            (
                integers(numbers),
                INDEX_BITS,
                INDEX_BITS,
                INDEX_MASK,
                int(State.DELIVERED),
            ),
        ):
            gone[seq] = (recipients, file)
        self._delete(gone)

    def _release(self, release: Release) -> Acted:
        rows = self._execute(
            "SELECT seq, facts FROM message WHERE id = ?", (release.octets,)
        ).fetchall()
        if not rows:
            return Acted(0, (), -1)
        seq, facts = rows[0]
        base = seq << INDEX_BITS
        self._execute(
            "UPDATE recipient SET state = min(attempts, ?), next_attempt = ? "
            "WHERE key BETWEEN ? AND ? AND state IN (?, ?)",
            (
                int(State.DEFERRED),  # PENDING where it was never tried
                release.now,
                base,
                base + INDEX_MASK,
                int(State.HELD),
                int(State.DEAD),
            ),
        )
        changed = self._connection.changes()
        self._execute(
            "UPDATE message SET facts = ? WHERE seq = ?",
            (released_facts(facts, release.decision), seq),
        )
        message_id = MessageId(int.from_bytes(release.octets, "big"))
        return Acted(changed, (message_id,), base + INDEX_MASK)


def _all_at_once(results: Sequence[Result]) -> Settled:
    """The common case: one attempt settles every recipient that there ever was."""
    failed = delivered = 0
    for one in results:
        if one.state is State.DELIVERED:
            delivered += 1
        elif one.state is State.FAILED:
            failed += 1
    return Settled(len(results) - delivered - failed, delivered, failed)


_FROM_STATES: dict[Action, tuple[State, ...]] = {
    Action.HOLD: WAITING,
    Action.RETRY: WAITING,
    Action.RELEASE: (),
    Action.REMOVE: UNFINISHED,
}


# CROSS JOIN keeps SQLite from turning the order around.
_MESSAGES_LEAD = (
    f"message m CROSS JOIN recipient r ON r.key BETWEEN m.seq << {INDEX_BITS} "
    f"AND (m.seq << {INDEX_BITS}) + {INDEX_MASK}"
)
_RECIPIENTS_LEAD = f"recipient r CROSS JOIN message m ON m.seq = r.key >> {INDEX_BITS}"


def _selected(act: Act) -> tuple[str, tuple[Any, ...]]:
    """The query for the keys of a page of recipients, and its bindings."""
    wanted = act.selection
    states = [
        int(state)
        for state in _FROM_STATES[act.action]
        if wanted.state in (None, state)
    ]
    conditions = ["r.key > ?", "r.state IN carray(?)"]
    bindings: list[Any] = [act.after, integers(states or [-1])]
    tables = _RECIPIENTS_LEAD
    if wanted.destination:
        conditions.append("r.destination = ?")
        bindings.append(wanted.destination)
    elif wanted.ids or wanted.sender:
        tables = _MESSAGES_LEAD
        conditions.append("m.seq >= ?")
        bindings.append(act.after >> INDEX_BITS)
    if wanted.ids:
        conditions.append("m.id IN carray(?)")
        bindings.append(blobs(one.octets for one in wanted.ids))
    if wanted.sender:
        conditions.append("m.reverse_path = ?")
        bindings.append("" if wanted.sender == "<>" else wanted.sender)
    if act.action is Action.RETRY:
        conditions.append("r.next_attempt > ?")
        bindings.append(act.now)
    query = (
        f"SELECT r.key FROM {tables} WHERE {' AND '.join(conditions)} "  # noqa: S608 - constants
        "ORDER BY r.key LIMIT ?"
    )
    return query, (*bindings, act.limit)
