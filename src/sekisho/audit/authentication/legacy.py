"""Exchanges that hold nothing, or nonsense, where a proof belongs.

MS01-037 (CVE-2001-0504) was the first of this kind: the SMTP service of Windows 2000
took a lone "." after ``AUTH GSSAPI`` for a proof. Its probe is AUTH-001, AUTH-002 is
the same after HELO, and AUTH-003 makes a general rule of it. MS02-011 (CVE-2002-0054),
the sibling that took a null session for a user, is AUTH-004.
"""

from base64 import b64decode
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from itertools import cycle, islice

from sekisho.audit.authentication import ntlm
from sekisho.audit.authentication.attempt import (
    CHALLENGE,
    Attempt,
    auth,
    judged,
    lines,
    tried,
    worst,
)
from sekisho.audit.authentication.relaying import succeeded
from sekisho.audit.authentication.row import NOT_OFFERED, REFUSES, every, row
from sekisho.audit.conversation import Conversation
from sekisho.audit.probe import Probe
from sekisho.audit.verdicts import Judgement, Severity, flawed, safe
from sekisho.audit.visit import Visit
from sekisho.model.reply import Reply
from sekisho.model.text import Text

MECHANISMS = (
    *("PLAIN", "LOGIN", "GSSAPI", "GSS-SPNEGO", "NTLM", "CRAM-MD5", "DIGEST-MD5"),
    *("SCRAM-SHA-1", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"),
    *("EXTERNAL", "ANONYMOUS", "OAUTHBEARER", "XOAUTH2", "OTP", "SKEY", "SRP"),
    *("KERBEROS_V4", "X-UNKNOWN"),
)
EIGHT_BIT = b"\xff\xfe"
JUNK = (b".", b"", b"=", b"*", b"AA==", b"!!!!", b"A")
OVERLONG = b"A" * 12289 + b"==="
JUNK_TIMES = 4
"""So often the same answer is given, if one is asked for again and again."""
MOST_OFFERED = 12


@asynccontextmanager
async def _after_helo(visit: Visit) -> AsyncGenerator[Conversation]:
    async with visit.dial() as conversation:
        await conversation.say(f"HELO {conversation.hostname}")
        yield conversation


async def gssapi_dot_after_helo(visit: Visit) -> Judgement:
    """Say what the first probe for MS01-037 said: HELO, without TLS."""
    return await tried(visit, [auth("GSSAPI", None, b".")], partial(_after_helo, visit))


def gssapi_dot(_visit: Visit) -> list[Attempt]:
    """Say the same after EHLO."""
    return [auth("GSSAPI", None, b".")]


def _junk(mechanism: str, answer: bytes) -> Attempt:
    return Attempt(
        mechanism=mechanism,
        exchange=lines(b"AUTH " + mechanism.encode(), *[answer] * JUNK_TIMES),
        alone=answer in (EIGHT_BIT, OVERLONG),
    )


def _asked_for(mechanism: str, answer: bytes, there: list[str]) -> Attempt:
    async def exchange(conversation: Conversation) -> Reply:
        reply = await conversation.say(f"AUTH {mechanism}")
        if reply.code == CHALLENGE:
            there.append(mechanism)
            reply = await conversation.say(answer)
        return reply

    return Attempt(mechanism=mechanism, exchange=exchange)


async def junk(visit: Visit) -> Judgement:
    """Answer what is offered with all junk, and ask for the rest with one each.

    A mechanism that answers 334 though it is not offered is given all of it, too.
    """
    async with visit.ready() as conversation:
        there = sorted(conversation.offers.mechanisms)[:MOST_OFFERED]
    missing = [one for one in MECHANISMS if one not in there]
    answers = islice(cycle(JUNK), len(missing))
    asked = [
        _asked_for(mechanism, answer, there)
        for mechanism, answer in zip(missing, answers, strict=True)
    ]
    heard = [await tried(visit, asked)]
    attempts = [_junk(one, answer) for one in there for answer in (*JUNK, EIGHT_BIT)]
    attempts += [_junk(one, OVERLONG) for one in there[:2]]
    attempts.sort(key=lambda attempt: attempt.alone)
    if attempts:
        heard.append(await tried(visit, attempts))
    return worst(heard)


def null_session(_visit: Visit) -> list[Attempt]:
    """Claim to be nobody."""
    return [auth("NTLM", ntlm.NEGOTIATE, ntlm.NULL_SESSION)]


def guest(visit: Visit) -> list[Attempt]:
    """Claim names that nobody has, with a response that answers no challenge."""
    return [
        auth("NTLM", ntlm.NEGOTIATE, ntlm.answer(ntlm.authenticate(name, b"r" * 24)))
        for name in (visit.text("{N}"), "guest")
    ]


def ntlm_structure(_visit: Visit) -> list[Attempt]:
    """Send fields that lead out of the message."""
    return [
        auth("NTLM", ntlm.NEGOTIATE, ntlm.answer(message))
        for message in ntlm.misshapen()
    ]


async def _switched(conversation: Conversation) -> Reply:
    for mechanism in ("CRAM-MD5", "DIGEST-MD5", "PLAIN", "LOGIN"):
        reply = await conversation.say(f"AUTH {mechanism}")
        if reply.code == CHALLENGE:
            reply = await conversation.say("*")
        if succeeded(reply):
            return reply
    return await conversation.say("AUTH PLAIN =")


def switching(_visit: Visit) -> list[Attempt]:
    """Give up one mechanism after the other, and say nothing in the last."""
    return [Attempt(mechanism="PLAIN", exchange=_switched)]


def old_verbs(_visit: Visit) -> list[Attempt]:
    """Use the verbs by which Exchange once spoke of AUTH."""
    verbs = ("X-EXPS GSSAPI", "X-EXPS NTLM", "XEXCH50 2 2")
    return [
        Attempt(mechanism="", exchange=lines(verb.encode(), b"."), what=verb)
        for verb in verbs
    ]


async def ntlm_leak(visit: Visit) -> Judgement:
    """Ask for NTLM's challenge, which may name domain and host."""
    async with visit.ready() as conversation:
        reply = await conversation.say(b"AUTH NTLM " + ntlm.NEGOTIATE)
        if reply.code != CHALLENGE:
            return judged(reply, "AUTH NTLM", secured=conversation.secured)
        await conversation.say("*")
    try:
        names = ntlm.names_in(b64decode(reply.lines[0], validate=True))
    except ValueError:
        names = []
    secret = [name for name in names if name.lower() not in _public(visit)]
    if secret:
        return flawed(
            f"the challenge of AUTH NTLM tells inner names: {', '.join(secret)}",
            f"AUTH NTLM のチャレンジが内部の名前を明かした: {', '.join(secret)}",
        )
    return safe(
        "the challenge of AUTH NTLM names nothing that is not public",
        "AUTH NTLM のチャレンジに非公開の名前は含まれない",
    )


def _public(visit: Visit) -> set[str]:
    """Give the server's own names, whole and by label."""
    whole = visit.text("{D} {H}").lower().split()
    return {label for name in whole for label in (name, *name.split("."))}


UPDATE = Text(
    "Install the vendor's update, or stop offering the mechanism. In software: every "
    "status of the security layer but plain success is a failure.",
    "ベンダーの更新を適用するか、この認証機構を無効にしてください。"
    "実装では、明確な成功以外の状態をすべて失敗として扱ってください。",
)
NO_NTLM = Text(
    "Switch NTLM off. Where it must stay, refuse anonymous and guest sessions.",
    "NTLM を無効にしてください。残す場合も、匿名セッションとゲストは拒否してください。",
)

LEGACY: tuple[Probe, ...] = (
    row(
        id="AUTH-001",
        title=Text(
            "AUTH GSSAPI takes a lone dot for a proof (MS01-037)",
            "AUTH GSSAPI が「.」だけの応答を認証成功とみなす (MS01-037)",
        ),
        severity=Severity.CRITICAL,
        wire=("EHLO t", "AUTH GSSAPI", "(334) ."),
        safe=REFUSES,
        advice=UPDATE,
        references=("CVE-2001-0504", "MS01-037", "RFC 4954 §4"),
        run=every(gssapi_dot),
    ),
    row(
        id="AUTH-002",
        title=Text(
            "The same after HELO, where there is no AUTH at all",
            "HELO の後でも AUTH GSSAPI が「.」を認証成功とみなす",
        ),
        severity=Severity.CRITICAL,
        wire=("HELO t", "AUTH GSSAPI", "(334) ."),
        safe=Text("503 5.5.1, 502 5.5.1 or 504.", "503・502・504 のいずれかを返す。"),
        advice=UPDATE,
        references=("CVE-2001-0504", "MS01-037", "RFC 5321 §4.1.1.1"),
        run=gssapi_dot_after_helo,
    ),
    row(
        id="AUTH-003",
        title=Text(
            "Junk is taken for a proof, by some mechanism",
            "いずれかの認証機構が無意味な応答を認証成功とみなす",
        ),
        severity=Severity.CRITICAL,
        wire=("AUTH {each mechanism}", '(334) "." "" = * AA== !!!! A 8-bit, 12 KiB'),
        safe=REFUSES,
        advice=UPDATE,
        references=("CVE-2001-0504", "RFC 4954 §4", "RFC 4648 §3.3"),
        run=junk,
    ),
    row(
        id="AUTH-004",
        title=Text(
            "NTLM takes a null session for a user (MS02-011)",
            "NTLM がヌルセッションを利用者とみなす (MS02-011)",
        ),
        severity=Severity.CRITICAL,
        wire=("AUTH NTLM {type 1}", "(334) {type 3, anonymous}"),
        safe=REFUSES,
        advice=NO_NTLM,
        references=("CVE-2002-0054", "MS02-011"),
        run=every(null_session),
    ),
    row(
        id="AUTH-005",
        title=Text(
            "NTLM takes unknown users for guests",
            "NTLM が未知の利用者をゲストとして受け入れる",
        ),
        severity=Severity.CRITICAL,
        wire=("AUTH NTLM {type 1}", "(334) {type 3: user {N}, response made up}"),
        safe=REFUSES,
        advice=NO_NTLM,
        references=("MS-NLMP §3.2.5.1.2",),
        run=every(guest),
    ),
    row(
        id="AUTH-006",
        title=Text(
            "NTLM reads beyond the message",
            "NTLM の解析がメッセージの範囲外を読む",
        ),
        severity=Severity.HIGH,
        wire=("AUTH NTLM {type 1}", "(334) {type 3: offset or length out of range}"),
        safe=REFUSES,
        advice=UPDATE,
        references=("CVE-2020-12783", "CVE-2023-42116", "CVE-2023-42114"),
        run=every(ntlm_structure),
    ),
    row(
        id="AUTH-007",
        title=Text(
            "A mechanism that was given up leaves its state to the next",
            "中断した認証機構の状態が次の機構に引き継がれる",
        ),
        severity=Severity.HIGH,
        wire=("AUTH CRAM-MD5", "(334) *", "AUTH DIGEST-MD5", "(334) *", "AUTH PLAIN"),
        safe=REFUSES,
        advice=UPDATE,
        references=("CVE-2011-1720",),
        run=every(switching),
    ),
    row(
        id="AUTH-008",
        title=Text(
            "Verbs of Exchange open a way around AUTH",
            "Exchange 固有の命令で認証を回避できる",
        ),
        severity=Severity.HIGH,
        wire=("X-EXPS GSSAPI", "(334) .", "XEXCH50 2 2"),
        safe=Text("500 or 502; never 235 or 354.", "500 または 502 を返す。"),
        advice=Text(
            "Switch these verbs off for clients that are not your own servers.",
            "自組織のサーバー以外に対して、これらの命令を無効にしてください。",
        ),
        references=("CVE-2003-0714", "MS03-046"),
        run=every(old_verbs),
    ),
    row(
        id="AUTH-030",
        title=Text(
            "AUTH ANONYMOUS lets everybody in",
            "AUTH ANONYMOUS により誰でも認証される",
        ),
        severity=Severity.CRITICAL,
        wire=("AUTH ANONYMOUS dGVzdA==",),
        safe=NOT_OFFERED,
        advice=Text(
            "Take ANONYMOUS off the list of mechanisms.",
            "認証機構の一覧から ANONYMOUS を外してください。",
        ),
        references=("RFC 4505",),
        run=every(lambda _: [auth("ANONYMOUS", b"dGVzdA=="), auth("ANONYMOUS", b"=")]),
    ),
    row(
        id="AUTH-069",
        title=Text(
            "NTLM tells inner names of domain and host",
            "NTLM が内部のドメイン名やホスト名を明かす",
        ),
        severity=Severity.LOW,
        wire=("AUTH NTLM {type 1}",),
        safe=NOT_OFFERED,
        advice=Text(
            "Switch NTLM off where strangers can reach it.",
            "外部から到達できる場所では NTLM を無効にしてください。",
        ),
        references=("MS-NLMP §2.2.1.2",),
        run=ntlm_leak,
    ),
)
