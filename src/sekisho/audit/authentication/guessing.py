"""What a guesser learns by text and by time, and how long he may go on.

Whether an unknown user is answered as a known one can be asked only where somebody who
exists was named (``--known-user``). Replies that differ by themselves (a serial number,
the time) would show a difference where there is none, so two unknown users are compared
before anything is said.
"""

import re
import time
from collections.abc import Sequence

from sekisho.audit.authentication.attempt import (
    CHALLENGE,
    WRONG,
    b64,
    password_guess,
)
from sekisho.audit.authentication.ranks import differ
from sekisho.audit.authentication.relaying import SHUTTING_DOWN, succeeded
from sekisho.audit.authentication.row import REFUSES_CREDENTIALS, WITH_STRESS, row
from sekisho.audit.conversation import ClosedError, Conversation
from sekisho.audit.probe import Probe
from sekisho.audit.verdicts import (
    Judgement,
    Severity,
    flawed,
    not_applicable,
    safe,
    undecided,
)
from sekisho.audit.visit import TurnedAwayError, Visit, spelled
from sekisho.model.reply import Reply
from sekisho.model.text import Text

MOST_GUESSES = 25
"""Postfix closes after 20 errors."""
SLOWER_SECONDS = 0.5
PAIRS = 30
LEAST_PAIRS = 10
MOST_SECONDS = 60.0
GUESSES_A_SESSION = 4
_SERIAL = re.compile(r"\[[^]]*\]|\d{4,}")

NO_KNOWN_USER = not_applicable(
    "nobody who exists was named (--known-user)",
    "実在する利用者が指定されていない (--known-user)",
)
NO_PASSWORDS = not_applicable(
    "neither PLAIN nor LOGIN is offered", "PLAIN も LOGIN も提供されていない"
)


def takes_passwords(conversation: Conversation) -> bool:
    """Whether PLAIN or LOGIN is offered."""
    return bool(conversation.offers.mechanisms & {"PLAIN", "LOGIN"})


async def _guessed(conversation: Conversation, user: str) -> Reply:
    return await password_guess(conversation, user, WRONG).exchange(conversation)


async def braked(visit: Visit) -> Judgement:
    """Guess for a user whom nobody has until it is slowed down, bounded."""
    seconds: list[float] = []
    async with visit.ready() as conversation:
        if not takes_passwords(conversation):
            return NO_PASSWORDS
        for count in range(1, MOST_GUESSES + 1):
            began = time.monotonic()
            try:
                reply = await _guessed(conversation, visit.text("{N}"))
            except ClosedError:
                return _stopped(count)
            seconds.append(time.monotonic() - began)
            if reply.code == SHUTTING_DOWN or reply.is_transient:
                return _stopped(count)
            if seconds[-1] > SLOWER_SECONDS:
                return safe(
                    f"guess {count} took {seconds[-1]:.1f} s",
                    f"{count} 回目の試行は {seconds[-1]:.1f} 秒遅延した",
                )
    return flawed(
        f"{MOST_GUESSES} wrong passwords in one session, neither slowed nor stopped",
        f"1 セッションで {MOST_GUESSES} 回の誤ったパスワードが制限なく受け付けられた",
    )


def _stopped(count: int) -> Judgement:
    return safe(f"guessing was stopped at {count}", f"{count} 回目の試行で制限された")


def known_and_unknown(visit: Visit) -> tuple[str, str] | None:
    """Give a user who exists and one who does not, spelled alike."""
    known = visit.account.user if visit.account else visit.names.known
    if not known:
        return None
    return known, visit.text("{N}@{D}" if "@" in known else "{N}")


async def _heard(visit: Visit, user: str) -> list[str] | None:
    """Guess once in a session of its own; None where it is not judged just now."""
    async with visit.ready() as conversation:
        if visit.spent is not None:
            visit.spent()
        replies: list[Reply] = []
        if "PLAIN" in conversation.offers.mechanisms:
            replies.append(await _guessed(conversation, user))
        else:
            for line in (b"AUTH LOGIN", b64(user), b64(WRONG)):
                replies.append(await conversation.say(line))
                if replies[-1].code != CHALLENGE:
                    break
    if replies[-1].is_transient:
        return None
    return [_SERIAL.sub("#", str(reply).replace(user, "{}")) for reply in replies]


async def reads_alike(visit: Visit) -> Judgement:
    """Compare what is said to a user who exists and to one who does not."""
    users = known_and_unknown(visit)
    if users is None:
        return NO_KNOWN_USER
    async with visit.ready() as conversation:
        if not takes_passwords(conversation):
            return NO_PASSWORDS
    known, unknown = [await _heard(visit, user) for user in users]
    if known is None or unknown is None:
        return undecided("AUTH is put off just now", "AUTH が一時的に拒否されている")
    if known == unknown:
        return safe(
            f"both read alike: {known[-1]}", f"両者への応答が一致した: {known[-1]}"
        )
    another = await _heard(visit, f"x{users[1]}")
    if another != unknown:
        return undecided(
            "replies differ by themselves", "応答が毎回異なるため比較できない"
        )
    return flawed(
        f"a user who exists is told otherwise: {known[-1]} / {unknown[-1]}",
        f"実在する利用者への応答が異なる: {known[-1]} / {unknown[-1]}",
    )


async def takes_as_long(visit: Visit) -> Judgement:
    """Measure interleaved pairs of a user who exists and one who does not."""
    users = known_and_unknown(visit)
    if users is None:
        return NO_KNOWN_USER
    order = [side for pair in range(PAIRS) for side in ((0, 1), (1, 0))[pair % 2]]
    taken: tuple[list[float], list[float]] = ([], [])
    ends = time.monotonic() + MOST_SECONDS
    while order and time.monotonic() < ends:
        batch, order = order[:GUESSES_A_SESSION], order[GUESSES_A_SESSION:]
        try:
            async with visit.ready() as conversation:
                if not takes_passwords(conversation):
                    return NO_PASSWORDS
                await _measure(conversation, users, batch, taken)
        except (ClosedError, TurnedAwayError):
            break
    return _compared(*taken)


async def _measure(
    conversation: Conversation,
    users: tuple[str, str],
    batch: Sequence[int],
    taken: tuple[list[float], list[float]],
) -> None:
    for side in batch:
        began = time.monotonic()
        reply = await _guessed(conversation, users[side])
        if reply.is_transient:
            raise ClosedError("the server puts AUTH off")
        taken[side].append(time.monotonic() - began)


def _compared(known: list[float], unknown: list[float]) -> Judgement:
    count = min(len(known), len(unknown))
    if count < LEAST_PAIRS:
        return undecided(
            f"only {count} pairs could be measured", f"{count} 組しか測定できなかった"
        )
    if differ(known, unknown):
        return flawed(
            f"by time one sees who exists ({count} pairs)",
            f"応答時間から利用者の有無が分かる ({count} 組)",
        )
    return safe(
        f"no difference in {count} pairs", f"{count} 組の測定で差は見られなかった"
    )


async def other_verbs(visit: Visit) -> Judgement:
    """Ask VRFY and EXPN.

    A 252 for one and a 550 for the other is what RCPT says, too, so it tells nothing
    more; a 250 does, and a list's members.
    """
    user = visit.text("{U}") or "postmaster"
    async with visit.ready() as conversation:
        known = await conversation.say(f"VRFY {user}")
        unknown = await conversation.say(visit.text("VRFY {N}"))
        members = await conversation.say("EXPN postmaster")
    if known.code in {250, 251} and not succeeded(unknown):
        return flawed(
            f"VRFY tells who exists: {spelled(known)} / {spelled(unknown)}",
            f"VRFY により利用者の有無が分かる: {spelled(known)} / {spelled(unknown)}",
        )
    if members.code == 250:  # noqa: PLR2004 - RFC 5321 §3.5.2
        return flawed(
            f"EXPN tells members: {spelled(members)}",
            f"EXPN が宛先一覧を明かす: {spelled(members)}",
        )
    if known.is_transient or unknown.is_transient:
        return undecided(
            f"VRFY is put off: {spelled(known)}",
            f"VRFY は一時的に拒否された: {spelled(known)}",
        )
    return safe(
        f"VRFY and EXPN tell nothing: {spelled(known)}",
        f"VRFY と EXPN は何も明かさない: {spelled(known)}",
    )


ALIKE = Text(
    "Answer unknown users as known ones: the same text, and the time of a hash.",
    "未知の利用者にも同じ文面を返し、ハッシュ計算を行って応答時間を揃えてください。",
)

GUESSING: tuple[Probe, ...] = (
    row(
        id="AUTH-065",
        title=Text("Guessing is not braked", "パスワードの総当たりが制限されない"),
        severity=Severity.MEDIUM,
        wire=(f"AUTH PLAIN, {{N}} and a wrong password, up to {MOST_GUESSES} times",),
        safe=Text(
            "Replies get slower, or 421 4.7.0 and the end.",
            "応答を遅らせるか、421 4.7.0 を返して切断する。",
        ),
        advice=Text(
            "Close after a few failures, and delay the answers.",
            "数回の失敗で切断し、応答を遅延させてください。",
        ),
        references=("RFC 4954 §9", "CWE-307"),
        run=braked,
        needs=WITH_STRESS,
    ),
    row(
        id="AUTH-066",
        title=Text(
            "The text of a refusal tells who exists",
            "拒否応答の文面から利用者の有無が分かる",
        ),
        severity=Severity.MEDIUM,
        wire=("AUTH PLAIN, {U} and a wrong password", "AUTH PLAIN, {N} and the same"),
        safe=REFUSES_CREDENTIALS,
        advice=ALIKE,
        references=("CWE-204",),
        run=reads_alike,
        attempts=2,
    ),
    row(
        id="AUTH-067",
        title=Text(
            "The time of a refusal tells who exists",
            "拒否応答までの時間から利用者の有無が分かる",
        ),
        severity=Severity.MEDIUM,
        wire=(f"AUTH PLAIN, {{U}} and {{N}} in turn, {PAIRS} pairs",),
        safe=Text("No difference that can be used.", "利用可能な差がない。"),
        advice=ALIKE,
        references=("CWE-208", "CVE-2026-24031"),
        run=takes_as_long,
        needs=WITH_STRESS,
    ),
    row(
        id="AUTH-068",
        title=Text("VRFY or EXPN tells who exists", "VRFY や EXPN が利用者を明かす"),
        severity=Severity.LOW,
        wire=("VRFY {U}", "VRFY {N}", "EXPN postmaster"),
        safe=Text("252 for all, or 502.", "すべてに 252 を返すか、502 を返す。"),
        advice=Text(
            "Switch VRFY and EXPN off (Postfix: disable_vrfy_command = yes).",
            "VRFY と EXPN を無効にしてください (Postfix: disable_vrfy_command = yes)。",
        ),
        references=("CVE-1999-0531", "RFC 5321 §7.3"),
        run=other_verbs,
    ),
)
