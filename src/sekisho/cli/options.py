"""What many commands share: which configuration, and in which form to answer."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
import msgspec

from sekisho.config.load import load_config
from sekisho.config.schema import Config

if TYPE_CHECKING:
    from rich.table import Table

_Function = TypeVar("_Function", bound=Callable[..., Any])
MAX_SECRET_BYTES = 4096
UNBROKEN_COLUMNS = 1000
_PLACES = ("sekisho.toml", "/etc/sekisho/sekisho.toml")


def config_path(given: str | None) -> Path:
    """The configuration: as given, else ``SEKISHO_CONFIG``, else the usual places.

    Raises:
        click.UsageError: There is none.

    """
    if named := given or os.environ.get("SEKISHO_CONFIG"):
        return Path(named)
    for place in _PLACES:
        if Path(place).exists():
            return Path(place)
    places = ", ".join(_PLACES)
    raise click.UsageError(
        f"there is no configuration ({places}); name one with -c, or run: sekisho init"
    )


def read_config(given: str | None) -> Config:
    """Load the configuration.

    Raises:
        ConfigErrors: It is wrong; every error is told.

    """
    return load_config(config_path(given), os.environ)


def config_option(function: _Function) -> _Function:
    """Add ``-c FILE``."""
    return click.option(
        "-c", "--config", "config_file", metavar="FILE", help="the configuration"
    )(function)


def json_option(function: _Function) -> _Function:
    """Add ``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="answer as JSON")(
        function
    )


def print_json(value: object) -> None:
    """Print a value as JSON, indented for people."""
    encoded = msgspec.json.format(msgspec.json.encode(value), indent=2)
    sys.stdout.write(encoded.decode() + "\n")


def first_line(file: str) -> str:
    """Read a secret: the first line of a file, or of standard input for ``-``.

    Raises:
        click.UsageError: It is not UTF-8.
        OSError: It cannot be read.

    """
    if file == "-":
        octets = sys.stdin.buffer.readline(MAX_SECRET_BYTES)
    else:
        with Path(file).open("rb") as stream:
            octets = stream.readline(MAX_SECRET_BYTES)
    try:
        return octets.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise click.UsageError(f"{file} is not UTF-8") from None


def print_table(table: "Table") -> None:
    """Print a table: as wide as the terminal, or unbroken for programs."""
    from rich.console import Console  # noqa: PLC0415 - most commands print no table

    console = Console() if sys.stdout.isatty() else Console(width=UNBROKEN_COLUMNS)
    console.print(table)
