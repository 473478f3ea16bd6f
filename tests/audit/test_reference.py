"""The reference pages are what the rows say."""

from pathlib import Path

import pytest

from audit.reports.sample import NULL, OPEN, SMUGGLED
from sekisho.audit.catalogue import PROBES
from sekisho.audit.reference import page, pages
from sekisho.model.text import Language

FOLDER = Path(__file__).parents[2] / "docs" / "reference"


@pytest.mark.parametrize("name", sorted(pages()))
def test_the_file_in_the_repository_is_current(name: str) -> None:
    written = (FOLDER / name).read_text(encoding="utf-8")
    command = "python -m sekisho.audit.reference docs/reference"
    assert written == pages()[name], f"write it anew: {command}"


@pytest.mark.parametrize("language", Language)
def test_every_probe_has_a_heading_of_its_own(language: Language) -> None:
    lines = page(language).splitlines()
    headings = [line[4:] for line in lines if line.startswith("### ")]
    assert sorted(headings) == sorted(one.id for one in PROBES)


def test_a_probe_is_told_whole() -> None:
    made = page(Language.ENGLISH, (OPEN, NULL, SMUGGLED))
    for said in (
        "## Relay\n",
        "| [AUTH-001](#auth-001) | Sign-in without a password accepted | critical |",
        "- What to change: Install the vendor's update",
        "- A sound server: Answers 535 5.7.8.",
        "- See: CVE-2001-0504, MS01-037",
        "    base64({N})",
    ):
        assert said in made
