"""Everything is bounded: one past each bound of `[limits]`, over a socket.

One test a bound, named ``test_<bound>…`` after its name in the configuration; the last
test holds that none is forgotten. Each sets its bound small, goes just up to it, then
one past it, and wants the reply that `sekisho.model.limits` names.
"""

import contextlib
import re
import time
from collections.abc import Callable, Generator
from dataclasses import fields
from pathlib import Path

import pytest

from peers.dialogue import ClosedError, Dialogue
from peers.loopback import fresh_address, fresh_network
from peers.process import wait_for
from peers.service import OWN, Service, plain_settings
from peers.sink import RecordingSink
from real.messages import a_message, stuffed, token
from sekisho.model.limits import Limits, ServiceLimits

Serve = Callable[..., Service]
Bounded = Callable[..., Service]

FROM, TO = "MAIL FROM:<a@outside.test>", f"RCPT TO:<known@{OWN}>"


@pytest.fixture
def bounded(serve: Serve, sink: RecordingSink) -> Bounded:
    """Serve with these bounds: ``bounded(max_errors=3)``."""

    def start(*, users: bool = False, workers: int = 1, **limits: float) -> Service:
        settings = plain_settings(sink.url, workers=workers)
        settings["limits"] = limits
        return serve(settings, users=users)

    return start


@contextlib.contextmanager
def session(service: Service, source: str = "127.0.0.1") -> Generator[Dialogue]:
    """Connect to the mx listener and say EHLO."""
    with service.dial("mx", source=source) as client:
        client.ehlo()
        yield client


def begin(client: Dialogue, parameters: str = "") -> None:
    """MAIL, RCPT and DATA."""
    assert client.say(FROM + parameters).code == 250
    assert client.say(TO).code == 250
    assert client.say("DATA").code == 354


def deliver(client: Dialogue) -> None:
    """Hand a whole small message over."""
    begin(client)
    client.send(stuffed(a_message(token(), author="a@outside.test")))
    assert client.reply().code == 250


def content_of(size: int, *, width: int = 998) -> bytes:
    """Content of just so many octets, its header included."""
    head = b"From: <a@outside.test>\r\nSubject: x\r\n\r\n"
    lines, rest = divmod(size - len(head), width + 2)
    # The rest is a line, too; where it is too short for one the last grows shorter.
    body = (b"x" * width + b"\r\n") * lines
    if rest == 1:
        body, rest = body[: -(width + 2)] + b"x" * (width - 1) + b"\r\n", 2
    return head + body + (b"y" * (rest - 2) + b"\r\n" if rest else b"")


# -- octets ---------------------------------------------------------------------------


def test_max_command_bytes(bounded: Bounded) -> None:
    """DOS-001: refused, and the next line is a command again."""
    with session(bounded(max_command_bytes=600)) as client:
        at_bound = "NOOP " + "x" * (600 - len("NOOP \r\n"))
        assert client.say(at_bound).code == 250
        assert client.say(at_bound + "x").status == "500 5.5.2"
        assert client.say("NOOP").code == 250


def test_max_command_bytes_holds_for_an_endless_line(bounded: Bounded) -> None:
    """It is not kept while it lasts, and who does not end it is sent away."""
    service = bounded()
    with session(service) as client:
        before = resident_kib(service)
        client.send(b"NOOP " + b"x" * 1_000_000 + b"\r\n")
        replies = client.replies_until_closed_or_quiet()
        assert {reply.status for reply in replies} <= {"500 5.5.2", "421 4.7.0"}
        assert replies
        assert resident_kib(service) - before < 10_000
        with contextlib.suppress(OSError):
            client.send(b"x" * 50_000_000)
        assert resident_kib(service) - before < 10_000
    with session(service) as client:
        deliver(client)


def resident_kib(service: Service) -> int:
    """Memory of the service's processes."""
    pids = [service.process.running.pid]
    children = Path(f"/proc/{pids[0]}/task/{pids[0]}/children").read_text().split()
    total = 0
    for pid in [*pids, *children]:
        status = Path(f"/proc/{pid}/status").read_text()
        total += int(re.findall(r"VmRSS:\s+(\d+)", status)[0])
    return total


def test_max_auth_line_bytes(bounded: Bounded) -> None:
    """DOS-002: an initial response and an answer."""
    service = bounded(users=True, max_auth_line_bytes=12288)
    with service.dial("submission") as client:
        client.starttls()
        at_bound = "A" * (12288 - 2)
        assert client.say("AUTH PLAIN").code == 334
        assert client.say(at_bound).status in {"501 5.5.2", "535 5.7.8"}
        assert client.say("AUTH PLAIN").code == 334
        assert client.say(at_bound + "AAAA").status == "500 5.5.6"
        assert client.say("AUTH PLAIN " + at_bound).status == "500 5.5.6"
        assert client.say("NOOP").code == 250


@pytest.mark.parametrize("by", ["SIZE", "DATA", "BDAT"])
def test_max_message_bytes(bounded: Bounded, sink: RecordingSink, by: str) -> None:
    """DOS-012: announced, found in DATA, and the sum of the chunks."""
    bound = 70_000
    at_bound, past = content_of(bound), content_of(bound + 1)
    assert (len(at_bound), len(past)) == (bound, bound + 1)
    with session(bounded(max_message_bytes=bound)) as client:
        assert f"SIZE {bound}" in client.ehlo()
        if by == "SIZE":
            assert client.say(f"{FROM} SIZE={bound + 1}").status == "552 5.3.4"
            assert client.say(f"{FROM} SIZE={bound}").code == 250
            return
        for content, status in ((at_bound, "250 2.0.0"), (past, "552 5.3.4")):
            if by == "DATA":
                begin(client)
                client.send(stuffed(content))
            else:
                assert client.say(FROM).code == 250
                assert client.say(TO).code == 250
                client.send(b"BDAT 60000\r\n" + content[:60_000])
                assert client.reply().code == 250
                rest = content[60_000:]
                client.send(b"BDAT %d LAST\r\n" % len(rest) + rest)
            assert client.reply().status == status
    sink.wait_for_messages(1)


def test_max_header_bytes(bounded: Bounded, sink: RecordingSink) -> None:
    """DOS-009: many fields, and one endless one."""
    service = bounded(max_header_bytes=2000)
    field = b"X-F: " + b"x" * 93 + b"\r\n"
    assert len(field) == 100
    headers = {
        field * 19 + b"X-F: " + b"x" * 91 + b"\r\n": "250 2.0.0",  # 1998, and CRLF
        field * 20: "552 5.3.4",
        b"X-F: x\r\n" + b" y\r\n" * 500: "552 5.3.4",
    }
    for header, status in headers.items():
        with session(service) as client:
            begin(client)
            client.send(header + b"\r\nbody\r\n.\r\n")
            assert client.reply().status == status
    sink.wait_for_messages(1)


def test_max_text_line_bytes(bounded: Bounded, sink: RecordingSink) -> None:
    """DOS-003: refused, not folded and not cut."""
    service = bounded(max_text_line_bytes=1000)
    head = b"From: <a@outside.test>\r\n\r\n"
    for line, status in ((b"x" * 998, "250 2.0.0"), (b"x" * 999, "554 5.6.0")):
        with session(service) as client:
            begin(client)
            client.send(head + line + b"\r\n.\r\n")
            assert client.reply().status == status
    assert b"\r\n" + b"x" * 998 + b"\r\n" in sink.wait_for_messages(1)[0].content


# -- counts ---------------------------------------------------------------------------


def test_max_recipients(bounded: Bounded, sink: RecordingSink) -> None:
    """DOS-005: the ones up to the bound get their mail."""
    service = bounded(max_recipients=100)
    with session(service) as client:
        assert client.say(FROM).code == 250
        for _ in range(100):
            assert client.say(TO).code == 250
        assert client.say(TO).status == "452 4.5.3"
        assert client.say("DATA").code == 354
        client.send(stuffed(a_message(token(), author="a@outside.test")))
        assert client.reply().code == 250
    sink.wait_for_messages(1)


def test_max_messages_per_session(bounded: Bounded) -> None:
    with session(bounded(max_messages_per_session=2)) as client:
        deliver(client)
        deliver(client)
        assert client.say(FROM).status == "421 4.7.0"
        assert client.is_closed()


def test_max_errors(bounded: Bounded) -> None:
    """DOS-006."""
    with session(bounded(max_errors=3)) as client:
        statuses = [client.say("FOO").status for _ in range(3)]
        if statuses[-1] != "421 4.7.0":
            statuses.append(client.say("FOO").status)
        assert statuses[:2] == ["500 5.5.1", "500 5.5.1"]
        assert statuses[-1] == "421 4.7.0"
        assert client.is_closed()


@pytest.mark.parametrize("line", ["NOOP", "RSET", "VRFY user", "EHLO x.test", "HELP"])
def test_max_idle_commands(bounded: Bounded, line: str) -> None:
    """DOS-006: what does nothing may not be done for ever."""
    with session(bounded(max_idle_commands=5)) as client:
        statuses: list[str] = []
        while len(statuses) < 8 and "421 4.7.0" not in statuses:
            statuses.append(client.say(line).status)
        assert 5 <= len(statuses) <= 7
        assert statuses[-1] == "421 4.7.0"
        assert client.is_closed()


def test_max_auth_failures(bounded: Bounded) -> None:
    service = bounded(users=True, max_auth_failures=2)
    with service.dial("submission", source=fresh_address()) as client:
        client.starttls()
        statuses = [client.login(service.USER, "wrong").status]
        with contextlib.suppress(ClosedError):
            statuses += [client.login(service.USER, "wrong").status for _ in range(2)]
    assert statuses[0] == "535 5.7.8"
    assert statuses[-1] == "421 4.7.0"


def test_max_hops(bounded: Bounded, sink: RecordingSink) -> None:
    """DOS-011: RFC 5321 §6.3."""
    with session(bounded(max_hops=10)) as client:
        hop = b"Received: from a by b; Mon, 21 Sep 2026 12:00:00 +0000\r\n"
        message = a_message(token(), author="a@outside.test")
        for count, status in ((10, "250 2.0.0"), (11, "554 5.4.6")):
            begin(client)
            client.send(stuffed(hop * count + message))
            assert client.reply().status == status
    sink.wait_for_messages(1)


# -- seconds --------------------------------------------------------------------------


def drip(client: Dialogue, octets: bytes, seconds: float = 10.0) -> None:
    """Send an octet every 0.2 s until the server answers."""
    client.stream.settimeout(0.2)
    end = time.monotonic() + seconds
    with contextlib.suppress(OSError):
        for octet in octets:
            client.send(bytes([octet]))
            with contextlib.suppress(TimeoutError):
                client.buffer += client.stream.recv(4096)
                break
            assert time.monotonic() < end
    client.stream.settimeout(10)


def test_command_seconds(bounded: Bounded) -> None:
    """DOS-007: silence, and a command that comes an octet at a time."""
    service = bounded(command_seconds=1)
    with session(service) as client:
        assert client.reply().status == "421 4.4.2"
        assert client.is_closed()
    with session(service) as client:
        drip(client, b"NOOP " + b"x" * 100)
        assert client.reply().status == "421 4.4.2"


def test_command_seconds_hold_before_the_first_command(bounded: Bounded) -> None:
    service = bounded(command_seconds=1)
    with service.dial("mx") as client:
        assert client.reply().status == "421 4.4.2"


def test_data_block_seconds(bounded: Bounded, sink: RecordingSink) -> None:
    with session(bounded(data_block_seconds=1)) as client:
        begin(client)
        client.send(b"Subject: never ends\r\n")
        assert client.reply().status == "421 4.4.2"
        assert client.is_closed()
    assert sink.messages == []


def test_data_seconds(bounded: Bounded, sink: RecordingSink) -> None:
    """DOS-007: slow octets are no silence, and still end."""
    with session(bounded(data_seconds=1.5)) as client:
        begin(client)
        drip(client, b"Subject: very slow\r\n\r\n" + b"x" * 100)
        assert client.reply().status == "421 4.4.2"
        assert client.is_closed()
    assert sink.messages == []


def test_session_seconds(bounded: Bounded) -> None:
    """However busy it is."""
    with session(bounded(session_seconds=1.5)) as client:
        started = time.monotonic()
        answer = client.say("NOOP")
        while answer.code == 250:
            assert time.monotonic() - started < 8
            time.sleep(0.2)
            answer = client.say("RSET")
        assert answer.status == "421 4.4.2"


def test_greeting_seconds(bounded: Bounded) -> None:
    """INJ-001: who speaks before the greeting is sent away, who waits is served."""
    service = bounded(greeting_seconds=1)
    with service.dial("mx", greeting=False) as client:
        client.send(b"EHLO early.test\r\n")
        replies = client.replies_until_closed()
        assert [reply.status for reply in replies] == ["554 5.5.1"]
    with session(service) as client:
        assert client.greeting.code == 220
        deliver(client)


# -- the service as a whole -----------------------------------------------------------


def test_max_sessions(bounded: Bounded) -> None:
    """DOS-008: one more is told so, and there is room when one has gone."""
    service = bounded(max_sessions=2, workers=2)
    with session(service, fresh_address()) as first:
        with (
            session(service, fresh_address()),
            service.dial("mx", source=fresh_address()) as third,
        ):
            assert third.greeting.status == "421 4.3.2"
            assert third.is_closed()
        wait_for("a free session", lambda: greeted(service, fresh_address()))
        assert first.say("NOOP").code == 250


def greeted(service: Service, source: str) -> bool:
    """Whether a client from there is greeted now."""
    with service.dial("mx", source=source) as client:
        return client.greeting.code == 220


def test_max_sessions_per_client(bounded: Bounded) -> None:
    """DOS-008: the neighbour is served."""
    service = bounded(max_sessions_per_client=2, workers=2)
    network = fresh_network()
    crowd, neighbour = f"{network}.25", f"{network}.26"
    with session(service, crowd), session(service, crowd):
        with service.dial("mx", source=crowd) as third:
            assert third.greeting.status == "421 4.7.0"
            assert third.is_closed()
        assert greeted(service, neighbour)
    wait_for("a free session", lambda: greeted(service, crowd))


def test_max_messages_per_client_per_hour(bounded: Bounded) -> None:
    """Counted over sessions, by address."""
    service = bounded(max_messages_per_client_per_hour=2, workers=2)
    crowd = fresh_address()
    for _ in range(2):
        with session(service, crowd) as client:
            deliver(client)
    with session(service, crowd) as client:
        answer = client.say(FROM)
        if answer.code == 250:
            answer = client.say(TO)
        assert answer.status == "450 4.7.1"
    with session(service, fresh_address()) as client:
        deliver(client)


def test_min_free_bytes(bounded: Bounded) -> None:
    """Where there is less than the reserve, new mail waits elsewhere."""
    with session(bounded(min_free_bytes=2**52)) as client:
        answer = client.say(FROM)
        for line in (TO, "DATA"):
            if answer.code == 250:
                answer = client.say(line)
        if answer.code == 354:
            client.send(stuffed(a_message(token(), author="a@outside.test")))
            answer = client.reply()
        assert answer.status == "452 4.3.1"


def test_max_buffered_bytes(bounded: Bounded, sink: RecordingSink) -> None:
    """Nobody fails for it: bodies go to their files sooner."""
    service = bounded(max_buffered_bytes=1)
    big = a_message(token(), author="a@outside.test", body=("x" * 70 + "\r\n") * 400)
    with session(service) as one, session(service) as other:
        begin(one)
        begin(other)
        for client in (one, other):
            client.send(stuffed(big)[:-3])
        for client in (one, other):
            client.send(b".\r\n")
            assert client.reply().code == 250
    for message in sink.wait_for_messages(2):
        assert message.content.endswith(big)


def test_every_bound_is_gone_past() -> None:
    """A bound that is added without a test here fails this."""
    names = [bound.name for of in (Limits, ServiceLimits) for bound in fields(of)]
    tests = [name for name in globals() if name.startswith("test_")]
    missing = [n for n in names if not any(t.startswith(f"test_{n}") for t in tests)]
    assert missing == []
