"""Postfix's load generator and sink: ``smtp-source`` and ``smtp-sink``."""

import os
import socket
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from peers.loopback import free_port
from peers.namespace import ROOT, require_server
from peers.process import Finished, Process, run, wait_for

_TOOLS = ROOT / "postfix" / "usr" / "sbin"
_LIBRARIES = {"LD_LIBRARY_PATH": str(ROOT / "postfix" / "usr" / "lib" / "postfix")}


def smtp_source(target: str, *options: str) -> Finished:
    """Send mail with `smtp-source` to ``ADDRESS:PORT``."""
    require_server("postfix")
    environment = {**os.environ, **_LIBRARIES}
    return run([_TOOLS / "smtp-source", *options, target], environment=environment)


class SmtpSink:
    """`smtp-sink`, one file for each message it took."""

    def __init__(self, folder: Path, options: Sequence[str] = ()) -> None:
        require_server("postfix")
        self.address, self.port = "127.0.0.1", free_port()
        # As root it wants to become somebody else before it writes, so the folder
        # must be reachable for that user: one of ours beside the others would not be.
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        user = ["-u", "root"] if os.geteuid() == 0 else []
        self.process = Process(
            [
                _TOOLS / "smtp-sink",
                *user,
                *("-d", "message."),
                *options,
                f"{self.address}:{self.port}",
                "64",
            ],
            log=folder / "log.txt",
            environment={**os.environ, **_LIBRARIES},
            folder=folder,
        )

    @property
    def url(self) -> str:
        """The route that leads here."""
        return f"smtp://{self.address}:{self.port}"

    def wait_until_ready(self) -> None:
        """Wait for its greeting."""

        def greets() -> bool:
            self.process.assert_alive()
            try:
                with socket.create_connection((self.address, self.port), 5) as stream:
                    return stream.recv(512).startswith(b"220")
            except OSError:
                return False

        wait_for("smtp-sink's greeting", greets)

    def messages(self) -> list[bytes]:
        """Each dump: envelope lines, then the message, with LF line ends."""
        return [file.read_bytes() for file in sorted(self.folder.glob("message.*"))]

    def wait_for_messages(self, count: int, seconds: float = 10.0) -> list[bytes]:
        """Wait until so many messages are whole."""

        def whole() -> bool:
            self.process.assert_alive()
            found = self.messages()
            return len(found) >= count and not self._writing()

        wait_for(f"{count} messages at smtp-sink", whole, seconds)
        return self.messages()

    def _writing(self) -> bool:
        """Whether it has a dump open: the 250 goes out before the file is closed."""
        opened: set[str] = set()
        for each in Path(f"/proc/{self.process.running.pid}/fd").iterdir():
            with suppress(FileNotFoundError):  # closed since it was listed
                opened.add(str(each.readlink()))
        return any(
            str(dump.resolve()) in opened for dump in self.folder.glob("message.*")
        )
