"""Who passes by which listener, and by which rule: the heart of the relay."""

import pytest

from policy.cases import (
    ALICE,
    NOW,
    PRINTER,
    SHOP,
    SHOP_GRANT,
    STAFF,
    STRANGER,
    address,
    at,
    facts,
    grant,
    header,
    house,
    lane,
    pattern,
)
from replacing import replace
from sekisho.model import replies
from sekisho.model.address import Address
from sekisho.model.decision import Verdict
from sekisho.model.facts import Facts, Standing
from sekisho.model.identity import Identity
from sekisho.model.reply import Reply
from sekisho.model.rules import ListenerRule, OwnDomain, RecipientCheck, Role, Rules
from sekisho.policy.decide import compile_rules

LISTED = OwnDomain(
    "listed.example",
    RecipientCheck.LISTED,
    frozenset({("anna", "listed.example")}),
    (pattern("*@listed.example"),),
)
ONLY_ANNA = OwnDomain(
    "anna.example", RecipientCheck.LISTED, frozenset({("anna", "anna.example")})
)
CALLOUT = OwnDomain("callout.example", RecipientCheck.CALLOUT)
FORWARDED = OwnDomain(
    "forwarded.example", RecipientCheck.ANY, accept_own_senders_from_outside=True
)
OURS = OwnDomain("example.com", RecipientCheck.ANY)

HOUSE = house(
    STAFF,
    SHOP_GRANT,
    grant("news", "group:editors", senders=["news@example.com", "alice@example.com"]),
    grant("robot", "user:robot", listeners=["submission"], null_sender=True),
    domains=(OURS, LISTED, ONLY_ANNA, CALLOUT, FORWARDED),
)
ROBOT = Identity("robot", "local", "PLAIN", 1, (pattern("robot@example.com"),))

ACCEPTED = [
    # On mx anybody writes to us, and nobody needs TLS for it.
    (facts("mx", "a@foreign.example"), "sender", "", replies.SENDER_OK),
    (facts("mx", ""), "sender", "", replies.SENDER_OK),
    (facts("mx", "a@x.example", "b@example.com"), "own-domain", "", None),
    (facts("mx", "", "b@example.com"), "own-domain", "", None),
    (facts("mx", "a@x.example", "anna@listed.example"), "own-domain", "", None),
    (facts("mx", "a@x.example", "other@listed.example"), "own-domain", "", None),
    (facts("mx", "a@x.example", "ANNA@anna.example"), "own-domain", "", None),
    (facts("mx", "a@x.example", "b@callout.example"), "own-domain", "", None),
    (facts("mx", "a@forwarded.example", "b@example.com"), "own-domain", "", None),
    # The postmaster is always there, whatever is known of other recipients.
    (facts("mx", "a@x.example", "postmaster"), "postmaster", "", None),
    (facts("mx", "a@x.example", "PostMaster@anna.example"), "postmaster", "", None),
    (facts("mx", "", "postmaster@callout.example"), "postmaster", "", None),
    # A grant by address.
    (facts("mx", "shop@example.com", client=SHOP), "sender", "", None),
    (
        facts("mx", "shop@example.com", "b@x.example", client=SHOP),
        "grant",
        "web shop",
        replies.RECIPIENT_OK,
    ),
    (
        facts("mx", "shop@example.com", "b@x.example", client=f"::ffff:{SHOP}"),
        "grant",
        "web shop",
        None,
    ),
    # Identities.
    (facts("submission", "alice@example.com", who=ALICE), "sender", "", None),
    (
        facts("submission", "ALICE@example.com", "b@x.example", who=ALICE),
        "grant",
        "staff",
        None,
    ),
    (
        facts("submissions", "any@alice.example", "b@x.example", who=ALICE),
        "grant",
        "staff",
        None,
    ),
    (
        facts("submission", "news@example.com", "b@x.example", who=ALICE),
        "grant",
        "news",
        None,
    ),
    (
        facts("submission", "alice@example.com", "b@example.com", who=ALICE),
        "own-domain",
        "",
        None,
    ),
    # Not owned, so it is the grant that carries it to us too.
    (
        facts("submission", "news@example.com", "b@example.com", who=ALICE),
        "grant",
        "news",
        None,
    ),
    (facts("submission", "", "b@x.example", who=ROBOT), "grant", "robot", None),
    # A lane.
    (
        facts("printers", "scanner@example.com", client=PRINTER),
        "sender",
        "",
        replies.SENDER_OK,
    ),
    (
        facts("printers", "scanner@example.com", "b@example.com", client=PRINTER),
        "lane",
        "listener:printers",
        None,
    ),
    (
        facts("printers", "scanner@example.com", "postmaster", client=PRINTER),
        "postmaster",
        "",
        None,
    ),
]


@pytest.mark.parametrize(("case", "rule", "granted_by", "reply"), ACCEPTED)
def test_whoever_has_papers_passes_by_the_rule_that_says_so(
    case: Facts, rule: str, granted_by: str, reply: Reply | None
) -> None:
    decision = compile_rules(HOUSE).decide(case)
    assert (decision.verdict, decision.rule) == (Verdict.ACCEPT, rule)
    assert decision.grant == granted_by
    assert decision.reply == (reply or decision.reply)
    assert decision.reverse_path == case.reverse_path
    assert decision.reason


REFUSED = [
    (facts("gone", "a@x.example"), replies.RELAY_DENIED, "no-listener", "'gone'"),
    # Nobody relays by mx without a grant, whatever address he writes.
    *(
        (facts("mx", sender, to), replies.RELAY_DENIED, "relay-denied", "not ours")
        for sender in ("a@x.example", "", "a@forwarded.example")
        for to in (
            "b@x.example",
            "b@[127.0.0.1]",
            "b@[IPv6:::1]",
            "postmaster@x.example",
            "b@below.example.com",
            "b@evil-example.com",
            "b@example.com.x.example",
            '"b@example.com"@x.example',
            "b%example.com@x.example",
            "example.com!b@x.example",
        )
    ),
    # A sender of ours is believed with papers only.
    (facts("mx", "a@example.com"), replies.SPOOFED_SENDER, "spoofed-sender", "ours"),
    (
        facts("mx", "other@example.com", client=SHOP),
        replies.SPOOFED_SENDER,
        "spoofed-sender",
        "web shop",
    ),
    # A grant by address is for its senders, its listeners and its addresses.
    (
        facts("mx", "a@x.example", "b@x.example", client=SHOP),
        replies.RELAY_DENIED,
        "relay-denied",
        "web shop",
    ),
    (
        facts("mx", "", "b@x.example", client=SHOP),
        replies.RELAY_DENIED,
        "relay-denied",
        "<>",
    ),
    (
        facts("mx", "shop@example.com", client="10.1.2.4"),
        replies.SPOOFED_SENDER,
        "spoofed-sender",
        "10.1.2.4",
    ),
    (
        facts("printers", "shop@example.com", client=SHOP),
        replies.CLIENT_NOT_WELCOME,
        "client-not-welcome",
        "does not hold 10.1.2.3",
    ),
    # An identity has no use on mx, nor an address on submission.
    (
        facts("mx", "alice@example.com", who=ALICE),
        replies.SPOOFED_SENDER,
        "spoofed-sender",
        "alice",
    ),
    (
        facts("submission", "shop@example.com", client=SHOP, tls=True),
        replies.AUTH_NEEDED,
        "auth-needed",
        "nobody",
    ),
    (
        facts("submission", "alice@example.com", who=ALICE, tls=False),
        replies.TLS_NEEDED,
        "tls-needed",
        "TLS",
    ),
    # Senders.
    (
        facts("submission", "bob@example.com", who=ALICE),
        replies.SENDER_NOT_OWNED,
        "sender-not-owned",
        "'staff', 'news'",
    ),
    (
        facts("submission", "", who=ALICE),
        replies.NULL_SENDER_REFUSED,
        "null-sender",
        "<>",
    ),
    (
        # The robot's grant names one listener only.
        facts("submissions", "", who=ROBOT),
        replies.NULL_SENDER_REFUSED,
        "null-sender",
        "<>",
    ),
    (
        facts("printers", "other@example.com", client=PRINTER),
        replies.SENDER_NOT_OWNED,
        "sender-not-owned",
        "other@example.com",
    ),
    (
        facts("printers", "", client=PRINTER),
        replies.NULL_SENDER_REFUSED,
        "null-sender",
        "<>",
    ),
    (
        facts("printers", "scanner@example.com", "b@x.example", client=PRINTER),
        replies.RELAY_DENIED,
        "relay-denied",
        "listener:printers",
    ),
    # Recipients of ours that do not exist, or cannot be asked for.
    (
        facts("mx", "a@x.example", "b@anna.example"),
        replies.UNKNOWN_RECIPIENT,
        "unknown-recipient",
        "b@anna.example",
    ),
    (
        facts("mx", "a@x.example", "b@callout.example", standing=Standing.UNKNOWN),
        replies.UNKNOWN_RECIPIENT,
        "unknown-recipient",
        "callout.example",
    ),
    (
        facts("mx", "a@x.example", "b@callout.example", standing=Standing.UNAVAILABLE),
        replies.RECIPIENT_UNCHECKED,
        "recipient-unchecked",
        "callout.example",
    ),
    (
        facts("submission", "alice@example.com", "b@anna.example", who=ALICE),
        replies.UNKNOWN_RECIPIENT,
        "unknown-recipient",
        "anna.example",
    ),
]


@pytest.mark.parametrize(("case", "reply", "rule", "reason"), REFUSED)
def test_whoever_lacks_papers_is_refused_and_the_log_says_what_was_missing(
    case: Facts, reply: Reply, rule: str, reason: str
) -> None:
    decision = compile_rules(HOUSE).decide(case)
    assert (decision.verdict, decision.reply) == (Verdict.REFUSE, reply)
    assert decision.rule == rule
    assert reason in decision.reason
    assert not decision.rulings
    assert not decision.counted


def test_an_identity_without_a_grant_writes_to_us_and_nowhere_else() -> None:
    policy = compile_rules(house())
    inside = policy.decide(
        facts("submission", "alice@example.com", "b@example.com", who=ALICE)
    )
    outside = policy.decide(
        facts("submission", "alice@example.com", "b@x.example", who=ALICE)
    )
    assert inside.rule == "own-domain"
    assert outside.reply == replies.RELAY_DENIED
    assert "account 'alice' has no grant" in outside.reason
    refused = policy.decide(facts("submission", "b@x.example", who=ALICE))
    assert "has no grant to send" in refused.reason


def test_grants_are_tried_in_the_order_of_the_file_and_any_of_them_suffices() -> None:
    rules = house(
        grant("partners", "user:alice", recipients=["*@*.partner.example"]),
        grant("editors", "group:editors", recipients=["one@x.example"]),
        grant("all", "authenticated", recipients=["*@y.example"]),
        grant("again", "authenticated", "user:alice", "group:editors"),
        grant("others", "group:others", "user:bob"),
    )
    policy = compile_rules(rules)
    for to, name in {
        "b@a.partner.example": "partners",
        "one@x.example": "editors",
        "b@y.example": "all",
        "b@partner.example": "again",
    }.items():
        case = facts("submission", "alice@example.com", to, who=ALICE)
        assert policy.decide(case).grant == name


def test_a_message_that_passes_by_several_grants_is_named_after_the_first() -> None:
    rules = house(
        grant("near", "user:alice", recipients=["*@near.example"]),
        grant("far", "user:alice", recipients=["*@far.example"]),
    )
    names = {"near": "a@near.example", "far": "a@far.example"}
    for first, second in (("near", "far"), ("far", "near")):
        to = (names[first], names[second])
        mail = facts("submission", "alice@example.com", *to, who=ALICE)
        decision = compile_rules(rules).decide(
            replace(mail, header=header("alice@example.com"))
        )
        assert decision.grant == first
        assert [ruling.grant for ruling in decision.rulings] == [first, second]


def test_a_recipient_out_of_reach_of_every_grant_is_refused_naming_one() -> None:
    rules = house(grant("partners", "user:alice", recipients=["*@partner.example"]))
    case = facts("submission", "alice@example.com", "b@x.example", who=ALICE)
    decision = compile_rules(rules).decide(case)
    assert decision.reply == replies.RELAY_DENIED
    assert "'partners' does not reach <b@x.example>" in decision.reason


EXPIRING = house(
    grant("staff", "authenticated", senders=["news@example.com"], expires_at=NOW),
    grant(
        "web shop", SHOP, listeners=["mx"], senders=["shop@example.com"], expires_at=NOW
    ),
    grant("box", "10.1.2.9", listeners=["mx"], senders=["b@y.example"], expires_at=NOW),
    printers=lane(expires_at=NOW),
)


@pytest.mark.parametrize(
    ("case", "reply"),
    [
        (
            facts("submission", "news@example.com", "b@x.example", who=ALICE),
            replies.SENDER_NOT_OWNED,
        ),
        (
            facts("submission", "alice@example.com", "b@x.example", who=ALICE),
            replies.RELAY_DENIED,
        ),
        (
            facts("mx", "shop@example.com", "b@x.example", client=SHOP),
            replies.SPOOFED_SENDER,
        ),
        (
            facts("mx", "b@y.example", "b@x.example", client="10.1.2.9"),
            replies.RELAY_DENIED,
        ),
        (
            facts("printers", "scanner@example.com", "b@example.com", client=PRINTER),
            replies.CLIENT_NOT_WELCOME,
        ),
    ],
)
def test_a_grant_is_void_from_its_expiry_on_and_not_before(
    case: Facts, reply: Reply
) -> None:
    policy = compile_rules(EXPIRING)
    before, after = policy.decide(at(case, NOW - 1)), policy.decide(at(case, NOW))
    # From an owned sender the grant says nothing: it names another one.
    assert before.accepts is ("alice" not in str(case.reverse_path))
    assert after.reply == reply
    assert "expired" in after.reason


def test_a_null_sender_expires_with_the_grant_that_allows_it() -> None:
    case = facts("submission", "", "b@x.example", who=ROBOT)
    robot = grant("robot", "user:robot", null_sender=True, expires_at=NOW)
    policy = compile_rules(house(robot))
    assert policy.decide(at(case, NOW - 1)).accepts
    assert policy.decide(at(case, NOW)).reply == replies.NULL_SENDER_REFUSED


def test_a_grant_that_expires_between_rcpt_and_the_end_is_void() -> None:
    policy = compile_rules(EXPIRING)
    rcpt = facts("mx", "b@y.example", "c@x.example", client="10.1.2.9", now=NOW - 1)
    assert policy.decide(rcpt).accepts
    end = facts(
        "mx",
        "b@y.example",
        "c@x.example",
        client="10.1.2.9",
        header=header("b@y.example"),
    )
    assert not policy.decide(end).accepts


def test_a_listener_without_a_lane_welcomes_nobody() -> None:
    rules = Rules(
        "h.example",
        address("postmaster@example.com"),
        {"printers": ListenerRule("printers", Role.LEGACY)},
    )
    decision = compile_rules(rules).decide(facts("printers", "a@b.example"))
    assert decision.reply == replies.CLIENT_NOT_WELCOME


def test_only_the_end_of_the_content_gives_rulings() -> None:
    """So that no decision made earlier can bring a message into the queue."""
    policy = compile_rules(HOUSE)
    sent = facts("mx", "shop@example.com", "b@x.example", "c@example.com", client=SHOP)
    assert not policy.decide(facts("mx", "shop@example.com", client=SHOP)).rulings
    assert not policy.decide(sent).rulings
    end = policy.decide(
        facts(
            "mx",
            "shop@example.com",
            "c@example.com",
            "b@x.example",
            client=SHOP,
            header=header("shop@example.com"),
        )
    )
    assert [(str(r.address), r.rule, r.grant) for r in end.rulings] == [
        ("c@example.com", "own-domain", ""),
        ("b@x.example", "grant", "web shop"),
    ]
    assert (end.rule, end.grant) == ("grant", "web shop")


def test_one_recipient_that_may_not_pass_refuses_the_whole_message() -> None:
    end = facts(
        "mx",
        "a@x.example",
        "b@example.com",
        "c@x.example",
        header=header("a@x.example"),
    )
    assert compile_rules(HOUSE).decide(end).reply == replies.RELAY_DENIED


def test_a_recipient_that_was_to_be_asked_for_and_was_not_is_a_doubt() -> None:
    policy = compile_rules(HOUSE)
    case = facts("mx", "a@x.example", "b@callout.example", standing=Standing.NOT_ASKED)
    assert policy.decide(case).accepts
    end = facts(
        "mx",
        "a@x.example",
        "b@callout.example",
        standing=Standing.NOT_ASKED,
        header=header("a@x.example"),
    )
    assert policy.decide(end).reply == replies.RECIPIENT_UNCHECKED


@pytest.mark.parametrize(
    ("to", "wanted"),
    [
        ("b@callout.example", True),
        ("postmaster@callout.example", False),
        ("b@example.com", False),
        ("anna@anna.example", False),
        ("b@x.example", False),
        ("postmaster", False),
    ],
)
def test_the_host_is_asked_only_where_the_answer_counts(
    to: str, *, wanted: bool
) -> None:
    assert compile_rules(HOUSE).wants_callout(address(to)) is wanted


def test_the_postmaster_may_live_elsewhere_and_is_the_only_one_there() -> None:
    policy = compile_rules(house(postmaster="admin@elsewhere.example"))
    assert policy.decide(
        facts("mx", "a@x.example", "ADMIN@elsewhere.example")
    ).rule == ("postmaster")
    for to in (
        "other@elsewhere.example",
        "postmaster@elsewhere.example",
        "admin@x.example",
    ):
        assert not policy.decide(facts("mx", "a@x.example", to)).accepts


def test_an_unqualified_name_that_is_not_the_postmaster_is_nobody() -> None:
    case = facts("mx", "a@x.example")
    stray = Facts(
        case.listener,
        case.client,
        case.tls,
        case.reverse_path,
        NOW,
        recipients=(
            type(facts("mx", "", "b@x.example").recipients[0])(Address("root", "")),
        ),
    )
    assert compile_rules(HOUSE).decide(stray).reply == replies.RELAY_DENIED


def test_mail_that_loops_is_refused_one_hop_past_the_bound() -> None:
    policy = compile_rules(house(max_hops=3))
    for hops, reply in ((3, replies.OK), (4, replies.TOO_MANY_HOPS)):
        end = facts(
            "mx",
            "a@x.example",
            "b@example.com",
            header=header("a@x.example", hops=hops),
        )
        decision = policy.decide(end)
        assert decision.reply == reply
    assert decision.rule == "hops"


def test_a_stranger_learns_nothing_of_the_inside() -> None:
    decision = compile_rules(HOUSE).decide(
        facts("mx", "a@x.example", "b@x.example", client=STRANGER)
    )
    assert decision.reply.lines == ("Relaying denied",)
    assert STRANGER in decision.reason


@pytest.mark.parametrize(
    ("case", "rule"),
    [
        (facts("mx", "shop@example.com", "b@x.example", client=SHOP), "web shop"),
        (facts("submission", "", "b@x.example", who=ROBOT), "robot"),
    ],
)
def test_while_relaying_is_closed_a_grant_lets_nothing_through(
    case: Facts, rule: str
) -> None:
    decision = compile_rules(replace(HOUSE, relaying_closed=True)).decide(case)
    assert decision.reply is replies.RELAYING_CLOSED
    assert decision.rule == "relaying-closed"
    assert decision.reverse_path == case.reverse_path
    assert rule in decision.reason


@pytest.mark.parametrize(
    ("case", "reply"),
    [
        (facts("mx", "a@x.example", "b@example.com"), replies.RECIPIENT_OK),
        (facts("mx", "a@x.example", "postmaster"), replies.RECIPIENT_OK),
        (facts("mx", "a@x.example", "b@x.example"), replies.RELAY_DENIED),
    ],
)
def test_while_relaying_is_closed_all_else_is_as_ever(
    case: Facts, reply: Reply
) -> None:
    """Mail to us is taken, and a stranger is refused for good and not for now."""
    decision = compile_rules(replace(HOUSE, relaying_closed=True)).decide(case)
    assert decision.reply is reply
