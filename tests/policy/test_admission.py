"""The two ways into the queue beside `decide`: narrow, and named."""

import pytest

from policy.cases import address, path
from sekisho.model.decision import Decision
from sekisho.model.envelope import Envelope, Recipient
from sekisho.policy.admission import admit_release, admit_report


def envelope(sender: str, *recipients: str) -> Envelope:
    return Envelope(path(sender), tuple(Recipient(address(to)) for to in recipients))


def test_a_report_from_the_null_sender_to_one_recipient_is_admitted() -> None:
    decision = admit_report(envelope("", "a@x.example"))
    assert decision.accepts
    assert decision.rule == "report"
    assert [str(ruling.address) for ruling in decision.rulings] == ["a@x.example"]


@pytest.mark.parametrize(
    "made",
    [
        envelope("a@x.example", "b@x.example"),
        envelope(""),
        envelope("", "a@x.example", "b@x.example"),
    ],
)
def test_nothing_else_passes_for_a_report(made: Envelope) -> None:
    decision = admit_report(made)
    assert not decision.accepts
    assert decision.rule == "report"
    assert not decision.rulings


def test_an_operator_releases_held_mail_in_his_own_name() -> None:
    decision = admit_release(
        envelope("a@x.example", "b@y.example", "c@z.example"), "ops"
    )
    assert decision.accepts
    assert decision.rule == "release"
    assert decision.reason == "released by ops"
    assert len(decision.rulings) == 2


@pytest.mark.parametrize(
    "decision",
    [
        admit_release(envelope("a@x.example"), "ops"),
        admit_release(envelope("a@x.example", "b@x.example"), ""),
    ],
)
def test_a_release_without_recipient_or_operator_is_none(decision: Decision) -> None:
    assert not decision.accepts
