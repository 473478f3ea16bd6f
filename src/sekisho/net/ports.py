"""Ports: bound by one process, and served by others."""

import socket

BACKLOG = 1024
"""Connections that wait to be taken, a port."""


def bind(host: str, port: int, *, reuse_port: bool = False) -> socket.socket:
    """Bind a port; with `reuse_port` others of our user may bind it too.

    An IPv6 socket takes IPv6 alone: with IPv4-mapped addresses on it, one client would
    have two spellings.

    Raises:
        OSError: The address cannot be bound.

    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        bound.bind((host, port))
        bound.setblocking(False)  # noqa: FBT003 - the standard library's signature
    except OSError:
        bound.close()
        raise
    return bound
