"""Opens what people name as a registry: one export, or the hives of one host."""

from collections.abc import Sequence
from pathlib import Path

from sekisho.advisory.evidence import Evidence, computer_name, take_evidence
from sekisho.advisory.export_file import Bounds, read_export
from sekisho.advisory.hive import SIGNATURE, Hive
from sekisho.advisory.registry import Registry, RegistryError, Together

MAX_FILES = 8


def evidence_in(paths: Sequence[Path]) -> Evidence:
    """Take what the files of one host show; without a name, it is that of the first.

    Raises:
        RegistryError: One cannot be read, or they are of several hosts.
        OSError: One cannot be opened.

    """
    if len(paths) > MAX_FILES:
        raise RegistryError(
            f"more than {MAX_FILES} files for one host",
            "export what they hold into one file",
        )
    parts = [_opened(path) for path in paths]
    names = {
        name.casefold(): name for name in map(computer_name, parts) if name is not None
    }
    if len(names) > 1:
        raise RegistryError(
            f"the files are of several hosts: {', '.join(sorted(names.values()))}",
            "assess one host at a time, or put the hosts into an inventory",
        )
    return take_evidence(Together(parts), paths[0].stem)


def _opened(path: Path) -> Registry:
    bounds = Bounds()
    with path.open("rb") as stream:
        is_hive = stream.read(len(SIGNATURE)) == SIGNATURE
        stream.seek(0)
        octets = b"" if is_hive else stream.read(bounds.file_bytes + 1)
    try:
        return Hive(path) if is_hive else read_export(octets, bounds)
    except RegistryError as error:
        raise RegistryError(f"{path}: {error.sentence}", error.hint) from None
