"""The file of MS01-037 carries out its procedure: both are asked about many hosts.

The procedure is written here a second time, as a table of rules in Python with `None`
for "not known", from the description and not from the file. The two must agree on every
host, also where little is known.
"""

from collections.abc import Callable, Mapping
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from advisory.described import KEY, hosts_of, judge_of
from advisory.test_answers_always import CHOICES, any_host, nearly_exposed
from sekisho.advisory.facts import BY_NAME, read_fact, registry_key
from sekisho.advisory.inventory import Host
from sekisho.advisory.verdicts import Answer

Told = bool | None
Facts = Mapping[str, Any]


def _both(*told: Told) -> Told:
    return False if False in told else None if None in told else True


def _either(*told: Told) -> Told:
    return True if True in told else None if None in told else False


def _no(told: Told) -> Told:
    return None if told is None else not told


def _is(facts: Facts, name: str, *values: object) -> Told:
    return None if name not in facts else facts[name] in values


def _as(facts: Facts, name: str, holds: Callable[[Any], bool]) -> Told:
    return None if name not in facts else holds(facts[name])


def _key(facts: Facts) -> Told:
    return _as(facts, "patch.registry_keys", lambda keys: registry_key(KEY) in keys)


def _contradiction(facts: Facts) -> bool:
    return _is(facts, "os.service_pack", 0) is True and _key(facts) is True


def _patched(facts: Facts) -> Told:
    if _contradiction(facts):
        return None
    return _both(
        _is(facts, "os.service_pack", 1, 2),
        _key(facts),
        _no(_is(facts, "patch.filelist", "older")),
        _is(facts, "patch.reboot_pending", False),
    )


def _reachable(facts: Facts) -> Told:
    return _both(
        _is(facts, "os.product", "Windows 2000"),
        _as(facts, "os.service_pack", lambda pack: pack < 3),
        _is(facts, "exchange", "none"),
        _is(facts, "smtp.installed", True),
        _is(facts, "smtp.state", "running"),
        _is(facts, "domain_role", "standalone"),
    )


def _procedure(facts: Facts) -> tuple[str, str | None]:
    windows_2000 = _is(facts, "os.product", "Windows 2000")
    nt_4 = _is(facts, "os.product", "Windows NT 4.0")
    earlier = _is(facts, "os.product", "Windows NT 3.51")
    untested = _is(facts, "exchange", "4.0", "5.0")
    blocked = _both(
        _is(facts, "firewall_internet_25", "blocked"),
        _is(facts, "smtp.ports", frozenset({25})),
    )
    stopped = _is(facts, "smtp.state", "stopped")
    disabled = _is(facts, "smtp.start_type", "disabled")
    not_patched = _no(_patched(facts))
    rules: list[tuple[Told, str, str | None]] = [
        (_both(nt_4, _no(untested)), "not_affected", None),
        (_either(earlier, untested), "unknown", None),
        (_no(_either(windows_2000, nt_4, earlier)), "not_affected", None),
    ]
    of_2000: list[tuple[Told, str, str | None]] = [
        (_as(facts, "os.service_pack", lambda pack: pack >= 3), "fixed", None),
        (_patched(facts), "fixed", None),
        (_is(facts, "exchange", "5.5", "2000"), "not_affected", None),
        (_is(facts, "smtp.installed", False), "not_affected", None),
        (
            _is(facts, "domain_role", "member", "domain-controller"),
            "not_affected",
            None,
        ),
        (_both(disabled, stopped), "mitigated", "all"),
        (_both(stopped, _no(disabled)), "mitigated", "all"),
        (
            _both(
                _reachable(facts), _either(not_patched, _contradiction(facts)), blocked
            ),
            "mitigated",
            "internet-only",
        ),
        (_both(_reachable(facts), not_patched), "affected", None),
    ]
    rules += [
        (_both(windows_2000, told), verdict, scope) for told, verdict, scope in of_2000
    ]
    return next(
        ((verdict, scope) for told, verdict, scope in rules if told), ("unknown", None)
    )


def _judged(host: dict[str, Any]) -> tuple[Facts, Answer]:
    (described,) = hosts_of(host)
    return described.facts, judge_of("MS01-037").judge(described)


@settings(max_examples=3000)
@given(any_host() | nearly_exposed())
def test_the_file_says_what_the_procedure_says(host: dict[str, Any]) -> None:
    facts, answer = _judged(host)
    scope = answer.scope.value if answer.scope else None
    assert (answer.verdict.value, scope) == _procedure(facts)


@settings(max_examples=500)
@given(any_host() | nearly_exposed())
def test_only_facts_that_rules_use_and_nobody_told_are_missing(
    host: dict[str, Any],
) -> None:
    facts, answer = _judged(host)
    assert set(answer.missing) - {"patch.state"} <= USED - set(facts)
    assert ("patch.state" not in answer.missing) or _contradiction(facts)


@settings(max_examples=500)
@given(any_host() | nearly_exposed(), st.data())
def test_what_is_missing_can_settle_the_verdict(
    host: dict[str, Any], data: st.DataObject
) -> None:
    facts, answer = _judged(host)
    missing = set(answer.missing) - {"patch.state"}
    told = dict(facts)
    for name in sorted(missing):
        raw = data.draw(st.sampled_from(CHOICES[tuple(name.split("."))]))
        told[name] = read_fact(BY_NAME[name], raw)
    after = judge_of("MS01-037").judge(Host("h", told))
    assert after.missing == (("patch.state",) if after.missing else ())


USED = frozenset(
    {
        "os.product",
        "os.service_pack",
        "exchange",
        "smtp.installed",
        "smtp.state",
        "smtp.start_type",
        "domain_role",
        "patch.registry_keys",
        "patch.filelist",
        "patch.reboot_pending",
    }
)
