"""DATA and BDAT: content in, pieces out (RFC 5321 §4.1.1.4, RFC 3030).

Content that broke a rule is swallowed to its end before the reply is given. After a
bare newline or a NUL the connection is closed as well: whoever sends those may read
the end of the content elsewhere than we do, and what follows may be no commands.

A BDAT's octets are always swallowed, whatever the reply is: what a refused chunk
holds must not be read as commands.
"""

from collections.abc import Mapping

from msgspec.structs import replace

from sekisho.model import replies
from sekisho.model.envelope import BodyKind
from sekisho.model.reply import Reply
from sekisho.session.core import Core
from sekisho.session.events import (
    CommandRefused,
    ContentAborted,
    ContentCompleted,
    ContentReceived,
    ContentStarted,
)
from sekisho.session.states import State
from sekisho.wire.commands import Bdat, Data
from sekisho.wire.data import (
    ChunkReceiver,
    ContentCheck,
    ContentFault,
    DataReceiver,
)

_FAULTS: Mapping[ContentFault, Reply] = {
    ContentFault.TOO_BIG: replies.TOO_BIG,
    ContentFault.HEADER_TOO_BIG: replies.HEADER_TOO_BIG,
    ContentFault.LINE_TOO_LONG: replies.TEXT_LINE_TOO_LONG,
    ContentFault.BARE_NEWLINE: replies.BARE_NEWLINE,
}


def data(core: Core, command: Data) -> None:
    """DATA; `misplaced` and what was pipelined behind it were looked at before."""
    del command
    if core.envelope.body is BodyKind.BINARY_MIME:
        core.refuse("DATA", replies.BINARY_NEEDS_BDAT)
    else:
        core.ask(
            ContentStarted(replace(core.envelope, recipients=tuple(core.recipients))),
            _data_answered,
        )


def _data_answered(core: Core, reply: Reply) -> None:
    if not reply.is_positive:
        core.deny(reply)
    elif core.input.held:
        # Content sent before 354 was sent without knowing whether we read it as such.
        pipelined(core)
    else:
        core.say(replies.START_DATA)
        core.clock.content_begins()
        core.read = _DataReading(core)


def pipelined(core: Core) -> None:
    """Refuse what was sent behind DATA before the reply (RFC 2920 §3.1)."""
    core.refuse_and_end("DATA", replies.PIPELINED_TOO_EARLY, "input behind DATA")


class _Reading:
    """Reads content, and passes pieces on as long as it keeps to the rules."""

    __slots__ = ("_aborted",)

    def __init__(self) -> None:
        self._aborted = False

    def _pass(self, core: Core, check: ContentCheck, piece: bytes) -> None:
        """Pass a piece on, or say once that nothing more will come."""
        if check.fault is ContentFault.NONE:
            if piece:
                core.events.append(ContentReceived(piece))
        elif not self._aborted:
            self._aborted = True
            core.events.append(ContentAborted(_FAULTS[check.fault]))


class _DataReading(_Reading):
    """Reads content behind DATA."""

    __slots__ = ("_receiver",)

    def __init__(self, core: Core) -> None:
        super().__init__()
        self._receiver = DataReceiver(core.profile.content_rules)

    def __call__(self, core: Core) -> bool:
        source, receiver = core.input, self._receiver
        before = source.start
        if before == len(source.data):
            return False
        self._pass(core, receiver.check, receiver.receive(source))
        if not receiver.finished:
            return _goes_on(core, before)
        core.read = core.readers.command
        core.clock.content_ends()
        _complete(core, receiver.check)
        return True


def _goes_on(core: Core, before: int) -> bool:
    """Whether more of the content is there than the piece just read."""
    return core.input.start > before and core.input.held > 0


def _complete(core: Core, check: ContentCheck) -> None:
    """Let the room above answer for whole content, or refuse what broke a rule."""
    if check.fault is ContentFault.NONE:
        core.ask(ContentCompleted(check.size), _content_answered)
    else:
        _finish(core, _FAULTS[check.fault], _copies(core))


def _content_answered(core: Core, reply: Reply) -> None:
    if reply.is_positive:
        core.messages += 1
        core.errors = 0
        core.idle = 0
    _finish(core, reply, _copies(core))


def _copies(core: Core) -> int:
    """How often the reply to whole content is given: LMTP, RFC 2033 §4.2."""
    return len(core.recipients) if core.lmtp else 1


def _finish(core: Core, reply: Reply, copies: int) -> None:
    for _ in range(copies - 1):
        core.say(reply)
    core.forget_transaction()
    if reply is replies.BARE_NEWLINE:
        core.end(reply, "bare newline in content")
    elif reply.is_positive:
        core.say(reply)
    else:
        core.deny(reply)


def bdat(core: Core, command: Bdat) -> None:
    """BDAT where it may stand: the first of a transaction, or a later one."""
    if core.next_chunk is not None:
        core.next_chunk(core, command)
        return

    def answered(core: Core, reply: Reply) -> None:
        if reply.is_positive:
            _ChunkReading(core).begin(core, command)
        else:
            core.forget_transaction()
            _swallow(core, command, reply)

    core.ask(
        ContentStarted(replace(core.envelope, recipients=tuple(core.recipients))),
        answered,
    )


def misplaced_bdat(core: Core, command: Bdat, reply: Reply) -> None:
    """BDAT where it may not stand."""
    core.events.append(CommandRefused("BDAT", reply))
    _swallow(core, command, reply)


class _ChunkReading(_Reading):
    """Reads the chunks of one transaction."""

    __slots__ = ("_receiver",)

    def __init__(self, core: Core) -> None:
        super().__init__()
        binary = core.envelope.body is BodyKind.BINARY_MIME
        self._receiver = ChunkReceiver(core.profile.content_rules, binary=binary)

    def begin(self, core: Core, command: Bdat) -> None:
        """Begin a chunk; whether all of them become too big is known at once."""
        self._receiver.begin(command.octets, last=command.last)
        self._pass(core, self._receiver.check, b"")
        core.clock.content_begins()
        core.read = self

    def __call__(self, core: Core) -> bool:
        receiver, before = self._receiver, core.input.start
        self._pass(core, receiver.check, receiver.receive(core.input))
        if receiver.left:
            return _goes_on(core, before)
        core.read = core.readers.command
        core.clock.content_pauses()
        if receiver.finished:
            _complete(core, receiver.check)
        elif receiver.check.fault is ContentFault.NONE:
            core.state = State.CHUNKS
            core.next_chunk = self.begin
            core.say(replies.CHUNK_OK)
        else:
            # The transaction is over: what a client sends behind a refused chunk
            # must find none that it could become the beginning of.
            _finish(core, _FAULTS[receiver.check.fault], 1)
        return True


class _Swallowing:
    """Reads the octets of a chunk that was refused."""

    __slots__ = ("_left", "_reply")

    def __init__(self, octets: int, reply: Reply) -> None:
        self._left = octets
        self._reply = reply

    def __call__(self, core: Core) -> bool:
        self._left -= len(core.input.take(self._left))
        if self._left:
            return False
        core.read = core.readers.command
        core.clock.content_ends()
        core.deny(self._reply)
        return True


def _swallow(core: Core, command: Bdat, reply: Reply) -> None:
    core.clock.content_begins()
    core.read = _Swallowing(command.octets, reply)
