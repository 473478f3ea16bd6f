"""The decision: accept, refuse or hold, with the rule and the reason.

Promise: no papers, no passage. A `Decision` is sealed: its constructor wants a seal
that only `sekisho.policy` takes (``tests/policy/test_seal.py`` reads every module to
prove it). `queue.put` takes a message **and** its Decision, and refuses one that was
made for another envelope, so nothing comes into the queue that policy did not let in.
"""

from enum import Enum
from typing import Final

import msgspec

from sekisho.model.address import Address, ReversePath
from sekisho.model.facts import QuotaKey
from sekisho.model.reply import Reply


class Verdict(Enum):
    """What becomes of the message."""

    ACCEPT = "accept"
    REFUSE = "refuse"
    HOLD = "hold"


class Ruling(msgspec.Struct, frozen=True):
    """Why one recipient was let through.

    Attributes:
        address: The forward-path.
        rule: The rule's name, such as ``own-domain`` or ``grant``.
        grant: The grant's name, or empty.

    """

    address: Address
    rule: str
    grant: str = ""


class _Seal:
    """The right to make decisions."""


POLICY_SEAL: Final = _Seal()
"""For `sekisho.policy` alone."""


class Decision(msgspec.Struct, frozen=True):
    """What policy said about one case.

    Attributes:
        seal: `POLICY_SEAL`.
        verdict: Accept, refuse or hold.
        rule: The rule that decided.
        grant: The grant by which it passes, or empty.
        reply: For the client; it says nothing of the inside.
        reason: For log, timeline and `explain`, in words.
        reverse_path: Whose case it was.
        rulings: One for each recipient that passes.
        counted: The quotas this message counts against.
        rewrite_from: The mailbox that ``From`` is to name instead, where a grant
            says so.
        log_only: What would have been refused if the grant did not only log it.

    """

    seal: _Seal
    verdict: Verdict
    rule: str
    grant: str
    reply: Reply
    reason: str
    reverse_path: ReversePath
    rulings: tuple[Ruling, ...] = ()
    counted: tuple[QuotaKey, ...] = ()
    rewrite_from: Address | None = None
    log_only: str = ""

    def __post_init__(self) -> None:
        """Refuse whoever does not hold the seal."""
        if self.seal is not POLICY_SEAL:
            raise TypeError("only policy makes a decision")

    @property
    def accepts(self) -> bool:
        """Whether mail passes, now or after an operator's release."""
        return self.verdict is not Verdict.REFUSE
