"""`python -m mutants`: exit status 0 if every survivor has been reviewed."""

import argparse
import fnmatch
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from mutants import making, review, trial
from mutants.scope import ROOMS, Room

ROOT = Path(__file__).parents[2]
REVIEWED = ROOT / "tests" / "mutants" / "reviewed.toml"


def main() -> int:
    """Make, try, review; each room in a process of its own."""
    parser = argparse.ArgumentParser(prog="mutants", description=__doc__)
    parser.add_argument("functions", nargs="*", help="patterns, as policy.decide.*")
    parser.add_argument("--room", choices=[room.name for room in ROOMS])
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--work", type=Path, default=ROOT / ".cache" / "mutants")
    options = parser.parse_args()
    reviewed = review.Reviewed.read(REVIEWED)
    patterns = [f"sekisho.{one}" for one in options.functions] or ["*"]
    rooms = [room for room in ROOMS if options.room in (None, room.name)]
    failed = 0
    for room in rooms:
        copy = options.work.resolve() / room.name
        begin = time.monotonic()
        failed |= trial.in_child(
            lambda room=room, copy=copy: _room(
                room, copy, patterns, reviewed, options.jobs
            )
        )
        print(f"{room.name}: {time.monotonic() - begin:.0f} s", flush=True)
    return failed


def _room(
    room: Room,
    copy: Path,
    patterns: Sequence[str],
    reviewed: review.Reviewed,
    jobs: int,
) -> int:
    made = making.make(ROOT, copy, room.modules)
    os.chdir(copy)
    sys.path[:0] = [str(copy / "src"), str(copy / "tests")]
    asked = [
        one
        for one in made
        if any(fnmatch.fnmatch(one.function, pattern) for pattern in patterns)
    ]
    tried = [one for one in asked if one.function not in reviewed.words]
    coverage, alive = trial.try_all(tried, room.tests, jobs)
    stale = reviewed.stale(made)
    for line in stale:
        print(f"LISTED, and no mutant: {line}")
    return review.report(room.name, asked, coverage, alive, reviewed) or min(
        1, len(stale)
    )


if __name__ == "__main__":
    sys.exit(main())
