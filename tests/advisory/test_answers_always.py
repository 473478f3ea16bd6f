"""What holds for every host that can be described."""

import copy
import random
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from advisory.described import (
    EXCHANGE_KEY,
    KEY,
    LATER_KEY,
    NT4_KEY,
    WEB_01,
    answer_for,
    hosts_of,
)
from sekisho.advisory.judge import by_urgency, exit_code, judge_all
from sekisho.advisory.shelf import shipped
from sekisho.advisory.telling import as_map, told
from sekisho.advisory.verdicts import Answer, Scope, Verdict
from sekisho.model.text import Language

UNTESTED = {"MS01-037": {"4.0", "5.0"}, "MS02-011": {"4.0"}}
CHOICES: dict[tuple[str, ...], list[Any]] = {
    ("os", "product"): [
        "Windows 2000",
        "Windows 2000",
        "Windows NT 4.0",
        "Windows NT 3.51",
        "Windows XP",
        "Linux",
    ],
    ("os", "edition"): ["Server", "Professional", "Datacenter Server"],
    ("os", "service_pack"): [0, 1, 2, 3, 4, 6],
    ("os", "language"): ["ja", "en"],
    ("os", "hardware"): ["pcat", "pc98", "other"],
    ("smtp", "installed"): [True, True, False],
    ("smtp", "state"): ["running", "running", "stopped"],
    ("smtp", "start_type"): ["auto", "manual", "disabled"],
    ("smtp", "ports"): [[25], [25, 587], [2525], []],
    ("domain_role",): ["standalone", "standalone", "member", "domain-controller"],
    ("exchange",): ["none", "none", "4.0", "5.0", "5.5", "2000", "2003"],
    ("exchange_mail_service",): ["present", "absent"],
    ("firewall_internet_25",): ["open", "blocked"],
    ("needs_smtp",): [True, False],
    ("web_server",): [True, False],
    ("patch", "registry_keys"): [
        [],
        [KEY],
        [LATER_KEY],
        [KEY, LATER_KEY, NT4_KEY, EXCHANGE_KEY],
    ],
    ("patch", "filelist"): ["match", "older", "newer", "absent"],
    ("patch", "reboot_pending"): [False, False, True],
}
ADVISORIES = st.sampled_from(["MS01-037", "MS02-011"])


@st.composite
def any_host(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a host of which each fact is known or not."""
    host: dict[str, Any] = {"id": "h", "os": {}, "smtp": {}, "patch": {}}
    for fact, values in CHOICES.items():
        _change(host, fact, draw(st.sampled_from([*values, None])))
    return host


@st.composite
def nearly_exposed(draw: st.DrawFn) -> dict[str, Any]:
    """Draw web-01 with a few facts changed: there each fact may tip the verdict."""
    host = copy.deepcopy(WEB_01)
    for fact in draw(st.lists(st.sampled_from(list(CHOICES)), max_size=5)):
        _change(host, fact, draw(st.sampled_from([*CHOICES[fact], None])))
    return host


def _change(host: dict[str, Any], fact: tuple[str, ...], value: object) -> None:
    *group, name = fact
    table = host[group[0]] if group else host
    table.pop(name, None)
    if value is not None:
        table[name] = value


def hosts() -> st.SearchStrategy[dict[str, Any]]:
    return any_host() | nearly_exposed()


def _safety(answer: Answer) -> int:
    if answer.verdict is Verdict.MITIGATED:
        return 1 if answer.scope is Scope.INTERNET_ONLY else 2
    return 0 if answer.verdict in {Verdict.AFFECTED, Verdict.UNKNOWN} else 3


@settings(max_examples=1500)
@given(hosts(), ADVISORIES, st.sampled_from(list(CHOICES)))
def test_withholding_a_fact_never_makes_an_answer_safer(
    host: dict[str, Any], advisory: str, fact: tuple[str, ...]
) -> None:
    # That an untested Exchange is there is the one fact that takes an answer back: it
    # says that nobody knows, and without it nothing hints at that (decision 27).
    assume(fact != ("exchange",) or host.get("exchange") not in UNTESTED[advisory])
    less = copy.deepcopy(host)
    _change(less, fact, None)
    assert _safety(answer_for(less, advisory)) <= _safety(answer_for(host, advisory))


@given(hosts(), ADVISORIES, st.sampled_from(["pcat", "pc98", "x", None]))
def test_hardware_and_language_never_change_a_verdict(
    host: dict[str, Any], advisory: str, hardware: str | None
) -> None:
    other = copy.deepcopy(host)
    other["os"]["hardware"] = hardware
    other["os"]["language"] = "de"
    one, two = answer_for(host, advisory), answer_for(other, advisory)
    assert (one.verdict, one.scope, one.missing) == (
        two.verdict,
        two.scope,
        two.missing,
    )
    assert (one.reasons, one.warnings) == (two.reasons, two.warnings)
    assert one.priority is two.priority


def _fleet(described: list[dict[str, Any]]) -> list[Answer]:
    bulletins = [one for one in shipped() if one.subject == "host"]
    return list(judge_all(hosts_of(described), bulletins))


@settings(max_examples=60)
@given(st.lists(hosts(), min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_the_order_of_hosts_does_not_matter(
    described: list[dict[str, Any]], chance: random.Random
) -> None:
    named = [{**one, "id": f"h{number}"} for number, one in enumerate(described)]
    mixed = chance.sample(named, len(named))
    one, two = _fleet(named), _fleet(mixed)
    assert by_urgency(one) == by_urgency(two)
    assert exit_code(one) == exit_code(two)
    by_host = {(answer.host, answer.advisory): answer for answer in one}
    assert by_host == {(answer.host, answer.advisory): answer for answer in two}


@settings(max_examples=100)
@given(st.lists(hosts(), min_size=1, max_size=4))
def test_exit_0_never_comes_with_an_unknown(described: list[dict[str, Any]]) -> None:
    answers = _fleet(described)
    verdicts = {one.verdict for one in answers}
    rows = [(Verdict.AFFECTED, 1), (Verdict.UNKNOWN, 3), (Verdict.MITIGATED, 2)]
    wanted = next((code for verdict, code in rows if verdict in verdicts), 0)
    assert exit_code(answers) == wanted


@given(hosts(), ADVISORIES)
def test_every_answer_has_a_step_and_says_why(
    host: dict[str, Any], advisory: str
) -> None:
    answer = answer_for(host, advisory)
    assert answer.actions
    assert not answer.actions[0].code.startswith("alt:")
    assert answer.reasons or answer.missing
    assert (answer.verdict is Verdict.UNKNOWN) or not answer.missing


@settings(max_examples=60)
@given(hosts(), ADVISORIES, st.sampled_from(Language))
def test_every_answer_can_be_told_in_each_language(
    host: dict[str, Any], advisory: str, language: Language
) -> None:
    answer = answer_for(host, advisory)
    text = "\n".join(told([answer], language))
    codes = [*answer.reasons, *answer.warnings]
    assert all(one.code in text for one in codes)
    assert all(fact in text for fact in answer.missing)
    texts = as_map(answer, language)["texts"]
    assert isinstance(texts, dict)


def test_fleet_of_no_answers_is_an_error() -> None:
    assert exit_code([]) == 4
