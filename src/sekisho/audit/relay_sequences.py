"""Relaying by order, by octets between commands, and by verbs that nobody needs.

RLY-039 and RLY-041 to RLY-046. ETRN, VERB and ONEX of RLY-043 are left out: servers do
them rightly, and nothing is relayed by them. In all of these the question at the end is
the same: is a foreign recipient taken, and does the canary arrive?
"""

from contextlib import suppress

from sekisho.audit.conversation import ClosedError, Conversation
from sekisho.audit.refusals import ORDER_CODE, Meaning, at_mail, at_rcpt
from sekisho.audit.relay_forms import PLAIN, STRANGER
from sekisho.audit.relaying import (
    GO_ON,
    accepted,
    hand_over,
    is_taken,
    message,
    prove,
    worst,
)
from sekisho.audit.verdicts import (
    Judgement,
    flawed,
    not_applicable,
    safe,
    suspect,
    undecided,
)
from sekisho.audit.visit import Visit, spelled
from sekisho.model.reply import Reply

MAIL = "MAIL FROM:" + STRANGER
RCPT = "RCPT TO:" + PLAIN
_BREAKS = (
    ("RCPT TO:<{N}@{D}>", b"\n", RCPT),
    ("RCPT TO:<{N}@{D}>", b"\r", RCPT),
    ("RCPT TO:<{N}@{D}", b"\r", RCPT),
    ('RCPT TO:<"a', b"\n", RCPT),
    ("RCPT TO:<{N}@{D}>\t", b"\0\n", RCPT),
)
_OLD_VERBS = (
    *("TURN", "ATRN {D}", "DEBUG", "WIZ", "KILL", "XADR {C}@{X}"),
    *("SEND FROM:<spamtest@{X}>", "SOML FROM:<spamtest@{X}>"),
    "SAML FROM:<spamtest@{X}>",
)
CLOSING = 221
SILENCE_SECONDS = 0.3
VERBS_PER_CONNECTION = 2
_NO_SUCH_VERB = "XSEKISHO"


def _refused(what: str, reply: Reply, ja: str) -> Judgement:
    return safe(f"{what}: {spelled(reply)}", f"{ja}: {spelled(reply)}")


def _not_taken(reply: Reply, meaning: Meaning) -> Judgement:
    if meaning is Meaning.REFUSED:
        return _refused("refused at MAIL", reply, "MAIL で拒否")
    return _hindered(reply)


def _hindered(reply: Reply) -> Judgement:
    return undecided(
        f"refused for another reason: {spelled(reply)}",
        f"別の理由による拒否: {spelled(reply)}",
    )


async def _judged(
    conversation: Conversation, visit: Visit, reply: Reply, said: str
) -> Judgement:
    """Judge the reply to a foreign RCPT."""
    said = f"{said} → {spelled(reply)}"
    match at_rcpt(reply, plain=True):
        case Meaning.TAKEN:
            return await prove(conversation, visit, said)
        case Meaning.REFUSED:
            return safe(f"refused: {said}", f"拒否: {said}")
        case Meaning.HINDERED:
            return _hindered(reply)


async def _last(conversation: Conversation) -> list[Reply]:
    """Say QUIT, and give all replies that come until the door closes."""
    replies: list[Reply] = []
    with suppress(ClosedError):
        await conversation.send(b"QUIT\r\n")
        while True:
            replies.append(await conversation.reply())
    return replies


async def _more(conversation: Conversation) -> Reply | None:
    with suppress(ClosedError):
        return await conversation.more(SILENCE_SECONDS)
    return None


async def line_ends_in_paths(visit: Visit) -> Judgement:
    """RLY-039: a second RCPT behind a lone CR or LF in the first one's path."""
    return worst([await _line_end(visit, row) for row in _BREAKS])


async def _line_end(visit: Visit, row: tuple[str, bytes, str]) -> Judgement:
    first, end, second = row
    async with visit.ready() as conversation:
        reply = await conversation.say(visit.text(MAIL))
        if (meaning := at_mail(reply)) is not Meaning.TAKEN:
            return _not_taken(reply, meaning)
        octets = visit.text(first).encode() + end + visit.text(second).encode()
        await conversation.send(octets + b"\r\n")
        one = await conversation.reply()
        if visit.arrived is None:
            said = [r for r in await _last(conversation) if r.code != CLOSING]
            other = said[0] if said else None
        else:
            other = await _more(conversation)
        if other is not None and is_taken(other):
            return await prove(
                conversation, visit, f"RCPT CR/LF RCPT → {spelled(other)}"
            )
    return _one_line(one) if other is None else _refused("refused", other, "拒否")


def _one_line(reply: Reply) -> Judgement:
    """Judge the one reply to all of it."""
    if is_taken(reply):
        return undecided(
            f"taken as one path, perhaps of its own: {spelled(reply)}",
            f"全体を一つの宛先として受理: {spelled(reply)}",
        )
    if reply.code >= 500 or reply.enhanced.endswith(".5.2"):  # noqa: PLR2004 - class 5
        return _refused("a lone CR or LF brings no recipient", reply, "拒否")
    return _hindered(reply)


async def out_of_order(visit: Visit) -> Judgement:
    """RLY-041: RCPT before MAIL, and after a second MAIL in the server's name."""
    async with visit.ready() as conversation:
        early = await conversation.say(visit.text(RCPT))
        if is_taken(early):
            return await prove(conversation, visit, f"RCPT first → {spelled(early)}")
        reply = await conversation.say(visit.text(MAIL))
        if (meaning := at_mail(reply)) is not Meaning.TAKEN:
            return _not_taken(reply, meaning)
        await conversation.say(visit.text("MAIL FROM:<postmaster@{D}>"))
        reply = await conversation.say(visit.text(RCPT))
        if reply.code == ORDER_CODE:
            return _refused("refused as out of order", reply, "順序外として拒否")
        return await _judged(conversation, visit, reply, "MAIL, MAIL, RCPT")


async def _with_refused(
    conversation: Conversation, visit: Visit
) -> tuple[Judgement | None, Reply]:
    """Say MAIL and a foreign RCPT; judge it unless it was refused."""
    reply = await conversation.say(visit.text(MAIL))
    if (meaning := at_mail(reply)) is not Meaning.TAKEN:
        return _not_taken(reply, meaning), reply
    reply = await conversation.say(visit.text(RCPT))
    match at_rcpt(reply, plain=True):
        case Meaning.REFUSED:
            return None, reply
        case Meaning.TAKEN:
            judgement = await prove(conversation, visit, f"RCPT → {spelled(reply)}")
            return judgement, reply
        case Meaning.HINDERED:
            return _hindered(reply), reply


async def data_after_refusals(visit: Visit) -> Judgement:
    """RLY-041: DATA though every recipient was refused."""
    async with visit.ready() as conversation:
        judgement, _ = await _with_refused(conversation, visit)
        if judgement is not None:
            return judgement
        reply = await conversation.say("DATA")
        if reply.code != GO_ON:
            return _refused("DATA after refusals is refused", reply, "DATA は拒否")
        return await _content_for_nobody(conversation, visit)


async def _content_for_nobody(conversation: Conversation, visit: Visit) -> Judgement:
    if visit.arrived is None:
        # Allowed (RFC 2920 §3.1), so long as the message is refused at its end.
        return undecided(
            "354 though no recipient was taken; only a canary shows what becomes of it",
            "有効な宛先がないのに 354(判定にはカナリアが必要)",
        )
    await conversation.send(message(visit))
    reply = await conversation.reply()
    if not is_taken(reply):
        return _refused("the message for nobody is refused", reply, "本文は拒否")
    if await visit.arrived(visit.token):
        return flawed(
            f"relayed to a refused recipient: {spelled(reply)}",
            f"拒否した宛先に中継: {spelled(reply)}",
        )
    return suspect(
        f"a message for nobody is taken: {spelled(reply)}",
        f"宛先のない本文を受理: {spelled(reply)}",
    )


async def bdat_after_refusals(visit: Visit) -> Judgement:
    """RLY-041: BDAT though every recipient was refused."""
    async with visit.ready() as conversation:
        if "CHUNKING" not in conversation.offers.keywords:
            return not_applicable("CHUNKING is not offered", "CHUNKING の提供なし")
        judgement, _ = await _with_refused(conversation, visit)
        if judgement is not None:
            return judgement
        content = message(visit).removesuffix(b".\r\n") if visit.arrived else b""
        await conversation.send(b"BDAT %d LAST\r\n" % len(content) + content)
        reply = await conversation.reply()
        if not is_taken(reply):
            return _refused("BDAT after refusals is refused", reply, "BDAT は拒否")
        if visit.arrived is not None and await visit.arrived(visit.token):
            return flawed(
                f"relayed to a refused recipient: {spelled(reply)}",
                f"拒否した宛先に中継: {spelled(reply)}",
            )
        return suspect(
            f"BDAT is taken though no recipient was: {spelled(reply)}",
            f"有効な宛先がないのに BDAT を受理: {spelled(reply)}",
        )


async def mixed_recipients(visit: Visit) -> Judgement:
    """RLY-041: a refused recipient beside a good one; only with a canary."""
    if not visit.text("{U}") or visit.arrived is None:
        return not_applicable("no local user is named", "既知の利用者の指定なし")
    async with visit.ready() as conversation:
        reply = await conversation.say(visit.text(MAIL))
        if (meaning := at_mail(reply)) is not Meaning.TAKEN:
            return _not_taken(reply, meaning)
        good = await conversation.say(visit.text("RCPT TO:<{U}@{D}>"))
        reply = await conversation.say(visit.text(RCPT))
        final = await hand_over(conversation, visit)
        if not (is_taken(good) and is_taken(final)):
            return _hindered(final if is_taken(good) else good)
        if await visit.arrived(visit.token):
            return flawed(
                f"relayed with a local recipient beside it: {spelled(reply)}",
                f"ローカル宛先と同時に指定すると中継: {spelled(reply)}",
            )
        return _beside(reply)


def _beside(reply: Reply) -> Judgement:
    match at_rcpt(reply, plain=True):
        case Meaning.TAKEN:
            return accepted(f"RCPT beside a local one → {spelled(reply)}")
        case Meaning.REFUSED:
            return _refused("only the local recipient is served", reply, "宛先は拒否")
        case Meaning.HINDERED:
            return _hindered(reply)


async def pipelined_batch(visit: Visit) -> Judgement:
    """RLY-042: MAIL, a foreign RCPT and DATA in one segment."""
    async with visit.ready() as conversation:
        if "PIPELINING" not in conversation.offers.keywords:
            return not_applicable("PIPELINING is not offered", "PIPELINING の提供なし")
        await conversation.send(visit.text(f"{MAIL}\r\n{RCPT}\r\nDATA\r\n").encode())
        reply = await conversation.reply()
        if (meaning := at_mail(reply)) is not Meaning.TAKEN:
            return _not_taken(reply, meaning)
        rcpt = await conversation.reply()
        data = await conversation.reply()
        if is_taken(rcpt):
            return await _batch_taken(conversation, visit, rcpt, data)
        if at_rcpt(rcpt, plain=True) is Meaning.HINDERED:
            return _hindered(rcpt)
        if data.code == GO_ON:
            return await _content_for_nobody(conversation, visit)
        return _refused("the batch is refused", rcpt, "一括送信は拒否")


async def _batch_taken(
    conversation: Conversation, visit: Visit, rcpt: Reply, data: Reply
) -> Judgement:
    said = f"MAIL, RCPT, DATA in one segment → {spelled(rcpt)}"
    if visit.arrived is None or data.code != GO_ON:
        return accepted(said)
    await conversation.send(message(visit))
    await conversation.reply()
    if await visit.arrived(visit.token):
        return flawed(f"relayed: {said}", f"中継を確認: {said}")
    return accepted(said)


async def old_verbs(visit: Visit) -> Judgement:
    """RLY-043: verbs that turn the connection around, or open a back door."""
    judgements: list[Judgement] = []
    for first in range(0, len(_OLD_VERBS), VERBS_PER_CONNECTION):
        verbs = _OLD_VERBS[first : first + VERBS_PER_CONNECTION]
        with suppress(ClosedError):
            async with visit.ready() as conversation:
                judgements += [
                    await _old_verb(conversation, visit, verb) for verb in verbs
                ]
    if not judgements:
        return undecided("the server closes at each verb", "どの命令でも接続が切断")
    return worst(judgements)


async def _old_verb(conversation: Conversation, visit: Visit, verb: str) -> Judgement:
    line = visit.text(verb)
    reply = await conversation.say(line)
    said = f"{line} → {spelled(reply)}"
    if not is_taken(reply):
        return safe(f"refused: {said}", f"拒否: {said}")
    if " FROM:" in verb:
        # Delivering to a terminal is harmless; relaying is not.
        answer = await conversation.say(visit.text(RCPT))
        return await _judged(conversation, visit, answer, said)
    control = await conversation.say(_NO_SUCH_VERB)
    if is_taken(control):
        return undecided(
            f"any verb at all is accepted: {said}", f"存在しない命令も受理: {said}"
        )
    return flawed(f"done for a stranger: {said}", f"未認証の相手に実行: {said}")


async def backscatter(visit: Visit) -> Judgement:
    """RLY-046: is a message for an unknown user taken, and returned to its sender?"""
    async with visit.ready() as conversation:
        reply = await conversation.say(visit.text("MAIL FROM:<{C}@{X}>"))
        if (meaning := at_mail(reply)) is not Meaning.TAKEN:
            return _not_taken(reply, meaning)
        reply = await conversation.say(visit.text("RCPT TO:<{N}@{D}>"))
        match at_rcpt(reply, plain=False):
            case Meaning.REFUSED:
                return _refused("refused at RCPT", reply, "RCPT で拒否")
            case Meaning.HINDERED:
                return _hindered(reply)
            case Meaning.TAKEN:
                pass
        final = await hand_over(conversation, visit)
    if not is_taken(final):
        return _refused("refused at the message's end", final, "本文の終わりで拒否")
    if visit.arrived is not None and await visit.arrived(visit.token):
        return flawed(
            f"returned to a sender who may be forged: {spelled(final)}",
            f"偽装可能な送信者に返送: {spelled(final)}",
        )
    return undecided(
        f"taken, and nothing came back within the wait: {spelled(final)}",
        f"受理されたが、待ち時間内に返送なし: {spelled(final)}",
    )
