"""The brake for stolen accounts: what an account sends is counted, whatever lets it.

Beyond a bound its mail is accepted and held, not refused: whoever stole the account
learns nothing, and the owner, if it was he, loses nothing. The count goes on while mail
is held. What is held stays so until an operator releases it; when an hour or a day has
passed, or an operator lifts the brake, new mail passes again.
"""

from collections.abc import Mapping
from typing import Final

from sekisho.model.facts import QuotaKey, Usage
from sekisho.model.identity import Identity
from sekisho.model.rules import Brake

SENT: Final = "account:sent"
"""In a grant's place in a `QuotaKey`; no grant has such a name."""

REFUSED: Final = "account:refused"
_UNUSED = Usage()


def sent_key(account: str) -> QuotaKey:
    """What counts all messages and recipients of an account."""
    return QuotaKey(SENT, account)


def refused_key(account: str) -> QuotaKey:
    """What counts the recipients that were refused to an account."""
    return QuotaKey(REFUSED, account)


def why_held(brake: Brake, account: str, usage: Mapping[QuotaKey, Usage]) -> str:
    """Why the next message of an account is held, in words; empty if it is not."""
    if not brake.is_on:
        return ""
    sent = usage.get(sent_key(account), _UNUSED)
    refused = usage.get(refused_key(account), _UNUSED)
    bound = brake.bound
    counts = (
        ("messages in an hour", sent.messages_last_hour, bound.messages_per_hour),
        ("messages in a day", sent.messages_last_day, bound.messages_per_day),
        ("recipients in an hour", sent.recipients_last_hour, bound.recipients_per_hour),
        ("recipients in a day", sent.recipients_last_day, bound.recipients_per_day),
        (
            "recipients refused in an hour",
            refused.recipients_last_hour,
            brake.refused_recipients_per_hour,
        ),
    )
    for what, used, most in counts:
        if most and used >= most:
            return f"the brake: account {account!r} has {used} {what}, of {most}"
    return ""


def whom(who: object) -> str:
    """Whose mail the brake counts: an identity's; nobody's is empty."""
    return who.account if isinstance(who, Identity) else ""
