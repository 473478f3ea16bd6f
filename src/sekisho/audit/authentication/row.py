"""What the rows of these tables have in common."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from sekisho.audit.authentication.attempt import Attempt, Door, in_clear, tried
from sekisho.audit.probe import Group, Need, Probe
from sekisho.audit.verdicts import Judgement
from sekisho.audit.visit import Visit
from sekisho.model.text import Text

Run = Callable[[Visit], Awaitable[Judgement]]

row = partial(Probe, group=Group.AUTHENTICATION)

WITH_ACCOUNT = frozenset({Need.ACCOUNT})
WITH_STRESS = frozenset({Need.STRESS})
WITH_BOTH = frozenset({Need.ACCOUNT, Need.STRESS})

REFUSES = Text(
    "Never 235: 501, 503, 504 or 535; relaying is refused before and after.",
    "235 を返さない (501・503・504・535 のいずれか)。中継は前後とも拒否する。",
)
REFUSES_CREDENTIALS = Text(
    "535 5.7.8, or 501 5.5.2; relaying is still refused after it.",
    "535 5.7.8 または 501 5.5.2 を返し、その後の中継も拒否する。",
)
NOT_OFFERED = Text(
    "504 5.5.4: the mechanism is not there.",
    "504 5.5.4 を返す (この機構は存在しない)。",
)
OUT_OF_ORDER = Text("503 5.5.1.", "503 5.5.1 を返す。")


def every(make: Callable[[Visit], Sequence[Attempt]]) -> Run:
    """Make the run that tries these attempts, each of which has to fail."""

    async def run(visit: Visit) -> Judgement:
        return await tried(visit, make(visit))

    return run


def clear(visit: Visit) -> Door:
    """Give the door without STARTTLS."""
    return partial(in_clear, visit)


def person(visit: Visit) -> str:
    """Give a user who exists: the one that was named, or postmaster."""
    return visit.text("{U}") or "postmaster"
