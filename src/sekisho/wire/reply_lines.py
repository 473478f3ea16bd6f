"""Replies of the next host: octets to `Reply` (RFC 5321 §4.2, RFC 2034).

The next host is a stranger, so its words are input like any other:

- Lines, lines a reply and octets waiting are bounded; past a bound is an error.
- What is not printable ASCII becomes ``?``, and long text is cut, so that the words
  can stand in our log, in a bounce and in a reply of our own.
- The lines of one reply carry one code (RFC 5321 §4.2.1). Taking the first or the
  last where they differ would let two readers disagree on what was said.
- A line ends in CRLF; a bare LF is taken too, for old peers send it and no harm can
  come of it: whoever sends it could have sent a CRLF there.
- An enhanced code counts where its class is the code's own; otherwise it is text.
  It is taken off the other lines where they repeat it.
"""

import re
from functools import lru_cache

from sekisho.model.reply import Reply, printable

MAX_REPLY_LINE_BYTES = 4096
"""RFC 5321 §4.5.3.1.5 wants 512; peers that say more are met."""

MAX_REPLY_LINES = 256
"""Lines of one reply; EHLO lists are the longest that honest peers send."""

_MAX_REMEMBERED_BYTES = 64
_CODE_DIGITS = 3
_LINE = re.compile(rb"([2-5][0-9][0-9])(?:([ -])(.*))?", re.DOTALL)
_ENHANCED = re.compile(r"([245]\.[0-9]{1,3}\.[0-9]{1,3})(?: +|$)")


class ReplySyntaxError(ValueError):
    """What came is no SMTP reply; the message says why, in printable words."""


class ReplyReader:
    """Collects octets and gives whole replies, in order."""

    __slots__ = ("_at", "_buffer", "_lines")

    def __init__(self) -> None:
        self._buffer = b""
        self._at = 0
        self._lines: list[bytes] = []

    @property
    def pending(self) -> bool:
        """Whether octets are here that belong to no reply given so far."""
        return self._at < len(self._buffer) or bool(self._lines)

    def receive(self, data: bytes) -> None:
        """Take octets as they came."""
        self._buffer, self._at = self._buffer[self._at :] + data, 0

    def next_reply(self) -> Reply | None:
        """Give the next whole reply, or None where more octets are needed.

        Raises:
            ReplySyntaxError: What came is no reply, or passes a bound. The stream
                cannot be trusted after it.

        """
        buffer, at = self._buffer, self._at
        while (end := buffer.find(b"\n", at, at + MAX_REPLY_LINE_BYTES)) >= 0:
            line = buffer[at:end]
            self._at = at = end + 1
            if line[_CODE_DIGITS : _CODE_DIGITS + 1] != b"-":
                if self._lines:
                    lines, self._lines = [*self._lines, line], []
                    return _reply(lines)
                # Nearly all replies of a busy session are the same few short lines.
                if len(line) <= _MAX_REMEMBERED_BYTES:
                    return _remembered(line)
                return _reply([line])
            self._lines.append(line)
            if len(self._lines) >= MAX_REPLY_LINES:
                raise ReplySyntaxError("the reply has too many lines")
        self._buffer, self._at = buffer[at:], 0  # What was read is not kept.
        if len(self._buffer) >= MAX_REPLY_LINE_BYTES:
            raise ReplySyntaxError("the reply line is too long")
        return None


@lru_cache(maxsize=512)
def _remembered(line: bytes) -> Reply:
    return _reply([line])


def _reply(lines: list[bytes]) -> Reply:
    codes: set[bytes] = set()
    texts: list[str] = []
    for ended in lines:
        line = ended.removesuffix(b"\r")
        match = _LINE.fullmatch(line)
        if match is None:
            said = printable(line[:80].decode("latin-1"))
            raise ReplySyntaxError(f"no SMTP reply: {said!r}")
        codes.add(match[1])
        texts.append(printable((match[3] or b"").decode("latin-1")))
    if len(codes) != 1:
        raise ReplySyntaxError("the lines of one reply differ in their code")
    code = int(codes.pop())
    return Reply(code, *_without_enhanced(code, texts))


def _without_enhanced(code: int, texts: list[str]) -> tuple[str, tuple[str, ...]]:
    """Take the enhanced code, which fits the code, off the lines that carry it."""
    first = _ENHANCED.match(texts[0])
    if first is None or first[1][0] != str(code)[0]:
        return "", tuple(texts)
    enhanced = first[1]
    bare = [
        text[match.end() :]
        if (match := _ENHANCED.match(text)) and match[1] == enhanced
        else text
        for text in texts
    ]
    return enhanced, tuple(bare)
