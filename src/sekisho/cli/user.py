"""``sekisho user``: the accounts of this machine."""

from typing import Any

import click
from rich.table import Table

from sekisho.app.desk import perform
from sekisho.auth.account import random_password
from sekisho.cli.app_password import app_password_command
from sekisho.cli.import_users import import_command
from sekisho.cli.options import (
    config_option,
    first_line,
    json_option,
    print_json,
    print_table,
    read_config,
)


@click.group("user")
def user_command() -> None:
    """Add, list, change and remove accounts."""


@user_command.command("add")
@config_option
@click.argument("name")
@click.option(
    "--address",
    "addresses",
    multiple=True,
    metavar="A",
    help="may send from it; a pattern such as *@example.com is taken too",
)
@click.option("--group", "groups", multiple=True, metavar="G", help="for grants")
@click.option(
    "--password-file", metavar="F", help="its first line; - is standard input"
)
@click.option("--no-scram", is_flag=True, help="keep no SCRAM keys for it")
@click.option("--expires", metavar="DATE", help="through that day (UTC)")
@click.option("--allow-weak", is_flag=True, help="take one that is easily guessed")
def add(
    config_file: str | None,
    name: str,
    password_file: str | None,
    no_scram: bool,
    **given: Any,  # noqa: ANN401 - click's options
) -> None:
    """Add an account; without --password-file a password is made and shown once."""
    password, made = _password(password_file)
    arguments = {"name": name, "password": password, "scram": not no_scram, **given}
    added = perform(read_config(config_file), "user.add", arguments)
    click.echo(
        f"added {added['name']}, may send from: "
        f"{', '.join(added['addresses']) or 'nothing yet (--address)'}"
    )
    _show(password, made)


@user_command.command("passwd")
@config_option
@click.argument("name")
@click.option(
    "--password-file", metavar="F", help="its first line; - is standard input"
)
@click.option("--allow-weak", is_flag=True, help="take one that is easily guessed")
def passwd(
    config_file: str | None, name: str, password_file: str | None, allow_weak: bool
) -> None:
    """Give an account another password; its open sessions end at their next MAIL."""
    password, made = _password(password_file)
    arguments = {"name": name, "password": password, "allow_weak": allow_weak}
    perform(read_config(config_file), "user.passwd", arguments)
    click.echo(f"changed the password of {name}")
    _show(password, made)


@user_command.command("list")
@config_option
@json_option
def list_users(config_file: str | None, as_json: bool) -> None:
    """List the accounts."""
    listed = perform(read_config(config_file), "user.list", {})
    if as_json:
        print_json(listed)
        return
    if not listed:
        click.echo("there are no accounts; add one with: sekisho user add NAME")
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("name", "state", "may send from", "groups", "last success"):
        table.add_column(heading, overflow="fold")
    for one in listed:
        table.add_row(
            one["name"],
            _state(one),
            ", ".join(one["addresses"]),
            ", ".join(one["groups"]),
            one["last_success"] or "-",
        )
    print_table(table)


def _change(name: str, done: str, explanation: str) -> None:
    @user_command.command(name, help=explanation)
    @config_option
    @click.argument("name")
    def change(config_file: str | None, **arguments: Any) -> None:  # noqa: ANN401 - click's options
        perform(read_config(config_file), f"user.{name}", arguments)
        click.echo(f"{done} {arguments['name']}")


_change("disable", "disabled", "Refuse an account until it is enabled again.")
_change("enable", "enabled", "Take a disabled account again.")
_change("remove", "removed", "Remove an account.")


@user_command.command("expire")
@config_option
@click.argument("name")
@click.argument("expires", metavar="DATE|never")
def expire(config_file: str | None, **arguments: Any) -> None:  # noqa: ANN401 - click's options
    """Say when an account ends: through that day (UTC), or never."""
    changed = perform(read_config(config_file), "user.expire", arguments)
    click.echo(f"{changed['name']} ends: {changed['expires_at'] or 'never'}")


@user_command.command("addresses")
@config_option
@click.argument("name")
@click.argument("addresses", nargs=-1)
def addresses_of(config_file: str | None, **arguments: Any) -> None:  # noqa: ANN401 - click's options
    """Say anew which addresses and patterns an account may send from."""
    changed = perform(read_config(config_file), "user.addresses", arguments)
    click.echo(f"{changed['name']} may send from: {', '.join(changed['addresses'])}")


@user_command.command("groups")
@config_option
@click.argument("name")
@click.argument("groups", nargs=-1)
def groups_of(config_file: str | None, **arguments: Any) -> None:  # noqa: ANN401 - click's options
    """Say anew which groups an account is in."""
    changed = perform(read_config(config_file), "user.groups", arguments)
    click.echo(f"{changed['name']} is in: {', '.join(changed['groups']) or 'none'}")


@user_command.command("locked")
@config_option
@json_option
def locked(config_file: str | None, as_json: bool) -> None:
    """List who is locked out now, who waits, and whose mail is held."""
    told = perform(read_config(config_file), "user.locked", {})
    if as_json:
        print_json(told)
        return
    for one in told or ["nobody is locked out"]:
        click.echo(one)


@user_command.command("unlock")
@config_option
@click.option("--name", help="the account")
@click.option("--client", help="the client's address")
@click.option("--service", is_flag=True, help="nobody: all failures together")
def unlock(config_file: str | None, **arguments: Any) -> None:  # noqa: ANN401 - click's options
    """Forget failed attempts, of an account, of a client or of all; lift the brake."""
    if not any(arguments.values()):
        raise click.UsageError(
            "name an account with --name or a client with --client, or say --service"
        )
    answer = perform(read_config(config_file), "user.unlock", arguments)
    click.echo(f"unlocked {answer['unlocked']}")
    if answer["brake_lifted"]:
        click.echo("the brake is lifted: new mail of the account passes again")


def _state(one: dict[str, Any]) -> str:
    state = "enabled" if one["enabled"] else "disabled"
    return f"{state} until {one['expires_at']}" if one["expires_at"] else state


def _password(file: str | None) -> tuple[str, bool]:
    """The password of a file, or a new one; and whether it is new."""
    if file is None:
        return random_password(), True
    return first_line(file), False


def _show(password: str, made: bool) -> None:
    if made:
        click.echo(f"password: {password}\n  (shown this once; it is not stored)")


user_command.add_command(app_password_command)
user_command.add_command(import_command)
