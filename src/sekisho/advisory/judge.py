"""The procedure: from what is known of a host to an answer.

1. The first condition of the advisory that says yes settles the verdict, whatever else
   is not known.
2. Without one, the verdict is *unknown*, and the facts for want of which an open
   condition is not known are named. A mitigation that merely may hold leaves nothing
   open: it must be shown.
3. Whatever else holds stands beside the reason that settled it: a fixed host that is a
   domain member is told both. Only what would make it look worse than it was settled to
   be is left out.
4. Warnings, actions and priority are asked of the answer so far and of the facts.

The procedure never looks at a host's id, so what was answered for one set of facts
holds for every host with the same: fleets are judged once a kind.
"""

from collections.abc import Callable, Iterable, Iterator

from sekisho.advisory.asking import Asked, Asker, Known
from sekisho.advisory.bulletin import Bulletin, Condition, Remark
from sekisho.advisory.conditions import ANSWER, Truth
from sekisho.advisory.facts import FACTS, Value
from sekisho.advisory.inventory import Host
from sekisho.advisory.verdicts import (
    Answer,
    Basis,
    Priority,
    Said,
    Scope,
    Verdict,
    worst_first,
)

MAX_REMEMBERED = 20_000
_ORDER = {fact.name: number for number, fact in enumerate(FACTS)}
_CALMING = {Verdict.FIXED, Verdict.NOT_AFFECTED, Verdict.MITIGATED}


class Judge:
    """One advisory, ready to judge hosts."""

    def __init__(self, bulletin: Bulletin) -> None:
        self.bulletin = bulletin
        self._asker = Asker(bulletin.tests)
        self._conditions = [
            (one, self._asker.asked(one.when.test), _said(one))
            for one in bulletin.conditions
        ]
        self._remarks = [
            (self._asker.asked(one.when.test), _said(one)) for one in bulletin.remarks
        ]
        self._warnings = [
            (self._asker.asked(one.when.test), Said(one.code, one.text))
            for one in bulletin.warnings
        ]
        self._actions = [
            (self._asker.asked(one.when.test), Said(one.spelled, one.text))
            for one in bulletin.actions
        ]
        self._by_default = self._asker.asked(bulletin.installed_by_default.test)
        self._goes_first = self._asker.asked(bulletin.goes_first.test)
        self._names = self._asked_for()
        self._remembered: dict[tuple[Value | None, ...], Answer] = {}

    def _asked_for(self) -> tuple[str, ...]:
        bulletin = self.bulletin
        whens = [one.when for one in (*bulletin.conditions, *bulletin.remarks)]
        whens += [one.when for one in (*bulletin.warnings, *bulletin.actions)]
        whens += [bulletin.installed_by_default, bulletin.goes_first]
        names = {name for one in whens for name in self._asker.names(one.test)}
        return tuple(sorted(name for name in names if not name.startswith(ANSWER)))

    def judge(self, host: Host) -> Answer:
        """Answer for one host."""
        key = tuple(map(host.facts.get, self._names))
        found = self._remembered.get(key)
        if found is None:
            found = self._answer(host.id, dict(host.facts))
            if len(self._remembered) < MAX_REMEMBERED:
                self._remembered[key] = found
        return Answer(
            host.id,
            found.advisory,
            found.verdict,
            found.scope,
            found.reasons,
            found.actions,
            found.missing,
            found.warnings,
            found.priority,
            found.first,
        )

    def _answer(self, host: str, facts: Known) -> Answer:
        holding = [
            (one, said)
            for one, asked, said in self._conditions
            if asked(facts) is Truth.YES
        ]
        settled = holding[0][0] if holding else None
        verdict = settled.verdict if settled else Verdict.UNKNOWN
        scope = settled.scope if settled else None
        missing = () if settled else self._missing(facts)
        remarks = [said for asked, said in self._remarks if asked(facts) is Truth.YES]
        reasons = (*_reasons(holding), *remarks)
        first = self._goes_first(facts) is Truth.YES
        priority = self._priority(verdict, settled, facts)
        facts |= {
            "answer.verdict": verdict.value,
            "answer.scope": scope.value if scope else "none",
            "answer.reasons": frozenset(one.code for one in reasons),
            "answer.missing": frozenset(missing),
        }
        return Answer(
            host,
            self.bulletin.id,
            verdict,
            scope,
            reasons,
            _saying_yes(self._actions, facts),
            missing,
            _saying_yes(self._warnings, facts),
            priority,
            first,
        )

    def _missing(self, facts: Known) -> tuple[str, ...]:
        names = {
            name
            for one, _, _ in self._conditions
            if one.open
            for name in self._asker.missing(one.when.test, facts)
        }
        return tuple(sorted(names, key=lambda name: _ORDER.get(name, len(_ORDER))))

    def _priority(
        self, verdict: Verdict, settled: Condition | None, facts: Known
    ) -> Priority:
        if verdict is Verdict.UNKNOWN:
            absent = self._by_default(facts) is Truth.NO
            return Priority.P3 if absent else Priority.P2
        scope = settled.scope if settled else None
        basis = settled.basis if settled else None
        return _PRIORITIES[(verdict, scope, basis)]


_PRIORITIES: dict[tuple[Verdict, Scope | None, Basis | None], Priority] = {
    (Verdict.AFFECTED, None, None): Priority.P1,
    (Verdict.MITIGATED, Scope.INTERNET_ONLY, None): Priority.P2,
    (Verdict.MITIGATED, Scope.ALL, None): Priority.P3,
    (Verdict.NOT_AFFECTED, None, Basis.CONFIGURATION): Priority.P4,
    (Verdict.NOT_AFFECTED, None, Basis.PRODUCT): Priority.NONE,
    (Verdict.FIXED, None, None): Priority.NONE,
}


def _said(one: Condition | Remark) -> Said:
    return Said(one.code, one.reason, one.section)


def _reasons(holding: list[tuple[Condition, Said]]) -> Iterator[Said]:
    for number, (one, said) in enumerate(holding):
        if (
            number == 0
            or one.verdict in _CALMING
            or one.verdict is holding[0][0].verdict
        ):
            yield said


def _saying_yes(rows: list[tuple[Asked, Said]], facts: Known) -> tuple[Said, ...]:
    return tuple(said for asked, said in rows if asked(facts) is Truth.YES)


def judge_all(
    hosts: Iterable[Host],
    bulletins: Iterable[Bulletin],
    judged: Callable[[int], None] = lambda _: None,
) -> Iterator[Answer]:
    """Answer for each host and each advisory, in the order of the hosts.

    Args:
        hosts: The fleet.
        bulletins: By which each is judged.
        judged: Is told how many hosts are done.

    Yields:
        The answers.

    """
    judges = [Judge(one) for one in bulletins]
    for number, host in enumerate(hosts, start=1):
        for one in judges:
            yield one.judge(host)
        judged(number)


EXIT_UNREADABLE = 4
_EXITS = ((Verdict.AFFECTED, 1), (Verdict.UNKNOWN, 3), (Verdict.MITIGATED, 2))


def exit_code(answers: Iterable[Answer]) -> int:
    """Say in a number how a fleet fares; 0 only if all are fixed or not affected."""
    verdicts = {one.verdict for one in answers}
    for verdict, code in _EXITS:
        if verdict in verdicts:
            return code
    return 0 if verdicts else EXIT_UNREADABLE


def by_urgency(answers: Iterable[Answer]) -> list[Answer]:
    """Sort the worst first."""
    return sorted(answers, key=worst_first)
