"""`explain` walks a case as SMTP would, and ends where it ends."""

from ipaddress import ip_address, ip_network

from replacing import replace
from sekisho.model.address import Address, parse_pattern
from sekisho.model.decision import Verdict
from sekisho.model.facts import Facts, HeaderFacts, Malformation, Offered
from sekisho.model.rules import (
    Clients,
    Grant,
    ListenerRule,
    OwnDomain,
    RecipientCheck,
    Role,
    Rules,
)
from sekisho.policy.decide import compile_rules
from sekisho.policy.explain import Stage, explain

RULES = Rules(
    "relay.example.com",
    Address("postmaster", "own.example"),
    {"mx": ListenerRule("mx", Role.MX)},
    {
        "own.example": OwnDomain("own.example", RecipientCheck.CALLOUT),
        "any.example": OwnDomain("any.example", RecipientCheck.ANY),
    },
    (
        Grant(
            "shop",
            (Clients((ip_network("192.0.2.1"),)),),
            frozenset({"mx"}),
            (parse_pattern("shop@own.example"),),
        ),
    ),
)
POLICY = compile_rules(RULES)
CASE = Facts(
    "mx", ip_address("198.51.100.1"), tls=False,
    reverse_path=Address("a", "b.example"), now=1.0,
)  # fmt: skip
HEADER = HeaderFacts(Address("a", "b.example"), None, Malformation.NONE, 0)


def stages(case: Facts) -> list[Stage]:
    return [step.stage for step in explain(POLICY, case).steps]


def to(*addresses: str) -> tuple[Offered, ...]:
    return tuple(Offered(Address(*one.split("@"))) for one in addresses)


def test_without_recipients_mail_is_all() -> None:
    explained = explain(POLICY, CASE)
    assert explained.decision.accepts
    assert stages(CASE) == [Stage.MAIL]


def test_a_refused_sender_ends_it() -> None:
    case = replace(
        CASE, reverse_path=Address("x", "own.example"), recipients=to("a@any.example")
    )
    assert stages(case) == [Stage.MAIL]
    assert not explain(POLICY, case).decision.accepts


def test_a_refused_recipient_is_the_answer_where_there_is_no_other() -> None:
    case = replace(CASE, recipients=to("x@else.example"), header=HEADER)
    assert stages(case) == [Stage.MAIL, Stage.RCPT]
    assert explain(POLICY, case).decision.verdict is Verdict.REFUSE


def test_refused_recipients_drop_out_and_others_go_on() -> None:
    case = replace(
        CASE, recipients=to("x@else.example", "a@any.example"), header=HEADER
    )
    assert stages(case) == [Stage.MAIL, Stage.RCPT, Stage.RCPT, Stage.CONTENT]
    decision = explain(POLICY, case).decision
    assert [str(one.address) for one in decision.rulings] == ["a@any.example"]
    assert stages(replace(case, header=None))[-1] is Stage.RCPT


def test_a_recipient_that_would_be_asked_for_is_taken_to_exist_and_said_so() -> None:
    case = replace(CASE, recipients=to("a@own.example"), header=HEADER)
    assert stages(case) == [Stage.MAIL, Stage.RCPT, Stage.CALLOUT, Stage.CONTENT]
    explained = explain(POLICY, case)
    assert explained.decision.accepts
    assert "taken to exist" in explained.steps[2].reason
