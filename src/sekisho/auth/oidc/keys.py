"""A provider's public keys (RFC 7517): fetched, kept for a while, and renewed.

A key is used no longer than `fresh_seconds` after it was fetched; from half of that on
they are fetched anew beside the work. A name that is not among them is looked for
once more at the provider, but no sooner than `REFETCH_SECONDS` after the last time:
anybody can make up names.

What is no public key for signatures, is too weak or broken, or could be taken for a
shared secret, is passed over.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import cast

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from sekisho.auth.authenticator import AuthUnavailableError
from sekisho.auth.oidc.document import Object

REFETCH_SECONDS = 30.0
RETRY_SECONDS = 1.0
"""So long after a failure nobody asks again."""

MAX_KEYS = 100
MIN_RSA_BITS = 2048
MAX_RSA_BITS = 8192
"""A larger one would only cost time."""

_PUBLIC = {"RSA": ("kty", "n", "e"), "EC": ("kty", "crv", "x", "y")}
_SIGNING = {"RS": "RSA", "PS": "RSA", "ES": "EC"}


@dataclass(frozen=True, slots=True)
class PublicKey:
    """One key.

    Attributes:
        kid: Its name; empty where it has none.
        kind: ``RSA`` or ``EC``.
        algorithm: The only one that it is for; empty for any of its kind.
        key: For joserfc.

    """

    kid: str
    kind: str
    algorithm: str
    key: RSAKey | ECKey

    def fits(self, kid: str, algorithm: str) -> bool:
        """Whether a token may mean this one."""
        return (
            _SIGNING.get(algorithm[:2]) == self.kind
            and self.algorithm in ("", algorithm)
            and kid in ("", self.kid)
        )


class KeySource:
    """The keys of one provider.

    Args:
        fetch: Gets the document; raises `AuthUnavailableError`.
        clock: Unix seconds.
        fresh_seconds: How long they are used.

    """

    def __init__(
        self,
        fetch: Callable[[], Awaitable[Object]],
        clock: Callable[[], float],
        fresh_seconds: float,
    ) -> None:
        self._fetch = fetch
        self._clock = clock
        self._fresh_seconds = fresh_seconds
        self._keys: tuple[PublicKey, ...] = ()
        self._fetched_at = float("-inf")
        self._failed_at = float("-inf")
        self._fetching: asyncio.Task[None] | None = None

    async def find(self, kid: str, algorithm: str) -> PublicKey | None:
        """Find the key that a token means; None where there is not exactly one.

        Raises:
            AuthUnavailableError: The keys cannot be had.

        """
        age = self._clock() - self._fetched_at
        if not 0 <= age < self._fresh_seconds:
            await self._renew()
        elif age >= self._fresh_seconds / 2:
            self._begin()
        if (found := self._among(kid, algorithm)) is not None:
            return found
        if self._clock() - self._fetched_at < REFETCH_SECONDS:
            return None
        await self._renew()
        return self._among(kid, algorithm)

    async def close(self) -> None:
        """Give up a fetch that is under way."""
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.gather(self._fetching, return_exceptions=True)

    def _among(self, kid: str, algorithm: str) -> PublicKey | None:
        found = [one for one in self._keys if one.fits(kid, algorithm)]
        return found[0] if len(found) == 1 else None

    async def _renew(self) -> None:
        """Fetch them, once for all who wait."""
        if 0 <= self._clock() - self._failed_at < RETRY_SECONDS:
            raise AuthUnavailableError("the provider's keys could not be had just now")
        await asyncio.shield(self._begin())

    def _begin(self) -> asyncio.Task[None]:
        if self._fetching is None or self._fetching.done():
            self._fetching = asyncio.ensure_future(self._take())
            # Nobody may be waiting for it: then its error is nobody's.
            self._fetching.add_done_callback(_heard)
        return self._fetching

    async def _take(self) -> None:
        try:
            keys = _some_keys(await self._fetch())
        except BaseException:
            self._failed_at = self._clock()
            raise
        self._keys, self._fetched_at = keys, self._clock()
        self._failed_at = float("-inf")


def _heard(task: asyncio.Task[None]) -> None:
    if not task.cancelled():
        task.exception()


def _some_keys(document: Object) -> tuple[PublicKey, ...]:
    keys = tuple(usable_keys(document))
    if not keys:
        raise AuthUnavailableError("the provider has no key that can be used")
    return keys


def usable_keys(document: Object) -> Iterable[PublicKey]:
    """Take the keys out of a document.

    Raises:
        AuthUnavailableError: It is no such document.

    """
    listed = document.get("keys")
    if not isinstance(listed, list):
        raise AuthUnavailableError("the provider's keys are no list")
    entries = cast("list[object]", listed)
    if len(entries) > MAX_KEYS:
        raise AuthUnavailableError(f"the provider has more than {MAX_KEYS} keys")
    for entry in entries:
        if isinstance(entry, dict):
            key = _public_key(cast("Object", entry))
            if key is not None:
                yield key


def _public_key(entry: Object) -> PublicKey | None:
    kind, kid = entry.get("kty"), entry.get("kid", "")
    algorithm, uses = entry.get("alg", ""), entry.get("key_ops", ["verify"])
    names = _PUBLIC.get(kind) if isinstance(kind, str) else None
    if (
        names is None
        or not isinstance(kid, str)
        or not isinstance(algorithm, str)
        or entry.get("use", "sig") != "sig"
        or not isinstance(uses, list)
        or "verify" not in uses
    ):
        return None
    key = _imported({name: entry.get(name) for name in names})
    return None if key is None else PublicKey(kid, str(kind), algorithm, key)


def _imported(entry: dict[str, object]) -> RSAKey | ECKey | None:
    if not all(isinstance(value, str) for value in entry.values()):
        return None
    texts = cast("dict[str, str | list[str]]", entry)
    try:
        if entry["kty"] == "EC":
            return ECKey.import_key(texts)
        key = RSAKey.import_key(texts)
        public = key.public_key
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    return key if MIN_RSA_BITS <= public.key_size <= MAX_RSA_BITS else None
