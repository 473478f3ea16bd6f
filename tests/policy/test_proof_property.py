"""The proof against the decision, on random rules and random facts.

The one promise of the table: whatever passes, a row of it says so.
"""

from hypothesis import given, settings
from hypothesis import strategies as st

from policy.cases import NOW, address, ip, network, path, pattern
from sekisho.model.facts import Facts, Offered, Standing
from sekisho.model.identity import NOBODY, Identity
from sekisho.model.rules import (
    AnyIdentity,
    Clients,
    Grant,
    Group,
    ListenerRule,
    OwnDomain,
    Quota,
    RecipientCheck,
    Role,
    Rules,
    User,
)
from sekisho.policy.classes import is_ours
from sekisho.policy.closed import HostFacts, Strangers
from sekisho.policy.decide import compile_rules
from sekisho.policy.proof import prove
from sekisho.policy.table import StrangerRelays

PATTERNS = st.sampled_from(
    [
        pattern(text)
        for text in (
            "*",
            "*@own.example",
            "*@*.own.example",
            "a@own.example",
            "*@x.example",
            "*@*.x.example",
            "a@x.example",
            "b@deep.x.example",
            "*@*.example",
        )
    ]
)
NETWORKS = st.sampled_from(
    [
        network(text)
        for text in (
            "10.0.0.0/30",
            "10.0.0.1",
            "10.0.0.2/31",
            "::ffff:10.0.0.4/127",
            "10.0.0.0/8",
            "2001:db8::/126",
            "2001:db8::2",
            "0.0.0.0/0",
        )
    ]
)
CLIENTS = st.sampled_from(
    [ip(f"10.0.0.{n}") for n in range(8)]
    + [ip(f"2001:db8::{n}") for n in range(5)]
    + [ip(t) for t in ("::ffff:10.0.0.2", "203.0.113.7", "127.0.0.1", "9.255.255.255")]
)
MAILBOXES = (
    "a@own.example",
    "b@own.example",
    "a@below.own.example",
    "a@evil-own.example",
    "A@x.example",
    "b@x.example",
    "b@deep.x.example",
    "c@z.deep.x.example",
    "c@y.test",
    '"a@own.example"@y.test',
    "a%own.example@x.example",
    "a@[127.0.0.1]",
)
GROUPS, USERS, EXPIRIES = ("g", "h"), ("u", "v"), (NOW - 1, NOW, NOW + 10, float("inf"))
ADDRESSES = st.builds(Clients, st.lists(NETWORKS, max_size=3).map(tuple))
WHO = st.one_of(
    ADDRESSES,
    st.just(AnyIdentity()),
    st.builds(Group, st.sampled_from(GROUPS)),
    st.builds(User, st.sampled_from(USERS)),
)
QUOTAS = st.sampled_from([Quota(), Quota(messages_per_hour=2, recipients_per_day=2)])


@st.composite
def grants(draw: st.DrawFn, *, name: str = "", by_address: bool = False) -> Grant:
    who = (
        st.builds(Clients, st.lists(NETWORKS, max_size=3).map(tuple))
        if by_address
        else WHO
    )
    listeners = st.frozensets(st.sampled_from(["mx", "mx2", "sub", "sub2", "lane"]))
    return Grant(
        name,
        tuple(draw(st.lists(who, max_size=3))),
        draw(listeners),
        tuple(draw(st.lists(PATTERNS, max_size=3))),
        tuple(draw(st.lists(PATTERNS, max_size=3))),
        draw(QUOTAS),
        draw(st.sampled_from(EXPIRIES)),
        null_sender=draw(st.booleans()),
        accept_risk=draw(st.sampled_from(["", "known"])),
    )


@st.composite
def rules(draw: st.DrawFn) -> Rules:
    check = draw(st.sampled_from(RecipientCheck))
    own = OwnDomain(
        "own.example",
        check,
        draw(
            st.sampled_from(
                [frozenset[tuple[str, str]](), frozenset({("a", "own.example")})]
            )
        ),
        accept_own_senders_from_outside=draw(st.booleans()),
    )
    lane = draw(st.one_of(st.none(), grants(name="listener:lane", by_address=True)))
    return Rules(
        "h.example",
        address(draw(st.sampled_from(["postmaster@own.example", "c@y.test"]))),
        {
            "mx": ListenerRule("mx", Role.MX),
            "mx2": ListenerRule("mx2", Role.MX),
            "sub": ListenerRule("sub", Role.SUBMISSION),
            "sub2": ListenerRule("sub2", Role.SUBMISSION),
            "lane": ListenerRule("lane", Role.LEGACY, lane=lane),
        },
        {"own.example": own} if draw(st.booleans()) else {},
        tuple(draw(grants(name=f"grant {n}")) for n in range(draw(st.integers(0, 4)))),
        gateways=draw(st.sampled_from([frozenset(), frozenset({ip("10.0.0.1")})])),
        bridges=draw(st.sampled_from([(), (network("10.0.0.4/31"),)])),
    )


@st.composite
def cases(draw: st.DrawFn) -> Facts:
    somebody = st.builds(
        Identity,
        st.sampled_from((*USERS, "w")),
        st.just("local"),
        st.just("PLAIN"),
        st.just(1),
        st.lists(PATTERNS, max_size=2).map(tuple),
        st.frozensets(st.sampled_from(GROUPS)),
    )
    return Facts(
        draw(st.sampled_from(["mx", "mx2", "sub", "sub2", "lane"])),
        draw(CLIENTS),
        draw(st.booleans()),
        path(draw(st.sampled_from(("", *MAILBOXES)))),
        draw(st.sampled_from([NOW, NOW + 9, NOW + 10, NOW + 11])),
        draw(st.one_of(st.just(NOBODY), somebody)),
        (Offered(address(draw(st.sampled_from(MAILBOXES))), Standing.EXISTS),),
    )


@settings(max_examples=30, deadline=None)
@given(rules(), st.lists(cases(), min_size=20, max_size=60))
def test_whatever_relays_stands_in_the_table_and_no_stranger_does(
    some: Rules, tried: list[Facts]
) -> None:
    policy = compile_rules(some)
    accounts = [case.who for case in tried if isinstance(case.who, Identity)]
    proof = prove(policy, now=NOW, accounts=accounts, host=HostFacts())
    strangers = Strangers(some)
    assert not [f for f in proof.findings if isinstance(f, StrangerRelays)]
    for case in tried:
        recipient = case.recipients[0].address
        decision = policy.decide(case)
        if not decision.accepts or is_ours(some, recipient):
            continue
        assert any(row.covers(case, recipient) for row in proof.rows)
        assert isinstance(case.who, Identity) or not strangers.holds(case.client)
