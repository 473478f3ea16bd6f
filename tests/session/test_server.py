"""The session's calls: misuse, time, ends, secrets."""

import pytest

from sekisho.model import replies
from sekisho.model.limits import Limits
from sekisho.model.rules import Role
from sekisho.session import events
from sekisho.session.server import (
    ServerSession,
    SessionMisuseError,
    SessionProfile,
    TlsState,
)
from sekisho.wire.data import PIECE_BYTES

NEVER = float("inf")
LIMITS = Limits(command_seconds=10, data_block_seconds=20, session_seconds=1000)
PROFILE = SessionProfile("relay.example.com", Role.MX, LIMITS)


def opened(tls: TlsState = TlsState.OFFERED) -> ServerSession:
    session = ServerSession(PROFILE, now=0.0, tls=tls, mechanisms=("PLAIN",))
    session.greet()
    session.output()
    return session


def send(session: ServerSession, data: bytes, now: float = 0.0) -> events.Event | None:
    session.receive(data, now)
    return session.next_event()


def test_nothing_is_read_before_the_greeting():
    session = ServerSession(PROFILE, now=0.0, tls=TlsState.OFFERED)
    assert not session.greeted
    assert send(session, b"QUIT\r\n") is None
    assert session.held_bytes == 6
    assert session.output() == b""
    session.greet()
    assert session.greeted
    assert session.next_event() == events.SessionEnded("quit")
    assert session.output().endswith(b"221 2.0.0 Goodbye\r\n")


def test_refused_instead_of_greeted():
    session = ServerSession(PROFILE, now=0.0, tls=TlsState.OFFERED)
    session.refuse(replies.EARLY_TALKER)
    session.greet()
    assert session.output() == replies.EARLY_TALKER.encoded
    assert session.next_event() == events.SessionEnded("refused: 554")
    assert session.ended


def test_the_end_is_the_end():
    session = opened()
    session.timed_out()
    session.timed_out()
    session.refuse(replies.SHUTTING_DOWN)
    assert session.output() == replies.TIMED_OUT.encoded
    assert session.next_event() == events.SessionEnded("timed out")
    assert send(session, b"NOOP\r\n") is None
    session.answer(replies.OK)
    session.challenge(b"")
    session.tls_started(1.0)
    assert session.next_event() is None
    assert session.output() == b""
    assert session.deadline() == NEVER
    assert session.held_bytes == 0


def test_refusing_while_an_answer_is_outstanding_leaves_no_question():
    session = opened()
    send(session, b"EHLO x\r\n")
    assert send(session, b"MAIL FROM:<>\r\nNOOP\r\n")
    session.output()
    session.refuse(replies.STALE_IDENTITY)
    session.answer(replies.SENDER_OK)
    assert session.output() == replies.STALE_IDENTITY.encoded
    assert session.next_event() == events.SessionEnded("refused: 421")


def test_answering_what_was_not_asked_is_a_mistake_of_ours():
    session = opened()
    with pytest.raises(SessionMisuseError):
        session.answer(replies.OK)
    with pytest.raises(SessionMisuseError):
        session.challenge(b"")
    with pytest.raises(SessionMisuseError):
        session.tls_started(0.0)
    send(session, b"EHLO x\r\n")
    assert send(session, b"MAIL FROM:<>\r\n")
    with pytest.raises(SessionMisuseError):
        session.challenge(b"")


def test_nothing_is_read_while_an_answer_is_outstanding():
    session = opened()
    send(session, b"EHLO x\r\n")
    session.output()
    event = send(session, b"MAIL FROM:<>\r\nQUIT\r\n")
    assert isinstance(event, events.SenderOffered)
    assert session.next_event() is None
    assert session.output() == b""
    assert session.held_bytes == 6
    session.answer(replies.SENDER_OK)
    assert session.next_event() == events.SessionEnded("quit")


def test_implicit_tls_begins_before_the_greeting():
    session = ServerSession(PROFILE, now=0.0, tls=TlsState.UNAVAILABLE)
    session.tls_started(1.0)
    session.greet()
    assert session.tls_active
    assert session.deadline() == 11.0


def test_what_the_client_said_of_itself_is_forgotten_under_tls():
    session = opened()
    send(session, b"EHLO client.example\r\n")
    assert session.greeting_name == "client.example"
    assert session.esmtp
    assert not session.tls_active
    assert isinstance(send(session, b"STARTTLS\r\nNOOP\r\n"), events.TlsRequested)
    assert session.held_bytes == 0
    session.receive(b"injected\r\n", 1.0)
    session.tls_started(2.0)
    assert session.held_bytes == 0
    assert session.tls_active
    assert session.greeting_name == ""
    assert not session.esmtp
    assert not session.lmtp


def test_authenticated_only_after_a_positive_answer():
    session = opened(TlsState.ACTIVE)
    send(session, b"EHLO x\r\n")
    assert send(session, b"AUTH PLAIN\r\n") == events.AuthRequested("PLAIN", None)
    session.challenge(b"")
    response = send(session, b"c2VjcmV0\r\n")
    assert response == events.AuthResponded(b"secret")
    assert "secret" not in repr(response)
    session.answer(replies.AUTH_FAILED)
    assert not session.authenticated
    requested = send(session, b"AUTH PLAIN c2VjcmV0\r\n")
    assert requested == events.AuthRequested("PLAIN", b"secret")
    assert "secret" not in repr(requested)
    session.answer(replies.AUTH_OK)
    assert session.authenticated


def test_a_client_is_not_timed_out_while_we_owe_it_an_answer():
    session = opened()
    send(session, b"EHLO x\r\n", 1.0)
    assert session.deadline() == 11.0
    send(session, b"MAIL FROM:<>\r\n", 5.0)
    assert session.deadline() == 1000.0
    session.answer(replies.SENDER_OK)
    assert session.deadline() == 15.0


def test_part_of_a_command_gains_no_time():
    session = opened()
    send(session, b"NO", 9.0)
    assert session.deadline() == 10.0


def test_content_is_known_to_come_in_between_chunks_too():
    session = opened()
    send(session, b"EHLO x\r\n")
    for line in (b"MAIL FROM:<>\r\n", b"RCPT TO:<a@example.com>\r\n"):
        send(session, line)
        session.answer(replies.OK)
    assert not session.in_content
    send(session, b"BDAT 4\r\nab")
    session.answer(replies.START_DATA)
    assert session.next_event() == events.ContentReceived(b"ab")
    assert session.in_content
    assert send(session, b"\r\n") == events.ContentReceived(b"\r\n")
    assert session.next_event() is None
    assert session.in_content
    send(session, b"RSET\r\n")
    assert not session.in_content


def test_input_that_came_before_354_was_sent_too_early():
    session = opened()
    send(session, b"EHLO x\r\n")
    for line in (b"MAIL FROM:<>\r\n", b"RCPT TO:<a@example.com>\r\n"):
        send(session, line)
        session.answer(replies.OK)
    session.output()
    assert isinstance(send(session, b"DATA\r\n"), events.ContentStarted)
    session.receive(b"x\r\n.\r\n", 0.0)
    session.answer(replies.START_DATA)
    assert session.output() == replies.PIPELINED_TOO_EARLY.encoded
    assert session.ended


@pytest.mark.parametrize("command", [b"DATA\r\n", b"BDAT 200005 LAST\r\n"])
@pytest.mark.parametrize("good", [True, False])
def test_long_content_in_one_read_comes_in_pieces_and_is_answered(
    command: bytes, good: bool
):
    session = opened()
    send(session, b"EHLO x\r\n")
    for line, reply in (
        (b"MAIL FROM:<>\r\n", replies.SENDER_OK),
        (b"RCPT TO:<a@b.example>\r\n", replies.RECIPIENT_OK),
    ):
        assert send(session, line)
        session.answer(reply)
    text = (b"a" * 78 + b"\r\n") * 2500 + (b"b\r\n" if good else b"\r\0\n") + b"\r\n"
    end = b"QUIT\r\n" if command.startswith(b"BDAT") else b".\r\nQUIT\r\n"
    send(session, command)
    session.answer(replies.START_DATA)
    session.output()
    lengths: list[int] = []
    last = send(session, text + end)
    while last is not None:
        if isinstance(last, events.ContentReceived):
            lengths.append(len(last.data))
        elif isinstance(last, events.ContentCompleted):
            session.answer(replies.OK)
        last = session.next_event()
    assert session.ended
    assert max(lengths) <= PIECE_BYTES
    assert session.output().startswith(b"250 " if good else b"5")
    assert (sum(lengths) == len(text)) == good
