"""Each broken configuration says exactly what is wrong, where, and what would be right.

`tests/bad_configs/NN-name/` holds the file and the output; other files there are what
the configuration refers to.
"""

from pathlib import Path

import pytest

from sekisho.config.load import load_config
from sekisho.config.problems import ConfigErrors

CASES = sorted((Path(__file__).parent.parent / "bad_configs").iterdir())


def told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(folder)
    with pytest.raises(ConfigErrors) as caught:
        load_config(Path("sekisho.toml"), {})
    return f"{caught.value}\n"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_broken_configuration_says_what_is_wrong(
    case: Path, monkeypatch: pytest.MonkeyPatch
):
    assert told(case, monkeypatch) == (case / "expected.txt").read_text("utf-8")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_problem_names_a_line_that_exists(
    case: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(case)
    with pytest.raises(ConfigErrors) as caught:
        load_config(Path("sekisho.toml"), {})
    for problem in caught.value.problems:
        lines = Path(problem.file).read_bytes().count(b"\n")
        assert 1 <= problem.line <= lines + 1


def test_there_are_as_many_as_the_issue_wants():
    assert len(CASES) >= 30
