"""Lists the digests of the package's files when it is installed as editable.

A wheel brings such a list with it (RECORD). An editable installation leads to the
source instead, of which RECORD says nothing: so the digests at that moment are put
among its metadata, where RECORD holds the list itself. It is read by
`sekisho advisory self`.
"""

import hashlib
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PACKAGE = Path("src") / "sekisho"


class CustomBuildHook(BuildHookInterface):
    """Hatchling's name for a hook of the project's own."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Write the list where an editable installation is being made."""
        if version != "editable":
            return
        package = Path(self.root) / PACKAGE
        lines = [
            f"{hashlib.sha256(path.read_bytes()).hexdigest()}  "
            f"{path.relative_to(package.parent).as_posix()}"
            for path in sorted(package.rglob("*"))
            if path.is_file() and "__pycache__" not in path.parts
        ]
        self._folder = tempfile.TemporaryDirectory()
        file = Path(self._folder.name) / "hashes"
        file.write_text("\n".join(lines) + "\n", "utf-8")
        build_data["extra_metadata"][str(file)] = "hashes"

    def finalize(
        self, version: str, build_data: dict[str, Any], artifact_path: str
    ) -> None:
        """Throw the copy away."""
        del build_data, artifact_path
        if version == "editable":
            self._folder.cleanup()
