"""The brake for stolen accounts: held one past each bound, and never refused for it."""

import pytest

from policy.cases import ALICE, SHOP, facts, grant, header, house
from replacing import replace
from sekisho.model.decision import Verdict
from sekisho.model.facts import QuotaKey, Usage
from sekisho.model.identity import NOBODY
from sekisho.model.rules import Brake, Quota
from sekisho.policy.brake import refused_key, sent_key, whom, why_held
from sekisho.policy.decide import Policy, compile_rules

SENT = sent_key("alice")
REFUSED = refused_key("alice")
BOUNDS: list[tuple[Brake, QuotaKey, Usage, Usage]] = [
    (
        Brake(Quota(messages_per_hour=3)),
        SENT,
        Usage(messages_last_hour=2),
        Usage(messages_last_hour=3),
    ),
    (
        Brake(Quota(messages_per_day=3)),
        SENT,
        Usage(messages_last_day=2),
        Usage(messages_last_day=3),
    ),
    (
        Brake(Quota(recipients_per_hour=5)),
        SENT,
        Usage(recipients_last_hour=4),
        Usage(recipients_last_hour=5),
    ),
    (
        Brake(Quota(recipients_per_day=5)),
        SENT,
        Usage(recipients_last_day=4),
        Usage(recipients_last_day=5),
    ),
    (
        Brake(refused_recipients_per_hour=5),
        REFUSED,
        Usage(recipients_last_hour=4),
        Usage(recipients_last_hour=5),
    ),
]


def policy(brake: Brake) -> Policy:
    return compile_rules(replace(house(grant("staff", "authenticated")), brake=brake))


@pytest.mark.parametrize(("brake", "key", "last", "beyond"), BOUNDS)
def test_mail_is_held_one_past_the_bound_and_the_client_hears_nothing(
    brake: Brake, key: QuotaKey, last: Usage, beyond: Usage
) -> None:
    case = facts(
        "submission",
        "alice@example.com",
        "b@x.example",
        who=ALICE,
        header=header("alice@example.com"),
    )
    free = policy(brake).decide(replace(case, usage={key: last}))
    held = policy(brake).decide(replace(case, usage={key: beyond}))
    assert free.verdict is Verdict.ACCEPT
    assert held.verdict is Verdict.HOLD
    assert held.rule == "brake"
    assert "alice" in held.reason
    assert held.reply == free.reply
    assert held.rulings == free.rulings
    assert SENT in free.counted
    assert SENT in held.counted
    early = policy(brake).decide(
        replace(case, header=None, recipients=(), usage={key: beyond})
    )
    assert early.verdict is Verdict.ACCEPT


def test_without_bounds_nothing_is_counted_and_nothing_held() -> None:
    usage = {SENT: Usage(10**6, 10**6, 10**6, 10**6), REFUSED: Usage(0, 0, 10**6, 0)}
    assert why_held(Brake(), "alice", usage) == ""
    off = policy(Brake())
    case = facts(
        "submission",
        "alice@example.com",
        "b@x.example",
        who=ALICE,
        header=header("alice@example.com"),
    )
    assert off.decide(case).counted == ()
    assert not off.counts("submission", case.client, ALICE)
    assert policy(BOUNDS[0][0]).counts("submission", case.client, ALICE)


def test_clients_without_papers_are_no_accounts() -> None:
    assert whom(NOBODY) == ""
    assert whom(ALICE) == "alice"
    shop = grant("web shop", SHOP, listeners=["mx"], senders=["shop@example.com"])
    rules = replace(house(shop), brake=BOUNDS[0][0])
    case = facts(
        "mx",
        "shop@example.com",
        "b@x.example",
        client=SHOP,
        header=header("shop@example.com"),
        usage={sent_key(""): Usage(messages_last_hour=99)},
    )
    assert compile_rules(rules).decide(case).counted == ()
