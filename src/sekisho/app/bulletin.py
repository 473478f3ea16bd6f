"""What is seen of the supervisor: its lines in the log, its metrics, its alarms."""

from sekisho.app.alarms import Alarms
from sekisho.app.clock import unix_seconds
from sekisho.app.watch import STDOUT
from sekisho.app.webhook import MATTER, WEBHOOK_HINT, webhook_of
from sekisho.config.schema import Config
from sekisho.observe.events import Alarm, Event
from sekisho.observe.log import Log, LogFormat, in_turn
from sekisho.observe.metrics import Metrics


class Bulletin:
    """Where the supervisor writes down what happens to the service."""

    def __init__(self, config: Config, log_lock: int) -> None:
        self._log = Log(in_turn(STDOUT, log_lock), LogFormat(config.observe.log))
        self._alarms = Alarms(
            webhook_of(config, lambda why: self.alarm(MATTER, why, WEBHOOK_HINT))
        )
        self.metrics = Metrics()

    def emit(self, event: Event) -> None:
        """Write an event down."""
        if isinstance(event, Alarm):
            self._alarms.note(event)
        self.metrics.count(event)
        self._log.emit(event, unix_seconds())

    def alarm(self, about: str, detail: str, hint: str) -> None:
        """Tell an operator."""
        self.emit(Alarm(about, detail, hint))

    def settled(self, about: str) -> None:
        """Take an alarm back: the matter is in order again."""
        self._alarms.settled(about)

    def alarms(self) -> list[str]:
        """What an operator has to look at."""
        return self._alarms.told()
