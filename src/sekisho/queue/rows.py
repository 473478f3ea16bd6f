"""Values of the model ↔ rows of the file.

What is never looked for is one MessagePack array a row; fields may be added to its
end (with a default), never taken out or moved, so that older rows stay readable.

A message's rows are made before it enters a group: a message that cannot be encoded
then fails its own caller, and not the group that it would have shared.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import TypeAlias

import msgspec

from sekisho.model.address import NULL_PATH, Address, ReversePath, parse_address
from sekisho.model.content import Body, Content, FileBody, InlineBody
from sekisho.model.decision import Decision, Ruling, Verdict
from sekisho.model.envelope import (
    NOTIFY_DEFAULT,
    BodyKind,
    Envelope,
    Notify,
    Recipient,
    Ret,
)
from sekisho.model.ids import MessageId
from sekisho.model.message import Message
from sekisho.queue.postponing import NOTHING_PARKED, Parked
from sekisho.queue.records import QueuedMessage, QueuedRecipient, State
from sekisho.queue.schema import INDEX_BITS

INDEX_MASK = (1 << INDEX_BITS) - 1

MessageRow: TypeAlias = tuple[int, bytes, float, str, int, int, str | None, bytes]
"""seq, id, received_at, reverse_path, size, recipients, file, facts."""

BodyRow: TypeAlias = tuple[int, bytes, bytes | None]
"""seq, prefix, data."""

NewRecipientRow: TypeAlias = tuple[int, int, int, float, str, str, str, bytes]
"""key, state, attempts, next_attempt, destination, address, last_reply, facts."""

RecipientRow: TypeAlias = tuple[int, int, int, float, str, str, str, bytes, str, float]
"""The same, and cause, delay_told_at: a new recipient has neither."""

Destinations: TypeAlias = Callable[[Address, ReversePath], str]
"""Names where a recipient's mail goes: ``str(Destination)``."""


class _MessageFacts(msgspec.Struct, array_like=True, frozen=True):
    body: str
    smtputf8: bool
    ret: str
    envid: str
    declared_bytes: int
    source: str
    skip: int
    file_bytes: int
    rule: str
    grant: str
    reason: str


class _RecipientFacts(msgspec.Struct, array_like=True, frozen=True):
    notify: int
    notify_given: bool
    original: str
    rule: str
    grant: str


_encode = msgspec.msgpack.Encoder().encode
_decode_message_facts = msgspec.msgpack.Decoder(_MessageFacts).decode
_decode_recipient_facts = msgspec.msgpack.Decoder(_RecipientFacts).decode
_BODY_NAME = {kind: kind.value for kind in BodyKind}
_RET_NAME = {ret: ret.value for ret in Ret}
_PENDING, _HELD = State.PENDING.value, State.HELD.value


class PreparedMessage(msgspec.Struct, frozen=True, eq=False):
    """The rows of one message."""

    message: MessageRow
    body: BodyRow
    recipients: list[NewRecipientRow]


def prepare(
    seq: int,
    message: Message,
    decision: Decision,
    destinations: Destinations,
    parked: Mapping[str, Parked] = NOTHING_PARKED,
) -> PreparedMessage:
    """Make a message's rows.

    Args:
        seq: Its number in this file.
        message: Whole.
        decision: Policy's, about this very envelope.
        destinations: Names where each recipient's mail goes.
        parked: Hosts that are down: what is for them waits for their next step.

    Raises:
        TypeError: The decision refuses, or is about another envelope.

    """
    rulings = admitted_by(message.envelope, decision)
    envelope, content = message.envelope, message.content
    body, reverse_path = content.body, envelope.reverse_path
    file = body if isinstance(body, FileBody) else None
    facts = _MessageFacts(
        body=_BODY_NAME[envelope.body],
        smtputf8=envelope.smtputf8,
        ret=_RET_NAME[envelope.ret],
        envid=envelope.envid,
        declared_bytes=envelope.declared_bytes,
        source=message.source,
        skip=content.skip,
        file_bytes=0 if file is None else file.size,
        rule=decision.rule,
        grant=decision.grant,
        reason=decision.reason,
    )
    state = _HELD if decision.verdict is Verdict.HOLD else _PENDING
    now, base = message.received_at, seq << INDEX_BITS
    recipients: list[NewRecipientRow] = [
        (
            base + index,
            state,
            0,
            now,
            destinations(recipient.address, reverse_path),
            str(recipient.address),
            "",
            _recipient_facts(
                recipient.notify,
                recipient.notify_given,
                recipient.original,
                ruling.rule,
                ruling.grant,
            ),
        )
        for index, (recipient, ruling) in enumerate(
            zip(envelope.recipients, rulings, strict=True)
        )
    ]
    if parked and state == _PENDING:
        recipients = [_joined(one, parked.get(one[4])) for one in recipients]
    return PreparedMessage(
        (
            seq,
            message.id.octets,
            now,
            str(reverse_path),
            content.size,
            len(recipients),
            None if file is None else file.name,
            _encode(facts),
        ),
        (seq, content.prefix, body.data if isinstance(body, InlineBody) else None),
        recipients,
    )


def _joined(row: NewRecipientRow, step: Parked | None) -> NewRecipientRow:
    """A new recipient among those that wait for a host that is down."""
    key, state, attempts, now, destination, address, _, facts = row
    if step is None or step.until <= now:
        return row
    state, told = int(State.DEFERRED), step.last_reply
    return (key, state, attempts, step.until, destination, address, told, facts)


def admitted_by(envelope: Envelope, decision: Decision) -> Sequence[Ruling]:
    """The rulings by which each recipient passes, in the envelope's order.

    Raises:
        TypeError: The decision refuses, or is about another envelope. Whoever comes
            here with such a pair has a mistake in his code, and the mail stays out.

    """
    # The exact class: a look-alike with the same fields was never sealed by policy.
    if type(decision) is not Decision or not decision.accepts:
        raise TypeError("a message enters the queue by a decision that accepts it")
    recipients, rulings = envelope.recipients, decision.rulings
    if not recipients or len(recipients) > INDEX_MASK:
        raise TypeError("a message has at least one recipient, and not a million")
    if decision.reverse_path != envelope.reverse_path:
        raise TypeError("the decision was made for another reverse-path")
    addresses = [recipient.address for recipient in recipients]
    if addresses == [ruling.address for ruling in rulings]:
        return rulings
    by_address = {ruling.address: ruling for ruling in rulings}
    if by_address.keys() != set(addresses):
        raise TypeError("the decision was made for other recipients")
    return [by_address[address] for address in addresses]


def released_facts(facts: bytes, decision: Decision) -> bytes:
    """A message's facts with the rule by which an operator let it go."""
    return _encode(
        msgspec.structs.replace(
            _decode_message_facts(facts),
            rule=decision.rule,
            grant=decision.grant,
            reason=decision.reason,
        )
    )


def restore(
    row: MessageRow, body: BodyRow, recipients: Sequence[RecipientRow]
) -> QueuedMessage:
    """Make the values of a message's rows.

    Args:
        row: The message.
        body: Its prefix, and its data unless that is a file.
        recipients: By key. Those that were removed leave holes, which
            `QueuedRecipient.index` tells.

    """
    facts = _decode_message_facts(row[7])
    queued = tuple(_restore_recipient(recipient) for recipient in recipients)
    where: Body = (
        FileBody(row[6], facts.file_bytes)
        if row[6] is not None
        else InlineBody(body[2] or b"")
    )
    message = Message(
        MessageId(int.from_bytes(row[1], "big")),
        Envelope(
            reverse_path=path_from(row[3]),
            recipients=tuple(recipient.recipient for recipient in queued),
            body=BodyKind(facts.body),
            smtputf8=facts.smtputf8,
            ret=Ret(facts.ret),
            envid=facts.envid,
            declared_bytes=facts.declared_bytes,
        ),
        Content(body[1], where, facts.skip),
        float(row[2]),
        facts.source,
    )
    return QueuedMessage(message, queued, facts.rule, facts.grant, facts.reason)


def path_from(text: str) -> ReversePath:
    """Read a reverse-path as `str` spelled it."""
    return _address_from(text) if text else NULL_PATH


def _address_from(text: str) -> Address:
    # The unqualified postmaster is the one mailbox that `parse_address` refuses.
    return parse_address(text) if "@" in text else Address(text, "")


@lru_cache(maxsize=256)
def _recipient_facts(
    notify: Notify,
    notify_given: bool,  # noqa: FBT001 - part of the cache's key
    original: str,
    rule: str,
    grant: str,
) -> bytes:
    """Nearly always the same: made once for each that there is."""
    return _encode(_RecipientFacts(notify.value, notify_given, original, rule, grant))


def _restore_recipient(row: RecipientRow) -> QueuedRecipient:
    facts = _decode_recipient_facts(row[7])
    notify = Notify(facts.notify) if facts.notify_given else NOTIFY_DEFAULT
    return QueuedRecipient(
        index=row[0] & INDEX_MASK,
        recipient=Recipient(
            _address_from(row[5]), notify, facts.notify_given, facts.original
        ),
        state=State(row[1]),
        attempts=int(row[2]),
        next_attempt=float(row[3]),
        last_reply=row[6],
        destination=row[4],
        rule=facts.rule,
        grant=facts.grant,
        cause=row[8],
        delay_told_at=row[9],
    )
