"""Reports, parsed back with Python's email package and checked part by part."""

import email
import email.policy
from base64 import b64decode
from email.message import EmailMessage, Message
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replacing import replace
from sekisho.model.address import NULL_PATH, Address, parse_address
from sekisho.model.content import INLINE_BYTES, InlineBody
from sekisho.model.envelope import BodyKind, Envelope, Notify, Recipient, Ret
from sekisho.model.ids import MessageId, new_message_id
from sekisho.model.outcome import Cause, Deferred, Delivered, Failed
from sekisho.model.reply import reply
from sekisho.model.text import Language
from sekisho.report.bounce import (
    MAX_RETURNED_HEADER,
    MAX_RETURNED_MESSAGE,
    bounce,
)
from sekisho.report.case import (
    Affected,
    BounceCase,
    HeaderOnly,
    NoReport,
    Report,
    WholeMessage,
)
from sekisho.report.clean import MAX_REPLY_LINES
from sekisho.report.texts import TEXTS, Advice, Kind

HEADER = b"From: a@own.example\r\nSubject: hello\r\nMessage-ID: <1@own.example>\r\n\r\n"
SENDER = Address("alice", "own.example")
BOB = Recipient(Address("bob", "example.net"))
UNKNOWN = Failed(
    Cause.REMOTE_REPLY, reply(550, "5.1.1", "No such", "user here"), "mx.example.net"
)
CASE = BounceCase(
    kind=Kind.FAILED,
    affected=(Affected(BOB, UNKNOWN, 1_790_000_100.0),),
    envelope=Envelope(SENDER, (BOB,)),
    original=WholeMessage(HEADER + b"body\r\n"),
    original_id=new_message_id(1_790_000_000.0, 1),
    received_at=1_790_000_000.0,
    report_id=new_message_id(1_790_000_200.0, 2),
    hostname="relay.own.example",
    author=Address("postmaster", "own.example"),
    now=1_790_000_200.0,
    random_bits=0xABCDEF,
)


def octets(case: BounceCase) -> bytes:
    report = bounce(case)
    assert isinstance(report, Report)
    assert isinstance(report.content.body, InlineBody)
    return report.content.prefix + report.content.body.data


def parsed(case: BounceCase) -> tuple[EmailMessage, list[EmailMessage]]:
    data = octets(case)
    assert data.count(b"\n") == data.count(b"\r\n") == data.count(b"\r")
    message = email.message_from_bytes(data, policy=email.policy.SMTPUTF8)
    assert isinstance(message, EmailMessage)
    assert not message.defects
    parts = cast("list[EmailMessage]", message.get_payload())
    assert len(parts) == 3
    assert not any(part.defects for part in parts)
    return message, parts


def status(case: BounceCase) -> list[Message]:
    """The groups of the delivery-status part: the message's, then the recipients'."""
    part = parsed(case)[1][1]
    if part.get_content_type() == "message/delivery-status":
        return cast("list[Message]", part.get_payload())
    # Python's parser does not look into an encoded message/global-delivery-status.
    message, _ = parsed(case)
    raw = octets(case).split(f"--{message.get_boundary()}".encode())[2]
    text = b64decode(raw.partition(b"\r\n\r\n")[2]).decode()
    groups = text.rstrip("\r\n").split("\r\n\r\n")
    return [email.message_from_string(group) for group in groups]


def words(case: BounceCase) -> str:
    content = cast("str", parsed(case)[1][0].get_content())
    return content.replace("\r\n", "\n")


def with_outcome(outcome: Delivered | Deferred | Failed, kind: Kind) -> BounceCase:
    anything = replace(BOB, notify=Notify.SUCCESS | Notify.FAILURE | Notify.DELAY)
    return replace(CASE, kind=kind, affected=(Affected(anything, outcome),))


def test_a_report_goes_from_nobody_and_asks_for_no_report_of_its_own() -> None:
    report = bounce(CASE)
    assert isinstance(report, Report)
    assert report.reverse_path == NULL_PATH
    assert report.envelope == Envelope(
        NULL_PATH, (Recipient(SENDER, Notify.NEVER, notify_given=True),)
    )
    assert report.kind is Kind.FAILED


def test_the_header_says_what_it_is_and_belongs_to_its_message() -> None:
    message, _ = parsed(CASE)
    assert message.get_content_type() == "multipart/report"
    assert message.get_param("report-type") == "delivery-status"
    assert message["Auto-Submitted"] == "auto-replied"
    assert message["From"] == "postmaster@own.example"
    assert message["To"] == "alice@own.example"
    assert message["Subject"] == "Your message could not be delivered"
    assert message["Date"] == "Mon, 21 Sep 2026 14:16:40 +0000"
    assert message["Message-ID"] == f"<{CASE.report_id}@relay.own.example>"
    assert message["In-Reply-To"] == message["References"] == "<1@own.example>"


@pytest.mark.parametrize(
    "header",
    [b"", b"Message-ID: <a\x01b@c>\r\n", b"Message-ID: <a@b>\r\nMessage-ID: <c@d>\r\n"],
)
def test_a_doubtful_message_id_is_not_repeated(header: bytes) -> None:
    message, _ = parsed(replace(CASE, original=HeaderOnly(header + b"\r\n")))
    assert "In-Reply-To" not in message


def test_programs_find_the_fields_of_rfc_3464() -> None:
    recipient = replace(BOB, original="rfc822;Bob+x@example.net")
    case = replace(
        CASE,
        envelope=replace(CASE.envelope, envid="QQ 314159"),
        affected=(Affected(recipient, UNKNOWN, 1_790_000_100.0),),
    )
    message, bob = status(case)
    assert dict(message.items()) == {
        "Original-Envelope-Id": "QQ 314159",
        "Reporting-MTA": "dns; relay.own.example",
        "Arrival-Date": "Mon, 21 Sep 2026 14:13:20 +0000",
    }
    assert dict(bob.items()) == {
        "Original-Recipient": "rfc822; Bob+x@example.net",
        "Final-Recipient": "rfc822; bob@example.net",
        "Action": "failed",
        "Status": "5.1.1",
        "Remote-MTA": "dns; mx.example.net",
        "Diagnostic-Code": "smtp; 550 5.1.1 No such user here",
        "Last-Attempt-Date": "Mon, 21 Sep 2026 14:15:00 +0000",
    }


def test_people_read_what_happened_to_whom_and_what_to_do() -> None:
    text = words(CASE)
    assert "<bob@example.net>" in text
    assert "The host mx.example.net said:" in text
    assert "550 5.1.1 No such\n" in text
    assert "550 5.1.1 user here\n" in text
    assert "look for a mistake in the address" in text
    assert "Your message is attached." in text
    assert str(CASE.original_id) in text


def test_a_failure_of_our_own_is_not_said_to_be_the_hosts() -> None:
    outcome = Failed(Cause.DNS, reply(550, "5.4.4", "No such domain"))
    case = with_outcome(outcome, Kind.FAILED)
    bob = status(case)[1]
    assert bob["Diagnostic-Code"] == "x-sekisho; 550 5.4.4 No such domain"
    assert bob["Remote-MTA"] is None
    assert bob["Last-Attempt-Date"] is None
    assert "What happened:" in words(case)


def test_a_delay_says_until_when_it_is_tried() -> None:
    outcome = Deferred(Cause.REMOTE_REPLY, reply(450, "", "busy"), "mx.example.net")
    case = replace(with_outcome(outcome, Kind.DELAYED), retry_until=1_790_172_800.0)
    bob = status(case)[1]
    assert (bob["Action"], bob["Status"]) == ("delayed", "4.0.0")
    assert bob["Will-Retry-Until"] == "Wed, 23 Sep 2026 14:13:20 +0000"
    assert "It is tried until Wed, 23 Sep 2026 14:13:20 +0000." in words(case)


@pytest.mark.parametrize("kind", [Kind.DELIVERED, Kind.RELAYED])
def test_a_success_notice_returns_the_header_alone(kind: Kind) -> None:
    outcome = Delivered("mx.example.net", reply(250, "2.0.0", "Queued"))
    case = with_outcome(outcome, kind)
    bob = status(case)[1]
    assert (bob["Action"], bob["Status"]) == (kind.value, "2.0.0")
    assert bob["Diagnostic-Code"] == "smtp; 250 2.0.0 Queued"
    assert parsed(case)[1][2].get_content_type() == "text/rfc822-headers"
    assert "What to do" not in words(case)


ADVICE = {
    "5.1.1": Advice.CHECK_ADDRESS,
    "5.2.1": Advice.CHECK_ADDRESS,
    "5.2.2": Advice.MAILBOX_FULL,
    "5.2.3": Advice.MAKE_SMALLER,
    "5.3.4": Advice.MAKE_SMALLER,
    "5.4.6": Advice.ASK_POSTMASTER,
    "5.4.7": Advice.HOST_AWAY,
    "5.6.1": Advice.CONTENT,
    "5.7.1": Advice.REFUSED_BY_RULE,
    "5.5.0": Advice.ASK_POSTMASTER,
    "": Advice.ASK_POSTMASTER,
}


@pytest.mark.parametrize(("code", "advice"), ADVICE.items())
def test_advice_fits_what_the_host_said(code: str, advice: Advice) -> None:
    outcome = Failed(Cause.REMOTE_REPLY, reply(550, code, "no"), "mx")
    text = words(with_outcome(outcome, Kind.FAILED))
    assert TEXTS[Language.ENGLISH].advice[advice] in text


@pytest.mark.parametrize("cause", Cause)
def test_every_cause_has_an_advice(cause: Cause) -> None:
    outcome = Failed(cause, reply(550, "5.0.0", "no"))
    assert "What to do: " in words(with_outcome(outcome, Kind.FAILED))


@pytest.mark.parametrize("language", Language)
def test_each_language_says_everything(language: Language) -> None:
    texts = TEXTS[language]
    assert set(texts.subject) == set(texts.opening) == set(Kind)
    assert set(texts.advice) == set(Advice)
    for kind in Kind:
        assert "{host}" in texts.opening[kind]


def test_a_japanese_report_is_seven_bit_and_reads_well() -> None:
    case = replace(CASE, language=Language.JAPANESE)
    assert octets(case).isascii()
    message, _ = parsed(case)
    assert message["Subject"] == "メールを配送できませんでした"
    assert message["Content-Language"] == "ja"
    assert "宛先に誤りがないか" in words(case)
    assert status(case)[1]["Action"] == "failed"


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("language", Language)
def test_subjects_survive_encoding(kind: Kind, language: Language) -> None:
    wanted = Recipient(BOB.address, Notify.SUCCESS | Notify.FAILURE | Notify.DELAY)
    case = replace(
        CASE, kind=kind, language=language, affected=(Affected(wanted, UNKNOWN),)
    )
    message, _ = parsed(case)
    assert message["Subject"] == TEXTS[language].subject[kind]
    lines = octets(case).split(b"\r\n\r\n")[0].split(b"\r\n")
    assert max(len(line) for line in lines) <= 78


# What comes back


def test_a_small_message_comes_back_whole() -> None:
    part = parsed(CASE)[1][2]
    assert part.get_content_type() == "message/rfc822"
    assert b"\r\n\r\n" + HEADER + b"body\r\n\r\n--=_" in octets(CASE)


def test_ret_hdrs_brings_the_header_alone() -> None:
    case = replace(CASE, envelope=replace(CASE.envelope, ret=Ret.HDRS))
    part = parsed(case)[1][2]
    assert part.get_content_type() == "text/rfc822-headers"
    assert b"body" not in octets(case)
    assert "The header of your message is attached." in words(case)


def test_a_large_message_brings_its_header_alone() -> None:
    line = b"x" * 70 + b"\r\n"
    fits = HEADER + line * ((MAX_RETURNED_MESSAGE - len(HEADER)) // len(line))
    case = replace(CASE, original=WholeMessage(fits))
    assert parsed(case)[1][2].get_content_type() == "message/rfc822"
    report = bounce(case)
    assert isinstance(report, Report)
    assert report.content.body.size <= INLINE_BYTES
    case = replace(CASE, original=WholeMessage(fits + line))
    assert parsed(case)[1][2].get_content_type() == "text/rfc822-headers"


def test_a_header_is_cut_at_a_lines_end() -> None:
    long = b"X-Long: " + b"y" * 60 + b"\r\n"
    header = HEADER[:-2] + long * (MAX_RETURNED_HEADER // len(long) + 1)
    part = parsed(replace(CASE, original=HeaderOnly(header)))[1][2]
    content = cast("str", part.get_content())
    assert 0 < MAX_RETURNED_HEADER - len(content.encode()) < 2 * len(long) + 800
    assert content.rstrip().endswith("y" * 60)


def test_an_eight_bit_body_makes_the_report_eight_bit() -> None:
    case = replace(CASE, original=WholeMessage(HEADER + "日本\r\n".encode()))
    report = bounce(case)
    assert isinstance(report, Report)
    assert report.body is BodyKind.EIGHT_BIT_MIME
    message, parts = parsed(case)
    assert message["Content-Transfer-Encoding"] == "8bit"
    assert parts[2]["Content-Transfer-Encoding"] == "8bit"


@pytest.mark.parametrize("body", [b"x" * 999, b"\0", b"a\nb", b"a\rb"])
def test_a_body_that_cannot_go_in_lines_stays_behind(body: bytes) -> None:
    case = replace(CASE, original=WholeMessage(HEADER + body + b"\r\n"))
    assert parsed(case)[1][2].get_content_type() == "text/rfc822-headers"


def test_utf8_recipients_and_headers_go_as_rfc_6533_says() -> None:
    recipient = Recipient(Address("山田", "example.net"))
    header = "From: a@own.example\r\nSubject: 件名\r\n\r\n".encode()
    case = replace(
        CASE,
        envelope=Envelope(SENDER, (recipient,), smtputf8=True),
        affected=(Affected(recipient, UNKNOWN),),
        original=WholeMessage(header + b"body\r\n"),
    )
    data = octets(case)
    assert data.isascii()
    _, parts = parsed(case)
    assert parts[1].get_content_type() == "message/global-delivery-status"
    assert parts[2].get_content_type() == "message/global"
    assert status(case)[1]["Final-Recipient"] == "utf-8; 山田@example.net"
    case = replace(case, original=HeaderOnly(header))
    assert parsed(case)[1][2].get_content_type() == "message/global-headers"


def test_a_utf8_sender_needs_smtputf8_for_the_report() -> None:
    sender = Address("花子", "own.example")
    case = replace(CASE, envelope=Envelope(sender, (BOB,), smtputf8=True))
    report = bounce(case)
    assert isinstance(report, Report)
    assert report.envelope.smtputf8
    assert parsed(case)[0]["To"] == "花子@own.example"


# When there is none


def test_nobody_reports_to_the_null_sender() -> None:
    envelope = Envelope(NULL_PATH, (BOB,))
    assert bounce(replace(CASE, envelope=envelope)) is NoReport.NULL_SENDER


@pytest.mark.parametrize(
    ("kind", "notify"),
    [
        (Kind.FAILED, Notify.NEVER),
        (Kind.FAILED, Notify.SUCCESS | Notify.DELAY),
        (Kind.DELAYED, Notify.FAILURE),
        (Kind.DELIVERED, Notify.FAILURE | Notify.DELAY),
        (Kind.RELAYED, Notify.FAILURE | Notify.DELAY),
    ],
)
def test_nobody_is_told_what_he_did_not_want_to_know(
    kind: Kind, notify: Notify
) -> None:
    affected = (Affected(replace(BOB, notify=notify), UNKNOWN),)
    assert bounce(replace(CASE, kind=kind, affected=affected)) is NoReport.NOT_WANTED


def test_recipients_that_want_none_are_left_out() -> None:
    never = Recipient(Address("carol", "example.net"), Notify.NEVER)
    case = replace(CASE, affected=(Affected(never, UNKNOWN), *CASE.affected))
    assert len(status(case)) == 2
    assert "carol" not in words(case)


# Hostile words


def test_a_boundary_that_stands_in_the_message_is_not_used() -> None:
    boundary = f"=_{CASE.random_bits:032x}"
    text = f"--{boundary}--\r\nContent-Type: text/html\r\n\r\n"
    case = replace(CASE, original=WholeMessage(HEADER + text.encode()))
    message, parts = parsed(case)
    assert message.get_boundary() != boundary
    assert parts[2].get_content_type() == "message/rfc822"


def test_a_reply_without_end_is_cut() -> None:
    lines = [f"line {number}" for number in range(1000)]
    outcome = Failed(Cause.REMOTE_REPLY, reply(550, "5.0.0", *lines), "mx")
    case = with_outcome(outcome, Kind.FAILED)
    assert words(case).count("line ") == MAX_REPLY_LINES
    diagnostic = status(case)[1]["Diagnostic-Code"]
    assert diagnostic is not None
    assert diagnostic.count("line ") == MAX_REPLY_LINES


HOSTILE = st.text(
    st.one_of(st.characters(), st.sampled_from("\r\n\0 :-=\u2028\x85{}")), max_size=80
)


@given(host=HOSTILE, envid=HOSTILE, original=HOSTILE, line=st.text(max_size=60))
def test_words_from_outside_add_no_field_and_no_part(
    host: str, envid: str, original: str, line: str
) -> None:
    printable = "".join(letter for letter in line if " " <= letter <= "~")
    case = replace(
        CASE,
        envelope=replace(CASE.envelope, envid=envid),
        affected=(
            Affected(
                replace(BOB, original=original),
                Failed(Cause.REMOTE_REPLY, reply(550, "5.0.0", printable), host),
            ),
        ),
    )
    data = octets(case)
    assert data.isascii()
    groups = status(case)
    assert len(groups) == 2
    assert set(groups[0].keys()) <= {
        "Original-Envelope-Id",
        "Reporting-MTA",
        "Arrival-Date",
    }
    fields = [field for field in groups[1].keys() if field]  # noqa: SIM118
    assert fields.count("Action") == fields.count("Status") == 1
    assert len(fields) <= 6


@given(st.binary(max_size=300), st.booleans(), st.booleans())
def test_any_octets_can_come_back(data: bytes, whole: bool, utf8: bool) -> None:
    original = WholeMessage(data) if whole else HeaderOnly(data)
    envelope = replace(CASE.envelope, smtputf8=utf8)
    report = octets(replace(CASE, original=original, envelope=envelope))
    assert report.count(b"\n") == report.count(b"\r\n") == report.count(b"\r")
    assert b"\0" not in report
    assert max(len(line) for line in report.split(b"\r\n")) <= 998


def test_ids_and_addresses_are_those_of_the_case() -> None:
    quoted = parse_address('"a b"@example.net')
    case = replace(
        CASE,
        report_id=MessageId(7),
        affected=(Affected(Recipient(quoted), UNKNOWN),),
    )
    assert status(case)[1]["Final-Recipient"] == 'rfc822; "a b"@example.net'
