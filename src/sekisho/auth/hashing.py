"""Password hashes (argon2id), and the small pool of threads that computes them.

A hash takes 15 ms and 19 MiB on purpose. So they are computed off the loop, by few
threads, and no more than a bounded number wait: beyond it the answer is
"unavailable" at once, since a queue without a bound would let whoever guesses
passwords decide how much memory and time we spend. argon2 releases the interpreter
lock while it works.

The threads give way to mail (`_Pace`): a hash that took longer than its work was
beside somebody who wanted the core, and after it the thread rests for twice as long.
So guessers take a sixth of a busy core, and all of an idle one. Why no lower priority
does it: ``docs/decisions/0021-guessing-makes-room-for-mail.md``.

Whoever is `expected` (has signed in from there before) has a lane of his own, and does
not wait behind strangers who guess.
"""

import asyncio
import os
import threading
import time
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from enum import Enum, auto
from functools import partial
from typing import Any, ParamSpec, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

from sekisho.auth.authenticator import AuthUnavailableError

P = ParamSpec("P")
T = TypeVar("T")

_CONTENDED = 1.25
"""So many times its work takes longer, where others want the core."""

_RESTS_PER_CALL = 2.0
_LONGEST_REST_SECONDS = 0.1


class PasswordCheck(Enum):
    """What comparing a password with a hash came to; anything else raises."""

    RIGHT = auto()
    WRONG = auto()


class Hasher:
    """Makes and checks argon2id hashes (RFC 9106).

    Args:
        memory_kib: Memory of one hash. The default, 19 MiB with two passes and one
            lane, is the smallest that OWASP's cheat sheet of 2023 recommends: mail
            clients log in often.
        passes: Over that memory.

    """

    def __init__(self, *, memory_kib: int = 19 * 1024, passes: int = 2) -> None:
        self._argon2 = PasswordHasher(
            time_cost=passes, memory_cost=memory_kib, parallelism=1
        )
        self.decoy = self._argon2.hash(os.urandom(32))
        """Of a password that nobody knows: checked where there is none to check."""

    def hash(self, password: str) -> str:
        """Hash a prepared password with a new salt, in PHC form."""
        return self._argon2.hash(password)

    def check(self, password_hash: str, password: str) -> PasswordCheck:
        """Compare a prepared password with a hash.

        Raises:
            argon2.exceptions.Argon2Error: It could not be compared.

        """
        try:
            matches = self._argon2.verify(password_hash, password)
        except VerifyMismatchError:
            return PasswordCheck.WRONG
        return PasswordCheck.RIGHT if matches is True else PasswordCheck.WRONG


def is_hash(text: str) -> bool:
    """Whether it can be a hash of ours; ``!``, ``*`` and nothing mean "locked"."""
    return text.startswith("$argon2id$")


class _Pace(threading.local):
    """When this thread has rested."""

    rested_at = 0.0

    def call(self, function: Callable[[], T]) -> T:
        """Rest if the last call has earned it, and call."""
        time.sleep(max(0.0, self.rested_at - time.perf_counter()))
        began, worked = time.perf_counter(), time.thread_time()
        try:
            return function()
        finally:
            ended = time.perf_counter()
            took, work = ended - began, time.thread_time() - worked
            if took > _CONTENDED * work:
                rest = min(_RESTS_PER_CALL * took, _LONGEST_REST_SECONDS)
                self.rested_at = ended + rest


_expected: ContextVar[bool] = ContextVar("expected", default=False)


@contextmanager
def expected(*, is_known: bool) -> Generator[None]:
    """Until the end of the block, calls are of somebody who is known or is not."""
    before = _expected.set(is_known)
    try:
        yield
    finally:
        _expected.reset(before)


class _Lane:
    """Threads, and a bounded number of calls waiting for them."""

    def __init__(self, threads: int, waiting: int, *, gives_way: bool) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="hashing")
        self._pace = _Pace() if gives_way else None
        self._waiting = waiting
        self._under_way = 0
        self._lock = threading.Lock()

    def submit(self, function: Callable[[], T]) -> Future[T]:
        if self._under_way >= self._waiting:
            raise AuthUnavailableError("too many passwords are being checked")
        # Counted down when the thread is done, not when its caller gives up:
        # otherwise calls that time out would pile up without a bound.
        call = partial(self._pace.call, function) if self._pace else function
        future = self._executor.submit(call)
        with self._lock:
            self._under_way += 1
        future.add_done_callback(self._ended)
        return future

    def _ended(self, _future: Future[Any]) -> None:
        with self._lock:
            self._under_way -= 1

    def close(self) -> None:
        self._executor.shutdown(wait=True, cancel_futures=True)


class HashingPool:
    """A few threads, and a bounded number of calls waiting for them.

    Args:
        threads: At most so many calls at once, and one more for who is expected.
        waiting: At most so many calls under way or waiting, in either lane. A client
            waits for its answer before it guesses again, so this is about the number
            of clients that can guess at once.
        gives_way: Whether calls of strangers make room for mail; not where they wait
            for somebody else instead of working.

    """

    def __init__(
        self, threads: int = 1, waiting: int = 128, *, gives_way: bool = True
    ) -> None:
        self._strangers = _Lane(threads, waiting, gives_way=gives_way)
        self._expected = _Lane(1, waiting, gives_way=False)

    async def run(
        self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Call it in a thread.

        Raises:
            AuthUnavailableError: Too many calls wait already.

        """
        lane = self._expected if _expected.get() else self._strangers
        call = partial(function, *args, **kwargs)
        return await asyncio.wrap_future(lane.submit(call))

    def close(self) -> None:
        """Let what runs finish, and take no more."""
        self._strangers.close()
        self._expected.close()
