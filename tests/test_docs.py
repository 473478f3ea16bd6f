"""The pages under docs/ say nothing that is not there.

Three rules, the same for every page, so that a page needs no markup of its own:

1. What a page names as `tests/….py::test_…` is a test of that file; what it names as a
   path (in back quotes or as a link) is a file or folder: of the repository, of
   `src/sekisho/`, or beside the page.
2. A block of TOML in a how-to is configuration that somebody will copy. One that sets
   `hostname` is a whole file and loads as it stands. Any other is a fragment: it is put
   behind `PREAMBLE`, which holds what each fragment may take for granted.
3. Files that a block names are made beside it first: a certificate pair, a secret, a
   list of recipients. What is loaded is also proved closed: a how-to that opens a relay
   is worse than none.
4. What begins with `sekisho`, in back quotes or on an indented line, is a command: it
   and its options are there.
"""

import ast
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import click
import pytest

from peers.certificate import make_certificate
from sekisho.cli.main import sekisho
from sekisho.config.load import load_config
from sekisho.config.values import rules
from sekisho.policy.decide import compile_rules
from sekisho.policy.proof import prove

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [
    *(DOCS / name for name in ("flow.md", "architecture.md", "standards.md")),
    DOCS / "security.md",
    DOCS / "bench" / "README.md",
    *sorted((DOCS / "howto").glob("*.md")),
    *sorted((DOCS / "operate").glob("*.md")),
]
NOW = 1_790_000_000.0
PREAMBLE = """\
hostname = "relay.example.com"
data_dir = "data"
"""
_TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
_QUOTED = re.compile(r"`((?:[\w.-]+/)*[\w.-]+\.(?:py|md|toml|smtp)|tests/[\w/]+/)`")
_LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
_BLOCK = re.compile(r"^```toml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_NAMED_FILE = re.compile(r'file = "([^"]+)"')
_COMMAND = re.compile(
    r"`sekisho ([a-z][^`]*)`|^ {4,}(?:\S*/)?sekisho ((?:[^\n\\]|\\\n)+)", re.MULTILINE
)
# Files that are the reader's own, not ours.
_READERS = {"sekisho.toml", "/etc/sekisho/sekisho.toml"}


def name(page: Path) -> str:
    return str(page.relative_to(DOCS))


@cache
def functions_of(path: Path) -> frozenset[str]:
    tree = ast.parse(path.read_text("utf-8"))
    return frozenset(
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )


def is_there(page: Path, path: str) -> bool:
    if path in _READERS:
        return True
    folders = (ROOT, ROOT / "src" / "sekisho", page.parent)
    return any((folder / path).exists() for folder in folders)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_file_that_a_page_names_is_there(page: Path) -> None:
    text = page.read_text("utf-8")
    named = {*_QUOTED.findall(text), *_LINK.findall(text)}
    assert sorted(path for path in named if not is_there(page, path)) == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_test_that_a_page_names_is_there(page: Path) -> None:
    missing = [
        f"{path}::{test}"
        for path, test in _TEST.findall(page.read_text("utf-8"))
        if not (ROOT / path).exists() or test not in functions_of(ROOT / path)
    ]
    assert missing == []


def unknown_in(line: str) -> str:
    """What of a command line is not there; nothing where all of it is."""
    words = shlex.split(line.replace("\\\n", " "), comments=True)
    command: click.Command = sekisho
    while isinstance(command, click.Group) and words:
        word = words.pop(0)
        found: click.Command | None = command.get_command(click.Context(command), word)
        if found is None:
            return word
        command = found
    known = {spelled for one in command.params for spelled in one.opts}
    used = {word.partition("=")[0] for word in words if word.startswith("-")}
    return " ".join(sorted(used - known - {"-"}))


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_command_that_a_page_names_is_there(page: Path) -> None:
    lines = [a or b for a, b in _COMMAND.findall(page.read_text("utf-8"))]
    assert [line for line in lines if unknown_in(line)] == []


def test_a_command_that_is_not_there_is_seen() -> None:
    assert unknown_in("queue list --state held # all") == ""
    assert unknown_in("queue purge") == "purge"
    assert unknown_in("queue list --colour red") == "--colour"


def test_each_row_of_the_standards_names_a_file_and_a_test_or_says_no() -> None:
    rows = [
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in (DOCS / "standards.md").read_text("utf-8").splitlines()
        if re.match(r"\| \d{4}|\| PROXY|\| SASL", line)
    ]
    assert len(rows) >= 40
    for rfc, _subject, state, files, tests in rows:
        assert re.match(r"(yes|partly|not yet|no)\b", state), rfc
        if state.startswith(("yes", "partly")):
            assert files.count("`") >= 2, rfc
            assert _TEST.search(tests), rfc


def blocks() -> Iterator[tuple[str, str]]:
    for page in sorted((DOCS / "howto").glob("*.md")):
        for number, block in enumerate(_BLOCK.findall(page.read_text("utf-8")), 1):
            yield f"{page.stem}-{number}", block


BLOCKS = dict(blocks())


def test_each_howto_shows_a_configuration_or_commands_to_run() -> None:
    pages = {page.stem: page for page in (DOCS / "howto").glob("*.md")}
    configured = {block.rpartition("-")[0] for block in BLOCKS}
    assert configured
    without = [page for name, page in pages.items() if name not in configured]
    on_a_line = re.compile(r"^ {4,}(?:\S*/)?sekisho ", re.MULTILINE)
    assert [
        one for one in without if not on_a_line.search(one.read_text("utf-8"))
    ] == []


@pytest.mark.parametrize("block", BLOCKS)
def test_a_configuration_in_a_howto_loads_and_is_closed(
    block: str, tmp_path: Path
) -> None:
    text = BLOCKS[block]
    is_whole = re.search(r"^hostname = ", text, re.MULTILINE) is not None
    pair = make_certificate(tmp_path, "relay.example.com")
    pair.certificate.rename(tmp_path / "fullchain.pem")
    pair.key.rename(tmp_path / "privkey.pem")
    for file in _NAMED_FILE.findall(text):
        content = "info@example.com\n" if file.endswith(".txt") else "a secret\n"
        (tmp_path / file).write_text(content)
    config = tmp_path / "sekisho.toml"
    config.write_text(text if is_whole else PREAMBLE + text)
    policy = compile_rules(rules(load_config(config, {})))
    assert prove(policy, now=NOW).findings == ()
