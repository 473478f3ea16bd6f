"""Where decisions are made: the only module that takes `POLICY_SEAL`.

Modules of this room alone may import it (``tests/policy/test_seal.py``), since whoever
can call `accepted` can let mail in.
"""

from sekisho.model import replies
from sekisho.model.address import Address, ReversePath
from sekisho.model.decision import POLICY_SEAL, Decision, Ruling, Verdict
from sekisho.model.facts import QuotaKey
from sekisho.model.reply import Reply
from sekisho.policy import rules as names


def accepted(
    rule: str,
    reason: str,
    reverse_path: ReversePath,
    reply: Reply,
    grant: str = "",
) -> Decision:
    """Let one command pass. No message passes by it: it holds no rulings."""
    return Decision(
        POLICY_SEAL, Verdict.ACCEPT, rule, grant, reply, reason, reverse_path
    )


def refused(
    rule: str, reply: Reply, reason: str, reverse_path: ReversePath, grant: str = ""
) -> Decision:
    """Refuse a command or a message; `grant` names the one that nearly fitted."""
    return Decision(
        POLICY_SEAL, Verdict.REFUSE, rule, grant, reply, reason, reverse_path
    )


def passed(  # noqa: PLR0913 - what a whole message's decision holds
    rulings: tuple[Ruling, ...],
    reason: str,
    reverse_path: ReversePath,
    *,
    counted: tuple[QuotaKey, ...] = (),
    rewrite_from: Address | None = None,
    log_only: str = "",
    held_by: str = "",
) -> Decision:
    """Let a whole message pass: its rule is that of the first grant it passes by.

    Where `held_by` says why, an operator has to release it; the client hears nothing.
    """
    first = rulings[0]
    for ruling in rulings:
        if ruling.grant:
            first = ruling
            break
    return Decision(
        POLICY_SEAL,
        Verdict.HOLD if held_by else Verdict.ACCEPT,
        names.BRAKE if held_by else first.rule,
        first.grant,
        replies.OK,
        held_by or reason,
        reverse_path,
        rulings,
        counted,
        rewrite_from,
        log_only,
    )
