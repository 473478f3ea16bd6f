"""``sekisho queue backup`` and ``restore``."""

import sys
from pathlib import Path

import click

from sekisho.cli.options import config_option, json_option, print_json, read_config

_FILES = {
    "accounts.db": "the accounts, with their app passwords",
    "shared.db": "lockouts and what was used of quotas",
}


@click.command("backup")
@config_option
@json_option
@click.argument("folder", type=click.Path(path_type=Path))
def backup(config_file: str | None, as_json: bool, folder: Path) -> None:
    """Write a snapshot of all queues and the accounts into a new folder.

    The service goes on meanwhile.
    """
    from sekisho.app.backing_up import make_backup  # noqa: PLC0415 - not for others

    config, done = read_config(config_file), 0
    with click.progressbar(length=100, label="backing up", file=sys.stderr) as bar:

        def told(pages: int, of: int) -> None:
            nonlocal done
            percent = 100 * pages // of if of else 0
            bar.update(max(0, percent - done))
            done = max(done, percent)

        made = make_backup(config, folder.absolute(), told)
        told(1, 1)
    if as_json:
        print_json(made)
        return
    for one in made["queues"]:
        click.echo(f"{one['queue']}: {one['messages']} messages")
    for name in made["files"]:
        click.echo(f"{name}: {_FILES[name]}")


@click.command("restore")
@config_option
@json_option
@click.argument("folder", type=click.Path(path_type=Path))
def restore(config_file: str | None, as_json: bool, folder: Path) -> None:
    """Restore a backup, with all its mail held; the service must be stopped."""
    from sekisho.app.restoring import restore_all  # noqa: PLC0415 - as above

    told = restore_all(read_config(config_file), folder.absolute())
    if as_json:
        print_json(told)
        return
    for one in told["queues"]:
        click.echo(f"{one['queue']}: {one['messages']} messages, all held")
    for name, what in told["files"].items():
        kept = f"{name}: is there already, and stays as it is"
        click.echo(f"{name}: restored" if what == "restored" else kept)
    click.echo("start the service, look at queue list, then: sekisho queue release")
