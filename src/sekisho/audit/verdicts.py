"""What a probe can find.

There is no boolean here: a refusal for another reason than the one asked about is
*undecided*, and what was accepted but not seen to arrive is *suspect*.
"""

from dataclasses import dataclass
from enum import Enum

from sekisho.model.text import Text


class Verdict(Enum):
    """What one probe says of one port; the value stands in reports for programs."""

    FLAWED = "flawed"
    """Proved, with the transcript."""
    SUSPECT = "suspect"
    """Accepted, and not yet proved."""
    UNDECIDED = "undecided"
    """Something stood in the way; the evidence says what."""
    SAFE = "safe"
    """Asked, and rightly refused."""
    NOT_APPLICABLE = "not_applicable"
    """The server does not offer what this is about."""


class Severity(Enum):
    """How bad it is where it is flawed."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict, and in one sentence what it rests on."""

    verdict: Verdict
    evidence: Text


def safe(en: str, ja: str) -> Judgement:
    """Refused as it should be."""
    return Judgement(Verdict.SAFE, Text(en, ja))


def flawed(en: str, ja: str) -> Judgement:
    """Proved."""
    return Judgement(Verdict.FLAWED, Text(en, ja))


def suspect(en: str, ja: str) -> Judgement:
    """Accepted, not yet proved."""
    return Judgement(Verdict.SUSPECT, Text(en, ja))


def undecided(en: str, ja: str) -> Judgement:
    """Something stood in the way."""
    return Judgement(Verdict.UNDECIDED, Text(en, ja))


def not_applicable(en: str, ja: str) -> Judgement:
    """Not offered here."""
    return Judgement(Verdict.NOT_APPLICABLE, Text(en, ja))
