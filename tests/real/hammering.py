"""People who guess passwords, and one who mails meanwhile, as processes of their own.

In processes, as clients are other machines: what they do themselves must not hold up
those who measure.
"""

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

from peers.dialogue import Dialogue
from peers.loopback import fresh_address

CLIENTS = 50
if TYPE_CHECKING:
    from multiprocessing.sharedctypes import Synchronized

_CONTEXT = multiprocessing.get_context("spawn")
Address = tuple[str, int]
Counter: TypeAlias = "Synchronized[int]"


class Guessers:
    """Fifty clients that guess as fast as they are answered, while they may run.

    Args:
        address: Of the listener.
        name: The account whose password is guessed.
        source: Where all of them come from; each session from elsewhere if empty.

    """

    def __init__(self, address: Address, name: str, source: str = "") -> None:
        self.guesses: Counter = _CONTEXT.Value("L", 0)
        self._process = _CONTEXT.Process(
            target=_guess, args=(address, name, source, self.guesses), daemon=True
        )

    def go(self) -> None:
        """Let them guess."""
        self._signal(signal.SIGCONT)

    def halt(self) -> None:
        """Stop them where they are."""
        self._signal(signal.SIGSTOP)

    def _signal(self, number: int) -> None:
        assert self._process.pid is not None
        os.kill(self._process.pid, number)

    def start(self) -> None:
        """Begin."""
        self._process.start()

    def end(self) -> None:
        """End."""
        self._process.kill()
        self._process.join()


class Sender:
    """Some verified sessions that mail as fast as they are answered."""

    def __init__(self, address: Address, user: str, password: str, sessions: int):
        self.sent: Counter = _CONTEXT.Value("L", 0)
        self._ready = _CONTEXT.Barrier(sessions + 1)
        self._process = _CONTEXT.Process(
            target=_send,
            args=(address, user, password, self.sent, self._ready),
            daemon=True,
        )

    def start(self) -> None:
        """Sign in, and begin."""
        self._process.start()
        self._ready.wait(30)

    def end(self) -> None:
        """End."""
        self._process.kill()
        self._process.join()


@contextmanager
def running(*ones: Guessers | Sender) -> Generator[None]:
    """Have them from here to the end of the block."""
    started: list[Guessers | Sender] = []
    try:
        for one in ones:
            started.append(one)
            one.start()
        yield
    finally:
        for one in started:
            one.end()


def _count(counter: Counter) -> None:
    with counter.get_lock():
        counter.value += 1


def _guess(address: Address, name: str, source: str, guesses: Counter) -> None:
    def guess() -> None:
        while True:
            with (
                contextlib.suppress(AssertionError, OSError),
                Dialogue(*address, source=source or fresh_address(), seconds=60) as one,
            ):
                one.starttls()
                while one.login(name, "a wrong guess").code in {535, 454}:
                    _count(guesses)
                _count(guesses)

    _threads(CLIENTS, guess)


def _send(
    address: Address, user: str, password: str, sent: Counter, ready: Any
) -> None:
    content = f"From: {user}\r\nTo: c@world.test\r\nSubject: x\r\n\r\n{'x' * 998}\r\n"

    def send() -> None:
        with Dialogue(*address, seconds=60) as one:
            one.starttls()
            assert one.login(user, password).code == 235
            ready.wait()
            while True:
                for line in (f"MAIL FROM:<{user}>", "RCPT TO:<c@world.test>"):
                    assert one.say(line).code == 250
                assert one.say("DATA").code == 354
                one.send(content.encode() + b".\r\n")
                assert one.reply().code == 250
                del one.transcript[:]
                _count(sent)

    _threads(ready.parties - 1, send)


def _threads(number: int, target: Any) -> None:
    threads = [threading.Thread(target=target) for _ in range(number)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
