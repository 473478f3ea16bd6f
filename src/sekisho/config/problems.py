"""What is wrong with a configuration, said so that it can be put right.

Every problem names its file and line, what is wrong and, where that can be known,
what would be right. Values of secrets never come here.
"""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from pydantic_core import PydanticCustomError

PROBLEM_TYPE = "sekisho"
"""Marks our own errors among pydantic's."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in the configuration.

    Attributes:
        file: The file, as the user named it, or the environment variable.
        line: From 1; 0 where there is none (a missing file, a variable).
        key: Where, dotted (``listener[0].bind``); empty for the whole file.
        message: What is wrong, in one sentence without its full stop.
        hint: What would be right, or empty.

    """

    file: str
    line: int
    key: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        hint = f"\n  hint: {self.hint}" if self.hint else ""
        return f"{place}: {self.message}{hint}"


class ConfigErrors(Exception):  # noqa: N818 - it holds several, and says so
    """The configuration cannot be used: every problem at once, in the file's order."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = list(problems)
        super().__init__(self.problems)

    def __str__(self) -> str:
        return "\n".join(map(str, self.problems))


def wrong(message: str, hint: str = "") -> PydanticCustomError:
    """Make the error with which a reader of values refuses one."""
    # Through the context, since braces in the message would be taken as a template.
    return PydanticCustomError(
        PROBLEM_TYPE, "{message}", {"message": message, "hint": hint}
    )


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """Propose the nearest of the known words, else name them all."""
    words = sorted(known)
    if not words:
        return ""
    near = difflib.get_close_matches(given.lower(), words, n=1, cutoff=0.6)
    if near:
        return f'did you mean "{near[0]}"?'
    return "known here: " + ", ".join(words)
