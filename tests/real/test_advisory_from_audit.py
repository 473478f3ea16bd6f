"""What an audit proves of a real server is what the bulletin says of its host."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from sekisho.advisory.audited import probes_asked
from sekisho.advisory.conditions import plain_test
from sekisho.advisory.shelf import shipped
from sekisho.audit.catalogue import PROBES

pytestmark = pytest.mark.real
PROGRAM = Path(sys.executable).with_name("sekisho")


@contextlib.contextmanager
def lab(*arguments: str) -> Generator[str]:
    """A flawed server of the lab, and where it listens."""
    command = [PROGRAM, "lab", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            said = next(line for line in server.stdout if "listens on" in line)
            yield said.split("listens on ")[1].split(";")[0].strip()
        finally:
            server.terminate()


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PROGRAM, *arguments], capture_output=True, text=True, check=False, timeout=90
    )


@pytest.mark.parametrize(
    ("patched", "verdict", "code"),
    [((), "affected", 1), (("--patched",), "unknown", 3)],
    ids=["flawed", "patched"],
)
def test_the_bulletin_s_own_flaw_makes_its_host_affected(
    tmp_path: Path, patched: tuple[str, ...], verdict: str, code: int
) -> None:
    with lab("ms01-037", *patched) as place:
        audit = tmp_path / "audit.json"
        audit.write_text(run("audit", place, "--only", "AUTH-*", "--json").stdout)
    inventory = tmp_path / "inventory.json"
    inventory.write_text(json.dumps({"id": "127.0.0.1"}))
    ended = run(
        *("advisory", "assess", inventory, "--audit", audit),
        *("--advisory", "MS01-037", "--json"),
    )
    assert ended.returncode == code, ended.stderr
    (answer,) = json.loads(ended.stdout)
    assert answer["verdict"] == verdict
    asked = {one["id"]: one["verdict"] for one in answer["audit"]}
    assert (asked["AUTH-001"] == "flawed") is (not patched)


def test_every_probe_that_a_bulletin_rests_on_is_one_of_the_audit() -> None:
    tests = [
        plain_test(one.test)
        for bulletin in shipped()
        for one in bulletin.definitions.values()
    ]
    asked = probes_asked(tests)
    assert asked >= {"AUTH-001", "AUTH-002", "AUTH-004"}
    assert asked <= {one.id for one in PROBES}
