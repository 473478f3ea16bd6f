"""``SEKISHO_…`` variables that override single keys, for containers.

The name is the key's path in capitals, two underscores between its parts:
``SEKISHO_HOSTNAME``, ``SEKISHO_OBSERVE__LOG``, ``SEKISHO_LISTENER__0__BIND`` (entries
of ``[[…]]`` by number), ``SEKISHO_SMARTHOST__PROVIDER__PASSWORD``. A value that is a
TOML value is taken as one (``["0.0.0.0:2525"]``, ``true``, ``25``, ``"quoted"``), any
other as a text. A name with dots or spaces cannot be spelled so; its whole table can:
``SEKISHO_DOMAINS='{ "example.com" = { recipients = "any" } }'``.

A variable that leads to no key is an error, as an unknown key in the file is: a
misspelled override must not leave the door as the file has it. Left alone are
``SEKISHO_CONFIG`` and variables that a secret of the file names.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping

from sekisho.config.lines import Place, Table, Toml
from sekisho.config.problems import Problem

PREFIX = "SEKISHO_"
NOT_KEYS = frozenset({"SEKISHO_CONFIG"})
_FROM_KUBERNETES = re.compile(r"SEKISHO_(?:SERVICE|PORT)(?:_.*)?")


def override(
    document: Table, env: Mapping[str, str]
) -> tuple[dict[Place, str], list[Problem]]:
    """Put the variables' values into a document.

    Args:
        document: Changed in place.
        env: The environment.

    Returns:
        The places that were set, with their variables; and the variables that could
        not be, as problems.

    """
    places: dict[Place, str] = {}
    problems: list[Problem] = []
    secrets = set(_named_by_secrets(document))
    for name in sorted(env):
        if not name.startswith(PREFIX) or name in NOT_KEYS or name in secrets:
            continue
        if _FROM_KUBERNETES.fullmatch(name):
            hint = "set by Kubernetes for a service of this name? enableServiceLinks"
            problems.append(Problem(name, 0, "", "no such key", f"{hint}: false"))
            continue
        place = _put(document, name, _value(env[name]))
        if place:
            places[place] = name
        else:
            message = "leads to no key that can be set"
            problems.append(Problem(name, 0, "", message, "parts are joined by __"))
    return places, problems


def _value(text: str) -> Toml:
    try:
        read = tomllib.loads(f"value = {text}")
    except (tomllib.TOMLDecodeError, RecursionError):
        return text
    # A line break in the value would otherwise bring keys of its own.
    return read["value"] if len(read) == 1 else text


def _put(document: Table, name: str, value: Toml) -> Place:
    """Set one value; give its place, or the empty one where it leads nowhere."""
    here: Toml = document
    place: Place = ()
    *way, last = name.removeprefix(PREFIX).lower().split("__")
    for part in way:
        step = _step(here, part)
        if step is None:
            return ()
        place = (*place, step)
        here = _enter(here, step)
    match here, _step(here, last):
        case dict(), str(key):
            here[key] = value
            return (*place, key)
        case list(), int(index):
            here[index] = value
            return (*place, index)
        case _:
            return ()


def _enter(here: Toml, step: str | int) -> Toml:
    match here, step:
        case dict(), str(key):
            return here.setdefault(key, {})
        case list(), int(index):
            return here[index]
        case _:  # pragma: no cover - _step gave it
            return here


def _step(here: Toml, part: str) -> str | int | None:
    match here:
        case dict():
            return next((key for key in here if key.lower() == part), part or None)
        case list() if part.isdecimal() and int(part) < len(here):
            return int(part)
        case _:
            return None


def _named_by_secrets(value: Toml) -> Iterator[str]:
    match value:
        case {"env": str(name)} if len(value) == 1:
            yield name
        case dict():
            for inner in value.values():
                yield from _named_by_secrets(inner)
        case list():
            for inner in value:
                yield from _named_by_secrets(inner)
        case _:
            pass
