"""One transaction: what goes out, what comes back, and what becomes of whom."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.model.envelope import Notify, Recipient, Ret
from sekisho.model.outcome import Cause, Deferred, Delivered, Failed, Outcome
from sekisho.model.reply import Reply, reply
from sekisho.session import client_endings, client_transaction
from sekisho.session.client_content import DotStuffing
from sekisho.session.client_events import (
    ContentFacts,
    ContentWanted,
    TransactionDone,
)
from session.client_driver import (
    BINARY,
    CONTENT,
    EIGHT_BIT,
    HOST,
    NOW,
    Driver,
    envelope,
    profile,
    recipient,
)

B, C, D = "b@example.net", "c@example.net", "d@example.net"
STUFFED = "Subject: x\r\n\r\n..dot\r\nend\r\n.\r\n"
OK = reply(250, "2.0.0", "OK")


def delivered(answer: Reply = OK) -> Delivered:
    return Delivered(HOST, answer)


def refused(answer: Reply) -> Outcome:
    kind = Deferred if answer.is_transient else Failed
    return kind(Cause.REMOTE_REPLY, answer, HOST)


def outcomes(driver: Driver) -> tuple[Outcome, ...]:
    event = driver.event()
    assert isinstance(event, TransactionDone)
    return event.outcomes


# The dialogue


def test_one_by_one_without_pipelining() -> None:
    driver = Driver(profile()).ready()
    assert driver.send(B, C) == "MAIL FROM:<a@example.com>\r\n"
    assert driver.hear("250 OK") == "RCPT TO:<b@example.net>\r\n"
    assert driver.hear("250 OK") == "RCPT TO:<c@example.net>\r\n"
    assert driver.hear("250 OK") == "DATA\r\n"
    assert driver.hear("354-go", "354 on") == ""
    assert driver.give(CONTENT) == STUFFED
    driver.hear("250 2.0.0 OK")
    assert outcomes(driver) == (delivered(), delivered())
    assert driver.session.reusable
    assert driver.send(B) == "MAIL FROM:<a@example.com>\r\n"


@pytest.mark.parametrize("byte_by_byte", [False, True])
def test_one_group_with_pipelining(*, byte_by_byte: bool) -> None:
    driver = Driver(profile(), byte_by_byte=byte_by_byte).ready("PIPELINING")
    assert driver.send(B, C) == (
        "MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.net>\r\n"
        "RCPT TO:<c@example.net>\r\nDATA\r\n"
    )
    assert driver.hear("250 OK", "250 OK", "550 5.1.1 no", "354 go") == ""
    assert driver.give(CONTENT) == STUFFED
    driver.hear("250 2.0.0 OK")
    assert outcomes(driver) == (delivered(), refused(reply(550, "5.1.1", "no")))


def test_each_recipient_gets_its_own_reply() -> None:
    driver = Driver(profile()).ready("PIPELINING")
    driver.send(B, C, D, "e@example.net")
    driver.hear("250 OK", "450 4.2.1 later", "550 5.1.1 no", "552 too many", "250 OK")
    driver.hear("354 go")
    driver.give(CONTENT)
    driver.hear("451 4.3.0 not now")
    assert outcomes(driver) == (
        refused(reply(450, "4.2.1", "later")),
        refused(reply(550, "5.1.1", "no")),
        Deferred(Cause.REMOTE_REPLY, reply(552, "", "too many"), HOST),
        refused(reply(451, "4.3.0", "not now")),
    )


def test_outcome_names_the_tls_version() -> None:
    driver = Driver(profile(), tls="TLSv1.3").ready("PIPELINING")
    driver.send(B)
    driver.hear("250 OK", "250 OK", "354 go")
    driver.give(CONTENT)
    driver.hear("250 2.0.0 OK")
    assert outcomes(driver) == (Delivered(HOST, OK, "TLSv1.3"),)


def test_refused_sender_is_everybodys_outcome() -> None:
    no = reply(550, "5.1.8", "bad sender")
    driver = Driver(profile()).ready()
    driver.send(B, C)
    assert driver.hear("550 5.1.8 bad sender") == ""
    assert outcomes(driver) == (refused(no), refused(no))
    assert driver.send(B) == "MAIL FROM:<a@example.com>\r\n"


@pytest.mark.parametrize("offers", [("PIPELINING",), ("PIPELINING", "CHUNKING")])
def test_refused_sender_in_a_group(offers: tuple[str, ...]) -> None:
    driver = Driver(profile()).ready(*offers)
    driver.send(B)
    driver.hear("450 4.1.8 later", "503 what")
    if "CHUNKING" not in offers:
        assert driver.hear("503 what") == ""
    assert outcomes(driver) == (refused(reply(450, "4.1.8", "later")),)
    assert driver.session.reusable
    assert driver.send(B).startswith("MAIL")


def test_354_after_a_refused_sender_gets_no_dot() -> None:
    driver = Driver(profile()).ready("PIPELINING")
    driver.send(B)
    assert driver.hear("550 5.1.8 no", "250 OK", "354 go") == ""
    assert driver.session.ended
    assert outcomes(driver) == (refused(reply(550, "5.1.8", "no")),)


def test_lone_dot_when_all_recipients_are_refused_and_354_comes() -> None:
    no = refused(reply(550, "5.1.1", "no"))
    driver = Driver(profile()).ready("PIPELINING")
    driver.send(B, C)
    assert driver.hear("250 OK", "550 5.1.1 no", "550 5.1.1 no") == ""
    assert driver.hear("354 go") == ".\r\n"
    assert driver.events() == []
    driver.hear("250 thanks")
    assert outcomes(driver) == (no, no)
    assert driver.send(B).startswith("MAIL")


@pytest.mark.parametrize(
    ("offers", "replies"),
    [
        ((), ["250 OK", "550 5.1.1 no"]),
        (("PIPELINING",), ["250 OK", "550 5.1.1 no", "554 5.5.1 no recipients"]),
        (("CHUNKING",), ["250 OK", "550 5.1.1 no"]),
        (("PIPELINING", "CHUNKING"), ["250 OK", "550 5.1.1 no"]),
    ],
)
def test_what_was_left_open_is_cleared_before_the_next(
    offers: tuple[str, ...], replies: list[str]
) -> None:
    driver = Driver(profile()).ready(*offers)
    said = driver.send(B)
    for answer in replies:
        said = driver.hear(answer)
    assert said == ""
    assert outcomes(driver) == (refused(reply(550, "5.1.1", "no")),)
    assert driver.send(B).startswith("RSET\r\n")
    said = driver.hear("250 OK")
    assert said == ("" if "PIPELINING" in offers else "MAIL FROM:<a@example.com>\r\n")


def test_refused_data_is_the_outcome_of_the_accepted() -> None:
    driver = Driver(profile()).ready("PIPELINING")
    driver.send(B, C)
    driver.hear("250 OK", "550 5.1.1 no", "250 OK", "451 4.3.0 later")
    assert outcomes(driver) == (
        refused(reply(550, "5.1.1", "no")),
        refused(reply(451, "4.3.0", "later")),
    )
    assert driver.session.reusable


@pytest.mark.parametrize(
    "replies",
    [
        ["354 go"],
        ["250 OK", "354 go"],
        ["250 OK", "250 OK", "250 OK"],
    ],
)
def test_positive_nonsense_gives_the_connection_up(replies: list[str]) -> None:
    driver = Driver(profile()).ready("PIPELINING")
    driver.send(B)
    driver.hear(*replies)
    assert driver.session.ended
    words = client_transaction.UNEXPECTED_REPLY
    assert outcomes(driver) == (Deferred(Cause.PROTOCOL, words, HOST),)


def test_354_to_the_content_is_no_delivery() -> None:
    driver = Driver(profile()).ready("PIPELINING")
    driver.send(B)
    driver.hear("250 OK", "250 OK", "354 go")
    driver.give(CONTENT)
    driver.hear("354 more")
    (outcome,) = outcomes(driver)
    assert isinstance(outcome, Deferred)
    assert outcome.cause is Cause.PROTOCOL


@pytest.mark.parametrize("before", range(5))
def test_421_anywhere_reaches_the_undecided(before: int) -> None:
    replies = ["250 OK", "550 5.1.1 no", "250 OK", "354 go"][:before]
    driver = Driver(profile()).ready("PIPELINING")
    driver.send(B, C)
    driver.hear(*replies)
    if before == 4:
        driver.give(CONTENT)
    driver.hear("421 4.3.2 stop")
    later = refused(reply(421, "4.3.2", "stop"))
    no = refused(reply(550, "5.1.1", "no"))
    assert outcomes(driver) == (no if before > 1 else later, later)
    assert driver.session.ended
    assert not driver.session.reusable


@pytest.mark.parametrize("after_the_dot", [False, True])
def test_lost_connection_defers_after_the_dot_too(*, after_the_dot: bool) -> None:
    driver = Driver(profile()).ready("PIPELINING")
    driver.send(B)
    driver.hear("250 OK", "250 OK", "354 go")
    if after_the_dot:
        driver.give(CONTENT)
    else:
        driver.events()
    driver.session.lost()
    lost = Deferred(Cause.UNREACHABLE, client_endings.CONNECTION_LOST, HOST)
    assert outcomes(driver) == (lost,)


def test_time_out_in_the_content_is_named() -> None:
    driver = Driver(profile()).ready("PIPELINING")
    driver.send(B)
    driver.hear("250 OK", "250 OK", "354 go")
    driver.events()
    driver.session.timed_out()
    (outcome,) = outcomes(driver)
    assert isinstance(outcome, Deferred)
    assert outcome.cause is Cause.TIMEOUT
    assert "the content" in str(outcome.reply)


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("552 5.3.4 too big", reply(552, "5.3.4", "too big")),
        ("421 4.3.2 stop", reply(421, "4.3.2", "stop")),
    ],
)
def test_refusal_while_content_goes_out_ends_the_session(
    said: str, answer: Reply
) -> None:
    driver = Driver(profile()).ready("PIPELINING")
    driver.send(B)
    driver.hear("250 OK", "250 OK", "354 go")
    assert driver.event() == ContentWanted()
    driver.session.content(b"Subject", NOW)
    driver.hear(said)
    assert driver.session.ended
    assert outcomes(driver) == (refused(answer),)


def test_positive_reply_before_the_end_of_the_content_is_no_delivery() -> None:
    driver = Driver(profile()).ready("PIPELINING")
    driver.send(B)
    driver.hear("250 OK", "250 OK", "354 go", "250 2.0.0 got it")
    assert driver.session.ended
    wanted, done = driver.events()
    assert wanted == ContentWanted()
    assert isinstance(done, TransactionDone)
    assert isinstance(done.outcomes[0], Deferred)


# Content that is given whole, when the transaction begins


@pytest.mark.parametrize("offers", [("PIPELINING",), ("PIPELINING", "CHUNKING")])
@pytest.mark.parametrize("byte_by_byte", [False, True])
def test_whole_content_goes_out_with_its_end_and_unasked(
    offers: tuple[str, ...], *, byte_by_byte: bool
) -> None:
    driver = Driver(profile(), byte_by_byte=byte_by_byte).ready(*offers)
    driver.send(B, whole=CONTENT)
    assert not driver.session.content_begun
    if "CHUNKING" in offers:
        said = f"BDAT {len(CONTENT)} LAST\r\n{CONTENT.decode()}"
        assert driver.hear("250 OK", "250 OK") == said
    else:
        assert driver.hear("250 OK", "250 OK", "354 go") == STUFFED
    assert driver.session.content_begun
    assert driver.events() == []
    driver.hear("250 2.0.0 OK")
    assert outcomes(driver) == (delivered(),)
    assert driver.send(B).startswith("MAIL")
    assert not driver.session.content_begun


def test_whole_content_has_one_reply_a_recipient_by_lmtp() -> None:
    driver = Driver(profile(lmtp=True)).ready("PIPELINING")
    driver.send(B, C, whole=CONTENT)
    assert driver.hear("250 OK", "250 OK", "250 OK", "354 go") == STUFFED
    driver.hear("250 2.0.0 OK", "450 4.2.1 later")
    later = refused(reply(450, "4.2.1", "later"))
    assert outcomes(driver) == (delivered(), later)


@pytest.mark.parametrize("said", ["250 2.0.0 got it", "421 4.3.2 stop", "552 no"])
def test_what_comes_with_the_354_is_no_answer_to_whole_content(said: str) -> None:
    driver = Driver(profile()).ready("PIPELINING")
    driver.send(B, whole=CONTENT)
    assert driver.hear("250 OK", "250 OK", "354 go", said) == ""
    assert driver.session.ended
    assert driver.session.content_begun
    assert not isinstance(outcomes(driver)[0], Delivered)


def test_whole_content_of_another_length_ends_the_session() -> None:
    driver = Driver(profile()).ready("PIPELINING")
    driver.send(B, whole=CONTENT[:-1])
    assert driver.hear("250 OK", "250 OK", "354 go") == ""
    assert driver.session.ended
    assert isinstance(outcomes(driver)[0], Deferred)


def test_refused_recipient_gets_no_whole_content() -> None:
    driver = Driver(profile()).ready("PIPELINING", "CHUNKING")
    driver.send(B, whole=CONTENT)
    assert driver.hear("250 OK", "550 5.1.1 no") == ""
    assert outcomes(driver) == (refused(reply(550, "5.1.1", "no")),)
    assert driver.send(C).startswith("RSET")
    assert "BDAT" in driver.hear("250 OK", "250 OK", "250 OK")


# BDAT


def test_bdat_follows_the_recipients_as_one_last_chunk() -> None:
    driver = Driver(profile()).ready("PIPELINING", "CHUNKING")
    assert "DATA" not in driver.send(B, C)
    said = driver.hear("250 OK", "550 5.1.1 no", "250 OK")
    assert said == f"BDAT {len(CONTENT)} LAST\r\n"
    assert driver.give(CONTENT[:20], CONTENT[20:]) == CONTENT.decode()
    driver.hear("250 2.0.0 OK")
    assert outcomes(driver) == (refused(reply(550, "5.1.1", "no")), delivered())
    assert driver.send(B).startswith("MAIL")


@pytest.mark.parametrize("offers", [("CHUNKING",), ()])
def test_content_shorter_than_announced_is_never_ended(offers: tuple[str, ...]) -> None:
    driver = Driver(profile()).ready(*offers)
    driver.send(B)
    driver.hear("250 OK")
    driver.hear("250 OK")
    if not offers:
        driver.hear("354 go")
    assert not driver.give(CONTENT[:-1]).endswith(".\r\n")
    assert driver.session.ended
    assert outcomes(driver) == (
        Deferred(Cause.LOCAL, client_endings.CONTENT_LOST, HOST),
    )


def test_content_that_cannot_be_read_is_never_ended() -> None:
    driver = Driver(profile()).ready("CHUNKING")
    driver.send(B)
    driver.hear("250 OK")
    driver.hear("250 OK")
    driver.events()
    driver.session.content_failed()
    assert outcomes(driver) == (
        Deferred(Cause.LOCAL, client_endings.CONTENT_LOST, HOST),
    )


# LMTP


def test_lmtp_answers_for_each_accepted_recipient() -> None:
    driver = Driver(profile(lmtp=True)).ready("PIPELINING")
    driver.send(B, C, D)
    driver.hear("250 OK", "250 OK", "550 5.1.1 no", "250 OK", "354 go")
    driver.give(CONTENT)
    driver.hear("250 2.0.0 OK")
    assert driver.events() == []
    assert not driver.session.idle
    driver.hear("452 4.2.2 full")
    assert outcomes(driver) == (
        delivered(),
        refused(reply(550, "5.1.1", "no")),
        refused(reply(452, "4.2.2", "full")),
    )
    assert driver.session.reusable


def test_lmtp_lost_between_its_replies_keeps_what_was_said() -> None:
    driver = Driver(profile(lmtp=True)).ready("PIPELINING")
    driver.send(B, C)
    driver.hear("250 OK", "250 OK", "250 OK", "354 go")
    driver.give(CONTENT)
    driver.hear("250 2.0.0 OK")
    driver.session.lost()
    lost = Deferred(Cause.UNREACHABLE, client_endings.CONNECTION_LOST, HOST)
    assert outcomes(driver) == (delivered(), lost)


# What the next host cannot take


UTF8 = "bücher@example.net"


@pytest.mark.parametrize(
    ("offers", "of", "facts", "expected"),
    [
        ("SIZE", envelope(body=BINARY), ContentFacts(9), "5.6.1"),
        ("CHUNKING", envelope(body=BINARY), ContentFacts(9), "5.6.1"),
        ("BINARYMIME", envelope(body=BINARY), ContentFacts(9), "5.6.1"),
        ("SIZE", envelope(), ContentFacts(9, eight_bit=True), "5.6.3"),
        ("SIZE", envelope(UTF8, smtputf8=True), ContentFacts(9), "5.6.7"),
        (
            "8BITMIME",
            envelope(smtputf8=True),
            ContentFacts(9, eight_bit=True, utf8_header=True),
            "5.6.7",
        ),
        ("SIZE 8", envelope(), ContentFacts(9), "5.3.4"),
    ],
)
def test_unfit_message_is_failed_before_mail(
    offers: str, of: object, facts: ContentFacts, expected: str
) -> None:
    driver = Driver(profile()).ready(offers)
    assert driver.send(B, C, facts=facts, of=of) == ""  # type: ignore[arg-type]
    for outcome in outcomes(driver):
        assert isinstance(outcome, Failed)
        assert outcome.cause is Cause.CONVERSION
        assert outcome.reply.enhanced == expected
    assert driver.session.reusable


@pytest.mark.parametrize(
    ("offers", "of", "facts", "said"),
    [
        ("SIZE 9", envelope(), ContentFacts(9), " SIZE=9"),
        ("SIZE", envelope(), ContentFacts(9), " SIZE=9"),
        ("SIZE ten", envelope(), ContentFacts(9), " SIZE=9"),
        ("SIZE " + "9" * 30, envelope(), ContentFacts(9), " SIZE=9"),
        ("8BITMIME", envelope(), ContentFacts(9), ""),
        ("8BITMIME", envelope(body=EIGHT_BIT), ContentFacts(9), " BODY=8BITMIME"),
        ("8BITMIME", envelope(), ContentFacts(9, eight_bit=True), " BODY=8BITMIME"),
        ("DSN", envelope(body=EIGHT_BIT), ContentFacts(9), ""),
        ("SMTPUTF8", envelope(smtputf8=True), ContentFacts(9), " SMTPUTF8"),
        ("SMTPUTF8", envelope(), ContentFacts(9), ""),
        ("8BITMIME", envelope(smtputf8=True), ContentFacts(9), ""),
        ("DSN", envelope(ret=Ret.FULL, envid="a+b c=é"), ContentFacts(9),
         " RET=FULL ENVID=a+2Bb+20c+3D\\x{E9}"),
        ("SIZE", envelope(ret=Ret.HDRS, envid="x"), ContentFacts(9), " SIZE=9"),
    ],
)  # fmt: skip
def test_mail_carries_what_is_offered_and_says_something(
    offers: str, of: object, facts: ContentFacts, said: str
) -> None:
    driver = Driver(profile()).ready(offers)
    expected = f"MAIL FROM:<a@example.com>{said}\r\n"
    assert driver.send(B, facts=facts, of=of) == expected  # type: ignore[arg-type]


def test_binary_content_goes_by_bdat() -> None:
    driver = Driver(profile()).ready("BINARYMIME", "CHUNKING")
    said = driver.send(B, of=envelope("", body=BINARY))
    assert said == "MAIL FROM:<> BODY=BINARYMIME\r\n"


def test_utf8_recipient_alone_fails_alone() -> None:
    driver = Driver(profile()).ready("PIPELINING")
    said = driver.send(B, UTF8, of=envelope(smtputf8=True))
    assert said.count("RCPT") == 1
    driver.hear("250 OK", "250 OK", "354 go")
    driver.give(CONTENT)
    driver.hear("250 2.0.0 OK")
    first, second = outcomes(driver)
    assert first == delivered()
    assert second == Failed(Cause.CONVERSION, client_transaction.NO_SMTPUTF8, HOST)
    assert driver.send(UTF8, of=envelope(smtputf8=True)) == ""
    assert outcomes(driver) == (second,)


def test_utf8_addresses_go_as_utf8() -> None:
    driver = Driver(profile()).ready("PIPELINING", "SMTPUTF8")
    said = driver.send(UTF8, of=envelope(UTF8, smtputf8=True))
    assert said.startswith(f"MAIL FROM:<{UTF8}> SMTPUTF8\r\nRCPT TO:<{UTF8}>\r\n")


def test_recipients_beyond_rcptmax_wait_for_the_next_transaction() -> None:
    driver = Driver(profile()).ready("PIPELINING", "LIMITS RCPTMAX=1 X")
    assert driver.send(B, C).count("RCPT") == 1
    driver.hear("250 OK", "250 OK", "354 go")
    driver.give(CONTENT)
    driver.hear("250 2.0.0 OK")
    over = Deferred(Cause.REMOTE_REPLY, client_transaction.OVER_RCPTMAX, HOST)
    assert outcomes(driver) == (delivered(), over)


@pytest.mark.parametrize(
    ("to", "said"),
    [
        (Recipient(recipient(B).address), ""),
        (Recipient(recipient(B).address, Notify.NEVER, notify_given=True),
         " NOTIFY=NEVER"),
        (Recipient(recipient(B).address, Notify.SUCCESS | Notify.DELAY,
                   notify_given=True, original="rfc822;x+y@z"),
         " NOTIFY=SUCCESS,DELAY ORCPT=rfc822;x+2By@z"),
        (Recipient(recipient(B).address, original="utf-8;ü@z"),
         " ORCPT=utf-8;\\x{FC}@z"),
        (Recipient(recipient(B).address, original="broken"), ""),
    ],
)  # fmt: skip
def test_report_requests_are_passed_on_where_dsn_is_offered(
    to: Recipient, said: str
) -> None:
    for offers, expected in ((["PIPELINING", "DSN"], said), (["PIPELINING"], "")):
        driver = Driver(profile()).ready(*offers)
        driver.session.send(envelope(), [to], ContentFacts(9), NOW)
        assert f"RCPT TO:<{B}>{expected}\r\n" in driver.said()


def test_blank_line_in_the_offer_is_no_extension() -> None:
    driver = Driver(profile()).ready("", "SIZE 5", "SIZE 7", "AUTH")
    assert driver.session.offered.keywords == {"SIZE", "AUTH"}
    assert driver.session.offered.max_bytes == 5


# Dot-stuffing


LINES = st.lists(
    st.sampled_from([b".", b"..", b"a", b"", b".a", b"a.", b"x" * 40]), max_size=8
)


@given(LINES, st.integers(1, 9), st.booleans())
def test_dots_are_stuffed_wherever_the_content_is_cut(
    lines: list[bytes], step: int, closed: bool
) -> None:
    content = b"".join(line + b"\r\n" for line in lines)
    if not closed:
        content += b"."
    encoder = DotStuffing()
    cut = [content[n : n + step] for n in range(0, len(content), step)]
    wire = b"".join(encoder.piece(piece) for piece in cut) + encoder.end()
    whole = content if closed else content + b"\r\n"
    stuffed = [b"." + ln if ln[:1] == b"." else ln for ln in whole.split(b"\r\n")]
    assert wire == b"\r\n".join(stuffed) + b".\r\n"
    # Nothing before the end reads as the end.
    assert (b"\r\n" + wire).find(b"\r\n.\r\n") == len(wire) - 3
