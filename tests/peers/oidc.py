"""An identity provider of the tests' own: real keys, real tokens, and every fault.

It serves HTTP (or HTTPS) on loopback: its keys at ``/keys``, introspection at
``/introspect``. `fault` says how it fails from now on; `asked` is what it was asked.
"""

import base64
import contextlib
import hmac
import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast
from urllib.parse import parse_qs

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from joserfc.jwk import ECKey, OctKey, RSAKey

from peers.certificate import make_certificate

AUDIENCE = "sekisho"
SCOPE = "smtp.send"
CLIENT_ID, CLIENT_SECRET = "relay", "s3cret of the relay"
LIFETIME = 600

JSON = b"Content-Type: application/json\r\n"
Signer = RSAKey | ECKey | OctKey


def b64url(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def reply(body: bytes, head: bytes = JSON, status: bytes = b"200 OK") -> bytes:
    length = b"Content-Length: %d\r\n" % len(body)
    return b"HTTP/1.1 " + status + b"\r\n" + head + length + b"\r\n" + body


def whole(octets: bytes) -> Callable[[socket.socket], None]:
    return lambda stream: stream.sendall(octets)


def _hang(stream: socket.socket) -> None:
    stream.recv(1)  # until the client gives up


def _reset(stream: socket.socket) -> None:
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _drip(stream: socket.socket) -> None:
    stream.sendall(b"HTTP/1.1 200 OK\r\n" + JSON + b"Content-Length: 9999\r\n\r\n")
    while True:
        stream.sendall(b" ")
        time.sleep(0.05)


def _huge(stream: socket.socket) -> None:
    stream.sendall(b"HTTP/1.1 200 OK\r\n" + JSON + b"\r\n")
    while True:
        stream.sendall(b" " * 65536)


REDIRECT = b"Location: https://127.0.0.1:1/keys\r\n" + JSON
FAULTS: dict[str, Callable[[socket.socket], None]] = {
    "time-out": _hang,
    "reset": _reset,
    "closed": lambda _stream: None,
    "garbage": whole(b"\x16\x03\x01\x02\x00 no HTTP at all\r\n\r\n"),
    "empty body": whole(reply(b"")),
    "huge body": _huge,
    "huge length": whole(b"HTTP/1.1 200 OK\r\n" + JSON + b"Content-Length: 9\r\n\r\n{"),
    "redirect": whole(reply(b"{}", REDIRECT, b"302 Found")),
    "moved": whole(reply(b"{}", REDIRECT, b"308 Permanent Redirect")),
    "500": whole(reply(b"{}", JSON, b"500 Internal Server Error")),
    "404": whole(reply(b"{}", JSON, b"404 Not Found")),
    "204": whole(b"HTTP/1.1 204 No Content\r\n\r\n"),
    "401": whole(reply(b"{}", JSON, b"401 Unauthorized")),
    "wrong type": whole(reply(b'{"active": true}', b"Content-Type: text/html\r\n")),
    "no type": whole(reply(b'{"active": true}', b"")),
    "compressed": whole(reply(b"\x1f\x8b", JSON + b"Content-Encoding: gzip\r\n")),
    "slow drip": _drip,
    "no JSON": whole(reply(b"active: true")),
    "a list": whole(reply(b"[]")),
    "a text": whole(reply(b'"active"')),
    "not UTF-8": whole(reply(b'{"active": "\xff"}')),
    "deep": whole(reply(b'{"a":' * 50_000)),
    "twice": whole(reply(b'{"active": false, "active": true, "keys": []}')),
    "NaN": whole(reply(b'{"active": NaN}')),
    "no member": whole(reply(b"{}")),
    "null": whole(reply(b'{"active": null, "keys": null}')),
    "a word": whole(reply(b'{"active": "true", "keys": "all"}')),
    "a number": whole(reply(b'{"active": 1, "keys": 1}')),
}


def signature(key: Signer, algorithm: str, said: bytes) -> bytes:
    """Sign whatever is wanted: a library would refuse what an attacker would not."""
    if isinstance(key, OctKey):
        return hmac.digest(key.get_op_key("sign"), said, "sha256")
    of = {"384": hashes.SHA384, "512": hashes.SHA512}.get(algorithm[2:], hashes.SHA256)
    if isinstance(key, ECKey):
        der = cast("Any", key.private_key).sign(said, ec.ECDSA(of()))
        return b"".join(one.to_bytes(32) for one in decode_dss_signature(der))
    how: Any = padding.PKCS1v15()
    if algorithm.startswith("PS"):
        how = padding.PSS(padding.MGF1(of()), padding.PSS.DIGEST_LENGTH)
    return cast("Any", key.private_key).sign(said, how, of())


@dataclass
class Asked:
    """One request."""

    path: str
    headers: str
    form: dict[str, str] = field(default_factory=dict[str, str])


class OidcProvider:
    """One provider.

    Args:
        folder: For its certificate; plain HTTP if None.

    """

    def __init__(self, folder: Path | None = None) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        port = self._listener.getsockname()[1]
        self._tls: ssl.SSLContext | None = None
        self.ca: Path | None = None
        if folder is not None:
            pair = make_certificate(folder, "127.0.0.1")
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(pair.certificate, pair.key)
            self.ca = pair.certificate
        self.url = f"{'https' if folder else 'http'}://127.0.0.1:{port}"
        self.issuer = f"{self.url}/realm"
        self.keys: list[Signer] = []
        self.published: list[dict[str, Any]] = []
        self.opaque: dict[str, object] = {}
        self.asked: list[Asked] = []
        self.fault = ""
        self.rotate()

    # -- tokens -----------------------------------------------------------------------

    def rotate(self, kind: str = "RSA") -> Signer:
        """Sign with a new key from now on, and publish it alone."""
        kid = f"key-{len(self.keys)}"
        key: Signer
        if kind == "RSA":
            key = RSAKey.generate_key(2048, {"kid": kid})
        else:
            key = ECKey.generate_key("P-256", {"kid": kid})
        self.keys.append(key)
        self.published = [cast("dict[str, Any]", key.as_dict(private=False))]
        return key

    def claims(self, **changes: object) -> dict[str, object]:
        now = int(time.time())
        claims: dict[str, object] = {
            "iss": self.issuer,
            "aud": AUDIENCE,
            "exp": now + LIFETIME,
            "iat": now,
            "sub": "0123",
            "scope": f"openid {SCOPE}",
            "preferred_username": "user@own.test",
            "email": "User@own.test",
            "email_verified": True,
            "groups": ["staff"],
        } | changes
        return {key: value for key, value in claims.items() if value is not ...}

    def token(
        self,
        *,
        header: Mapping[str, object] | None = None,
        key: Signer | None = None,
        payload: bytes = b"",
        **changes: object,
    ) -> str:
        """Sign a token; a claim or a header that is ``...`` is left out."""
        key = key or self.keys[-1]
        algorithm = {"RSA": "RS256", "EC": "ES256", "oct": "HS256"}[key.key_type]
        full: dict[str, object] = {"alg": algorithm, "typ": "at+jwt"}
        full |= {"kid": self.keys[-1].kid} | dict(header or {})
        full = {name: value for name, value in full.items() if value is not ...}
        body = payload or json.dumps(self.claims(**changes)).encode()
        head = json.dumps(full).encode()
        said = f"{b64url(head)}.{b64url(body)}"
        return f"{said}.{b64url(signature(key, str(full['alg']), said.encode()))}"

    def handle(self, **changes: object) -> str:
        """Give out a token that only the provider can read."""
        token = f"opaque-{len(self.opaque)}-" + "x" * 20
        self.opaque[token] = {"active": True, **self.claims(**changes)}
        return token

    # -- serving ----------------------------------------------------------------------

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Be gone: connections are refused from now on."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def count(self, path: str) -> int:
        return sum(one.path == path for one in self.asked)

    def _accept(self) -> None:
        while True:
            try:
                stream, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._talk, args=(stream,), daemon=True).start()

    def _talk(self, stream: socket.socket) -> None:
        with stream:
            try:
                stream.settimeout(30)
                if self._tls is not None:
                    stream = self._tls.wrap_socket(stream, server_side=True)
                while (request := self._request(stream)) is not None:
                    self.asked.append(request)
                    if self.fault:
                        FAULTS[self.fault](stream)
                        break
                    stream.sendall(self._answer(request))
            except OSError:
                pass
            finally:
                stream.close()

    def _request(self, stream: socket.socket) -> Asked | None:
        data = b""
        while b"\r\n\r\n" not in data:
            more = stream.recv(65536)
            if not more:
                return None
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        length = 0
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                length = int(line.partition(b":")[2])
        while len(body) < length:
            body += stream.recv(65536)
        form = {name: found[0] for name, found in parse_qs(body.decode()).items()}
        return Asked(head.split(b" ")[1].decode(), head.decode(), form)

    def _answer(self, request: Asked) -> bytes:
        if request.path == "/keys":
            return reply(json.dumps({"keys": self.published}).encode())
        login = base64.b64encode(
            f"{CLIENT_ID}:{CLIENT_SECRET.replace(' ', '+')}".encode()
        ).decode()
        if request.path != "/introspect" or f"Basic {login}" not in request.headers:
            return reply(b"{}", JSON, b"401 Unauthorized")
        found = self.opaque.get(request.form.get("token", ""), {"active": False})
        return reply(json.dumps(found).encode())
