"""What taking messages over from another queue file does inside one transaction."""

from itertools import chain

from sekisho.queue.operations import Adopt, Forget
from sekisho.queue.rows import INDEX_MASK, RecipientRow
from sekisho.queue.schema import INDEX_BITS
from sekisho.queue.sqlite import Connection, blobs, integers

_MESSAGE = (
    "INSERT INTO message(seq,id,received_at,reverse_path,size,recipients,file,facts) "
    "VALUES (?,?,?,?,?,?,?,?)"
)
_BODY = "INSERT INTO body(seq,prefix,data) VALUES (?,?,?)"
_RECIPIENT = (
    "INSERT INTO recipient(key,state,attempts,next_attempt,destination,address,"
    "last_reply,facts,cause,delay_told_at) VALUES (?,?,?,?,?,?,?,?,?,?)"
)


def insert_adopted(connection: Connection, adopt: Adopt) -> None:
    """Insert messages with numbers of this file, except those that it has by id.

    One that is there already was taken over before a kill, and may have come further
    since.
    """
    if not adopt.messages:
        return
    ids = blobs(one.message[1] for one in adopt.messages)
    query = "SELECT id FROM message WHERE id IN carray(?)"
    known = {octets for (octets,) in connection.execute(query, (ids,))}
    new = [
        (seq, one)
        for seq, one in enumerate(adopt.messages, adopt.first_seq)
        if one.message[1] not in known
    ]
    connection.executemany(_MESSAGE, [(seq, *one.message[1:]) for seq, one in new])
    connection.executemany(
        _BODY, [(seq, *one.body[1:]) for seq, one in new if one.body is not None]
    )
    connection.executemany(
        _RECIPIENT,
        list(chain.from_iterable(_moved(one.recipients, seq) for seq, one in new)),
    )


def _moved(recipients: tuple[RecipientRow, ...], seq: int) -> list[RecipientRow]:
    base = seq << INDEX_BITS
    return [(base | row[0] & INDEX_MASK, *row[1:]) for row in recipients]


def delete_forgotten(connection: Connection, forget: Forget) -> list[str]:
    """Delete messages whole; gives the names of their body files."""
    if not forget.numbers:
        return []
    numbers = integers(forget.numbers)
    query = "SELECT file FROM message WHERE seq IN carray(?) AND file IS NOT NULL"
    files = [file for (file,) in connection.execute(query, (numbers,))]
    connection.executemany(
        "DELETE FROM recipient WHERE key BETWEEN ? AND ?",
        [
            (seq << INDEX_BITS, (seq << INDEX_BITS) + INDEX_MASK)
            for seq in forget.numbers
        ],
    )
    connection.execute("DELETE FROM body WHERE seq IN carray(?)", (numbers,))
    connection.execute("DELETE FROM message WHERE seq IN carray(?)", (numbers,))
    return files
