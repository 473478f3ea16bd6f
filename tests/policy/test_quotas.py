"""How much: four bounds, each refused one past it, and whom they count."""

from ipaddress import ip_address

import pytest

from policy.cases import (
    ALICE,
    PRINTER,
    SHOP,
    facts,
    grant,
    header,
    house,
    lane,
)
from replacing import replace
from sekisho.model import replies
from sekisho.model.decision import Decision
from sekisho.model.facts import QuotaKey, Usage
from sekisho.model.identity import NOBODY
from sekisho.model.rules import Grant, Quota
from sekisho.policy.decide import compile_rules

BOUNDS = [
    (
        Quota(messages_per_hour=3),
        Usage(messages_last_hour=2),
        Usage(messages_last_hour=3),
    ),
    (Quota(messages_per_day=3), Usage(messages_last_day=2), Usage(messages_last_day=3)),
    (
        Quota(recipients_per_hour=5),
        Usage(recipients_last_hour=3),
        Usage(recipients_last_hour=4),
    ),
    (
        Quota(recipients_per_day=5),
        Usage(recipients_last_day=3),
        Usage(recipients_last_day=4),
    ),
]
"""Bound, the last use at which a message to two passes, and the first at which not."""

STAFF_KEY = QuotaKey("staff", "alice")


def staff(quota: Quota) -> Grant:
    return grant("staff", "authenticated", quota=quota)


def send(rules_grant: Grant, usage: dict[QuotaKey, Usage], *to: str) -> Decision:
    case = facts(
        "submission",
        "alice@example.com",
        *(to or ("b@x.example", "c@x.example")),
        who=ALICE,
        header=header("alice@example.com"),
        usage=usage,
    )
    return compile_rules(house(rules_grant)).decide(case)


@pytest.mark.parametrize(("quota", "last", "first_past"), BOUNDS)
def test_each_bound_refuses_one_past_it_and_not_before(
    quota: Quota, last: Usage, first_past: Usage
) -> None:
    assert send(staff(quota), {STAFF_KEY: last}).counted == (STAFF_KEY,)
    refused = send(staff(quota), {STAFF_KEY: first_past})
    assert refused.reply == replies.QUOTA_EXCEEDED
    assert (refused.rule, refused.grant) == ("quota", "staff")


def test_accounts_are_counted_apart() -> None:
    used_up = {
        QuotaKey("staff", "bob"): Usage(messages_last_hour=99),
        QuotaKey("staff"): Usage(99),
    }
    assert send(staff(Quota(messages_per_hour=3)), used_up).accepts


def test_what_has_no_bound_counts_nothing() -> None:
    assert send(staff(Quota()), {}).counted == ()


def test_mail_to_us_counts_against_no_grant() -> None:
    decision = send(
        staff(Quota(messages_per_hour=1)), {STAFF_KEY: Usage(9, 9)}, "b@example.com"
    )
    assert decision.accepts
    assert decision.counted == ()


def test_an_address_is_counted_by_its_grant() -> None:
    box = grant(
        "box",
        SHOP,
        listeners=["mx"],
        senders=["s@y.example"],
        quota=Quota(messages_per_day=1),
    )
    case = facts(
        "mx", "s@y.example", "b@x.example", client=SHOP, header=header("s@y.example")
    )
    policy = compile_rules(house(box))
    assert policy.decide(case).counted == (QuotaKey("box"),)
    used = replace(case, usage={QuotaKey("box"): Usage(messages_last_day=1)})
    assert policy.decide(used).reply == replies.QUOTA_EXCEEDED


def test_a_lane_is_counted_by_its_listener_the_postmasters_mail_too() -> None:
    policy = compile_rules(house(printers=lane(quota=Quota(messages_per_hour=1))))
    key = QuotaKey("listener:printers")
    case = facts(
        "printers",
        "scanner@example.com",
        "postmaster",
        client=PRINTER,
        header=header("scanner@example.com"),
    )
    assert policy.decide(case).counted == (key,)
    full = replace(
        case, recipients=(), header=None, usage={key: Usage(messages_last_hour=1)}
    )
    assert policy.decide(full).reply == replies.QUOTA_EXCEEDED


def test_when_one_grant_is_used_up_the_next_one_carries() -> None:
    rules = house(
        grant("first", "authenticated", quota=Quota(recipients_per_hour=1)),
        grant("second", "authenticated", quota=Quota(recipients_per_hour=1)),
    )
    case = facts(
        "submission",
        "alice@example.com",
        "b@x.example",
        "c@x.example",
        who=ALICE,
        header=header("alice@example.com"),
    )
    policy = compile_rules(rules)
    decision = policy.decide(case)
    assert [ruling.grant for ruling in decision.rulings] == ["first", "second"]
    assert [key.grant for key in decision.counted] == ["first", "second"]
    full = {
        QuotaKey("first", "alice"): Usage(recipients_last_hour=1),
        QuotaKey("second", "alice"): Usage(recipients_last_hour=1),
    }
    refused = policy.decide(replace(case, usage=full))
    assert (refused.rule, refused.grant) == ("quota", "first")


def test_who_has_no_quota_needs_no_counts() -> None:
    quota = Quota(messages_per_hour=3)
    bounded = compile_rules(house(staff(quota)))
    free = compile_rules(house(staff(Quota())))
    somewhere = ip_address(SHOP)
    assert bounded.counts("submission", somewhere, ALICE)
    assert not bounded.counts("mx", somewhere, NOBODY)
    assert not bounded.counts("nowhere", somewhere, ALICE)
    assert not free.counts("submission", somewhere, ALICE)


def test_whoever_has_a_quota_is_counted_by_address_group_or_lane() -> None:
    """Where nobody looks at the counts, no quota is ever used up."""
    quota = Quota(messages_per_hour=3)
    box = grant("box", SHOP, listeners=["mx"], senders=["s@y.example"], quota=quota)
    press = grant("press", "group:editors", quota=quota)
    policy = compile_rules(house(box, press, printers=lane(quota=quota)))
    assert policy.counts("mx", ip_address(SHOP), NOBODY)
    assert policy.counts("printers", ip_address(PRINTER), NOBODY)
    assert policy.counts("submission", ip_address(SHOP), ALICE)
    nobody_here = replace(ALICE, groups=frozenset[str]())
    assert not policy.counts("submission", ip_address(SHOP), nobody_here)


# The bound of a credential: an app password's, beside the grant's


def test_a_credential_is_refused_one_past_its_bound_and_counted() -> None:
    policy = compile_rules(house(grant("staff", "authenticated")))
    printer = replace(ALICE, credential="printer", max_messages_per_day=3)
    key = QuotaKey("app-password:printer", ALICE.account)
    case = facts("submission", "alice@example.com", "b@x.example", who=printer)
    whole = replace(case, header=header("alice@example.com"))
    assert policy.decide(whole).accepts
    last = policy.decide(replace(whole, usage={key: Usage(messages_last_day=2)}))
    assert [one.grant for one in last.rulings] == ["staff"]
    assert key in last.counted
    for moment in (replace(case, recipients=()), case, whole):
        beyond = policy.decide(replace(moment, usage={key: Usage(messages_last_day=3)}))
        assert beyond.rule == "quota"
        assert beyond.reply == replies.QUOTA_EXCEEDED
    assert policy.counts("submission", whole.client, printer)
    own = policy.decide(
        replace(whole, who=ALICE, usage={key: Usage(messages_last_day=9)})
    )
    assert own.grant == "staff"
    assert key not in own.counted
