"""Samba's own NTLM client: its half of an exchange, as lines."""

import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from peers.dialogue import Dialogue, Reply
from peers.namespace import require_program

VERSION_1 = ("--option=client ntlmv2 auth=no",)


class NtlmClient:
    """One exchange.

    Args:
        configuration: An ``smb.conf``.
        user: Who signs in.
        password: With this.
        domain: Of this domain.
        options: More options of ``ntlm_auth``.

    """

    def __init__(
        self,
        configuration: Path,
        user: str,
        password: str,
        domain: str,
        options: Sequence[str] = (),
    ) -> None:
        self._arguments = [
            require_program("ntlm_auth"),
            f"--configfile={configuration}",
            "--helper-protocol=ntlmssp-client-1",
            f"--username={user}",
            f"--password={password}",
            f"--domain={domain}",
            "--workstation=PRINTER",
            *options,
        ]

    def sign_in(self, dialogue: Dialogue) -> Reply:
        """Carry out AUTH NTLM; the last reply."""
        reply = dialogue.say(f"AUTH NTLM {self._ask('YR')}")
        if reply.code == 334:
            reply = dialogue.say(self._ask(f"TT {reply.lines[-1]}"))
        return reply

    def _ask(self, line: str) -> str:
        assert self._running.stdin is not None
        assert self._running.stdout is not None
        self._running.stdin.write(line + "\n")
        self._running.stdin.flush()
        return self._running.stdout.readline().split()[1]

    def __enter__(self) -> Self:
        self._running = subprocess.Popen(
            self._arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._running:
            self._running.kill()
