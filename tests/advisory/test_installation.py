"""Whatever differs from what was installed is named, by a really installed package."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PathDistribution
from pathlib import Path
from typing import Any

import pytest

from sekisho.advisory.installation import Verified, verify_installation

pytestmark = pytest.mark.real
ROOT = Path(__file__).parents[2]
PARTS = ("pyproject.toml", "hatch_build.py", "README.md", "LICENSE")
MODULE = "model/text.py"


@dataclass(frozen=True)
class Installed:
    """A package in an environment of its own."""

    package: Path
    metadata: Path
    program: Path

    def verified(self) -> Verified:
        return verify_installation(self.package, PathDistribution(self.metadata))

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.program, "advisory", "self", *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            cwd=self.program.parent,
            env={"PATH": os.environ["PATH"]},
        )


def _install(folder: Path, *options: str) -> Installed:
    source = folder / "source"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "src", source / "src", ignore=ignored)
    for name in PARTS:
        shutil.copy(ROOT / name, source)
    subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", folder / "env"], check=True
    )
    python = folder / "env" / "bin" / "python"
    places = folder / "env" / "lib"
    site = next(places.glob("python*")) / "site-packages"
    # What it depends on is there already; only the package itself is installed.
    (site / "others.pth").write_text(sysconfig.get_path("purelib") + "\n")
    command = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet"]
    alone = ["--no-deps", "--no-index", "--no-build-isolation", "--ignore-installed"]
    subprocess.run(
        [*command, *alone, "--disable-pip-version-check", *options, source],
        check=True,
        capture_output=True,
    )
    (metadata,) = site.glob("sekisho-*.dist-info")
    package = source / "src" / "sekisho" if options else site / "sekisho"
    return Installed(package, metadata, python.with_name("sekisho"))


@pytest.fixture(scope="module", params=[(), ("--editable",)], ids=["wheel", "editable"])
def installed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Installed:
    return _install(tmp_path_factory.mktemp("installed"), *request.param)


@pytest.fixture
def module(installed: Installed) -> Iterator[Path]:
    """A module of it; put back when the test is over."""
    path = installed.package / MODULE
    before = path.read_bytes()
    yield path
    path.write_bytes(before)


def test_what_was_just_installed_is_sound(installed: Installed) -> None:
    verified = installed.verified()
    assert verified.is_sound, verified
    assert verified.checked > 200
    ended = installed.run("--json")
    assert ended.returncode == 0, ended.stderr
    told: dict[str, Any] = json.loads(ended.stdout)
    assert told["files"]["sound"] is True
    assert told["configuration"] is None
    assert {one["verdict"] for one in told["advisories"]} == {"not_affected"}


def test_a_changed_file_is_named_and_ends_with_1(
    installed: Installed, module: Path
) -> None:
    module.write_bytes(module.read_bytes() + b"\n")
    assert installed.verified().changed == [str(module)]
    ended = installed.run()
    assert ended.returncode == 1
    assert f"changed: {module}" in ended.stdout
    japanese = installed.run("--lang", "ja")
    assert f"変更されている: {module}" in japanese.stdout


def test_a_missing_file_is_named(installed: Installed, module: Path) -> None:
    module.unlink()
    verified = installed.verified()
    assert verified.missing == [str(module)]
    assert not verified.is_sound


def test_an_added_file_is_named_and_compiled_ones_are_not(
    installed: Installed,
) -> None:
    added = installed.package / "policy" / "extra.py"
    compiled = installed.package / "policy" / "__pycache__" / "extra.pyc"
    compiled.parent.mkdir(exist_ok=True)
    added.write_text("")
    compiled.write_text("")
    try:
        assert installed.verified().added == [str(added)]
        assert installed.run().returncode == 1
    finally:
        added.unlink()
        compiled.unlink()


def test_a_file_that_is_struck_off_the_list_is_seen_as_added(
    installed: Installed, module: Path
) -> None:
    own = installed.metadata / "extra_metadata" / "hashes"
    used = own if own.exists() else installed.metadata / "RECORD"
    before = used.read_bytes()
    used.write_bytes(before.replace(b"sekisho/model/text.py", b"sekisho/model/x.py"))
    try:
        verified = installed.verified()
        assert verified.added == [str(module)]
        assert verified.missing == [str(module.with_name("x.py"))]
        # Where there are two lists, one holds the other.
        assert verified.changed == ([str(own)] if own.exists() else [])
    finally:
        used.write_bytes(before)


def test_without_a_list_nothing_is_called_sound(tmp_path: Path) -> None:
    package = tmp_path / "sekisho"
    package.mkdir()
    metadata = tmp_path / "sekisho-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Name: sekisho\nVersion: 1.0\n")
    for found in (
        verify_installation(package, PathDistribution(metadata)),
        verify_installation(package, None),
    ):
        assert not found.is_sound
        assert not found.is_whole


@pytest.mark.parametrize("digest", ["sha256=", "sha256=!", "sha256=AAAA", "sha256=é"])
def test_what_is_no_digest_equals_no_file(tmp_path: Path, digest: str) -> None:
    package = tmp_path / "sekisho"
    package.mkdir()
    (package / "a.py").write_text("")
    metadata = tmp_path / "sekisho-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Name: sekisho\nVersion: 1.0\n")
    (metadata / "RECORD").write_text(f"sekisho/a.py,{digest},0\n\nx,,\n", "utf-8")
    found = verify_installation(package, PathDistribution(metadata))
    assert found.changed == [str(package / "a.py")]
