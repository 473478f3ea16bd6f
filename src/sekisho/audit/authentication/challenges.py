"""CRAM-MD5, DIGEST-MD5, OTP and SRP: old ways to answer a challenge.

Each fails where a challenge is used twice, or is not looked at.
"""

import hashlib
import re
from base64 import b64decode
from binascii import Error as Base64Error

from sekisho.audit.authentication import srp
from sekisho.audit.authentication.accounts import NO_ACCOUNT, hidden, signs_in
from sekisho.audit.authentication.attempt import (
    CHALLENGE,
    Attempt,
    auth,
    b64,
    tried,
    worst,
)
from sekisho.audit.authentication.otp import one_time_password
from sekisho.audit.authentication.relaying import succeeded
from sekisho.audit.authentication.row import (
    NOT_OFFERED,
    REFUSES_CREDENTIALS,
    WITH_ACCOUNT,
    every,
    person,
    row,
)
from sekisho.audit.conversation import Conversation, GarbageError
from sekisho.audit.probe import Probe
from sekisho.audit.verdicts import (
    Judgement,
    Severity,
    flawed,
    not_applicable,
)
from sekisho.audit.visit import Account, Visit
from sekisho.model.reply import Reply
from sekisho.model.text import Text

CNONCE = "c2VraXNobyBhdWRpdA"
_PAIR = re.compile(r'([a-z-]+)="?([^",]*)"?')


def _challenge(reply: Reply) -> bytes:
    try:
        return b64decode("".join(reply.lines), validate=True)
    except Base64Error as error:
        raise GarbageError("the challenge is no base64") from error


async def _asked(visit: Visit, mechanism: str) -> bytes | None:
    """Ask for a challenge and give it up; None where there is none."""
    async with visit.ready() as conversation:
        reply = await conversation.say(f"AUTH {mechanism}")
        if reply.code != CHALLENGE:
            return None
        await conversation.say("*")
        return _challenge(reply)


async def cram_md5(visit: Visit) -> Judgement:
    """Answer without a digest, with a made-up one; and compare two challenges."""
    user = person(visit)
    attempts = [
        auth("CRAM-MD5", None, b64(user)),
        auth("CRAM-MD5", None, b64(f"{user} ")),
        auth("CRAM-MD5", None, b64(f"{user} {'0' * 32}"), guess=True),
    ]
    judgement = await tried(visit, attempts)
    first = await _asked(visit, "CRAM-MD5")
    if first is not None and first == await _asked(visit, "CRAM-MD5"):
        again = flawed(
            "CRAM-MD5 gives the same challenge twice, so answers can be replayed",
            "CRAM-MD5 のチャレンジが毎回同じで、応答を再利用できる",
        )
        return worst([again, judgement])
    return judgement


def _md5(octets: bytes) -> str:
    return hashlib.md5(octets, usedforsecurity=False).hexdigest()


def digest_response(account: Account, challenge: str, host: str) -> str:
    """Answer a DIGEST-MD5 challenge rightly (RFC 2831 §2.1.2)."""
    told = dict(_PAIR.findall(challenge))
    realm, nonce, uri = told.get("realm", ""), told.get("nonce", ""), f"smtp/{host}"

    secret = bytes.fromhex(_md5(f"{account.user}:{realm}:{account.password}".encode()))
    one = _md5(secret + f":{nonce}:{CNONCE}".encode())
    two = _md5(f"AUTHENTICATE:{uri}".encode())
    response = _md5(f"{one}:{nonce}:00000001:{CNONCE}:auth:{two}".encode())
    return (
        f'charset=utf-8,username="{account.user}",realm="{realm}",nonce="{nonce}",'
        f'nc=00000001,cnonce="{CNONCE}",digest-uri="{uri}",response={response},qop=auth'
    )


async def digest_replay(visit: Visit) -> Judgement:
    """Answer one challenge rightly, and the next one with the same answer."""
    account, said = visit.account, ""
    if account is None:
        return NO_ACCOUNT
    async with visit.ready() as conversation:
        reply = await conversation.say("AUTH DIGEST-MD5")
        if reply.code == CHALLENGE:
            challenge = _challenge(reply).decode("utf-8", "replace")
            said = digest_response(account, challenge, visit.names.server)
            reply = await conversation.say(hidden(visit, b64(said)))
            if reply.code == CHALLENGE:
                reply = await conversation.say("")
        if not said or not succeeded(reply):
            return _cannot_be_used("DIGEST-MD5")
    return await tried(visit, [auth("DIGEST-MD5", None, b64(said), b"")])


def _cannot_be_used(mechanism: str) -> Judgement:
    return not_applicable(
        f"{mechanism} is not offered, or not for this account",
        f"{mechanism} は提供されていないか、このアカウントでは使用できない",
    )


async def replayed(visit: Visit) -> Judgement:
    """Use a one-time password twice; use one's own password for somebody else.

    The second is what a cache lets pass that does not know whose answer it keeps.
    """
    account = visit.account
    if account is None:
        return NO_ACCOUNT
    attempts: list[Attempt] = []
    async with visit.ready() as conversation:
        hindrance = await signs_in(visit, conversation, account)
    if hindrance is None:
        token = hidden(visit, b64("", visit.text("{V}"), account.password))
        attempts.append(auth("PLAIN", token, guess=True))
    spent = await _spent_password(visit, account)
    if spent is not None:
        attempts.append(
            auth("OTP", b64("", account.user), spent),
        )
    if not attempts:
        return _cannot_be_used("OTP")
    return await tried(visit, attempts)


async def _spent_password(visit: Visit, account: Account) -> bytes | None:
    async with visit.ready() as conversation:
        if "OTP" not in conversation.offers.mechanisms:
            return None
        return await _spend(visit, conversation, account)


async def _spend(
    visit: Visit, conversation: Conversation, account: Account
) -> bytes | None:
    reply = await conversation.say(b"AUTH OTP " + b64("", account.user))
    if reply.code != CHALLENGE:
        return None
    answer = one_time_password(account.password, _challenge(reply).decode("latin-1"))
    if answer is None:
        await conversation.say("*")
        return None
    token = b64(answer)
    visit.transcript.hide(token)
    return token if succeeded(await conversation.say(token)) else None


def srp_zero(visit: Visit) -> list[Attempt]:
    """Send an A that is 0 modulo N: the shared secret is then known."""

    def exchange_of(times: int) -> Attempt:
        async def exchange(conversation: Conversation) -> Reply:
            user = person(visit)
            reply = await conversation.say(b"AUTH SRP " + b64(srp.hello(user)))
            if reply.code == CHALLENGE:
                answer = srp.answer(_challenge(reply), user, times)
                reply = await conversation.say(b64(answer))
            if reply.code == CHALLENGE:
                reply = await conversation.say("")
            return reply

        return Attempt(mechanism="SRP", exchange=exchange)

    return [exchange_of(times) for times in (0, 1, 2)]


FRESH = Text(
    "Switch the mechanism off (RFC 6331 for DIGEST-MD5); where it stays, each "
    "challenge is new, and is good for one answer.",
    "この認証機構を無効にしてください (DIGEST-MD5 は RFC 6331 で廃止)。"
    "残す場合は、チャレンジを毎回生成し、一度だけ有効にしてください。",
)

CHALLENGES: tuple[Probe, ...] = (
    row(
        id="AUTH-033",
        title=Text(
            "CRAM-MD5 takes an answer without a proof, or an old one",
            "CRAM-MD5 が無効な応答や過去の応答を受け入れる",
        ),
        severity=Severity.HIGH,
        wire=(
            "AUTH CRAM-MD5",
            "(334) {U}",
            "(334) {U} and 32 zeros",
        ),
        safe=REFUSES_CREDENTIALS,
        advice=FRESH,
        references=("RFC 2195",),
        run=cram_md5,
        attempts=1,
    ),
    row(
        id="AUTH-034",
        title=Text(
            "DIGEST-MD5 takes an answer twice", "DIGEST-MD5 の応答を再利用できる"
        ),
        severity=Severity.CRITICAL,
        wire=("AUTH DIGEST-MD5 in a new session, (334) an answer recorded before",),
        safe=REFUSES_CREDENTIALS,
        advice=FRESH,
        references=("RFC 2831 §2.1.2", "RFC 6331"),
        run=digest_replay,
        needs=WITH_ACCOUNT,
    ),
    row(
        id="AUTH-039",
        title=Text(
            "SRP takes a key that is zero", "SRP が A mod N = 0 の鍵を受け入れる"
        ),
        severity=Severity.CRITICAL,
        wire=("AUTH SRP, A = 0, N, 2N",),
        safe=NOT_OFFERED,
        advice=Text(
            "Refuse A mod N = 0 (RFC 5054 §2.5.4), or switch SRP off.",
            "A mod N = 0 を拒否する (RFC 5054 §2.5.4) か、SRP を無効にしてください。",
        ),
        references=("CVE-2026-129483", "RFC 5054 §2.5.4"),
        run=every(srp_zero),
    ),
    row(
        id="AUTH-040",
        title=Text(
            "What was right once, or for one, is right again, or for another",
            "使用済みのパスワードや他者のキャッシュで認証に成功する",
        ),
        severity=Severity.HIGH,
        wire=("AUTH OTP: the same answer in two sessions", "AUTH PLAIN {V} with {P}"),
        safe=REFUSES_CREDENTIALS,
        advice=Text(
            "Keep the user in the key of the cache, and never keep one-time passwords.",
            "キャッシュの鍵に利用者名を含め、ワンタイムパスワードは"
            "キャッシュしないでください。",
        ),
        references=("RFC 2444", "CVE-2025-30189", "CVE-2007-6598"),
        run=replayed,
        needs=WITH_ACCOUNT,
        attempts=1,
    ),
)
