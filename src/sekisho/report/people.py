"""The part of a report for people: what happened, to whom, and what to do."""

from collections.abc import Sequence
from typing import assert_never

from sekisho.model.outcome import Cause, Deferred, Delivered, Failed, Outcome
from sekisho.report.case import Affected, BounceCase
from sekisho.report.clean import clean, first_lines
from sekisho.report.mime import Part, encoded_part
from sekisho.report.texts import TEXTS, Advice, Texts
from sekisho.report.trace import rfc5322_date

# What the sender can do: by the cause where it alone says so, else by the first of
# these that the enhanced code begins with, its class aside (RFC 3463 §3).
_ADVICE_BY_CAUSE = {
    Cause.UNREACHABLE: Advice.HOST_AWAY,
    Cause.DNS: Advice.HOST_AWAY,
    Cause.TIMEOUT: Advice.HOST_AWAY,
    Cause.NULL_MX: Advice.CHECK_ADDRESS,
    Cause.CONVERSION: Advice.CONTENT,
}
_ADVICE_BY_CODE = (
    (".1.", Advice.CHECK_ADDRESS),
    (".2.1", Advice.CHECK_ADDRESS),
    (".2.2", Advice.MAILBOX_FULL),
    (".2.3", Advice.MAKE_SMALLER),
    (".3.4", Advice.MAKE_SMALLER),
    (".4.6", Advice.ASK_POSTMASTER),
    (".4.", Advice.HOST_AWAY),
    (".6.", Advice.CONTENT),
    (".7.", Advice.REFUSED_BY_RULE),
)


def people_part(
    case: BounceCase, affected: Sequence[Affected], *, with_whole_message: bool
) -> Part:
    """Write the part in the language that the case names.

    Args:
        case: What the report is made of.
        affected: Those of its recipients that the report is about.
        with_whole_message: Whether the report carries the message or its header.

    """
    texts = TEXTS[case.language]
    details = texts.details.format(
        arrival=rfc5322_date(case.received_at), id=case.original_id
    )
    paragraphs = (
        texts.opening[case.kind].format(host=case.hostname),
        *(_about(one, case, texts) for one in affected),
        details,
        texts.whole if with_whole_message else texts.header_only,
    )
    words = "\n\n".join(paragraphs) + "\n"
    return encoded_part(
        "text/plain; charset=utf-8", words.replace("\n", "\r\n").encode()
    )


def _about(one: Affected, case: BounceCase, texts: Texts) -> str:
    outcome = one.outcome
    said = texts.host_said.format(host=clean(outcome.host))
    lines = [
        f"<{one.recipient.address}>",
        f"    {said if outcome.host else texts.we_say}",
    ]
    reply = outcome.reply
    status = f"{reply.code} {reply.enhanced}".rstrip()
    lines += (f"        {status} {line}" for line in first_lines(reply))
    advice = texts.advice[_advice(outcome)].format(until=rfc5322_date(case.retry_until))
    if advice:
        lines.append(f"    {advice}")
    return "\n".join(lines)


def _advice(outcome: Outcome) -> Advice:
    match outcome:
        case Delivered():
            return Advice.NOTHING
        case Deferred():
            return Advice.WAIT
        case Failed(cause, reply) if cause in (Cause.REMOTE_REPLY, Cause.EXPIRED):
            detail = reply.enhanced[1:]
            found = (text for code, text in _ADVICE_BY_CODE if detail.startswith(code))
            return next(found, Advice.ASK_POSTMASTER)
        case Failed(cause):
            return _ADVICE_BY_CAUSE.get(cause, Advice.ASK_POSTMASTER)
        case _:
            assert_never(outcome)
