"""Loads that come as content: many header fields, deep parts, loops, too much of it.

`load_probes` has their rows, and says what counts as proof.
"""

from collections.abc import Awaitable, Callable

from sekisho.audit.content import (
    NOT_SENT_ON,
    NotSentOnError,
    begin_data,
    finish,
    head,
)
from sekisho.audit.conversation import ClosedError, Conversation
from sekisho.audit.counting import answers_still, positive
from sekisho.audit.verdicts import (
    Judgement,
    flawed,
    not_applicable,
    safe,
    suspect,
)
from sekisho.audit.visit import Visit, spelled
from sekisho.model.reply import Reply

FIELDS = 20_000
PARTS = 1000
HOPS = 101
LARGEST_SIZE = 64 * 1024 * 1024
PIECE_OCTETS = 64 * 1024


def closed() -> Judgement:
    """Judge a connection that ended: the load was not taken."""
    return safe("the connection was closed", "接続を切断")


def refused(reply: Reply) -> Judgement:
    """Judge a refusal."""
    return safe(f"refused: {spelled(reply)}", f"拒否: {spelled(reply)}")


Action = Callable[[Visit, Conversation], Awaitable[Reply]]


async def survives(visit: Visit, *, action: Action) -> Judgement:
    """Do the same twice where the first ends without a word."""
    for _ in range(2):
        async with visit.ready() as conversation:
            await begin_data(visit, conversation)
            try:
                reply = await action(visit, conversation)
            except ClosedError:
                continue
        if not await answers_still(visit):
            return dead()
        if not positive(reply):
            return refused(reply)
        return safe(
            f"taken, and the server goes on: {spelled(reply)}",
            f"受理し、サービスは継続: {spelled(reply)}",
        )
    if not await answers_still(visit):
        return dead()
    return flawed(
        "the connection ended without a word, twice", "応答なしの切断が 2 回連続"
    )


def dead() -> Judgement:
    """Judge a server that is gone."""
    return flawed("the server answers no more", "サーバーが応答しなくなった")


async def many_fields(visit: Visit, conversation: Conversation) -> Reply:
    """Send a message with many header fields."""
    fields = [b"X-Audit-%d: audit" % number for number in range(FIELDS)]
    return await finish(conversation, head(visit, *fields))


async def deep_parts(visit: Visit, conversation: Conversation) -> Reply:
    """Send a message of parts in parts."""
    deep = b"".join(
        b"\r\n--b%d\r\nContent-Type: multipart/mixed; boundary=b%d\r\n"
        % (number, number + 1)
        for number in range(PARTS)
    )
    field = b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b0"
    return await finish(conversation, head(visit, field) + deep)


async def many_hops(visit: Visit) -> Judgement:
    """Send a message that seems to go in circles."""
    if visit.names.foreign == visit.names.domain:
        return not_applicable(
            "the canary is local here, and hops count where mail is sent on",
            "カナリアがこのサーバー宛て(経由数は転送時にだけ意味を持つ)",
        )
    hop = b"Received: from audit.invalid by audit.invalid; 1 Jan 2001 00:00:00 +0000"
    async with visit.ready() as conversation:
        try:
            await begin_data(visit, conversation, to_canary=True)
        except NotSentOnError:
            return NOT_SENT_ON
        content = b"\r\n".join([hop] * HOPS) + b"\r\n" + head(visit)
        reply = await finish(conversation, content)
    if not positive(reply):
        return refused(reply)
    if visit.arrived is not None and await visit.arrived(visit.token):
        return flawed(
            f"a message with {HOPS} Received fields was sent on",
            f"Received が {HOPS} 個ある本文を転送",
        )
    return suspect(
        f"a message with {HOPS} Received fields was taken: {spelled(reply)}",
        f"Received が {HOPS} 個ある本文を受理: {spelled(reply)}",
    )


async def too_big(visit: Visit) -> Judgement:
    """Send more than SIZE allows."""
    async with visit.ready() as conversation:
        limit = conversation.offers.max_bytes
        if not 0 < limit < LARGEST_SIZE:
            return not_applicable(
                f"no SIZE below {LARGEST_SIZE} is announced",
                f"{LARGEST_SIZE} 未満の SIZE の提示なし",
            )
        reply = await conversation.say(
            visit.text("MAIL FROM:<{C}@{X}>") + f" SIZE={limit + 1}"
        )
        if not positive(reply):
            return refused(reply)
        await conversation.say("RSET")
        await begin_data(visit, conversation)
        try:
            await conversation.send(head(visit) + b"\r\n")
            line = b"a" * 62 + b"\r\n"
            # Some count a line end as one octet: a quarter more is beyond doubt.
            for _ in range(limit * 5 // 4 // PIECE_OCTETS + 1):
                await conversation.send(line * (PIECE_OCTETS // len(line)))
            reply = await finish(conversation, b"end")
        except ClosedError:
            return closed()
    if positive(reply):
        return flawed(
            f"more than the announced SIZE of {limit} was taken: {spelled(reply)}",
            f"提示した SIZE {limit} を超える本文を受理: {spelled(reply)}",
        )
    return refused(reply)
