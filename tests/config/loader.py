"""Loading a configuration given as text."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from sekisho.config.load import load_config
from sekisho.config.problems import ConfigErrors, Problem
from sekisho.config.schema import Config

HOSTNAME = 'hostname = "relay.example.com"\n'


class Loader:
    """Writes a file and loads it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, text: str = "", env: Mapping[str, str] | None = None) -> Config:
        file = self.folder / "sekisho.toml"
        file.write_text(HOSTNAME + text, encoding="utf-8")
        return load_config(file, env or {})

    def problems(
        self, text: str = "", env: Mapping[str, str] | None = None
    ) -> list[Problem]:
        with pytest.raises(ConfigErrors) as caught:
            self(text, env)
        return caught.value.problems
