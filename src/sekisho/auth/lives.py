"""Until when what was verified once may be relied on.

A token or a certificate has an end of its own, which no account's generation knows of.
So an identity that came of one has a generation of this table: a keyed hash of what
was shown, under which its life stands here. What is not here is over.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import blake2b

from sekisho.model.identity import Identity

MAX_LIVES = 16_384
"""At once; beyond that the one used longest ago is over: its client signs in anew."""


@dataclass(slots=True)
class Life:
    """What is known of one token or certificate.

    Attributes:
        identity: Whose it is.
        ends: Unix seconds.
        checked_at: When it was last found to be good.
        token: To ask again with; empty where nobody is asked.
        rests_on: What else must still hold, such as a local account.

    """

    identity: Identity
    ends: float
    checked_at: float
    token: str = field(default="", repr=False)
    rests_on: Identity | None = None


class Lives:
    """The lives that one authenticator has begun.

    Args:
        randomness: Gives so many random octets.

    """

    def __init__(self, randomness: Callable[[int], bytes]) -> None:
        self._key = randomness(32)
        self._lives: OrderedDict[int, Life] = OrderedDict()

    def generation(self, shown: bytes) -> int:
        """The number under which something shown stands here."""
        digest = blake2b(shown, key=self._key, digest_size=7).digest()
        return int.from_bytes(digest)

    def begin(self, life: Life) -> None:
        """Keep a life under its identity's generation."""
        generation = life.identity.generation
        self._lives[generation] = life
        self._lives.move_to_end(generation)
        if len(self._lives) > MAX_LIVES:
            self._lives.popitem(last=False)

    def find(self, generation: int, now: float) -> Life | None:
        """The life of that number, unless it is over."""
        life = self._lives.get(generation)
        if life is None:
            return None
        if now >= life.ends:
            self.end(generation)
            return None
        self._lives.move_to_end(generation)
        return life

    def of(self, identity: Identity, now: float) -> Life | None:
        """The life that an identity came of, unless it is over or another's."""
        life = self.find(identity.generation, now)
        if life is None or life.identity.account != identity.account:
            return None
        return life

    def end(self, generation: int) -> None:
        """End a life before its time."""
        self._lives.pop(generation, None)
