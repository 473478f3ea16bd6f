"""What supervisor and workers say to each other.

The configuration goes as a pickle, which a worker reads because its own parent made
it. What workers say is plain values alone.
"""

import pickle
from dataclasses import dataclass
from typing import Any

import msgspec

from sekisho.app.certificate import Pair
from sekisho.app.control import Answer
from sekisho.config.schema import Config
from sekisho.model.rules import IPAddress

DRAIN_SECONDS = 20.0
"""How long a worker that stops waits for its sessions; then the same for deliveries."""
EXIT_FAILED = 1
"""Its exit code where it could not go on."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What workers go by: the configuration, the files that it names, and the audit.

    Attributes:
        config: Checked.
        pair: Of the service's own certificate.
        auditors: From these addresses the service audits itself now.
        relaying_closed: Whether that audit has found a flaw.

    """

    config: Config
    pair: Pair | None
    auditors: frozenset[IPAddress] = frozenset()
    relaying_closed: bool = False


class Opened(msgspec.Struct):
    """A socket that comes along: which listener's, and the number it is known by."""

    listener: str
    number: int


class Start(msgspec.Struct, tag=True):
    """Be this worker.

    Attributes:
        settings: See `pack`.
        number: From 0.
        workers: How many there are.
        prefix: Of session names; no other process ever had it.
        opened: The sockets that come along, in their order.

    """

    settings: bytes
    number: int
    workers: int
    prefix: str
    opened: list[Opened]


class Change(msgspec.Struct, tag=True):
    """Go by another configuration from now on.

    Attributes:
        number: Of the request; its answer is an `Answered`.
        settings: See `pack`.
        opened: New sockets, which come along.
        closed: Numbers of sockets to close.

    """

    number: int
    settings: bytes
    opened: list[Opened]
    closed: list[int]


class Ask(msgspec.Struct, tag=True):
    """Do an operation, or one of those that `sekisho.app.inside` has."""

    number: int
    do: str
    arguments: dict[str, Any]


class Stop(msgspec.Struct, tag=True):
    """Drain, and end."""

    reason: str


class Ready(msgspec.Struct, tag=True):
    """Every listener is served."""


class Refused(msgspec.Struct, tag=True):
    """It cannot be served."""

    sentence: str
    hint: str = ""


class Answered(msgspec.Struct, tag=True):
    """The answer to an `Ask` or a `Change`."""

    number: int
    answer: Answer


Order = Start | Change | Ask | Stop
Report = Ready | Refused | Answered


def pack(settings: Settings) -> bytes:
    """Make the octets of settings."""
    return pickle.dumps(settings, protocol=pickle.HIGHEST_PROTOCOL)


def unpack(octets: bytes) -> Settings:
    """Read what `pack` made; only ever called with what our own parent sent."""
    read: Settings = pickle.loads(octets)  # noqa: S301 - see the head of this module
    return read
