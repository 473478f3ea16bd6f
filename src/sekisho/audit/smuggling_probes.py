"""Can one message be made two? Section D of the catalogue, SMG-001 to SMG-024.

The end of data can only be asked within DATA, so those probes need the canary: what a
flawed server is led to take goes to the administrator's own recipient. Each sends a
sequence that is no end, and then waits a moment. A 250 there is proof. Silence is not
yet proof of the contrary, for a server may be slow: four NOOPs, the real end and QUIT
follow, and replies are counted (`counting`).

A bare LF that ends a *command* is no finding. Postfix, whose cure for smuggling keeps
it, Exim and OpenSMTPD all take it, and nobody who may send an LF is kept from sending
a CRLF. SMG-022 tells of it, and finds the bare CR, which no reader expects.
"""

import asyncio
from functools import partial

from sekisho.audit.content import (
    END,
    END_SECONDS,
    GO_ON,
    begin,
    begin_data,
    carried,
    head,
)
from sekisho.audit.conversation import ClosedError, Conversation
from sekisho.audit.counting import (
    CLOSING,
    COMPLETED,
    NOOPS,
    QUIET_SECONDS,
    last_words,
    positive,
    speaks_of_lines,
)
from sekisho.audit.probe import Group, Need, Probe
from sekisho.audit.verdicts import Judgement, Severity, flawed, safe, undecided
from sekisho.audit.visit import Visit, spelled
from sekisho.model.reply import Reply
from sekisho.model.text import Text

SEQUENCES: dict[str, bytes] = {
    "SMG-001": b"\n.\n",
    "SMG-002": b"\n.\r\n",
    "SMG-003": b"\r.\r",
    "SMG-004": b"\r.\n",
    "SMG-005": b"\n.\r",
    "SMG-006": b"\r.\r\n",
    "SMG-007": b"\r\n.\n",
    "SMG-008": b"\r\n.\r",
    "SMG-009": b"\r\n\0.\r\n",
    "SMG-010": b"\r\n.\0\r\n",
    "SMG-011": b"\r\n.\r\r\n",
    "SMG-012": b"\r\r\n.\r\r\n",
}
LOOKALIKES = (
    b"\r\n.\t\r\n",
    b"\r\n. \r\n",
    b"\r\n..\r\n",
    b"\r\n.\x0b\r\n",
    b"\r\n.\x0c\r\n",
    b"\x85.\x85\r\n",
    "\r\n\u2028.\u2028\r\n".encode(),
    "\u0085.\u0085\r\n".encode(),
)
SEGMENT_SECONDS = 0.02
SPLIT_SECONDS = 5.0


async def _ends_data(visit: Visit, *, sequence: bytes) -> Judgement:
    async with visit.ready() as conversation:
        await begin_data(visit, conversation)
        return await _led_astray(conversation, head(visit) + sequence, b".\r\n")


async def _led_astray(
    conversation: Conversation, content: bytes, *end: bytes
) -> Judgement:
    """Send content that does not end, then the commands, then its real end."""
    await conversation.send(content)
    early = await conversation.more(QUIET_SECONDS)
    if early is not None and early.code == COMPLETED:
        return flawed(
            f"the message was taken before its end was sent: {spelled(early)}",
            f"終端を送る前に本文を受理: {spelled(early)}",
        )
    reply = early
    try:
        await conversation.send(NOOPS)
        for segment in end:
            await conversation.send(segment)
            await asyncio.sleep(SEGMENT_SECONDS if len(end) > 1 else 0)
        reply = early or await conversation.reply(END_SECONDS)
    except ClosedError:
        if reply is None:
            raise
    return await _counted(conversation, reply)


async def _counted(conversation: Conversation, reply: Reply) -> Judgement:
    ending = await last_words(conversation)
    if ending.misled:
        return flawed(
            f"{len(ending.replies) + 1} replies to one message: its text ran as "
            f"commands ({spelled(ending.replies[0])})",
            f"1 通に応答 {len(ending.replies) + 1} 個、本文がコマンドとして実行 "
            f"({spelled(ending.replies[0])})",
        )
    if reply.code == CLOSING and not speaks_of_lines(reply):
        return undecided(
            f"closed for another reason: {spelled(reply)}",
            f"別の理由による切断: {spelled(reply)}",
        )
    if not positive(reply):
        return safe(
            f"the whole message was refused: {spelled(reply)}",
            f"本文全体を拒否: {spelled(reply)}",
        )
    if not ending.finished:
        return undecided(
            "the server fell silent after the message", "本文のあと応答が途絶"
        )
    return safe(
        f"plain data, and one reply to it: {spelled(reply)}",
        f"通常の本文として扱い、応答は 1 個: {spelled(reply)}",
    )


async def _lookalikes(visit: Visit) -> Judgement:
    content = b"\r\n".join(b"line" + each + NOOPS for each in LOOKALIKES)
    async with visit.ready() as conversation:
        await begin_data(visit, conversation)
        judgement = await _led_astray(
            conversation, head(visit) + content, b".", b"\r", b"\n"
        )
    if judgement.verdict.value != "safe":
        return judgement
    async with visit.ready() as conversation:
        await begin_data(visit, conversation)
        await conversation.send(b".\r\n")
        if await conversation.more(SPLIT_SECONDS) is None:
            return flawed(
                "a dot as the first line does not end the data",
                "先頭行のドットが本文の終端にならない",
            )
    return judgement


async def _does_not_wait(visit: Visit) -> Judgement:
    async with visit.ready() as conversation:
        await begin(visit, conversation)
        await conversation.send(b"DATA\r\n" + head(visit) + END)
        reply = await conversation.reply()
        if reply.code == GO_ON:
            reply = await conversation.more(SPLIT_SECONDS) or reply
    if reply.code == COMPLETED:
        return flawed(
            f"content sent before the 354 was taken: {spelled(reply)}",
            f"354 より前に送った本文を受理: {spelled(reply)}",
        )
    return safe(
        f"content sent before the 354 was not taken: {spelled(reply)}",
        f"354 より前に送った本文は不受理: {spelled(reply)}",
    )


async def _count_commands(visit: Visit, octets: bytes) -> int:
    async with visit.dial() as conversation:
        await conversation.ehlo()
        await conversation.send(octets)
        return len((await last_words(conversation)).replies)


async def _command_ends(visit: Visit) -> Judgement:
    if await _count_commands(visit, b"NOOP\rNOOP\rNOOP\rNOOP\r\n") > 2:  # noqa: PLR2004 - more than one clumsy one
        return flawed(
            "a bare CR ends a command: one line, several replies",
            "単独の CR でコマンドが終了(1 行に複数の応答)",
        )
    if await _count_commands(visit, b"NOOP\nNOOP\nNOOP\nNOOP\r\n") > 2:  # noqa: PLR2004 - as above
        return safe(
            "a bare CR ends no command; a bare LF does, as in most servers",
            "単独の CR では終了せず、単独の LF では終了(多くのサーバーと同じ)",
        )
    return safe(
        "neither a bare CR nor a bare LF ends a command",
        "単独の CR・LF ではコマンドが終了しない",
    )


async def _nul_in_address(visit: Visit) -> Judgement:
    domain = visit.names.domain.encode()
    async with visit.ready() as conversation:
        for line in (
            b"MAIL FROM:<a\0b@" + domain + b">",
            b"MAIL FROM:<a@" + domain + b"\0.invalid>",
        ):
            try:
                reply = await conversation.say(line)
            except ClosedError:
                break
            if reply.code == COMPLETED:
                return flawed(
                    f"an address with a NUL in it was taken: {spelled(reply)}",
                    f"NUL を含むアドレスを受理: {spelled(reply)}",
                )
            if reply.code < 500:  # noqa: PLR2004 - RFC 5321 §4.2.1
                return undecided(
                    f"put off: {spelled(reply)}", f"一時的な拒否: {spelled(reply)}"
                )
    return safe("an address with a NUL in it is refused", "NUL を含むアドレスを拒否")


async def _sends_bare_cr_on(visit: Visit) -> Judgement:
    token = visit.token.encode()
    content = head(visit) + b"\r.\rline\r.\r\nend " + token
    arrived = await carried(visit, content)
    if isinstance(arrived, Judgement):
        return arrived
    if b"\r.\r" in arrived.replace(b"\r\n", b"\n") or b"end " + token not in arrived:
        return flawed(
            "a bare CR beside a dot was sent on, or cut the message",
            "ドットに隣接する単独の CR をそのまま転送、または本文が途中で切断",
        )
    return safe("line ends were made right on the way", "行末を正規化して転送")


async def _dots_come_through(visit: Visit) -> Judgement:
    lines = [b".", b"..", b".x", b"...", b"end"]
    stuffed = b"\r\n".join(b"." + line if line[:1] == b"." else line for line in lines)
    arrived = await carried(visit, head(visit) + b"\r\n" + stuffed)
    if isinstance(arrived, Judgement):
        return arrived
    if b"\n".join(lines) not in arrived.replace(b"\r\n", b"\n"):
        return flawed(
            "lines that begin with a dot did not arrive as they were sent",
            "ドットで始まる行が送信時と異なる内容で到着",
        )
    return safe("lines with dots arrived as they were sent", "ドットの行が元のまま到着")


_ADVICE = Text(
    "End data at CR LF . CR LF alone, and refuse messages with a bare CR, a bare LF or "
    "a NUL. Postfix: smtpd_forbid_bare_newline = normalize (or reject).",
    "本文の終端は CR LF . CR LF だけとし、単独の CR・LF や NUL を含む本文は拒否して"
    "ください。Postfix では smtpd_forbid_bare_newline = normalize(または reject)です。",
)
_SAFE = Text(
    "Refuses the whole message (550 5.5.2, or 421 or 521 and closes), or takes the "
    "octets as data: one reply, after CR LF . CR LF.",
    "本文全体を拒否する(550 5.5.2、または 421・521 で切断)か、通常の本文として扱い、"
    "CR LF . CR LF のあとに 1 回だけ応答する。",
)
_CVES = {
    "SMG-001": ("CVE-2023-51764", "CVE-2023-51765"),
    "SMG-002": ("CVE-2023-51764", "CVE-2023-51765", "CVE-2023-51766"),
}
_CANARY = frozenset({Need.CANARY})


def _spelled(sequence: bytes) -> str:
    names = {0: "NUL", 10: "LF", 13: "CR", 46: "."}
    return " ".join(names[octet] for octet in sequence)


def _sequence(number: str, sequence: bytes) -> Probe:
    name = _spelled(sequence)
    return Probe(
        id=number,
        group=Group.SMUGGLING,
        title=Text(f"{name} ends the data", f"{name} で本文が終了"),
        severity=Severity.HIGH,
        wire=("DATA", f"text {name}", "NOOP (4 times)", ".", "QUIT"),
        safe=_SAFE,
        advice=_ADVICE,
        references=(*_CVES.get(number, ()), "RFC 5321 4.1.1.4", "RFC 5321 2.3.8"),
        run=partial(_ends_data, sequence=sequence),
        needs=_CANARY,
        account_helps=True,
    )


SMUGGLING: tuple[Probe, ...] = (
    *(_sequence(number, sequence) for number, sequence in SEQUENCES.items()),
    Probe(
        id="SMG-013",
        group=Group.SMUGGLING,
        title=Text("Look-alikes end the data", "終端に似た並びで本文が終了"),
        severity=Severity.HIGH,
        wire=("DATA", "text CR LF . TAB CR LF …", "NOOP (4 times)", ".", "QUIT"),
        safe=Text(
            "Dots with blanks, dots or control characters beside them are data; CR LF "
            ". CR LF is the end, in however many segments it comes, or at once.",
            "空白・ドット・制御文字が付いたドットは本文として扱う。CR LF . CR LF は"
            "分割されて届いても、先頭にあっても終端とする。",
        ),
        advice=_ADVICE,
        references=("RFC 5321 4.1.1.4", "RFC 5321 4.5.2"),
        run=_lookalikes,
        needs=_CANARY,
        account_helps=True,
    ),
    Probe(
        id="SMG-020",
        group=Group.SMUGGLING,
        title=Text("Bare CR is sent on", "単独の CR をそのまま転送"),
        severity=Severity.HIGH,
        wire=("DATA", "text CR . CR line CR . CR LF", "."),
        safe=Text(
            "Refuses the message, or sends it on with proper line ends.",
            "本文を拒否するか、行末を正規化して転送する。",
        ),
        advice=Text(
            "Let no bare CR or LF go out, else the next server may find an end of data "
            "in it. Postfix: cleanup_replace_stray_cr_lf = yes.",
            "単独の CR・LF を外へ送らないでください。次のサーバーが終端と"
            "解釈するおそれがあります。"
            "Postfix では cleanup_replace_stray_cr_lf = yes です。",
        ),
        references=("CVE-2026-33604", "RFC 5321 2.3.8"),
        run=_sends_bare_cr_on,
        needs=frozenset({Need.CANARY, Need.ACCOUNT}),
        attempts=1,
    ),
    Probe(
        id="SMG-021",
        group=Group.SMUGGLING,
        title=Text("Content before the 354 is taken", "354 より前の本文を受理"),
        severity=Severity.LOW,
        wire=("one write: DATA, the message, .",),
        safe=Text(
            "Refuses it: 554 5.5.0 or 503 5.5.1.",
            "554 5.5.0 または 503 5.5.1 で拒否する。",
        ),
        advice=Text(
            "Refuse clients that do not wait where RFC 2920 wants it; smuggled text "
            "comes that way. Postfix: smtpd_forbid_unauth_pipelining = yes.",
            "RFC 2920 の定める同期点で待たないクライアントは拒否してください。"
            "密輸されたコマンドはこの形で届きます。"
            "Postfix では smtpd_forbid_unauth_pipelining = yes です。",
        ),
        references=("RFC 2920 3.1",),
        run=_does_not_wait,
        needs=_CANARY,
        account_helps=True,
    ),
    Probe(
        id="SMG-022",
        group=Group.SMUGGLING,
        title=Text("A bare CR ends a command", "単独の CR でコマンドが終了"),
        severity=Severity.HIGH,
        wire=("NOOP CR NOOP CR NOOP CR NOOP CRLF", "NOOP LF NOOP LF NOOP LF NOOP CRLF"),
        safe=Text(
            "Refuses the line (500 5.5.2), or takes it as one. A bare LF may end it.",
            "行を拒否する(500 5.5.2)か、1 行として扱う。単独の LF での終了は可。",
        ),
        advice=Text(
            "End commands at CR LF; refuse lines with a bare CR in them.",
            "コマンドは CR LF で終わるものとし、単独の CR を含む行は拒否してください。",
        ),
        references=("RFC 5321 2.3.8",),
        run=_command_ends,
    ),
    Probe(
        id="SMG-023",
        group=Group.SMUGGLING,
        title=Text("An address with a NUL is taken", "NUL を含むアドレスを受理"),
        severity=Severity.MEDIUM,
        wire=("MAIL FROM:<a NUL b@{D}>", "MAIL FROM:<a@{D} NUL .invalid>"),
        safe=Text("Refuses it: 500 or 501.", "500 または 501 で拒否する。"),
        advice=Text(
            "Refuse commands with a NUL: other programs read the address up to it.",
            "NUL を含むコマンドは拒否してください。後段のプログラムがアドレスをそこで"
            "打ち切って読むおそれがあります。",
        ),
        references=("RFC 5321 4.1.2",),
        run=_nul_in_address,
    ),
    Probe(
        id="SMG-024",
        group=Group.SMUGGLING,
        title=Text("Dots get lost on the way", "転送中にドットが変化"),
        severity=Severity.MEDIUM,
        wire=("DATA", "lines: . .. .x ...", "."),
        safe=Text("The text arrives as it was sent.", "本文が元のまま届く。"),
        advice=Text(
            "Remove one leading dot on the way in, and add one on the way out.",
            "受信時に行頭のドットを 1 つ除き、送信時に 1 つ加えてください。",
        ),
        references=("RFC 5321 4.5.2",),
        run=_dots_come_through,
        needs=frozenset({Need.CANARY, Need.ACCOUNT}),
        attempts=1,
    ),
)
