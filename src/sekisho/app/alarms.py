"""The latest alarm of each kind, for `sekisho ping`."""

from sekisho.app.clock import unix_seconds
from sekisho.app.webhook import Webhook
from sekisho.observe.events import Alarm

MAX_ALARMS = 20
"""How many are told, the latest of each kind."""

ALARM_SECONDS = 3600.0
"""How long one is told, unless the matter is settled before."""


class Alarms:
    """What an operator has to look at."""

    def __init__(self, webhook: Webhook | None = None) -> None:
        self._webhook = webhook
        self._by_matter: dict[tuple[str, str], tuple[float, str]] = {}

    def note(self, alarm: Alarm) -> None:
        """Remember an alarm in place of one about the same matter, and pass it on."""
        now, matter = unix_seconds(), (alarm.about, alarm.destination)
        self._by_matter.pop(matter, None)
        self._by_matter[matter] = (now, alarm.detail)
        if self._webhook is not None:
            self._webhook.tell(alarm, now)
        if len(self._by_matter) > MAX_ALARMS:
            del self._by_matter[next(iter(self._by_matter))]

    def settled(self, about: str, destination: str = "") -> None:
        """Forget one: the matter is in order again."""
        self._by_matter.pop((about, destination), None)

    def told(self) -> list[str]:
        """Those of the last hour, in words."""
        since = unix_seconds() - ALARM_SECONDS
        return [
            f"{about}: {detail}"
            for (about, _), (at, detail) in self._by_matter.items()
            if at >= since
        ]
