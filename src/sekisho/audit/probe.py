"""One probe, as a row: what it asks, what its answer means, and what it costs.

Rows stand in tables by group (`AUTHENTICATION`, `RELAY` …), and `catalogue` joins
them. The page of findings is made of them. A row's `run` is given a `Visit` and gives
a `Judgement`; whatever hinders it (no connection, silence, a closed door) it lets
pass as `conversation.HindranceError`, which the runner makes *undecided*.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum

from sekisho.audit.verdicts import Judgement, Severity
from sekisho.audit.visit import Visit
from sekisho.model.text import Text


class Group(Enum):
    """Probes that are run together, with the controls after each group."""

    RELAY = "relay"
    AUTHENTICATION = "authentication"
    SMUGGLING = "smuggling"
    CHUNKING = "chunking"
    STARTTLS = "starttls"
    INJECTION = "injection"
    LOAD = "load"


class Need(Enum):
    """What the administrator must have given before a probe is run."""

    ACCOUNT = "account"
    """``--user`` and ``--password-file``."""
    CANARY = "canary"
    """``--canary``: it delivers."""
    STRESS = "stress"
    """``--stress``: it is a load, bounded, or needs many tries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """A row.

    Attributes:
        id: The catalogue's, stable for ever: ``AUTH-001``.
        group: With which others it is run.
        title: What would be wrong, in a few words.
        severity: Where it is found.
        wire: What is sent, for people to read, placeholders as in the catalogue.
        safe: What a sound server does.
        advice: What to change where it is found.
        references: CVE numbers, RFC sections, bulletins.
        run: Carries it out.
        needs: What must have been given for it.
        account_helps: Whether it signs in, where there is an account that is good and
            strangers may not send mail.
        attempts: With a user and a password, so many count against the bound.

    """

    id: str
    group: Group
    title: Text
    severity: Severity
    wire: tuple[str, ...]
    safe: Text
    advice: Text
    references: tuple[str, ...]
    run: Callable[[Visit], Awaitable[Judgement]]
    needs: frozenset[Need] = frozenset()
    account_helps: bool = False
    attempts: int = 0
