"""Servers that tell guessers something, and servers that let users be others."""

import asyncio
from dataclasses import replace

from sekisho.audit.lab import sound
from sekisho.audit.lab.exchange_flaws import of_anyone, offering
from sekisho.audit.lab.flaw import Flaw
from sekisho.audit.lab.manners import SOUND
from sekisho.audit.lab.session import LabSession
from sekisho.model.text import Text

HASH_SECONDS = 0.03


async def _names_unknown(session: LabSession, initial: bytes | None) -> bytes:
    said = await session.response(initial)
    fields = said.split(b"\0")
    if len(fields) == 3 and fields[1] not in sound.LOCALS:  # noqa: PLR2004 - RFC 4616
        return b"535 5.7.8 no such user"
    return sound.BAD_CREDENTIALS


async def _hashes_for_known(session: LabSession, initial: bytes | None) -> bytes:
    said = await session.response(initial)
    if any(name in said.split(b"\0") for name in sound.LOCALS):
        await asyncio.sleep(HASH_SECONDS)
    return sound.BAD_CREDENTIALS


async def _vrfy(session: LabSession, argument: bytes) -> bytes:
    del session
    if argument in sound.LOCALS:
        return b"250 2.1.5 <" + argument + b"@" + sound.DOMAIN + b">"
    return sound.NO_SUCH_USER


GUESSING_FLAWS: tuple[Flaw, ...] = (
    Flaw(
        name="no-brake",
        title=Text(
            "One may guess as long as one likes", "パスワードの総当たりを制限しない"
        ),
        probes=("AUTH-065",),
        manners=replace(SOUND, max_failed_logins=1000, max_errors=1000),
    ),
    Flaw(
        name="enumeration-by-text",
        title=Text("Unknown users are told so", "未知の利用者に異なる文面を返す"),
        probes=("AUTH-066",),
        manners=offering({"PLAIN": _names_unknown}),
    ),
    Flaw(
        name="enumeration-by-time",
        title=Text(
            "Only for known users a hash is computed",
            "実在の利用者に対してだけハッシュを計算する",
        ),
        probes=("AUTH-067",),
        manners=offering({"PLAIN": _hashes_for_known}),
    ),
    Flaw(
        name="vrfy",
        title=Text("VRFY tells who exists", "VRFY が利用者の有無を明かす"),
        probes=("AUTH-068",),
        manners=replace(SOUND, commands={"VRFY": _vrfy}),
    ),
    Flaw(
        name="any-sender",
        title=Text(
            "Users may send from any address",
            "利用者が任意の送信者アドレスを使用できる",
        ),
        probes=("AUTH-080",),
        manners=of_anyone(SOUND),
    ),
    Flaw(
        name="any-author",
        title=Text(
            "Users may write as anybody, and strangers as users",
            "利用者も外部の第三者も、他者を名乗る From を使用できる",
        ),
        probes=("AUTH-081", "AUTH-082"),
        manners=replace(of_anyone(SOUND), takes_sender=sound.takes_sender),
    ),
)
