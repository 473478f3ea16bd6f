"""The document as it was written, read without taking anything for granted.

What is not of the type that a rule looks for is somebody else's error, and is passed
over here.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from sekisho.config.lines import Place, Toml
from sekisho.config.values import SUBMIT_LISTENER

Raw = Mapping[str, Toml]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that does not fit, and where."""

    place: Place
    message: str
    hint: str = ""


def tables(document: Raw, key: str) -> list[tuple[int, Raw]]:
    """The tables of ``[[key]]``, with their numbers."""
    value = document.get(key)
    if not isinstance(value, list):
        return []
    return [(n, one) for n, one in enumerate(value) if isinstance(one, dict)]


def named(document: Raw, key: str) -> dict[str, Raw]:
    """The tables of ``[key.NAME]``."""
    value = document.get(key)
    if not isinstance(value, dict):
        return {}
    return {str(name): one for name, one in value.items() if isinstance(one, dict)}


def texts(value: Toml | None) -> list[tuple[int, str]]:
    """The texts of a list, with their numbers; one text is a list of one."""
    if isinstance(value, str):
        return [(0, value)]
    if not isinstance(value, list):
        return []
    return [(n, one) for n, one in enumerate(value) if isinstance(one, str)]


def roles_of(document: Raw) -> Mapping[str, Toml | None]:
    """The role of each listener, those included that the file need not name."""
    ours = {SUBMIT_LISTENER: "submission"}
    if "listener" not in document:
        tls = {"submission": "submission"} if "tls" in document else {}
        return ours | {"mx": "mx"} | tls
    return ours | {
        name: one.get("role")
        for _, one in tables(document, "listener")
        if isinstance(name := one.get("name"), str)
    }
