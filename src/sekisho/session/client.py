"""The client machine: what an SMTP or LMTP client says and hears, without I/O.

RFC 5321, RFC 3207 (STARTTLS), RFC 4954 (AUTH), RFC 2920, RFC 3030, RFC 2033. Octets
and time go in, octets and events come out; a transaction's own rules stand in
`sekisho.session.client_transaction`.

Theory of operation:

- Every command sent is noted in `_awaited`; replies are taken in that order. A reply
  to nothing ends the session: after it nobody knows which reply belongs to what.
- The way to `SessionReady` is greeting, EHLO (HELO after a 5yz; LHLO alone for LMTP),
  STARTTLS and EHLO again, AUTH. Each refusal on it is a `SessionFailed`, from which
  the carrier goes on to another host.
- What stands behind the 220 to STARTTLS, or comes before the handshake, is not the
  peer's word: it would be read as if it had come under TLS (CVE-2021-38371). The
  session is dropped. All that EHLO said in plain text is forgotten.
- A 421 at any place, a lost connection, a time-out and nonsense end the session. The
  recipients of an open transaction that are undecided are deferred, after the final
  dot too: the next host may have the message, so it may come twice, but it is not
  lost (RFC 5321 §4.5.3.2.6, RFC 1047).
- Time is an argument; `deadline` says when `timed_out` is to be called.
"""

from collections import deque
from collections.abc import Sequence
from math import inf
from typing import assert_never

from sekisho.model.envelope import Envelope, Recipient
from sekisho.model.outcome import Cause, Deferred, Failed
from sekisho.model.reply import Reply
from sekisho.session.client_commands import rcpt_command
from sekisho.session.client_endings import (
    content_lost,
    cut_off,
    injected,
    late,
    no_reply,
    no_sense,
    no_tls,
)
from sekisho.session.client_events import (
    ClientEvent,
    ClientProfile,
    ContentFacts,
    ContentWanted,
    ProbeDone,
    SessionFailed,
    SessionReady,
    TlsWanted,
    TransactionDone,
)
from sekisho.session.client_extensions import NO_CAPABILITIES, Capabilities
from sekisho.session.client_opening import Opening
from sekisho.session.client_timeouts import seconds_by_step
from sekisho.session.client_transaction import (
    Command,
    Phase,
    ProtocolError,
    Step,
    Transaction,
    is_done,
    refusal,
)
from sekisho.wire.reply_lines import ReplyReader, ReplySyntaxError

_CODE_CLOSING = 421


class ClientSession:
    """One connection to one host.

    Attributes:
        profile: As given.
        transactions: How many were begun.
        content_begun: Whether content of the last transaction was asked for. Until
            then the message cannot have been taken.
        deadline: When `timed_out` is to be called, on the clock of `now`.
        ended: Whether nothing more can be said: send `output`, then close.

    """

    __slots__ = (
        "_awaited",
        "_events",
        "_left_open",
        "_opening",
        "_output",
        "_plan",
        "_probed",
        "_reader",
        "_ready",
        "_seconds",
        "_starting_tls",
        "_transaction",
        "_whole",
        "content_begun",
        "deadline",
        "ended",
        "profile",
        "transactions",
    )

    def __init__(self, profile: ClientProfile, *, now: float, tls: str = "") -> None:
        """Wait for the greeting.

        Args:
            profile: How to speak.
            now: Seconds on the clock that all later calls use.
            tls: TLS version where TLS came before the greeting, else empty.

        """
        self.profile = profile
        self.ended = False
        self.transactions = 0
        self._opening = Opening(profile, tls)
        self._starting_tls = False
        self._ready = False
        self._left_open = False
        self._probed: Recipient | None = None
        self._transaction: Transaction | None = None
        self._whole: bytes | None = None
        self.content_begun = False
        self._reader = ReplyReader()
        self._events: deque[ClientEvent] = deque()
        self._output: list[bytes] = []
        self._plan: list[Command] = []
        self._awaited: deque[Step] = deque((Step.GREETING,))
        self._seconds = seconds_by_step(profile.timeouts)
        self.deadline = now + profile.timeouts.greeting

    # What the carrier calls

    @property
    def offered(self) -> Capabilities:
        """What the host's last EHLO offered."""
        return self._opening.offered

    @property
    def idle(self) -> bool:
        """Whether a transaction or a probe may begin now."""
        return self._ready and not (self.ended or self._awaited or self._transaction)

    @property
    def reusable(self) -> bool:
        """Whether it makes sense to begin another transaction (LIMITS MAILMAX)."""
        if self.ended or self._awaited or self._transaction or not self._ready:
            return False
        bound = self._opening.offered.max_messages
        return not bound or self.transactions < bound

    def next_event(self) -> ClientEvent | None:
        """Give the oldest event not given yet."""
        return self._events.popleft() if self._events else None

    def output(self) -> bytes:
        """Give the octets to send now, and forget them."""
        if not self._output:
            return b""
        octets = self._output[0] if len(self._output) == 1 else b"".join(self._output)
        self._output.clear()
        return octets

    def receive(self, data: bytes, now: float) -> None:
        """Take octets from the host."""
        if self.ended:
            return
        if self._starting_tls:
            self._end(injected(self.profile.host))
            return
        reader = self._reader
        reader.receive(data)
        try:
            while (answer := reader.next_reply()) is not None:
                self._answered(answer)
                if self.ended:
                    break
            # Not before: what came with the 354 cannot be the answer to the content.
            transaction, whole = self._transaction, self._whole
            if transaction is not None and whole is not None and self.content_begun:
                self._give(transaction, whole)
        except ReplySyntaxError as error:
            self._end(no_reply(error, self.profile.host))
        except ProtocolError:
            self._end(no_sense(self.profile.host))
        self._arm(now)

    def send(
        self,
        envelope: Envelope,
        recipients: Sequence[Recipient],
        content: ContentFacts,
        now: float,
        whole: bytes | None = None,
    ) -> None:
        """Begin a transaction; `TransactionDone` ends it.

        Args:
            envelope: Its own recipients do not count.
            recipients: At least one; outcomes come in this order.
            content: Exactly as it will be given.
            now: Seconds.
            whole: All of the content; without it `ContentWanted` asks for it.

        """
        self.transactions += 1
        self.content_begun = False
        self._whole = whole
        self._transaction = transaction = Transaction(
            host=self.profile.host,
            tls=self._opening.tls,
            lmtp=self.profile.lmtp,
            offered=self._opening.offered,
            envelope=envelope,
            recipients=recipients,
            content=content,
        )
        if self.ended:
            transaction.cut_off(cut_off(self.profile.host))
        self._plan = transaction.plan
        if self._left_open and self._plan:
            self._clear_peer()
        self._advance(transaction)
        self._arm(now)

    def content(self, data: bytes, now: float) -> None:
        """Give a piece of the content, after `ContentWanted`."""
        if self._transaction is not None:
            self._output.append(self._transaction.content(data))
            self.deadline = now + self.profile.timeouts.block

    def content_ends(self, now: float) -> None:
        """Say that the content is whole."""
        transaction = self._transaction
        if transaction is None:
            return
        try:
            self._output.append(transaction.content_ends())
        except ProtocolError:
            self.content_failed()
            return
        self._awaited.extend(transaction.finals)
        self._arm(now)

    def content_failed(self) -> None:
        """Say that the content cannot be given: only the connection's end is safe."""
        self._end(content_lost(self.profile.host))

    def probe(self, recipient: Recipient, now: float) -> None:
        """Ask whether the host takes mail for a recipient; `ProbeDone` answers."""
        if self.ended:
            self._probe_done(cut_off(self.profile.host))
            return
        self._probed = recipient
        self._plan = [(Step.MAIL, b"MAIL FROM:<>\r\n")]
        self._clear_peer()
        self._pump()
        self._arm(now)

    def tls_started(self, version: str, now: float) -> None:
        """Go on under TLS, after `TlsWanted`; what was said before is forgotten."""
        self._starting_tls = False
        self._say(*self._opening.secured(version))
        self._arm(now)

    def tls_failed(self, reason: str) -> None:
        """End the session: the handshake, or what was checked in it, failed.

        Args:
            reason: Printable words.

        """
        self._end(no_tls(reason, self.profile.host))

    def quit(self, now: float) -> None:
        """Take leave; the session has ended when the answer or its time-out comes."""
        if self.idle:
            self._say(Step.QUIT, b"QUIT\r\n")
            self._arm(now)
        else:
            self.lost()

    def lost(self) -> None:
        """End the session: the connection is gone."""
        self._end(cut_off(self.profile.host))

    def timed_out(self) -> None:
        """End the session: `deadline` has come."""
        step = self._awaited[0] if self._awaited else Step.CONTENT
        self._end(late(step, self.profile.host))

    def _give(self, transaction: Transaction, whole: bytes) -> None:
        self._whole = None
        self._output.append(transaction.whole(whole))
        self._awaited.extend(transaction.finals)

    # Replies

    def _answered(self, answer: Reply) -> None:
        if not self._awaited:
            self._unasked(answer)
            return
        step = self._awaited.popleft()
        if answer.code == _CODE_CLOSING:
            self._end(Deferred(Cause.REMOTE_REPLY, answer, self.profile.host))
        elif not self._ready:
            self._move(step, answer)
        elif step is Step.RSET:
            self._on_rset(answer)
        elif (transaction := self._transaction) is not None:
            transaction.HANDLERS[step](transaction, answer)
            if transaction.plan or transaction.phase is not Phase.ENVELOPE:
                self._advance(transaction)
        elif step is Step.QUIT:
            self.ended = True
        else:
            self._on_probe(step, answer)

    def _unasked(self, answer: Reply) -> None:
        """Take a reply to nothing: a refusal while content goes out, or good-bye."""
        self._end(refusal(answer, self.profile.host))

    def _move(self, step: Step, answer: Reply) -> None:
        """Go on towards readiness."""
        match self._opening.answered(step, answer):
            case (next_step, octets):
                self._say(next_step, octets)
            case SessionReady() as event:
                self._ready = True
                self._events.append(event)
            case TlsWanted() as event:
                if self._reader.pending:
                    self._end(injected(self.profile.host))
                else:
                    self._starting_tls = True
                    self._events.append(event)
            case failure:
                self._end(failure)

    def _on_rset(self, answer: Reply) -> None:
        if is_done(answer):
            self._pump()
        else:
            # The old recipients may still be there: nothing may be sent to them.
            self._end(Deferred(Cause.PROTOCOL, answer, self.profile.host))

    def _on_probe(self, step: Step, answer: Reply) -> None:
        if step is Step.RCPT:
            self._probe_done(answer)
        elif self._probed is not None and is_done(answer):
            self._left_open = True
            self._say(Step.RCPT, rcpt_command(self._probed, NO_CAPABILITIES))
        else:
            self._probe_done(refusal(answer, self.profile.host))

    def _probe_done(self, answer: Reply | Deferred | Failed) -> None:
        self._probed = None
        self._events.append(ProbeDone(answer))

    # Moving on

    def _say(self, step: Step, octets: bytes) -> None:
        self._output.append(octets)
        self._awaited.append(step)

    def _pump(self) -> None:
        """Send what may be sent: all where PIPELINING is offered, else one by one."""
        plan = self._plan
        if "PIPELINING" in self._opening.offered.keywords:
            for step, octets in plan:
                self._awaited.append(step)
                self._output.append(octets)
            plan.clear()
        else:
            self._say(*plan.pop(0))

    def _clear_peer(self) -> None:
        """Before a new MAIL, clear what the last transaction left at the peer."""
        if self._left_open:
            self._left_open = False
            self._plan.insert(0, (Step.RSET, b"RSET\r\n"))

    def _advance(self, transaction: Transaction) -> None:
        """Do what the transaction's phase asks for."""
        match transaction.phase:
            case Phase.ENVELOPE:
                self._pump()
            case Phase.CONTENT:
                self.content_begun = True
                if self._whole is None:
                    self._output.append(transaction.content_begins())
                    self._events.append(ContentWanted())
            case Phase.FINAL:
                pass  # LMTP: more replies to the content are to come.
            case Phase.OVER:
                self._transaction = self._whole = None
                self._left_open = transaction.left_open
                self._events.append(TransactionDone(transaction.result))
            case _:
                assert_never(transaction.phase)

    def _arm(self, now: float) -> None:
        if self.ended:
            self.deadline = inf
        elif self._awaited:
            self.deadline = now + self._seconds[self._awaited[0]]
        elif self._transaction is not None:
            self.deadline = now + self.profile.timeouts.block
        elif not self._starting_tls:
            self.deadline = inf

    def _end(self, outcome: Deferred | Failed) -> None:
        """End the session, and say what that means for whoever waits."""
        if self.ended:
            return
        self.ended = True
        self.deadline = inf
        self._awaited.clear()
        if (transaction := self._transaction) is not None:
            transaction.cut_off(outcome)
            self._advance(transaction)
        elif self._probed is not None:
            self._probe_done(outcome)
        elif not self._ready:
            self._events.append(SessionFailed(outcome))
