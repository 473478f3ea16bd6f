"""Words from outside, made fit to stand in a report.

Replies come printable (`sekisho.model.reply`), addresses come without controls
(`sekisho.model.address`); host names, ENVID and ORCPT are whatever somebody sent.
"""

import re
from collections.abc import Sequence

from sekisho.model.reply import Reply

MAX_REPLY_LINES = 8
"""Lines of one reply that a report repeats."""

MAX_WORDS = 500
"""Characters of one text from outside; an ORCPT or ENVID has fewer (RFC 3461)."""

_UNFIT = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def clean(text: str) -> str:
    """Put a ``?`` for each character that could end a line or is no character."""
    return _UNFIT.sub("?", text[:MAX_WORDS])


def first_lines(reply: Reply) -> Sequence[str]:
    """Give the lines to repeat, without blank ones: those would end a field's group."""
    return [line for line in reply.lines if line.strip()][:MAX_REPLY_LINES]
