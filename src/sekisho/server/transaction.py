"""One mail transaction (RFC 5321 §3.3): what was accepted of it so far."""

from typing import TYPE_CHECKING

from msgspec.structs import replace

from sekisho.model.envelope import Envelope, Recipient
from sekisho.model.facts import Offered
from sekisho.server.collector import Collector

if TYPE_CHECKING:
    from sekisho.model.address import Address


class Transaction:
    """What MAIL, RCPT and the content have brought.

    Attributes:
        envelope: Of MAIL, without recipients.
        offered: The accepted forward-paths, as `policy` looks at them.
        collector: The content.

    """

    __slots__ = ("_named", "_recipients", "collector", "envelope", "offered")

    def __init__(self, envelope: Envelope, collector: Collector) -> None:
        self.envelope = envelope
        self.collector = collector
        self.offered: list[Offered] = []
        self._recipients: list[Recipient] = []
        self._named: set[Address] = set()

    def add(self, recipient: Recipient, offered: Offered) -> None:
        """Take a recipient; one that was named before gets the message once."""
        if recipient.address not in self._named:
            self._named.add(recipient.address)
            self._recipients.append(recipient)
            self.offered.append(offered)

    def whole_envelope(self) -> Envelope:
        """The envelope with its recipients."""
        return replace(self.envelope, recipients=tuple(self._recipients))
