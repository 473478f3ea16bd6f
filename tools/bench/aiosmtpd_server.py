"""aiosmtpd, made durable: ``aiosmtpd_server.py PORT FOLDER [CERTIFICATE KEY]``.

It has no queue, so this is what somebody would write who must not lose mail: each
message becomes a file that is synced before it gets its name, then the folder is
synced, then comes the 250. It is done in threads, so that waits overlap: that is faster
than the same in the event loop.
"""

import asyncio
import itertools
import os
import ssl
import sys
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session


class Store:
    """The handler that keeps what it was given."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = itertools.count()

    def keep(self, content: bytes) -> None:
        """Return when the message and its name are on the disk."""
        path = self._folder / f"{next(self._numbers)}.eml"
        with path.with_suffix(".new").open("xb", buffering=0) as file:
            file.write(content)
            os.fsync(file.fileno())
        path.with_suffix(".new").rename(path)
        folder = os.open(self._folder, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)

    async def handle_DATA(  # noqa: N802 - aiosmtpd names it
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        """Keep it, then answer."""
        del server, session
        content = envelope.content
        await asyncio.to_thread(
            self.keep, content if isinstance(content, bytes) else b""
        )
        return "250 2.0.0 kept"


async def main() -> None:
    """Serve until ended."""
    port, folder, *pair = sys.argv[1:]
    tls: ssl.SSLContext | None = None
    if pair:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(*pair)
    store = Store(Path(folder))

    def session() -> SMTP:
        return SMTP(store, hostname="aiosmtpd.test", tls_context=tls)

    loop = asyncio.get_running_loop()
    server = await loop.create_server(session, "127.0.0.1", int(port), backlog=1000)
    await server.serve_forever()


asyncio.run(main())
