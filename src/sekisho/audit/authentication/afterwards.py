"""What an identity may do once it is proved, and what nobody may in its name.

A server may look at the sender as late as at the end of DATA, so what is accepted at
RCPT is suspect until the canary has it. AUTH-082 (a stranger as a local user) can only
be seen by sending to somebody local: it sends to the administrator's own account.
"""

from sekisho.audit.authentication.accounts import NO_ACCOUNT, signs_in
from sekisho.audit.authentication.relaying import (
    START_MAIL_INPUT,
    Relaying,
    delivered,
    offered,
    succeeded,
)
from sekisho.audit.authentication.row import WITH_ACCOUNT, row
from sekisho.audit.conversation import Conversation
from sekisho.audit.probe import Need, Probe
from sekisho.audit.verdicts import (
    Judgement,
    Severity,
    flawed,
    safe,
    suspect,
    undecided,
)
from sekisho.audit.visit import Visit, spelled
from sekisho.model.text import Text

WITH_CANARY = frozenset({Need.ACCOUNT, Need.CANARY})
SENDERS = (
    *("{V}@{D}", "ceo@{X}", "{U}%x@{D}", "{U}@sub.{D}", "postmaster@{D}"),
    '"{U}@{D}"@{X}',
)
HEADERS = (
    "From: <{V}@{D}>",
    "From: <{U}@{D}>\r\nFrom: <{V}@{D}>",
    'From: "{U}@{D}" <{V}@{D}>',
    "Sender: <{V}@{D}>\r\nFrom: <{U}@{D}>, <{V}@{D}>",
)


async def envelope(visit: Visit) -> Judgement:
    """Sign in, and send from addresses that are not one's own."""
    account = visit.account
    if account is None:
        return NO_ACCOUNT
    refusal = ""
    async with visit.ready() as conversation:
        hindrance = await signs_in(visit, conversation, account)
        if hindrance is not None:
            return hindrance
        own = await offered(visit, conversation, "{U}@{D}")
        if own.outcome is not Relaying.ACCEPTED:
            return undecided(
                f"the account may not relay from its own address: {own.said}",
                f"アカウント自身のアドレスからの中継が拒否された: {own.said}",
            )
        for sender in SENDERS:
            offer = await offered(visit, conversation, sender)
            if offer.outcome is Relaying.ACCEPTED:
                return await _spoofed(visit, conversation, sender)
            refusal = offer.said
    return safe(
        f"other senders are refused: {refusal}",
        f"他者の送信者アドレスは拒否された: {refusal}",
    )


async def _spoofed(
    visit: Visit, conversation: Conversation, template: str
) -> Judgement:
    sender = visit.text(template)
    if await delivered(visit, conversation, f"From: <{sender}>"):
        return flawed(
            f"the account sent as {sender}, and it arrived",
            f"アカウントが {sender} として送信し、実際に届いた",
        )
    return suspect(
        f"the account may send as {sender}, as far as RCPT",
        f"アカウントが {sender} を送信者として RCPT まで受け付けられた",
    )


async def header(visit: Visit) -> Judgement:
    """Sign in, and write as somebody else."""
    account = visit.account
    if account is None:
        return NO_ACCOUNT
    async with visit.ready() as conversation:
        hindrance = await signs_in(visit, conversation, account)
        if hindrance is not None:
            return hindrance
        for said in HEADERS:
            offer = await offered(visit, conversation, "{U}@{D}")
            if offer.outcome is not Relaying.ACCEPTED:
                return undecided(
                    f"the account may not relay from its own address: {offer.said}",
                    f"アカウント自身のアドレスからの中継が拒否された: {offer.said}",
                )
            if await delivered(visit, conversation, said):
                return await _arrived_as(visit, said)
    return safe(
        "headers with other authors are refused, or did not arrive",
        "他者を名乗るヘッダーは拒否されたか、届かなかった",
    )


async def _arrived_as(visit: Visit, said: str) -> Judgement:
    """Look whether it arrived as it was written; servers may rewrite From."""
    shown = visit.text(said).replace("\r\n", " / ")
    content = await visit.fetched(visit.token) if visit.fetched is not None else None
    if content is None:
        return suspect(
            f"a message with this header arrived; was it rewritten? {shown}",
            f"次のヘッダーのメールが届いた。書き換えの有無を確認してください: {shown}",
        )
    head = content.replace(b"\r\n", b"\n").partition(b"\n\n")[0]
    authors = [line for line in head.split(b"\n") if line[:5].lower() == b"from:"]
    other = visit.text("{V}@{D}").encode()
    if any(other in author for author in authors):
        return flawed(
            f"a message in another's name arrived as written: {shown}",
            f"他者を名乗るメールがそのまま届いた: {shown}",
        )
    return safe(
        f"From was rewritten on the way: {shown}",
        f"From は配送中に書き換えられた: {shown}",
    )


async def stranger_as_local(visit: Visit) -> Judgement:
    """Send to the account from a local address, as a stranger."""
    if visit.account is None:
        return NO_ACCOUNT
    async with visit.ready() as conversation:
        reply = await conversation.say(visit.text("MAIL FROM:<{V}@{D}>"))
        if succeeded(reply):
            reply = await conversation.say(visit.text("RCPT TO:<{U}@{D}>"))
        if succeeded(reply):
            reply = await conversation.say("DATA")
        if reply.code == START_MAIL_INPUT:
            reply = await conversation.say(
                visit.text(
                    "From: <{V}@{D}>\r\nTo: <{U}@{D}>\r\n"
                    f"Subject: Sekisho audit {visit.token}\r\n"
                    f"Message-ID: <{visit.token}@{{D}}>\r\n\r\nAn audit of {{H}}.\r\n."
                )
            )
    said = spelled(reply)
    if succeeded(reply):
        return flawed(
            f"a stranger's mail in a local user's name was taken: {said}",
            f"外部からの、内部利用者を名乗るメールが受け付けられた: {said}",
        )
    if reply.is_transient:
        return undecided(f"put off: {said}", f"一時的に拒否された: {said}")
    return safe(f"refused: {said}", f"拒否された: {said}")


OWN_ADDRESSES = Text(
    "Tie senders to accounts (Postfix: reject_sender_login_mismatch), in the envelope "
    "and in From.",
    "送信者アドレスをアカウントに結び付けてください "
    "(Postfix: reject_sender_login_mismatch)。エンベロープと From の両方が対象です。",
)

AFTERWARDS: tuple[Probe, ...] = (
    row(
        id="AUTH-080",
        title=Text(
            "A user may send as another (envelope)",
            "利用者が他者の送信者アドレスを使用できる (エンベロープ)",
        ),
        severity=Severity.HIGH,
        wire=("AUTH, good", *(f"MAIL FROM:<{sender}>" for sender in SENDERS)),
        safe=Text("553 5.7.1 or 550 5.7.1.", "553 5.7.1 または 550 5.7.1 を返す。"),
        advice=OWN_ADDRESSES,
        references=("CVE-2024-7208", "CVE-2024-7209", "VU#244112"),
        run=envelope,
        needs=WITH_ACCOUNT,
    ),
    row(
        id="AUTH-081",
        title=Text(
            "A user may write as another (From)",
            "利用者が他者の From を使用できる (ヘッダー)",
        ),
        severity=Severity.HIGH,
        wire=("AUTH, good", "DATA", *HEADERS),
        safe=Text(
            "550 5.7.1 or 554 5.6.0, or From is rewritten.",
            "550 5.7.1 か 554 5.6.0 を返す。または From を書き換える。",
        ),
        advice=OWN_ADDRESSES,
        references=("VU#244112", "RFC 5322 §3.6.2"),
        run=header,
        needs=WITH_CANARY,
    ),
    row(
        id="AUTH-082",
        title=Text(
            "A stranger may send as a local user",
            "外部の第三者が内部利用者を名乗って送信できる",
        ),
        severity=Severity.MEDIUM,
        wire=("MAIL FROM:<{V}@{D}>", "RCPT TO:<{U}@{D}>", "DATA", "From: <{V}@{D}>"),
        safe=Text(
            "550 or 553 5.7.1, at the end of DATA at the latest.",
            "遅くとも DATA の終わりまでに 550 または 553 を返す。",
        ),
        advice=Text(
            "Refuse own domains from strangers, or publish DMARC p=reject and obey it.",
            "外部からの自ドメインの送信者を拒否するか、DMARC を p=reject で公開して"
            "適用してください。",
        ),
        references=("RFC 7489", "JAMES-3225"),
        run=stranger_as_local,
        needs=WITH_CANARY,
    ),
)
