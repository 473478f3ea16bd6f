"""The tables of how mail is carried on: when it is tried, how hosts are met."""

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, PlainValidator

from sekisho.config.fields import Bind, Many, choice, read_own_domain, text
from sekisho.config.problems import wrong
from sekisho.config.tables import Seconds, Some, Table

Minutes = Annotated[float, Field(gt=0, le=31 * 1440)]


def _growing(minutes: tuple[float, ...]) -> tuple[float, ...]:
    for earlier, later in pairwise(minutes):
        if later < earlier:
            raise wrong(f"{later:g} comes after {earlier:g}", "intervals only grow")
    return minutes


Intervals = Annotated[Many[Minutes], Some, AfterValidator(_growing)]


class Retry(Table):
    """Intervals by cause, where they differ from ``retry_minutes``; in minutes.

    ``sekisho queue show`` tells which of them a recipient is tried by, and when.

    Attributes:
        unreachable: Nobody answers at the address, or the connection broke.
        dns: Names could not be resolved.
        greylisted: The host answered 450 or 451 about the message: it may take it
            when it sees it again, such as ``[1, 5, 10, 20, 40, 60]``.
        quota: 452 or 4.2.2: it has no room for the message now.
        rate: 421, or a reply that tells of too much mail.
        tls: No connection as safe as it must be.
        upstream_auth: It refused our login, and an operator has to act.
        timeout: It was silent for too long.
        other: Everything else.

    """

    unreachable: Intervals = ()
    dns: Intervals = ()
    greylisted: Intervals = ()
    quota: Intervals = ()
    rate: Intervals = ()
    tls: Intervals = ()
    upstream_auth: Intervals = ()
    timeout: Intervals = ()
    other: Intervals = ()


def _domain_pattern(value: object) -> str:
    """Read a domain's name, or ``*.`` and the name of what is above it."""
    given = text(value)
    below = given.removeprefix("*.")
    return given[: len(given) - len(below)] + read_own_domain(below)


DomainPattern = Annotated[str, PlainValidator(_domain_pattern)]


class QueueDomain(Table):
    """What differs for recipients of a domain, or with ``"*.NAME"`` of all below it.

    The nearest one holds; what is left out is as in ``[queue]``.

    Attributes:
        expire_hours: After this the sender gets a bounce.
        delay_notice_hours: After this the sender is told, once; 0 is never.
        retry_minutes: Between attempts, whatever the cause.

    """

    expire_hours: Annotated[float, Field(gt=0, le=31 * 24)] | None = None
    delay_notice_hours: Annotated[float, Field(ge=0, le=31 * 24)] | None = None
    retry_minutes: Intervals = ()


class Queue(Table):
    """How long mail is tried.

    Attributes:
        retry_minutes: Between attempts, growing; the last one repeats.
        retry: Intervals by cause: the table ``[queue.retry]``.
        expire_hours: After this the sender gets a bounce.
        delay_notice_hours: After this the sender is told, once, that the message is
            delayed and still being tried; 0 is never.
        domains: By recipients' domain: the tables ``[queue.domains."NAME"]``.

    """

    retry_minutes: Intervals = (5, 10, 20, 40, 60, 120)
    retry: Retry = Field(default_factory=Retry)
    expire_hours: Annotated[float, Field(gt=0, le=31 * 24)] = 48
    delay_notice_hours: Annotated[float, Field(ge=0, le=31 * 24)] = 4
    domains: dict[DomainPattern, QueueDomain] = Field(
        default_factory=dict[str, QueueDomain]
    )


class Report(Table):
    """Bounces and notices.

    Attributes:
        language: Of the words for people.
        copy_to_postmaster: Whether the postmaster gets a copy of each bounce.

    """

    language: Annotated[Literal["en", "ja"], PlainValidator(choice("en", "ja"))] = "en"
    copy_to_postmaster: bool = False


class Delivery(Table):
    """How the next hosts are treated.

    Attributes:
        max_connections_per_destination: At once.
        connect_seconds: For one connection attempt.
        command_seconds: For one reply (RFC 5321 §4.5.3.2 wants five minutes).
        data_seconds: For the reply to the whole content (ten minutes there).

    """

    max_connections_per_destination: Annotated[int, Field(ge=1, le=10_000)] = 20
    connect_seconds: Seconds = 30.0
    command_seconds: Seconds = 300.0
    data_seconds: Seconds = 600.0


class Dns(Table):
    """Who is asked for names.

    Attributes:
        servers: Resolvers, such as ``"127.0.0.1:53"``; the system's if left out.
        timeout_seconds: For one question, with all its attempts.

    """

    servers: Many[Bind] = ()
    timeout_seconds: Seconds = 10.0
