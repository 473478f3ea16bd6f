"""Messages and decisions for the tests of the store."""

import itertools

from sekisho.model import replies
from sekisho.model.address import NULL_PATH, parse_address
from sekisho.model.content import Body, Content, InlineBody
from sekisho.model.decision import POLICY_SEAL, Decision, Ruling, Verdict
from sekisho.model.envelope import Envelope, Recipient
from sekisho.model.ids import new_message_id
from sekisho.model.message import Message

_serial = itertools.count(1)
NOW = 1_800_000_000.0


def message(
    *recipients: str,
    sender: str = "alice@example.com",
    body: bytes | Body = b"Subject: hello\r\n\r\nhello\r\n",
    prefix: bytes = b"Received: from a by b; now\r\n",
    now: float = NOW,
) -> Message:
    """A message that never was before."""
    return Message(
        new_message_id(now, next(_serial) << 3),
        Envelope(
            parse_address(sender) if sender else NULL_PATH,
            tuple(
                Recipient(parse_address(one))
                for one in recipients or ("bob@b.example",)
            ),
        ),
        Content(prefix, InlineBody(body) if isinstance(body, bytes) else body),
        now,
        "submission 192.0.2.1 alice",
    )


def decision(mail: Message, verdict: Verdict = Verdict.ACCEPT) -> Decision:
    """A decision about exactly this message."""
    return Decision(
        POLICY_SEAL,
        verdict,
        "grant",
        "staff",
        replies.OK,
        "alice is of the staff",
        mail.envelope.reverse_path,
        tuple(
            Ruling(one.address, "grant", "staff") for one in mail.envelope.recipients
        ),
    )
