"""``sekisho user import``: many accounts at once.

Two kinds of files. CSV with a heading: ``name`` and ``password`` or ``hash``, and, if
wanted, ``addresses`` and ``groups`` with spaces or semicolons between. Passwd-style:
``name:hash`` a line, further fields left alone, as htpasswd and Dovecot write them.
"""

import csv
import io
import sys
from pathlib import Path
from typing import Any

import click

from sekisho.app.control import Refusal
from sekisho.app.desk import perform
from sekisho.cli.options import config_option, read_config

MAX_IMPORT_BYTES = 64 * 1024 * 1024
MAX_IMPORTED = 100_000
_BATCH = 200
_COLUMNS = frozenset({"name", "password", "hash", "addresses", "groups"})


@click.command("import")
@config_option
@click.argument("file")
@click.option("--allow-weak", is_flag=True, help="take easily guessed ones")
def import_command(config_file: str | None, file: str, allow_weak: bool) -> None:
    """Add the accounts of FILE (CSV or passwd-style; - is standard input)."""
    accounts = read_accounts(_read(file))
    config, added = read_config(config_file), 0
    with click.progressbar(
        range(0, len(accounts), _BATCH), label="importing", file=sys.stderr
    ) as steps:
        for start in steps:
            batch = accounts[start : start + _BATCH]
            arguments = {"accounts": batch, "allow_weak": allow_weak}
            try:
                added += perform(config, "user.import", arguments)["added"]
            except Refusal as refusal:
                last = f"{added} accounts were added before; none of this batch"
                raise Refusal(
                    f"lines from account {batch[0]['name']!r} on: {refusal.sentence}",
                    f"{refusal.hint}. {last}".lstrip(". "),
                ) from refusal
    click.echo(f"added {added} accounts")


def read_accounts(text: str) -> list[dict[str, Any]]:
    """Read either kind of file.

    Raises:
        Refusal: A line cannot be read; it is named, and nothing of it shown.

    """
    lines = text.splitlines()
    first = next((line for line in lines if line.strip()), "")
    columns = {one.strip().lower() for one in first.split(",")}
    read = _read_csv if "name" in columns and columns <= _COLUMNS else _read_passwd
    accounts = read(lines)
    if not accounts:
        raise Refusal("there are no accounts in the file")
    if len(accounts) > MAX_IMPORTED:
        raise Refusal(f"there are more than {MAX_IMPORTED} accounts in the file")
    return accounts


def _read_csv(lines: list[str]) -> list[dict[str, Any]]:
    accounts: list[dict[str, Any]] = []
    rows = csv.DictReader(io.StringIO("\n".join(lines)), skipinitialspace=True)
    rows.fieldnames = [one.strip().lower() for one in rows.fieldnames or ()]
    for row in rows:
        if None in row or not row["name"]:
            raise Refusal(f"line {rows.line_num} does not have the heading's fields")
        accounts.append(
            {
                "name": row["name"],
                "password": row.get("password") or "",
                "hashed": row.get("hash") or "",
                "addresses": (row.get("addresses") or "").replace(";", " ").split(),
                "groups": (row.get("groups") or "").replace(";", " ").split(),
            }
        )
    return accounts


def _read_passwd(lines: list[str]) -> list[dict[str, Any]]:
    accounts: list[dict[str, Any]] = []
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        fields = line.split(":")
        if len(fields) < 2 or not fields[0] or not fields[1]:  # noqa: PLR2004 - two fields
            raise Refusal(
                f"line {number} is not name:hash",
                "a CSV file begins with a heading such as name,password",
            )
        accounts.append({"name": fields[0], "hashed": fields[1]})
    return accounts


def _read(file: str) -> str:
    try:
        if file == "-":
            raw = sys.stdin.buffer.read(MAX_IMPORT_BYTES + 1)
        else:
            with Path(file).open("rb") as stream:
                raw = stream.read(MAX_IMPORT_BYTES + 1)
    except OSError as error:
        raise Refusal(f"{file}: {error.strerror}") from error
    if len(raw) > MAX_IMPORT_BYTES:
        raise Refusal(f"{file} is larger than {MAX_IMPORT_BYTES} octets")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Refusal(f"{file} is not UTF-8") from error
