"""``sekisho trace``: the timeline of a message."""

from typing import Any, cast

import click

from sekisho.app.desk import perform
from sekisho.cli.options import config_option, json_option, print_json, read_config

_SHOWN_FIRST = ("time", "event", "message")


@click.command("trace")
@config_option
@json_option
@click.argument("about", metavar="ID|ADDRESS")
@click.option("--limit", default=200, show_default=True, type=click.IntRange(1, 10_000))
def trace_command(
    config_file: str | None, as_json: bool, about: str, limit: int
) -> None:
    """Show what happened to a message, or to the mail of an address."""
    arguments = {"about": about, "limit": limit}
    found = perform(read_config(config_file), "trace", arguments)
    if as_json:
        print_json(found)
        return
    if not found:
        click.echo(f"nothing is known of {about}")
        return
    last = ""
    for event in found:
        if event.get("message", "") != last:
            last = event.get("message", "")
            click.secho(last or "(refused before it had an id)", bold=True)
        click.echo(f"  {event['time']}  {event['event']:<22} {_words(event)}")


def _words(event: dict[str, Any]) -> str:
    return "  ".join(
        f"{key}={_word(value)}"
        for key, value in event.items()
        if key not in _SHOWN_FIRST and value not in ("", None)
    )


def _word(value: Any) -> str:  # noqa: ANN401 - a JSON value
    if isinstance(value, list):
        return ", ".join(map(str, cast("list[object]", value)))
    return str(value)
