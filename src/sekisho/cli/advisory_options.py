"""What the commands about advisories share: the language, and which advisory."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from sekisho.advisory.bulletin import Bulletin
from sekisho.advisory.shelf import find, shipped
from sekisho.model.text import Language

_Function = TypeVar("_Function", bound=Callable[..., Any])


def language_option(function: _Function) -> _Function:
    """Add ``--lang``, as a `Language`."""
    return click.option(
        "--lang",
        "language",
        type=click.Choice([one.value for one in Language]),
        default=Language.ENGLISH.value,
        callback=_language,
        show_default=True,
        help="the language of the answer",
    )(function)


def _language(
    context: click.Context, parameter: click.Parameter, value: str
) -> Language:
    del context, parameter
    return Language(value)


def advisory_named(name: str) -> Bulletin:
    """Find an advisory.

    Raises:
        click.UsageError: There is none of that name.

    """
    found = find(name)
    if found is None:
        names = ", ".join(one.id for one in shipped())
        raise click.UsageError(f"there is no advisory {name!r}; there are: {names}")
    return found
