"""Whether the installed files are those that were installed.

What the bulletins call verifying the installation: a list of digests, made when the
package was built, against the files as they are. Two lists are known:

- ``RECORD``, which every installed wheel has (PyPA's *recording installed projects*);
- ``extra_metadata/hashes``, which `hatch_build.py` writes where the installation leads
  to a source folder, of which RECORD says nothing. RECORD holds the list itself.

A file can be changed, missing, or added: a module that nobody listed is imported as
well. What is compiled beside it (``__pycache__``) is made anew from the source and
stands in no list. The list lies beside the files, so whoever can change these can
change it: its own digest is given, to be compared with one from elsewhere.
"""

import base64
import csv
import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

PACKAGE = "sekisho"
_OWN_LIST = "extra_metadata/hashes"
_RECORD = "RECORD"
_COMPILED = "__pycache__"
_HEX = re.compile(r"[0-9a-f]{64}\Z")


@dataclass(slots=True)
class Verified:
    """What came of it.

    Attributes:
        version: As installed.
        lists: Each list that was used: its path and the SHA-256 of it.
        checked: How many files were compared.
        changed: Files whose content is not what was listed.
        missing: Listed, and not there.
        added: There, and not listed.
        is_whole: Whether there was a list of the package's own files.

    """

    version: str = ""
    lists: dict[str, str] = field(default_factory=dict[str, str])
    checked: int = 0
    changed: list[str] = field(default_factory=list[str])
    missing: list[str] = field(default_factory=list[str])
    added: list[str] = field(default_factory=list[str])
    is_whole: bool = False

    @property
    def is_sound(self) -> bool:
        """Whether everything is as it was listed, and everything was listed."""
        return self.is_whole and not (self.changed or self.missing or self.added)


def verify_installation(package: Path, installed: Distribution | None) -> Verified:
    """Compare the installed files with the lists made when they were installed.

    Args:
        package: The folder that is imported as ``sekisho``.
        installed: The metadata of the installation, or None if it has none.

    """
    if installed is None:
        return Verified()
    verified = Verified(installed.version)
    listed: dict[Path, bytes] = {}
    where = Path(str(installed.locate_file("")))
    metadata = where / f"{PACKAGE}-{installed.version}.dist-info"
    if (record := metadata / _RECORD).is_file():
        listed |= _recorded(_read(record, verified), where)
    if (own := metadata / _OWN_LIST).is_file():
        listed |= _summed(_read(own, verified), package.parent)
    _compare(listed, verified)
    inside = {path for path in listed if path.is_relative_to(package.resolve())}
    verified.is_whole = bool(inside)
    if inside:
        found = {path.resolve() for path in _files(package)}
        verified.added = sorted(str(path) for path in found - listed.keys())
    return verified


def this_installation() -> tuple[Path, Distribution | None]:
    """The folder that this process runs from, and the metadata that it came with."""
    package = Path(__file__).resolve().parents[1]
    try:
        return package, distribution(PACKAGE)
    except PackageNotFoundError:
        return package, None


def _read(path: Path, verified: Verified) -> str:
    octets = path.read_bytes()
    verified.lists[str(path)] = hashlib.sha256(octets).hexdigest()
    return octets.decode("utf-8", "replace")


def _recorded(record: str, where: Path) -> dict[Path, bytes]:
    """RECORD: path, algorithm and digest, size; what has no digest is left out."""
    listed: dict[Path, bytes] = {}
    for row in csv.reader(record.splitlines()):
        name, digest, *_ = [*row, "", ""]
        algorithm, _, text = digest.partition("=")
        if algorithm == "sha256":
            listed[(where / name).resolve()] = _decoded(text)
    return listed


def _decoded(text: str) -> bytes:
    """What is no digest equals none, so that its file counts as changed."""
    try:
        return base64.urlsafe_b64decode(text + "==")
    except ValueError:
        return b""


def _summed(own: str, above: Path) -> dict[Path, bytes]:
    """The list in the form of sha256sum."""
    listed: dict[Path, bytes] = {}
    for line in own.splitlines():
        digest, separator, name = line.partition("  ")
        if separator and _HEX.match(digest):
            listed[(above / name).resolve()] = bytes.fromhex(digest)
    return listed


def _compare(listed: Mapping[Path, bytes], verified: Verified) -> None:
    for path, digest in sorted(listed.items()):
        verified.checked += 1
        try:
            found = hashlib.sha256(path.read_bytes()).digest()
        except FileNotFoundError:
            verified.missing.append(str(path))
        except OSError as error:
            verified.changed.append(f"{path} ({error.strerror})")
        else:
            if found != digest:
                verified.changed.append(str(path))


def _files(package: Path) -> Iterator[Path]:
    for path in package.rglob("*"):
        if _COMPILED not in path.parts and (path.is_file() or path.is_symlink()):
            yield path
