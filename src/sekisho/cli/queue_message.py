"""``sekisho queue show`` and ``export``: messages themselves."""

import base64
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click

from sekisho.app.control import Refusal
from sekisho.app.desk import perform
from sekisho.cli.options import config_option, json_option, print_json, read_config
from sekisho.config.schema import Config

_OF_A_RECIPIENT = (
    *("state", "destination", "attempts", "last_cause", "last_reply"),
    *("next_attempt", "retries", "expires", "delay_notice", "delay_told_at"),
)
_PAGE = 500


@click.command("show")
@config_option
@json_option
@click.argument("message_id")
def show(config_file: str | None, as_json: bool, message_id: str) -> None:
    """Show one message: envelope, why it was let in, and what each recipient awaits.

    That is its next attempt, by which schedule it is tried, when its sender is told of
    the delay and when it is given up.
    """
    shown = perform(read_config(config_file), "queue.show", {"id": message_id})
    if as_json:
        print_json(shown)
        return
    recipients = shown.pop("recipients")
    for key, value in shown.items():
        click.echo(f"{key + ':':<14} {value if value != '' else '-'}")
    for one in recipients:
        one["retries"] = _retries(one)
        one["expires"] = f"{one['expires_at']} ({one['expiry_set_by']})"
        one["delay_notice"] = one["delay_notice_at"]
        click.echo(f"\n{one['address']}")
        for key in _OF_A_RECIPIENT:
            click.echo(f"  {key + ':':<14} {one.get(key) or '-'}")


def _retries(one: dict[str, Any]) -> str:
    """The schedule in words: ``greylisted, after 1m, 5m, then every 1h ([queue])``."""
    if not one["retry_seconds"]:
        return ""
    *before, last = map(spelled_interval, one["retry_seconds"])
    every = f"every {last}"
    steps = f"after {', '.join(before)}, then {every}" if before else every
    return f"{one['retry_rule']}: {steps} ({one['retry_set_by']})"


def spelled_interval(seconds: float) -> str:
    """Spell a time with its largest whole unit: ``90m``, ``4h``, ``2d``."""
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds // size:.0f}{unit}"
    return f"{seconds:g}s"


@click.command("export")
@config_option
@json_option
@click.argument("message_id", required=False)
@click.option("--destination", help="all that goes there")
@click.option("--sender", help="all that comes from this address")
@click.option(
    "--to",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="a folder: ID.eml is written for each message",
)
def export(
    config_file: str | None,
    as_json: bool,
    message_id: str | None,
    destination: str | None,
    sender: str | None,
    folder: Path | None,
) -> None:
    """Write messages, as they would be sent.

    One message goes to standard output, or with --to into a folder, as do all that a
    destination or a sender has. They stay in the queue.
    """
    config = read_config(config_file)
    chosen = {"destination": destination, "sender": sender}
    given = {key: value for key, value in chosen.items() if value}
    if bool(message_id) == bool(given):
        raise click.UsageError("name a message, or --destination or --sender")
    if folder is None:
        if message_id is None:
            raise click.UsageError("name a folder for them with --to")
        for page in _pages(config, message_id):
            sys.stdout.buffer.write(page)
        return
    if message_id:
        written, failed = _write_all(config, folder, [message_id], all_must_be=True)
    else:
        written, failed = _write_all(config, folder, _selected(config, given))
    if as_json:
        print_json({"messages": written, "folder": str(folder), "failed": failed})
    else:
        _tell(written, folder, failed)
    sys.exit(1 if failed else 0)


def _tell(written: int, folder: Path, failed: dict[str, str]) -> None:
    click.echo(f"{written} messages are in {folder}")
    for one, why in failed.items():
        click.echo(f"{one}: {why}", err=True)


def _selected(config: Config, given: dict[str, str]) -> Iterator[str]:
    after: dict[str, str] = {}
    while True:
        asked = {**given, **after, "limit": _PAGE}
        page = perform(config, "queue.list", asked)
        for one in page:
            yield one["id"]
        if len(page) < _PAGE:
            return
        after = {"after": page[-1]["id"]}


def _write_all(
    config: Config, folder: Path, ids: Iterable[str], *, all_must_be: bool = False
) -> tuple[int, dict[str, str]]:
    """Write each message. Returns how many were written, and why others were not."""
    written, failed = 0, dict[str, str]()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for one in ids:
            try:
                _write(config, folder / f"{one}.eml", one)
                written += 1
            except Refusal as refusal:
                if all_must_be:
                    raise
                # What was delivered meanwhile is nothing to tell of.
                if perform(config, "queue.list", {"ids": [one]}):
                    failed[one] = refusal.sentence
    except OSError as error:
        hint = "name a folder that you may write, with room"
        raise Refusal(f"{error.filename or folder}: {error.strerror}", hint) from error
    return written, failed


def _write(config: Config, path: Path, message_id: str) -> None:
    pages = _pages(config, message_id)
    first = next(pages, b"")  # Where it is not there, there is no file either.
    part = path.with_suffix(".part")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(part, flags, 0o600), "wb") as file:
            file.write(first)
            file.writelines(pages)
        part.rename(path)
    finally:
        part.unlink(missing_ok=True)


def _pages(config: Config, message_id: str) -> Iterator[bytes]:
    offset = 0
    while True:
        asked = {"id": message_id, "offset": offset}
        page = base64.b64decode(perform(config, "queue.export", asked)["base64"])
        if not page:
            return
        yield page
        offset += len(page)
