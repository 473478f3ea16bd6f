"""What the mail servers of others have in common, as next hosts of ours."""

import shutil
import socket
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from peers.certificate import make_certificate
from peers.loopback import free_port
from peers.namespace import in_namespace, require_server, run_in_namespace
from peers.process import STARTUP_SECONDS, Finished, Process, wait_for

HOSTNAME = "next.test"


class MailServer:
    """A mail server that takes mail for anybody and puts it into one Maildir.

    A subclass writes its configuration under `folder` (``/mnt/run`` in there) and
    names its program.
    """

    package: str
    binds: Mapping[str, str]
    """Compiled-in path → where it is to lead."""
    program: tuple[str, ...]

    def __init__(self, folder: Path, *, address: str = "127.0.0.1") -> None:
        require_server(self.package)
        self.folder = folder
        self.address = address
        self.port = free_port(address)
        folder.mkdir(parents=True)
        folder.chmod(0o755)
        self.certificate = make_certificate(folder / "tls", HOSTNAME, address)
        self.configure()
        self.process: Process = in_namespace(
            folder,
            binds=self.binds,
            arguments=self.program,
            log=folder / "output.txt",
        )

    def configure(self) -> None:
        """Write the configuration."""
        raise NotImplementedError

    def write(self, name: str, text: str, *, mode: int = 0o644) -> Path:
        """Write a file under `folder`."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
        return path

    def make_folder(self, name: str, *, owner: str = "root") -> Path:
        """Make a folder under `folder`."""
        path = self.folder / name
        path.mkdir(parents=True)
        shutil.chown(path, owner)
        return path

    def run(self, *arguments: str, data: bytes = b"") -> Finished:
        """Run one of its commands beside it."""
        return run_in_namespace(
            self.folder, binds=self.binds, arguments=arguments, data=data
        )

    @property
    def url(self) -> str:
        """The route that leads here."""
        return f"smtp://{self.address}:{self.port}"

    def log(self) -> str:
        """All that it has written for people."""
        files = [self.folder / "output.txt", *sorted(self.folder.glob("log/*"))]
        return "\n".join(
            file.read_text(errors="replace") for file in files if file.is_file()
        )

    def messages(self) -> list[bytes]:
        """What arrived, as files of a Maildir hold it: with LF line ends."""
        arrived = sorted(self.folder.glob("mail/**/new/*"))
        return [file.read_bytes() for file in arrived]

    def wait_for_messages(self, count: int, seconds: float = 15.0) -> list[bytes]:
        """Wait until so many messages have arrived."""

        def arrived() -> bool:
            self.process.assert_alive()
            return len(self.messages()) >= count

        wait_for(f"{count} messages at {self.package}", arrived, seconds)
        return self.messages()

    def _greets(self) -> bool:
        self.process.assert_alive()
        try:
            with socket.create_connection((self.address, self.port), 5) as stream:
                greeting = stream.recv(512)
                stream.sendall(b"QUIT\r\n")
                stream.recv(512)
                return greeting.startswith(b"220")
        except OSError:
            return False

    def __enter__(self) -> Self:
        """Start it and wait for its greeting."""
        self.process.start()
        try:
            wait_for(f"{self.package}'s greeting", self._greets, STARTUP_SECONDS)
        except BaseException:
            self.process.kill()
            print(self.log()[-4000:])  # noqa: T201 - pytest shows it with the failure
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End it and all that it started."""
        self.process.kill()
        if kind is not None:
            print(f"--- {self.package}\n{self.log()[-4000:]}")  # noqa: T201 - as above
