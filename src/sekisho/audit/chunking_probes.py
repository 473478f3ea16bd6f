"""Do octets of BDAT run as commands? Section D of the catalogue, BDT-001 to BDT-006.

What is announced as data must be swallowed, whatever is answered: a client that
pipelines sends it before it sees the refusal, and then the text of somebody's mail
would run as commands of the client's session. Outside of a transaction this can be
asked without any message, so BDT-002 and BDT-003 are for everybody; the others need a
recipient that is taken, and end with RSET or a closed connection before LAST.

BDT-006's other half (chunks across STARTTLS) is asked by TLS-001 and TLS-002: nothing
that was sent in clear counts under TLS.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from sekisho.audit.content import GO_ON, begin, carried, head
from sekisho.audit.conversation import (
    REPLY_SECONDS,
    ClosedError,
    Conversation,
    HindranceError,
)
from sekisho.audit.counting import (
    COMPLETED,
    NOOPS,
    answers_still,
    last_words,
    positive,
    silence_takes,
)
from sekisho.audit.probe import Group, Need, Probe
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

OVERFLOWING = (2**32 + 6, 2**64 + 6, 99999999999999999999)
"""Sizes that are 6 where 32 or 64 bits are kept, and one that fits in neither."""
MALFORMED = ("-1", "0x10", "5 5", "", "1e3")


class NoChunkingError(HindranceError):
    """CHUNKING is not offered."""


@asynccontextmanager
async def _ready(visit: Visit) -> AsyncGenerator[Conversation]:
    async with visit.ready() as conversation:
        if "CHUNKING" not in conversation.offers.keywords:
            raise NoChunkingError("CHUNKING is not offered")
        yield conversation


def _not_offered() -> Judgement:
    return not_applicable("CHUNKING is not offered", "CHUNKING の提供なし")


async def _swallowed(
    conversation: Conversation, octets: bytes, seconds: float = REPLY_SECONDS
) -> Judgement:
    """Send BDAT with its octets, and count replies."""
    await conversation.send(octets)
    reply = await conversation.more(seconds)
    ending = await last_words(conversation, seconds)
    if reply is not None and ending.misled:
        return flawed(
            f"announced octets ran as commands: after {spelled(reply)} came "
            f"{len(ending.replies)} more replies",
            f"宣言したデータがコマンドとして実行: {spelled(reply)} のあとに応答 "
            f"{len(ending.replies)} 個",
        )
    if reply is None:
        return safe(
            "the octets were swallowed without a reply", "データを読み捨て、応答なし"
        )
    return safe(
        f"the octets were swallowed, or the connection closed: {spelled(reply)}",
        f"データを読み捨て、または切断: {spelled(reply)}",
    )


async def _chunk_holds_an_end(visit: Visit) -> Judgement:
    try:
        async with _ready(visit) as conversation:
            await begin(visit, conversation)
            chunk = head(visit) + b"\r\n.\r\n" + NOOPS
            return await _swallowed(
                conversation, b"BDAT %d\r\n%s" % (len(chunk), chunk)
            )
    except NoChunkingError:
        return _not_offered()


async def _sizes(visit: Visit) -> Judgement:
    try:
        for size in OVERFLOWING:
            async with _ready(visit) as conversation:
                octets = b"BDAT %d\r\n%s%s" % (size, b"NOOP\r\n", NOOPS)
                seconds = await silence_takes(conversation)
                judgement = await _swallowed(conversation, octets, seconds)
            if judgement.verdict.value == "flawed":
                return judgement
        for size in MALFORMED:
            if (found := await _malformed(visit, size)) is not None:
                return found
    except NoChunkingError:
        return _not_offered()
    return safe(
        "sizes that are none are refused, and huge ones are not cut",
        "不正なサイズを拒否し、巨大なサイズも切り詰めない",
    )


async def _malformed(visit: Visit, size: str) -> Judgement | None:
    try:
        async with _ready(visit) as conversation:
            reply = await conversation.say(f"BDAT {size}".rstrip())
    except ClosedError:
        if await answers_still(visit):
            return None
        return flawed(f"BDAT {size} ended the service", f"BDAT {size} でサービスが停止")
    if positive(reply):
        return flawed(
            f"BDAT {size} was taken: {spelled(reply)}",
            f"BDAT {size} を受理: {spelled(reply)}",
        )
    return None


async def _refused_chunk(visit: Visit) -> Judgement:
    chunk = b"BDAT %d LAST\r\n%s" % (len(NOOPS), NOOPS)
    try:
        async with _ready(visit) as conversation:
            judgement = await _swallowed(conversation, chunk)
        if judgement.verdict.value == "flawed":
            return judgement
        async with _ready(visit) as conversation:
            await conversation.say(visit.text("MAIL FROM:<{C}@{X}>"))
            reply = await conversation.say(visit.text("RCPT TO:<{C}@{X}>"))
            if not positive(reply):
                return await _swallowed(conversation, chunk)
            await conversation.say("RSET")
    except NoChunkingError:
        return _not_offered()
    return judgement


async def _data_after_bdat(visit: Visit) -> Judgement:
    try:
        async with _ready(visit) as conversation:
            await begin(visit, conversation)
            if (reply := await conversation.say(b"BDAT 4\r\nab")).code != COMPLETED:
                return undecided(
                    f"the chunk was refused: {spelled(reply)}",
                    f"チャンクを拒否: {spelled(reply)}",
                )
            reply = await conversation.say("DATA")
    except NoChunkingError:
        return _not_offered()
    if reply.code == GO_ON:
        return flawed(
            "DATA was taken after BDAT: 354", "BDAT のあとの DATA を受理: 354"
        )
    return safe(
        f"DATA was refused after BDAT: {spelled(reply)}",
        f"BDAT のあとの DATA を拒否: {spelled(reply)}",
    )


async def _end_in_a_relayed_chunk(visit: Visit) -> Judgement:
    end = b"end " + visit.token.encode()
    content = head(visit) + b"\n.\r\n" + NOOPS + b"\r.\r\n" + NOOPS + end
    try:
        async with _ready(visit):
            pass
    except NoChunkingError:
        return _not_offered()
    arrived = await carried(visit, content, chunk=True)
    if isinstance(arrived, Judgement):
        return arrived
    if end not in arrived:
        return flawed(
            "the message was cut on the way at LF . CR LF",
            "転送中に LF . CR LF の位置で本文が切断",
        )
    return safe("the message arrived whole", "本文が完全な形で到着")


async def _rset_between_chunks(visit: Visit) -> Judgement:
    try:
        async with _ready(visit) as conversation:
            await begin(visit, conversation)
            chunk = head(visit) + b"\r\n"
            await conversation.send(b"BDAT %d\r\n%s" % (len(chunk), chunk))
            reply = await conversation.reply()
            if reply.code != COMPLETED:
                return undecided(
                    f"the chunk was refused: {spelled(reply)}",
                    f"チャンクを拒否: {spelled(reply)}",
                )
            await conversation.say("RSET")
            reply = await conversation.say("BDAT 0 LAST")
    except NoChunkingError:
        return _not_offered()
    if reply.code == COMPLETED:
        return flawed(
            f"chunks outlive RSET: {spelled(reply)}",
            f"RSET 後もチャンクが残存: {spelled(reply)}",
        )
    return safe(
        f"RSET forgets them: {spelled(reply)}", f"RSET で破棄: {spelled(reply)}"
    )


_SWALLOW = Text(
    "Read as many octets as BDAT announces before anything else, also when it is "
    "refused; where the size cannot be kept, close.",
    "拒否する場合も含め、BDAT が宣言したオクテット数を必ず読み捨ててください。"
    "サイズを扱えない場合は接続を切断してください。",
)
_SWALLOWS = Text(
    "503 5.5.1, and the octets are swallowed, or the connection is closed.",
    "503 5.5.1 を返してデータを読み捨てるか、接続を切断する。",
)
_CANARY = frozenset({Need.CANARY})

CHUNKING: tuple[Probe, ...] = (
    Probe(
        id="BDT-001",
        group=Group.CHUNKING,
        title=Text("A chunk is searched for its end", "チャンク内で終端を探索"),
        severity=Severity.CRITICAL,
        wire=("BDAT n", "text CRLF . CRLF NOOP (4 times)", "QUIT"),
        safe=Text(
            "All announced octets are data: one reply to the chunk.",
            "宣言されたオクテットはすべて本文とし、チャンクに 1 回だけ応答する。",
        ),
        advice=_SWALLOW,
        references=("RFC 3030 2",),
        run=_chunk_holds_an_end,
        needs=_CANARY,
        account_helps=True,
    ),
    Probe(
        id="BDT-002",
        group=Group.CHUNKING,
        title=Text("Sizes of chunks overflow", "チャンクサイズの桁あふれ"),
        severity=Severity.MEDIUM,
        wire=(
            "BDAT 4294967302, BDAT 18446744073709551622, BDAT 99999999999999999999",
            "NOOP (5 times)",
            "BDAT -1, BDAT 0x10, BDAT 5 5, BDAT, BDAT 1e3",
        ),
        safe=Text(
            "501 5.5.4 or 552 5.3.4, and swallows what was announced, or closes.",
            "501 5.5.4 または 552 5.3.4 を返し、宣言分を読み捨てるか切断する。",
        ),
        advice=_SWALLOW,
        references=("CVE-2002-0055", "MS02-012", "RFC 3030 2"),
        run=_sizes,
    ),
    Probe(
        id="BDT-003",
        group=Group.CHUNKING,
        title=Text(
            "Octets of a refused chunk run as commands",
            "拒否したチャンクの内容がコマンドとして実行",
        ),
        severity=Severity.CRITICAL,
        wire=(
            "BDAT 24 LAST",
            "NOOP (4 times)",
            "MAIL",
            "RCPT (refused)",
            "BDAT 24 LAST …",
        ),
        safe=_SWALLOWS,
        advice=_SWALLOW,
        references=("RFC 3030 2",),
        run=_refused_chunk,
    ),
    Probe(
        id="BDT-004",
        group=Group.CHUNKING,
        title=Text("DATA is taken after BDAT", "BDAT のあとの DATA を受理"),
        severity=Severity.MEDIUM,
        wire=("BDAT 4", "DATA"),
        safe=Text("503 5.5.1.", "503 5.5.1 で拒否する。"),
        advice=Text(
            "Refuse DATA in a transaction that has begun with BDAT.",
            "BDAT で始まったトランザクションでは DATA を拒否してください。",
        ),
        references=("RFC 3030 3",),
        run=_data_after_bdat,
        needs=_CANARY,
        account_helps=True,
    ),
    Probe(
        id="BDT-005",
        group=Group.CHUNKING,
        title=Text(
            "A chunk's LF . CR LF ends the data of the next server",
            "チャンク内の LF . CR LF が次のサーバーで終端に変化",
        ),
        severity=Severity.HIGH,
        wire=("BDAT n LAST", "text LF . CR LF NOOP (4 times) …"),
        safe=Text(
            "Refuses the message, or sends it on with proper line ends.",
            "本文を拒否するか、行末を正規化して転送する。",
        ),
        advice=Text(
            "Judge the line ends of chunks as strictly as those of DATA.",
            "チャンクの行末も DATA と同じ厳しさで検査してください。",
        ),
        references=("CVE-2023-51766", "RFC 3030 3"),
        run=_end_in_a_relayed_chunk,
        needs=frozenset({Need.CANARY, Need.ACCOUNT}),
        attempts=1,
    ),
    Probe(
        id="BDT-006",
        group=Group.CHUNKING,
        title=Text("Chunks outlive RSET", "RSET 後もチャンクが残存"),
        severity=Severity.MEDIUM,
        wire=("BDAT n", "RSET", "BDAT 0 LAST"),
        safe=Text("503 5.5.1 after RSET.", "RSET 後は 503 5.5.1 で拒否する。"),
        advice=Text(
            "Let RSET forget recipients and chunks.",
            "RSET で宛先とチャンクを破棄してください。",
        ),
        references=("RFC 3030 2",),
        run=_rset_between_chunks,
        needs=_CANARY,
        account_helps=True,
    ),
)
