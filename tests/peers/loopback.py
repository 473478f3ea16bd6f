"""Addresses and ports on loopback that no other test, worker or checkout uses.

All of 127.0.0.0/8 is this machine on Linux, so every test can have client and server
addresses of its own: ports need no luck, port 25 is free, and what a service
remembers of one address (lockout, quotas, sessions) does not reach the next test.
"""

import itertools
import os
import secrets
import socket

_networks = itertools.count()


def fresh_network() -> str:
    """Give the first three octets of a /24 of 127.0.0.0/8, each time another."""
    start = int.from_bytes(os.getpid().to_bytes(4, "big")) * 97
    number = (start + next(_networks)) % 62_000 + 1_000
    return f"127.{number >> 8}.{number & 255}"


def fresh_address() -> str:
    """Give an address in a /24 of its own."""
    return f"{fresh_network()}.25"


def free_port(address: str = "127.0.0.1") -> int:
    """Give a TCP port that nothing listens on at `address` now.

    Below those that the system gives to outgoing connections (from 32768 on), else
    one of the many clients here may have it before the server that it is meant for.
    """
    for _ in range(200):
        port = 10_000 + secrets.randbelow(22_000)
        try:
            socket.create_server((address, port)).close()
        except OSError:
            continue
        return port
    raise OSError("no free port")
