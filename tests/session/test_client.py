"""The client machine on its way to readiness, and at its end."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownLambdaType=false
# scramp, the server of the SCRAM tests, has annotations for part of itself.

from base64 import b64decode, b64encode
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scramp import ScramMechanism

from sekisho.model.outcome import Cause, Deferred, Failed
from sekisho.model.reply import reply
from sekisho.model.route import Credentials, TlsPolicy
from sekisho.session import client_endings, client_opening
from sekisho.session.client_events import (
    ClientTimeouts,
    ContentWanted,
    ProbeDone,
    SessionFailed,
    SessionReady,
    TlsWanted,
    TransactionDone,
)
from sekisho.session.client_transaction import UNEXPECTED_REPLY
from session.client_driver import (
    CONTENT,
    HOST,
    NOW,
    Driver,
    envelope,
    profile,
    recipient,
)

SECRET = Credentials("user", "pa55")


def failure(driver: Driver) -> Deferred | Failed:
    assert driver.session.ended
    event = driver.event()
    assert isinstance(event, SessionFailed)
    return event.failure


# Greeting and hello


@pytest.mark.parametrize("byte_by_byte", [False, True])
def test_multi_line_greeting_then_ehlo(*, byte_by_byte: bool) -> None:
    driver = Driver(profile(), byte_by_byte=byte_by_byte)
    assert driver.hear("220-mx", "220-be", "220 welcome") == (
        "EHLO relay.example.com\r\n"
    )
    assert driver.hear("250-mx", "250 SIZE 1000") == ""
    assert driver.event() == SessionReady()
    assert driver.session.offered.max_bytes == 1000
    assert driver.session.idle
    assert driver.session.deadline == inf


@pytest.mark.parametrize(
    ("greeting", "kind", "cause"),
    [
        ("421 4.3.2 later", Deferred, Cause.REMOTE_REPLY),
        ("450 later", Deferred, Cause.REMOTE_REPLY),
        ("554 5.7.1 go away", Failed, Cause.REMOTE_REPLY),
        ("521 no mail", Failed, Cause.REMOTE_REPLY),
        ("250 hello", Deferred, Cause.PROTOCOL),
        ("HTTP/1.1 400", Deferred, Cause.PROTOCOL),
    ],
)
def test_refused_greeting_ends_the_session(
    greeting: str, kind: type, cause: Cause
) -> None:
    driver = Driver(profile())
    assert driver.hear(greeting) == ""
    outcome = failure(driver)
    assert isinstance(outcome, kind)
    assert (outcome.cause, outcome.host) == (cause, HOST)
    assert driver.hear("220 changed my mind") == ""


def test_helo_after_ehlo_is_refused_for_good() -> None:
    driver = Driver(profile())
    driver.hear("220 old")
    assert driver.hear("502 what") == "HELO relay.example.com\r\n"
    assert driver.hear("250 hi") == ""
    assert driver.event() == SessionReady()
    assert driver.session.offered.keywords == frozenset()


@pytest.mark.parametrize(
    ("replies", "kind"),
    [(["450 later"], Deferred), (["502 what", "550 no"], Failed)],
)
def test_refused_hello_ends_the_session(replies: list[str], kind: type) -> None:
    driver = Driver(profile())
    driver.hear("220 mx", *replies)
    assert isinstance(failure(driver), kind)


def test_lmtp_has_no_helo() -> None:
    driver = Driver(profile(lmtp=True))
    assert driver.hear("220 lmtp") == "LHLO relay.example.com\r\n"
    driver.hear("500 what")
    assert isinstance(failure(driver), Failed)


# STARTTLS


def starttls(policy: TlsPolicy, **given: object) -> Driver:
    driver = Driver(profile(tls=policy, **given))
    driver.hear("220 mx")
    assert driver.hear("250-mx", "250-STARTTLS", "250 AUTH PLAIN") == "STARTTLS\r\n"
    return driver


def test_ehlo_again_after_the_handshake_and_the_old_offer_is_forgotten() -> None:
    driver = starttls(TlsPolicy.REQUIRED)
    assert driver.hear("220 go") == ""
    assert driver.event() == TlsWanted()
    assert not driver.session.idle
    driver.session.tls_started("TLSv1.3", NOW)
    assert driver.session.offered.mechanisms == frozenset()
    assert driver.said() == "EHLO relay.example.com\r\n"
    assert driver.hear("250-mx", "250-STARTTLS", "250 PIPELINING") == ""
    assert driver.event() == SessionReady()
    assert driver.session.offered.keywords == {"STARTTLS", "PIPELINING"}


def test_reply_injected_behind_starttls_drops_the_session() -> None:
    driver = starttls(TlsPolicy.OPPORTUNISTIC)
    assert driver.hear("220 go", "250 injected") == ""
    assert failure(driver) == Deferred(
        Cause.PROTOCOL, client_endings.TLS_INJECTION, HOST
    )


def test_octets_before_the_handshake_drop_the_session() -> None:
    driver = starttls(TlsPolicy.OPPORTUNISTIC)
    driver.hear("220 go")
    assert driver.event() == TlsWanted()
    driver.session.receive(b"2", NOW)
    assert failure(driver) == Deferred(
        Cause.PROTOCOL, client_endings.TLS_INJECTION, HOST
    )


@pytest.mark.parametrize("answer", ["454 not now", "502 what", "554 no"])
def test_refused_starttls_is_taken_by_opportunistic_alone(answer: str) -> None:
    driver = starttls(TlsPolicy.OPPORTUNISTIC)
    driver.hear(answer)
    assert driver.event() == SessionReady()
    driver = starttls(TlsPolicy.REQUIRED)
    driver.hear(answer)
    assert failure(driver) == Deferred(Cause.TLS, client_opening.TLS_MISSING, HOST)


def test_positive_nonsense_to_starttls_is_not_a_refusal() -> None:
    driver = starttls(TlsPolicy.OPPORTUNISTIC)
    driver.hear("250 sure")
    assert failure(driver) == Deferred(Cause.PROTOCOL, UNEXPECTED_REPLY, HOST)


def test_no_starttls_offered() -> None:
    Driver(profile(tls=TlsPolicy.OPPORTUNISTIC)).ready("SIZE")
    driver = Driver(profile(tls=TlsPolicy.REQUIRED))
    driver.hear("220 mx", "250 mx")
    assert failure(driver) == Deferred(Cause.TLS, client_opening.TLS_MISSING, HOST)


def test_tls_from_the_start_needs_no_starttls() -> None:
    driver = Driver(profile(tls=TlsPolicy.REQUIRED), tls="TLSv1.3")
    driver.ready("STARTTLS")


def test_failed_handshake_is_said_in_words() -> None:
    driver = starttls(TlsPolicy.REQUIRED)
    driver.hear("220 go")
    driver.events()
    driver.session.tls_failed("self-signed certificate")
    outcome = failure(driver)
    assert outcome.cause is Cause.TLS
    assert outcome.reply.enhanced == "4.7.5"
    assert "self-signed" in str(outcome.reply)


# AUTH


def login(*mechanisms: str, **given: object) -> tuple[Driver, str]:
    driver = Driver(
        profile(**{"credentials": SECRET, "nonce": "c0ffee", **given}), tls="TLSv1.3"
    )
    driver.hear("220 mx")
    offer = "250 AUTH " + " ".join(mechanisms) if mechanisms else "250 SIZE"
    return driver, driver.hear("250-mx", offer)


def test_plain_is_preferred_and_takes_one_round_trip() -> None:
    driver, said = login("LOGIN", "SCRAM-SHA-256", "PLAIN")
    expected = b64encode(b"\0user\0pa55").decode()
    assert said == f"AUTH PLAIN {expected}\r\n"
    driver.hear("235 2.7.0 OK")
    assert driver.event() == SessionReady()


def test_login_answers_two_prompts_whatever_they_say() -> None:
    driver, said = login("LOGIN")
    assert said == "AUTH LOGIN\r\n"
    assert b64decode(driver.hear("334 Pa==")) == b"user"
    assert b64decode(driver.hear("334 ")) == b"pa55"
    driver.hear("235 OK")
    assert driver.event() == SessionReady()


def test_old_spelling_of_the_offer_is_read() -> None:
    driver = Driver(profile(credentials=SECRET), tls="TLSv1.2")
    assert driver.hear("220 mx", "250-mx", "250 AUTH=login") == (
        "EHLO relay.example.com\r\nAUTH LOGIN\r\n"
    )


def test_long_password_does_not_make_a_command_line_too_long() -> None:
    driver, said = login("PLAIN", credentials=Credentials("user", "x" * 400))
    assert said == "AUTH PLAIN\r\n"
    driver.hear("334 ")
    outcome = failure(driver)
    assert outcome.cause is Cause.UPSTREAM_AUTH


def test_login_is_never_sent_in_plain_text() -> None:
    for policy in (TlsPolicy.OFF, TlsPolicy.OPPORTUNISTIC):
        driver = Driver(profile(tls=policy, credentials=SECRET))
        driver.hear("220 mx")
        assert driver.hear("250-mx", "250 AUTH PLAIN") == ""
        assert failure(driver) == Deferred(
            Cause.TLS, client_opening.LOGIN_NEEDS_TLS, HOST
        )


@pytest.mark.parametrize("answer", ["535 5.7.8 wrong", "454 later", "500 what"])
def test_refused_login_is_never_a_failure_of_the_message(answer: str) -> None:
    driver, _ = login("PLAIN")
    driver.hear(answer)
    outcome = failure(driver)
    assert isinstance(outcome, Deferred)
    assert outcome.cause is Cause.UPSTREAM_AUTH


@pytest.mark.parametrize("mechanisms", [(), ("CRAM-MD5", "NTLM")])
def test_no_login_that_we_speak(mechanisms: tuple[str, ...]) -> None:
    driver, said = login(*mechanisms)
    assert said == ""
    words = client_opening.LOGIN_NOT_OFFERED
    assert failure(driver) == Deferred(Cause.UPSTREAM_AUTH, words, HOST)


@pytest.mark.parametrize(
    ("mechanism", "replies"),
    [
        ("LOGIN", ["334 ", "334 ", "334 "]),
        ("LOGIN", ["334 *"]),
        ("SCRAM-SHA-256", ["334 AAAA"]),
        ("SCRAM-SHA-256", ["334 " + b64encode(b"r=c0ffee,s=,i=1").decode()]),
        (
            "SCRAM-SHA-256",
            ["334 " + b64encode(b"r=c0ffeeX,s=AAAA,i=999999999").decode()],
        ),
        ("SCRAM-SHA-256", ["334 " + b64encode(b"r=c0ffeeX,s=AAAA").decode()]),
        ("SCRAM-SHA-256", ["334 " + b64encode(b"\xff").decode()]),
    ],
)
def test_broken_exchange_is_a_refused_login(mechanism: str, replies: list[str]) -> None:
    driver, _ = login(mechanism)
    for answer in replies:
        driver.hear(answer)
    outcome = failure(driver)
    assert isinstance(outcome, Deferred)
    assert outcome.cause is Cause.UPSTREAM_AUTH
    assert "pa55" not in str(outcome)


@pytest.mark.parametrize("answer", ["235 OK", "250 OK", "354 go"])
def test_positive_reply_that_is_no_success_is_none(answer: str) -> None:
    driver, _ = login("SCRAM-SHA-256")
    driver.hear(answer)
    assert failure(driver) == Deferred(Cause.PROTOCOL, UNEXPECTED_REPLY, HOST)


def scram_server(password: str) -> tuple[Driver, str]:
    mechanism = ScramMechanism("SCRAM-SHA-256")
    auth = mechanism.make_auth_info(password, iteration_count=4096)
    server = mechanism.make_server(lambda _: auth, s_nonce="5e55")
    driver, said = login("SCRAM-SHA-256")
    server.set_client_first(b64decode(said.split()[2]).decode())
    final = driver.hear("334 " + b64encode(server.get_server_first().encode()).decode())
    server.set_client_final(b64decode(final).decode())
    return driver, b64encode(server.get_server_final().encode()).decode()


def test_scram_ends_with_the_servers_proof() -> None:
    driver, proof = scram_server("pa55")
    assert driver.hear(f"334 {proof}") == "\r\n"
    driver.hear("235 OK")
    assert driver.event() == SessionReady()


def test_scram_server_without_our_password_cannot_say_235() -> None:
    driver, _ = scram_server("pa55")
    driver.hear("334 " + b64encode(b"v=AAAA").decode())
    assert failure(driver).cause is Cause.UPSTREAM_AUTH


def test_scram_has_no_fourth_message() -> None:
    driver, proof = scram_server("pa55")
    driver.hear(f"334 {proof}", "334 ")
    assert failure(driver).cause is Cause.UPSTREAM_AUTH


# The end


def test_quit_waits_for_its_answer() -> None:
    driver = Driver(profile()).ready()
    driver.session.quit(NOW)
    assert driver.said() == "QUIT\r\n"
    assert not driver.session.ended
    assert driver.session.deadline == NOW + 5
    driver.hear("221 bye")
    assert driver.session.ended
    assert driver.events() == []


def test_quit_in_the_middle_just_ends() -> None:
    driver = Driver(profile()).ready()
    driver.send("b@example.net")
    driver.session.quit(NOW)
    assert driver.said() == ""
    assert isinstance(driver.event(), TransactionDone)


def test_idle_host_that_says_good_bye_ends_the_session_quietly() -> None:
    for said in ("421 4.4.2 idle", "250 what", "!"):
        driver = Driver(profile()).ready()
        driver.hear(said)
        assert driver.session.ended
        assert not driver.session.reusable
        assert driver.events() == []


def test_lost_before_readiness() -> None:
    driver = Driver(profile())
    driver.session.lost()
    outcome = failure(driver)
    assert outcome == Deferred(Cause.UNREACHABLE, client_endings.CONNECTION_LOST, HOST)
    driver.session.lost()
    assert driver.events() == []


def test_time_outs_are_those_of_rfc_5321() -> None:
    driver = Driver(profile())
    assert driver.session.deadline == NOW + 300
    driver.ready()
    driver.now = 2000
    driver.send("b@example.net")
    assert driver.session.deadline == 2300
    driver.hear("250 OK")
    assert driver.session.deadline == 2300
    driver.hear("250 OK")
    assert driver.session.deadline == 2120
    driver.hear("354 go")
    assert driver.session.deadline == 2180
    assert driver.event() == ContentWanted()
    driver.now = 2100
    driver.session.content(CONTENT, driver.now)
    assert driver.session.deadline == 2280
    driver.session.content_ends(driver.now)
    assert driver.session.deadline == 2700
    driver.hear("250 OK")
    assert driver.session.deadline == inf


def test_time_out_names_what_was_waited_for() -> None:
    driver = Driver(profile(timeouts=ClientTimeouts(greeting=1)))
    assert driver.session.deadline == NOW + 1
    driver.session.timed_out()
    outcome = failure(driver)
    assert outcome.cause is Cause.TIMEOUT
    assert "the greeting" in str(outcome.reply)
    assert driver.session.deadline == inf


def test_nothing_can_be_begun_after_the_end() -> None:
    driver = Driver(profile()).ready()
    driver.session.lost()
    assert driver.send("b@example.net", "c@example.net") == ""
    lost = Deferred(Cause.UNREACHABLE, client_endings.CONNECTION_LOST, HOST)
    assert driver.event() == TransactionDone((lost, lost))
    driver.session.probe(recipient("b@example.net"), NOW)
    assert driver.event() == ProbeDone(lost)
    assert driver.said() == ""
    driver.session.content(b"x", NOW)
    driver.session.content_ends(NOW)
    assert driver.said() == ""


def test_mailmax_bounds_the_use_of_a_connection() -> None:
    driver = Driver(profile()).ready("LIMITS MAILMAX=1 FOO")
    assert driver.session.reusable
    driver.send("b@example.net")
    driver.hear("550 no")
    assert driver.session.idle
    assert not driver.session.reusable


# Probes


def test_probe_asks_as_a_sender_of_bounces_and_clears_up_before_the_next() -> None:
    driver = Driver(profile()).ready("PIPELINING", "DSN")
    driver.session.probe(recipient("b@example.net"), NOW)
    assert driver.said() == "MAIL FROM:<>\r\n"
    assert driver.hear("250 OK") == "RCPT TO:<b@example.net>\r\n"
    driver.hear("550 5.1.1 no")
    assert driver.event() == ProbeDone(reply(550, "5.1.1", "no"))
    driver.session.probe(recipient("c@example.net"), NOW)
    assert driver.said() == "RSET\r\nMAIL FROM:<>\r\n"
    assert driver.hear("250 OK", "250 OK") == "RCPT TO:<c@example.net>\r\n"
    driver.hear("250 OK")
    assert driver.event() == ProbeDone(reply(250, "", "OK"))


@pytest.mark.parametrize(
    ("answers", "kind"),
    [
        (["550 no bounces"], Failed),
        (["450 later"], Deferred),
        (["421 bye"], Deferred),
        (["354 what"], Deferred),
    ],
)
def test_probe_that_could_not_ask_says_nothing_of_the_recipient(
    answers: list[str], kind: type
) -> None:
    driver = Driver(profile()).ready()
    driver.session.probe(recipient("b@example.net"), NOW)
    driver.hear(*answers)
    event = driver.event()
    assert isinstance(event, ProbeDone)
    assert isinstance(event.answer, kind)


def test_refused_rset_gives_the_session_up() -> None:
    driver = Driver(profile()).ready()
    driver.send("b@example.net")
    driver.hear("250 OK", "550 no")
    driver.events()
    assert driver.send("c@example.net") == "RSET\r\n"
    assert driver.hear("500 what") == ""
    (outcome,) = _outcomes(driver)
    assert isinstance(outcome, Deferred)
    assert outcome.cause is Cause.PROTOCOL


def _outcomes(driver: Driver) -> tuple[object, ...]:
    event = driver.event()
    assert isinstance(event, TransactionDone)
    return event.outcomes


# Whatever comes


@given(st.lists(st.binary(max_size=30), max_size=30), st.booleans())
def test_no_octets_raise(pieces: list[bytes], begun: bool) -> None:
    driver = Driver(profile(tls=TlsPolicy.OPPORTUNISTIC))
    if begun:
        driver = Driver(profile()).ready("PIPELINING")
        driver.send("b@example.net")
    for piece in pieces:
        driver.session.receive(piece, NOW)


CODES = (220, 221, 235, 250, 354, 421, 450, 452, 550, 552)
REPLIES = st.sampled_from(["250-STARTTLS", *(f"{code} x" for code in CODES)])


@given(st.lists(REPLIES, max_size=12), st.booleans())
def test_every_transaction_gets_one_outcome_a_recipient(
    answers: list[str],
    lmtp: bool,
) -> None:
    driver = Driver(profile(lmtp=lmtp)).ready("PIPELINING", "SIZE")
    driver.send("b@example.net", "c@example.net", of=envelope(""))
    done: list[TransactionDone] = []
    for answer in [*answers, None]:
        if answer is None:
            driver.session.lost()
        else:
            driver.hear(answer)
        for event in driver.events():
            if isinstance(event, ContentWanted):
                driver.session.content(CONTENT, NOW)
                driver.session.content_ends(NOW)
            elif isinstance(event, TransactionDone):
                done.append(event)
    (event,) = done
    assert len(event.outcomes) == 2
    assert driver.session.idle or driver.session.ended
