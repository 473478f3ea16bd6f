"""The certificate, watched: a renewed pair is taken without a restart.

Both files are looked at now and then. When one of them has changed, the pair is loaded
as a whole; a pair that cannot be used (half written, key and chain that do not match)
changes nothing for clients, and an operator is told once for each change.
"""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from sekisho.config.tables import Tls
from sekisho.net.tls import ServerTls, TlsFilesError, load_server_tls

LOOK_SECONDS = 30.0
CERTIFICATE = "certificate"
"""What its alarm is about."""

Tell = Callable[[str, str, str], None]
"""About what, in which detail, with which hint."""

_Seen = tuple[tuple[int, int], ...]


class CertificateWatch:
    """Looks at certificate and key, and hands a new pair over."""

    def __init__(
        self,
        files: Tls,
        taken: Callable[[ServerTls], None],
        tell: Tell,
        *,
        also: Sequence[Path] = (),
    ) -> None:
        """Remember the files as they are now.

        Args:
            files: Where the pair lies.
            taken: Called with a new pair that can be used.
            tell: Called where a new pair cannot be used.
            also: Files that are read with it.

        """
        self._files = files
        self._also = also
        self._taken = taken
        self._tell = tell
        self._seen = self._look()

    async def run(self, seconds: float = LOOK_SECONDS) -> NoReturn:
        """Look again and again, until cancelled."""
        while True:
            await asyncio.sleep(seconds)
            self.look_again()

    def look_again(self) -> None:
        """Take the pair anew if it has changed since the last look."""
        seen = self._look()
        if seen == self._seen:
            return
        self._seen = seen
        try:
            self._taken(load_server_tls(self._files.certificate, self._files.key))
        except TlsFilesError as error:
            hint = f"the old certificate is still used; {error.hint}"
            self._tell(CERTIFICATE, str(error), hint)

    def _look(self) -> _Seen:
        return tuple(
            map(_stamp, (self._files.certificate, self._files.key, *self._also))
        )


def _stamp(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError:
        return (0, 0)
    return (status.st_mtime_ns, status.st_size)
