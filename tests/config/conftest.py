"""Fixtures of the configuration's tests."""

from pathlib import Path

import pytest

from config.loader import Loader


@pytest.fixture
def load(tmp_path: Path) -> Loader:
    return Loader(tmp_path)
