"""What a report is made of, and what comes of it: values."""

from dataclasses import dataclass
from enum import Enum

from sekisho.model.address import NULL_PATH, Address, ReversePath
from sekisho.model.content import Content
from sekisho.model.envelope import BodyKind, Envelope, Recipient
from sekisho.model.ids import MessageId
from sekisho.model.outcome import Outcome
from sekisho.model.text import Language
from sekisho.report.texts import Kind


@dataclass(frozen=True, slots=True)
class WholeMessage:
    """The message, where it is small enough to be at hand."""

    data: bytes


@dataclass(frozen=True, slots=True)
class HeaderOnly:
    """The header section of a message whose body is elsewhere."""

    header: bytes


Original = WholeMessage | HeaderOnly


@dataclass(frozen=True, slots=True)
class Affected:
    """One recipient that the report is about.

    Attributes:
        recipient: As it stands in the envelope.
        outcome: What the last attempt did.
        attempted_at: Unix seconds of the last attempt, 0 where there was none.

    """

    recipient: Recipient
    outcome: Outcome
    attempted_at: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BounceCase:
    """All that a report is made of.

    Attributes:
        kind: What it tells of every one of `affected`.
        affected: Recipients; those that do not want such a report are left out.
        envelope: The message's.
        original: The message's octets, or its header's.
        original_id: The message's id.
        received_at: When we took the message, Unix seconds.
        report_id: The report's own id.
        hostname: Ours.
        author: ``From`` of the report.
        now: Unix seconds.
        random_bits: At least 128 random bits, for the boundary.
        retry_until: Of a delayed message: Unix seconds of its expiry.
        language: Of the part for people.

    """

    kind: Kind
    affected: tuple[Affected, ...]
    envelope: Envelope
    original: Original
    original_id: MessageId
    received_at: float
    report_id: MessageId
    hostname: str
    author: Address
    now: float
    random_bits: int
    retry_until: float = 0.0
    language: Language = Language.ENGLISH


@dataclass(frozen=True, slots=True)
class Report:
    """A report, ready to be queued.

    Attributes:
        recipient: The sender of the message it is about.
        content: The whole report.
        kind: What it tells.
        body: What its content holds.

    """

    recipient: Recipient
    content: Content
    kind: Kind
    body: BodyKind = BodyKind.SEVEN_BIT

    @property
    def reverse_path(self) -> ReversePath:
        """Always ``<>``: nobody reports on reports (RFC 3464 §2)."""
        return NULL_PATH

    @property
    def envelope(self) -> Envelope:
        """The envelope it goes with."""
        utf8 = not self.recipient.address.is_ascii
        return Envelope(NULL_PATH, (self.recipient,), self.body, smtputf8=utf8)


class NoReport(Enum):
    """No report is due; the value says why, for the log."""

    NULL_SENDER = "the message came from <>"
    NOT_WANTED = "no recipient wants such a report"
