"""A next host of the tests' own: a thread a connection, ended with the host."""

import contextlib
import socket
import threading
from types import TracebackType
from typing import Self


class Listening:
    """Listens from `__enter__` to `__exit__`; `talk` is what it does with a client.

    Args:
        address: Where.
        port: 0 is any.

    """

    def __init__(self, address: str = "127.0.0.1", port: int = 0) -> None:
        self.address = address
        self._streams: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._listening = socket.create_server((address, port), backlog=64)
        self.port = int(self._listening.getsockname()[1])

    @property
    def url(self) -> str:
        """The route that leads here."""
        return f"smtp://{self.address}:{self.port}"

    def talk(self, stream: socket.socket) -> None:
        """Talk with one client, in a thread; an `OSError` ends it."""
        raise NotImplementedError

    def close(self) -> None:
        """Go away: from now on connections are refused; wait for the threads."""
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for stream in list(self._streams):
            with contextlib.suppress(OSError):
                stream.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)

    def _accept(self) -> None:
        while True:
            try:
                stream, _ = self._listening.accept()
            except OSError:
                return
            self._streams.add(stream)
            self._begin(
                threading.Thread(target=self._talk, args=(stream,), daemon=True)
            )

    def _talk(self, stream: socket.socket) -> None:
        with stream, contextlib.suppress(OSError):
            self.talk(stream)
        self._streams.discard(stream)

    def _begin(self, thread: threading.Thread) -> None:
        self._threads.append(thread)
        thread.start()

    def __enter__(self) -> Self:
        """Listen."""
        self._begin(threading.Thread(target=self._accept, daemon=True))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close everything."""
        self.close()
