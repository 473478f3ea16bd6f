"""The part of a report for programs: ``message/delivery-status``.

RFC 3464 §2; with a recipient that is not ASCII ``message/global-delivery-status`` and
the address type ``utf-8`` (RFC 6533 §4).
"""

from collections.abc import Iterator, Sequence

from sekisho.model.address import Address
from sekisho.model.outcome import Cause, Delivered, Outcome
from sekisho.report.case import Affected, BounceCase
from sekisho.report.clean import clean, first_lines
from sekisho.report.mime import Part, encoded_part
from sekisho.report.texts import Kind
from sekisho.report.trace import rfc5322_date


def status_part(case: BounceCase, affected: Sequence[Affected]) -> Part:
    """Write the part: a group of fields for the message, one for each recipient.

    Args:
        case: What the report is made of.
        affected: Those of its recipients that the report is about.

    """
    groups = (_of_message(case), *(_of_recipient(one, case) for one in affected))
    text = "\r\n".join("".join(f"{line}\r\n" for line in group) for group in groups)
    utf8 = "" if text.isascii() else "global-"
    return encoded_part(f"message/{utf8}delivery-status", text.encode())


def _of_message(case: BounceCase) -> Iterator[str]:
    if case.envelope.envid:
        # ENVID and ORCPT are xtext on the wire alone (RFC 3461 §4.4): here they are
        # as they were meant.
        yield f"Original-Envelope-Id: {clean(case.envelope.envid)}"
    yield f"Reporting-MTA: dns; {case.hostname}"
    yield f"Arrival-Date: {rfc5322_date(case.received_at)}"


def _of_recipient(one: Affected, case: BounceCase) -> Iterator[str]:
    recipient, outcome = one.recipient, one.outcome
    if recipient.original:
        yield f"Original-Recipient: {_typed(recipient.original)}"
    yield f"Final-Recipient: {_final(recipient.address)}"
    yield f"Action: {case.kind.value}"
    yield f"Status: {_status(outcome)}"
    if outcome.host:
        yield f"Remote-MTA: dns; {clean(outcome.host)}"
    yield f"Diagnostic-Code: {_diagnostic(outcome)}"
    if one.attempted_at:
        yield f"Last-Attempt-Date: {rfc5322_date(one.attempted_at)}"
    if case.kind is Kind.DELAYED:
        yield f"Will-Retry-Until: {rfc5322_date(case.retry_until)}"


def _final(address: Address) -> str:
    return f"{'rfc822' if address.is_ascii else 'utf-8'}; {address}"


def _typed(original: str) -> str:
    """ORCPT's ``type;address`` as the field has it."""
    address_type, _, address = clean(original).partition(";")
    return f"{address_type}; {address}"


def _status(outcome: Outcome) -> str:
    # A host without ENHANCEDSTATUSCODES leaves us the class alone (RFC 3463 §2).
    return outcome.reply.enhanced or f"{outcome.reply.code // 100}.0.0"


def _diagnostic(outcome: Outcome) -> str:
    """What was said, folded as it was; ``smtp`` only where a host said it."""
    by_host = isinstance(outcome, Delivered) or outcome.cause is Cause.REMOTE_REPLY
    reply = outcome.reply
    words = "\r\n ".join(first_lines(reply))
    status = f"{reply.code} {reply.enhanced}".rstrip()
    return f"{'smtp' if by_host else 'x-sekisho'}; {status} {words}"
