"""Servers that keep no bounds, or break at what is too much."""

import re
from dataclasses import replace

from sekisho.audit.lab import sound
from sekisho.audit.lab.flaw import Flaw
from sekisho.audit.lab.manners import KEYWORDS, SOUND, Manners
from sekisho.audit.lab.session import HangUpError, LabSession
from sekisho.audit.lab.verbs import COMMANDS
from sekisho.model.text import Text

_HUGE = 1 << 40
_SMALL_SIZE = 100_000
_MANY_FIELDS = 1000
_MANY_PARTS = 100
_MANY_ABORTED = 15


def _takes_blanks(session: LabSession, argument: bytes) -> bytes:
    return sound.takes_sender(session, argument.strip())


def _takes_long_domains(session: LabSession, argument: bytes) -> bytes:
    return sound.takes_sender(session, re.sub(rb"(a\.){99,}", b"", argument))


def _forgets_size(session: LabSession, argument: bytes) -> bytes:
    return sound.takes_sender(session, re.sub(rb" SIZE=[0-9]+", b"", argument))


def _keeps_small_size(session: LabSession, content: bytes) -> bytes | None:
    del session
    return b"552 5.3.4 message too big" if len(content) > _SMALL_SIZE else None


def _breaks_at_fields(session: LabSession, content: bytes) -> bytes | None:
    del session
    if content.partition(b"\r\n\r\n")[0].count(b"\n") > _MANY_FIELDS:
        raise HangUpError
    return None


def _breaks_at_parts(session: LabSession, content: bytes) -> bytes | None:
    del session
    if content.count(b"\r\n--") > _MANY_PARTS:
        raise HangUpError
    return None


async def _breaks_at_quote(session: LabSession, argument: bytes) -> bytes | None:
    if argument.startswith(b'"'):
        raise HangUpError
    return await COMMANDS["NOOP"](session, argument)


def _wears_out() -> Manners:
    """Make manners that leak with each login, and end with what they may leak."""
    leaked: list[bytes] = []

    async def login(session: LabSession, initial: bytes | None) -> bytes:
        leaked.append(b"")
        return await sound.login(session, initial)

    async def ehlo(session: LabSession, argument: bytes) -> bytes | None:
        if len(leaked) > _MANY_ABORTED:
            raise HangUpError
        return await COMMANDS["EHLO"](session, argument)

    return replace(
        SOUND,
        mechanisms={**sound.MECHANISMS, "LOGIN": login},
        commands={"EHLO": ehlo},
    )


_SMALL = replace(
    SOUND,
    keywords=(
        *(word for word in KEYWORDS if word[:4] != "SIZE"),
        f"SIZE {_SMALL_SIZE}",
    ),
)

LOAD_FLAWS: tuple[Flaw, ...] = (
    Flaw(
        name="unbounded-line",
        title=Text("Keeps command lines of any length", "任意の長さのコマンド行を保持"),
        probes=("DOS-001",),
        manners=replace(SOUND, max_line_octets=_HUGE, takes_sender=_takes_blanks),
        twin=replace(SOUND, takes_sender=_takes_blanks),
    ),
    Flaw(
        name="unbounded-auth-line",
        title=Text("Keeps lines of AUTH of any length", "任意の長さの AUTH 行を保持"),
        probes=("DOS-002",),
        manners=replace(SOUND, max_auth_octets=_HUGE),
    ),
    Flaw(
        name="impossible-domain",
        title=Text("Takes domains past 255 octets", "255 オクテット超のドメインを受理"),
        probes=("DOS-004",),
        manners=replace(SOUND, takes_sender=_takes_long_domains),
    ),
    Flaw(
        name="few-recipients",
        title=Text("Takes ten recipients", "宛先を 10 件しか受け付けない"),
        probes=("DOS-005",),
        manners=replace(SOUND, max_recipients=10),
    ),
    Flaw(
        name="endless-errors",
        title=Text("Answers errors without end", "エラーに際限なく応答"),
        probes=("DOS-006",),
        manners=replace(SOUND, max_errors=_HUGE),
    ),
    Flaw(
        name="endless-patience",
        title=Text(
            "Waits for a slow client without end", "低速クライアントを無期限に待機"
        ),
        probes=("DOS-007",),
        manners=replace(SOUND, command_seconds=float(_HUGE)),
    ),
    Flaw(
        name="connections-never-freed",
        title=Text("Counts connections that are gone", "切断済みの接続を数え続ける"),
        probes=("DOS-008",),
        manners=replace(SOUND, frees_sessions=False),
    ),
    Flaw(
        name="breaks-at-fields",
        title=Text("Breaks at many header fields", "大量のヘッダーで異常終了"),
        probes=("DOS-009",),
        manners=replace(SOUND, content_checks=(_breaks_at_fields,)),
    ),
    Flaw(
        name="breaks-at-parts",
        title=Text("Breaks at deep MIME parts", "深い MIME 入れ子で異常終了"),
        probes=("DOS-010",),
        manners=replace(SOUND, content_checks=(_breaks_at_parts,)),
    ),
    Flaw(
        name="sees-no-loops",
        title=Text("Does not count hops", "経由数を数えない"),
        probes=("DOS-011",),
        manners=replace(SOUND, content_checks=()),
    ),
    Flaw(
        name="size-not-kept",
        title=Text("Announces SIZE and does not keep it", "提示した SIZE を守らない"),
        probes=("DOS-012",),
        manners=replace(_SMALL, takes_sender=_forgets_size),
        twin=replace(
            _SMALL, takes_sender=_forgets_size, content_checks=(_keeps_small_size,)
        ),
    ),
    Flaw(
        name="wears-out",
        title=Text("Leaks with each aborted login", "認証の中断ごとに資源が漏出"),
        probes=("DOS-013",),
        manners=_wears_out(),
    ),
    Flaw(
        name="breaks-at-quote",
        title=Text("Breaks at a quote behind NOOP", "NOOP の引用符で異常終了"),
        probes=("DOS-014",),
        manners=replace(SOUND, commands={"NOOP": _breaks_at_quote}),
    ),
)
