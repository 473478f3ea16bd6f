"""``sekisho user app-password``: passwords for devices and programs."""

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


@click.group("app-password")
def app_password_command() -> None:
    """Make, list and revoke passwords for devices and programs."""


@app_password_command.command("add")
@config_option
@json_option
@click.argument("name")
@click.argument("label")
@click.option(
    "--address",
    "addresses",
    multiple=True,
    metavar="A",
    help="from these alone",
)
@click.option(
    "--network",
    "networks",
    multiple=True,
    metavar="N",
    help="from there alone",
)
@click.option(
    "--max-messages-per-day",
    type=click.IntRange(0),
    default=0,
    metavar="N",
    help="a day",
)
@click.option("--expires", metavar="DATE", help="through that day (UTC)")
def add(config_file: str | None, as_json: bool, **arguments: Any) -> None:  # noqa: ANN401 - click's options
    """Make an app password for account NAME; it is shown this once."""
    made = perform(read_config(config_file), "user.app-password.add", arguments)
    if as_json:
        print_json(made)
        return
    click.echo(f"added {made['label']} to {made['name']}")
    click.echo(f"password: {made['password']}\n  (shown this once; it is not stored)")


@app_password_command.command("list")
@config_option
@json_option
@click.argument("name")
def list_all(config_file: str | None, as_json: bool, name: str) -> None:
    """List the app passwords of an account, and when each was used last."""
    listed = perform(read_config(config_file), "user.app-password.list", {"name": name})
    if as_json:
        print_json(listed)
        return
    if not listed:
        click.echo(f"{name} has no app passwords")
        return
    table = Table(box=None, pad_edge=False)
    headings = ("label", "may send from", "may come from", "a day", "ends", "last used")
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for one in listed:
        table.add_row(
            one["label"],
            ", ".join(one["addresses"]) or "as the account",
            ", ".join(one["networks"]) or "anywhere",
            str(one["max_messages_per_day"] or "-"),
            one["expires_at"] or "never",
            one["last_used_at"] or "-",
        )
    print_table(table)


@app_password_command.command("revoke")
@config_option
@click.argument("name")
@click.argument("label")
def revoke(config_file: str | None, **arguments: Any) -> None:  # noqa: ANN401 - click's options
    """Take an app password away; its open sessions end at their next MAIL."""
    perform(read_config(config_file), "user.app-password.revoke", arguments)
    click.echo(f"revoked {arguments['label']} of {arguments['name']}")
