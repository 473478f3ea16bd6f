"""Sentences in two languages."""

import pytest

from sekisho.model.text import Language, Text

GREETING = Text("Hello {name}", "{name}さん、こんにちは")


@pytest.mark.parametrize(
    ("language", "said"),
    [(Language.ENGLISH, "Hello Aoi"), (Language.JAPANESE, "Aoiさん、こんにちは")],
)
def test_a_text_is_said_in_the_language_asked_for(
    language: Language, said: str
) -> None:
    assert GREETING.filled(name="Aoi").said_in(language) == said
