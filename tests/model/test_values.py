"""Replies, ids, decisions, routes and the rest: values that cannot be wrong."""

from contextlib import suppress
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replacing import replace
from sekisho.model import replies
from sekisho.model.address import NULL_PATH, Address, parse_pattern
from sekisho.model.content import Content, FileBody, InlineBody
from sekisho.model.decision import Decision, Verdict
from sekisho.model.envelope import NOTIFY_DEFAULT, Envelope, Notify, Recipient
from sekisho.model.identity import Identity
from sekisho.model.ids import MessageId, new_message_id, parse_message_id
from sekisho.model.limits import Limits, ServiceLimits
from sekisho.model.message import Message
from sekisho.model.outcome import Cause, Deferred, Delivered, Failed
from sekisho.model.reply import Reply, ReplyError, printable, reply
from sekisho.model.route import (
    Credentials,
    Destination,
    DropRoute,
    HostRoute,
    MaildirRoute,
    MxRoute,
    Server,
)
from sekisho.model.rules import unmapped


def test_a_reply_on_the_wire() -> None:
    assert reply(250, "2.0.0", "OK").encoded == b"250 2.0.0 OK\r\n"
    two = reply(250, "", "a", "b")
    assert two.encoded == b"250-a\r\n250 b\r\n"
    assert str(two) == "250 a b"
    assert str(reply(550, "5.7.1", "no")) == "550 5.7.1 no"


@pytest.mark.parametrize(
    ("code", "enhanced", "lines"),
    [
        (199, "", ("x",)),
        (600, "", ("x",)),
        (250, "5.7.1", ("x",)),
        (550, "2.0.0", ("x",)),
        (550, "5.7", ("x",)),
        (550, "5.7.1 ", ("x",)),
        (250, "", ()),
        (250, "", ("a\r\n250 b",)),
        (250, "", ("a\nb",)),
        (250, "", ("ü",)),
        (250, "", ("x" * 481,)),
    ],
)
def test_a_wrong_reply_cannot_be_made(
    code: int, enhanced: str, lines: tuple[str, ...]
) -> None:
    with pytest.raises(ReplyError):
        Reply(code, enhanced, lines)


def test_printable_ascii_alone_stands_in_a_reply() -> None:
    taken: list[int] = []
    for code in range(0x180):
        with suppress(ReplyError):
            Reply(250, "", (f"a{chr(code)}b",))
            taken.append(code)
    assert taken == list(range(0x20, 0x7F))


def test_the_octets_of_a_reply_are_made_of_its_lines_whatever_is_given() -> None:
    assert Reply(250, "", ("x",), b"235 you are in\r\n").encoded == b"250 x\r\n"


@given(st.text())
def test_any_text_can_be_made_fit_for_a_reply(text: str) -> None:
    assert reply(250, "", printable(text)).encoded.count(b"\r\n") == 1


def test_what_a_reply_means() -> None:
    assert replies.OK.is_positive
    assert replies.START_DATA.is_positive
    assert replies.TRY_LATER.is_transient
    assert not replies.RELAY_DENIED.is_transient
    assert not replies.RELAY_DENIED.is_positive
    assert replies.queued("x").lines == ("Queued as x",)


def test_only_a_right_credential_is_answered_235() -> None:
    table = [one for one in vars(replies).values() if isinstance(one, Reply)]
    assert [one for one in table if one.code == 235] == [replies.AUTH_OK]


@given(
    st.floats(0, 2**40 / 1000),
    st.integers(0, 2**74 - 1),
)
def test_ids_are_uuids_of_version_7_and_come_back(now: float, bits: int) -> None:
    one = new_message_id(now, bits)
    assert parse_message_id(str(one)) == one
    assert parse_message_id(str(one).upper() + "\n") == one
    assert one.unix_milliseconds == int(now * 1000)
    assert one.octets[6] >> 4 == 7
    assert one.octets[8] >> 6 == 2


@given(st.integers(0, 2**128 - 1), st.integers(0, 2**128 - 1))
def test_ids_sort_as_their_spellings_do(first: int, second: int) -> None:
    one, other = MessageId(first), MessageId(second)
    assert (one < other) == (str(one) < str(other))


@pytest.mark.parametrize(
    "text", ["", "x", "i" * 26, "z" * 26, "0" * 27, "0" * 25 + "ü"]
)
def test_what_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no message id"):
        parse_message_id(text)


def test_a_decision_needs_the_seal() -> None:
    with pytest.raises(TypeError):
        Decision(
            object(),  # type: ignore[arg-type] - what a forger would try
            Verdict.ACCEPT,
            "rule",
            "",
            replies.OK,
            "reason",
            NULL_PATH,
        )


def test_a_bound_is_a_number_that_somebody_can_live_with() -> None:
    assert Limits().max_recipients >= 100
    assert Limits().max_command_bytes >= 512
    assert Limits().max_hops >= 100
    assert ServiceLimits().max_sessions_per_client <= ServiceLimits().max_sessions


def test_content_is_prefix_and_rest() -> None:
    assert Content(b"ab", InlineBody(b"cdef"), 1).size == 5
    assert Content(b"ab", FileBody("name", 100)).size == 102


def test_a_message_is_one_value() -> None:
    to = Recipient(Address("a", "b.example"))
    message = Message(
        MessageId(1), Envelope(NULL_PATH, (to,)), Content(b"", InlineBody(b"")), 1.0
    )
    assert replace(message, source="x") != message
    assert to.notify is NOTIFY_DEFAULT
    assert Notify.SUCCESS not in to.notify


def test_an_identity_owns_by_its_patterns() -> None:
    who = Identity("a", "local", "PLAIN", 1, (parse_pattern("*@b.example"),))
    assert who.owns(Address("x", "b.example"))
    assert not who.owns(Address("x", "c.example"))


def test_a_password_never_shows() -> None:
    assert "secret" not in repr(Credentials("me", "secret"))
    route = HostRoute("x", (Server("h", 25),), credentials=Credentials("me", "secret"))
    assert "secret" not in repr(route)


@pytest.mark.parametrize(
    ("route", "name"),
    [
        (MxRoute(), "b.example"),
        (HostRoute("smarthost:x", (Server("h", 25),)), "smarthost:x"),
        (MaildirRoute("/m"), "maildir:/m"),
        (DropRoute("/d"), "drop:/d"),
    ],
)
def test_destinations_have_names(
    route: MxRoute | HostRoute | MaildirRoute | DropRoute, name: str
) -> None:
    domain = "b.example" if isinstance(route, MxRoute) else ""
    assert str(Destination(route, domain)) == name


def test_servers_are_spelled_with_brackets_where_needed() -> None:
    assert str(Server("h.example", 25)) == "h.example:25"
    assert str(Server("2001:db8::1", 25)) == "[2001:db8::1]:25"


def test_mapped_addresses_are_what_they_map() -> None:
    assert unmapped(ip_address("::ffff:192.0.2.1")) == ip_address("192.0.2.1")
    assert unmapped(ip_address("2001:db8::1")) == ip_address("2001:db8::1")
    assert unmapped(ip_address("192.0.2.1")) == ip_address("192.0.2.1")


def test_outcomes_are_three() -> None:
    later = Deferred(Cause.DNS, replies.TRY_LATER)
    never = Failed(Cause.DNS, replies.RELAY_DENIED)
    assert {Delivered("h", replies.OK).host, later.host, never.host} == {"h", ""}


def test_a_credential_for_some_networks_is_refused_elsewhere() -> None:
    anywhere = Identity("a", "local", "PLAIN", 1)
    assert anywhere.may_come_from(ip_address("192.0.2.1"))
    walled = Identity("a", "local", "PLAIN", 1, networks=(ip_network("10.0.0.0/8"),))
    assert walled.may_come_from(ip_address("10.1.2.3"))
    assert not walled.may_come_from(ip_address("192.0.2.1"))
    assert not walled.may_come_from(ip_address("2001:db8::1"))
