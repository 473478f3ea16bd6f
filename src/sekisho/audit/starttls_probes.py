"""Is what was said in clear forgotten under TLS? TLS-001 to TLS-006 of the catalogue.

Whoever sits on the line can put octets behind STARTTLS. If they are still there after
the handshake, they run as the user's own. The proof needs no waiting: the first reply
under TLS must be the one to our first command under TLS, which no server knows.

Not here: TLS-005 (replies injected into a client; a server cannot be asked), and of
TLS-006 renegotiation, early data and ALPN: the first two cannot be sent by our TLS
library, and that a server does not look at ALPN is no fault: SMTP has no name in it.
TLS-006 asks for what comes of it: another protocol's words, carried out under TLS.
"""

from sekisho.audit.conversation import (
    ClosedError,
    Conversation,
    HindranceError,
    TlsError,
)
from sekisho.audit.counting import COMPLETED, last_words
from sekisho.audit.foreign_words import http_request
from sekisho.audit.probe import Group, Probe
from sekisho.audit.verdicts import (
    Judgement,
    Severity,
    flawed,
    not_applicable,
    safe,
    undecided,
)
from sekisho.audit.visit import Visit, spelled
from sekisho.model.text import Text

GO_ON = 220
OUT_OF_ORDER = 503
CLEAR_SECONDS = 0.05
"""For a reply in clear that comes right behind the 220."""
NOT_OFFERED = not_applicable("STARTTLS is not offered", "STARTTLS の提供なし")
INJECTED = (
    (b"STARTTLS\r\nNOOP\r\n", b"", b"AUDIT x\r\n"),
    (b"STARTTLS\r\nNO", b"", b"OP\r\n"),
    (b"STARTTLS\nNOOP\r\n", b"", b"AUDIT x\r\n"),
    (b"STARTTLS\r\n", b"NOOP\r\n", b"AUDIT x\r\n"),
)
"""With STARTTLS; behind its 220, before the handshake; first under TLS."""


async def _offered(conversation: Conversation) -> bool:
    if conversation.secured:
        return False
    await conversation.ehlo()
    return "STARTTLS" in conversation.offers.keywords


async def _inject(
    visit: Visit, before: bytes, between: bytes, first: bytes
) -> Judgement:
    async with visit.dial() as conversation:
        if not await _offered(conversation):
            return NOT_OFFERED
        await conversation.send(before)
        reply = await conversation.reply()
        if reply.code != GO_ON:
            return safe(f"refused: {spelled(reply)}", f"拒否: {spelled(reply)}")
        if (clear := await conversation.more(CLEAR_SECONDS)) is not None:
            return undecided(
                f"answered in clear behind its 220: {spelled(clear)}",
                f"220 のあとに平文で応答: {spelled(clear)}",
            )
        try:
            if between:
                await conversation.send(between)
            await conversation.handshake()
            await conversation.send(first)
            reply = await conversation.reply()
        except (TlsError, ClosedError):
            return await _broken(visit)
    if reply.code == COMPLETED:
        return flawed(
            f"what was sent in clear ran under TLS: {spelled(reply)}",
            f"平文で送った内容が TLS 内で実行: {spelled(reply)}",
        )
    return safe(
        f"forgotten; the first reply under TLS was {spelled(reply)}",
        f"破棄済み。TLS 内の最初の応答は {spelled(reply)}",
    )


async def _broken(visit: Visit) -> Judgement:
    """Tell a handshake that our octets broke from TLS that never works."""
    async with visit.dial() as conversation:
        await conversation.ehlo()
        await conversation.start_tls()
    return safe("the connection does not outlive it", "余分な内容があると接続が終了")


async def _injection(visit: Visit) -> Judgement:
    return await _inject(visit, *INJECTED[0])


async def _variants(visit: Visit) -> Judgement:
    judgement = NOT_OFFERED
    for octets in INJECTED[1:]:
        judgement = await _inject(visit, *octets)
        if judgement.verdict.value != "safe":
            break
    return judgement


async def _envelope(visit: Visit) -> Judgement:
    async with visit.dial() as conversation:
        if not await _offered(conversation):
            return NOT_OFFERED
        reply = await conversation.say(visit.text("MAIL FROM:<{C}@{X}>"))
        if reply.code != COMPLETED:
            return safe(
                f"no transaction begins in clear: {spelled(reply)}",
                f"平文ではトランザクションを開始しない: {spelled(reply)}",
            )
        reply = await conversation.say("STARTTLS")
        if reply.code != GO_ON:
            return safe(
                f"no STARTTLS within a transaction: {spelled(reply)}",
                f"トランザクション中の STARTTLS を拒否: {spelled(reply)}",
            )
        await conversation.handshake()
        kept = await conversation.say(visit.text("RCPT TO:<{N}@{D}>"))
        if kept.code == OUT_OF_ORDER:
            return safe(
                f"the sender is forgotten: {spelled(kept)}",
                f"送信者は破棄済み: {spelled(kept)}",
            )
        await conversation.ehlo()
        fresh = await conversation.say(visit.text("RCPT TO:<{N}@{D}>"))
    if kept.code == COMPLETED or fresh.code == OUT_OF_ORDER:
        return flawed(
            f"the sender named in clear counts under TLS: {spelled(kept)}",
            f"平文で指定した送信者が TLS 内でも有効: {spelled(kept)}",
        )
    return undecided(
        f"RCPT is answered alike with and without MAIL: {spelled(kept)}",
        f"RCPT の応答が MAIL の有無で変わらない: {spelled(kept)}",
    )


async def _twice(visit: Visit) -> Judgement:
    async with visit.ready() as conversation:
        if not conversation.secured:
            return NOT_OFFERED
        if not conversation.offers.keywords:
            await conversation.ehlo()
        offered = "STARTTLS" in conversation.offers.keywords
        reply = await conversation.say("STARTTLS")
    if reply.code == GO_ON:
        return flawed("STARTTLS is taken under TLS", "TLS 内で STARTTLS を受理")
    if offered:
        return flawed("STARTTLS is offered under TLS", "TLS 内で STARTTLS を提供")
    return safe(
        f"neither offered nor taken under TLS: {spelled(reply)}",
        f"TLS 内では提供も受理もしない: {spelled(reply)}",
    )


async def _http_under_tls(visit: Visit) -> Judgement:
    async with visit.dial() as conversation:
        if await _offered(conversation):
            await conversation.start_tls()
        if not conversation.secured:
            return not_applicable("no TLS here", "TLS の提供なし")
        return await judge_http(visit, conversation)


async def judge_http(visit: Visit, conversation: Conversation) -> Judgement:
    """Send a browser's request with commands in its body, and see what comes of it."""
    replies = []
    try:
        await conversation.send(http_request(visit))
        replies = list((await last_words(conversation)).replies)
    except HindranceError:
        pass  # a closed door is what is wanted
    taken = [reply for reply in replies if reply.code == COMPLETED]
    if taken:
        return flawed(
            f"commands in a browser's request ran: {spelled(taken[-1])}",
            f"ブラウザーのリクエスト内のコマンドが実行: {spelled(taken[-1])}",
        )
    said = spelled(replies[0]) if replies else "-"
    return safe(f"no word of it ran: {said}", f"コマンドとしては実行せず: {said}")


_FORGET = Text(
    "Throw away all input that came before the handshake, and all that was known of "
    "the client: update the mail server, or its TLS proxy.",
    "ハンドシェイク前に届いた入力と、それまでの状態をすべて破棄してください。"
    "メールサーバー(または TLS プロキシー)を更新してください。",
)
_CVES = (
    *("CVE-2011-0411", "CVE-2014-3556", "CVE-2021-33515", "CVE-2021-38542"),
    *("CVE-2024-34083", "RFC 3207 4.2"),
)

STARTTLS: tuple[Probe, ...] = (
    Probe(
        id="TLS-001",
        group=Group.STARTTLS,
        title=Text("Commands are injected before TLS", "TLS 開始前のコマンド注入"),
        severity=Severity.HIGH,
        wire=("one write: STARTTLS CRLF NOOP CRLF", "handshake", "AUDIT x"),
        safe=Text(
            "The first reply under TLS is 500, to AUDIT; or the connection ends.",
            "TLS 内の最初の応答が AUDIT への 500 であるか、接続が終了する。",
        ),
        advice=_FORGET,
        references=_CVES,
        run=_injection,
    ),
    Probe(
        id="TLS-002",
        group=Group.STARTTLS,
        title=Text(
            "Commands are injected before TLS, in pieces",
            "TLS 開始前のコマンド注入(変形)",
        ),
        severity=Severity.HIGH,
        wire=(
            "STARTTLS CRLF NO | handshake | OP CRLF",
            "STARTTLS LF NOOP CRLF | handshake | AUDIT x",
            "STARTTLS CRLF | NOOP CRLF | handshake | AUDIT x",
        ),
        safe=Text(
            "The first reply under TLS is 500; or the connection ends.",
            "TLS 内の最初の応答が 500 であるか、接続が終了する。",
        ),
        advice=_FORGET,
        references=_CVES,
        run=_variants,
    ),
    Probe(
        id="TLS-003",
        group=Group.STARTTLS,
        title=Text("A sender outlives STARTTLS", "STARTTLS 後も送信者が残存"),
        severity=Severity.MEDIUM,
        wire=("MAIL FROM:<{C}@{X}>", "STARTTLS", "handshake", "RCPT TO:<{N}@{D}>"),
        safe=Text("503 5.5.1.", "503 5.5.1 で拒否する。"),
        advice=_FORGET,
        references=("RFC 3207 4.2",),
        run=_envelope,
    ),
    Probe(
        id="TLS-004",
        group=Group.STARTTLS,
        title=Text("STARTTLS is there under TLS", "TLS 内で STARTTLS が有効"),
        severity=Severity.LOW,
        wire=("EHLO under TLS", "STARTTLS"),
        safe=Text("Not offered, and 503 5.5.1.", "提供せず、503 5.5.1 で拒否する。"),
        advice=Text(
            "Offer STARTTLS only where no TLS is on.",
            "STARTTLS は TLS 開始前だけ提供してください。",
        ),
        references=("RFC 3207 4.2",),
        run=_twice,
    ),
    Probe(
        id="TLS-006",
        group=Group.STARTTLS,
        title=Text("HTTP is spoken under TLS", "TLS 内の HTTP リクエスト"),
        severity=Severity.MEDIUM,
        wire=("POST / HTTP/1.1 …", "HELO, MAIL FROM, RSET in its body"),
        safe=Text("Closes at the request; no command runs.", "切断し、実行しない。"),
        advice=Text(
            "Close at once where a client speaks another protocol, under TLS too.",
            "別のプロトコルを話すクライアントは、TLS 内でも直ちに切断してください。",
        ),
        references=("RFC 7301",),
        run=_http_under_tls,
    ),
)
