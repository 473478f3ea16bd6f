"""The content of a message: small ones as octets, large ones as a reference.

Promise: no room passes a large body around. A body above `INLINE_BYTES` is a file
that was written and fsynced before anybody answered 250; rooms hand on its name.

Content is always in CRLF form and never dot-stuffed: stuffing belongs to the wire.
"""

import msgspec

INLINE_BYTES = 64 * 1024
"""Bodies up to this many octets are held in memory and stored in the database."""


class InlineBody(msgspec.Struct, frozen=True):
    """A body held in memory."""

    data: bytes

    @property
    def size(self) -> int:
        """Octets."""
        return len(self.data)


class FileBody(msgspec.Struct, frozen=True):
    """A body in a file of the queue's own folder.

    Attributes:
        name: The file's name, without a folder.
        size: Octets.

    """

    name: str
    size: int


Body = InlineBody | FileBody


class Content(msgspec.Struct, frozen=True):
    """A message: octets of ours, then the body from an offset on.

    Attributes:
        prefix: Header fields that we put before what came: ``Received``, a missing
            ``Date`` or ``Message-ID``; the whole header where it was rewritten.
        body: What came.
        skip: How many of the body's first octets are replaced by the prefix.

    """

    prefix: bytes
    body: Body
    skip: int = 0

    @property
    def size(self) -> int:
        """Octets of the whole message."""
        return len(self.prefix) + self.body.size - self.skip
