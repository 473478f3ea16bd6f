"""What a token comes to, stage by stage: for ``sekisho auth test --token-file``.

Nothing of the token is told but its algorithm, its end and its account.
"""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from math import isfinite
from typing import Protocol

from sekisho.auth.authenticator import (
    AuthUnavailableError,
    DiagnosisStep,
    bad,
    good,
)
from sekisho.auth.oidc.claims import (
    ClaimsError,
    Passed,
    Wanted,
    check_purpose,
    check_times,
    holder,
)
from sekisho.auth.oidc.document import Object
from sekisho.auth.oidc.jwt import OtherIssuerError

OTHER_ISSUER = "the token says that it is of another issuer"


class Walked(Protocol):
    """Who reads tokens in stages."""

    @property
    def stages(self) -> tuple[str, ...]:
        """Names of the stages."""
        ...

    def walk(self, token: str) -> AsyncIterator[Passed]:
        """Pass the stages; raises where it stops."""
        ...


async def diagnose(
    reader: Walked, wanted: Wanted, token: str, clock: Callable[[], float]
) -> AsyncIterator[DiagnosisStep]:
    """Tell each stage, up to the one at which the token stops."""
    stages = iter(reader.stages)
    claims: Object = {}
    try:
        async for passed in reader.walk(token):
            claims = passed.claims
            yield good(next(stages), passed.detail)
    except OtherIssuerError:
        yield bad(next(stages), OTHER_ISSUER)
    except (ClaimsError, AuthUnavailableError) as error:
        yield bad(next(stages), str(error))
    else:
        for step in _judged(claims, wanted, clock()):
            yield step


def _judged(claims: Object, wanted: Wanted, now: float) -> list[DiagnosisStep]:
    """What it says, held against what is wanted, up to where it fails."""

    def purpose() -> str:
        check_purpose(claims, wanted)
        return f"for us, with the scopes {' '.join(wanted.scopes) or '(none wanted)'}"

    steps: list[DiagnosisStep] = []
    stages: dict[str, Callable[[], str]] = {
        "time": lambda: _until(check_times(claims, now)),
        "purpose": purpose,
        "account": lambda: holder(claims, wanted).account,
    }
    for what, look in stages.items():
        try:
            steps.append(good(what, look()))
        except ClaimsError as error:
            return [*steps, bad(what, str(error))]
    return steps


def _until(ends: float) -> str:
    if not isfinite(ends):
        return "it does not say when it ends"
    return f"until {datetime.fromtimestamp(ends, UTC):%Y-%m-%d %H:%M:%S} UTC"
