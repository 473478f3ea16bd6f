"""A SCRAM client (RFC 5802) that says what it is told to, also what is wrong."""

import base64
import hashlib
import hmac
import ssl

from peers.dialogue import Dialogue, Reply


def b64(octets: bytes) -> str:
    """Base64."""
    return base64.b64encode(octets).decode()


def end_point_of(client: Dialogue) -> bytes:
    """``tls-server-end-point`` of this session (RFC 5929)."""
    assert isinstance(client.stream, ssl.SSLSocket)
    der = client.stream.getpeercert(binary_form=True)
    assert der is not None
    return hashlib.sha256(der).digest()


class Scram:
    """One exchange: `first`, then `final`.

    Args:
        client: In TLS.
        name: The account.
        password: Its password.
        header: GS2 header.
        binding: Channel binding, after the header in ``c=``.
        plus: Whether to say -PLUS.
        hashed: The hash of keys and proofs.
        mechanism: Instead of the one that follows from `plus`.

    """

    def __init__(
        self,
        client: Dialogue,
        name: str,
        password: str,
        *,
        header: str = "n,,",
        binding: bytes = b"",
        plus: bool = False,
        hashed: str = "sha256",
        mechanism: str = "",
    ) -> None:
        self._client = client
        self._password = password
        self._hashed = hashed
        self._header = header
        self._mechanism = mechanism or "SCRAM-SHA-256" + "-PLUS" * plus
        self.bound = b64(header.encode() + binding)
        self.name = name
        self.nonce = self.salt = self.count = self.said = ""
        self._first = self._challenge = ""

    def first(self, nonce: str = "fyko+d2lbbFgONRv9qkxdawL", more: str = "") -> Reply:
        """Say client-first, and read what comes."""
        self._first = f"{more}n={self.name},r={nonce}"
        said = b64((self._header + self._first).encode())
        reply = self._client.say(f"AUTH {self._mechanism} {said}")
        if reply.code == 334:
            self._challenge = base64.b64decode(reply.lines[0]).decode()
            parts = [part[2:] for part in self._challenge.split(",")]
            self.nonce, self.salt, self.count = parts
        return reply

    def proof(self, without: str) -> bytes:
        """Prove over everything that was said."""
        salt = base64.b64decode(self.salt)
        given = self._password.encode()
        salted = hashlib.pbkdf2_hmac(self._hashed, given, salt, int(self.count))
        client_key = hmac.digest(salted, b"Client Key", self._hashed)
        stored = hashlib.new(self._hashed, client_key).digest()
        spoken = f"{self._first},{self._challenge},{without}".encode()
        signature = hmac.digest(stored, spoken, self._hashed)
        return bytes(a ^ b for a, b in zip(client_key, signature, strict=True))

    def final(
        self, *, nonce: str | None = None, bound: str | None = None, ends: str = ""
    ) -> Reply:
        """Say client-final.

        Args:
            nonce: Instead of the one that is right.
            bound: Instead of ``c=``'s value that is right.
            ends: In the place of ``,p=`` and the proof.

        """
        nonce = self.nonce if nonce is None else nonce
        without = f"c={self.bound if bound is None else bound},r={nonce}"
        self.said = without + (ends or f",p={b64(self.proof(without))}")
        reply = self._client.say(b64(self.said.encode()))
        return self._client.say("") if reply.code == 334 else reply
