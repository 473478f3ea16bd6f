"""Makes a message fit for a host that takes 7-bit lines only, or no binary content.

RFC 6152 §3, RFC 3030 §3; RFC 2045 and RFC 2046 for how; RFC 1428 for a message that
is no MIME. What is decided here and why stands in docs/decisions/0006.

Promises:

- Decoded, each part is what it was, octet by octet; all that needs no change is copied.
- A part that needs none keeps its octets, and so does every header field but
  Content-Transfer-Encoding. Nothing within what is signed or encrypted is changed.
- What comes out needs no further change: converting it again changes nothing.
- It is changed whole, or refused.

Two passes over the content: `StructureScan` makes a `Plan`, and `Conversion` carries
it out, once to measure and once to send where the content is large.

The standard library's `email` package is not used: it reads what is broken as best it
can and writes headers anew, in its own way.
"""

from sekisho.wire.mime_coding import Coding, Encoder, encoder
from sekisho.wire.mime_plan import Edit, Plan, Refusal, Target
from sekisho.wire.mime_structure import StructureScan


class Conversion:
    """Carries out a plan over the content that it was made of."""

    __slots__ = ("_at", "_edits", "_encoder", "_next", "_size")

    def __init__(self, plan: Plan) -> None:
        self._size = plan.size
        self._edits = iter(plan.edits)
        self._encoder: Encoder | None = None
        self._at = 0
        self._next = self._following()

    def feed(self, data: bytes) -> bytes:
        """Convert the next piece; what comes out may be longer or shorter."""
        out: list[bytes] = []
        base, self._at = self._at, self._at + len(data)
        done = base
        while (edit := self._next) is not None and edit.start < self._at:
            start = max(edit.start, done)
            end = min(edit.end, self._at)
            out.append(data[done - base : start - base])
            out.append(self._changed(edit, data[start - base : end - base]))
            done = end
            if edit.end > self._at:
                break
            out.append(self._over(edit))
            self._next = self._following()
        out.append(data[done - base :])
        return b"".join(out)

    def _following(self) -> Edit | None:
        return next(self._edits, None)

    def _changed(self, edit: Edit, data: bytes) -> bytes:
        if not isinstance(edit.becomes, Coding):
            return b""
        if self._encoder is None:
            self._encoder = encoder(edit.becomes)
        return self._encoder.piece(data)

    def _over(self, edit: Edit) -> bytes:
        if isinstance(edit.becomes, bytes):
            return edit.becomes
        current, self._encoder = self._encoder, None
        return current.end(of_content=edit.end == self._size) if current else b""


def converted(data: bytes, target: Target) -> bytes | Refusal:
    """Convert a whole message that is in memory."""
    scan = StructureScan(target)
    scan.feed(data)
    plan = scan.finish()
    return plan if isinstance(plan, Refusal) else Conversion(plan).feed(data)
