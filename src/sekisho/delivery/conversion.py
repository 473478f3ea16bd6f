"""Makes what goes out fit for the host at the other end, where that is exact.

Rules:

- A host that takes a content as it is gets it as it is, and nothing is looked at that
  `sekisho.delivery.content` does not look at anyway.
- Content with octets above 127 for a host without 8BITMIME is made 7-bit; BINARYMIME
  content for a host without it is made 8-bit where 8BITMIME is offered, else 7-bit.
- What cannot be converted exactly is failed before MAIL: 5.6.1 for signed parts and for
  binary content, 5.6.3 for 8-bit content, 5.6.7 where a UTF-8 header is what needs
  SMTPUTF8.
- A small content is converted in memory. A large one is read three times, in pieces:
  to find its parts, to measure what it becomes (SIZE and BDAT want that), to send it.
"""

from collections.abc import AsyncIterator

import msgspec
from msgspec.structs import replace

from sekisho.delivery.content import Bodies, file_facts, inline_facts, pieces, whole
from sekisho.model.content import Content, InlineBody
from sekisho.model.envelope import BodyKind, Envelope
from sekisho.model.message import Message
from sekisho.model.reply import Reply, reply
from sekisho.session.client_events import ContentFacts
from sekisho.session.client_extensions import Capabilities
from sekisho.session.client_transaction import NO_SMTPUTF8
from sekisho.wire.mime import Conversion, converted
from sekisho.wire.mime_plan import Plan, Refusal, Target
from sekisho.wire.mime_structure import StructureScan

_STATUS = {Refusal.SIGNED: "5.6.1", Refusal.HEADER: "5.6.3", Refusal.UNCLEAR: "5.6.3"}
_REPLIES = {
    Target.SEVEN_BIT: {
        refusal: reply(554, status, f"Next host takes 7-bit only: {refusal.value}")
        for refusal, status in _STATUS.items()
    },
    Target.EIGHT_BIT: {
        refusal: reply(554, "5.6.1", f"Next host takes no binary: {refusal.value}")
        for refusal in Refusal
    },
}
_DECLARED = {
    Target.SEVEN_BIT: BodyKind.SEVEN_BIT,
    Target.EIGHT_BIT: BodyKind.EIGHT_BIT_MIME,
}


class Outgoing(msgspec.Struct, frozen=True):
    """A message as one host is to get it.

    Attributes:
        message: As it was accepted.
        envelope: With the kind of body that goes out.
        facts: Of the content that goes out.
        inline: That content where it is small.
        plan: What changes on the way where it is large; None where nothing does.

    """

    message: Message
    envelope: Envelope
    facts: ContentFacts
    inline: bytes | None = None
    plan: Plan | None = None

    async def pieces(self, bodies: Bodies) -> AsyncIterator[bytes]:
        """Give the content that goes out in pieces.

        Raises:
            OSError: It cannot be read to its end.

        """
        content = self.message.content
        if self.plan is None:
            async for piece in pieces(content, bodies):
                yield piece
        else:
            async for piece in _converted_pieces(content, bodies, self.plan):
                yield piece


def small_outgoing(
    message: Message, body: InlineBody, offered: Capabilities
) -> Outgoing | Reply:
    """Prepare a message with a small body for a host.

    Returns:
        What goes out, or why the host cannot take it (5yz).

    """
    envelope = message.envelope
    data = whole(message.content, body)
    facts = inline_facts(envelope, data)
    target = _target(envelope, facts, offered)
    if target is None:
        return Outgoing(message, envelope, facts, data)
    fit = converted(data, target)
    if isinstance(fit, Refusal):
        return _reply(envelope, target, fit)
    return _changed(message, target, replace(facts, size=len(fit)), inline=fit)


async def large_outgoing(
    message: Message, bodies: Bodies, offered: Capabilities
) -> Outgoing | Reply:
    """Prepare a message with a body in a file for a host.

    Returns:
        As `small_outgoing`.

    Raises:
        OSError: The content cannot be read.

    """
    content, envelope = message.content, message.envelope
    facts = await file_facts(envelope, content, bodies, offered)
    target = _target(envelope, facts, offered)
    if target is None:
        return Outgoing(message, envelope, facts)
    plan = await _planned(content, bodies, target)
    if isinstance(plan, Refusal):
        return _reply(envelope, target, plan)
    size = 0
    async for piece in _converted_pieces(content, bodies, plan):
        size += len(piece)
    return _changed(message, target, replace(facts, size=size), plan=plan)


def _target(
    envelope: Envelope, facts: ContentFacts, offered: Capabilities
) -> Target | None:
    """What the content must become for the host, or None where it is fit."""
    keywords = offered.keywords
    takes_eight_bit = "8BITMIME" in keywords
    if envelope.body is BodyKind.BINARY_MIME:
        if {"BINARYMIME", "CHUNKING"} <= keywords:
            return None
        return Target.EIGHT_BIT if takes_eight_bit else Target.SEVEN_BIT
    return Target.SEVEN_BIT if facts.eight_bit and not takes_eight_bit else None


def _reply(envelope: Envelope, target: Target, refusal: Refusal) -> Reply:
    if refusal is Refusal.HEADER and envelope.smtputf8:
        return NO_SMTPUTF8
    return _REPLIES[target][refusal]


def _changed(
    message: Message,
    target: Target,
    facts: ContentFacts,
    *,
    inline: bytes | None = None,
    plan: Plan | None = None,
) -> Outgoing:
    envelope = replace(message.envelope, body=_DECLARED[target])
    facts = replace(facts, eight_bit=target is Target.EIGHT_BIT)
    return Outgoing(message, envelope, facts, inline, plan)


async def _planned(content: Content, bodies: Bodies, target: Target) -> Plan | Refusal:
    scan = StructureScan(target)
    async for piece in pieces(content, bodies):
        scan.feed(piece)
        if scan.refused is not None:
            return scan.refused
    return scan.finish()


async def _converted_pieces(
    content: Content, bodies: Bodies, plan: Plan
) -> AsyncIterator[bytes]:
    conversion = Conversion(plan)
    async for piece in pieces(content, bodies):
        if changed := conversion.feed(piece):
            yield changed
