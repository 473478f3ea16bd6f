"""``sekisho mailq``: what programs and people who call mailq(1) expect."""

import click

from sekisho.app.desk import perform
from sekisho.cli.options import config_option, json_option, print_json, read_config
from sekisho.cli.queue import print_messages


@click.command("mailq")
@config_option
@json_option
def mailq_command(config_file: str | None, as_json: bool) -> None:
    """List the first hundred messages of the queue."""
    config = read_config(config_file)
    listed = perform(config, "queue.list", {})
    if as_json:
        print_json(listed)
        return
    print_messages(listed)
    if listed:
        told = perform(config, "queue.stats", {})
        click.echo(f"-- {told['messages']} messages, {told['recipients']} recipients")
