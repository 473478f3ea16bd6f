"""Putting off, unread, what is for a destination that is down.

A hundred thousand messages for a dead host would each be read and written again at
each of its steps. Instead their rows are moved to the host's next step, page by page,
so that other mail goes on between the pages. Left alone is whatever somebody has to be
told of until then: it is read as any other, and judged.

The rows come back spread over a while, by a hash of their keys.
"""

from dataclasses import dataclass

from sekisho.queue.sqlite import Connection


@dataclass(frozen=True, slots=True)
class Postpone:
    """Move what is due before a destination's next step to that step.

    Attributes:
        destination: As the queue spells it.
        until: Its next step (unix seconds).
        last: The rows are spread from there to here.
        last_reply: What the one try came to.
        cause: The same in a word.
        expires_after: Only messages received after this: others may expire meanwhile.
        notice_after: The same for those whose sender is not yet told of a delay.
        after: Only recipients with greater keys.
        limit: At most so many rows are looked at.

    """

    destination: str
    until: float
    last: float
    last_reply: str
    cause: str
    expires_after: float
    notice_after: float
    after: int = -1
    limit: int = 1000


_PAGE = """
SELECT max(key) FROM (
  SELECT key FROM recipient WHERE destination = ? AND key > ? ORDER BY key LIMIT ?
)
"""

_POSTPONE = """
UPDATE recipient SET
  state = 1,
  attempts = attempts + 1,
  next_attempt = ?1
    + (?2 - ?1) * (((key >> 20) * 40503 & 65535) / 65536.0),
  last_reply = ?3,
  cause = ?4
WHERE destination = ?5 AND key > ?6 AND key <= ?7
  AND state IN (0, 1) AND next_attempt < ?1
  AND EXISTS (
    SELECT 1 FROM message WHERE seq = key >> 20
      AND received_at > ?8
      AND (received_at > ?9 OR delay_told_at > 0 OR reverse_path = '')
  )
"""
"""The number of a message is its recipient's key without 20 bits (`INDEX_BITS`)."""


def postpone(connection: Connection, wanted: Postpone) -> int | None:
    """Put a page off. Returns the greatest key looked at; None where none was left."""
    execute = connection.execute
    page = (wanted.destination, wanted.after, wanted.limit)
    ((end,),) = execute(_PAGE, page).fetchall()
    if end is None:
        return None
    execute(
        _POSTPONE,
        (
            *(wanted.until, wanted.last, wanted.last_reply, wanted.cause),
            *(wanted.destination, wanted.after, end),
            *(wanted.expires_after, wanted.notice_after),
        ),
    )
    return end
