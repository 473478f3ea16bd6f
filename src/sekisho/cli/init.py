"""``sekisho init``: a configuration, a self-signed certificate, the first account."""

import os
import socket
from pathlib import Path

import click

from sekisho.app.clock import unix_seconds
from sekisho.app.desk import perform
from sekisho.app.setup import (
    DEMO_ACCOUNT,
    DEMO_HOSTNAME,
    DEMO_NEXT_NAME,
    DEMO_PASSWORD_NAME,
    DEMO_PORTS,
    Made,
    set_up,
    write_private,
)
from sekisho.auth.account import random_password
from sekisho.config.load import load_config
from sekisho.model.domain import DomainError, normal_domain


@click.command("init")
@click.argument("folder", metavar="[DIR]", default=".", type=click.Path(path_type=Path))
@click.option("--hostname", metavar="H", help="the server's full name")
@click.option("--yes", is_flag=True, help="ask nothing")
@click.option("--demo", is_flag=True, help="the demo of make run, on loopback")
def init_command(folder: Path, hostname: str | None, yes: bool, demo: bool) -> None:
    """Write what the service needs into DIR, and say what to do next."""
    if demo:
        _demo(set_up(folder, DEMO_HOSTNAME, unix_seconds(), demo=True))
        return
    name = _hostname(hostname, ask=not yes)
    made = set_up(folder, name, unix_seconds())
    click.echo(f"wrote {made.config}, a self-signed certificate and {folder / 'data'}/")
    if not yes:
        _first_account(made)
    click.echo(
        "\nNext:\n"
        f"  sekisho user add you@{name} -c {made.config}\n"
        f"  sekisho check -c {made.config}\n"
        f"  sekisho serve -c {made.config}\n"
        "\nClients that verify certificates want one of a certification authority:\n"
        f"put its files in the place of {folder / 'certificate.pem'} and key.pem."
    )


def _hostname(given: str | None, *, ask: bool) -> str:
    default = socket.getfqdn()
    if given is None:
        given = click.prompt("full name of this server", default) if ask else default
    try:
        name = normal_domain(given)
    except DomainError as error:
        raise click.UsageError(f"--hostname: {error}") from error
    if "." not in name:
        raise click.UsageError(f"--hostname: {name!r} is no full name")
    return name


def _first_account(made: Made) -> None:
    name = click.prompt("first account, an address (empty for none)", "")
    if not name:
        return
    password = random_password()
    arguments = {"name": name, "password": password}
    perform(load_config(made.config, os.environ), "user.add", arguments)
    click.echo(f"added {name}, password: {password}\n  (shown this once)")


def _demo(made: Made) -> None:
    password = random_password()
    config = load_config(made.config, {})
    perform(config, "user.add", {"name": DEMO_ACCOUNT, "password": password})
    secret = made.folder / DEMO_PASSWORD_NAME
    write_private(secret, password.encode() + b"\n")
    mx, submission = DEMO_PORTS
    program = ".venv/bin/sekisho" if Path(".venv/bin/sekisho").exists() else "sekisho"
    (made.folder / DEMO_NEXT_NAME).write_text(
        f"Sekisho's demo: mx on 127.0.0.1:{mx}, submission on :{submission}\n"
        f"  account:  {DEMO_ACCOUNT}\n"
        f"  password: in {secret}\n"
        f"Send a message through, in a second terminal:\n\n"
        f"  {program} send -c {made.config} --server 127.0.0.1:{submission} "
        f"--user {DEMO_ACCOUNT} --password-file {secret} "
        f"--from {DEMO_ACCOUNT} --to bob@example.net\n\n"
        f"It will lie in {made.folder / 'drop'}/. Ctrl-C stops the service.\n\n"
    )
    click.echo(f"wrote {made.config} and the account {DEMO_ACCOUNT}")
