"""A SCRAM client (RFC 5802) that says what it is told to, also what is wrong."""

import hashlib
import hmac
from base64 import b64decode, b64encode
from dataclasses import dataclass, replace

from sekisho.audit.authentication.attempt import CHALLENGE
from sekisho.audit.conversation import Conversation, GarbageError
from sekisho.model.reply import Reply

CLIENT_NONCE = "fyko+d2lbbFgONRv9qkxdawL"
MAX_ITERATIONS = 1_000_000
HASHES = {f"SCRAM-SHA-{size}": f"sha{size}" for size in (256, 1, 512, 384, 224)}
"""The usual ones first."""


def text64(octets: bytes) -> str:
    """Base64."""
    return b64encode(octets).decode()


@dataclass(frozen=True, slots=True)
class Told:
    """What a server-first message says.

    Attributes:
        message: As it came.
        nonce: Of both.
        salt: In base64, as it came.
        iterations: Of the salted password.

    """

    message: str
    nonce: str
    salt: str
    iterations: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Scram:
    """What to say; each field can be wrong.

    Attributes:
        mechanism: SCRAM-SHA-1 or SCRAM-SHA-256, perhaps with -PLUS.
        user: The name.
        password: Its password.
        header: GS2 header.
        binding: Octets behind the header in ``c=``.
        bound: Instead of ``c=``'s right value.
        nonce: Of the client.
        answer_nonce: Instead of ``r=``'s right value in client-final.
        ends: In the place of ``,p=`` and the proof.
        hashed: The hash of the proof; the mechanism's own by default.

    """

    mechanism: str
    user: str
    password: str
    header: str = "n,,"
    binding: bytes = b""
    bound: str | None = None
    nonce: str = CLIENT_NONCE
    answer_nonce: str | None = None
    ends: str | None = None
    hashed: str = ""

    def but(self, **changes: str | bytes | None) -> "Scram":
        """Say something else in some place."""
        return replace(self, **changes)  # pyright: ignore[reportArgumentType]

    @property
    def bare(self) -> str:
        """client-first-message-bare."""
        return f"n={self.user},r={self.nonce}"

    async def first(self, conversation: Conversation) -> Reply:
        """Say client-first."""
        said = text64((self.header + self.bare).encode())
        return await conversation.say(f"AUTH {self.mechanism} {said}")

    def final(self, told: Told) -> str:
        """Make client-final."""
        bound = self.bound
        if bound is None:
            bound = text64(self.header.encode() + self.binding)
        nonce = told.nonce if self.answer_nonce is None else self.answer_nonce
        without = f"c={bound},r={nonce}"
        if self.ends is not None:
            return without + self.ends
        return f"{without},p={text64(self._proof(told, without))}"

    def _proof(self, told: Told, without: str) -> bytes:
        hashed = self.hashed or HASHES[self.mechanism.removesuffix("-PLUS")]
        salted = hashlib.pbkdf2_hmac(
            hashed, self.password.encode(), b64decode(told.salt), told.iterations
        )
        client_key = hmac.digest(salted, b"Client Key", hashed)
        stored = hashlib.new(hashed, client_key).digest()
        spoken = f"{self.bare},{told.message},{without}".encode()
        signature = hmac.digest(stored, spoken, hashed)
        return bytes(a ^ b for a, b in zip(client_key, signature, strict=True))

    async def exchange(self, conversation: Conversation) -> Reply:
        """Carry it out."""
        reply = await self.first(conversation)
        if reply.code != CHALLENGE:
            return reply
        final = self.final(read(reply))
        return await send_final(conversation, final)


async def send_final(conversation: Conversation, final: str) -> Reply:
    """Say a client-final, and nothing to the server's own proof.

    It is not shown: with the challenge, passwords could be guessed from it.
    """
    conversation.transcript.hide(text64(final.encode()))
    reply = await conversation.say(text64(final.encode()))
    return await conversation.say("") if reply.code == CHALLENGE else reply


def read(reply: Reply) -> Told:
    """Read a server-first message.

    Raises:
        GarbageError: It is none.

    """
    try:
        message = b64decode("".join(reply.lines), validate=True).decode()
        parts = dict(part.split("=", 1) for part in message.split(","))
        told = Told(message, parts["r"], parts["s"], int(parts["i"]))
        b64decode(told.salt, validate=True)
    except (ValueError, KeyError) as error:
        raise GarbageError("the challenge of SCRAM cannot be read") from error
    if not 0 < told.iterations <= MAX_ITERATIONS:
        raise GarbageError(f"SCRAM wants {told.iterations} iterations")
    return told
