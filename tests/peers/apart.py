"""A second network namespace, from which this machine looks like a server elsewhere.

Mail servers trust loopback and, some of them, every address of their own. Whoever asks
from here comes over a wire, from an address that nothing trusts.
"""

import asyncio
import ctypes
import os
import shutil
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import pytest

from peers.process import run

_Result = TypeVar("_Result")
_NETWORK = 0x40000000
"""CLONE_NEWNET."""


class Apart:
    """The other end of a pair of wires, from `__enter__` to `__exit__`.

    Attributes:
        here: Our address on the wire; servers listen there.
        there: The stranger's.

    """

    def __init__(self) -> None:
        if os.geteuid() != 0 or not shutil.which("ip"):
            pytest.skip("a network namespace needs root and iproute2")
        number = os.getpid()
        # RFC 2544's addresses for benchmarks: nobody has them.
        net = f"198.18.{number // 64 % 256}.{number % 64 * 4}"
        start, _, last = net.rpartition(".")
        self.here = f"{start}.{int(last) + 1}"
        self.there = f"{start}.{int(last) + 2}"
        self._name = f"apart{number}"
        self._near, self._far = f"an{number}", f"af{number}"

    def __enter__(self) -> Self:
        """Lay the wire."""
        self._ip("netns", "add", self._name)
        self._ip("link", "add", self._near, "type", "veth", "peer", self._far)
        self._ip("link", "set", self._far, "netns", self._name)
        self._ip("address", "add", f"{self.here}/30", "dev", self._near)
        self._ip("link", "set", self._near, "up")
        inside = ("-n", self._name)
        self._ip(*inside, "address", "add", f"{self.there}/30", "dev", self._far)
        self._ip(*inside, "link", "set", self._far, "up")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Take it away; the other end of a pair goes with the first."""
        run(["ip", "link", "delete", self._near])
        run(["ip", "netns", "delete", self._name])

    def _ip(self, *words: str) -> None:
        finished = run(["ip", *words])
        if finished.status != 0:
            pytest.skip(f"no network namespace can be made: {finished}")

    def run(self, work: Callable[[], Awaitable[_Result]]) -> _Result:
        """Run it there: a socket belongs to the namespace of its thread."""

        async def awaited() -> _Result:
            return await work()

        def inside() -> _Result:
            libc = ctypes.CDLL(None, use_errno=True)
            with Path("/run/netns", self._name).open("rb") as namespace:
                if libc.setns(namespace.fileno(), _NETWORK) != 0:
                    raise OSError(ctypes.get_errno(), "setns")
            return asyncio.run(awaited())

        # A thread of its own: it cannot come back.
        with ThreadPoolExecutor(max_workers=1) as thread:
            return thread.submit(inside).result()
