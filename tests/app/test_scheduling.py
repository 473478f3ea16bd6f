"""A worker takes the policy for batch work, and goes on where it cannot."""

import os
import subprocess
import sys

import pytest

TAKE = "from sekisho.app.scheduling import work_in_batches; work_in_batches()"
TELL = "import os; print(os.sched_getscheduler(0))"

pytestmark = pytest.mark.skipif(
    not hasattr(os, "SCHED_BATCH"), reason="the platform has no such policy"
)


def told(program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_it_holds_for_threads_started_later() -> None:
    thread = "import threading; t = threading.Thread(target=lambda: exec(TELL))"
    program = f"{TAKE}\nTELL = {TELL!r}\n{thread}; t.start(); t.join()"
    assert told(program) == str(os.SCHED_BATCH)


def test_where_it_is_forbidden_things_stay_as_they_are() -> None:
    forbid = "import os\ndef no(*_): raise PermissionError\nos.sched_setscheduler = no"
    assert told(f"{forbid}\n{TAKE}\n{TELL}") == str(os.SCHED_OTHER)
