"""Reading the configuration: one file, read whole, checked whole.

Promise: `load_config` gives a `Config` in which everything is of its type and fits
together, or raises `ConfigErrors` with every mistake at once. The one exception is a
mistake in TOML itself: what stands behind it cannot be known.

Certificates are loaded where they are used (`sekisho.net`), not here.
"""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from sekisho.config.checks import check
from sekisho.config.environment import override
from sekisho.config.lines import Place, Table, key_lines
from sekisho.config.outside import MAX_FILE_BYTES, Surroundings
from sekisho.config.problems import ConfigErrors, Problem
from sekisho.config.schema import Config
from sekisho.config.translate import Document, sentence, translate

_PLACE_IN_MESSAGE = re.compile(r" \(at line (\d+), column (\d+)\)$")


def load_config(path: Path, env: Mapping[str, str]) -> Config:
    """Read a configuration file.

    Args:
        path: The file; relative paths in it start at its folder.
        env: The environment, for overrides and for secrets.

    Raises:
        ConfigErrors: It cannot be used.

    """
    content, lines = _read(path)
    variables, problems = override(content, env)
    document = Document(content, str(path), lines, variables)
    around = Surroundings(path.parent, env)
    config: Config | None = None
    try:
        config = Config.model_validate(content, context=around)
    except ValidationError as errors:
        problems += [translate(error, document) for error in _details(errors)]
    problems += around.problems
    problems += [
        document.problem(found.place, sentence(found.place, found.message), found.hint)
        for found in check(content)
    ]
    if problems or config is None:
        raise ConfigErrors(_in_order(str(path), problems))
    return config


def _details(errors: ValidationError) -> list[ErrorDetails]:
    # Without the input: it may be a secret.
    found = errors.errors(include_url=False, include_input=False)
    # A default that rests on a value which is wrong: the value is the mistake.
    return [one for one in found if one["type"] != "default_factory_not_called"]


def _in_order(main: str, problems: list[Problem]) -> list[Problem]:
    """Sort them: the main file by line, then other files, then variables."""
    return sorted(
        dict.fromkeys(problems),
        key=lambda p: (p.file != main, not p.line, p.file, p.line),
    )


def _read(path: Path) -> tuple[Table, Mapping[Place, int]]:
    file = str(path)
    try:
        with path.open("rb") as stream:
            raw = stream.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        message = f"cannot be read: {error.strerror}"
        hint = "sekisho init DIR writes one"
        raise ConfigErrors([Problem(file, 0, "", message, hint)]) from error
    if len(raw) > MAX_FILE_BYTES:
        message = f"is larger than {MAX_FILE_BYTES} octets"
        raise ConfigErrors([Problem(file, 0, "", message)])
    try:
        text = raw.decode("utf-8-sig")  # Windows' editors write a byte order mark
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigErrors([Problem(file, line, "", "is not UTF-8")]) from error
    try:
        return tomllib.loads(text), key_lines(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigErrors([_syntax(file, text, error)]) from error
    except RecursionError as error:
        message = "is nested too deeply"
        raise ConfigErrors([Problem(file, 1, "", message)]) from error


def _syntax(file: str, text: str, error: tomllib.TOMLDecodeError) -> Problem:
    message = str(error)
    found = _PLACE_IN_MESSAGE.search(message)
    line = int(found[1]) if found else text.count("\n") + 1
    what = _PLACE_IN_MESSAGE.sub("", message).removesuffix(" (at end of document)")
    return Problem(file, line, "", f"no TOML: {what}")
