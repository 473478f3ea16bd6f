"""Tells operators that an account's mail is held: once an hour, not once a message."""

from collections import OrderedDict

from sekisho.observe.events import Alarm

RING_SECONDS = 3600.0
MAX_ACCOUNTS = 1000


class Bell:
    """Remembers of which accounts operators know."""

    def __init__(self) -> None:
        self._rung: OrderedDict[str, float] = OrderedDict()

    def ring(self, account: str, reason: str, now: float) -> Alarm | None:
        """The alarm about an account whose mail is held, if it is time for one."""
        if 0 <= now - self._rung.get(account, float("-inf")) < RING_SECONDS:
            return None
        self._rung[account] = now
        self._rung.move_to_end(account)
        if len(self._rung) > MAX_ACCOUNTS:
            self._rung.popitem(last=False)
        hint = (
            f"is it stolen? sekisho user passwd {account}; then look at the held mail:"
            " sekisho queue list --state held; sekisho user unlock lifts the brake"
        )
        return Alarm(f"account {account}", f"its mail is held: {reason}", hint)
