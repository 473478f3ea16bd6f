"""The workloads: the table of what is measured."""

from dataclasses import dataclass

from bench.clients import SIZE
from bench.loads import (
    LARGE,
    Measure,
    idle,
    lone,
    one_large,
    submission,
    throughput,
)
from bench.servers import Mode


@dataclass(frozen=True)
class Work:
    """One workload.

    Attributes:
        name: By which ``WORK=`` chooses it.
        says: What it shows.
        unit: What its main value is, for people.
        key: The main value.
        measure: Makes it.
        mode: What the server does with the mail.
        tls: Whether the server offers TLS.
        sessions: At once.
        lower_is_better: Of the main value.

    """

    name: str
    says: str
    unit: str
    key: str
    measure: Measure
    mode: Mode = Mode.RELAY
    tls: bool = False
    sessions: int = 20
    lower_is_better: bool = False


_RATE = ("messages a second", "rate")
_KEPT = "-d"

WORKS = (
    Work(
        "accept",
        "accept 4 KiB, nothing leaves; a connection a message",
        *_RATE,
        throughput(SIZE, through=False),
        mode=Mode.KEEP,
    ),
    Work(
        "accept-kept",
        "accept 4 KiB, nothing leaves; connections kept",
        *_RATE,
        throughput(SIZE, _KEPT, through=False),
        mode=Mode.KEEP,
    ),
    Work(
        "relay",
        "relay 4 KiB end to end; a connection a message",
        *_RATE,
        throughput(SIZE),
    ),
    Work(
        "relay-kept",
        "relay 4 KiB end to end; connections kept",
        *_RATE,
        throughput(SIZE, _KEPT),
    ),
    Work(
        "submit",
        "STARTTLS, AUTH PLAIN, relay 4 KiB; a connection a message",
        *_RATE,
        submission(kept=False),
        mode=Mode.SUBMIT,
        tls=True,
    ),
    Work(
        "submit-kept",
        "STARTTLS, AUTH PLAIN, relay 4 KiB; connections kept",
        *_RATE,
        submission(kept=True),
        mode=Mode.SUBMIT,
        tls=True,
    ),
    Work(
        "large",
        "relay messages of 5 MB end to end",
        "MB a second",
        "mb_s",
        throughput(LARGE),
        sessions=5,
    ),
    Work(
        "lone",
        "a lone client's wait for the 250 after its final dot",
        "ms",
        "wait_ms",
        lone,
        sessions=1,
        lower_is_better=True,
    ),
    Work(
        "idle",
        "memory of 1,000 idle sessions, over idle",
        "MiB",
        "mib",
        idle(tls=False),
        mode=Mode.KEEP,
        sessions=1000,
        lower_is_better=True,
    ),
    Work(
        "idle-tls",
        "memory of 1,000 idle TLS sessions, over idle",
        "MiB",
        "mib",
        idle(tls=True),
        mode=Mode.KEEP,
        tls=True,
        sessions=1000,
        lower_is_better=True,
    ),
    Work(
        "one-large",
        "memory while a 50 MiB message goes through, over idle",
        "MiB",
        "mib",
        one_large,
        sessions=1,
        lower_is_better=True,
    ),
)
