"""``sekisho reload``: have the service go by its configuration as it is now."""

import click

from sekisho.app.control import NotRunning, Refusal, ask
from sekisho.cli.options import config_option, json_option, print_json, read_config


@click.command("reload")
@config_option
@json_option
def reload_command(config_file: str | None, as_json: bool) -> None:
    """Reload without dropping a session; exit 1 where it was not taken."""
    config = read_config(config_file)
    try:
        answer = ask(config.data_dir, "reload", {})
    except NotRunning:
        sentence = f"no service runs on {config.data_dir}"
        raise Refusal(sentence, "start it with: sekisho serve") from None
    if as_json:
        print_json(answer)
        return
    click.echo("reloaded")
    for key in answer["needs_restart"]:
        click.echo(f"  {key} is changed, but kept until the next start")
