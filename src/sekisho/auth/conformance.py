"""What every authenticator must do: a test that any plug-in can run on itself.

``faults = await check_passwords(make, case)`` gives sentences, none if all is well.
`make` builds a new authenticator each time, so that one answer does not make the next.
What is asked here is what the chain relies on; that a backend's failure comes out as
`Unavailable` only the author can provoke, and `check_failing` then looks at the answer.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import cast

from sekisho.auth.authenticator import AuthUnavailableError, ChecksPasswords
from sekisho.auth.sasl import Credential
from sekisho.model.identity import (
    Identity,
    NotMine,
    Rejected,
    Unavailable,
    Verified,
)

Make = Callable[[], ChecksPasswords]


@dataclass(frozen=True, slots=True)
class PasswordCase:
    """Somebody whom the authenticator knows, and what is not so."""

    account: str
    password: str
    wrong_password: str
    unknown_account: str


_STRANGE = ("", "\0", "'", '"', "*", "*)(uid=*", "' OR '1'='1", "../", "a" * 254)


async def check_passwords(make: Make, case: PasswordCase) -> list[str]:
    """Ask an authenticator of passwords all that it must answer well."""
    faults: list[str] = []
    one = make()
    if Credential.PASSWORD not in one.credentials():
        faults.append("credentials() does not name PASSWORD")
    faults += await _right(make, case)
    faults += await _refuses(make, case.account, case.wrong_password)
    faults += await _refuses(make, case.unknown_account, case.password)
    for strange in _STRANGE:
        faults += await _refuses(make, case.account, strange)
        faults += await _refuses(make, strange, case.password)
    faults += await _refuses(make, case.account.swapcase() + "x", case.password)
    await make().pretend()
    return faults


async def check_failing(make: Make, case: PasswordCase) -> list[str]:
    """Ask an authenticator whose backend fails: it may say "unavailable" alone."""
    for password in (case.password, case.wrong_password):
        answer = await _answer(make(), case.account, password)
        if not isinstance(answer, Unavailable):
            return [f"its backend fails, and it answers {type(answer).__name__}"]
    return []


async def _right(make: Make, case: PasswordCase) -> list[str]:
    one = make()
    answer = await _answer(one, case.account, case.password)
    if not isinstance(answer, Verified):
        return [f"the right password is answered {answer!r}"]
    identity = cast("object", answer.identity)
    if not isinstance(identity, Identity):
        return ["what it verified is no Identity"]
    faults: list[str] = []
    if identity.authenticator != one.name:
        faults.append("its identity names another authenticator")
    if one.is_current(identity) is not True:
        faults.append("whom it has just verified is not current")
    others = (
        replace(identity, generation=identity.generation + 1),
        replace(identity, account=case.unknown_account),
    )
    if any(one.is_current(other) is not False for other in others):
        faults.append("an identity of another generation or account is current")
    return faults


async def _refuses(make: Make, account: str, password: str) -> list[str]:
    answer = await _answer(make(), account, password)
    if isinstance(answer, Rejected | NotMine | Unavailable):
        return []
    return [f"account {account!r} with a wrong password is answered {answer!r}"]


async def _answer(one: ChecksPasswords, account: str, password: str) -> object:
    asked: Awaitable[object] = one.verify_password(account, password)
    try:
        return await asked
    except AuthUnavailableError as error:
        return Unavailable(str(error))
    except Exception as error:  # noqa: BLE001 - the chain takes it so
        return Unavailable(type(error).__name__)
