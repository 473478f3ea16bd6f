"""A wall clock that can be set while programs run by it (libfaketime).

The monotonic clock stays the machine's, as when a real clock is set.
"""

from pathlib import Path

import pytest

_LIBRARIES = (
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
)


class SettableClock:
    """The clock of whoever has its `variables`.

    Args:
        folder: For the file that says how far it is off.

    """

    def __init__(self, folder: Path) -> None:
        found = [one for one in _LIBRARIES if Path(one).exists()]
        if not found:
            pytest.skip("no libfaketime: run .ci/peers")
        self._file = folder / "clock"
        self.set("+0")
        self.variables = {
            "LD_PRELOAD": found[0],
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            # Two spellings, of two versions.
            "DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }

    def set(self, off: str) -> None:
        """Set it, by the machine's own time: ``-1d``, ``+90``, ``+0``."""
        new = self._file.with_suffix(".new")
        new.write_text(off)
        new.replace(self._file)
