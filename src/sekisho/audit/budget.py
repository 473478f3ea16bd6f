"""How often a host may be asked with a user and a password: a lockout is near.

Attempts that fail are counted, by host and over all its ports. What a probe wants is
asked before it begins, so none stops half-way; a good sign-in that succeeds costs
nothing, as servers count failures.
"""

from sekisho.audit.hindrances import KnownHindranceError
from sekisho.model.text import Text

MAX_ATTEMPTS = 10


class SpentError(KnownHindranceError):
    """No attempt is left."""


def spent_text(limit: int) -> Text:
    """Why a probe was not run, or not to its end."""
    return Text(
        f"the {limit} attempts with a user and a password that a host is asked are "
        f"spent; ask it alone with --only",
        f"ホストあたり {limit} 回の利用者名・パスワード試行を使い切ったため未実施。"
        f"--only で単独実行してください",
    )


class Budget:
    """The attempts of one host."""

    def __init__(self, limit: int = MAX_ATTEMPTS) -> None:
        self.limit = limit
        self.left = limit

    def holds(self, attempts: int) -> bool:
        """Whether so many are left."""
        return attempts <= self.left

    def spend(self) -> None:
        """Take one.

        Raises:
            SpentError: None is left.

        """
        if self.left <= 0:
            raise SpentError(spent_text(self.limit))
        self.left -= 1
