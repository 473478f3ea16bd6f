"""What the tests of this room share: quick hashes, a clock, one way to log in."""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any, cast

import scramp

from sekisho.auth.accounts import AccountStore, NewAccount
from sekisho.auth.exchange import AuthContext, Exchange
from sekisho.auth.gatekeeper import Gatekeeper
from sekisho.auth.hashing import Hasher
from sekisho.auth.sasl import Challenge
from sekisho.model.identity import Answer

NAME = "alice@example.com"
PASSWORD = "correct horse"
BINDING = b"\x07" * 32
CLIENT = ip_address("192.0.2.7")
CONTEXT = AuthContext(CLIENT, "submission", BINDING, "s1")
QUICK = Hasher(memory_kib=8, passes=1)


@dataclass
class Clock:
    """A clock that stands still until it is moved."""

    now: float = 1_800_000_000.0
    moved: list[float] = field(default_factory=list[float])

    def __call__(self) -> float:
        return self.now

    def move(self, seconds: float) -> None:
        self.moved.append(seconds)
        self.now += seconds


def open_store(path: Path, clock: Clock, hasher: Hasher = QUICK) -> AccountStore:
    return AccountStore.open(path, hasher, clock)


def add_alice(store: AccountStore, **changes: Any) -> None:
    values: dict[str, Any] = {"name": NAME, "password": PASSWORD, **changes}
    store.add(NewAccount(**values))


def plain(name: str = NAME, password: str = PASSWORD, authzid: str = "") -> bytes:
    return f"{authzid}\0{name}\0{password}".encode()


async def say(
    keeper: Gatekeeper,
    mechanism: str,
    responses: Sequence[bytes | None],
    context: AuthContext = CONTEXT,
) -> Challenge | Answer:
    """Say all responses, or as many as are asked for; the last answer."""
    exchange = keeper.begin(mechanism, context)
    answer: Challenge | Answer = Challenge(b"")
    for response in responses:
        answer = await exchange.step(response)
        if not isinstance(answer, Challenge):
            break
    return answer


async def login(
    keeper: Gatekeeper,
    name: str = NAME,
    password: str = PASSWORD,
    context: AuthContext = CONTEXT,
) -> Challenge | Answer:
    return await say(keeper, "PLAIN", [plain(name, password)], context)


def scram_client(
    mechanism: str,
    name: str = NAME,
    password: str = PASSWORD,
    binding: bytes = b"",
) -> Any:
    """A client that is not ours."""
    bound = ("tls-server-end-point", binding) if binding else None
    library = cast("Any", scramp)  # it has no types
    return library.ScramClient([mechanism], name, password, channel_binding=bound)


async def scram(exchange: Exchange, client: Any) -> Challenge | Answer:
    """Carry a SCRAM exchange through, and let the client check the server."""
    first = await exchange.step(client.get_client_first().encode())
    if not isinstance(first, Challenge):
        return first
    client.set_server_first(first.data.decode())
    final = await exchange.step(client.get_client_final().encode())
    if not isinstance(final, Challenge):
        return final
    client.set_server_final(final.data.decode())
    return await exchange.step(b"")


def b64(octets: bytes) -> str:
    return b64encode(octets).decode()
