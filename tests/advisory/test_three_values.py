"""Tests over facts have three values, and what is not known never becomes a no."""

from typing import Any

import pytest

from sekisho.advisory.asking import Asker
from sekisho.advisory.conditions import Test, Truth, parse_test, plain_test

YES: dict[str, Any] = {"fact": "smtp.installed", "is": True}
NO: dict[str, Any] = {"fact": "smtp.installed", "is": False}
OPEN: dict[str, Any] = {"fact": "domain_role", "is": "member"}
FACTS: dict[str, Any] = {
    "smtp.installed": True,
    "os.service_pack": 2,
    "exchange": "5.5",
    "smtp.ports": frozenset({25, 587}),
}
Y, N, U = Truth.YES, Truth.NO, Truth.NOT_KNOWN


def _parsed(raw: dict[str, Any]) -> Test:
    return parse_test(raw)


def _asked(raw: dict[str, Any], **facts: Any) -> Truth:
    definitions = {"yes": _parsed(YES), "open": _parsed(OPEN)}
    return Asker(definitions).asked(_parsed(raw))({**FACTS, **facts})


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (YES, Y),
        (NO, N),
        (OPEN, U),
        ({"all": []}, Y),
        ({"all": [YES, OPEN]}, U),
        ({"all": [OPEN, YES, NO]}, N),
        ({"any": []}, N),
        ({"any": [NO, OPEN]}, U),
        ({"any": [OPEN, NO, YES]}, Y),
        ({"not": YES}, N),
        ({"not": NO}, Y),
        ({"not": OPEN}, U),
        ({"shown": YES}, Y),
        ({"shown": NO}, N),
        ({"shown": OPEN}, N),
        ({"doubt": YES, "about": "patch.state"}, U),
        ({"doubt": NO, "about": "patch.state"}, N),
        ({"doubt": OPEN, "about": "patch.state"}, N),
        ({"use": "yes"}, Y),
        ({"use": "open"}, U),
        ({"fact": "os.service_pack", "at_least": 2}, Y),
        ({"fact": "os.service_pack", "at_least": 3}, N),
        ({"fact": "os.service_pack", "below": 2}, N),
        ({"fact": "os.service_pack", "below": 3}, Y),
        ({"fact": "os.service_pack", "in": [1, 2]}, Y),
        ({"fact": "exchange", "below": "5.5"}, N),
        ({"fact": "exchange", "below": "2000"}, Y),
        ({"fact": "exchange", "at_least": "5.0"}, Y),
        ({"fact": "smtp.ports", "has": 25}, Y),
        ({"fact": "smtp.ports", "has": 26}, N),
        ({"fact": "smtp.ports", "only": 25}, N),
        ({"fact": "smtp.ports", "other_than": 25}, Y),
    ],
)
def test_each_test_says_what_its_table_says(raw: dict[str, Any], said: Truth) -> None:
    assert _asked(raw) is said


@pytest.mark.parametrize("ask", ["below", "at_least"])
def test_no_exchange_is_no_version(ask: str) -> None:
    assert _asked({"fact": "exchange", ask: "5.5"}, exchange="none") is N


def test_only_port_25_is_only_port_25() -> None:
    raw = {"fact": "smtp.ports", "only": 25}
    assert _asked(raw, **{"smtp.ports": frozenset({25})}) is Y
    assert _asked(raw, **{"smtp.ports": frozenset[int]()}) is N


@pytest.mark.parametrize(
    ("raw", "names"),
    [
        (YES, []),
        (OPEN, ["domain_role"]),
        ({"all": [OPEN, NO]}, []),
        ({"any": [{"not": {"use": "open"}}, NO]}, ["domain_role"]),
        ({"doubt": YES, "about": "patch.state"}, ["patch.state"]),
        ({"shown": OPEN}, []),
    ],
)
def test_missing_are_the_facts_that_would_settle_it(
    raw: dict[str, Any], names: list[str]
) -> None:
    asker = Asker({"open": _parsed(OPEN)})
    assert list(asker.missing(_parsed(raw), dict(FACTS))) == names


def test_all_facts_of_a_test_are_named_whatever_it_says() -> None:
    raw = {
        "any": [
            {"not": YES},
            {"shown": {"use": "open"}},
            {"doubt": NO, "about": "exchange"},
        ]
    }
    asker = Asker({"open": _parsed(OPEN)})
    assert set(asker.names(_parsed(raw))) == {"smtp.installed", "domain_role"}


@pytest.mark.parametrize(
    "raw",
    [
        {"all": [YES, {"any": [{"not": OPEN}, {"shown": NO}]}]},
        {"doubt": {"use": "yes"}, "about": "patch.state"},
        {"fact": "os.service_pack", "in": [1, 2]},
        {"fact": "smtp.ports", "only": 25},
    ],
)
def test_a_test_is_spelled_as_it_was_written(raw: dict[str, Any]) -> None:
    assert plain_test(_parsed(raw)) == raw
