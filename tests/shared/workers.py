"""Other workers for these tests: real processes that do what a worker does."""

import subprocess
import sys
from pathlib import Path
from typing import Self

BEGIN = """
import sys
from ipaddress import ip_address
from pathlib import Path
from sekisho.auth.lockout import Lockout, LockoutRules
from sekisho.model.facts import QuotaKey
from sekisho.model.outcome import Cause, Deferred
from sekisho.model.reply import reply
from sekisho.server.counters import ClientCounters, QuotaCounters
from sekisho.shared.counts import SharedCounts
from sekisho.shared.destinations import Down, SharedDestinations
from sekisho.shared.failures import SharedFailures
from sekisho.shared.quotas import SharedShelf
from sekisho.shared.store import SharedStore
folder = Path(sys.argv[1])
store = SharedStore(folder / "shared.db")
"""


class OtherWorker:
    """A process that runs some lines, says what they printed, and waits to be ended."""

    def __init__(self, folder: Path, *lines: str) -> None:
        code = "\n".join([BEGIN, *lines, "sys.stdin.read()"])
        self._process = subprocess.Popen(
            [sys.executable, "-c", code, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def said(self) -> str:
        """Its next line."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline().strip()
        assert line, "the other worker ended early"
        return line

    def kill(self) -> None:
        """End it as the kernel does when memory is short."""
        self._process.kill()
        self._process.communicate()

    def end(self) -> None:
        """Let it end by itself."""
        self._process.communicate("")
        assert self._process.returncode == 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
