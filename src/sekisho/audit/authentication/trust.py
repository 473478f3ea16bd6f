"""What is no authentication: parameters, names in greetings, words about addresses."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from sekisho.audit.authentication.attempt import worst
from sekisho.audit.authentication.relaying import (
    Relaying,
    delivered,
    judged_offer,
    relays,
    second_step,
    succeeded,
)
from sekisho.audit.authentication.row import row
from sekisho.audit.conversation import ClosedError, Conversation, TlsError
from sekisho.audit.probe import Probe
from sekisho.audit.verdicts import (
    Judgement,
    Severity,
    Verdict,
    flawed,
    not_applicable,
    safe,
    suspect,
)
from sekisho.audit.visit import TurnedAwayError, Visit, spelled
from sekisho.model.reply import Reply
from sekisho.model.text import Text

SUBMISSION_PORTS = frozenset({465, 587})
PROXY_1 = b"PROXY TCP4 127.0.0.1 127.0.0.1 1 25\r\n"
PROXY_2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c\x7f\0\0\x01\x7f\0\0\x01\0\x01\0\x19"
PARAMETER_REFUSED = frozenset({501, 503, 504, 555})
NO_VERB = b"SEKISHO-AUDIT\r\n"


async def auth_parameter(visit: Visit) -> Judgement:
    """Say AUTH= with MAIL (RFC 4954 §5)."""
    heard: list[Judgement] = []
    async with visit.ready() as conversation:
        for parameter in (" AUTH=postmaster@{D}", " AUTH=<>"):
            offer = await relays(visit, conversation, parameter)
            if offer.reply is not None and offer.reply.code in PARAMETER_REFUSED:
                heard.append(
                    safe(
                        f"the parameter is refused: {offer.said}",
                        f"パラメーター自体が拒否された: {offer.said}",
                    )
                )
                continue
            heard.append(await judged_offer(visit, conversation, offer))
            if offer.outcome is not Relaying.REFUSED:
                break
    return worst(heard)


async def said_to_be_another(visit: Visit) -> Judgement:
    """Claim another address by XCLIENT, XFORWARD and PROXY."""
    heard = [
        await _claimed(visit, "XCLIENT ADDR=127.0.0.1 LOGIN=admin"),
        await _claimed(visit, "XFORWARD ADDR=127.0.0.1"),
    ]
    if not visit.target.proxy:
        heard += [await _proxied(visit, PROXY_1), await _proxied(visit, PROXY_2)]
    return worst(heard)


async def _claimed(visit: Visit, line: str) -> Judgement:
    verb = line.split(" ", 1)[0]
    async with visit.ready() as conversation:
        try:
            reply = await conversation.say(line)
        except ClosedError:
            return safe(f"closed at {verb}", f"{verb} に対して接続が閉じられた")
        if succeeded(reply):
            return flawed(
                f"{verb} is taken from us: {spelled(reply)}",
                f"{verb} が受け入れられた: {spelled(reply)}",
            )
        return await second_step(visit, conversation)


async def _proxied(visit: Visit, header: bytes) -> Judgement:
    if not await _swallowed(visit, header) or await _swallowed(visit, NO_VERB):
        return safe(
            "a PROXY header from us is no header",
            "PROXY ヘッダーは解釈されなかった",
        )
    return flawed(
        "a PROXY header is taken from us, so an address can be made up",
        "PROXY ヘッダーが受け入れられ、送信元アドレスを偽装できる",
    )


async def _swallowed(visit: Visit, opening: bytes) -> bool:
    """Whether octets before the greeting are not answered as a command."""
    try:
        async with visit.dial(opening=opening) as conversation:
            reply = await conversation.ehlo()
            # Whoever takes the octets for a command answers it first.
            return succeeded(reply)
    except (ClosedError, TlsError, TurnedAwayError):
        return False


@asynccontextmanager
async def _greeted_as(visit: Visit, name: str) -> AsyncGenerator[Conversation]:
    async with visit.dial() as conversation:
        await conversation.ehlo(name)
        if not conversation.secured and "STARTTLS" in conversation.offers.keywords:
            await conversation.start_tls()
            await conversation.ehlo(name)
        yield conversation
        await conversation.part()


async def greeted_as_another(visit: Visit) -> Judgement:
    """Greet with names that are the server's own."""
    heard: list[Judgement] = []
    for name in ("localhost", "[127.0.0.1]", "{H}", "{D}"):
        async with _greeted_as(visit, visit.text(name)) as conversation:
            heard.append(await second_step(visit, conversation))
        if heard[-1].verdict is not Verdict.SAFE:
            break
    return worst(heard)


async def not_enforced(visit: Visit) -> Judgement:
    """Offer mail where AUTH is offered, without it."""
    async with visit.ready() as conversation:
        if not conversation.offers.mechanisms:
            return not_applicable("AUTH is not offered", "AUTH が提供されていない")
        offer = await relays(visit, conversation)
        if offer.outcome is Relaying.ACCEPTED:
            if await delivered(visit, conversation):
                return flawed(
                    "mail was relayed without AUTH, though AUTH is offered",
                    "AUTH が提供されているのに、認証なしで中継された",
                )
            return suspect(
                f"a foreign recipient is accepted without AUTH: {offer.said}",
                f"認証なしで外部宛てが受け付けられた: {offer.said}",
            )
        if visit.target.port in SUBMISSION_PORTS or visit.target.implicit_tls:
            reply = await _local_recipient(visit, conversation)
            if succeeded(reply):
                return flawed(
                    f"a port for submission takes mail without AUTH: {spelled(reply)}",
                    f"投稿用ポートが認証なしでメールを受け付ける: {spelled(reply)}",
                )
        return await judged_offer(visit, conversation, offer)


async def _local_recipient(visit: Visit, conversation: Conversation) -> Reply:
    await conversation.say("RSET")
    reply = await conversation.say("MAIL FROM:<>")
    if succeeded(reply):
        reply = await conversation.say(visit.text("RCPT TO:<postmaster@{D}>"))
    return reply


OWN_WORDS = Text(
    "Take no client's word for where it comes from or who it is; name the proxies that "
    "may speak for others, by address.",
    "クライアントが申告する送信元や身元を信用せず、"
    "代理を許すプロキシはアドレスで限定してください。",
)

TRUST: tuple[Probe, ...] = (
    row(
        id="AUTH-060",
        title=Text(
            "AUTH= of MAIL is taken for authentication",
            "MAIL の AUTH= パラメーターが認証とみなされる",
        ),
        severity=Severity.HIGH,
        wire=("MAIL FROM:<audit@{D}> AUTH=postmaster@{D}", "RCPT TO:<{C}@{X}>"),
        safe=Text(
            "As without it: relaying is refused.",
            "指定しない場合と同様に中継を拒否する。",
        ),
        advice=OWN_WORDS,
        references=("RFC 4954 §5",),
        run=auth_parameter,
    ),
    row(
        id="AUTH-061",
        title=Text(
            "A client may claim another's address or name",
            "クライアントが送信元アドレスや利用者名を詐称できる",
        ),
        severity=Severity.CRITICAL,
        wire=(
            "XCLIENT ADDR=127.0.0.1 LOGIN=admin",
            "XFORWARD ADDR=127.0.0.1",
            "PROXY TCP4 127.0.0.1 127.0.0.1 1 25, before the greeting",
        ),
        safe=Text(
            "550, 503 or 500; a PROXY header is a wrong command.",
            "550・503・500 のいずれかを返す。PROXY ヘッダーは解釈しない。",
        ),
        advice=OWN_WORDS,
        references=("CVE-2026-85751", "Postfix XCLIENT_README", "PROXY protocol §2"),
        run=said_to_be_another,
    ),
    row(
        id="AUTH-062",
        title=Text(
            "A name in EHLO opens the server for relaying",
            "EHLO の名前だけで中継が許可される",
        ),
        severity=Severity.CRITICAL,
        wire=("EHLO localhost, [127.0.0.1], {H}, {D}", "RCPT TO:<{C}@{X}>"),
        safe=Text("Relaying is refused.", "中継を拒否する。"),
        advice=OWN_WORDS,
        references=("CVE-2002-2261", "CVE-2006-7176"),
        run=greeted_as_another,
    ),
    row(
        id="AUTH-064",
        title=Text(
            "AUTH is offered, and not needed",
            "AUTH を提供しているが、認証なしで受け付ける",
        ),
        severity=Severity.CRITICAL,
        wire=("MAIL FROM:<audit@{D}>", "RCPT TO:<{C}@{X}>", "RCPT TO:<postmaster@{D}>"),
        safe=Text(
            "530 5.7.0 on ports for submission; elsewhere 550 5.7.1 for foreign ones.",
            "投稿用ポートでは 530 5.7.0 を、それ以外では外部宛てに 550 5.7.1 を返す。",
        ),
        advice=Text(
            "Demand authentication on ports 465 and 587 (RFC 6409 §4.3).",
            "ポート 465 と 587 では認証を必須にしてください (RFC 6409 §4.3)。",
        ),
        references=("RFC 6409 §4.3",),
        run=not_enforced,
    ),
)
