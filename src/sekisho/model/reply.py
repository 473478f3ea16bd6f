"""SMTP replies (RFC 5321 §4.2) with enhanced status codes (RFC 3463, RFC 2034).

Promise: a `Reply` cannot be wrong on the wire. The enhanced code's class is the
code's own, and no line holds a CR, an LF or anything that is not printable, so that
no text from outside can add a reply of its own.
"""

import re
from dataclasses import dataclass, field

MAX_REPLY_TEXT_OCTETS = 480
"""Of the 512 octets of a reply line (RFC 5321 §4.5.3.1.5), codes and CRLF aside."""

_ENHANCED = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")
_UNPRINTABLE = re.compile(r"[^\x20-\x7e]")


class ReplyError(ValueError):
    """Code, enhanced code and text do not make a reply."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server answers to one command.

    Attributes:
        code: 200 to 599, RFC 5321 §4.2.1.
        enhanced: ``class.subject.detail``, or empty where RFC 2034 wants none
            (greeting, EHLO, 3yz).
        lines: At least one; printable ASCII.
        encoded: The octets, made once: replies are constants far more often than not.

    """

    code: int
    enhanced: str
    lines: tuple[str, ...]
    encoded: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse what would be misread on the wire."""
        if not 200 <= self.code <= 599:  # noqa: PLR2004 - RFC 5321 §4.2.1
            raise ReplyError(f"{self.code} is no reply code")
        if self.enhanced and not (
            _ENHANCED.fullmatch(self.enhanced)
            and self.enhanced[0] == str(self.code // 100)
        ):
            raise ReplyError(f"{self.enhanced!r} does not fit {self.code}")
        if not self.lines:
            raise ReplyError("a reply has at least one line")
        for line in self.lines:
            if _UNPRINTABLE.search(line) or len(line) > MAX_REPLY_TEXT_OCTETS:
                raise ReplyError(f"{line[:80]!r} cannot stand in a reply")
        prefix = f"{self.enhanced} " if self.enhanced else ""
        last = len(self.lines) - 1
        text = "".join(
            f"{self.code}{' ' if n == last else '-'}{prefix}{line}\r\n"
            for n, line in enumerate(self.lines)
        )
        object.__setattr__(self, "encoded", text.encode("ascii"))

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


def reply(code: int, enhanced: str, *lines: str) -> Reply:
    """Make a reply of texts that are known to be clean."""
    return Reply(code, enhanced, lines)


def printable(text: str, limit: int = MAX_REPLY_TEXT_OCTETS) -> str:
    """Make text from outside fit for a reply or a log: ``?`` for what is not."""
    return _UNPRINTABLE.sub("?", text)[:limit]
