"""``sekisho advisory``: what the bulletins mean for a host or a fleet."""

from typing import cast

import click

from sekisho.app.starting import imported

_COMMANDS = {
    "assess": "say for each host: affected, mitigated, fixed or not, why, what to do",
    "list": "list the advisories that are shipped",
    "show": "show an advisory as people read it",
    "self": "judge this installation, and verify its files",
    "export": "write an advisory as CSAF 2.0",
}


class _Commands(click.Group):
    """The table above as a click group; each has a file ``advisory_NAME.py``."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in _COMMANDS:
            return None
        module = imported(f"sekisho.cli.advisory_{cmd_name}")
        return cast("click.Command", getattr(module, f"{cmd_name}_command"))

    def format_commands(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group("advisory", cls=_Commands)
def advisory_command() -> None:
    """Judge hosts by the bulletins, and read them."""
