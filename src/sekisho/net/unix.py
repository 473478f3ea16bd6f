"""Unix sockets: their names, however deep, and who is at their other end."""

import os
import pwd
import socket
import struct
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

MAX_SOCKET_NAME_BYTES = 107
"""What ``sockaddr_un`` holds, its closing zero aside."""


@contextmanager
def reachable_socket(path: Path) -> Generator[str]:
    """Give a name of the socket that fits the kernel's 107 octets.

    A longer path is reached through an open descriptor of its folder.

    Raises:
        OSError: The folder cannot be opened.

    """
    if len(os.fsencode(path)) <= MAX_SOCKET_NAME_BYTES:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def peer_user(descriptor: int) -> int:
    """Ask the kernel for the user id at the other end of a Unix socket.

    Args:
        descriptor: The socket's; it stays open.

    Raises:
        OSError: It is no such socket.

    """
    with socket.socket(fileno=os.dup(descriptor)) as peer:
        credentials = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    _, uid, _ = struct.unpack("iII", credentials)
    return uid


def user_name(uid: int) -> str:
    """The name of a user of this machine, or the number where it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
