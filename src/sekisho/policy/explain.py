"""Why: one case walked through MAIL, RCPT and the end of the content."""

from dataclasses import dataclass
from enum import Enum

from msgspec.structs import replace

from sekisho.model.decision import Decision, Verdict
from sekisho.model.facts import Facts, Offered, Standing
from sekisho.policy.decide import Policy


class Stage(Enum):
    """A moment of a transaction."""

    MAIL = "MAIL"
    RCPT = "RCPT"
    CALLOUT = "callout"
    CONTENT = "content"


@dataclass(frozen=True, slots=True)
class Step:
    """What one moment came to.

    Attributes:
        stage: Which moment.
        subject: The mailbox it was about; empty for the content.
        verdict: What was decided.
        rule: By which rule.
        reason: Why, in words.

    """

    stage: Stage
    subject: str
    verdict: Verdict
    rule: str
    reason: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """The decision that counts, and the way to it."""

    decision: Decision
    steps: tuple[Step, ...]


def explain(policy: Policy, case: Facts) -> Explanation:
    """Walk a case as far as it goes.

    Args:
        policy: Whose decisions.
        case: MAIL alone where there are no recipients; RCPT for each of them; the
            content too where there is a header. A recipient whose host would be asked
            and was not is taken to exist, and the trail says so.

    Returns:
        The refusal that ends it; else the last decision. Of several recipients those
        refused drop out, as they do in SMTP, and the others go on.

    """
    mail = policy.decide(replace(case, recipients=(), header=None))
    steps = [_step(Stage.MAIL, f"<{case.reverse_path}>", mail)]
    if not mail.accepts or not case.recipients:
        return Explanation(mail, tuple(steps))
    taken: list[Offered] = []
    decisions: list[Decision] = []
    for recipient in case.recipients:
        decision = policy.decide(replace(case, recipients=(recipient,), header=None))
        decisions.append(decision)
        subject = f"<{recipient.address}>"
        steps.append(_step(Stage.RCPT, subject, decision))
        if not decision.accepts:
            continue
        offered = recipient
        if recipient.standing is Standing.NOT_ASKED and policy.wants_callout(
            recipient.address
        ):
            offered = replace(recipient, standing=Standing.EXISTS)
            reason = "its host would be asked now; it is taken to exist"
            steps.append(
                Step(Stage.CALLOUT, subject, Verdict.ACCEPT, decision.rule, reason)
            )
        taken.append(offered)
    if not taken:
        return Explanation(decisions[0], tuple(steps))
    if case.header is None:
        last = next(decision for decision in decisions if decision.accepts)
        return Explanation(last, tuple(steps))
    content = policy.decide(replace(case, recipients=tuple(taken)))
    steps.append(_step(Stage.CONTENT, "", content))
    return Explanation(content, tuple(steps))


def _step(stage: Stage, subject: str, decision: Decision) -> Step:
    return Step(stage, subject, decision.verdict, decision.rule, decision.reason)
