"""A keytab, looked at before it is relied on: whose keys are in it.

The library reads it anew for each exchange, and what is wrong with it then is a 454 for
everybody. The format is MIT's, version 2: big-endian, and each entry behind its size; a
negative size is a hole, zero the end.
"""

from collections.abc import Iterator
from dataclasses import dataclass

_VERSION_2 = b"\x05\x02"
_SIZE_OCTETS = 4
_BETWEEN_NAME_AND_KEY = 4 + 4 + 1 + 2
"""Name type, time, version and kind of the key."""


class KeytabError(Exception):
    """It is no keytab."""


@dataclass(slots=True)
class _Octets:
    """What is left to read."""

    left: bytes

    def take(self, count: int) -> bytes:
        taken, self.left = self.left[:count], self.left[count:]
        if len(taken) < count:
            raise KeytabError
        return taken

    def number(self, octets: int = 2) -> int:
        return int.from_bytes(self.take(octets))

    def counted(self) -> bytes:
        return self.take(self.number())


def principals(keytab: bytes) -> frozenset[str]:
    """Whose keys are in a keytab, as ``smtp/relay.example.com@EXAMPLE.COM``.

    Raises:
        KeytabError: It is none.

    """
    file = _Octets(keytab)
    if file.take(len(_VERSION_2)) != _VERSION_2:
        raise KeytabError
    return frozenset(map(_principal, _entries(file)))


def _entries(file: _Octets) -> Iterator[_Octets]:
    while file.left:
        size = int.from_bytes(file.take(_SIZE_OCTETS), signed=True)
        if size == 0:
            return
        octets = file.take(abs(size))
        if size > 0:
            yield _Octets(octets)


def _principal(entry: _Octets) -> str:
    count = entry.number()
    realm = entry.counted()
    name = b"/".join(entry.counted() for _ in range(count))
    entry.take(_BETWEEN_NAME_AND_KEY)
    if not entry.counted():
        raise KeytabError
    return b"@".join((name, realm)).decode("utf-8", "replace")
