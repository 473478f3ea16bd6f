"""Whom the rules trust by address, and what is refused whatever the operator says."""

from ipaddress import ip_address, ip_network

import pytest

from policy.cases import NOW, grant, house, lane
from sekisho.model.rules import (
    Grant,
    ListenerRule,
    OwnDomain,
    RecipientCheck,
    Role,
    Rules,
)
from sekisho.policy.cautions import cautions
from sekisho.policy.closed import (
    Concern,
    HostFacts,
    Strangers,
    Trust,
    count_addresses,
    span_of,
    trust_problems,
)

HERE = HostFacts(frozenset({ip_address("10.1.2.1")}), (ip_network("172.17.0.0/16"),))


def by_address(*who: str, risk: str = "", name: str = "box") -> Grant:
    return grant(
        name, *who, listeners=["mx"], senders=["*@y.example"], accept_risk=risk
    )


def problems(*grants: Grant, host: HostFacts = HERE) -> list[tuple[Trust, str]]:
    return [(p.kind, p.grant) for p in trust_problems(house(*grants), host)]


def concerns(rules: Rules, host: HostFacts | None = HERE) -> list[tuple[Concern, str]]:
    return [(c.kind, c.about) for c in cautions(rules, host, NOW)]


@pytest.mark.parametrize(
    "who",
    [
        ["0.0.0.0/0"],
        ["0.0.0.0/1"],
        ["::/0"],
        ["2000::/3"],
        ["2000::/4"],
        # In pieces, with the private networks left out.
        [
            "1.0.0.0/8",
            "2.0.0.0/7",
            "4.0.0.0/6",
            "8.0.0.0/7",
            "11.0.0.0/8",
            "12.0.0.0/6",
            "16.0.0.0/6",
            "16.0.0.0/6",
        ],
        ["224.0.0.0/4"],
        ["2000::/7"],
    ],
)
def test_the_internet_is_never_trusted_whatever_risk_is_accepted(
    who: list[str],
) -> None:
    assert problems(by_address(*who, risk="I like it")) == [(Trust.INTERNET, "box")]


def test_exactly_a_sixteenth_of_the_addresses_is_the_internet() -> None:
    rules = house(by_address("224.0.0.0/4", risk="x"), printers=lane("224.0.0.5"))
    found = [problem.kind for problem in trust_problems(rules, HERE)]
    assert found == [Trust.INTERNET]


@pytest.mark.parametrize(
    "who",
    [["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"], ["44.0.0.0/8"], ["2001::/16"]],
)
def test_ones_own_networks_may_be_trusted_at_a_risk(who: list[str]) -> None:
    assert problems(by_address(*who, risk="all ours")) == []


def test_grants_that_cover_the_internet_together_are_all_named_largest_first() -> None:
    halves = (
        by_address("0.0.0.0/4", risk="a", name="small"),
        by_address("128.0.0.0/3", risk="b", name="large"),
        by_address("192.0.0.0/30", risk="c", name="tiny"),
    )
    assert problems(*halves) == [(Trust.INTERNET, "large, small")]


@pytest.mark.parametrize(
    ("who", "risk", "found"),
    [
        (["10.9.0.0/24"], "", []),
        # The printers' lane has one address: 256 are reached together.
        (["10.9.0.0/24", "10.8.0.1"], "", [Trust.TOO_MANY]),
        (["10.9.0.0/24", "10.8.0.1"], "a lab", []),
        (["10.9.0.0/24", "10.9.0.0/25", "10.9.0.7"], "", []),
        (["2001:db8::/64", "2001:db8::1", "2001:db8::/80"], "", []),
        (["2001:db8::/57"], "", []),
        (["2001:db8::/55"], "", [Trust.TOO_MANY]),
        (["::ffff:10.9.0.0/119"], "", [Trust.TOO_MANY]),
    ],
)
def test_more_addresses_than_anybody_knows_by_name_need_a_reason(
    who: list[str], risk: str, found: list[Trust]
) -> None:
    rules = house(by_address(*who, risk=risk), printers=lane("10.9.0.5"))
    assert [p.kind for p in trust_problems(rules, HERE)] == found


def test_lanes_count_among_the_trusted_addresses() -> None:
    rules = house(printers=lane("10.9.0.0/16"))
    problem = trust_problems(rules, HERE)[0]
    assert (problem.kind, problem.grant) == (Trust.TOO_MANY, "listener:printers")
    assert "65536" in problem.detail


def test_an_ipv6_block_counts_once() -> None:
    spans = [span_of(ip_network(text)) for text in ("2001:db8::/64", "2001:db8::9/128")]
    assert count_addresses(spans) == 1


@pytest.mark.parametrize("who", ["10.1.2.1", "172.17.3.4", "::ffff:10.1.2.1"])
def test_to_trust_a_gateway_or_a_container_needs_a_reason(who: str) -> None:
    assert problems(by_address(who)) == [(Trust.GATEWAY, "box")]
    assert problems(by_address(who, risk="fixed address")) == []
    assert problems(by_address(who), host=HostFacts()) == []


def test_a_gateway_counts_whether_it_was_configured_or_seen() -> None:
    for here in (HERE, HostFacts()):
        rules = house(
            by_address("10.8.0.1", "192.168.7.7"),
            gateways=["10.8.0.1"],
            bridges=["192.168.7.0/24"],
        )
        found = [problem.kind for problem in trust_problems(rules, here)]
        assert found == [Trust.GATEWAY, Trust.GATEWAY]


def test_a_risk_that_one_grant_accepts_is_not_accepted_for_the_next() -> None:
    knowing = by_address("10.1.2.1", risk="fixed address", name="knowing")
    assert problems(knowing, by_address("172.17.3.4")) == [(Trust.GATEWAY, "box")]


def test_a_grant_by_address_has_walls() -> None:
    assert problems(grant("bare", "10.1.2.3")) == [
        (Trust.NO_SENDERS, "bare"),
        (Trust.NO_LISTENERS, "bare"),
    ]
    rules = house(printers=lane(senders=[]))
    assert [p.kind for p in trust_problems(rules, HERE)] == [Trust.NO_SENDERS]
    assert problems(grant("staff", "authenticated")) == []


@pytest.mark.parametrize(
    ("client", "stranger"),
    [
        ("10.1.2.2", False),
        ("10.1.2.1", True),
        ("10.1.3.0", True),
        ("172.17.0.9", False),
        ("172.17.0.8", True),
        ("10.0.8.21", False),
        ("::ffff:10.1.2.2", False),
        ("2001:db8::1", True),
    ],
)
def test_a_stranger_is_whoever_no_grant_and_no_lane_holds(
    client: str, *, stranger: bool
) -> None:
    rules = house(
        by_address("10.1.2.0/24", "172.17.0.9", risk="known"),
        by_address("172.17.0.8", name="careless"),
        gateways=["10.1.2.1"],
        bridges=["172.17.0.0/16"],
    )
    assert Strangers(rules).holds(ip_address(client)) is stranger


def test_a_listener_of_another_role_has_no_lane() -> None:
    rules = Rules(
        "h.example",
        house().postmaster,
        {"mx": ListenerRule("mx", Role.MX, lane=lane())},
    )
    assert Strangers(rules).holds(ip_address("10.0.8.21"))


def test_a_sound_house_raises_no_concern() -> None:
    sound = house(
        grant("staff", "authenticated"),
        by_address("10.9.9.9"),
        domains=[OwnDomain("example.com", RecipientCheck.CALLOUT)],
    )
    assert concerns(sound) == []


@pytest.mark.parametrize(
    ("rules", "found"),
    [
        (house(by_address("10.9.9.0/30")), (Concern.RANGE, "box")),
        (house(by_address("10.9.9.0/30", "10.9.8.0/30")), (Concern.RANGE, "box")),
        (house(by_address("10.1.2.0/30")), (Concern.HOLE, "box")),
        (house(by_address("172.16.0.0/15")), (Concern.HOLE, "box")),
        (house(by_address("10.1.2.1", risk="known")), (Concern.RISK, "box")),
        (house(), (Concern.ANY_RECIPIENT, "example.com")),
        (house(postmaster="a@b.example"), (Concern.POSTMASTER, "a@b.example")),
        (
            house(grant("old", "authenticated", expires_at=NOW)),
            (Concern.EXPIRED, "old"),
        ),
        (house(printers=lane(expires_at=NOW)), (Concern.EXPIRED, "listener:printers")),
        (house(grant("nobody")), (Concern.NEVER, "nobody")),
        (
            house(grant("nowhere", "authenticated", recipients=[])),
            (Concern.NEVER, "nowhere"),
        ),
        (
            house(grant("mx only", "authenticated", listeners=["mx"])),
            (Concern.NEVER, "mx only"),
        ),
        (
            house(grant("gone", "authenticated", listeners=["gone"])),
            (Concern.NEVER, "gone"),
        ),
        (
            house(
                grant(
                    "box", "10.1.2.3", listeners=["submission"], senders=["a@b.example"]
                )
            ),
            (Concern.NEVER, "box"),
        ),
        (
            house(grant("box", "10.1.2.3", senders=["a@b.example"])),
            (Concern.NEVER, "box"),
        ),
        (
            house(grant("inside", "authenticated", recipients=["*@example.com"])),
            (Concern.NEEDLESS, "inside"),
        ),
    ],
)
def test_what_deserves_a_look_is_said(rules: Rules, found: tuple[Concern, str]) -> None:
    assert found in concerns(rules)


def test_what_could_not_be_seen_from_here_is_said() -> None:
    assert concerns(house(), None)[0] == (Concern.NOT_SEEN, "host")
