"""Servers that read names and passwords as something that they are not."""

import re
from base64 import b64decode
from collections.abc import Callable

from sekisho.audit.lab import sound
from sekisho.audit.lab.exchange_flaws import offering
from sekisho.audit.lab.flaw import Flaw
from sekisho.audit.lab.manners import Manners, Mechanism
from sekisho.audit.lab.session import ExchangeEndedError, LabSession
from sekisho.model.text import Text

Reading = Callable[[bytes, bytes, bytes], bytes]
"""authzid, user, password → who that is, or nothing."""

BCRYPT_OCTETS, DES_OCTETS = 72, 8
FIELDS = 3
_QUERY = re.compile(rb"\)\(|'", re.IGNORECASE)
_INVISIBLE = re.compile("[\u200b\ufeff\u0301.]")


def _plain(reading: Reading) -> Mechanism:
    """PLAIN that lets in whom the reading finds, besides who is right."""

    async def mechanism(session: LabSession, initial: bytes | None) -> bytes:
        fields = (await session.response(initial)).split(b"\0")
        if len(fields) != FIELDS:
            return sound.MALFORMED_CREDENTIALS
        if user := reading(fields[0], fields[1], fields[2]):
            return session.signed_in(user)
        return _sound(fields[0], fields[1], fields[2], session)

    return mechanism


def _sound(authzid: bytes, user: bytes, password: bytes, session: LabSession) -> bytes:
    if not user or not password:
        return sound.MALFORMED_CREDENTIALS
    if authzid in {b"", user} and sound.right_password(user, password):
        return session.signed_in(user)
    return sound.BAD_CREDENTIALS


def _reads(reading: Reading) -> Manners:
    return offering({"PLAIN": _plain(reading)})


def _empty_password(_authzid: bytes, user: bytes, password: bytes) -> bytes:
    return user if user in sound.LOCALS and not password else b""


def _empty_user(_authzid: bytes, user: bytes, _password: bytes) -> bytes:
    return b"" if user else b"nobody"


def _authzid(authzid: bytes, user: bytes, password: bytes) -> bytes:
    return authzid if sound.right_password(user, password) else b""


def _fallback(authzid: bytes, user: bytes, password: bytes) -> bytes:
    right = (authzid, password) == (b"admin", b"password")
    return authzid if right and not user else b""


def _query(_authzid: bytes, user: bytes, _password: bytes) -> bytes:
    return sound.USER if _QUERY.search(user) else b""


def _lookalike(_authzid: bytes, user: bytes, password: bytes) -> bytes:
    name = _INVISIBLE.sub("", user.decode("utf-8", "replace")).encode()
    return name if sound.right_password(name, password) else b""


def _cut_to(octets: int) -> Reading:
    def reading(_authzid: bytes, user: bytes, password: bytes) -> bytes:
        right = user == sound.USER and password[:octets] == sound.PASSWORD[:octets]
        return user if right and len(password) >= octets else b""

    return reading


def _default(_authzid: bytes, user: bytes, password: bytes) -> bytes:
    return user if user == password == b"guest" else b""


def _cached(_authzid: bytes, user: bytes, password: bytes) -> bytes:
    """Look an answer up by the password alone."""
    return user if user in sound.LOCALS and password == sound.PASSWORD else b""


async def _many_fields(session: LabSession, initial: bytes | None) -> bytes:
    """Take the fields from the front, however many there are."""
    fields = (await session.response(initial)).split(b"\0")
    if len(fields) < FIELDS:
        return sound.MALFORMED_CREDENTIALS
    return _sound(fields[0], fields[1], fields[2], session)


async def _repeats_name(session: LabSession, initial: bytes | None) -> bytes:
    fields = (await session.response(initial)).split(b"\0")
    if len(fields) != FIELDS:
        return sound.MALFORMED_CREDENTIALS
    reply = _sound(fields[0], fields[1], fields[2], session)
    return reply + b" for " + fields[1] if reply.startswith(b"5") else reply


async def _lax_base64(session: LabSession, initial: bytes | None) -> bytes:
    """Skip what is no base64."""
    line = await session.raw_challenge() if initial is None else initial
    if line == b"*":
        raise ExchangeEndedError(b"501 5.7.0 cancelled")
    try:
        octets = b64decode(line, validate=False)
    except ValueError:
        return sound.MALFORMED_CREDENTIALS
    fields = octets.split(b"\0")
    if len(fields) != FIELDS:
        return sound.MALFORMED_CREDENTIALS
    return _sound(fields[0], fields[1], fields[2], session)


PASSWORD_FLAWS: tuple[Flaw, ...] = (
    Flaw(
        name="ldap-empty-password",
        title=Text(
            "An empty password is an anonymous bind, which succeeds",
            "空のパスワードが匿名 bind となり認証に成功する",
        ),
        probes=("AUTH-010",),
        manners=_reads(_empty_password),
    ),
    Flaw(
        name="empty-user",
        title=Text("An empty name is let in", "空の名前で認証に成功する"),
        probes=("AUTH-011",),
        manners=_reads(_empty_user),
    ),
    Flaw(
        name="authzid-confusion",
        title=Text(
            "Whom one acts for is who one is",
            "authzid に指定した利用者として認証される",
        ),
        probes=("AUTH-012",),
        manners=_reads(_authzid),
    ),
    Flaw(
        name="authcid-from-authzid",
        title=Text(
            "An empty name is filled in from whom to act for",
            "空の authcid が authzid で補われる",
        ),
        probes=("AUTH-013",),
        manners=_reads(_fallback),
    ),
    Flaw(
        name="extra-fields",
        title=Text(
            "Fields behind the password are not looked at",
            "パスワードより後ろの欄が無視される",
        ),
        probes=("AUTH-014",),
        manners=offering({"PLAIN": _many_fields}),
    ),
    Flaw(
        name="reply-splitting",
        title=Text(
            "The refusal repeats the name, line ends and all",
            "拒否応答が改行を含む名前をそのまま返す",
        ),
        probes=("AUTH-015",),
        manners=offering({"PLAIN": _repeats_name}),
    ),
    Flaw(
        name="query-injection",
        title=Text("A name is part of a query", "名前がクエリの一部になる"),
        probes=("AUTH-016",),
        manners=_reads(_query),
    ),
    Flaw(
        name="lookalike-names",
        title=Text(
            "Letters that do not show are skipped in names",
            "名前に含まれる不可視文字が無視される",
        ),
        probes=("AUTH-017",),
        manners=_reads(_lookalike),
    ),
    Flaw(
        name="bcrypt-72",
        title=Text(
            "Passwords are read up to 72 octets",
            "パスワードの先頭 72 オクテットだけを比較する",
        ),
        probes=("AUTH-018",),
        manners=_reads(_cut_to(BCRYPT_OCTETS)),
    ),
    Flaw(
        name="password-8",
        title=Text(
            "Passwords are read up to 8 octets",
            "パスワードの先頭 8 オクテットだけを比較する",
        ),
        probes=("AUTH-019",),
        manners=_reads(_cut_to(DES_OCTETS)),
    ),
    Flaw(
        name="lax-base64",
        title=Text("What is no base64 is skipped", "base64 でない文字が読み飛ばされる"),
        probes=("AUTH-020",),
        manners=offering({"PLAIN": _lax_base64}),
    ),
    Flaw(
        name="default-account",
        title=Text("guest has the password guest", "guest/guest で認証に成功する"),
        probes=("AUTH-022",),
        manners=_reads(_default),
    ),
    Flaw(
        name="shared-cache",
        title=Text(
            "Who was let in is remembered by the password alone",
            "認証結果がパスワードだけを鍵としてキャッシュされる",
        ),
        probes=("AUTH-040",),
        manners=_reads(_cached),
    ),
)
