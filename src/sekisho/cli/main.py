"""The command ``sekisho``: which commands there are, and how mistakes are told.

Commands are imported when they are called: what one command needs must not slow down
the others. Exit codes: 0 well, 1 a finding or a failure, 2 wrong use or a wrong
configuration.
"""

import sys
from typing import cast

import click

from sekisho.app.control import Refusal
from sekisho.app.starting import imported
from sekisho.config.problems import ConfigErrors

_COMMANDS = {
    "init": "write a configuration, a certificate and the first account",
    "serve": "run the service in the foreground",
    "check": "read the configuration whole and prove that it is closed",
    "explain": "say which rule decides one case, and why",
    "auth": "try an account, step by step",
    "user": "add, list, change and remove accounts",
    "queue": "look at the queue and act on it",
    "trace": "show the timeline of a message",
    "send": "send one test message and show the transcript",
    "sendmail": "stand in for sendmail(8)",
    "mailq": "stand in for mailq(1)",
    "advisory": "say what the bulletins mean for hosts, and what to do",
    "reload": "have the service read its configuration again",
    "audit": "show whether servers relay for strangers or take wrong papers",
    "lab": "serve a flaw on loopback, to see the audit find it",
    "ping": "ask whether the service is well",
}
EXIT_WRONG = 2


class _Commands(click.Group):
    """The table above as a click group."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in _COMMANDS:
            return None
        module = imported(f"sekisho.cli.{cmd_name}")
        return cast("click.Command", getattr(module, f"{cmd_name}_command"))

    def format_commands(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="sekisho", message="sekisho %(version)s")
def sekisho() -> None:
    """An SMTP relay that lets nobody pass without checked papers, and can prove it."""


def main() -> None:  # noqa: C901 - one row a kind of mistake
    """Run the command; tell mistakes in one sentence and a hint."""
    try:
        sekisho.main(prog_name="sekisho", standalone_mode=False)
    except ConfigErrors as errors:
        click.echo(str(errors), err=True)
        sys.exit(EXIT_WRONG)
    except Refusal as refusal:
        _tell(refusal.sentence, refusal.hint)
        sys.exit(1)
    except click.exceptions.Exit as exit_:
        sys.exit(exit_.exit_code)
    except click.UsageError as error:
        error.show()
        sys.exit(EXIT_WRONG)
    except click.ClickException as error:
        _tell(error.format_message(), "")
        sys.exit(EXIT_WRONG)
    except (click.Abort, KeyboardInterrupt):
        click.echo("sekisho: stopped", err=True)
        sys.exit(1)
    except BrokenPipeError:
        sys.exit(1)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        _tell(f"{where}{error.strerror or error}", "")
        sys.exit(1)


def _tell(sentence: str, hint: str) -> None:
    click.echo(f"sekisho: {sentence}", err=True)
    if hint:
        click.echo(f"  hint: {hint}", err=True)
