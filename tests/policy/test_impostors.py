"""The walk of strangers: whatever it is for is asked, and what relays is told of."""

from itertools import product
from math import nextafter

import pytest

from policy.cases import ALICE, BOX, ENDS, NOW, address, grant, house, ip
from sekisho.model.decision import Decision
from sekisho.model.facts import Facts
from sekisho.model.rules import IPAddress
from sekisho.policy.classes import Mailboxes, offered, stranger_clients
from sekisho.policy.decide import Policy
from sekisho.policy.table import StrangerRelays
from sekisho.policy.walk import Place, Walk, crossed

RULES = house(
    BOX,
    grant("own", "user:alice", recipients=["*@partner.example"]),
    domains=(),
    gateways=["10.1.2.0"],
)
"""Without own domains, whose odd recipients would be most of the walk."""

Try = tuple[IPAddress, str, bool, str, str, float]


class Noting(Policy):
    """Notes what it is asked."""

    asked: list[Facts]

    def decide(self, facts: Facts) -> Decision:
        self.asked.append(facts)
        return super().decide(facts)


def tries(
    clients: list[str],
    senders: list[str],
    recipients: list[str],
    moments: tuple[float, ...] = (NOW,),
    tls: tuple[bool, ...] = (False, True),
) -> set[Try]:
    """Each from each client, at each listener, with and without TLS."""
    return set(
        product(map(ip, clients), RULES.listeners, tls, senders, recipients, moments)
    )


def test_strangers_try_just_what_stands_here() -> None:
    policy = Noting(RULES)
    policy.asked = []
    walk = Walk(policy, NOW)
    walk.strangers()
    assert (walk.walked, walk.findings) == (len(policy.asked), [])
    boxes, kinds = Mailboxes(RULES), stranger_clients(RULES)
    of_each_kind = tries(
        list(map(str, kinds)),
        list(map(str, boxes.senders())),
        list(map(str, boxes.recipients())),
    )
    one_of_each_family = ["10.1.2.0", "fe80::1"]
    with_what_others_may = (
        tries(
            one_of_each_family,
            ["a@y.example", "b@y.example"],
            ["someone@y.example", "boss@z.example"],
            (NOW, nextafter(ENDS, 0), ENDS),
        )
        | tries(
            one_of_each_family,
            ["someone@elsewhere.example"],
            ["someone@partner.example"],
        )
        | tries(one_of_each_family, ["scanner@example.com"], ["someone@example.com"])
    )
    at_edges = tries(
        ["10.1.1.255", "10.1.2.0", "10.1.2.8"],
        ["a@y.example"],
        ["someone@y.example"],
        (NOW, nextafter(ENDS, 0), ENDS),
        (False,),
    ) | tries(
        ["10.0.8.20", "10.0.8.22"],
        ["scanner@example.com"],
        ["someone@example.com"],
        tls=(False,),
    )
    assert {
        (
            one.client,
            one.listener,
            one.tls,
            str(one.reverse_path),
            str(to.address),
            one.now,
        )
        for one in policy.asked
        for to in one.recipients
    } == of_each_kind | with_what_others_may | at_edges
    assert all(
        offered(to.address) == one.recipients
        for one in policy.asked
        for to in one.recipients
    )


def test_few_patterns_are_walked_each_with_each() -> None:
    assert set(crossed("ab", "xy")) == set(product("ab", "xy"))
    assert len(list(crossed(range(8), range(8)))) == 64


def test_of_many_patterns_each_is_walked_once() -> None:
    walked = list(crossed(range(5), range(13)))
    assert sorted(walked) == sorted(
        [(sender, 0) for sender in range(5)] + [(0, other) for other in range(1, 13)]
    )


MEMBER = Place("mx", ip("10.1.2.1"), tls=False)
"""Whoever stands here may: asked for as a stranger, it is a finding."""


def found(
    at: Place, sender: str, recipient: str, now: float = NOW
) -> list[StrangerRelays]:
    walk = Walk(Policy(house(*RULES.grants)), NOW)
    walk.must_not_relay(at, address(sender), offered(address(recipient)), now)
    assert walk.walked == 1
    return walk.findings


def test_what_relays_is_told_of() -> None:
    (one,) = found(MEMBER, "a@y.example", "boss@z.example")
    assert one.reason
    assert one == StrangerRelays(
        "mx", "10.1.2.1", "a@y.example", "boss@z.example", "box", one.reason
    )


def test_an_account_that_relays_is_told_of_by_its_name() -> None:
    at = Place("submission", ip("203.0.113.7"), tls=True, who=ALICE)
    (one,) = found(at, "alice@example.com", "someone@partner.example")
    assert (one.client, one.grant) == ("alice", "own")


@pytest.mark.parametrize(
    ("sender", "recipient", "now"),
    [
        ("a@y.example", "someone@example.com", NOW),
        ("a@y.example", "postmaster", NOW),
        ("c@y.example", "boss@z.example", NOW),
        ("a@y.example", "boss@z.example", ENDS),
    ],
)
def test_what_is_refused_or_for_us_is_no_finding(
    sender: str, recipient: str, now: float
) -> None:
    assert found(MEMBER, sender, recipient, now) == []
