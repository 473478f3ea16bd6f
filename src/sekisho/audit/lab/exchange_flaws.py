"""Servers that take nothing, or nonsense, for a proof (MS01-037 and its siblings)."""

import struct
from collections.abc import Callable, Mapping
from dataclasses import replace
from weakref import WeakSet

from sekisho.audit.lab import sound, verbs
from sekisho.audit.lab.flaw import Flaw
from sekisho.audit.lab.manners import SOUND, Manners, Mechanism
from sekisho.audit.lab.session import ExchangeEndedError, LabSession
from sekisho.model.text import Text
from sekisho.wire.base64 import Base64Fault, decode

NTLM_SIGNATURE = b"NTLMSSP\0"
NEGOTIATE, AUTHENTICATE = 1, 3
LEAST_NEGOTIATE, LEAST_AUTHENTICATE = 16, 64


def offering(mechanisms: Mapping[str, Mechanism], base: Manners = SOUND) -> Manners:
    """Make manners that offer these besides what a sound server offers."""
    return replace(base, mechanisms={**base.mechanisms, **mechanisms})


async def proves_nothing(session: LabSession, initial: bytes | None) -> bytes:
    """Read one response, and refuse it: a mechanism whose users are elsewhere."""
    await session.response(initial)
    return sound.BAD_CREDENTIALS


def anyone_sends(session: LabSession, argument: bytes) -> bytes:
    """Judge MAIL without asking whose address it is."""
    identity, session.identity = session.identity, ""
    reply = sound.takes_sender(session, argument)
    session.identity = identity
    return reply


def of_anyone(base: Manners) -> Manners:
    """Make manners that never ask whose address it is."""
    checks = tuple(one for one in base.content_checks if one is not sound.own_author)
    return replace(base, takes_sender=anyone_sends, content_checks=checks)


# --- MS01-037


async def _gssapi(session: LabSession, initial: bytes | None) -> bytes:
    """Take a token that cannot be decoded for a context that is complete."""
    line = await session.raw_challenge() if initial is None else initial
    if line != b"*" and isinstance(decode(line), Base64Fault):
        return session.signed_in(sound.USER)
    return sound.BAD_CREDENTIALS


async def _auth_after_helo(session: LabSession, argument: bytes) -> bytes:
    if session.extended or not argument.upper().startswith(b"GSSAPI"):
        return await verbs.auth(session, argument)
    return await _gssapi(session, None)


async def _lax_plain(session: LabSession, initial: bytes | None) -> bytes:
    """Go on with whatever came, once it could not be decoded."""
    try:
        return await sound.plain(session, initial)
    except ExchangeEndedError as ended:
        if ended.reply == sound.MALFORMED_CREDENTIALS:
            return session.signed_in(sound.USER)
        raise


# --- NTLM


def _ntlm_challenge(name: str = "") -> bytes:
    octets = name.encode("utf-16-le")
    field = struct.pack("<HHI", len(octets), len(octets), 56)
    return (
        NTLM_SIGNATURE
        + struct.pack("<I", 2)
        + field
        + struct.pack("<I", 0x8201)
        + b"tegata!!"
        + bytes(8)
        + struct.pack("<HHI", 0, 0, 56 + len(octets))
        + bytes(8)
        + octets
    )


def _ntlm_field(message: bytes, at: int) -> bytes | None:
    """Give a field, or None where it leads out of the message."""
    length, _, offset = struct.unpack_from("<HHI", message, at)
    if length % 2 and at == 36:  # noqa: PLR2004 - half a letter of UTF-16
        return None
    return (
        message[offset : offset + length] if offset + length <= len(message) else None
    )


Judgement = Callable[[LabSession, bytes | None, bytes | None], bytes]
"""Session, user, response (None: misshapen) → the last reply."""


def _ntlm(judge: Judgement, name: str = "") -> Mechanism:
    async def mechanism(session: LabSession, initial: bytes | None) -> bytes:
        first = await session.response(initial)
        if not first.startswith(NTLM_SIGNATURE) or len(first) < LEAST_NEGOTIATE:
            return sound.MALFORMED_CREDENTIALS
        answer = await session.challenge(_ntlm_challenge(name))
        if not answer.startswith(NTLM_SIGNATURE):
            return sound.MALFORMED_CREDENTIALS
        if len(answer) < LEAST_AUTHENTICATE:
            return judge(session, None, None)
        return judge(session, _ntlm_field(answer, 36), _ntlm_field(answer, 20))

    return mechanism


REFUSED = sound.BAD_CREDENTIALS


def _no_ntlm(session: LabSession, user: bytes | None, response: bytes | None) -> bytes:
    del session
    return sound.MALFORMED_CREDENTIALS if None in (user, response) else REFUSED


def _null_session(
    session: LabSession, user: bytes | None, response: bytes | None
) -> bytes:
    return session.signed_in(b"") if user == b"" else _no_ntlm(session, user, response)


def _guest(session: LabSession, user: bytes | None, response: bytes | None) -> bytes:
    """Refuse, and go on as a guest all the same."""
    if user:
        session.identity = "guest"
    return _no_ntlm(session, user, response)


def _out_of_bounds(
    session: LabSession, user: bytes | None, response: bytes | None
) -> bytes:
    """Take a field that is not there for one that is right."""
    if None in (user, response):
        return session.signed_in(sound.USER)
    return REFUSED


NTLM_OFFERED = offering({"NTLM": _ntlm(_no_ntlm)})


# --- one mechanism after the other

_GAVE_UP: WeakSet[LabSession] = WeakSet()


async def _given_up(session: LabSession, initial: bytes | None) -> bytes:
    try:
        return await proves_nothing(session, initial)
    except ExchangeEndedError:
        _GAVE_UP.add(session)
        raise


async def _stale_plain(session: LabSession, initial: bytes | None) -> bytes:
    """Go on with the handle of the mechanism that was given up."""
    if session in _GAVE_UP and initial is not None:
        return session.signed_in(sound.USER)
    return await sound.plain(session, initial)


# --- other verbs, other mechanisms


async def _exps(session: LabSession, argument: bytes) -> bytes:
    del argument
    await session.raw_challenge(b"")
    return session.signed_in(sound.USER)


async def _anonymous(session: LabSession, initial: bytes | None) -> bytes:
    await session.response(initial)
    return session.signed_in(b"anonymous")


def _windows(build: int) -> bytes:
    """The greeting of Windows 2000; two blanks stand before its date."""
    name = b"mail." + sound.DOMAIN
    service = b"Microsoft ESMTP MAIL Service, Version: 5.0.2195.%d ready at" % build
    return name + b" " + service + b"  Fri, 6 Jul 2001 09:00:00 +0900"


_OLD = {"CRAM-MD5": proves_nothing, "DIGEST-MD5": proves_nothing}

EXCHANGE_FLAWS: tuple[Flaw, ...] = (
    Flaw(
        name="ms01-037",
        title=Text(
            "AUTH GSSAPI takes a lone dot for a proof, as Windows 2000 did",
            "AUTH GSSAPI が「.」だけの応答を認証成功とみなす (Windows 2000 と同じ)",
        ),
        probes=("AUTH-001",),
        # As its second and its third service pack say; the third has the correction.
        manners=replace(offering({"GSSAPI": _gssapi}), greeting=_windows(2966)),
        twin=replace(offering({"GSSAPI": proves_nothing}), greeting=_windows(5329)),
    ),
    Flaw(
        name="ms01-037-helo",
        title=Text(
            "The same after HELO", "HELO の後でも「.」だけの応答を認証成功とみなす"
        ),
        probes=("AUTH-002",),
        manners=replace(SOUND, commands={"AUTH": _auth_after_helo}),
        twin=offering({"GSSAPI": proves_nothing}),
    ),
    Flaw(
        name="undecodable-response",
        title=Text(
            "PLAIN takes what cannot be decoded for a proof",
            "PLAIN が復号できない応答を認証成功とみなす",
        ),
        probes=("AUTH-003",),
        manners=offering({"PLAIN": _lax_plain}),
    ),
    Flaw(
        name="ntlm-null-session",
        title=Text(
            "NTLM takes a null session for a user (MS02-011)",
            "NTLM がヌルセッションを利用者とみなす (MS02-011)",
        ),
        probes=("AUTH-004",),
        manners=offering({"NTLM": _ntlm(_null_session)}),
        twin=NTLM_OFFERED,
    ),
    Flaw(
        name="ntlm-guest",
        title=Text(
            "NTLM refuses unknown users, and relays for them as guests",
            "NTLM が未知の利用者を拒否しつつ、ゲストとして中継する",
        ),
        probes=("AUTH-005",),
        manners=of_anyone(offering({"NTLM": _ntlm(_guest)})),
        twin=NTLM_OFFERED,
    ),
    Flaw(
        name="ntlm-out-of-bounds",
        title=Text(
            "NTLM takes a field beyond the message for a right one",
            "NTLM がメッセージ範囲外の欄を正しい値とみなす",
        ),
        probes=("AUTH-006",),
        manners=offering({"NTLM": _ntlm(_out_of_bounds)}),
        twin=NTLM_OFFERED,
    ),
    Flaw(
        name="ntlm-names",
        title=Text("NTLM tells its domain", "NTLM がドメイン名を明かす"),
        probes=("AUTH-069",),
        manners=offering({"NTLM": _ntlm(_no_ntlm, "TEGATA-DC01")}),
        twin=NTLM_OFFERED,
    ),
    Flaw(
        name="stale-mechanism",
        title=Text(
            "PLAIN goes on with the state of a mechanism that was given up",
            "中断した認証機構の状態を PLAIN が引き継ぐ",
        ),
        probes=("AUTH-007",),
        manners=offering({**dict.fromkeys(_OLD, _given_up), "PLAIN": _stale_plain}),
        twin=offering(_OLD),
    ),
    Flaw(
        name="exchange-verbs",
        title=Text(
            "X-EXPS takes anything for a proof",
            "X-EXPS があらゆる応答を認証成功とみなす",
        ),
        probes=("AUTH-008",),
        manners=replace(SOUND, commands={"X-EXPS": _exps}),
    ),
    Flaw(
        name="sasl-anonymous",
        title=Text("ANONYMOUS lets everybody in", "ANONYMOUS で誰でも認証される"),
        probes=("AUTH-030",),
        manners=offering({"ANONYMOUS": _anonymous}),
    ),
)
