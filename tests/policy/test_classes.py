"""Of everything that rules tell apart there is one who stands for it."""

import pytest

from policy.cases import address, grant, house, ip, lane, pattern
from sekisho.model.address import ANY_ADDRESS
from sekisho.model.facts import Standing
from sekisho.model.rules import OwnDomain, RecipientCheck
from sekisho.policy.classes import (
    Mailboxes,
    is_ours,
    offered,
    stranger_clients,
    strangers_at_edges,
)
from sekisho.policy.closed import Strangers, lanes

LISTED = RecipientCheck.LISTED
OURS = OwnDomain("example.com", RecipientCheck.ANY)
FREE = OwnDomain(
    "free.example", RecipientCheck.ANY, accept_own_senders_from_outside=True
)


def listed(*recipients: str, patterns: tuple[str, ...] = ()) -> OwnDomain:
    keys = frozenset(address(one).key for one in recipients)
    return OwnDomain("listed.example", LISTED, keys, tuple(map(pattern, patterns)))


def test_representatives_collide_with_nothing_in_the_rules() -> None:
    rules = house(
        grant(
            "a",
            "authenticated",
            recipients=["*@elsewhere.example", "someone@y.example"],
        ),
        grant("b", "authenticated", recipients=["*@*.example-1"]),
        domains=[OwnDomain("below.y.example")],
    )
    boxes = Mailboxes(rules)
    assert boxes.foreign == "elsewhere.example-2"
    assert boxes.local == "someone-1"
    assert str(boxes.of(pattern("*@*.y.example"))) == "someone-1@below-1.y.example"
    assert str(boxes.of(pattern("bob@y.example"))) == "bob@y.example"
    assert str(boxes.of(ANY_ADDRESS)) == "someone-1@elsewhere.example-2"


def test_they_collide_with_no_domain_sender_lane_or_mailbox_either() -> None:
    rules = house(
        grant("a", "authenticated", senders=["someone-1@y.example"]),
        printers=lane(recipients=["someone-2@y.example"]),
        domains=[
            OwnDomain("elsewhere.example"),
            listed("someone@listed.example", patterns=("someone-3@listed.example",)),
        ],
    )
    boxes = Mailboxes(rules)
    assert (boxes.foreign, boxes.local) == ("elsewhere.example-1", "someone-4")


def test_what_lies_below_a_domain_is_named_by_its_star() -> None:
    starred = grant("a", "authenticated", recipients=["*@*.example"])
    assert Mailboxes(house(starred)).foreign == "elsewhere.example-1"
    beside = grant("a", "authenticated", recipients=["*@*.where.example"])
    assert Mailboxes(house(beside)).foreign == "elsewhere.example"


@pytest.mark.parametrize(
    ("own", "asked", "known"),
    [
        (listed("bob@listed.example"), "*@listed.example", "bob@listed.example"),
        (
            listed("bob@listed.example", "al@listed.example"),
            "*@listed.example",
            "al@listed.example",
        ),
        (listed("bob@listed.example"), "eve@listed.example", "eve@listed.example"),
        (listed(), "*@listed.example", "someone@listed.example"),
        (listed("bob@listed.example"), "*@y.example", "someone@y.example"),
        (OURS, "*@example.com", "someone@example.com"),
    ],
)
def test_a_recipient_that_is_known_stands_for_a_listed_domain(
    own: OwnDomain, asked: str, known: str
) -> None:
    boxes = Mailboxes(house(domains=[own]))
    assert boxes.known_of(pattern(asked)) == address(known)


def test_there_is_a_sender_of_every_kind() -> None:
    twin = OwnDomain("twin.example", RecipientCheck.ANY)
    boxes = Mailboxes(house(domains=[OURS, twin, FREE]))
    assert list(map(str, boxes.senders())) == [
        "",
        "someone@elsewhere.example",
        "someone@example.com",
        "postmaster@example.com",
        "someone@below.example.com",
        "someone@free.example",
        "postmaster@free.example",
        "someone@below.free.example",
        "someone@[127.0.0.1]",
    ]


def test_there_is_a_recipient_of_every_kind_and_in_every_odd_form() -> None:
    boxes = Mailboxes(house())
    assert [(one.local_part, one.domain) for one in boxes.recipients()] == [
        ("someone", "elsewhere.example"),
        ("postmaster", "elsewhere.example"),
        ("postmaster", ""),
        ("someone", "[127.0.0.1]"),
        ("someone", "[203.0.113.7]"),
        ("someone", "[IPv6:::1]"),
        ("someone", "[IPv6:2001:db8::7]"),
        ("someone", "example.com"),
        ("postmaster", "example.com"),
        ("someone@elsewhere.example", "example.com"),
        ("someone%elsewhere.example", "example.com"),
        ("someone%40elsewhere.example", "example.com"),
        ("elsewhere.example!someone", "example.com"),
        ("elsewhere.example!someone%elsewhere.example", "example.com"),
        ("IMCEASMTP-someone+40elsewhere.example", "example.com"),
        ("SRS0=HHH=TT=elsewhere.example=someone", "example.com"),
        ("prvs=0000=someone", "example.com"),
        ("|/bin/true", "example.com"),
        (":include:/etc/x", "example.com"),
        ("someone", "below.example.com"),
        ("someone", "evil-example.com"),
        ("someone", "example.com.elsewhere.example"),
        ("someone@example.com", "elsewhere.example"),
        ("someone%example.com", "elsewhere.example"),
        ("example.com!someone", "elsewhere.example"),
    ]


def test_one_own_domain_of_each_way_to_know_recipients_is_asked_for() -> None:
    twin = OwnDomain("twin.example", RecipientCheck.ANY)
    bare = OwnDomain("bare.example", LISTED)
    again = OwnDomain("again.example", LISTED, patterns=(pattern("*@again.example"),))
    full = listed(patterns=("bob@listed.example",))
    boxes = Mailboxes(house(domains=[OURS, twin, bare, full, again]))
    own = {one.domain for one in boxes.recipients() if one.local_part == "someone"}
    assert own >= {"example.com", "bare.example", "listed.example"}
    assert not own & {"twin.example", "again.example"}, "they are as those before"


@pytest.mark.parametrize(
    ("recipient", "ours"),
    [
        ("someone@example.com", True),
        ("postmaster", True),
        ("postmaster@office.example", True),
        ("boss@office.example", False),
        ("someone@below.example.com", False),
    ],
)
def test_mail_for_us_is_no_relaying(recipient: str, *, ours: bool) -> None:
    rules = house(postmaster="postmaster@office.example")
    assert is_ours(rules, address(recipient)) == ours


def test_a_recipient_is_offered_as_one_that_exists() -> None:
    (one,) = offered(address("someone@example.com"))
    assert one.address == address("someone@example.com")
    assert one.standing is Standing.EXISTS


EVERY_KIND = [
    "203.0.113.7",
    "2001:db8::7",
    "203.0.113.9",
    "127.0.0.1",
    "::1",
    "10.0.0.1",
    "172.17.0.1",
    "192.168.0.1",
    "fd00::1",
    "169.254.0.1",
    "fe80::1",
    "0.0.0.0",
    "255.255.255.255",
]


def test_there_is_a_stranger_of_every_kind() -> None:
    assert list(map(str, stranger_clients(house()))) == EVERY_KIND


def test_of_a_kind_that_is_trusted_in_part_another_is_the_stranger() -> None:
    some = grant("some", "10.0.0.0/24", "127.0.0.0/8", listeners=["mx"], senders=["*"])
    texts = list(map(str, stranger_clients(house(some))))
    assert "10.99.99.99" in texts
    assert not any(text.startswith(("10.0.0.", "127.")) for text in texts)


def test_gateways_and_bridges_are_strangers_unless_a_risk_is_accepted() -> None:
    rules = house(
        grant("box", "10.1.2.0/29", listeners=["mx"], senders=["*"]),
        grant("one", "10.1.3.1", listeners=["mx"], senders=["*"], accept_risk="ours"),
        gateways=["10.1.2.3", "10.1.3.1", "10.0.0.1"],
        bridges=["172.30.0.0/16"],
    )
    texts = list(map(str, stranger_clients(rules)))
    assert sorted(texts[len(EVERY_KIND) :]) == ["10.1.2.3", "172.30.0.0"]
    assert len(texts) == len(set(texts))


def test_the_edges_of_a_range_are_strangers_and_its_ends_are_not() -> None:
    (at,) = lanes(house(printers=lane("10.0.8.0/30")))
    rules = house(printers=lane("10.0.8.0/30"))
    edges = [str(one) for one in strangers_at_edges(at, Strangers(rules))]
    assert edges == ["10.0.7.255", "10.0.8.4"]
    six = grant("six", "2001:db8:1::/64", listeners=["mx"], senders=["*"])
    edges = [str(one) for one in strangers_at_edges(six, Strangers(house(six)))]
    assert edges == ["2001:db8:0:ffff:ffff:ffff:ffff:ffff", "2001:db8:1:1::"]


def test_a_gateway_at_the_end_of_a_range_is_a_stranger_once() -> None:
    box = grant("box", "10.1.2.3", listeners=["mx"], senders=["*"])
    rules = house(box, gateways=["10.1.2.3"])
    edges = list(strangers_at_edges(box, Strangers(rules)))
    assert edges == [ip("10.1.2.2"), ip("10.1.2.3"), ip("10.1.2.4")]


def test_the_edges_of_a_range_stay_within_the_address_space() -> None:
    ends = grant("ends", "0.0.0.0/31", "255.255.255.254/31", "::/127")
    last = grant("last", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe/127")
    strangers = Strangers(house(ends, last))
    edges = [str(one) for one in strangers_at_edges(ends, strangers)]
    assert edges == ["0.0.0.2", "255.255.255.253", "::2"]
    edges = [str(one) for one in strangers_at_edges(last, strangers)]
    assert edges == ["ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffd"]


def test_a_range_that_begins_or_ends_the_address_space_has_its_edge_inside() -> None:
    second = grant("second", "0.0.0.1", "255.255.255.254")
    edges = strangers_at_edges(second, Strangers(house(second)))
    assert [str(one) for one in edges] == [
        "0.0.0.0",
        "0.0.0.2",
        "255.255.255.253",
        "255.255.255.255",
    ]
