"""Tries mutants: each in a process forked from one that has collected the tests."""

import json
import os
import resource
import select
import shutil
import signal
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

import pytest
from mutmut.mutation.trampoline import set_mutant_under_test
from mutmut.state import state

from mutants.making import Mutant

_PYTEST = ("-q", "-s", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:cov")
_LONGEST_TEST_SECONDS = 3.0
"""Longer tests are left out: they measure time or wait for it."""
_MOST_SECONDS = 2.0
"""Of processor time a mutant, the quickest tests first."""
_PATIENCE_SECONDS = 40.0
"""A mutant that takes this longer than its tests hangs: nobody is let in."""
_MOST_BURNT_SECONDS = 5
"""As `_PATIENCE_SECONDS`, of processor time: a loop without an end takes no longer."""


@dataclass
class Coverage:
    """Which tests go through which function, and how long they take.

    Attributes:
        tests: By function.
        at_import: Test files whose import goes through it, by function; a folder
            stands for the ``conftest.py`` that its files share.
        seconds: By test.

    """

    tests: dict[str, list[str]] = field(default_factory=dict)
    at_import: dict[str, list[str]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)


def in_child(work: Callable[[], int]) -> int:
    """Do something in a process of its own, so that this one imports no tests."""
    pid = os.fork()
    if pid == 0:
        os._exit(_guarded(work))
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _guarded(work: Callable[[], int]) -> int:
    try:
        return int(work())
    except BaseException as error:  # noqa: BLE001 - the process ends here
        print(repr(error), file=sys.stderr)
        return 99


class Haste:
    """Plugin: the same examples each time, and a failing one is not made smaller."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_configure(self) -> None:
        """Register the profile that `_PYTEST` asks for."""
        from hypothesis import Phase, settings  # noqa: PLC0415 - pytest rewrites it

        phases = (Phase.explicit, Phase.generate)
        settings.register_profile(
            "mutants",
            derandomize=True,
            database=None,
            deadline=None,
            max_examples=40,
            phases=phases,
        )


def run_pytest(arguments: Sequence[str], plugins: Sequence[object] = ()) -> int:
    """Run the tests of the copy."""
    options = [*_PYTEST, "--hypothesis-profile=mutants", *arguments]
    return int(pytest.main(options, plugins=[Haste(), *plugins]))


class Survey:
    """Plugin: who goes through what."""

    def __init__(self, out: Path) -> None:
        self._out = out
        self._tests: dict[str, set[str]] = defaultdict(set)
        self._at_import: dict[str, set[str]] = defaultdict(set)
        self._seconds: dict[str, float] = {}
        set_mutant_under_test("stats")

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(self, collector: pytest.Collector) -> Iterator[None]:
        """Note what the import of a file goes through."""
        report = yield
        for name in self._drained():
            self._at_import[name].add(collector.nodeid)
        return report

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Note what a test goes through, and how long it takes."""
        wall, cpu = time.monotonic(), time.process_time()
        result = yield
        if time.monotonic() - wall < _LONGEST_TEST_SECONDS:
            self._seconds[item.nodeid] = time.process_time() - cpu
        for name in self._drained():
            self._tests[name].add(item.nodeid)
        return result

    def pytest_sessionfinish(self) -> None:
        """Write it down."""
        seconds = self._seconds
        tests = {
            name: sorted(found & seconds.keys()) for name, found in self._tests.items()
        }
        at_import = {name: sorted(found) for name, found in self._at_import.items()}
        self._out.write_text(json.dumps([tests, at_import, seconds]))

    @staticmethod
    def _drained() -> list[str]:
        hits = list(state()._stats)  # noqa: SLF001 - mutmut's own runner does so
        state()._stats.clear()  # noqa: SLF001
        return hits


@dataclass
class _Running:
    mutant: Mutant
    pid: int
    pipe: int
    until: float
    scratch: Path


class Trials:
    """Plugin: in place of the tests, a process for each mutant.

    Args:
        mutants: To be tried.
        coverage: What to run for them.
        out: Where a line of JSON goes for each: name, and what killed it.
        jobs: How many at once.

    """

    def __init__(
        self, mutants: Sequence[Mutant], coverage: Coverage, out: Path, jobs: int
    ) -> None:
        self._mutants = mutants
        self._coverage = coverage
        self._out = out
        self._jobs = jobs
        self._killers: dict[str, Counter[str]] = defaultdict(Counter)
        self._running: list[_Running] = []

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Try them all."""
        items = {item.nodeid: item for item in session.items}
        with self._out.open("a") as out:
            for mutant in self._mutants:
                while len(self._running) >= self._jobs:
                    self._wait(out)
                self._start(mutant, items)
            while self._running:
                self._wait(out)
        return True

    def _start(self, mutant: Mutant, items: dict[str, pytest.Item]) -> None:
        chosen, seconds = self._chosen(mutant)
        reader, writer = os.pipe()
        scratch = Path(f"scratch-{mutant.name.rpartition('.')[2]}").absolute()
        pid = os.fork()
        if pid == 0:
            os.close(reader)
            scratch.mkdir(parents=True, exist_ok=True)
            os.environ["PYTEST_DEBUG_TEMPROOT"] = str(scratch)
            set_mutant_under_test(mutant.name)
            burnt = _MOST_BURNT_SECONDS + int(4 * seconds)
            resource.setrlimit(resource.RLIMIT_CPU, (burnt, burnt))
            os._exit(_guarded(lambda: _try([items[one] for one in chosen], writer)))
        os.close(writer)
        until = time.monotonic() + _PATIENCE_SECONDS + 4 * seconds
        self._running.append(_Running(mutant, pid, reader, until, scratch))

    def _chosen(self, mutant: Mutant) -> tuple[list[str], float]:
        """The tests, those that kill most first, then the quickest."""
        seconds, kills = self._coverage.seconds, self._killers[mutant.key]
        known = self._coverage.tests.get(mutant.key, ())
        chosen, total = list[str](), 0.0
        for one in sorted(known, key=lambda one: (-kills[one], seconds[one], one)):
            if total + seconds[one] > _MOST_SECONDS:
                break
            total += seconds[one]
            chosen.append(one)
        return chosen, total

    def _wait(self, out: TextIO) -> None:
        ready, _, _ = select.select([one.pipe for one in self._running], [], [], 1.0)
        now = time.monotonic()
        for one in list(self._running):
            if one.pipe not in ready and now < one.until:
                continue
            killer = os.read(one.pipe, 4096).decode() if one.pipe in ready else "hangs"
            if one.pipe not in ready:
                os.kill(one.pid, signal.SIGKILL)
            status = os.waitstatus_to_exitcode(os.waitpid(one.pid, 0)[1])
            os.close(one.pipe)
            shutil.rmtree(one.scratch, ignore_errors=True)
            self._running.remove(one)
            if status and not killer:
                killer = f"ended with {status}"
            self._killers[one.mutant.key][killer] += 1
            print(json.dumps([one.mutant.name, killer]), file=out, flush=True)


def _try(items: Sequence[pytest.Item], writer: int) -> int:
    """Run tests until one fails, whose name goes into the pipe."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)

    class Watch:
        def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
            if report.failed:
                os.write(writer, report.nodeid.encode()[:4000])
                os._exit(1)

    if not items:
        return 0
    items[0].config.pluginmanager.register(Watch())
    for item, following in zip(items, [*items[1:], None], strict=True):
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
    return 0


def survives_import(mutant: Mutant, files: Sequence[str]) -> bool:
    """Whether the tests pass where the mutant is there from their import on."""

    def work() -> int:
        set_mutant_under_test(mutant.name)
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, 1)
        os.dup2(nothing, 2)
        return run_pytest(["-x", *files])

    return in_child(work) == 0


def try_all(
    mutants: Sequence[Mutant], tests: Sequence[str], jobs: int
) -> tuple[Coverage, list[Mutant]]:
    """Try mutants; what goes through them, and which of them survive."""
    survey, results = Path("survey.json"), Path("results.jsonl")
    if in_child(lambda: run_pytest(tests, [Survey(survey)])):
        raise SystemExit("the tests fail without a mutant")
    coverage = Coverage(*json.loads(survey.read_text()))
    trials = Trials(mutants, coverage, results, jobs)
    in_child(lambda: run_pytest(tests, [trials]))
    killers = dict(json.loads(line) for line in results.read_text().splitlines())
    if len(killers) != len(mutants):
        raise SystemExit(f"only {len(killers)} of {len(mutants)} were tried")
    alive = [one for one in mutants if not killers[one.name]]
    return coverage, [one for one in alive if not _dies_at_import(one, coverage, tests)]


def _dies_at_import(mutant: Mutant, coverage: Coverage, tests: Sequence[str]) -> bool:
    files = coverage.at_import.get(mutant.key)
    if not files:
        return False
    if not all(one.endswith(".py") for one in files):
        return not survives_import(mutant, tests)
    options = [one for one in tests if one.startswith("-")]
    return not survives_import(mutant, [*options, *files])
