"""One mail transaction, as the client sees it: commands out, replies in, outcomes.

Rules:

- Where PIPELINING is offered, all commands of the envelope go out in one group
  (RFC 2920); else each waits for the reply to the one before.
- Where CHUNKING is offered the content goes by BDAT, as one chunk with LAST, and only
  after a recipient was accepted. It takes as many round trips as pipelined DATA, its
  length is named (nothing in it can be read as its end), nothing is stuffed, and a
  refused chunk cannot leave half a message. A BDAT in the same group as RCPT would
  save a round trip, but the content would go out for nothing whenever all recipients
  are refused.
- Otherwise by DATA, which closes the pipelined group. When all recipients were
  refused and 354 comes all the same, a lone dot ends the empty message and its reply
  means nothing (RFC 2920 §3.1); if even MAIL was refused, the peer is not to be
  trusted with a dot, and the connection is given up.
- What the next host cannot take is found before MAIL: SMTPUTF8 5.6.7 (for one
  recipient where only its address needs it), BINARYMIME 5.6.1, size 5.3.4, octets
  above 127 for a host without 8BITMIME 5.6.3. Content that can be converted was
  converted before it came here (`sekisho.delivery.conversion`); what is 7-bit in truth
  is sent whatever was declared.
- A recipient beyond LIMITS RCPTMAX, and one refused with 552 (RFC 5321 §4.5.3.1.10),
  is deferred: it goes with the next transaction.
- An outcome once written stays. What comes later (421, a lost connection) reaches
  those still undecided.
"""

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import ClassVar

from sekisho.model.envelope import BodyKind, Envelope, Recipient
from sekisho.model.outcome import Cause, Deferred, Delivered, Failed, Outcome
from sekisho.model.reply import Reply, reply
from sekisho.session.client_commands import (
    mail_command,
    needs_smtputf8,
    rcpt_command,
)
from sekisho.session.client_content import ContentEncoder, DotStuffing, Verbatim
from sekisho.session.client_events import ContentFacts
from sekisho.session.client_extensions import Capabilities

NO_SMTPUTF8 = reply(550, "5.6.7", "Next host does not take UTF-8 addresses or headers")
NO_BINARYMIME = reply(554, "5.6.1", "Next host does not take binary content")
NO_8BITMIME = reply(554, "5.6.3", "Next host does not take 8-bit content")
OVER_PEER_SIZE = reply(552, "5.3.4", "Message is bigger than the next host takes")
OVER_RCPTMAX = reply(452, "4.5.3", "Next host takes fewer recipients at once")
UNEXPECTED_REPLY = reply(451, "4.5.0", "Next host gave a reply that makes no sense")

_CODE_WANTS_MORE = 300
"""A `Reply` has a code from 200: all that is below is 2yz (RFC 5321 §4.2.1)."""
_CODE_START_DATA = 354
_CODE_EXCEEDED_STORAGE = 552


class Step(Enum):
    """A command that is answered, for all that the client machine says."""

    GREETING = "the greeting"
    EHLO = "EHLO"
    HELO = "HELO"
    STARTTLS = "STARTTLS"
    AUTH = "AUTH"
    RSET = "RSET"
    MAIL = "MAIL"
    RCPT = "RCPT"
    DATA = "DATA"
    CONTENT = "the content"
    DISCARDED = "an empty message"
    QUIT = "QUIT"

    __hash__ = object.__hash__  # By identity: looked up for every reply.


_ONE_FINAL = (Step.CONTENT,)
_VERBATIM = Verbatim()


class Phase(Enum):
    """How far a transaction is."""

    ENVELOPE = "envelope"
    CONTENT = "content"
    FINAL = "final"
    OVER = "over"


class ProtocolError(Exception):
    """The peer says what makes no sense here: the connection is given up."""


Command = tuple[Step, bytes]


def is_done(answer: Reply) -> bool:
    """Whether the command was carried out (2yz)."""
    return answer.code < _CODE_WANTS_MORE


def refusal(answer: Reply, host: str) -> Deferred | Failed:
    """Take a negative reply as an outcome.

    Raises:
        ProtocolError: It is not negative.

    """
    if answer.is_positive:
        raise ProtocolError
    if answer.is_transient:
        return Deferred(Cause.REMOTE_REPLY, answer, host)
    return Failed(Cause.REMOTE_REPLY, answer, host)


def unfit(
    envelope: Envelope, content: ContentFacts, offered: Capabilities
) -> Reply | None:
    """Say why the next host cannot take this message for anybody, or None."""
    keywords = offered.keywords
    if envelope.body is BodyKind.BINARY_MIME:
        if not {"BINARYMIME", "CHUNKING"} <= keywords:
            return NO_BINARYMIME
    elif content.eight_bit and "8BITMIME" not in keywords:
        return NO_8BITMIME
    if "SMTPUTF8" not in keywords and needs_smtputf8(envelope, content):
        return NO_SMTPUTF8
    if 0 < offered.max_bytes < content.size:
        return OVER_PEER_SIZE
    return None


class Transaction:
    """MAIL to the final reply, or as far as it comes.

    Attributes:
        plan: Commands to send, in order; the session takes them out.
        phase: How far it is.
        left_open: Whether the peer still has a sender and recipients from us when it
            is over, which RSET must clear before the next MAIL.
        outcomes: One a recipient; None while undecided.
        HANDLERS: What takes the reply to the oldest command that is not answered yet;
            raises `ProtocolError` where it makes no sense there.

    """

    __slots__ = (
        "_asked",
        "_by_bdat",
        "_encoder",
        "_finals",
        "_host",
        "_lmtp",
        "_mail_refused",
        "_remaining",
        "_tls",
        "left_open",
        "outcomes",
        "phase",
        "plan",
    )

    def __init__(  # noqa: PLR0913 - keyword-only, one caller
        self,
        *,
        host: str,
        tls: str,
        lmtp: bool,
        offered: Capabilities,
        envelope: Envelope,
        recipients: Sequence[Recipient],
        content: ContentFacts,
    ) -> None:
        """Plan it; where it is unfit for the host it is over at once."""
        self._host = host
        self._tls = tls
        self._lmtp = lmtp
        self._mail_refused = False
        self.left_open = False
        self._remaining = content.size
        self._by_bdat = "CHUNKING" in offered.keywords
        self._encoder: ContentEncoder = _VERBATIM if self._by_bdat else DotStuffing()
        self._finals: list[int] = []
        self._asked: list[int] = []
        self.outcomes: list[Outcome | None] = [None] * len(recipients)
        self.plan: list[Command] = []
        self.phase = Phase.ENVELOPE
        if (reason := unfit(envelope, content, offered)) is not None:
            self._fill(Failed(Cause.CONVERSION, reason, host))
        else:
            self._plan_envelope(offered, envelope, recipients, content)
        if not self.plan:
            self.phase = Phase.OVER

    def _plan_envelope(
        self,
        offered: Capabilities,
        envelope: Envelope,
        recipients: Sequence[Recipient],
        content: ContentFacts,
    ) -> None:
        asked, plan = self._asked, self.plan
        plan.append((Step.MAIL, mail_command(envelope, content, offered)))
        bound = offered.max_recipients or len(recipients)
        utf8 = "SMTPUTF8" in offered.keywords
        for index, recipient in enumerate(recipients):
            if not (utf8 or recipient.address.local_part.isascii()):
                failed = Failed(Cause.CONVERSION, NO_SMTPUTF8, self._host)
                self.outcomes[index] = failed
            elif len(asked) < bound:
                asked.append(index)
                plan.append((Step.RCPT, rcpt_command(recipient, offered)))
            else:
                deferred = Deferred(Cause.REMOTE_REPLY, OVER_RCPTMAX, self._host)
                self.outcomes[index] = deferred
        if not asked:
            plan.clear()
        elif not self._by_bdat:
            plan.append((Step.DATA, b"DATA\r\n"))

    def _on_mail(self, answer: Reply) -> None:
        if is_done(answer):
            self.left_open = True
            return
        self._fill(refusal(answer, self._host))
        self._mail_refused = True
        if self.plan:
            # One by one: nothing else was said, nothing else will be.
            self.plan.clear()
            self._asked.clear()
            self.phase = Phase.OVER

    def _on_rcpt(self, answer: Reply) -> None:
        index = self._asked.pop(0)
        if not self._mail_refused:
            if is_done(answer):
                self._finals.append(index)
            elif answer.code == _CODE_EXCEEDED_STORAGE:
                self.outcomes[index] = Deferred(Cause.REMOTE_REPLY, answer, self._host)
            else:
                self.outcomes[index] = refusal(answer, self._host)
        if not self._asked:
            self._envelope_answered()

    def _envelope_answered(self) -> None:
        if self._finals:
            if self._by_bdat:
                self.phase = Phase.CONTENT
        elif self._by_bdat or self.plan:
            self.plan.clear()
            self.phase = Phase.OVER
        # Otherwise DATA is out already and its reply decides.

    def _on_data(self, answer: Reply) -> None:
        if answer.code != _CODE_START_DATA:
            if self._finals:
                self._fill(refusal(answer, self._host))
            self.phase = Phase.OVER
        elif self._finals:
            self.phase = Phase.CONTENT
        elif self._mail_refused:
            raise ProtocolError
        else:
            self.plan.append((Step.DISCARDED, b".\r\n"))

    def _on_discarded(self, answer: Reply) -> None:
        del answer
        self.left_open = False
        self.phase = Phase.OVER

    def content_begins(self) -> bytes:
        """Give what stands before the content."""
        if self._by_bdat:
            return b"BDAT %d LAST\r\n" % self._remaining
        return b""

    def content(self, data: bytes) -> bytes:
        """Encode a piece of the content."""
        self._remaining -= len(data)
        return self._encoder.piece(data)

    def content_ends(self) -> bytes:
        """Give what stands behind the content.

        Raises:
            ProtocolError: The content was not as long as it was said to be, so BDAT
                cannot be ended, and a message cut short must not be.

        """
        if self._remaining:
            raise ProtocolError
        self.phase = Phase.FINAL
        return self._encoder.end()

    def whole(self, data: bytes) -> bytes:
        """Give all of the content, with what stands before and behind it.

        Raises:
            ProtocolError: As `content_ends`.

        """
        return self.content_begins() + self.content(data) + self.content_ends()

    @property
    def finals(self) -> tuple[Step, ...]:
        """The final replies that come: LMTP gives one a recipient (RFC 2033)."""
        return (Step.CONTENT,) * len(self._finals) if self._lmtp else _ONE_FINAL

    def _on_final(self, answer: Reply) -> None:
        outcome: Outcome = (
            Delivered(self._host, answer, self._tls)
            if is_done(answer)
            else refusal(answer, self._host)
        )
        if self._lmtp:
            self.outcomes[self._finals.pop(0)] = outcome
        else:
            self._fill(outcome)
        if not self._lmtp or not self._finals:
            self.left_open = False
            self.phase = Phase.OVER

    @property
    def result(self) -> tuple[Outcome, ...]:
        """What became of each recipient, once it is over."""
        return tuple([outcome for outcome in self.outcomes if outcome is not None])

    def cut_off(self, outcome: Deferred | Failed) -> None:
        """End it here: the undecided get this outcome."""
        self._fill(outcome)
        self.plan.clear()
        self.phase = Phase.OVER

    def _fill(self, outcome: Outcome) -> None:
        self.outcomes = [outcome if o is None else o for o in self.outcomes]

    HANDLERS: ClassVar[Mapping[Step, Callable[..., None]]] = {
        Step.MAIL: _on_mail,
        Step.RCPT: _on_rcpt,
        Step.DATA: _on_data,
        Step.CONTENT: _on_final,
        Step.DISCARDED: _on_discarded,
    }
