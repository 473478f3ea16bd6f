"""SMTP replies (RFC 5321 §4.2) with enhanced status codes (RFC 3463, RFC 2034).

Promise: a `Reply` cannot be wrong on the wire. The enhanced code's class is the
code's own, and no line holds a CR, an LF or anything that is not printable, so that
no text from outside can add a reply of its own.
"""

import re
from functools import lru_cache

import msgspec
from msgspec.structs import force_setattr

MAX_REPLY_TEXT_OCTETS = 480
"""Of the 512 octets of a reply line (RFC 5321 §4.5.3.1.5), codes and CRLF aside."""

_ENHANCED = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")
_UNPRINTABLE = re.compile(r"[^\x20-\x7e]")


class ReplyError(ValueError):
    """Code, enhanced code and text do not make a reply."""


class Reply(msgspec.Struct, frozen=True):
    """What a server answers to one command.

    Attributes:
        code: 200 to 599, RFC 5321 §4.2.1.
        enhanced: ``class.subject.detail``, or empty where RFC 2034 wants none
            (greeting, EHLO, 3yz).
        lines: At least one; printable ASCII.
        encoded: The octets. Made of the rest whatever is given here, and once, as
            replies are constants far more often than not.

    """

    code: int
    enhanced: str
    lines: tuple[str, ...]
    encoded: bytes = b""

    def __post_init__(self) -> None:
        """Refuse what would be misread on the wire."""
        going_on, last = _heads(self.code, self.enhanced)
        if not self.lines:
            raise ReplyError("a reply has at least one line")
        for line in self.lines:
            if not (line.isascii() and line.isprintable()) or (
                len(line) > MAX_REPLY_TEXT_OCTETS
            ):
                raise ReplyError(f"{line[:80]!r} cannot stand in a reply")
        before = "".join([f"{going_on}{line}\r\n" for line in self.lines[:-1]])
        text = f"{before}{last}{self.lines[-1]}\r\n"
        force_setattr(self, "encoded", text.encode("ascii"))

    def __str__(self) -> str:
        """Say it in one line, for logs and timelines."""
        enhanced = f"{self.enhanced} " if self.enhanced else ""
        return f"{self.code} {enhanced}{' '.join(self.lines)}"

    @property
    def is_positive(self) -> bool:
        """Whether the command was done (2yz) or wants more (3yz)."""
        return self.code < 400  # noqa: PLR2004

    @property
    def is_transient(self) -> bool:
        """Whether the same command may succeed later (4yz)."""
        return 400 <= self.code < 500  # noqa: PLR2004


@lru_cache(maxsize=256)
def _heads(code: int, enhanced: str) -> tuple[str, str]:
    """What stands before the text of a line that others follow, and of the last one.

    Raises:
        ReplyError: The codes are none, or do not fit each other.

    """
    if not 200 <= code <= 599:  # noqa: PLR2004 - RFC 5321 §4.2.1
        raise ReplyError(f"{code} is no reply code")
    if enhanced and not (
        _ENHANCED.fullmatch(enhanced) and enhanced[0] == str(code // 100)
    ):
        raise ReplyError(f"{enhanced!r} does not fit {code}")
    words = f"{enhanced} " if enhanced else ""
    return f"{code}-{words}", f"{code} {words}"


def reply(code: int, enhanced: str, *lines: str) -> Reply:
    """Make a reply of texts that are known to be clean."""
    return Reply(code, enhanced, lines)


def printable(text: str, limit: int = MAX_REPLY_TEXT_OCTETS) -> str:
    """Make text from outside fit for a reply or a log: ``?`` for what is not."""
    return _UNPRINTABLE.sub("?", text)[:limit]
