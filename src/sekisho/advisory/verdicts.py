"""What the procedure can say of a host, and the shape in which it says it.

There is no boolean here: what is not known stays *unknown*, and a mitigation is not a
fix. Codes are for ever; the texts beside them may be worded anew.
"""

from dataclasses import dataclass
from enum import Enum

from sekisho.model.text import Text

ALTERNATIVE = "alt:"
"""Put before the code of an action that is taken instead of those above it."""


class Verdict(Enum):
    """What one advisory means for one host; the value stands in answers."""

    AFFECTED = "affected"
    UNKNOWN = "unknown"
    MITIGATED = "mitigated"
    NOT_AFFECTED = "not_affected"
    FIXED = "fixed"


class Scope(Enum):
    """Against whom a mitigation helps."""

    ALL = "all"
    INTERNET_ONLY = "internet-only"


class Basis(Enum):
    """What keeps a host from being affected: what it is, or how it is set up now."""

    PRODUCT = "product"
    CONFIGURATION = "configuration"


class Priority(Enum):
    """How soon somebody should act; the first is the most urgent."""

    P1 = "P1"
    P2 = "P2"
    P3 = "P3"
    P4 = "P4"
    NONE = "none"


VERDICT_TEXTS = {
    Verdict.AFFECTED: Text("affected", "影響を受ける"),
    Verdict.UNKNOWN: Text("unknown", "不明"),
    Verdict.MITIGATED: Text("mitigated", "緩和されている"),
    Verdict.NOT_AFFECTED: Text("not affected", "影響を受けない"),
    Verdict.FIXED: Text("fixed", "修正済み"),
}
SCOPE_TEXTS = {
    Scope.ALL: Text("against everybody", "すべての攻撃に対して"),
    Scope.INTERNET_ONLY: Text(
        "against attacks from the internet only",
        "インターネットからの攻撃に対してのみ",
    ),
}
PRIORITY_TEXTS = {
    Priority.P1: Text("act now", "ただちに対処する"),
    Priority.P2: Text("act next", "次に対処する"),
    Priority.P3: Text("act when there is time", "計画して対処する"),
    Priority.P4: Text(
        "nothing now; judge again when the set-up changes",
        "今は不要。構成を変えたら判定し直す",
    ),
    Priority.NONE: Text("nothing", "対処は不要"),
}


@dataclass(frozen=True, slots=True)
class Said:
    """A code and what it means.

    Attributes:
        code: Such as ``R-SP3``; an alternative action begins with ``alt:``.
        text: For people.
        section: The section of the bulletin that it rests on, where it rests on one.

    """

    code: str
    text: Text
    section: Text | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """One advisory's answer for one host.

    Attributes:
        host: The host's id.
        advisory: The advisory's id.
        verdict: What it means for the host.
        scope: Of a mitigation, else None.
        reasons: What settled it first, then whatever else holds.
        actions: In the order in which they are to be done.
        missing: Names of facts that would have to be known, of an unknown verdict only.
        warnings: What to think of besides.
        priority: How soon.
        first: Whether it goes before others as urgent (stand-alone web servers).

    """

    host: str
    advisory: str
    verdict: Verdict
    scope: Scope | None
    reasons: tuple[Said, ...]
    actions: tuple[Said, ...]
    missing: tuple[str, ...]
    warnings: tuple[Said, ...]
    priority: Priority
    first: bool = False


_URGENCY = tuple(Priority)
_GRAVITY = tuple(Verdict)


def worst_first(answer: Answer) -> tuple[int, int, bool, str, str]:
    """Sort key: the most urgent first, then stand-alone web servers, then by name."""
    return (
        _URGENCY.index(answer.priority),
        _GRAVITY.index(answer.verdict),
        not answer.first,
        answer.host,
        answer.advisory,
    )
