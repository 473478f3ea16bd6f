"""``sekisho serve``: run the service in the foreground."""

import sys

import click

from sekisho.app.starting import imported
from sekisho.cli.options import config_option, config_path


@click.command("serve")
@config_option
def serve_command(config_file: str | None) -> None:
    """Run the service until SIGTERM or SIGINT, which drain it."""
    serve = imported("sekisho.app.service").serve  # brings everything with it
    sys.exit(serve(config_path(config_file)))
