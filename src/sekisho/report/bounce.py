"""Bounces, delay notices and success notices (RFC 3464, RFC 3461 §6, RFC 6533).

A report is a ``multipart/report`` of three parts: words for people, fields for
programs, and the message or its header. It goes from the null reverse-path, says
``Auto-Submitted: auto-replied`` (RFC 3834) and asks for no report of its own.

Promises:

- No report about a message from ``<>`` and none that the sender did not ask for:
  `bounce` answers `NoReport`, which says why.
- Nothing from outside (replies, host names, ENVID, ORCPT, the message itself) can add
  a field, a part or an end to a part: controls become ``?``, and the boundary stands
  in none of the parts.
- All of it is 7-bit, except where the message that goes back has an 8-bit body: a
  ``message/rfc822`` may not be encoded (RFC 2046 §5.2.1), and `Report.body` says so.
- It can be delivered to any host: one without 8BITMIME gets it converted. Where that
  cannot be, since a part is signed, the message goes back as ``message/global`` (which
  may be encoded, RFC 6532 §3.7), or else its header alone.
- The size is bounded: by the recipients of one message, `MAX_REPLY_LINES`,
  `MAX_RETURNED_HEADER` and `MAX_RETURNED_MESSAGE`.

Composed by hand: `email.message` would rewrite line ends and fold header fields as it
sees fit, and reads the clock.
"""

import re
from collections.abc import Iterator, Sequence
from typing import cast

from sekisho.model.address import Address, NullPath
from sekisho.model.content import INLINE_BYTES, Content, InlineBody
from sekisho.model.envelope import BodyKind, Notify, Recipient, Ret
from sekisho.report.case import (
    Affected,
    BounceCase,
    NoReport,
    Original,
    Report,
    WholeMessage,
)
from sekisho.report.mime import (
    Encoding,
    Part,
    encoded_part,
    fits_lines,
    header_text,
    multipart,
)
from sekisho.report.people import people_part
from sekisho.report.status import status_part
from sekisho.report.texts import TEXTS, Kind
from sekisho.report.trace import rfc5322_date
from sekisho.wire.header import field_values, header_end
from sekisho.wire.mime import converted
from sekisho.wire.mime_plan import Refusal, Target

MAX_RETURNED_HEADER = 32 * 1024
"""Octets of the header that come back; what is beyond is cut off at a line's end."""

MAX_RETURNED_MESSAGE = INLINE_BYTES - 512
"""Octets of a message that comes back whole, encoded; with its part's own header and
the last boundary it is still a body that is held in memory."""

_WANTED = {
    Kind.FAILED: Notify.FAILURE,
    Kind.DELAYED: Notify.DELAY,
    Kind.DELIVERED: Notify.SUCCESS,
    Kind.RELAYED: Notify.SUCCESS,
}
_RFC822 = "message/rfc822"
_GLOBAL = "message/global"
_WHOLE = frozenset({_RFC822, _GLOBAL})
_MESSAGE_ID = re.compile(rb"<[!-;=?-~]{1,250}>")


def bounce(case: BounceCase) -> Report | NoReport:
    """Write the report that is due, if one is.

    Returns:
        The report, or why there is none: the message came from ``<>``, or NOTIFY of
        every recipient speaks against it (RFC 3461 §4.1).

    """
    sender = case.envelope.reverse_path
    if isinstance(sender, NullPath):
        return NoReport.NULL_SENDER
    wanted = _WANTED[case.kind]
    affected = tuple(one for one in case.affected if wanted & one.recipient.notify)
    if not affected:
        return NoReport.NOT_WANTED
    reports = (_composed(case, sender, affected, part) for part in _returned(case))
    return next(one for one in reports if _goes_anywhere(one))


def _composed(
    case: BounceCase, sender: Address, affected: Sequence[Affected], returned: Part
) -> Report:
    whole = returned.media_type in _WHOLE
    parts = (
        people_part(case, affected, with_whole_message=whole),
        status_part(case, affected),
        returned,
    )
    boundary, front, back = multipart(parts, case.random_bits)
    eight_bit = any(part.encoding is Encoding.EIGHT_BIT for part in parts)
    head = _head(case, sender, boundary, "8bit" if eight_bit else "7bit")
    return Report(
        recipient=Recipient(sender, Notify.NEVER, notify_given=True),
        content=Content(head + front, InlineBody(back)),
        kind=case.kind,
        body=BodyKind.EIGHT_BIT_MIME if eight_bit else BodyKind.SEVEN_BIT,
    )


def _goes_anywhere(report: Report) -> bool:
    """Whether a host without 8BITMIME gets it too, converted as it is delivered."""
    if report.body is BodyKind.SEVEN_BIT:
        return True
    data = report.content.prefix + cast("InlineBody", report.content.body).data
    return not isinstance(converted(data, Target.SEVEN_BIT), Refusal)


def _returned(case: BounceCase) -> Iterator[Part]:
    """What may come back of the message, the fullest first; the last always can."""
    original = case.original
    # RET speaks of failures: a success notice returns the header (RFC 3461 §4.3).
    if (
        isinstance(original, WholeMessage)
        and case.envelope.ret is not Ret.HDRS
        and case.kind not in (Kind.DELIVERED, Kind.RELAYED)
    ):
        for part in _message_parts(original.data, utf8=case.envelope.smtputf8):
            if len(part.octets) <= MAX_RETURNED_MESSAGE:
                yield part
    yield _header(case)


def _message_parts(data: bytes, *, utf8: bool) -> Iterator[Part]:
    header = data[: header_end(data)]
    is_global = utf8 and not header.isascii()
    if not is_global and fits_lines(data):
        encoding = Encoding.SEVEN_BIT if data.isascii() else Encoding.EIGHT_BIT
        yield Part(_RFC822, encoding, data)
    # Encoded, as only this type may be: what is signed stays what it is.
    if is_global or (fits_lines(data) and _is_utf8(header)):
        yield encoded_part(_GLOBAL, data)


def _is_utf8(header: bytes) -> bool:
    try:
        header.decode()
    except UnicodeDecodeError:
        return False
    return True


def _header(case: BounceCase) -> Part:
    header = _header_of(case.original)
    if len(header) > MAX_RETURNED_HEADER:
        header = header[: header.rfind(b"\r\n", 0, MAX_RETURNED_HEADER) + 2]
    utf8 = case.envelope.smtputf8 and not header.isascii()
    media_type = "message/global-headers" if utf8 else "text/rfc822-headers"
    return encoded_part(media_type, header)


def _head(case: BounceCase, sender: Address, boundary: str, encoding: str) -> bytes:
    """The report's own header, the blank line and the preamble included."""
    subject = header_text(TEXTS[case.language].subject[case.kind])
    return (
        f"From: <{case.author}>\r\n"
        f"To: <{sender}>\r\n"
        f"Subject: {subject}\r\n"
        f"Date: {rfc5322_date(case.now)}\r\n"
        f"Message-ID: <{case.report_id}@{case.hostname}>\r\n"
        f"{_thread(case.original)}"
        "Auto-Submitted: auto-replied\r\n"
        "MIME-Version: 1.0\r\n"
        "Content-Type: multipart/report; report-type=delivery-status;\r\n"
        f'\tboundary="{boundary}"\r\n'
        f"Content-Transfer-Encoding: {encoding}\r\n"
        f"Content-Language: {case.language.value}\r\n"
        "\r\n"
        "This is a MIME message: a delivery report in three parts.\r\n"
    ).encode()


def _thread(original: Original) -> str:
    """Tie the report to the message in the reader's mailbox (RFC 3834 §3.1.5)."""
    ids = field_values(_header_of(original), b"Message-ID")
    if len(ids) != 1 or not _MESSAGE_ID.fullmatch(ids[0]):
        return ""
    message_id = ids[0].decode("ascii")
    return f"In-Reply-To: {message_id}\r\nReferences: {message_id}\r\n"


def _header_of(original: Original) -> bytes:
    if isinstance(original, WholeMessage):
        return original.data[: header_end(original.data)]
    return original.header
