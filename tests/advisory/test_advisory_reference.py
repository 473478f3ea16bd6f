"""The page of facts and codes is that of the code."""

from pathlib import Path

from sekisho.advisory.reference import page

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "advisories.md"


def test_page_of_codes_has_not_drifted() -> None:
    assert PAGE.read_text(encoding="utf-8") == page()
