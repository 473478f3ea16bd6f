"""What all commands of one server session share, and how they say and ask.

A command's handler is a plain function over this core: it moves the state and either
says a reply or asks the room above. Whoever reads the input is a function too
(`Core.read`): commands, content, chunks, an AUTH exchange and the rest of a line that
was too long are read by different ones, and the current one is all the "mode" there
is.

Every reply passes through here, so that bounds are kept in one place.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sekisho.model import replies
from sekisho.model.address import NULL_PATH
from sekisho.model.envelope import Envelope, Recipient
from sekisho.model.reply import Reply
from sekisho.session.events import (
    CommandRefused,
    Event,
    SessionEnded,
    TransactionReset,
)
from sekisho.session.extensions import SessionProfile, TlsState
from sekisho.session.states import State
from sekisho.wire.lines import InputBuffer, LineFault

if TYPE_CHECKING:
    from sekisho.wire.commands import Bdat

NEVER = float("inf")
CLOSES = 421
"""A reply with this code ends the session, whoever gives it (RFC 5321 §4.2.3)."""

Reader = Callable[["Core"], bool]
"""Reads what is there; whether it got on (else more input is needed)."""

OnAnswer = Callable[["Core", Reply], None]


@dataclass(frozen=True, slots=True)
class Readers:
    """The readers that handlers go back to; `reading` makes them known.

    Attributes:
        command: Reads commands.
        no_line: Deals with what is no line, or not yet.

    """

    command: Reader
    no_line: "Callable[[Core, LineFault], bool]"


def read_nothing(core: "Core") -> bool:
    """Before the greeting whatever came waits."""
    del core
    return False


class Clock:
    """By when the client must have sent something; seconds as `now` counts them.

    Looked at far less often than it is set, so what is set are moments, and deadlines
    are reckoned when somebody asks.

    Attributes:
        now: When octets came last; within a command line they gain the client nothing.
        line: When a whole line came last: the next one is waited for since.
        in_content: Whether octets of content are waited for, and no line.
        data: By when all content must be there, all chunks together; else `NEVER`.
        session: By when the session is over.

    """

    __slots__ = ("_limits", "data", "in_content", "line", "now", "session")

    def __init__(self, profile: SessionProfile, now: float) -> None:
        limits = profile.limits
        self._limits = limits
        self.now = self.line = now
        self.in_content = False
        self.data = NEVER
        self.session = now + limits.session_seconds

    def content_begins(self) -> None:
        """Octets of content are waited for."""
        self.in_content = True
        self.data = min(self.data, self.now + self._limits.data_seconds)

    def content_pauses(self) -> None:
        """Commands are waited for again, and more chunks may come."""
        self.in_content = False
        self.line = self.now

    def content_ends(self) -> None:
        """Commands are waited for again."""
        self.in_content = False
        self.line = self.now
        self.data = NEVER

    def deadline(self) -> float:
        """Give the earliest of all."""
        limits = self._limits
        if self.in_content:
            waits = self.now + limits.data_block_seconds
        else:
            waits = self.line + limits.command_seconds
        return min(waits, self.data, self.session)


class Core:
    """One session's state. Its attributes are for the handlers in this room alone."""

    __slots__ = (
        "auth_failures",
        "authenticated",
        "clock",
        "ended",
        "envelope",
        "errors",
        "esmtp",
        "events",
        "greeting_name",
        "idle",
        "input",
        "limits",
        "lmtp",
        "mechanisms",
        "messages",
        "next_chunk",
        "offered",
        "on_answer",
        "output",
        "profile",
        "read",
        "readers",
        "recipients",
        "state",
        "tls",
    )

    def __init__(
        self,
        profile: SessionProfile,
        *,
        now: float,
        tls: TlsState,
        mechanisms: tuple[str, ...],
        lmtp: bool,
        readers: Readers,
    ) -> None:
        self.profile = profile
        self.limits = profile.limits
        self.tls = tls
        self.mechanisms = mechanisms
        self.lmtp = lmtp
        self.readers = readers
        self.read: Reader = read_nothing
        self.clock = Clock(profile, now)
        self.input = InputBuffer()
        self.output: list[bytes] = []
        self.events: deque[Event] = deque()
        self.on_answer: OnAnswer | None = None
        self.ended = False
        # What the client said of itself.
        self.state = State.NEW
        self.esmtp = False
        self.greeting_name = ""
        self.authenticated = False
        # The transaction.
        self.envelope = Envelope(NULL_PATH)
        self.recipients: list[Recipient] = []
        self.offered = 0
        self.next_chunk: Callable[[Core, Bdat], None] | None = None
        # What it cost so far.
        self.errors = 0
        self.idle = 0
        self.auth_failures = 0
        self.messages = 0

    # Saying and asking

    def say(self, reply: Reply) -> None:
        """Queue a reply."""
        self.output.append(reply.encoded)

    def ask(self, event: Event, on_answer: OnAnswer) -> None:
        """Ask the room above; nothing is read before it has answered."""
        self.events.append(event)
        self.on_answer = on_answer

    def deny(self, reply: Reply) -> None:
        """Say a negative reply, and lose patience in the end."""
        if reply.code == CLOSES:
            self.end(reply, "refused")
        elif reply.is_transient:
            self.spend(reply)
        elif self.errors >= self.limits.max_errors:
            self.end(replies.TOO_MANY_ERRORS, "too many errors")
        else:
            self.errors += 1
            self.say(reply)

    def refuse(self, verb: str, reply: Reply) -> None:
        """Deny by ourselves, which the room above is told."""
        self.events.append(CommandRefused(verb, reply))
        self.deny(reply)

    def refuse_and_end(self, verb: str, reply: Reply, reason: str) -> None:
        """Refuse, and end the session as what follows cannot be trusted."""
        self.events.append(CommandRefused(verb, reply))
        self.end(reply, reason)

    def spend(self, reply: Reply) -> None:
        """Say a reply that brings no message nearer; there may be only so many."""
        if self.idle >= self.limits.max_idle_commands:
            self.end(replies.TOO_MANY_COMMANDS, "too many commands")
        else:
            self.idle += 1
            self.say(reply)

    def end(self, reply: Reply, reason: str) -> None:
        """Say the last reply; what was not read yet is never read."""
        self.say(reply)
        self.ended = True
        self.on_answer = None
        self.input.clear()
        self.events.append(SessionEnded(reason))

    # The transaction

    def forget_transaction(self) -> None:
        """Forget sender and recipients, if there are any."""
        if self.state is not State.NEW:
            self.state = State.READY
        self.recipients = []
        self.offered = 0
        self.next_chunk = None
        self.clock.content_ends()

    def reset_transaction(self) -> None:
        """Forget them, and tell the room above where it knew of them."""
        if self.state not in (State.NEW, State.READY):
            self.events.append(TransactionReset())
        self.forget_transaction()
