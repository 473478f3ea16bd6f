"""The service under test: its configuration, its accounts, its process, its log.

It is run as its users run it: by the installed command, from one TOML file.
"""

import datetime as dt
import json
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

import pytest

from peers.certificate import Certificate, make_certificate
from peers.dialogue import Dialogue
from peers.process import Finished, Process, run, wait_for

COMMAND = Path(sys.executable).with_name("sekisho")
HOSTNAME = "relay.test"
OWN = "own.test"
"""The own domain of `plain_settings`."""

STARTUP_SECONDS = 20.0
LOG_SECONDS = 0.03
"""After so long what has happened stands in the log, which gathers lines for 10 ms."""

Settings = dict[str, Any]

_MADE: dict[tuple[str, ...], bytes] = {}
"""Files of accounts, as the command made them for the first who wanted one."""


def require_service() -> None:
    """Skip the test where the command is not installed."""
    if not COMMAND.exists():
        pytest.skip(f"{COMMAND} is not there: run make install")


def _value(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case dt.date():
            return value.isoformat()
        case str() | Path():
            return json.dumps(str(value), ensure_ascii=False)
        case dict():
            pairs = cast("dict[str, Any]", value)
            return (
                "{ " + ", ".join(f"{k} = {_value(v)}" for k, v in pairs.items()) + " }"
            )
        case list():
            return "[" + ", ".join(map(_value, cast("list[Any]", value))) + "]"
        case _:
            raise TypeError(f"TOML has no {value!r}")


def as_toml(settings: Settings) -> str:
    """Write settings as TOML: what is a table in design §8 becomes one here."""
    top: list[str] = []
    tables: list[str] = []

    def table(header: str, content: dict[str, Any]) -> None:
        lines = [f"{key} = {_value(value)}" for key, value in content.items()]
        tables.append("\n".join(["", header, *lines]))

    for key, value in settings.items():
        match value:
            case [{}, *_]:
                for each in cast("list[dict[str, Any]]", value):
                    table(f"[[{key}]]", each)
            case dict() if key in ("domains", "smarthost"):
                for name, each in cast("dict[str, dict[str, Any]]", value).items():
                    table(f"[{key}.{json.dumps(name)}]", each)
            case dict():
                table(f"[{key}]", cast("dict[str, Any]", value))
            case _:
                top.append(f"{key} = {_value(value)}")
    return "\n".join([*top, *tables]) + "\n"


NO_AUDIT: Settings = {"audit": {"enabled": False}}
"""Hundreds of services are started by tests; those of the audit switch it on."""


def plain_settings(world: str, *, own: str = "", workers: int = 1) -> Settings:
    """A relay as many have it: two listeners, an own domain, a grant, a default route.

    Args:
        world: Where mail of all other domains goes (``via``).
        own: Where mail of the own domain goes; `world` if empty.
        workers: Two where the test is about what workers share or how they end.

    """
    return {
        "hostname": HOSTNAME,
        "data_dir": "data",
        "workers": workers,
        "listener": [
            {"name": "mx", "role": "mx", "bind": ["127.0.0.1:0"]},
            {"name": "submission", "role": "submission", "bind": ["127.0.0.1:0"]},
        ],
        "tls": {"certificate": "cert.pem", "key": "key.pem"},
        "authenticator": [{"kind": "local"}],
        "domains": {
            OWN: {"route": own or world, "recipients": [f"known@{OWN}", f"user@{OWN}"]}
        },
        "grant": [{"name": "staff", "who": ["authenticated"]}],
        "route": [{"to": "*", "via": world}],
    }


class Service:
    """`sekisho serve` in a folder of its own, from `__enter__` to `__exit__`.

    Leaving the block ends it with SIGTERM and wants exit status 0 and no traceback,
    unless it was killed on purpose.

    Args:
        folder: Everything of it.
        settings: The configuration (design §8); relative paths lead into `folder`.
        resolver: An ``/etc/resolv.conf`` of its own (needs root).
        within: A command that runs another one: the service is started by it.
        variables: Added to its environment.

    """

    USER, PASSWORD = "user@own.test", "correct horse battery staple"

    def __init__(
        self,
        folder: Path,
        settings: Settings,
        *,
        resolver: str = "",
        within: Sequence[str | Path] = (),
        variables: Mapping[str, str] | None = None,
    ) -> None:
        require_service()
        self._variables = dict(variables or {})
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.settings = settings
        self.configuration = folder / "sekisho.toml"
        self.log_file = folder / "log.jsonl"
        self.errors = folder / "stderr.txt"
        self.certificate: Certificate = make_certificate(folder, HOSTNAME, "127.0.0.1")
        self.configuration.write_text(as_toml({**NO_AUDIT, **settings}))
        prefix: list[str | Path] = [*within]
        if resolver:
            own = folder / "resolv.conf"
            own.write_text(resolver)
            mount = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'
            prefix = ["unshare", "-m", "sh", "-c", mount, str(own)]
        self.process = Process(
            [*prefix, COMMAND, "serve", "-c", self.configuration],
            log=self.errors,
            separate_output=self.log_file,
            environment=self.environment,
            folder=folder,
        )
        self._log_offset = 0
        self._addresses: dict[str, list[str]] = {}
        self._killed = False

    # -- commands ---------------------------------------------------------------------

    @property
    def environment(self) -> dict[str, str]:
        """Where any command finds this configuration.

        ``SEKISHO_…`` variables override keys, so none of the machine's own come along.
        """
        clean = {k: v for k, v in os.environ.items() if not k.startswith("SEKISHO_")}
        named = {"SEKISHO_CONFIG": str(self.configuration)}
        return {**clean, **named, **self._variables}

    def run(self, *arguments: str, data: bytes = b"") -> Finished:
        """Run one of the service's other commands."""
        return run(
            [COMMAND, *arguments],
            data=data,
            environment=self.environment,
            folder=self.folder,
        )

    def add_user(
        self, name: str = USER, password: str = PASSWORD, addresses: Sequence[str] = ()
    ) -> None:
        """Make an account with `sekisho user add`, or take what it made before."""
        options = [part for address in addresses for part in ("--address", address)]
        arguments = ["user", "add", name, *options, "--password-file", "-"]
        first = self._accounts_of_one(*arguments, password)
        if first in _MADE:
            self._accounts.parent.mkdir(mode=0o700)
            self._accounts.touch(mode=0o600)
            self._accounts.write_bytes(_MADE[first])
            return
        self.run(*arguments, data=password.encode()).well()
        if first:
            _MADE[first] = self._accounts.read_bytes()

    @property
    def _accounts(self) -> Path:
        return self.folder / str(self.settings["data_dir"]) / "accounts.db"

    def _accounts_of_one(self, *made_by: str) -> tuple[str, ...]:
        """What a file of accounts that is not there yet will be the same as."""
        listeners = self.settings["listener"]
        if self._accounts.parent.exists() or any("mechanisms" in x for x in listeners):
            return ()  # Which keys are made depends on what is offered.
        return made_by

    # -- running ----------------------------------------------------------------------

    def events(self, name: str = "", **fields: object) -> list[dict[str, Any]]:
        """What has happened so far, of this name and with these fields."""
        time.sleep(LOG_SECONDS)
        return self._logged(name, **fields)

    def _logged(self, name: str = "", **fields: object) -> list[dict[str, Any]]:
        """What stands in its log at this moment."""
        found: list[dict[str, Any]] = []
        raw = self.log_file.read_bytes() if self.log_file.exists() else b""
        for line in raw.split(b"\n")[:-1]:
            event: dict[str, Any] = json.loads(line)
            if name in ("", event.get("event")) and all(
                event.get(key) == value for key, value in fields.items()
            ):
                found.append(event)
        return found

    def wait_for_event(
        self, name: str, *, seconds: float = 10.0, **fields: object
    ) -> dict[str, Any]:
        """Wait until such an event is in the log; the first of them."""

        def look() -> dict[str, Any] | None:
            self.process.assert_alive()
            found = self._logged(name, **fields)
            return found[0] if found else None

        return wait_for(f"the event {name} {fields}", look, seconds)

    def wait_until_idle(self, seconds: float = 10.0) -> None:
        """Wait until everything that was taken has left the queue."""

        def idle() -> bool:
            taken = {event["message"] for event in self.events("mail.accepted")}
            taken |= {event["report"] for event in self._logged("message.reported")}
            done = {event["message"] for event in self._logged("message.finished")}
            return taken <= done

        wait_for("an empty queue", idle, seconds)

    def start(self) -> Self:
        """Start it and wait until it says that it is ready."""
        already = len(self._logged("service.ready"))
        self._killed = False
        self.process.start()

        def ready() -> dict[str, Any] | None:
            self.process.assert_alive()
            found = self._logged("service.ready")
            return found[already] if len(found) > already else None

        try:
            event = wait_for("service.ready", ready, STARTUP_SECONDS)
        except BaseException:
            self.process.kill()
            print(self.story())  # noqa: T201 - pytest shows it with the failure
            raise
        self._addresses = event["listeners"]
        return self

    def address(self, listener: str) -> tuple[str, int]:
        """Where a listener is bound."""
        host, _, port = self._addresses[listener][0].rpartition(":")
        return host.strip("[]"), int(port)

    def dial(
        self, listener: str, *, source: str = "127.0.0.1", greeting: bool = True
    ) -> Dialogue:
        """Connect to a listener."""
        host, port = self.address(listener)
        return Dialogue(host, port, source=source, greeting=greeting)

    def signed_in(self, *, source: str = "127.0.0.1") -> Dialogue:
        """Connect to the submission listener as the first user."""
        dialogue = self.dial("submission", source=source)
        try:
            dialogue.starttls()
            answer = dialogue.login(self.USER, self.PASSWORD)
            assert answer.code == 235, answer
        except BaseException:
            dialogue.close()
            raise
        return dialogue

    def workers(self) -> dict[int, int]:
        """The process of each worker, by its number, as the log has them."""
        started = self.events("worker.started")
        return {one["worker"]: one["pid"] for one in started}

    def kill_worker(self, number: int) -> None:
        """End a worker as the kernel does when memory is out."""
        os.kill(self.workers()[number], signal.SIGKILL)

    def wait_for_worker(self, number: int, *, after: int) -> int:
        """Wait until a worker is replaced, and give the new process.

        Args:
            number: The worker's.
            after: The process it was.

        """

        def look() -> int:
            now = self.workers().get(number, after)
            return now if now != after else 0

        return wait_for(f"a new worker {number}", look, STARTUP_SECONDS)

    def change(self, settings: Settings) -> None:
        """Write another configuration; it holds after a reload."""
        self.settings = settings
        self.configuration.write_text(as_toml({**NO_AUDIT, **settings}))

    def kill(self) -> None:
        """End it as a power cut would."""
        self._killed = True
        self.process.kill()

    def reload(self) -> None:
        """Ask it to read its configuration again."""
        self.process.signal(signal.SIGHUP)

    def stop(self) -> None:
        """End it well, and want it to end well."""
        status = self.process.stop()
        errors = self.process.output()
        assert "Traceback" not in errors, errors[-4000:]
        assert status == 0, f"exit {status}: {errors[-4000:]}"

    def queue(self) -> list[dict[str, Any]]:
        """What `sekisho queue list --json` says."""
        listed: list[dict[str, Any]] = json.loads(
            self.run("queue", "list", "--json").well().output
        )
        return listed

    def story(self) -> str:
        """Configuration, log and errors, for a failed test."""
        log = self.log_file.read_text()[-6000:] if self.log_file.exists() else ""
        return "\n".join(
            [
                "--- configuration",
                self.configuration.read_text(),
                "--- log",
                log,
                "--- stderr",
                self.process.output()[-4000:],
            ]
        )

    def __enter__(self) -> Self:
        """Start it."""
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End it, whatever happened."""
        if self._killed:
            return
        if kind is not None:
            self.process.stop()
            print(self.story())  # noqa: T201 - pytest shows it with the failure
            return
        try:
            self.stop()
        except AssertionError:
            print(self.story())  # noqa: T201 - as above
            raise
