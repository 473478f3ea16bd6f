"""What ``sekisho auth test`` does: walk the chain as for a client, and tell each step.

The same authenticators as the service's, built from the file as it is now, in a process
of their own: nothing is counted against the account, and nothing is remembered.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass, field, replace

from sekisho.app.clock import unix_seconds
from sekisho.app.control import Refusal
from sekisho.app.roster import Roster
from sekisho.app.storage import open_accounts
from sekisho.auth.account import AccountError
from sekisho.auth.authenticator import (
    Authenticator,
    Diagnoses,
    DiagnosesTokens,
    DiagnosisStep,
    bad,
)
from sekisho.auth.chain import Chain
from sekisho.auth.hashing import HashingPool
from sekisho.auth.precis import PreparationError, prepare_name, prepare_password
from sekisho.auth.sasl import Credential
from sekisho.auth.token_mechanisms import is_token
from sekisho.config.schema import Config
from sekisho.config.values import rules
from sekisho.model.identity import (
    Answer,
    ChainAnswer,
    Identity,
    NotMine,
    Rejected,
    Unavailable,
    Verified,
)
from sekisho.model.rules import AnyIdentity, GrantedTo, Group, Rules, User
from sekisho.net.tls import TlsFilesError

Tell = Callable[[str, DiagnosisStep], None]
NOBODY_HAS_IT = "nobody has this account"


@dataclass(frozen=True, slots=True)
class Trial:
    """How it ended.

    Attributes:
        answer: Of the chain; None where there was no password to verify.
        identity: Whose papers they are, where that was found out.
        grants: By which it may relay.
        by: The authenticator that had the last word; empty where none had.

    """

    answer: Answer | None
    identity: Identity | None = None
    grants: tuple[str, ...] = ()
    by: str = ""

    @property
    def is_good(self) -> bool:
        """Whether the account could sign in, as far as was asked."""
        if self.answer is None:
            return self.identity is not None
        return isinstance(self.answer, Verified)


@dataclass(frozen=True, slots=True)
class Papers:
    """What is shown; nothing where the account is only to be looked up."""

    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)


async def try_account(
    config: Config, account: str, papers: Papers, tell: Tell
) -> Trial:
    """Walk the chain.

    Raises:
        Refusal: The name or the papers can be none, or nobody could be asked.

    """
    try:
        name = prepare_name(account)
        if papers.password is not None:
            papers = Papers(prepare_password(papers.password))
    except PreparationError as error:
        raise Refusal(f"no client could say that: {error}") from error
    if papers.token is not None and not is_token(papers.token):
        raise Refusal("no client could say that: it is no bearer token")
    try:
        async with AsyncExitStack() as closing:
            roster = _roster(config, closing)
            await roster.take(config)
            trial = await _walk(roster.authenticators, name, papers, tell)
    except (AccountError, TlsFilesError) as error:
        raise Refusal(str(error), error.hint) from error
    if trial.identity is None:
        return trial
    return replace(trial, grants=grants_of(rules(config), trial.identity))


def _roster(config: Config, closing: AsyncExitStack) -> Roster:
    files = closing.enter_context(ExitStack())
    hashing = HashingPool()
    closing.callback(hashing.close)
    accounts = open_accounts(config, unix_seconds, files)
    roster = Roster(accounts, hashing, unix_seconds)
    closing.push_async_callback(roster.close)
    return roster


async def _walk(
    authenticators: Sequence[Authenticator], account: str, papers: Papers, tell: Tell
) -> Trial:
    """Ask in order; `NotMine` alone goes on, as in `sekisho.auth.chain`."""
    for one in authenticators:
        trial = await _ask(one, account, papers, tell)
        if trial is not None:
            return trial
    return Trial(Rejected(NOBODY_HAS_IT, account))


async def _ask(
    one: Authenticator, account: str, papers: Papers, tell: Tell
) -> Trial | None:
    """What one has to say; None where it is not its account."""
    identity: Identity | None = None
    answer: ChainAnswer | None = None
    async for told in _told(one, account, papers):
        match told:
            case DiagnosisStep():
                tell(one.name, told)
            case Identity():
                identity = told
            case _:
                answer = told
    match answer:
        case NotMine():
            return None
        case Verified() | Unavailable():
            # Taken for no more than it is, as for a client.
            judged = Chain([one]).judged(one, answer)
            who = judged.identity if isinstance(judged, Verified) else identity
            return Trial(judged, who, by=one.name)
        case _:
            return Trial(answer, identity, by=one.name)


Told = DiagnosisStep | Identity | ChainAnswer


def _told(one: Authenticator, account: str, papers: Papers) -> AsyncIterator[Told]:
    if papers.token is not None:
        return _of_token(one, account, papers.token)
    return _of_password(one, account, papers.password)


async def _of_token(
    one: Authenticator, account: str, token: str
) -> AsyncIterator[Told]:
    if Credential.TOKEN not in one.credentials():
        yield bad("asked", "it verifies no tokens")
        yield NotMine()
    elif isinstance(one, DiagnosesTokens):
        async for told in one.diagnose_token(token, account):
            yield told
    else:
        yield await Chain([one]).verify_token(token, account)


async def _of_password(
    one: Authenticator, account: str, password: str | None
) -> AsyncIterator[Told]:
    able = one.credentials()
    if Credential.PASSWORD not in able:
        hint = ": try --token-file" if Credential.TOKEN in able else ""
        yield bad("asked", f"it verifies no passwords{hint}")
        yield NotMine()
    elif isinstance(one, Diagnoses):
        async for told in one.diagnose(account, password):
            yield told
    elif password is None:
        yield bad("asked", "it can be asked with a password only")
        yield Unavailable("without a password it cannot be asked")
    else:
        yield await Chain([one]).verify_password(account, password)


def grants_of(table: Rules, identity: Identity) -> tuple[str, ...]:
    """The grants that name an identity, whatever it sends; those in force."""
    now = unix_seconds()
    return tuple(
        grant.name
        for grant in table.grants
        if now < grant.expires_at and any(_names(who, identity) for who in grant.who)
    )


def _names(who: GrantedTo, identity: Identity) -> bool:
    match who:
        case AnyIdentity():
            return True
        case Group(name):
            return name in identity.groups
        case User(name):
            return name == identity.account
        case _:
            return False
