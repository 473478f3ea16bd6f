"""When something is tried again goes by why it was not delivered.

| rule | what it is for |
| --- | --- |
| ``unreachable`` | nobody answers at the address, or the connection broke |
| ``dns`` | names could not be resolved |
| ``greylisted`` | 450 or 451 about the message: the host wants to see it again |
| ``quota`` | 452, or 4.2.2: there is no room for it now |
| ``rate`` | 421, 4.3.2, 4.4.5 or 4.7.28: the host has too much of us, or of all |
| ``tls`` | no connection as safe as it must be |
| ``upstream_auth`` | our login was refused: an operator has to act |
| ``timeout`` | the host was silent for too long |
| ``other`` | everything else |

A 451 whose enhanced code speaks of the system (4.3) or the network (4.4) is no
greylisting: the host is ill, and does not want us back in a minute.
"""

from collections.abc import Mapping
from enum import Enum

from sekisho.model.outcome import Cause, Deferred, Failed
from sekisho.model.reply import Reply


class RetryRule(Enum):
    """Which schedule holds; the value is its key in ``[queue.retry]``."""

    UNREACHABLE = "unreachable"
    DNS = "dns"
    GREYLISTED = "greylisted"
    QUOTA = "quota"
    RATE = "rate"
    TLS = "tls"
    UPSTREAM_AUTH = "upstream_auth"
    TIMEOUT = "timeout"
    OTHER = "other"


_BY_CAUSE: Mapping[Cause, RetryRule] = {
    Cause.UNREACHABLE: RetryRule.UNREACHABLE,
    Cause.DNS: RetryRule.DNS,
    Cause.TLS: RetryRule.TLS,
    Cause.UPSTREAM_AUTH: RetryRule.UPSTREAM_AUTH,
    Cause.TIMEOUT: RetryRule.TIMEOUT,
}
_BY_ENHANCED: Mapping[str, RetryRule] = {
    "4.2.2": RetryRule.QUOTA,  # RFC 3463: mailbox full
    "4.3.2": RetryRule.RATE,  # RFC 3463: system not accepting network messages
    "4.4.5": RetryRule.RATE,  # RFC 3463: mail system congestion
    "4.7.28": RetryRule.RATE,  # IANA: mail flood detected
}
_BY_CODE: Mapping[int, RetryRule] = {
    421: RetryRule.RATE,
    450: RetryRule.GREYLISTED,
    451: RetryRule.GREYLISTED,
    452: RetryRule.QUOTA,
}
_ILL = ("4.3.", "4.4.")


def retry_rule(outcome: Deferred) -> RetryRule:
    """Which schedule holds for what an attempt came to."""
    if outcome.cause is Cause.REMOTE_REPLY:
        return _by_reply(outcome.reply)
    return _BY_CAUSE.get(outcome.cause, RetryRule.OTHER)


def _by_reply(reply: Reply) -> RetryRule:
    rule = _BY_ENHANCED.get(reply.enhanced) or _BY_CODE.get(reply.code)
    if rule is RetryRule.GREYLISTED and reply.enhanced.startswith(_ILL):
        return RetryRule.OTHER
    return rule or RetryRule.OTHER


_BY_NAME: Mapping[str, RetryRule] = {
    **{rule.value: rule for rule in RetryRule},
    **{cause.value: rule for cause, rule in _BY_CAUSE.items()},
}


def rule_of_cause(cause: str) -> RetryRule | None:
    """Which schedule holds for a cause as `cause_of` spells it; None where none does.

    No schedule holds for what was not tried yet, and for what an operator paused.
    """
    if cause in ("", Cause.PAUSED.value):
        return None
    return _BY_NAME.get(cause, RetryRule.OTHER)


_TOO_MUCH = frozenset({421, 451})


def is_too_much(outcome: Deferred) -> bool:
    """Whether the host says or shows that it has too much of us at once."""
    if outcome.cause is Cause.REMOTE_REPLY:
        return outcome.reply.code in _TOO_MUCH
    return outcome.cause is Cause.TIMEOUT


def cause_of(outcome: Deferred | Failed) -> str:
    """Why it was not delivered, in a word or two: for logs and operators."""
    if isinstance(outcome, Deferred) and outcome.cause is Cause.REMOTE_REPLY:
        rule = _by_reply(outcome.reply)
        if rule is not RetryRule.OTHER:
            return rule.value
    return outcome.cause.value
