"""Bounces and notices: from what the scheduler knows to a message with its decision."""

import secrets
from collections.abc import Callable, Sequence

from msgspec.structs import replace

from sekisho.model.address import Address
from sekisho.model.content import InlineBody
from sekisho.model.decision import Decision
from sekisho.model.envelope import Notify, Recipient
from sekisho.model.ids import MessageId
from sekisho.model.message import Message
from sekisho.model.text import Language
from sekisho.policy.admission import admit_report
from sekisho.queue.bodies import BodyFiles
from sekisho.report.bounce import bounce
from sekisho.report.case import (
    Affected,
    BounceCase,
    HeaderOnly,
    NoReport,
    Original,
    WholeMessage,
)
from sekisho.report.texts import Kind
from sekisho.wire.header import header_end

MAX_HEADER_BYTES = 256 * 1024
_BOUNDARY_BITS = 128


class Reporter:
    """Makes reports in our name."""

    def __init__(  # noqa: PLR0913 - each is one thing it is told
        self,
        hostname: str,
        bodies: BodyFiles,
        new_id: Callable[[float], MessageId],
        clock: Callable[[], float],
        expire_seconds: Callable[[str], float],
        *,
        language: Language = Language.ENGLISH,
        copy_to: Address | None = None,
    ) -> None:
        """Make reports.

        Args:
            hostname: Ours.
            bodies: Where bodies in files are read.
            new_id: Makes message ids.
            clock: Unix seconds.
            expire_seconds: How long mail for a domain is tried.
            language: Of the part for people.
            copy_to: Who gets a copy of each bounce, if anybody.

        """
        self._hostname = hostname
        self._bodies = bodies
        self._new_id = new_id
        self._clock = clock
        self._expire_seconds = expire_seconds
        self._language = language
        self._copy_to = copy_to

    def report(
        self, kind: Kind, message: Message, affected: Sequence[Affected]
    ) -> tuple[Message, Decision] | None:
        """Make a report on some recipients of a message.

        Returns:
            The report, ready for the queue; None where nobody is to get one.

        Raises:
            OSError: The message's body cannot be read.

        """
        now = self._clock()
        id_ = self._new_id(now)
        made = bounce(
            BounceCase(
                kind=kind,
                affected=tuple(affected),
                envelope=message.envelope,
                original=self._original(message),
                original_id=message.id,
                received_at=message.received_at,
                report_id=id_,
                hostname=self._hostname,
                author=Address("postmaster", self._hostname),
                now=now,
                random_bits=secrets.randbits(_BOUNDARY_BITS),
                retry_until=message.received_at
                + min(
                    self._expire_seconds(one.recipient.address.domain)
                    for one in affected
                ),
                language=self._language,
            )
        )
        if isinstance(made, NoReport):
            return None
        decision = admit_report(made.envelope)
        source = f"report on {message.id}"
        return Message(id_, made.envelope, made.content, now, source), decision

    def copy(self, report: Message) -> tuple[Message, Decision] | None:
        """Make a bounce once more, for the postmaster, where that is wanted."""
        to, envelope = self._copy_to, report.envelope
        if to is None or envelope.recipients[0].address == to:
            return None
        now = self._clock()
        recipient = Recipient(to, Notify.NEVER, notify_given=True)
        own = replace(envelope, recipients=(recipient,))
        source = f"copy of {report.id}"
        copied = Message(self._new_id(now), own, report.content, now, source)
        return copied, admit_report(own)

    def _original(self, message: Message) -> Original:
        content = message.content
        if isinstance(content.body, InlineBody):
            return WholeMessage(content.prefix + content.body.data[content.skip :])
        start = self._bodies.read_now(content.body, content.skip, MAX_HEADER_BYTES)
        if content.skip:
            # The prefix is the whole header where it was rewritten.
            return HeaderOnly(content.prefix)
        return HeaderOnly(content.prefix + start[: header_end(start)])
