"""``[[authenticator]]`` of a kind that another package brings.

A package that is installed beside Sekisho names its authenticator as an entry point of
the group ``sekisho.authenticators``; the entry point's name is the kind.
"""

from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Annotated, Any, cast

from pydantic import Field, PlainValidator

from sekisho.config.fields import Name, text
from sekisho.config.problems import wrong
from sekisho.config.table import Table

GROUP = "sekisho.authenticators"
MAX_OPTIONS = 100


@cache
def installed() -> Mapping[str, EntryPoint]:
    """The kinds that other packages bring."""
    return {one.name: one for one in entry_points(group=GROUP)}


def plugin_mechanisms(kind: str) -> tuple[str, ...]:
    """The mechanisms that a plug-in says it verifies; none if it cannot be loaded."""
    found = installed().get(kind)
    if found is None:
        return ()
    try:
        named = getattr(found.load(), "mechanisms", ())
    except Exception:  # noqa: BLE001 - whatever it is: it is told where it is built
        return ()
    return tuple(str(one) for one in named)


def read_options(value: object) -> Mapping[str, Any]:
    """Read a plug-in's own keys: any TOML values; what they mean is its matter."""
    if not isinstance(value, dict):
        raise wrong("must be a table", '{ url = "https://…" }')
    options = cast("dict[str, Any]", value)
    if len(options) > MAX_OPTIONS:
        raise wrong(f"has more than {MAX_OPTIONS} keys")
    return options


Options = Annotated[Mapping[str, Any], PlainValidator(read_options)]
Kind = Annotated[str, PlainValidator(text)]


class Plugin(Table):
    """An authenticator that another package brings; see ``docs/plug-ins.md``.

    Attributes:
        kind: The plug-in's name.
        name: Shown in the log.
        options: The plug-in's own keys. Secrets are files that it reads.

    """

    kind: Kind
    name: Name = "plug-in"
    options: Options = Field(default_factory=dict[str, Any])
