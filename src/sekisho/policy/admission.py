"""The two other ways into the queue: what we write ourselves, and what is released.

Neither is relaying. A bounce or notice has the null reverse-path and one recipient,
whose mail it is about, so it can neither be bounced in turn nor be multiplied
(RFC 5321 §6.1). Held mail was let in by `decide` before it was held; an operator's
release is a decision of its own, with his name in it.
"""

from sekisho.model import replies
from sekisho.model.address import NullPath
from sekisho.model.decision import Decision, Ruling
from sekisho.model.envelope import Envelope
from sekisho.policy import rules as names
from sekisho.policy.verdicts import passed, refused


def admit_report(envelope: Envelope) -> Decision:
    """Let a bounce or a notice of ours into the queue.

    Args:
        envelope: Of the report.

    Returns:
        Accepted where the reverse-path is null and there is exactly one recipient;
        refused otherwise.

    """
    if not isinstance(envelope.reverse_path, NullPath):
        what = "a report comes from the null sender"
    elif len(envelope.recipients) != 1:
        what = f"a report has one recipient, not {len(envelope.recipients)}"
    else:
        ruling = Ruling(envelope.recipients[0].address, names.REPORT)
        return passed((ruling,), names.RULES[names.REPORT], envelope.reverse_path)
    return refused(names.REPORT, replies.RELAY_DENIED, what, envelope.reverse_path)


def admit_release(envelope: Envelope, operator: str) -> Decision:
    """Let held mail go on its way.

    Args:
        envelope: As it was held.
        operator: Who releases it: a name for the log.

    Returns:
        Accepted; refused where there is no recipient or no operator.

    """
    if not envelope.recipients or not operator:
        what = "a release names an operator and at least one recipient"
        return refused(names.RELEASE, replies.RELAY_DENIED, what, envelope.reverse_path)
    rulings = tuple(
        Ruling(recipient.address, names.RELEASE) for recipient in envelope.recipients
    )
    return passed(rulings, f"released by {operator}", envelope.reverse_path)
