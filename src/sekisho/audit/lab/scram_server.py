"""SCRAM-SHA-256 of the lab (RFC 5802), with checks that can be left out."""

import hashlib
import hmac
import secrets
from base64 import b64decode, b64encode
from dataclasses import dataclass

from sekisho.audit.lab import sound
from sekisho.audit.lab.session import LabSession

ITERATIONS = 4096
SALT_OCTETS = 16


def _digest(key: bytes, data: bytes) -> bytes:
    return hmac.digest(key, data, "sha256")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scram:
    """The mechanism.

    Attributes:
        whole_nonce: The nonce that comes back is compared.
        whole_proof: The proof is compared in its whole length.
        binding: What stands in ``c=`` is compared.
        stable_salt: An unknown user has the same salt each time.

    """

    whole_nonce: bool = True
    whole_proof: bool = True
    binding: bool = True
    stable_salt: bool = True

    async def __call__(self, session: LabSession, initial: bytes | None) -> bytes:
        """Carry the exchange out."""
        first = (await session.response(initial)).decode("utf-8", "replace")
        header, bare = first[:3], first[3:]
        told = dict(part.split("=", 1) for part in bare.split(",") if "=" in part)
        if header != "n,," or not told.get("n") or not told.get("r"):
            return sound.MALFORMED_CREDENTIALS
        user = told["n"].encode()
        nonce = told["r"] + secrets.token_urlsafe(12)
        salt = self._salt(user)
        challenge = f"r={nonce},s={b64encode(salt).decode()},i={ITERATIONS}"
        final = (await session.challenge(challenge.encode())).decode("utf-8", "replace")
        without, proved, proof = final.partition(",p=")
        parts = dict(part.split("=", 1) for part in without.split(",") if "=" in part)
        spoken = f"{bare},{challenge},{without}".encode()
        well = (
            bool(proved)
            and self._bound(parts.get("c", ""))
            and (parts.get("r") == nonce or not self.whole_nonce)
            and self._proved(salt, spoken, proof)
            and user == sound.USER
        )
        return session.signed_in(user) if well else sound.BAD_CREDENTIALS

    def _salt(self, user: bytes) -> bytes:
        if user in sound.LOCALS or self.stable_salt:
            return _digest(b"lab", user)[:SALT_OCTETS]
        return secrets.token_bytes(SALT_OCTETS)

    def _bound(self, value: str) -> bool:
        return value == "biws" or not self.binding

    def _proved(self, salt: bytes, spoken: bytes, proof: str) -> bool:
        salted = hashlib.pbkdf2_hmac("sha256", sound.PASSWORD, salt, ITERATIONS)
        client_key = _digest(salted, b"Client Key")
        stored = hashlib.sha256(client_key).digest()
        signature = _digest(stored, spoken)
        right = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
        try:
            given = b64decode(proof, validate=True)
        except ValueError:
            return False
        if not self.whole_proof:
            # As many octets as there are: of an empty proof none differs.
            return right.startswith(given)
        return hmac.compare_digest(right, given)
