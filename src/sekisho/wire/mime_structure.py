r"""Finds the parts of a message and what must be changed in them, in one pass.

RFC 2046 §5.1 (multipart), §5.2.1 (message/rfc822), RFC 1847 §2 (signed, encrypted).

Promises:

- Content comes in pieces, cut anywhere. No more of it is held than a header section
  (`MAX_HEADER_BYTES`) or a line that may be a boundary; time is linear.
- Nothing is guessed. A structure that readers may see differently is refused where
  something in it would have to be changed, and carried untouched where not.
- Nesting and the number of parts are bounded.

A boundary counts where the whole line is one: dashes, the boundary, dashes if it is
the last, blanks. RFC 2046 §5.1.1 lets readers be content with the line's beginning,
many are not; so a line that only begins with a boundary is refused. The line's end
before a boundary belongs to it, and may be the one of a header's blank line. An outer
boundary ends all that is open inside (§5.1.2), but the content may not end before the
last boundary: what was cut off could be anything.
"""

from dataclasses import dataclass

from sekisho.wire.mime_coding import Coding
from sekisho.wire.mime_header import Entity, Kind, Place, label_field, read_entity
from sekisho.wire.mime_lines import LineCheck
from sekisho.wire.mime_plan import Edit, Plan, Refusal, Target

MAX_HEADER_BYTES = 64 * 1024
"""Of one header section, the message's own or a part's."""

MAX_PARTS = 1000
"""Header sections of one message."""

MAX_NESTING = 20
"""Multiparts and messages within each other."""

_DELIMITER = b"\r\n--"
_MAX_DELIMITER_OCTETS = 998
"""Behind its dashes, with its CRLF: as long as lines may be."""
_RELABELLED = {
    Target.SEVEN_BIT: frozenset({b"8bit", b"binary"}),
    Target.EIGHT_BIT: frozenset({b"binary"}),
}


class _RefusedError(Exception):
    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.value)
        self.refusal = refusal


@dataclass(frozen=True, slots=True)
class _Frame:
    """A multipart that is open."""

    boundary: bytes
    place: Place
    depth: int


@dataclass(slots=True)
class _Region:
    """A leaf's body, or what stands before or behind a multipart's parts.

    Attributes:
        entity: Whose it is.
        header: Offset of its header section.
        blank: Offset of the blank line behind that.
        start: Offset of its first octet.
        seen: How far `check` has come.

    """

    entity: Entity
    header: int
    blank: int
    start: int
    seen: int
    check: LineCheck


_UNCLEAR = Entity()


class StructureScan:
    """Feed it a message, then `finish`.

    Args:
        target: What the next host takes.

    """

    __slots__ = (
        "_at",
        "_base",
        "_buffer",
        "_depth",
        "_edits",
        "_frames",
        "_parts",
        "_place",
        "_refused",
        "_region",
        "_target",
    )

    def __init__(self, target: Target) -> None:
        self._target = target
        self._refused: Refusal | None = None
        self._edits: list[Edit] = []
        self._frames: list[_Frame] = []
        self._region: _Region | None = None
        self._place = Place.MESSAGE
        self._depth = 0
        self._parts = 0
        self._buffer = b""
        # Offset in the content of the buffer's first octet; where to go on in it.
        self._base = 0
        self._at = 0

    @property
    def refused(self) -> Refusal | None:
        """Why it cannot be converted, as soon as that is known."""
        return self._refused

    def feed(self, data: bytes) -> None:
        """Take the next piece."""
        self._advance(data, final=False)

    def finish(self) -> Plan | Refusal:
        """Say what is to be changed, once all was fed."""
        size = self._base + len(self._buffer)
        self._advance(b"", final=True)
        if self._refused is not None:
            return self._refused
        return Plan(size, tuple(self._edits))

    def _advance(self, data: bytes, *, final: bool) -> None:
        if self._refused is not None:
            return
        self._buffer += data
        try:
            while self._step(final=final):
                pass
            if final:
                self._end()
            else:
                self._forget()
        except _RefusedError as error:
            self._refused = error.refusal
            self._buffer = b""

    def _step(self, *, final: bool) -> bool:
        """Go on to the next header's or region's end; False where more is needed."""
        if self._region is None:
            return self._read_header(final=final)
        return self._read_region(self._region, final=final)

    def _forget(self) -> None:
        """Let go of what is behind us, looking at it where that is due."""
        if (region := self._region) is not None:
            self._look(region, self._base + self._at)
        self._base += self._at
        self._buffer = self._buffer[self._at :]
        self._at = 0

    def _end(self) -> None:
        if self._frames:
            raise _RefusedError(Refusal.UNCLEAR)
        if self._region is not None:
            self._close(self._region, self._base + len(self._buffer))

    # Headers

    def _read_header(self, *, final: bool) -> bool:
        buffer, start = self._buffer, self._at
        if buffer.startswith(b"\r\n", start):
            end = start
        elif (found := buffer.find(b"\r\n\r\n", start)) >= 0:
            end = found + 2
        else:
            if final or len(buffer) - start > MAX_HEADER_BYTES:
                self._header_alone(buffer[start:])
            return False
        self._begin(start, end)
        return True

    def _header_alone(self, fields: bytes) -> None:
        """Take a message that ends with its header: there is nothing to convert."""
        if self._parts:
            raise _RefusedError(Refusal.UNCLEAR)
        self._check_header(fields)

    def _check_header(self, fields: bytes) -> None:
        check = LineCheck()
        check.take(fields)
        check.end()
        if check.eight_bit and self._target is Target.SEVEN_BIT:
            raise _RefusedError(Refusal.HEADER)
        # A line that begins so may be a boundary: then parts are hidden here.
        hides = fields.startswith(b"--") or b"\n--" in fields
        if check.binary or hides or len(fields) > MAX_HEADER_BYTES:
            raise _RefusedError(Refusal.UNCLEAR)

    def _begin(self, start: int, end: int) -> None:
        fields = self._buffer[start:end]
        self._check_header(fields)
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise _RefusedError(Refusal.UNCLEAR)
        entity = self._bounded(read_entity(fields, self._place))
        header, blank = self._base + start, self._base + end
        self._depth += 1
        if entity.kind is not Kind.LEAF:
            self._relabel(entity, header)
        if entity.kind is Kind.MESSAGE:
            self._place = Place.MESSAGE
            self._at = end + 2
            return
        if entity.kind is Kind.MULTIPART:
            place = Place.DIGEST if entity.digest else Place.PART
            self._frames.append(_Frame(entity.boundary, place, self._depth))
            entity = _UNCLEAR
        body = blank + 2
        self._region = _Region(entity, header, blank, body, body, LineCheck())
        # The blank line's end may begin a boundary.
        self._at = end

    def _bounded(self, entity: Entity) -> Entity:
        """Do not go into what is too deep, or has a boundary that is in use."""
        in_use = any(frame.boundary == entity.boundary for frame in self._frames)
        too_deep = self._depth >= MAX_NESTING and entity.kind is not Kind.LEAF
        return _UNCLEAR if in_use or too_deep else entity

    # Bodies

    def _read_region(self, region: _Region, *, final: bool) -> bool:
        buffer = self._buffer
        found = buffer.find(_DELIMITER, self._at) if self._frames else -1
        if found < 0:
            kept = len(_DELIMITER) - 1 if self._frames and not final else 0
            self._at = max(self._at, len(buffer) - kept)
            return False
        begin = found + len(_DELIMITER)
        end = buffer.find(b"\r\n", begin, begin + _MAX_DELIMITER_OCTETS)
        if end < 0:
            end = begin + _MAX_DELIMITER_OCTETS
            if not final and len(buffer) < end:
                self._at = found
                return False
        depth, closing = self._delimits(buffer[begin:end])
        if depth:
            self._close(region, self._base + found)
            self._enter(depth, end, closing=closing)
        else:
            self._at = begin
        return True

    def _delimits(self, line: bytes) -> tuple[int, bool]:
        """Say which open multipart the line belongs to, from 1; 0 where to none."""
        like_one = False
        for depth in range(len(self._frames), 0, -1):
            boundary = self._frames[depth - 1].boundary
            if line.startswith(boundary):
                rest = line[len(boundary) :].rstrip(b" \t")
                if rest in (b"", b"--") and len(line) < _MAX_DELIMITER_OCTETS:
                    return depth, bool(rest)
                like_one = True
        if like_one:
            raise _RefusedError(Refusal.UNCLEAR)
        return 0, False

    def _enter(self, depth: int, line_end: int, *, closing: bool) -> None:
        """Go on behind a boundary, with the next part or with what is behind all."""
        frame = self._frames[depth - 1]
        del self._frames[depth - closing :]
        if closing:
            start = self._base + min(line_end + 2, len(self._buffer))
            self._region = _Region(_UNCLEAR, start, start, start, start, LineCheck())
            self._at = line_end
        else:
            self._region = None
            self._place, self._depth = frame.place, frame.depth
            self._at = line_end + 2

    def _look(self, region: _Region, until: int) -> None:
        if until > region.seen:
            seen, region.seen = region.seen, until
            region.check.take(self._buffer[seen - self._base : until - self._base])

    def _close(self, region: _Region, end: int) -> None:
        """Decide what becomes of a region that ends here."""
        self._look(region, end)
        region.check.end()
        rule = region.entity.rule
        if isinstance(rule, Refusal):
            self._carry(region, rule)
        else:
            self._convert(region, rule, end)

    def _carry(self, region: _Region, refusal: Refusal) -> None:
        if region.check.must_change(self._target):
            raise _RefusedError(refusal)
        if refusal is Refusal.SIGNED:
            # Its own label is not among what was signed.
            self._relabel(region.entity, region.header)

    def _convert(self, region: _Region, coding: Coding, end: int) -> None:
        check, entity = region.check, region.entity
        if check.binary and not entity.declared:
            # Binary content is MIME or nothing (RFC 3030 §3).
            raise _RefusedError(Refusal.UNCLEAR)
        if check.must_change(self._target) or check.long:
            self._encode(region, coding, end)
        else:
            self._relabel(entity, region.header)

    # Changes

    def _encode(self, region: _Region, coding: Coding, end: int) -> None:
        entity, label = region.entity, label_field(coding.value)
        additions = entity.additions
        if entity.label:
            self._replace_label(entity, region.header, label)
        else:
            additions += label
        if additions:
            self._edits.append(Edit(region.blank, region.blank, additions))
        self._edits.append(Edit(region.start, end, coding))

    def _relabel(self, entity: Entity, header: int) -> None:
        if entity.label in _RELABELLED[self._target]:
            label = label_field(self._target.value)
            self._replace_label(entity, header, label)

    def _replace_label(self, entity: Entity, header: int, label: bytes) -> None:
        start, end = entity.label_at
        self._edits.append(Edit(header + start, header + end, label))
