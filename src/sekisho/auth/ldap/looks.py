"""What was seen of accounts a moment ago, so that `is_current` need not ask anybody.

An account counts as unchanged for `seconds` after it was looked at; who is in use is
looked at again before that. So a disabled account is out within that time, and so is
everybody when the directory cannot be reached for longer.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from sekisho.auth.ldap.entries import DirectoryAccount
from sekisho.model.identity import Identity

MAX_ACCOUNTS = 4096
IN_USE_SECONDS = 900.0


@dataclass(slots=True)
class Look:
    """What was seen.

    Attributes:
        login: As it signed in: what a configured filter is filled with.
        dn: Its entry.
        generation: What the entry came to; None where it is gone or may not be used.
        at: When the look began, in monotonic seconds.
        used_at: When somebody asked about it last.

    """

    login: str
    dn: str
    generation: int | None
    at: float
    used_at: float


class Looks:
    """A bounded memory by account; who was not asked about for longest goes first."""

    def __init__(
        self, seconds: float, clock: Callable[[], float], bound: int = MAX_ACCOUNTS
    ) -> None:
        self._seconds = seconds
        self._clock = clock
        self._bound = bound
        self._looks: OrderedDict[str, Look] = OrderedDict()

    def keep(self, account: DirectoryAccount, login: str, began: float) -> None:
        """Remember what was seen of an account that has just been verified."""
        generation = None if account.refusal else account.generation
        look = Look(login, account.dn, generation, began, self._clock())
        before = self._looks.get(account.name)
        if before is not None and before.at > began:
            return
        self._looks[account.name] = look
        self._looks.move_to_end(account.name)
        if len(self._looks) > self._bound:
            self._looks.popitem(last=False)

    def again(self, name: str, generation: int | None, began: float) -> None:
        """Remember what was seen by looking again; what was seen later stays."""
        look = self._looks.get(name)
        if look is not None and look.at <= began:
            look.at, look.generation = began, generation

    def is_current(self, identity: Identity) -> bool:
        """Whether the account was there, enabled and unchanged a moment ago."""
        look = self._looks.get(identity.account)
        if look is None:
            return False
        now = look.used_at = self._clock()
        self._looks.move_to_end(identity.account)
        return (
            look.generation == identity.generation
            and 0 <= now - look.at < self._seconds
        )

    def due(self, within: float) -> list[tuple[str, Look]]:
        """Whose time ends within so many seconds; what nobody uses is forgotten."""
        now = self._clock()
        for name, look in list(self._looks.items()):
            if now - look.used_at > IN_USE_SECONDS:
                del self._looks[name]
        return [
            (name, look)
            for name, look in self._looks.items()
            if now - look.at > self._seconds - within
        ]

    def __len__(self) -> int:
        return len(self._looks)
