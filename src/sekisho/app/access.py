"""What a user could not do as whom the service is to run (``sekisho check --as``).

The kernel is asked: a child process becomes that user and tries. Reading permission
bits would miss access lists, folders on the way and read-only file systems.
"""

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from sekisho.app.authenticators import read_authorities_asked
from sekisho.app.certificate import read_pair
from sekisho.app.control import Refusal
from sekisho.app.keytabs import read_keytabs_asked
from sekisho.app.privileges import Owner, become, user_named
from sekisho.config.load import load_config
from sekisho.config.problems import ConfigErrors
from sekisho.config.schema import Config
from sekisho.net.tls import TlsFilesError

_FIRST_FREE_PORT = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")
_USUAL_FIRST_FREE_PORT = 1024
_MAX_TOLD_BYTES = 1024 * 1024


def lacking(config: Config, config_file: Path, name: str) -> list[str]:
    """What this user lacks, in sentences.

    Raises:
        Refusal: There is no such user, or we may not become him to try.

    """
    owner = user_named(name)
    if os.geteuid() not in (0, owner.uid):
        sentence = f"only root and {name} can try what {name} may do"
        raise Refusal(sentence, "run it with sudo")
    return _as_user(owner, lambda: _files(config, config_file))


def privileged_ports(config: Config) -> list[str]:
    """What ports of the configuration ask for, in sentences."""
    first = _first_free_port()
    privileged = sorted(
        {
            address.port
            for listener in config.listeners
            for address in listener.bind
            if 0 < address.port < first
        }
    )
    if not privileged:
        return []
    ports = ", ".join(map(str, privileged))
    return [
        f"ports below {first} ({ports}): start as root (it becomes the user once they "
        "are bound), by socket activation, or with CAP_NET_BIND_SERVICE"
    ]


def _as_user(owner: Owner, tell: Callable[[], Iterator[str]]) -> list[str]:
    """Run something as a user, in a child."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        child = os.fork()
        if child == 0:
            _tell_and_end(owner, tell, theirs)
        theirs.close()
        told = b"".join(iter(lambda: ours.recv(_MAX_TOLD_BYTES), b""))
        os.waitpid(child, 0)
    if not told:
        raise Refusal(f"nothing can be tried as {owner.name}")
    return msgspec.json.decode(told, type=list[str])


def _tell_and_end(
    owner: Owner, tell: Callable[[], Iterator[str]], out: socket.socket
) -> None:
    try:
        if os.geteuid() != owner.uid:
            become(owner)
        out.sendall(msgspec.json.encode([*tell()]))
    finally:
        os._exit(0)  # Nothing of the parent's is to be cleaned up twice.


def _files(config: Config, config_file: Path) -> Iterator[str]:
    try:
        # With it, secrets and lists in files of their own.
        load_config(config_file, os.environ)
    except ConfigErrors as errors:
        yield from map(str, errors.problems)
    if config.tls is not None:
        try:
            read_pair(config.tls, config.listeners)
        except TlsFilesError as error:
            yield str(error)
    yield from _asked(config)
    yield from _data(config.data_dir)
    folder = (config.sendmail.socket or config.data_dir / "-").parent
    if folder != config.data_dir and not _can(folder, os.W_OK | os.X_OK):
        yield f"{folder} cannot be written: [sendmail] socket is not moved at a reload"


def _asked(config: Config) -> Iterator[str]:
    """What authenticators read."""
    for read in (read_authorities_asked, read_keytabs_asked):
        try:
            read(config)
        except (Refusal, TlsFilesError) as error:
            yield str(error)


def _data(folder: Path) -> Iterator[str]:
    if not folder.exists():
        return  # It is made, and given to him, at the first start.
    if not _can(folder, os.R_OK | os.W_OK | os.X_OK):
        yield f"{folder} cannot be written: the service will not start"
        return
    for path in sorted(folder.rglob("*")):
        wanted = os.R_OK | os.W_OK | (os.X_OK if path.is_dir() else 0)
        if not path.is_socket() and not _can(path, wanted):
            yield f"{path} cannot be read and written: chown -R it"


def _can(path: Path, wanted: int) -> bool:
    try:
        return os.access(path, wanted)
    except OSError:
        return False


def _first_free_port() -> int:
    try:
        return int(_FIRST_FREE_PORT.read_text())
    except (OSError, ValueError):
        return _USUAL_FIRST_FREE_PORT
