"""One attempt at AUTH, and what its answer says; and many, in few sessions.

A refusal is safe where it is for the right reason. Codes differ widely between sound
servers: 501, 503, 504 or 535 for the same token, so any of these is a refusal, and
only 2xx is a success. What is temporary, or wants TLS first, leaves it open. One thing
is called temporary and is not: Postfix with Cyrus SASL says 454 to some malformed
exchanges, always. Where the same probe was also told 535, that is taken for a refusal.

Sound servers close after a few failures (Exim after three), so three attempts share a
session, and what a closed door cut off is tried once more in a new one. A door that
closes on the first attempt of a session leaves it open: it may be a crash or a ban.
"""

from base64 import b64encode
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from itertools import takewhile

from sekisho.audit.authentication.relaying import (
    SHUTTING_DOWN,
    START_MAIL_INPUT,
    second_step,
    succeeded,
)
from sekisho.audit.conversation import ClosedError, Conversation
from sekisho.audit.verdicts import Judgement, Verdict, flawed, safe, undecided
from sekisho.audit.visit import Visit, spelled
from sekisho.model.reply import Reply

ATTEMPTS_A_SESSION = 3
CHALLENGE = 334
PUT_OFF = 454
BAD_CREDENTIALS = 535
NEEDS_TLS = frozenset({530, 538})
REFUSALS = frozenset({500, 501, 502, 503, 504, 530, 534, 535, 538, 550, 553})
NOT_THERE = frozenset({500, 502, 503, 504})
STRAY_REPLIES = 8
STRAY_SECONDS = 0.1
WRONG = "audit-wrong-password"

Door = Callable[[], AbstractAsyncContextManager[Conversation]]
Exchange = Callable[[Conversation], Awaitable[Reply]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """An attempt.

    Attributes:
        mechanism: Of SASL.
        what: How it is told of, where it is not ``AUTH`` and the mechanism.
        exchange: Carries it out, and gives the last reply.
        guess: It names a user and a password that could be right: it is counted, and
            only said where the mechanism is there.
        alone: It may upset the order of replies, so it has a session of its own.

    """

    mechanism: str
    exchange: Exchange
    guess: bool = False
    alone: bool = False
    what: str = ""

    @property
    def named(self) -> str:
        """What is told of."""
        return self.what or f"AUTH {self.mechanism}"


def b64(*fields: str | bytes) -> bytes:
    """Give the base64 of fields with a NUL between them, as PLAIN has them."""
    octets = (
        one.encode("utf-8", "surrogateescape") if isinstance(one, str) else one
        for one in fields
    )
    return b64encode(b"\0".join(octets))


def lines(first: bytes, *answers: bytes) -> Exchange:
    """Make the exchange that says these lines, an answer for each challenge."""

    async def exchange(conversation: Conversation) -> Reply:
        reply = await conversation.say(first)
        for answer in answers:
            if reply.code != CHALLENGE:
                break
            reply = await conversation.say(answer)
        return reply

    return exchange


def auth(
    mechanism: str, initial: bytes | None = None, *answers: bytes, guess: bool = False
) -> Attempt:
    """Make an attempt of lines as they are on the wire."""
    first = b"AUTH " + mechanism.encode()
    if initial is not None:
        first += b" " + initial
    return Attempt(mechanism=mechanism, exchange=lines(first, *answers), guess=guess)


def plain(*fields: str | bytes, guess: bool = False) -> Attempt:
    """Make an attempt by PLAIN: authzid, authcid, password."""
    return auth("PLAIN", b64(*fields), guess=guess)


def login(user: bytes, password: bytes, *, guess: bool = False) -> Attempt:
    """Make an attempt by LOGIN, of answers as they are on the wire."""
    return auth("LOGIN", None, user, password, guess=guess)


def password_guess(conversation: Conversation, user: str, password: str) -> Attempt:
    """Make a guess by what is offered: PLAIN, else LOGIN."""
    offered = conversation.offers.mechanisms
    if "LOGIN" in offered and "PLAIN" not in offered:
        return login(b64(user), b64(password), guess=True)
    return plain("", user, password, guess=True)


async def carry_out(
    visit: Visit, conversation: Conversation, attempt: Attempt
) -> Reply:
    """Carry it out to its end: a challenge too many is answered with ``*``.

    Raises:
        HindranceError: It could not be.

    """
    if attempt.guess:
        if attempt.mechanism not in conversation.offers.mechanisms:
            reply = await conversation.say(f"AUTH {attempt.mechanism}")
            if reply.code != CHALLENGE:
                return reply
            await conversation.say("*")
        if visit.spent is not None:
            visit.spent()
    reply = await attempt.exchange(conversation)
    if reply.code == CHALLENGE:
        reply = await conversation.say("*")
    return reply


def judged(reply: Reply, what: str, *, secured: bool) -> Judgement:
    """Say what the last reply of an attempt means."""
    said = spelled(reply)
    if succeeded(reply) or reply.code == START_MAIL_INPUT:
        return flawed(
            f"{what} was answered {said}",
            f"{what} に {said} が返された",
        )
    if reply.code in NEEDS_TLS and not secured:
        return undecided(
            f"{what} wants TLS first: {said}",
            f"{what} には先に TLS が必要: {said}",
        )
    if reply.code in REFUSALS or reply.enhanced.startswith(("5.7.", "5.5.")):
        return safe(
            f"{what} was refused: {said}",
            f"{what} は拒否された: {said}",
        )
    return undecided(
        f"{what} was put off, or refused for another reason: {said}",
        f"{what} は一時的に、または別の理由で拒否された: {said}",
    )


ORDER = (
    Verdict.FLAWED,
    Verdict.SUSPECT,
    Verdict.UNDECIDED,
    Verdict.SAFE,
    Verdict.NOT_APPLICABLE,
)


def worst(judgements: Iterable[Judgement]) -> Judgement:
    """Give the worst of them; of safe ones the last, which is of the second step."""
    ordered = sorted(
        enumerate(judgements),
        key=lambda one: (
            ORDER.index(one[1].verdict),
            -one[0] if one[1].verdict is Verdict.SAFE else one[0],
        ),
    )
    return ordered[0][1]


class Heard:
    """What the attempts of one probe were told.

    Attributes:
        judgements: One for each attempt and each second step.
        absent: Mechanisms that are not there.

    """

    def __init__(self) -> None:
        self.judgements: list[Judgement] = []
        self.absent: set[str] = set()
        self._malformed_put_off: list[Judgement] = []
        self._refused = False

    @property
    def flawed(self) -> bool:
        """Whether one of them is proved."""
        return any(one.verdict is Verdict.FLAWED for one in self.judgements)

    def hear(self, conversation: Conversation, attempt: Attempt, reply: Reply) -> None:
        """Judge a last reply."""
        judgement = judged(reply, attempt.named, secured=conversation.secured)
        put_off = reply.code == PUT_OFF and not attempt.guess
        (self._malformed_put_off if put_off else self.judgements).append(judgement)
        self._refused |= reply.code == BAD_CREDENTIALS
        if _is_absent(conversation, attempt, reply):
            self.absent.add(attempt.mechanism)

    def judgement(self) -> Judgement:
        """Give the worst."""
        put_off = [] if self._refused else self._malformed_put_off
        return worst([*self.judgements, *put_off])


async def tried(
    visit: Visit, attempts: Sequence[Attempt], door: Door | None = None
) -> Judgement:
    """Carry out attempts, of which each has to fail, and judge both steps.

    What is said of a mechanism that is not there is said once.

    Args:
        visit: The probe's.
        attempts: At least one.
        door: Opens a session; up to EHLO, under TLS where it is offered, by default.

    """
    door = door or visit.ready
    heard = Heard()
    left = list(attempts)
    while left and not heard.flawed:
        async with door() as conversation:
            done = await _session(visit, conversation, left, heard)
            await conversation.part()
        left = [one for one in left[done:] if one.mechanism not in heard.absent]
    return heard.judgement()


async def _session(
    visit: Visit,
    conversation: Conversation,
    attempts: Sequence[Attempt],
    heard: "Heard",
) -> int:
    """Carry out the first ones in one session; how many are done with."""
    batch = _batch(attempts)
    for done, attempt in enumerate(batch):
        if attempt.mechanism in heard.absent:
            continue
        reply = await _reply_to(visit, conversation, attempt)
        if reply is None or reply.code == SHUTTING_DOWN:
            if done:
                return done
            heard.judgements.append(_closed(attempt.named, reply))
            return 1
        if attempt.alone:
            reply = await _with_strays(conversation, reply)
        heard.hear(conversation, attempt, reply)
        if heard.flawed:
            return len(batch)
    heard.judgements.append(await second_step(visit, conversation))
    return len(batch)


async def _reply_to(
    visit: Visit, conversation: Conversation, attempt: Attempt
) -> Reply | None:
    """Carry it out; None where the server closed."""
    try:
        return await carry_out(visit, conversation, attempt)
    except ClosedError:
        return None


def _is_absent(conversation: Conversation, attempt: Attempt, reply: Reply) -> bool:
    unknown = reply.code in NOT_THERE and bool(attempt.mechanism)
    return unknown and attempt.mechanism not in conversation.offers.mechanisms


def _batch(attempts: Sequence[Attempt]) -> Sequence[Attempt]:
    if attempts[0].alone:
        return attempts[:1]
    together = takewhile(lambda one: not one.alone, attempts[:ATTEMPTS_A_SESSION])
    return list(together)


async def _with_strays(conversation: Conversation, reply: Reply) -> Reply:
    """Read what else is said, since one line was taken for several.

    A 235 among it is what counts.
    """
    try:
        for _ in range(STRAY_REPLIES):
            stray = await conversation.more(STRAY_SECONDS)
            if stray is None:
                break
            reply = stray if stray.code == 235 else reply  # noqa: PLR2004
    except ClosedError:
        pass
    return reply


def _closed(what: str, reply: Reply | None) -> Judgement:
    said = f": {spelled(reply)}" if reply is not None else ""
    return undecided(
        f"the server closed the connection on {what}{said}",
        f"{what} に対してサーバーが接続を閉じた{said}",
    )


@asynccontextmanager
async def in_clear(visit: Visit) -> AsyncGenerator[Conversation]:
    """Open a session up to EHLO, without STARTTLS."""
    async with visit.dial() as conversation:
        await conversation.ehlo()
        yield conversation
