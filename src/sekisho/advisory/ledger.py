"""Which content of each advisory file was reviewed: a digest a revision.

``reviewed.txt`` beside the files has one line a revision: id, number, SHA-256. Content
that has changed without a new revision has another digest than its line, and the tests
refuse it. Comments and the order of keys do not count; whatever a reader is told does.

    python -m sekisho.advisory.ledger      writes the lines of new revisions

It never changes a line that is there: what was published stays as it was.
"""

import hashlib
import json
import sys
import tomllib
from importlib.resources import files
from pathlib import Path

from sekisho.advisory.bulletin import Bulletin
from sekisho.advisory.shelf import read_bulletin, texts_of_files

NAME = "reviewed.txt"
Ledger = dict[tuple[str, int], str]


def digest(text: str) -> str:
    """Give the SHA-256 of what an advisory file says."""
    plain = json.dumps(tomllib.loads(text), sort_keys=True, default=str)
    return hashlib.sha256(plain.encode()).hexdigest()


def read_ledger() -> Ledger:
    """Read the lines: (id, revision) → digest."""
    folder = files("sekisho.advisory") / "bulletins"
    return parse_ledger((folder / NAME).read_text("utf-8"))


def parse_ledger(text: str) -> Ledger:
    """Take the lines apart."""
    lines = [line.split() for line in text.splitlines() if line.strip()]
    return {(name, int(number)): found for name, number, found in lines}


def unreviewed(bulletin: Bulletin, text: str, ledger: Ledger) -> str | None:
    """Say in one sentence what is wrong with a file's revision; None if nothing is."""
    last = bulletin.revisions[-1].number
    kept = [number for name, number in ledger if name == bulletin.id]
    if kept != list(range(1, last + 1)):
        return (
            f"{bulletin.id} has {last} revisions, and the ledger knows {kept}: run "
            "python -m sekisho.advisory.ledger"
        )
    if ledger[(bulletin.id, last)] != digest(text):
        return (
            f"{bulletin.id} says something else than its revision {last} did: add a "
            "revision"
        )
    return None


def with_new_revisions(texts: dict[str, str], ledger: Ledger) -> Ledger:
    """Add the last revision of each file where it is the next one."""
    grown = dict(ledger)
    for name, text in texts.items():
        bulletin = read_bulletin(name, text)
        last = bulletin.revisions[-1].number
        if last == 1 or (bulletin.id, last - 1) in ledger:
            grown.setdefault((bulletin.id, last), digest(text))
    return dict(sorted(grown.items()))


def written(ledger: Ledger) -> str:
    """Give the ledger's text."""
    return "".join(
        f"{name} {number} {found}\n" for (name, number), found in ledger.items()
    )


if __name__ == "__main__":
    _path = Path(__file__).parent / "bulletins" / NAME
    _ledger = parse_ledger(_path.read_text("utf-8")) if _path.exists() else {}
    _path.write_text(written(with_new_revisions(texts_of_files(), _ledger)), "utf-8")
    for _name, _text in texts_of_files().items():
        if _wrong := unreviewed(read_bulletin(_name, _text), _text, read_ledger()):
            sys.exit(_wrong)
