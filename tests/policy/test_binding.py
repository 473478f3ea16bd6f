"""From and Sender: nobody with papers writes in another's name."""

import pytest

from policy.cases import (
    ALICE,
    PRINTER,
    SHOP,
    SHOP_GRANT,
    STAFF,
    facts,
    grant,
    header,
    house,
    lane,
)
from sekisho.model import replies
from sekisho.model.address import Address, AddressPattern
from sekisho.model.decision import Decision
from sekisho.model.facts import HeaderFacts, Malformation
from sekisho.model.identity import Identity
from sekisho.model.rules import Rules, SenderBinding
from sekisho.policy.decide import compile_rules

ALICE_FROM, BOB_FROM = header("alice@example.com"), header("bob@example.com")
BROKEN = tuple(kind for kind in Malformation if kind is not Malformation.NONE)


def submit(
    rules: Rules,
    said: HeaderFacts,
    *,
    sender: str = "alice@example.com",
    to: tuple[str, ...] = ("b@x.example",),
    who: Identity = ALICE,
) -> Decision:
    policy = compile_rules(rules)
    return policy.decide(facts("submission", sender, *to, who=who, header=said))


def print_(said: HeaderFacts, binding: SenderBinding) -> Decision:
    policy = compile_rules(house(printers=lane(sender_binding=binding)))
    return policy.decide(
        facts(
            "printers",
            "scanner@example.com",
            "b@example.com",
            client=PRINTER,
            header=said,
        )
    )


@pytest.mark.parametrize(
    "said",
    [
        ALICE_FROM,
        header("ALICE@example.com"),
        header("anything@alice.example"),
        header("alice@example.com", "x@alice.example"),
    ],
)
def test_whoever_writes_in_his_own_name_passes(said: HeaderFacts) -> None:
    decision = submit(house(STAFF), said)
    assert decision.accepts
    assert (decision.rewrite_from, decision.log_only) == (None, "")


@pytest.mark.parametrize(
    ("said", "field"),
    [
        (BOB_FROM, "From names bob@example.com"),
        (
            header("alice@example.com", "bob@example.com"),
            "Sender names bob@example.com",
        ),
    ],
)
@pytest.mark.parametrize(
    ("rules", "to"),
    [
        (house(STAFF), "b@x.example"),
        (house(STAFF), "b@example.com"),
        (house(STAFF), "postmaster"),
        (house(), "b@example.com"),
        (house(), "postmaster"),
    ],
)
def test_nobody_writes_in_anothers_name_not_even_to_us(
    said: HeaderFacts, field: str, rules: Rules, to: str
) -> None:
    decision = submit(rules, said, to=(to,))
    assert (decision.rule, decision.reply) == (
        "author-not-owned",
        replies.AUTHOR_NOT_OWNED,
    )
    assert field in decision.reason


def test_without_a_grant_ones_own_name_passes_to_us() -> None:
    assert submit(house(), ALICE_FROM, to=("b@example.com",)).accepts


@pytest.mark.parametrize("binding", SenderBinding)
@pytest.mark.parametrize("kind", BROKEN)
def test_submission_takes_no_message_without_exactly_one_author(
    kind: Malformation, binding: SenderBinding
) -> None:
    rules = house(grant("staff", "authenticated", sender_binding=binding))
    decision = submit(rules, header(malformation=kind))
    assert decision.reply == replies.AUTHOR_MALFORMED
    assert decision.rule == "author-malformed"
    assert decision.reason == kind.value


def test_a_header_whose_reader_found_no_author_and_no_fault_is_still_refused() -> None:
    assert submit(house(STAFF), header()).reply == replies.AUTHOR_MALFORMED


def test_a_grant_may_only_log_a_foreign_author() -> None:
    rules = house(grant("staff", "authenticated", sender_binding=SenderBinding.LOG))
    decision = submit(rules, BOB_FROM)
    assert decision.accepts
    assert "bob@example.com" in decision.log_only
    assert decision.rewrite_from is None


REWRITING = grant(
    "staff", "authenticated", sender_binding=SenderBinding.REWRITE, null_sender=True
)


def test_a_grant_may_have_the_author_rewritten_to_the_reverse_path() -> None:
    decision = submit(house(REWRITING), BOB_FROM, sender="x@alice.example")
    assert decision.accepts
    assert decision.rewrite_from == Address("x", "alice.example")


def test_with_a_null_sender_the_first_owned_mailbox_is_the_author() -> None:
    decision = submit(house(REWRITING), BOB_FROM, sender="")
    assert decision.rewrite_from == Address("alice", "example.com")


def test_with_a_null_sender_and_no_mailbox_of_ones_own_it_is_refused() -> None:
    nameless = Identity("dom", "local", "PLAIN", 1, ALICE.addresses[1:])
    decision = submit(house(REWRITING), BOB_FROM, sender="", who=nameless)
    assert decision.reply == replies.AUTHOR_NOT_OWNED


@pytest.mark.parametrize("domain", ["*.alice.example", "*"])
def test_a_name_at_many_domains_is_no_mailbox_to_write_from(domain: str) -> None:
    owned = AddressPattern("alice", domain)
    nameless = Identity("dom", "local", "PLAIN", 1, (owned,))
    decision = submit(house(REWRITING), BOB_FROM, sender="", who=nameless)
    assert decision.reply == replies.AUTHOR_NOT_OWNED


def test_an_address_may_be_rewritten_to_a_mailbox_of_its_grant() -> None:
    box = grant(
        "box",
        SHOP,
        listeners=["mx"],
        senders=["*@y.example", "shop@example.com"],
        sender_binding=SenderBinding.REWRITE,
        null_sender=True,
    )
    case = facts("mx", "", "b@x.example", client=SHOP, header=BOB_FROM)
    decision = compile_rules(house(box)).decide(case)
    assert decision.rewrite_from == Address("shop", "example.com")


def test_the_strictest_of_several_grants_rules() -> None:
    rules = house(
        grant(
            "log",
            "authenticated",
            recipients=["*@x.example"],
            sender_binding=SenderBinding.LOG,
        ),
        grant(
            "refuse",
            "authenticated",
            senders=["alice@example.com"],
            recipients=["*@y.example"],
        ),
    )
    assert submit(rules, BOB_FROM).log_only
    both = submit(rules, BOB_FROM, to=("b@x.example", "b@y.example"))
    assert both.reply == replies.AUTHOR_NOT_OWNED


def test_a_rewritten_author_must_be_owned_under_every_grant() -> None:
    """Under the second grant the null sender has no mailbox that the first owns."""
    shared = {"null_sender": True, "sender_binding": SenderBinding.REWRITE}
    rules = house(
        grant("one", SHOP, listeners=["mx"], senders=["one@y.example"],
              recipients=["*@x.example"], **shared),
        grant("two", SHOP, listeners=["mx"], senders=["two@y.example"],
              recipients=["*@z.example"], **shared),
    )  # fmt: skip
    case = facts("mx", "", "b@x.example", "b@z.example", client=SHOP, header=BOB_FROM)
    assert compile_rules(rules).decide(case).reply == replies.AUTHOR_NOT_OWNED


def test_a_grant_with_senders_lets_its_members_write_as_those() -> None:
    rules = house(grant("news", "authenticated", senders=["news@example.com"]))
    decision = submit(rules, header("alice@example.com"), sender="news@example.com")
    assert decision.accepts
    assert submit(rules, header("news@example.com"), sender="news@example.com").accepts
    assert not submit(rules, BOB_FROM, sender="news@example.com").accepts


def test_an_address_with_a_grant_is_bound_too_and_only_where_the_grant_is_used() -> (
    None
):
    policy = compile_rules(house(SHOP_GRANT))
    for to, reply in (
        ("b@x.example", replies.AUTHOR_NOT_OWNED),
        ("b@example.com", replies.OK),
    ):
        case = facts("mx", "shop@example.com", to, client=SHOP, header=BOB_FROM)
        assert policy.decide(case).reply == reply


def test_mail_from_outside_says_what_it_likes() -> None:
    for said in (BOB_FROM, header(malformation=Malformation.NO_FROM)):
        case = facts("mx", "a@x.example", "b@example.com", header=said)
        assert compile_rules(house()).decide(case).accepts


@pytest.mark.parametrize("said", [BOB_FROM, header(malformation=Malformation.NO_FROM)])
def test_a_machine_in_a_lane_is_bound_as_its_listener_says(said: HeaderFacts) -> None:
    assert not print_(said, SenderBinding.REFUSE).accepts
    rewritten = print_(said, SenderBinding.REWRITE)
    assert rewritten.rewrite_from == Address("scanner", "example.com")
    assert print_(said, SenderBinding.LOG).log_only
    assert print_(header("scanner@example.com"), SenderBinding.REFUSE).accepts
