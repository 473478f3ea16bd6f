"""This installation is judged by Sekisho's own advisories, by version and settings."""

from sekisho.advisory.own import judge_own, settings
from sekisho.advisory.shelf import read_bulletin, shipped, texts_of_files
from sekisho.advisory.verdicts import Verdict

FAULTY = """
[[conditions]]
code = "R-OLD"
verdict = "affected"
when = { all = [{ fact = "sekisho.version", below = "1.2.3" }, { fact = "sekisho.settings", has = "listener.role=mx" }] }
section.en = "Details"
section.ja = "詳細"
reason.en = "An older version, with a listener for the world."
reason.ja = "古い版で、外部向けのリスナーがある。"

[[actions]]
"""  # noqa: E501 - a test in TOML is one line


def verdicts(version: str, document: dict[str, object] | None) -> list[Verdict]:
    text = texts_of_files()["sekisho.toml"]
    start = text.index("[[conditions]]")
    faulty = text[:start] + FAULTY.lstrip() + text[text.index("[[actions]]") + 12 :]
    bulletin = read_bulletin("faulty.toml", faulty)
    return [one.verdict for one in judge_own([bulletin], version, document)]


MX: dict[str, object] = {"listener": [{"role": "submission"}, {"role": "mx"}]}


def test_no_fault_of_what_is_shipped_is_known() -> None:
    answers = judge_own(shipped(), "0.1.0", None)
    assert [one.verdict for one in answers] == [Verdict.NOT_AFFECTED]


def test_a_fault_is_found_by_version_and_setting() -> None:
    assert verdicts("1.2.2", MX) == [Verdict.AFFECTED]
    assert verdicts("1.2.3", MX) == [Verdict.UNKNOWN]
    assert verdicts("1.2.2", {}) == [Verdict.UNKNOWN]


def test_what_is_not_known_of_the_installation_stays_so() -> None:
    assert verdicts("", MX) == [Verdict.UNKNOWN]
    assert verdicts("1.2.2", None) == [Verdict.UNKNOWN]
    assert verdicts("1.2.2+local.change", MX) in ([Verdict.UNKNOWN], [Verdict.AFFECTED])


def test_settings_are_spelled_as_the_file_says_them() -> None:
    document = {"a": {"b": True, "c": [1, "x"]}, "t": [{"k": "v"}, {"k": "w"}]}
    assert set(settings(document)) == {"a.b=true", "a.c=1", "a.c=x", "t.k=v", "t.k=w"}
