"""Successes of the last minute, so that a busy client is not hashed for each message.

What is kept is a keyed hash (BLAKE2b, key made at start and never stored) of
authenticator, account and password: of no use to whoever reads our memory later
without the key, and none at all in another process. A success counts for at most 60
seconds, and only while its account's generation is current: that is asked of the
authenticator at each use, so a changed or disabled account is out at once.

Failures are not remembered: a password that is wrong now may be right when it has
been set, and an answer that comes faster the second time tells something.
"""

from collections import OrderedDict
from hashlib import blake2b

from sekisho.model.identity import NOBODY, Identity, Who

LONGEST_SECONDS = 60.0


class SuccessMemory:
    """Who was verified by which password a moment ago.

    Args:
        key: 32 random octets.
        seconds: How long; at most 60.
        bound: Entries kept; the oldest go first.

    """

    def __init__(self, key: bytes, seconds: float, bound: int) -> None:
        self._key = key
        self._seconds = min(seconds, LONGEST_SECONDS)
        self._bound = bound
        self._entries: OrderedDict[bytes, tuple[Identity, float]] = OrderedDict()

    def find(self, authenticator: str, account: str, password: str, now: float) -> Who:
        """Who was verified so a moment ago, and may have changed since; or nobody."""
        digest = self._digest(authenticator, account, password)
        entry = self._entries.get(digest)
        if entry is None:
            return NOBODY
        identity, since = entry
        # Older than its time, or from the future: the clock was set back.
        if not 0 <= now - since < self._seconds:
            del self._entries[digest]
            return NOBODY
        return identity

    def keep(self, identity: Identity, account: str, password: str, now: float) -> None:
        """Remember that this password verified this account just now."""
        digest = self._digest(identity.authenticator, account, password)
        self._entries[digest] = (identity, now)
        self._entries.move_to_end(digest)
        if len(self._entries) > self._bound:
            self._entries.popitem(last=False)

    def _digest(self, *parts: str) -> bytes:
        # No part holds a NUL (RFC 8265), so the parts cannot be shifted.
        joined = "\0".join(parts).encode("utf-8")
        return blake2b(joined, key=self._key, digest_size=32).digest()
