"""The reference page is what the code says."""

from pathlib import Path

from sekisho.config.reference import page
from sekisho.config.schema import SECTIONS, keys_of

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "configuration.md"


def test_the_page_has_not_drifted():
    assert PAGE.read_text("utf-8") == page(), (
        "python -m sekisho.config.reference docs/reference/configuration.md"
    )


def test_every_key_of_every_table_is_described():
    text = page()
    for section in SECTIONS[1:]:
        for key in keys_of(section.table):
            assert f"| `{key}` |" in text
