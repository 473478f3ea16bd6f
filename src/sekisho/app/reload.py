"""Another configuration while the service runs (SIGHUP, ``sekisho reload``).

It is read and checked as at the start. One that is broken changes nothing, and an alarm
tells what is wrong and where. What cannot be changed while running is kept as it was,
and named.
"""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

from sekisho.app.bulletin import Bulletin
from sekisho.app.certificate import read_pair
from sekisho.app.checked import check, read_config
from sekisho.app.control import Refusal
from sekisho.app.notify import Notify
from sekisho.app.orders import Settings
from sekisho.app.ports import Moved, Ports
from sekisho.app.renewal import CERTIFICATE
from sekisho.app.supervisor import Supervisor
from sekisho.config.problems import ConfigErrors
from sekisho.config.schema import Config
from sekisho.config.values import service_limits
from sekisho.net.tls import TlsFilesError

CONFIGURATION = "configuration"
"""What its alarm is about."""

_STAYS = "what held before still holds"
_MAX_PROBLEMS = 5

_FIXED: Mapping[str, Callable[[Config], object]] = {
    "data_dir": lambda config: config.data_dir,
    "workers": lambda config: config.workers,
    "user": lambda config: config.user,
    "[observe]": lambda config: config.observe,
}
"""Keys that are kept until the next start."""

_PARTLY_FIXED: Mapping[str, Callable[[Config], object]] = {
    "[limits] min_free_bytes": lambda config: service_limits(config).min_free_bytes,
    "[delivery] max_connections_per_destination": (
        lambda config: config.delivery.max_connections_per_destination
    ),
}
"""Single keys that running parts took when they were made."""


class Reloader:
    """Reads again, one at a time."""

    def __init__(
        self,
        path: Path,
        supervisor: Supervisor,
        ports: Ports,
        bulletin: Bulletin,
        notify: Notify,
        done: Callable[[], None],
    ) -> None:
        """Prepare; `done` is called after each change of the configuration."""
        self._path = path
        self._supervisor = supervisor
        self._ports = ports
        self._bulletin = bulletin
        self._notify = notify
        self._done = done
        self._one_at_a_time = asyncio.Lock()

    async def reload(self) -> list[str]:
        """Go by the file as it is now.

        Returns:
            What has to wait for a restart.

        Raises:
            Refusal: It cannot be used, and nothing has changed.

        """
        async with self._one_at_a_time:
            self._notify.reloading()
            try:
                settings, moved, fixed = await self._read()
            except Refusal as refusal:
                hint = f"{_STAYS}; {refusal.hint}" if refusal.hint else _STAYS
                self._bulletin.alarm(CONFIGURATION, refusal.sentence, hint)
                self._notify.ready("the new configuration is broken, the old one holds")
                raise
            await self._supervisor.change(settings, moved, fixed)
            self._done()
            self._bulletin.settled(CONFIGURATION)
            self._bulletin.settled(CERTIFICATE)
            if fixed:
                detail = f"changed, but kept until the next start: {', '.join(fixed)}"
                self._bulletin.alarm(CONFIGURATION, detail, "restart the service")
            return fixed

    async def renew(self) -> None:
        """Have the workers take a renewed certificate; all else stays."""
        async with self._one_at_a_time:
            config = self._supervisor.config
            if config.tls is None:
                return
            try:
                pair = read_pair(config.tls, config.listeners)
            except TlsFilesError as error:
                hint = f"the old certificate is still used; {error.hint}"
                self._bulletin.alarm(CERTIFICATE, str(error), hint)
                return
            await self._supervisor.change(Settings(config, pair), Moved({}, {}), [])
            self._bulletin.settled(CERTIFICATE)

    async def _read(self) -> tuple[Settings, Moved, list[str]]:
        before = self._supervisor.config
        try:
            read = await asyncio.to_thread(read_config, self._path)
        except ConfigErrors as errors:
            raise _refusal(errors) from errors
        fixed = _changed(_FIXED, before, read) + _changed(_PARTLY_FIXED, before, read)
        kept = ("data_dir", "workers", "user", "observe")
        config = read.model_copy(update={key: getattr(before, key) for key in kept})
        settings = await asyncio.to_thread(check, config)
        return settings, self._ports.bind(config), fixed


def _changed(
    keys: Mapping[str, Callable[[Config], object]], before: Config, after: Config
) -> list[str]:
    return [name for name, of in keys.items() if of(before) != of(after)]


def _refusal(errors: ConfigErrors) -> Refusal:
    problems = [str(one) for one in errors.problems]
    more = len(problems) - _MAX_PROBLEMS
    shown = problems[:_MAX_PROBLEMS] + ([f"and {more} more"] if more > 0 else [])
    return Refusal("; ".join(shown), "sekisho check shows all of it")
