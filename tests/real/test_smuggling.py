"""One message in, one message on: no octets make two of it, and no bare newline leaves.

The next host of the own domain keeps every octet it is sent. After each attempt a
sentinel is sent; when that has arrived, whatever the attempt let through has, too.
"""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from peers.dialogue import ClosedError, Dialogue, Reply
from peers.service import OWN, Service, plain_settings
from peers.sink import RecordingSink
from real.messages import TRICKY_BODY, a_message, assert_carried, stuffed, token

BARE_NEWLINE = "550 5.5.2"
HEAD = b"From: <a@outside.test>\r\nSubject: %s\r\n\r\nfirst"
"""Ends inside a line, so that each sequence can follow."""
SECOND = (
    b"MAIL FROM:<evil@outside.test>\r\nRCPT TO:<known@own.test>\r\nDATA\r\n"
    b"From: <evil@outside.test>\r\nSubject: smuggled\r\n\r\nsecond"
)
END = b"\r\n.\r\n"

REFUSED = {
    "SMG-001": b"\n.\n",
    "SMG-002": b"\n.\r\n",
    "SMG-003": b"\r.\r",
    "SMG-004": b"\r.\n",
    "SMG-005": b"\n.\r",
    "SMG-006": b"\r.\r\n",
    "SMG-007": b"\r\n.\n",
    "SMG-008": b"\r\n.\r",
    "SMG-009": b"\r\n\0.\r\n",
    "SMG-010": b"\r\n.\0\r\n",
    "SMG-011": b"\r\n.\r\r\n",
    "SMG-012": b"\r\r\n.\r\r\n",
    "SMG-012lf": b"\n",
    "SMG-012cr": b"\r",
    "SMG-012nul": b"\0",
}
"""Each holds a bare CR, a bare LF or a NUL."""

PLAIN_DATA = {
    "SMG-013tab": b"\r\n.\t\r\n",
    "SMG-013blank": b"\r\n. \r\n",
    "SMG-013dots": b"\r\n..\r\n",
    "SMG-013ls": "\r\n\u2028.\u2028\r\n".encode(),
    "SMG-013vt": b"\r\n.\x0b\r\n",
    "SMG-013ff": b"\r\n.\x0c\r\n",
    "SMG-013nel": b"\x85.\x85\r\n",
    "SMG-013nel8": "\u0085.\u0085\r\n".encode(),
}
"""Lines like any other: one message, and it arrives as it was sent."""


@dataclass(frozen=True)
class House:
    """A service and the recording host behind it."""

    service: Service
    inner: RecordingSink

    def arrived_besides(self, mark: str) -> list[bytes]:
        """Send the sentinel `mark`; what arrived since the last one, without it."""
        with self.service.dial("mx") as client:
            client.ehlo()
            begin_content(client)
            client.send(stuffed(a_message(mark, author="a@outside.test")))
            assert client.reply().code == 250
        self.inner.wait_for_content(mark.encode())
        self.service.wait_until_idle()
        others = [
            m.content for m in self.inner.messages if mark.encode() not in m.content
        ]
        self.inner.messages.clear()
        return others


@pytest.fixture(scope="module")
def _shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("smuggling")
    with RecordingSink() as inner:
        service = Service(folder / "service", plain_settings(inner.url))
        service.add_user()
        with service:
            yield House(service, inner)
        assert inner.bare_newlines() == []


@pytest.fixture
def house(_shared: House) -> House:
    """Serve with nothing left over from the test before."""
    _shared.inner.messages.clear()
    return _shared


@pytest.fixture
def client(house: House, stranger: str) -> Iterator[Dialogue]:
    """A stranger who has said EHLO to the listener for the world."""
    with house.service.dial("mx", source=stranger) as dialogue:
        dialogue.ehlo()
        yield dialogue


def begin_content(client: Dialogue, sender: str = "a@outside.test") -> None:
    """MAIL, RCPT, DATA."""
    assert client.say(f"MAIL FROM:<{sender}>").code == 250
    assert client.say(f"RCPT TO:<known@{OWN}>").code == 250
    assert client.say("DATA").code == 354


def positive(replies: list[Reply]) -> list[Reply]:
    """Those that take something."""
    return [reply for reply in replies if reply.code in {250, 354}]


# -- the end of DATA ------------------------------------------------------------------


@pytest.mark.parametrize("sequence", REFUSED.values(), ids=REFUSED.keys())
def test_bare_newline_or_nul_in_data_is_refused_and_closed(
    house: House, client: Dialogue, sequence: bytes
) -> None:
    mark = token()
    begin_content(client)
    client.send(HEAD % mark.encode() + sequence + SECOND + END)
    replies = client.replies_until_closed()
    assert [reply.status for reply in replies] == [BARE_NEWLINE]
    assert house.arrived_besides(token()) == []


@pytest.mark.parametrize("sequence", REFUSED.values(), ids=REFUSED.keys())
def test_the_same_octet_by_octet(
    house: House, client: Dialogue, sequence: bytes
) -> None:
    """Where segments end must not matter."""
    begin_content(client)
    octets = HEAD % token().encode() + sequence + b"x" + END
    try:
        for start in range(len(octets)):
            client.send(octets[start : start + 1])
    except OSError:
        pass  # it may close before all is said
    replies = client.replies_until_closed()
    assert positive(replies) == []
    assert house.arrived_besides(token()) == []


@pytest.mark.parametrize("sequence", REFUSED.values(), ids=REFUSED.keys())
def test_a_verified_user_sends_no_bare_newline_on(
    house: House, sequence: bytes, stranger: str
) -> None:
    """SMG-020: what goes out is judged as strictly as what comes in."""
    with house.service.signed_in(source=stranger) as client:
        begin_content(client, sender="user@own.test")
        mark = a_message(token(), body="one")
        client.send(mark + sequence + SECOND + END)
        replies = client.replies_until_closed()
    assert [reply.status for reply in replies] == [BARE_NEWLINE]
    assert house.arrived_besides(token()) == []


@pytest.mark.parametrize("sequence", PLAIN_DATA.values(), ids=PLAIN_DATA.keys())
def test_other_ends_are_plain_data(
    house: House, client: Dialogue, sequence: bytes
) -> None:
    begin_content(client)
    sent = HEAD % token().encode() + sequence + SECOND + b"\r\n"
    client.send(sent + b".\r\n")
    assert client.reply().code == 250
    assert client.say("NOOP").code == 250
    arrived = house.arrived_besides(token())
    assert len(arrived) == 1
    assert_carried(arrived[0], sent.replace(b"\r\n.", b"\r\n"))


def test_end_of_data_split_over_segments_is_one_end(
    house: House, client: Dialogue
) -> None:
    begin_content(client)
    sent = HEAD % token().encode() + b"\r\n"
    client.send(sent)
    for octet in (b".", b"\r", b"\n"):
        time.sleep(0.05)
        client.send(octet)
    assert client.reply().code == 250
    arrived = house.arrived_besides(token())
    assert len(arrived) == 1
    assert_carried(arrived[0], sent)


def test_dot_as_first_line_is_an_empty_message(house: House, client: Dialogue) -> None:
    begin_content(client)
    assert client.say(".").code == 250
    assert client.say("NOOP").code == 250
    assert len(house.arrived_besides(token())) == 1


def test_dots_come_out_as_they_went_in(house: House, client: Dialogue) -> None:
    """SMG-024: stuffed, unstuffed, stuffed again, unstuffed again."""
    sent = a_message(token(), author="a@outside.test", body=TRICKY_BODY)
    begin_content(client)
    client.send(stuffed(sent))
    assert client.reply().code == 250
    arrived = house.arrived_besides(token())
    assert len(arrived) == 1
    assert_carried(arrived[0], sent)


# -- commands -------------------------------------------------------------------------


def test_content_pipelined_behind_data_is_refused(
    house: House, client: Dialogue
) -> None:
    """SMG-021: RFC 2920 lets nothing stand behind DATA in its group."""
    client.send(
        b"MAIL FROM:<a@outside.test>\r\nRCPT TO:<known@own.test>\r\nDATA\r\n"
        + (HEAD % token().encode() + END + SECOND + END)
    )
    statuses = [reply.status for reply in client.replies_until_closed()]
    assert statuses[2:] in (["554 5.5.0"], ["503 5.5.1"])
    assert house.arrived_besides(token()) == []


@pytest.mark.parametrize(
    "octets",
    [
        b"EHLO x.test\n",
        b"EHLO x.test\r\r\n",
        b"NOOP\nMAIL FROM:<a@outside.test>\r\n",
        b"MAIL FROM:<a@outside.test>\r\r\n",
        b"MAIL FROM:<a@outside.test>\nRCPT TO:<known@own.test>\r\n",
        b"NOOP\rNOOP\r\n",
        b"NOOP\0\r\n",
        b"NO\0OP\r\n",
    ],
    ids=repr,
)
def test_bare_newline_or_nul_in_a_command_is_no_command(
    client: Dialogue, octets: bytes
) -> None:
    """SMG-022, SMG-023: one refusal for the whole line, then in step or closed."""
    client.send(octets if octets.endswith(b"\r\n") else octets + b"\r\n")
    first = client.reply()
    assert first.status in {"500 5.5.2", "550 5.5.2", "501 5.5.2", "501 5.5.4"}, first
    try:
        assert client.say("RCPT TO:<known@own.test>").status == "503 5.5.1"
        assert client.say("NOOP").code == 250
    except (ClosedError, OSError):
        pass  # closing at once is as good


@pytest.mark.parametrize(
    "line", [b"EHLO gr\xfc\xdfe", b"N\xd6\xd6P", b"MAIL FROM:<\xff@outside.test>"]
)
def test_eight_bit_octets_in_a_command_are_refused(
    client: Dialogue, line: bytes
) -> None:
    assert client.say(line).code in {500, 501, 550, 553}
    assert client.say("NOOP").code == 250


@pytest.mark.parametrize(
    "header", [b"Subject: a\0b\r\n", b"Sub\0ject: x\r\n", b"Subject: a\rb\r\n"]
)
def test_nul_or_bare_cr_in_a_header_is_refused(
    house: House, client: Dialogue, header: bytes
) -> None:
    begin_content(client)
    client.send(b"From: <a@outside.test>\r\n" + header + b"\r\nx" + END)
    statuses = [reply.status for reply in client.replies_until_closed()]
    assert statuses == [BARE_NEWLINE]
    assert house.arrived_besides(token()) == []


# -- BDAT -----------------------------------------------------------------------------


def begin_chunks(client: Dialogue, parameters: str = "") -> None:
    """MAIL and RCPT."""
    assert client.say(f"MAIL FROM:<a@outside.test>{parameters}").code == 250
    assert client.say(f"RCPT TO:<known@{OWN}>").code == 250


def bdat(octets: bytes, *, last: bool = True) -> bytes:
    """One chunk with its command."""
    return b"BDAT %d%s\r\n%s" % (len(octets), b" LAST" if last else b"", octets)


def test_a_chunk_is_data_whatever_it_holds(house: House, client: Dialogue) -> None:
    """BDT-001."""
    sent = HEAD % token().encode() + END + SECOND + END
    begin_chunks(client)
    client.send(bdat(sent))
    assert client.reply().code == 250
    assert client.say("NOOP").code == 250
    arrived = house.arrived_besides(token())
    assert len(arrived) == 1
    assert_carried(arrived[0], sent)


def test_announced_octets_are_consumed_whatever_they_say(
    house: House, client: Dialogue
) -> None:
    """BDT-002: what was announced as data is never read as a command."""
    begin_chunks(client)
    client.send(b"BDAT 33\r\nfirst" + b"RCPT TO:<world@world.test>\r\n")
    assert client.reply().code == 250
    assert client.say("RSET").code == 250
    assert house.arrived_besides(token()) == []


@pytest.mark.parametrize(
    "line",
    [
        *("BDAT -1", "BDAT 99999999999999999999", "BDAT 0x10", "BDAT 5 5", "BDAT"),
        *("BDAT 4 LASTING", "BDAT 1e3", "BDAT +5", "BDAT 5,5", "BDAT LAST 5"),
    ],
)
def test_a_chunk_size_that_is_none_leaves_nothing_to_guess(
    house: House, client: Dialogue, line: str
) -> None:
    """BDT-002: refused; what follows is swallowed, or the connection is closed."""
    begin_chunks(client)
    client.send(line.encode() + b"\r\n")
    first = client.reply()
    assert first.status in {"501 5.5.4", "552 5.3.4", "500 5.5.2"}, first
    with contextlib.suppress(ClosedError, OSError):
        assert client.say("DATA").code != 250
    assert house.arrived_besides(token()) == []


def test_last_may_be_in_lower_case(house: House, client: Dialogue) -> None:
    """BDT-002: RFC 3030's keywords have no case."""
    begin_chunks(client)
    sent = HEAD % token().encode() + b"\r\n"
    client.send(b"bdat %d last\r\n%s" % (len(sent), sent))
    assert client.reply().code == 250
    assert len(house.arrived_besides(token())) == 1


@pytest.mark.parametrize("when", ["before MAIL", "no recipient", "after LAST"])
def test_a_refused_chunk_is_swallowed(
    house: House, client: Dialogue, when: str
) -> None:
    """BDT-003: else its octets would run as commands."""
    if when == "no recipient":
        assert client.say("MAIL FROM:<a@outside.test>").code == 250
        assert client.say("RCPT TO:<c@world.test>").status == "550 5.7.1"
    if when == "after LAST":
        begin_chunks(client)
        client.send(bdat(HEAD % token().encode() + b"\r\n"))
        assert client.reply().code == 250
    client.send(bdat(SECOND + END))
    assert client.reply().status in {"503 5.5.1", "554 5.5.1"}
    assert client.say("NOOP").code == 250
    assert not [m for m in house.arrived_besides(token()) if b"smuggled" in m]


def test_data_and_bdat_do_not_mix(client: Dialogue) -> None:
    """BDT-004: RFC 3030 §3."""
    begin_chunks(client)
    client.send(bdat(b"abc", last=False))
    assert client.reply().code == 250
    assert client.say("DATA").status == "503 5.5.1"


@pytest.mark.parametrize("sequence", [b"\n.\r\n", b"\r.\r\n", b"\n", b"\0"], ids=repr)
def test_bare_newline_in_a_chunk_is_refused(
    house: House, client: Dialogue, sequence: bytes
) -> None:
    """BDT-005: the next host may want DATA, where it would be an end."""
    begin_chunks(client)
    client.send(bdat(HEAD % token().encode() + sequence + SECOND + b"\r\n"))
    statuses = [reply.status for reply in client.replies_until_closed()]
    assert statuses == [BARE_NEWLINE]
    assert house.arrived_besides(token()) == []


def test_a_bare_newline_across_two_chunks_is_refused(
    house: House, client: Dialogue
) -> None:
    begin_chunks(client)
    client.send(bdat(HEAD % token().encode() + b"\r", last=False))
    client.send(bdat(b"x\r\n"))
    statuses = [reply.status for reply in client.replies_until_closed()]
    assert BARE_NEWLINE in statuses
    assert house.arrived_besides(token()) == []


def test_a_newline_across_two_chunks_is_a_newline(
    house: House, client: Dialogue
) -> None:
    begin_chunks(client)
    sent = HEAD % token().encode() + b"\r\n"
    client.send(bdat(sent[:-1], last=False) + bdat(sent[-1:]))
    assert [client.reply().code, client.reply().code] == [250, 250]
    arrived = house.arrived_besides(token())
    assert len(arrived) == 1
    assert_carried(arrived[0], sent)


def test_binary_content_goes_nowhere_where_it_cannot_go(
    house: House, client: Dialogue
) -> None:
    """BDT-005: the next host has no BINARYMIME, so nothing of it is sent on."""
    mark = token()
    begin_chunks(client, " BODY=BINARYMIME")
    client.send(bdat(HEAD % mark.encode() + b"\n.\r\n" + SECOND + b"\n"))
    if client.reply().code == 250:
        house.service.wait_for_event("message.reported")
    assert not [m for m in house.arrived_besides(token()) if b"second" in m]


def test_rset_between_chunks_forgets_them(house: House, client: Dialogue) -> None:
    """BDT-006."""
    begin_chunks(client)
    client.send(bdat(HEAD % token().encode(), last=False))
    assert client.reply().code == 250
    assert client.say("RSET").code == 250
    client.send(bdat(b"\r\nx\r\n"))
    assert client.reply().status == "503 5.5.1"
    assert client.say("NOOP").code == 250
    assert house.arrived_besides(token()) == []


def test_no_chunk_crosses_starttls(house: House, client: Dialogue) -> None:
    """BDT-006: STARTTLS inside a transaction is refused, or it ends it."""
    begin_chunks(client)
    client.send(bdat(HEAD % token().encode(), last=False))
    assert client.reply().code == 250
    if client.say("STARTTLS").code == 220:
        client.handshake()
        client.ehlo()
        client.send(bdat(b"\r\nx\r\n"))
        assert client.reply().status == "503 5.5.1"
    assert house.arrived_besides(token()) == []


# -- STARTTLS -------------------------------------------------------------------------


@pytest.mark.parametrize("listener", ["mx", "submission"])
def test_commands_behind_starttls_are_thrown_away(
    house: House, stranger: str, listener: str
) -> None:
    """TLS-001: plain octets sent with STARTTLS never count inside TLS."""
    with house.service.dial(listener, source=stranger) as client:
        client.ehlo()
        client.send(
            b"STARTTLS\r\nEHLO injected.test\r\nMAIL FROM:<inj@outside.test>\r\n"
        )
        answer = client.reply()
        if answer.code != 220:
            assert answer.code in {501, 503, 554}
            return
        client.handshake()
        assert client.say("FAKE x").status == "500 5.5.1"
        assert client.say("RCPT TO:<known@own.test>").status == "503 5.5.1"


def test_half_a_command_before_tls_is_no_half_of_one_after(
    house: House, stranger: str
) -> None:
    """TLS-002: "NO" in clear and "OP" under TLS make no NOOP."""
    with house.service.dial("mx", source=stranger) as client:
        client.ehlo()
        client.send(b"STARTTLS\r\nNO")
        if client.reply().code != 220:
            return
        client.handshake()
        assert client.say("OP").status == "500 5.5.1"


@pytest.mark.parametrize("line", [b"STARTTLS x", b"STARTTLS 1.3"])
def test_starttls_takes_no_argument(client: Dialogue, line: bytes) -> None:
    """TLS-002."""
    assert client.say(line).status == "501 5.5.4"
    assert client.say("NOOP").code == 250


def test_starttls_with_a_bare_newline_is_no_starttls(client: Dialogue) -> None:
    """TLS-002."""
    client.send(b"STARTTLS\nEHLO injected.test\r\n")
    assert client.reply().code in {500, 501, 550}


def test_what_was_said_before_tls_is_forgotten(house: House, stranger: str) -> None:
    """TLS-003: RFC 3207 §4.2, the EHLO included."""
    with house.service.dial("mx", source=stranger) as client:
        client.ehlo()
        assert client.say("MAIL FROM:<a@outside.test>").code == 250
        if client.say("STARTTLS").code != 220:
            return  # refusing it inside a transaction is as good
        client.handshake()
        assert client.say("RCPT TO:<known@own.test>").status == "503 5.5.1"
        assert client.say("MAIL FROM:<a@outside.test>").status == "503 5.5.1"


@pytest.mark.parametrize("listener", ["mx", "submission"])
def test_starttls_is_there_once(house: House, stranger: str, listener: str) -> None:
    """TLS-004."""
    with house.service.dial(listener, source=stranger) as client:
        assert "STARTTLS" in client.ehlo()
        assert client.say("STARTTLS").code == 220
        client.handshake()
        assert "STARTTLS" not in client.ehlo()
        assert client.say("STARTTLS").status == "503 5.5.1"


# -- injection ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "request_line",
    [
        b"GET / HTTP/1.1\r\nHost: relay.test\r\n\r\n",
        b"POST / HTTP/1.1\r\n\r\nMAIL FROM:<a@outside.test>\r\n",
        b"HEAD / HTTP/1.0\r\n\r\n",
        b"PUT /x HTTP/1.1\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\n\r\n",
        b"CONNECT relay.test:25 HTTP/1.1\r\n\r\n",
    ],
    ids=lambda line: line.split(b" ")[0].decode(),
)
def test_http_is_sent_away_at_once(
    house: House, stranger: str, request_line: bytes
) -> None:
    """INJ-002: a browser must not be made to talk SMTP line by line."""
    with house.service.dial("mx", source=stranger) as client:
        client.send(request_line)
        statuses = [reply.status for reply in client.replies_until_closed()]
        assert statuses in (["554 5.5.1"], ["421 4.7.0"])


@pytest.mark.parametrize(
    "octets",
    [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 64 + b"\r\n"],
    ids=["TLS"],
)
def test_another_protocol_gets_no_session(
    house: House, stranger: str, octets: bytes
) -> None:
    """INJ-002."""
    with house.service.dial("mx", source=stranger) as client:
        client.send(octets)
        assert client.reply().code in {421, 500, 501, 550, 554}


@pytest.mark.parametrize(
    "name",
    [
        *(b"a\rb", b'"x)(y"', b"A" * 1000, b"x y", b"a\x1bb", b"<x>", b"x.test\tz"),
        *(b"", b"[127.0.0.1", b"relay.test (from [127.0.0.1]) by relay.test"),
    ],
    ids=lambda name: repr(name)[:24],
)
@pytest.mark.parametrize("verb", [b"EHLO", b"HELO"])
def test_a_greeting_name_that_is_none_is_refused(
    house: House, stranger: str, verb: bytes, name: bytes
) -> None:
    """INJ-003: what would stand in Received is a domain or a literal, or is refused."""
    with house.service.dial("mx", source=stranger) as client:
        assert client.say(verb + b" " + name).status in {
            *("501 5.5.4", "501 5.5.2", "500 5.5.2", "550 5.5.2"),
        }


def test_received_names_the_client_as_it_really_is(house: House, stranger: str) -> None:
    """INJ-003: whatever EHLO said, the address is the one that connected."""
    mark = token()
    with house.service.dial("mx", source=stranger) as client:
        client.ehlo("[127.0.0.1]")
        begin_content(client)
        client.send(stuffed(a_message(mark, author="a@outside.test")))
        assert client.reply().code == 250
    content = house.inner.wait_for_content(mark.encode()).content
    received = content[: content.index(b"\r\nFrom:")].replace(b"\r\n", b"")
    assert received.startswith(b"Received: from [127.0.0.1]")
    assert stranger.encode() in received
    assert b"by relay.test with ESMTP" in " ".join(received.decode().split()).encode()


@pytest.mark.parametrize(
    "header",
    [
        "From: <user@own.test>\r\nFrom: <ceo@own.test>\r\n",
        "From : <user@own.test>\r\nFrom: <ceo@own.test>\r\n",
        "Subject: no author\r\n",
    ],
    ids=["two", "blank before the colon", "none"],
)
def test_an_author_that_is_not_exactly_one_is_refused_on_submission(
    house: House, stranger: str, header: str
) -> None:
    """INJ-004: no reader may see another author than the one that was checked."""
    with house.service.signed_in(source=stranger) as client:
        begin_content(client, sender="user@own.test")
        client.send(header.encode() + b"\r\nx" + END)
        assert client.reply().status in {"550 5.7.1", "554 5.6.0"}
    assert house.arrived_besides(token()) == []
