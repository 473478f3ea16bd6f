"""``sekisho ping``: is the service well? For health checks."""

import click

from sekisho.app.control import NotRunning, Refusal, ask
from sekisho.cli.options import config_option, json_option, print_json, read_config


@click.command("ping")
@config_option
@json_option
def ping_command(config_file: str | None, as_json: bool) -> None:
    """Ask the service whether it is well; exit 1 where it is not."""
    config = read_config(config_file)
    try:
        answer = ask(config.data_dir, "ping", {})
    except NotRunning:
        sentence = f"no service runs on {config.data_dir}"
        raise Refusal(sentence, "start it with: sekisho serve") from None
    if as_json:
        print_json(answer)
    else:
        click.echo(f"well: {answer['hostname']}, {answer['messages']} in the queue")
    if answer["alarms"]:
        raise Refusal("; ".join(answer["alarms"]))
