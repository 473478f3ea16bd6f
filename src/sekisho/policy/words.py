"""The table's values in people's words; the command line only sets them in columns."""

from collections.abc import Sequence
from datetime import UTC, datetime
from math import inf

from sekisho.model.address import ANY_ADDRESS, AddressPattern
from sekisho.model.rules import AnyIdentity, Clients, Group, Quota, User
from sekisho.policy.table import Anyone, Row

_SHOWN = 4
_BOUNDS = (
    ("messages_per_hour", "messages an hour"),
    ("messages_per_day", "messages a day"),
    ("recipients_per_hour", "recipients an hour"),
    ("recipients_per_day", "recipients a day"),
)
COLUMNS = ("listener", "who", "tls", "from", "to", "how much", "until", "by")


def row_in_words(row: Row) -> tuple[str, ...]:
    """One text for each of `COLUMNS`."""
    return (
        row.listener,
        who_in_words(row),
        "needed" if row.tls else "not needed",
        _senders(row),
        _listed([_pattern(pattern) for pattern in row.recipients]),
        quota_in_words(row.quota),
        until_in_words(row.expires_at),
        f"{row.rule} {row.grant!r}" if row.grant else row.rule,
    )


def who_in_words(row: Row) -> str:
    """Whom a row is about."""
    count = f" ({row.accounts} known)" if row.accounts else ""
    match row.who:
        case Anyone():
            return "anyone"
        case Clients():
            return _listed([str(span) for span in row.spans])
        case AnyIdentity():
            return f"every verified account{count}"
        case Group(name):
            return f"accounts in group {name!r}{count}"
        case User(name):
            return f"account {name!r}"


def quota_in_words(quota: Quota) -> str:
    """How much."""
    bounds = [
        f"{getattr(quota, name)} {words}"
        for name, words in _BOUNDS
        if getattr(quota, name)
    ]
    return ", ".join(bounds) or "any number"


def until_in_words(expires_at: float) -> str:
    """Until when; the time named is the first at which it is void."""
    if expires_at == inf:
        return "for ever"
    return datetime.fromtimestamp(expires_at, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _senders(row: Row) -> str:
    texts = ["the account's own addresses"] if row.owned else []
    texts += [_pattern(pattern) for pattern in row.senders]
    return _listed(texts + ["<>"] * row.null_sender)


def _pattern(pattern: AddressPattern) -> str:
    return "any address" if pattern == ANY_ADDRESS else str(pattern)


def _listed(texts: Sequence[str]) -> str:
    more = len(texts) - _SHOWN
    return ", ".join(texts[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
