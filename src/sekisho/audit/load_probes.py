"""Does the server keep its bounds? DOS-001 to DOS-014 of the catalogue.

Two kinds of proof count: a bound of the row was passed and the server went on, or the
same octets ended the connection without a word twice, or ended the service. What memory
or time it took inside cannot be seen, so a server that takes a big thing and goes on is
never *flawed* for that alone.

Each load is bounded by the constants below, and all but DOS-003, DOS-004, DOS-011 and
DOS-014 (a few KiB each) need ``--stress``. DOS-007 waits for as long as RFC 5321
§4.5.3.2.7 lets a server wait for a command, five minutes, and a little more.
"""

import asyncio
from base64 import b64encode
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from functools import partial

from sekisho.audit.content import (
    begin,
    carried,
    head,
)
from sekisho.audit.content_loads import (
    closed,
    dead,
    deep_parts,
    many_fields,
    many_hops,
    refused,
    survives,
    too_big,
)
from sekisho.audit.conversation import (
    ClosedError,
    Conversation,
    HindranceError,
)
from sekisho.audit.counting import CLOSING, COMPLETED, answers_still, positive
from sekisho.audit.load_rows import LoadRow, rows
from sekisho.audit.probe import Probe
from sekisho.audit.verdicts import (
    Judgement,
    flawed,
    not_applicable,
    safe,
    undecided,
)
from sekisho.audit.visit import Visit, spelled
from sekisho.model.reply import Reply

LINE_OCTETS = 1024 * 1024
TEXT_LINE_OCTETS = 20 * 1024
DOMAIN_LABELS = 160
RECIPIENTS_WANTED = 100
RECIPIENTS_ASKED = 1001
COMMANDS = 1000
CONNECTIONS = 200
GREETING_SECONDS = 3.0
RECOVERIES = 5
RECOVERY_SECONDS = 1.0
SLOW_SECONDS = 330.0
SLOW_GAP_SECONDS = 10.0
ABORTED = 200
LISTENS = 334
MALFORMED = ('NOOP "', "NOOP <", 'VRFY "', "VRFY", "VRFY <@", "HELP %s%n", "MAIL FROM:")


async def _long_command(visit: Visit) -> Judgement:
    async with visit.ready() as conversation:
        try:
            await conversation.send(b"MAIL FROM:" + b" " * LINE_OCTETS)
            await conversation.send(visit.text("<{C}@{X}>\r\n").encode())
            reply = await conversation.reply()
        except ClosedError:
            return closed()
    if reply.code == COMPLETED:
        return flawed(
            f"a command line of {LINE_OCTETS} octets was kept whole: {spelled(reply)}",
            f"{LINE_OCTETS} オクテットのコマンド行を全体として受理: {spelled(reply)}",
        )
    return refused(reply)


async def _long_response(visit: Visit) -> Judgement:
    async with visit.ready() as conversation:
        if "LOGIN" not in conversation.offers.mechanisms:
            return not_applicable("AUTH LOGIN is not offered", "AUTH LOGIN の提供なし")
        reply = await conversation.say("AUTH LOGIN")
        if reply.code != LISTENS:
            return refused(reply)
        try:
            await conversation.send(b64encode(b"a" * LINE_OCTETS) + b"\r\n")
            reply = await conversation.reply()
        except ClosedError:
            return closed()
    if reply.code == LISTENS:
        return flawed(
            f"a user's name of {LINE_OCTETS} octets was taken: {spelled(reply)}",
            f"{LINE_OCTETS} オクテットの利用者名を受理: {spelled(reply)}",
        )
    return refused(reply)


async def _long_text_line(visit: Visit) -> Judgement:
    content = head(visit) + b"\r\n" + b"a" * TEXT_LINE_OCTETS + b"\r\nend"
    arrived = await carried(visit, content)
    if isinstance(arrived, Judgement):
        return arrived
    if arrived.count(b"a") < TEXT_LINE_OCTETS or b"end" not in arrived[-99:]:
        return flawed("a long line was cut", "長い行が切り詰められた")
    return safe("a long line arrived whole", "長い行が完全な形で到着")


async def _long_domain(visit: Visit) -> Judgement:
    domain = "a." * DOMAIN_LABELS + "invalid"
    async with visit.ready() as conversation:
        try:
            reply = await conversation.say(f"MAIL FROM:<audit@{domain}>")
        except ClosedError:
            return closed()
    if reply.code == COMPLETED:
        return flawed(
            f"a domain of {len(domain)} octets was taken: {spelled(reply)}",
            f"{len(domain)} オクテットのドメインを受理: {spelled(reply)}",
        )
    return refused(reply)


async def _many_recipients(visit: Visit) -> Judgement:
    async with visit.ready() as conversation:
        await begin(visit, conversation)
        line = visit.text(f"RCPT TO:<{visit.names.known or '{C}'}@{{D}}>")
        for count in range(1, RECIPIENTS_ASKED):
            try:
                reply = await conversation.say(line)
            except ClosedError:
                return closed()
            if positive(reply):
                continue
            if count >= RECIPIENTS_WANTED:
                return safe(
                    f"bounded at {count} recipients: {spelled(reply)}",
                    f"宛先 {count} 件で制限: {spelled(reply)}",
                )
            return _too_few(count, reply)
        await conversation.say("RSET")
    return undecided(
        f"{RECIPIENTS_ASKED} recipients were taken; more are not tried",
        f"宛先 {RECIPIENTS_ASKED} 件を受理(それ以上は試行せず)",
    )


def _too_few(count: int, reply: Reply) -> Judgement:
    if reply.enhanced[2:] == "5.3" or "many" in " ".join(reply.lines).lower():
        return flawed(
            f"bounded at {count} recipients, below 100: {spelled(reply)}",
            f"宛先 {count} 件で制限(100 未満): {spelled(reply)}",
        )
    return undecided(
        f"the {count}. recipient was refused: {spelled(reply)}",
        f"{count} 件目の宛先を拒否: {spelled(reply)}",
    )


async def _many_errors(visit: Visit) -> Judgement:
    async with visit.ready() as conversation:
        for count in range(COMMANDS):
            try:
                reply = await conversation.say("AUDIT")
            except ClosedError:
                reply = None
            if reply is None or reply.code == CLOSING:
                return safe(
                    f"ended after {count} unknown commands",
                    f"未知のコマンド {count} 個で切断",
                )
    return flawed(
        f"{COMMANDS} unknown commands were answered in one session",
        f"1 セッションで未知のコマンド {COMMANDS} 個に応答",
    )


async def _slow_command(visit: Visit) -> Judgement:
    """Send an octet now and then, and never an end."""
    loop = asyncio.get_running_loop()
    start = loop.time()
    async with visit.dial() as conversation:
        await conversation.ehlo()
        while (waited := loop.time() - start) < SLOW_SECONDS:
            try:
                await conversation.send(b"N")
                ended = await conversation.more(SLOW_GAP_SECONDS) is not None
            except ClosedError:
                ended = True
            if ended:
                return safe(
                    f"a command that never ends is given up after {waited:.0f} s",
                    f"終わらないコマンドを {waited:.0f} 秒で打ち切り",
                )
    return flawed(
        f"a command that never ends is waited for, {SLOW_SECONDS:.0f} s and more",
        f"終わらないコマンドを {SLOW_SECONDS:.0f} 秒を超えて待機",
    )


async def _many_connections(visit: Visit) -> Judgement:
    """Hold as many as we get, let them go, and see whether it goes on.

    Where its bound is, is the server's own choice.
    """
    held = 0
    async with AsyncExitStack() as stack:
        with suppress(HindranceError):
            opened: list[Conversation] = []
            for _ in range(CONNECTIONS):
                dialled = visit.dial(greeted=False)
                opened.append(await stack.enter_async_context(dialled))
            for conversation in opened:
                if not positive(await conversation.reply(GREETING_SECONDS)):
                    break
                held += 1
    for _ in range(RECOVERIES):
        if await answers_still(visit):
            return safe(
                f"held {held} of {CONNECTIONS} connections, and goes on",
                f"{CONNECTIONS} 本中 {held} 本の接続を保持し、サービスは継続",
            )
        await asyncio.sleep(RECOVERY_SECONDS)
    return dead()


async def _aborted_logins(visit: Visit) -> Judgement:
    for count in range(ABORTED):
        try:
            async with visit.ready() as conversation:
                if "LOGIN" not in conversation.offers.mechanisms:
                    return not_applicable("no AUTH LOGIN", "AUTH LOGIN の提供なし")
                reply = await conversation.say("AUTH LOGIN")
                # Not with QUIT, which would be an answer.
                await conversation.close()
        except HindranceError:
            break
        if reply.code != LISTENS:
            return safe(
                f"sent away after {count}: {spelled(reply)}",
                f"{count} 回で拒否: {spelled(reply)}",
            )
    if await answers_still(visit):
        return safe("the server goes on", "サービスは継続")
    return dead()


async def _malformed(visit: Visit) -> Judgement:
    for line in MALFORMED:
        if not await _is_answered(visit, line) and not await _is_answered(visit, line):
            if await _is_answered(visit, "NOOP"):
                return flawed(
                    f"{line} ends the connection without a word",
                    f"{line} で応答なしに切断",
                )
            return undecided(
                "not even NOOP is answered now", "NOOP にも応答しない状態に変化"
            )
    return safe("all were answered", "すべてに応答")


async def _is_answered(visit: Visit, line: str) -> bool:
    async with visit.dial() as conversation:
        await conversation.ehlo()
        try:
            await conversation.say(line)
        except ClosedError:
            return False
    return True


def _runs() -> dict[str, Callable[[Visit], Awaitable[Judgement]]]:
    return {
        "DOS-001": _long_command,
        "DOS-002": _long_response,
        "DOS-003": _long_text_line,
        "DOS-004": _long_domain,
        "DOS-005": _many_recipients,
        "DOS-006": _many_errors,
        "DOS-007": _slow_command,
        "DOS-008": _many_connections,
        "DOS-009": partial(survives, action=many_fields),
        "DOS-010": partial(survives, action=deep_parts),
        "DOS-011": many_hops,
        "DOS-012": too_big,
        "DOS-013": _aborted_logins,
        "DOS-014": _malformed,
    }


def _probe(row: LoadRow) -> Probe:
    return row.probe(_runs()[row.id])


LOAD: tuple[Probe, ...] = tuple(_probe(row) for row in rows())
