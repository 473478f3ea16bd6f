"""How many replies came: the proof that octets meant as data ran as commands.

A server that takes every octet as data says one reply for all of it; one that is led
astray says more. Counting needs no clock: QUIT is said at the end, and what comes until
the server closes is all there is, however late. Only a server that neither answers QUIT
nor closes is waited for, and then it is called *silent* and not sound.

`NOOPS` are what is hidden in such data: four commands that every server answers and
none counts as errors. One reply too many could be a server's clumsiness; `MISLED` of
them cannot.
"""

import asyncio
from dataclasses import dataclass

from sekisho.audit.conversation import (
    REPLY_SECONDS,
    ClosedError,
    Conversation,
    HindranceError,
    SilentError,
)
from sekisho.audit.visit import TurnedAwayError, Visit
from sekisho.model.reply import Reply

NOOPS = b"NOOP\r\n" * 4
MISLED = 2
"""So many replies more than wanted are proof."""
QUIET_SECONDS = 1.0
"""How long to wait where silence is the right answer."""
MAX_REPLIES = 100
COMPLETED = 250
CLOSING = 421
BYE = 221


@dataclass(frozen=True, slots=True)
class Ending:
    """What a server said to the end.

    Attributes:
        replies: In order, without the 221.
        finished: It said goodbye or closed; nothing more can come.

    """

    replies: tuple[Reply, ...]
    finished: bool

    @property
    def misled(self) -> bool:
        """Whether more replies came than one clumsy one."""
        return len(self.replies) >= MISLED


async def last_words(
    conversation: Conversation, seconds: float = REPLY_SECONDS
) -> Ending:
    """Say QUIT, and collect all replies until 221, until it closes, or until quiet."""
    replies: list[Reply] = []
    try:
        await conversation.send(b"QUIT\r\n")
        while len(replies) < MAX_REPLIES:
            reply = await conversation.reply(seconds)
            if reply.code == BYE:
                return Ending(tuple(replies), finished=True)
            replies.append(reply)
    except SilentError:
        return Ending(tuple(replies), finished=False)
    except ClosedError:
        pass
    return Ending(tuple(replies), finished=True)


async def silence_takes(conversation: Conversation) -> float:
    """How long to wait for silence here: several times what a reply takes."""
    loop = asyncio.get_running_loop()
    asked = loop.time()
    await conversation.say("NOOP")
    return min(REPLY_SECONDS, max(QUIET_SECONDS, 4 * (loop.time() - asked)))


def positive(reply: Reply) -> bool:
    """Whether it takes what was said (2yz, 3yz)."""
    return reply.code < 400  # noqa: PLR2004 - RFC 5321 §4.2.1


def speaks_of_lines(reply: Reply) -> bool:
    """Whether a refusal is about line ends or octets, so that it is an answer."""
    words = f"{reply.enhanced} {' '.join(reply.lines)}".lower()
    wanted = (
        "5.5.2",
        "5.6.0",
        "bare",
        "newline",
        "line",
        "<lf>",
        "<cr>",
        "nul",
        "sync",
    )
    return any(word in words for word in wanted)


async def answers_still(visit: Visit) -> bool:
    """Whether a new connection gets as far as a reply to EHLO, or is sent away."""
    try:
        async with visit.dial() as conversation:
            await conversation.ehlo()
    except TurnedAwayError:
        return True
    except HindranceError:
        return False
    return True
