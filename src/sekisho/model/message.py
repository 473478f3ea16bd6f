"""A whole message as the queue takes it."""

import msgspec

from sekisho.model.content import Content
from sekisho.model.envelope import Envelope
from sekisho.model.ids import MessageId


class Message(msgspec.Struct, frozen=True):
    """Envelope and content under one id.

    Attributes:
        id: Its name everywhere.
        envelope: Whole: at least one recipient.
        content: Header and body.
        received_at: Unix seconds when its last octet came.
        source: Where it came from, for people: ``submission 192.0.2.1 alice``.

    """

    id: MessageId
    envelope: Envelope
    content: Content
    received_at: float
    source: str = ""
