"""SCRAM with SHA-256 (RFC 7677) or SHA-1 (RFC 5802), the server's side; -PLUS too.

Our own, because it must be exact where libraries are kind, and because a look-up
must be able to wait for a directory. The server

- takes each message whole against its grammar, attributes in their order, none
  twice, no mandatory extension (``m=``), base64 only in its canonical spelling;
- takes ``c=`` only as the GS2 header it saw plus the channel binding it knows, and
  ``r=`` only as the whole nonce it sent, so nothing can be replayed or relayed;
- refuses ``y`` where it announced -PLUS (somebody in the middle took it away), and
  every binding but ``tls-server-end-point``: ``tls-unique`` means nothing under TLS
  1.3, and `ssl` cannot export keys for ``tls-exporter``;
- takes an authzid only if it names the account itself;
- compares proofs whole and in constant time.

Keys of unknown accounts are decoys (`decoy_keys`): the same for the same name, for
ever, with the iteration count of real ones.

SHA-1 is for old programs alone, and off: nobody has broken it as SCRAM uses it, but
keys of it are guessed a third faster, and are one more copy to steal.
"""

import hmac
import re
import unicodedata
from base64 import b64encode
from binascii import Error, a2b_base64
from collections.abc import Callable
from hashlib import new as new_hash
from hashlib import pbkdf2_hmac
from typing import Literal

from sekisho.auth.precis import PreparationError
from sekisho.auth.sasl import (
    Challenge,
    Credential,
    Failed,
    KeysNeeded,
    Proven,
    ScramKeys,
    Step,
    read_saslname,
)

DEFAULT_ITERATIONS = 50_000
"""8 ms on a 2025 server core, spent when a password is set and, at each login, by
the client; the server's own part of a login is four HMACs whatever the count."""

MIN_ITERATIONS = 15_000
"""RFC 7677 §4."""

Hash = Literal["sha256", "sha1"]

_CREDENTIALS: dict[Hash, Credential] = {
    "sha256": Credential.SCRAM_SHA_256,
    "sha1": Credential.SCRAM_SHA_1,
}


def hash_of(credential: Credential) -> Hash:
    """The hash of such keys."""
    return "sha1" if credential is Credential.SCRAM_SHA_1 else "sha256"


MAX_MESSAGE_OCTETS = 2048
SALT_OCTETS = 16
_NONCE_OCTETS = 18
_BINDING = "tls-server-end-point"

# RFC 5802 §7. Extensions that may stand there are those of no known meaning.
_EXTENSIONS = r"(?:,[bdfghj-loqt-uw-zA-Z]=[^\x00,]+)*"
_CLIENT_FIRST = re.compile(
    r"(?P<header>(?P<flag>n|y|p=(?P<binding>[A-Za-z0-9.-]+)),(?:a=(?P<authzid>[^\x00,]+))?,)"
    r"(?P<bare>n=(?P<name>[^\x00,]+),r=(?P<nonce>[!-+\--~]+)" + _EXTENSIONS + ")"
)
_CLIENT_FINAL = re.compile(
    r"(?P<bare>c=(?P<binding>[A-Za-z0-9+/=]+),r=(?P<nonce>[!-+\--~]+)"
    + _EXTENSIONS
    + r"),p=(?P<proof>[A-Za-z0-9+/]+=*)"
)


class Scram:
    """One exchange.

    Args:
        requires_binding: Whether this is -PLUS.
        channel_binding: ``tls-server-end-point`` of our certificate, or empty where
            it has none; then -PLUS was not announced.
        randomness: Gives so many random octets.
        hashed: The hash of keys and proofs.

    """

    __slots__ = ("_binding", "_hashed", "_next", "_randomness", "_requires_binding")

    def __init__(
        self,
        *,
        requires_binding: bool,
        channel_binding: bytes,
        randomness: Callable[[int], bytes],
        hashed: Hash = "sha256",
    ) -> None:
        self._hashed: Hash = hashed
        self._requires_binding = requires_binding
        self._binding = channel_binding
        self._randomness = randomness
        self._next: Callable[[str], Step] = self._client_first

    def step(self, response: bytes | None) -> Step:
        """Take client-first, then client-final."""
        if response is None:
            return Challenge(b"")
        if len(response) > MAX_MESSAGE_OCTETS:
            return Failed("the SCRAM message is too long")
        try:
            message = response.decode("utf-8")
        except UnicodeDecodeError:
            return Failed("the SCRAM message is not UTF-8")
        following, self._next = self._next, _over
        return following(message)

    def _client_first(self, message: str) -> Step:
        first = _CLIENT_FIRST.fullmatch(message)
        if first is None:
            return Failed("client-first-message is malformed")
        if problem := self._binding_problem(first["flag"], first["binding"] or ""):
            return Failed(problem)
        try:
            account = read_saslname(first["name"])
            authzid = first["authzid"]
            acts_as = read_saslname(authzid) if authzid else account
        except PreparationError as error:
            return Failed(f"a name is none: {error}")
        if acts_as != account:
            return Failed("the authorization identity is another account's", account)
        bound = self._binding if self._requires_binding else b""
        nonce = first["nonce"] + b64encode(self._randomness(_NONCE_OCTETS)).decode()
        expected_binding = b64encode(first["header"].encode() + bound).decode()

        def with_keys(keys: ScramKeys) -> Step:
            server_first = (
                f"r={nonce},s={b64encode(keys.salt).decode()},i={keys.iterations}"
            )
            spoken = f"{first['bare']},{server_first}"

            def client_final(message: str) -> Step:
                return _client_final(
                    message,
                    account,
                    (nonce, expected_binding),
                    keys,
                    spoken,
                    self._hashed,
                )

            self._next = client_final
            return Challenge(server_first.encode())

        return KeysNeeded(account, with_keys, _CREDENTIALS[self._hashed])

    def _binding_problem(self, flag: str, name: str) -> str:
        """Say what is wrong with the GS2 flag (RFC 5802 §6), or nothing."""
        if self._requires_binding:
            if not self._binding:
                return "there is no channel binding here"
            if name != _BINDING:
                return "-PLUS needs p=tls-server-end-point"
        elif name:
            return "a channel binding needs -PLUS"
        elif flag == "y" and self._binding:
            return "the client did not see that -PLUS is offered (downgrade)"
        return ""


def _over(_message: str) -> Step:
    return Failed("the exchange is over")


def _client_final(
    message: str,
    account: str,
    expected: tuple[str, str],
    keys: ScramKeys,
    spoken: str,
    hashed: Hash = "sha256",
) -> Step:
    """Check the proof over everything that was said.

    Args:
        message: client-final-message.
        account: Prepared.
        expected: Nonce, and ``c=`` in base64.
        keys: The account's, or decoys.
        spoken: client-first-message-bare and server-first-message.
        hashed: The hash.

    """
    nonce, binding = expected
    final = _CLIENT_FINAL.fullmatch(message)
    if final is None:
        return Failed("client-final-message is malformed", account)
    if not hmac.compare_digest(final["binding"], binding):
        return Failed("the channel bindings do not match", account)
    if not hmac.compare_digest(final["nonce"], nonce):
        return Failed("the nonce is not ours", account)
    auth_message = f"{spoken},{final['bare']}".encode()
    signature = _hmac(keys.stored_key, auth_message, hashed)
    client_key = _xor(_canonical_base64(final["proof"]), signature)
    if not hmac.compare_digest(new_hash(hashed, client_key).digest(), keys.stored_key):
        return Failed("the proof is wrong", account)
    verifier = b64encode(_hmac(keys.server_key, auth_message, hashed))
    return Proven(account, b"v=" + verifier)


def _canonical_base64(text: str) -> bytes:
    """Decode; what is not the one spelling of its octets becomes no octets."""
    try:
        octets = a2b_base64(text, strict_mode=True)
    except Error:
        return b""
    return octets if b64encode(octets).decode() == text else b""


def _xor(left: bytes, right: bytes) -> bytes:
    """Combine proof and signature; a proof of another length gives no key."""
    if len(left) != len(right):
        return b""
    mixed = int.from_bytes(left, "big") ^ int.from_bytes(right, "big")
    return mixed.to_bytes(len(right), "big")


def _hmac(key: bytes, data: bytes, hashed: Hash = "sha256") -> bytes:
    return hmac.digest(key, data, hashed)


def derive_keys(
    password: str, salt: bytes, iterations: int, hashed: Hash = "sha256"
) -> ScramKeys:
    """Make what is kept of a password.

    Args:
        password: Prepared after OpaqueString.
        salt: Random, `SALT_OCTETS` octets.
        iterations: At least `MIN_ITERATIONS` for new keys.
        hashed: The hash.

    """
    # RFC 5802 has clients prepare with SASLprep (NFKC). On what OpaqueString lets
    # pass, NFKC is all that SASLprep still changes.
    text = unicodedata.normalize("NFKC", password).encode()
    salted = pbkdf2_hmac(hashed, text, salt, iterations)
    stored_key = new_hash(hashed, _hmac(salted, b"Client Key", hashed)).digest()
    server_key = _hmac(salted, b"Server Key", hashed)
    return ScramKeys(salt, iterations, stored_key, server_key)


def decoy_keys(
    secret: bytes, account: str, iterations: int, hashed: Hash = "sha256"
) -> ScramKeys:
    """Make keys for an account that has none, the same whenever it is asked for.

    Args:
        secret: Kept across restarts and shared by all workers; a salt that changed
            would give the decoy away.
        account: Prepared.
        iterations: What real accounts have.
        hashed: The hash; each has a salt of its own, as real accounts have.

    """
    kind = b"" if hashed == "sha256" else b" " + hashed.encode()

    def part(label: bytes) -> bytes:
        whole = _hmac(secret, label + kind + b"\0" + account.encode())
        return whole[: new_hash(hashed).digest_size]

    return ScramKeys(part(b"salt")[:SALT_OCTETS], iterations, part(b"s"), part(b"v"))
