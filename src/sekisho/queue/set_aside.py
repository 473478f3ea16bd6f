"""What a salvage leaves in a queue folder: the mark before it, what it sets aside.

``damaged-<time>/`` holds the damaged file with its WAL, bodies that belong to nothing,
and `REPORT`, which names what is not whole. Nothing in it is needed any more but by
people.
"""

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sekisho.queue.bodies import fsync_folder

MARK = "queue.damaged"
REPORT = "set-aside.txt"
WAL = "queue.db-wal"
_SUFFIXES = ("", "-wal", "-shm")
_TOLD = 20


@dataclass(frozen=True, slots=True)
class Salvaged:
    """What came of it.

    Attributes:
        folder: Where the damaged file lies now, and the list of what is not whole.
        lines: That list: a line a message, and one where its WAL is damaged.

    """

    folder: Path
    lines: tuple[str, ...]

    def told(self) -> tuple[str, str]:
        """What an operator is told of it, and what he is to do."""
        wal = [line for line in self.lines if line.startswith(f"{WAL}: ")]
        lines = [line for line in self.lines if line not in wal]
        names = ", ".join(line.split(":")[0] for line in lines[:_TOLD])
        more = ", …" if len(lines) > _TOLD else ""
        whole = f"{len(lines)} messages are not whole: {names}{more}"
        told = whole if lines else "all of its messages could be read"
        return (
            "; ".join([*wal, told]),
            f"{self.folder} holds the damaged file and {REPORT}: look at the disk",
        )


def mark_damaged(folder: Path, sentence: str) -> None:
    """Have the next owner salvage the file."""
    (folder / MARK).write_text(f"{sentence}\n", encoding="utf-8")
    fsync_folder(folder)


def set_aside_folders(folder: Path) -> list[Path]:
    """What salvages have set aside in a queue folder."""
    return [one for one in sorted(folder.glob("damaged-*")) if one.is_dir()]


def new_folder(folder: Path, path: Path) -> Path:
    """A folder named by when the file was last written; again the same after a kill."""
    written = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    name = f"damaged-{written:%Y%m%dT%H%M%S}"
    candidates = (folder / (f"{name}-{n}" if n else name) for n in range(1000))
    aside = next(one for one in candidates if not (one / "queue.db").exists())
    (aside / "bodies").mkdir(mode=0o700, parents=True, exist_ok=True)
    aside.chmod(0o700)
    return aside


def finish(folder: Path, whole: Path) -> Salvaged:
    """Set the damaged file aside, and give the whole one its name."""
    aside = folder / whole.stem
    for suffix in _SUFFIXES:
        old = folder / f"queue.db{suffix}"
        if old.exists():
            old.rename(aside / old.name)
    whole.rename(folder / "queue.db")
    (folder / MARK).unlink(missing_ok=True)
    fsync_folder(aside)
    fsync_folder(folder)
    text = (aside / REPORT).read_text(encoding="utf-8")
    return Salvaged(aside, tuple(text.splitlines()))


def give_to_owner(folder: Path, *paths: Path) -> None:
    """Give what root made here to whom the folder belongs."""
    if os.geteuid() == 0:
        owner = folder.stat()
        for path in paths:
            os.chown(path, owner.st_uid, owner.st_gid)
