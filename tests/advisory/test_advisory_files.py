"""Every advisory file that is shipped is whole, reviewed and in our own words."""

import re

import pytest

from sekisho.advisory.asking import Asker
from sekisho.advisory.bulletin import Bulletin
from sekisho.advisory.ledger import (
    digest,
    parse_ledger,
    read_ledger,
    unreviewed,
    with_new_revisions,
    written,
)
from sekisho.advisory.shelf import (
    BulletinError,
    find,
    read_bulletin,
    shipped,
    texts_of_files,
)
from sekisho.advisory.verdicts import Verdict

TEXTS = texts_of_files()
NAMES = sorted(TEXTS)
MS = "ms01-037.toml"


def _read(name: str) -> Bulletin:
    return read_bulletin(name, TEXTS[name])


def test_three_advisories_are_shipped() -> None:
    assert [one.id for one in shipped()] == ["MS01-037", "MS02-011", "SEKISHO"]


@pytest.mark.parametrize("name", NAMES)
def test_file_is_called_as_its_advisory(name: str) -> None:
    assert name == f"{_read(name).id.lower()}.toml"


@pytest.mark.parametrize("name", NAMES)
def test_content_is_that_of_its_last_revision(name: str) -> None:
    assert unreviewed(_read(name), TEXTS[name], read_ledger()) is None


def test_ledger_knows_nothing_else() -> None:
    assert {name for name, _ in read_ledger()} == {one.id for one in shipped()}


def test_changed_content_without_a_new_revision_is_refused() -> None:
    changed = TEXTS[MS].replace("Whoever runs Windows 2000.", "Whoever runs Windows.")
    wrong = unreviewed(read_bulletin(MS, changed), changed, read_ledger())
    assert wrong
    assert "add a revision" in wrong


def test_a_changed_test_without_a_new_revision_is_refused() -> None:
    changed = TEXTS[MS].replace("at_least = 3", "at_least = 2", 1)
    assert changed != TEXTS[MS]
    assert unreviewed(read_bulletin(MS, changed), changed, read_ledger())


def test_a_comment_is_no_content() -> None:
    assert digest("# said elsewhere\n" + TEXTS[MS]) == digest(TEXTS[MS])


REVISION_2 = """
[[revisions]]
number = 2
date = 2026-12-01
text.en = "Corrected."
text.ja = "訂正。"
"""


def test_a_new_revision_has_to_be_entered_in_the_ledger() -> None:
    changed = TEXTS[MS].replace("Whoever runs", "Who runs") + REVISION_2
    bulletin = read_bulletin(MS, changed)
    ledger = read_ledger()
    assert unreviewed(bulletin, changed, ledger)
    grown = with_new_revisions({**TEXTS, MS: changed}, ledger)
    assert unreviewed(bulletin, changed, grown) is None
    assert {key: grown[key] for key in ledger} == ledger
    assert parse_ledger(written(grown)) == grown


def test_entering_never_changes_a_line_that_is_there() -> None:
    changed = TEXTS[MS].replace("Whoever runs", "Who runs")
    ledger = read_ledger()
    assert with_new_revisions({**TEXTS, MS: changed}, ledger) == ledger


def test_a_revision_cannot_be_left_out() -> None:
    third = TEXTS[MS] + REVISION_2 + REVISION_2.replace("2\n", "3\n", 1)
    bulletin = read_bulletin(MS, third)
    grown = with_new_revisions({MS: third}, read_ledger())
    assert unreviewed(bulletin, third, grown)


@pytest.mark.parametrize("name", NAMES)
def test_every_verdict_of_a_condition_has_a_step(name: str) -> None:
    bulletin = _read(name)
    assert bulletin.actions
    if bulletin.subject == "host":
        assert {one.verdict for one in bulletin.conditions} == set(Verdict)


@pytest.mark.parametrize("name", NAMES)
def test_no_definition_is_left_over(name: str) -> None:
    bulletin = _read(name)
    spelled = re.findall(r'use = "(\w+)"', TEXTS[name])
    assert set(bulletin.definitions) == set(spelled)


@pytest.mark.parametrize("name", NAMES)
def test_an_answer_is_asked_for_its_own_codes(name: str) -> None:
    bulletin = _read(name)
    reasons = {one.code for one in [*bulletin.conditions, *bulletin.remarks]}
    asked = re.findall(r'"answer\.reasons", has = "([^"]+)"', TEXTS[name])
    assert set(asked) <= reasons


@pytest.mark.parametrize("name", NAMES)
def test_hardware_and_language_stand_in_no_reason(name: str) -> None:
    bulletin = _read(name)
    asker = Asker(bulletin.tests)
    for one in [*bulletin.conditions, *bulletin.remarks]:
        asked = set(asker.names(one.when.test))
        assert not asked & {"os.hardware", "os.language"}


@pytest.mark.parametrize("name", NAMES)
def test_japanese_is_japanese_and_english_is_not(name: str) -> None:
    english = re.findall(r"^(?:[\w.]+\.)?en = (.+)$", TEXTS[name], re.MULTILINE)
    japanese = re.findall(r"^(?:[\w.]+\.)?ja = (.+)$", TEXTS[name], re.MULTILINE)
    assert len(english) == len(japanese) > 0
    for text in japanese:
        assert re.search("[\u3000-\u30ff\u4e00-\u9fff]", text), text
    for text in english:
        assert not re.search("[\u3000-\u30ff]", text), text


@pytest.mark.parametrize(
    ("code", "core"),
    [
        ("R-NT4", "Windows 2000 に同梱されている SMTP サービスだけ"),
        ("R-UNTESTED", "影響は不明です"),
        ("R-ONLY-W2K", "だけ"),
        ("R-SP3", "Service Pack 3 以降"),
        ("R-PATCH", "レジストリ キーが作成された"),
        ("R-SMTP-ABSENT", "実行している場合のみ"),
        ("R-DOMAIN", "ドメインのメンバ"),
        ("R-SMTP-DISABLED", "無効"),
        ("R-SMTP-STOPPED", "実行している場合のみ"),
        ("R-FW25", "インターネット ベース"),
    ],
)
def test_a_reason_holds_the_word_by_which_it_is_found_in_the_bulletin(
    code: str, core: str
) -> None:
    bulletin = _read(MS)
    reason = next(one.reason for one in bulletin.conditions if one.code == code)
    assert core in reason.ja


@pytest.mark.parametrize(
    ("name", "update", "key"),
    [
        ("MS01-037", "Q302755", r"HKLM\SOFTWARE\Microsoft\Updates\Windows 2000\SP3"),
        ("MS02-011", "Q313450", r"HKLM\SOFTWARE\Microsoft\Updates\Windows 2000\SP3"),
        ("MS02-011", "Q289258", r"HKLM\Software\Microsoft\Updates\Exchange 5.5\SP5"),
    ],
)
def test_the_key_that_is_shown_is_the_key_that_is_tested(
    name: str, update: str, key: str
) -> None:
    bulletin = find(name)
    assert bulletin
    shown = [one.key for one in bulletin.verification if one.update == update]
    assert shown == [rf"{key}\{update}"]
    assert f"has = '{shown[0]}'" in TEXTS[f"{name.lower()}.toml"]


def test_an_advisory_is_found_by_number_in_any_case_and_by_cve() -> None:
    assert find("ms01-037") is find("CVE-2001-0504") is shipped()[0]
    assert find("MS01-038") is None


def _wrong(old: str, new: str) -> str:
    text = TEXTS[MS].replace(old, new, 1)
    assert text != TEXTS[MS]
    with pytest.raises(BulletinError) as told:
        read_bulletin(MS, text)
    assert str(told.value).startswith(f"{MS}: ")
    return str(told.value)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[audience]", "[audience", "line"),
        ('id = "MS01-037"', "", "missing required field `id`"),
        ("[audience]", "colour = 1\n[audience]", "unknown field `colour`"),
        ('en = "Whoever runs Windows 2000."', 'en = " "', "MS01-037.audience"),
        ('en = "Whoever runs Windows 2000."', "", "`$.audience`"),
        ('"os.product", is', '"os.produce", is', "no such fact: os.produce"),
        ('is = "Windows 2000"', 'are = "Windows 2000"', "ask one thing of os.product"),
        ('is = "Windows 2000" }', 'is = "x", in = ["y"] }', "ask one thing"),
        ('"exchange", below = "5.5"', '"exchange", below = "x"', "exchange: 'x'"),
        ('is = "running"', 'is = "runs"', "is none of: running, stopped"),
        ('is = "standalone"', 'is = "unknown"', "says nothing"),
        ("os.service_pack", "domain_role", "cannot be asked at_least"),
        ('{ use = "key" }', '{ use = "kee" }', "there is no definition: kee"),
        ('{ use = "key" }', '{ used = "key" }', "no test is spelled"),
        ('about = "patch.state"', 'about = "luck"', "about no fact: luck"),
        ("{ not = {", "{ all = {", "take a list"),
        ('code = "R-SP3"', 'code = "R-NT4"', "stands twice: R-NT4"),
        ('code = "R-SP3"', 'code = "SP3"', "does not begin with R-"),
        ('code = "A-UPGRADE"', 'code = "UPGRADE"', "does not begin with A-"),
        ('action = "A-OEM"', 'action = "A-OEN"', "no action is called A-OEN"),
        ('products = ["windows-2000"]', 'products = ["w"]', "no product is called w"),
        ('scope = "all"', "", "a mitigation, and it alone"),
        ('basis = "product"', "", "not affected, and it alone"),
        ("number = 1\n", "number = 2\n", "numbered 1, 2, 3"),
        ("date = 2001-07-06", "date = 2003-07-06", "oldest line first"),
        ('when = { use = "proved" }', "when = 1", "a test is a table"),
        (
            'when = { use = "proved" }',
            'when = { fact = "answer.verdict", is = "fixed" }',
            "cannot ask for the answer",
        ),
        (
            'when = { use = "proved" }',
            "when = " + "{ not = " * 18 + '{ use = "proved" }' + " }" * 18,
            "nested deeper than 16",
        ),
    ],
)
def test_a_wrong_file_is_refused_with_its_place(old: str, new: str, said: str) -> None:
    if "at_least" in said:
        text = _wrong(
            '"os.service_pack", at_least = 3', '"domain_role", at_least = "member"'
        )
    else:
        text = _wrong(old, new)
    assert said in text
