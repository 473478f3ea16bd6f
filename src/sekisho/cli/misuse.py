"""Commands whose exit codes 1 to 3 say what was found: wrong use of them is 4."""

import sys
from typing import Any

import click

EXIT_MISUSED = 4


class FindingCommand(click.Command):
    """Ends with 4 where it is called wrongly, as its findings take 1 to 3."""

    def make_context(  # noqa: D102 - click's
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,  # noqa: ANN401 - click's
    ) -> click.Context:
        try:
            return super().make_context(info_name, args, parent, **extra)
        except click.UsageError as error:
            error.show()
            sys.exit(EXIT_MISUSED)

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401, D102 - click's
        try:
            return super().invoke(ctx)
        except click.UsageError as error:
            error.show()
        except BrokenPipeError:
            # Whoever read has gone: what was found was not told.
            sys.stderr.close()
        except (click.Abort, KeyboardInterrupt):
            click.echo("sekisho: stopped", err=True)
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            click.echo(f"sekisho: {where}{error.strerror or error}", err=True)
        sys.exit(EXIT_MISUSED)


def refuse(sentence: str, hint: str = "") -> None:
    """Tell a mistake in one sentence and a hint, and end with 4."""
    click.echo(f"sekisho: {sentence}", err=True)
    if hint:
        click.echo(f"  hint: {hint}", err=True)
    sys.exit(EXIT_MISUSED)
