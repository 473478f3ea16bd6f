"""Commands whose exit codes 1 to 3 say what was found: wrong use of them is 4."""

import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, NoReturn

import click

from sekisho.app.control import Refusal

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
        with _ended_with_4():
            return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401, D102 - click's
        with _ended_with_4():
            return super().invoke(ctx)


@contextmanager
def _ended_with_4() -> Generator[None]:
    try:
        yield
    except click.UsageError as error:
        error.show()
        sys.exit(EXIT_MISUSED)
    except BrokenPipeError:
        # Whoever read has gone: what was found was not told.
        sys.stderr.close()
        sys.exit(EXIT_MISUSED)
    except (click.Abort, KeyboardInterrupt):
        refuse("stopped")
    except Refusal as refusal:
        refuse(refusal.sentence, refusal.hint)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        refuse(f"{where}{error.strerror or error}")


def refuse(sentence: str, hint: str = "") -> NoReturn:
    """Tell a mistake in one sentence and a hint, and end with 4."""
    click.echo(f"sekisho: {sentence}", err=True)
    if hint:
        click.echo(f"  hint: {hint}", err=True)
    sys.exit(EXIT_MISUSED)
