"""Commands, run in this process as the shell would run them."""

import io
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sekisho.cli.main import main


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed, as JSON."""
        return msgspec.json.decode(self.out)


Command = Callable[..., Ended]


@pytest.fixture
def sekisho(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """``sekisho ARGUMENTS``, with standard input."""

    def run(*arguments: str | Path, given: str = "") -> Ended:
        monkeypatch.setattr(sys, "argv", ["sekisho", *map(str, arguments)])
        stdin = io.TextIOWrapper(io.BytesIO(given.encode()))
        monkeypatch.setattr(sys, "stdin", stdin)
        code = 0
        try:
            main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        out, err = capsys.readouterr()
        return Ended(code, out, err)

    return run


@pytest.fixture
def config(tmp_path: Path, sekisho: Command) -> Path:
    """The configuration of a new server, as ``init`` writes it."""
    made = sekisho("init", tmp_path / "s", "--hostname", "relay.example.com", "--yes")
    assert made.code == 0, made.err
    return tmp_path / "s" / "sekisho.toml"
