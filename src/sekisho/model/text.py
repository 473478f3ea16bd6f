"""What is said to people: each sentence in every language that we speak.

A `Text` cannot lack a language, so a page or a report is never half in another one.
"""

from dataclasses import dataclass
from enum import Enum
from typing import assert_never


class Language(Enum):
    """In which language something is said; the value is its tag (RFC 5646)."""

    ENGLISH = "en"
    JAPANESE = "ja"


@dataclass(frozen=True, slots=True)
class Text:
    """One sentence, title or paragraph, in English and in Japanese."""

    en: str
    ja: str

    def said_in(self, language: Language) -> str:
        """Give it in one language."""
        match language:
            case Language.ENGLISH:
                return self.en
            case Language.JAPANESE:
                return self.ja
            case _:
                assert_never(language)

    def filled(self, **values: str) -> "Text":
        """Put the same values into both, as `str.format` does."""
        return Text(self.en.format(**values), self.ja.format(**values))
