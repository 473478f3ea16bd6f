"""``sekisho queue``: look at the queue and act on it."""

from typing import Any

import click
from rich.table import Table

from sekisho.app.desk import perform
from sekisho.cli.options import (
    config_option,
    json_option,
    print_json,
    print_table,
    read_config,
)
from sekisho.cli.queue_backup import backup, restore
from sekisho.cli.queue_message import export, show

_STATES = ("active", "deferred", "held", "dead")


@click.group("queue")
def queue_command() -> None:
    """Look at the queue and act on it."""


@queue_command.command("list")
@config_option
@json_option
@click.option("--state", type=click.Choice(_STATES))
@click.option("--destination", help="only what goes there")
@click.option("--sender", help="only what comes from this address")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, 10_000))
@click.option("--after", metavar="ID", help="go on behind this message")
def list_messages(config_file: str | None, as_json: bool, **chosen: Any) -> None:  # noqa: ANN401 - click's options
    """List messages, oldest first."""
    listed = perform(read_config(config_file), "queue.list", _given(chosen))
    if as_json:
        print_json(listed)
        return
    print_messages(listed)


def print_messages(listed: list[dict[str, Any]]) -> None:
    """Print messages for people."""
    if not listed:
        click.echo("the queue is empty")
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("id", "state", "bytes", "received", "from", "to", "last reply"):
        table.add_column(heading, overflow="fold")
    for one in listed:
        for number, recipient in enumerate(one["recipients"]):
            head = ("", "", "", "", "")
            if number == 0:
                size, path = str(one["size_bytes"]), one["reverse_path"] or "<>"
                head = (one["id"], one["state"], size, one["received_at"], path)
            state = f"{recipient['address']} ({recipient['state']})"
            table.add_row(*head, state, recipient["last_reply"] or "")
    print_table(table)


@queue_command.command("stats")
@config_option
@json_option
def stats(config_file: str | None, as_json: bool) -> None:
    """Say how much there is and how old it is."""
    told = perform(read_config(config_file), "queue.stats", {})
    if as_json:
        print_json(told)
        return
    age = told["oldest_age_seconds"]
    click.echo(f"messages    {told['messages']}")
    click.echo(f"recipients  {told['recipients']}")
    for state, count in told["by_state"].items():
        click.echo(f"  {state:<9} {count}")
    click.echo(f"oldest      {f'{age:.0f} s' if age is not None else '-'}")


def _action(name: str, done: str, explanation: str) -> None:
    @queue_command.command(name, help=explanation)
    @config_option
    @json_option
    @click.argument("ids", nargs=-1)
    @click.option("--destination", help="all that goes there")
    @click.option("--sender", help="all that comes from this address")
    @click.option("--all", "everything", is_flag=True, help="all there is")
    def act(config_file: str | None, as_json: bool, **chosen: Any) -> None:  # noqa: ANN401 - click's options
        if not any(chosen.values()):
            raise click.UsageError("name messages, --destination, --sender or --all")
        answer = perform(read_config(config_file), f"queue.{name}", _given(chosen))
        if as_json:
            print_json(answer)
        else:
            click.echo(f"{answer['recipients']} recipients {done}")


_action("hold", "held", "Keep messages back until they are released.")
_action("release", "released", "Let held or dead messages go on.")
_action("retry", "are tried now", "Try deferred messages now.")
_action("remove", "removed", "Remove messages; nobody is told of it.")


@queue_command.command("destinations")
@config_option
@json_option
def destinations(config_file: str | None, as_json: bool) -> None:
    """Say how each destination stands: what waits, connections, down, paused."""
    listed = perform(read_config(config_file), "queue.destinations", {})
    if as_json:
        print_json(listed)
        return
    if not listed:
        click.echo("the queue is empty, and nothing is paused")
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("destination", "recipients", "connections", "state"):
        table.add_column(heading, overflow="fold")
    for one in listed:
        connections = f"{one['carriers']} of {one['limit']}" if one["limit"] else "-"
        table.add_row(
            one["destination"], str(one["recipients"]), connections, _state(one)
        )
    print_table(table)


def _state(destination: dict[str, Any]) -> str:
    if destination["paused_since"]:
        return f"paused since {destination['paused_since']}"
    if destination["down_until"]:
        return f"down until {destination['down_until']}: {destination['down_by']}"
    return "-"


@queue_command.command("pause")
@config_option
@json_option
@click.argument("destination")
def pause(config_file: str | None, as_json: bool, destination: str) -> None:
    """Let nothing go to a destination until it is resumed."""
    asked = {"destination": destination}
    told = perform(read_config(config_file), "queue.pause", asked)
    if as_json:
        print_json(told)
    else:
        click.echo(f"{destination} is paused; {told['recipients']} recipients wait")


@queue_command.command("resume")
@config_option
@json_option
@click.argument("destination")
def resume(config_file: str | None, as_json: bool, destination: str) -> None:
    """Let mail go to a paused destination again, at once."""
    asked = {"destination": destination}
    told = perform(read_config(config_file), "queue.resume", asked)
    if as_json:
        print_json(told)
    else:
        click.echo(f"{destination} is resumed; {told['recipients']} recipients waited")


for _command in (show, export, backup, restore):
    queue_command.add_command(_command)


def _given(chosen: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in chosen.items() if value not in (None, ())}
