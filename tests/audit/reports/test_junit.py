"""JUnit as the readers of CI systems take it in."""

from typing import Any

import junitparser
import pytest

from audit.reports.sample import clean, everything, report
from sekisho.audit.reports.junit import junit
from sekisho.model.text import Language

junitparser_any: Any = junitparser


def loaded(xml: str) -> Any:
    return junitparser_any.JUnitXml.fromstring(xml.encode())


def states(suite: Any) -> dict[str, list[str]]:
    return {
        case.name[:8]: [type(one).__name__ for one in case.result] for case in suite
    }


def test_a_port_is_a_suite_and_a_probe_a_test() -> None:
    xml = loaded(junit(everything(), Language.ENGLISH))
    first, second, shut = list(xml)
    assert [one.name for one in xml] == [
        "mail.example.com:25",
        "mail.example.com:465",
        "mail.example.com:2525",
    ]
    assert states(first) == {
        "TLS-001 ": ["Skipped"],
        "SMG-003 ": ["Skipped"],
        "REL-001 ": ["Failure"],
        "AUTH-001": ["Failure"],
    }
    assert states(second)["SMG-003 "] == []
    assert states(shut) == {"connecti": ["Error"]}


def test_the_totals_are_those_of_the_tests() -> None:
    xml = loaded(junit(everything(), Language.ENGLISH))
    written = [(xml.tests, xml.failures, xml.errors, xml.skipped)]
    written += [(one.tests, one.failures, one.errors, one.skipped) for one in xml]
    assert written == [(9, 3, 1, 2), (4, 2, 0, 2), (4, 1, 0, 0), (1, 0, 1, 0)]
    xml.update_statistics()
    assert (xml.tests, xml.failures, xml.errors, xml.skipped) == (9, 3, 1, 2)


def test_a_failure_says_why_what_to_do_and_what_was_said() -> None:
    xml = loaded(junit(everything(), Language.ENGLISH))
    case = list(next(iter(xml)))[-1]
    (failure,) = case.result
    assert failure.type == "flawed"
    assert failure.message.startswith("flawed: the server answered: 235")
    assert "What to change: Install" in failure.text
    assert "C: AUTH LOGIN\nS: 334 VXNlcm5hbWU6" in case.system_out


@pytest.mark.parametrize("language", Language)
def test_a_clean_audit_has_no_failure(language: Language) -> None:
    xml = loaded(junit(clean(), language))
    assert (xml.tests, xml.failures, xml.errors, xml.skipped) == (2, 0, 0, 1)


def test_an_audit_of_nothing_loads() -> None:
    assert loaded(junit(report(), Language.ENGLISH)).tests == 0
