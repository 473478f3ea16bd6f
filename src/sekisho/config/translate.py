"""Pydantic's errors, as sentences for the reader of the file."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from pydantic_core import ErrorDetails

from sekisho.config.lines import Place, Table, Toml
from sekisho.config.problems import PROBLEM_TYPE, Problem, did_you_mean
from sekisho.config.schema import SECTIONS, Section, keys_of
from sekisho.config.tables import Domain

_KINDS: Mapping[str, str] = {
    "bool_type": "true or false",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "string_type": "a text in quotes",
    "tuple_type": "a list in square brackets",
    "dict_type": "a table",
    "model_type": "a table",
    "mapping_type": "a table",
}
_Context = Mapping[str, Any]
_BOUNDS: Mapping[str, Callable[[_Context], str]] = {
    "greater_than": lambda ctx: f"must be more than {ctx['gt']:g}",
    "greater_than_equal": lambda ctx: f"must be at least {ctx['ge']:.15g}",
    "less_than_equal": lambda ctx: f"must be at most {ctx['le']:.15g}",
    "finite_number": lambda _: "must be a finite number",
    "string_too_short": lambda _: "must not be empty",
    "string_too_long": lambda ctx: f"has more than {ctx['max_length']} characters",
}


@dataclass(frozen=True, slots=True)
class Document:
    """A document with its places.

    Attributes:
        content: What TOML and the environment say together.
        file: As the user named it.
        lines: Of the file.
        variables: Places that came from the environment, and the variables' names.

    """

    content: Table
    file: str
    lines: Mapping[Place, int]
    variables: Mapping[Place, str]

    def problem(self, place: Place, message: str, hint: str = "") -> Problem:
        """Say what is wrong at a place; the nearest place with a line is shown."""
        key = dotted(place)
        for length in range(len(place), 0, -1):
            shorter = place[:length]
            if name := self.variables.get(shorter):
                return Problem(name, 0, key, message, hint)
            if line := self.lines.get(shorter):
                return Problem(self.file, line, key, message, hint)
        return Problem(self.file, 1, key, message, hint)

    def place_of(self, location: tuple[str | int, ...]) -> Place:
        """Take out of pydantic's location what does not stand in the document."""
        place: Place = ()
        here: Toml = self.content
        for step in location:
            match here:
                case dict() if isinstance(step, str) and step in here:
                    here = here[step]
                case list() if isinstance(step, int) and step < len(here):
                    here = here[step]
                case _:
                    continue
            place = (*place, step)
        return place

    def is_table(self, place: Place) -> bool:
        """Whether a table stands at a place."""
        here: Toml = self.content
        for step in place:
            here = here.get(str(step), "") if isinstance(here, dict) else ""
        return isinstance(here, dict)


def dotted(place: Place) -> str:
    """Spell a place: ``listener[0].bind``."""
    spelled = ""
    for step in place:
        if isinstance(step, int):
            spelled += f"[{step}]"
        else:
            bare = step.replace("-", "").replace("_", "").isalnum() and step.isascii()
            spelled += ("." if spelled else "") + (step if bare else f'"{step}"')
    return spelled


def section_of(place: Place) -> tuple[Section, str]:
    """Find the table that a place stands in, and the key there (may be empty)."""
    keys = [step for step in place if isinstance(step, str)]
    best, depth = SECTIONS[0], 0
    for section in SECTIONS[1:]:
        length = len(section.place)
        if depth < length <= len(keys) and all(
            wanted in ("*", key)
            for wanted, key in zip(section.place, keys[:length], strict=True)
        ):
            best, depth = section, length
    rest = keys[depth:]
    return best, rest[0] if rest else ""


def _heading(place: Place, section: Section) -> str:
    name = next(
        (str(place[n]) for n, key in enumerate(section.place) if key == "*"), ""
    )
    heading, _, _ = section.heading.partition(" kind = ")
    return heading.replace("NAME", name)


def sentence(place: Place, message: str) -> str:
    """Put before a message where it is about: ``[[listener]] bind: …``."""
    section, key = section_of(place)
    before = " ".join(filter(None, (_heading(place, section), key)))
    return f"{before}: {message}" if before else message


def translate(error: ErrorDetails, document: Document) -> Problem:
    """Make a problem of one of pydantic's errors."""
    kind, location = error["type"], error["loc"]
    place = document.place_of(location)
    if kind == "missing":
        return document.problem(
            place, sentence(place, f'the key "{location[-1]}" is missing')
        )
    if kind == "extra_forbidden":
        return _unknown_key(place, document)
    context = error.get("ctx", {})
    hint = ""
    if kind == PROBLEM_TYPE:
        message, hint = context["message"], context["hint"]
    elif bound := _BOUNDS.get(kind):
        message = bound(context)
    else:
        message = "must be " + _KINDS.get(kind, "something else")
    return document.problem(place, sentence(place, message), hint)


def _unknown_key(place: Place, document: Document) -> Problem:
    *table, name = place
    section, _ = section_of((*table, ""))
    message = sentence(tuple(table), f'unknown key "{name}"')
    hint = _key_hint(str(name), section)
    if section.table is Domain and document.is_table(place):
        hint = f'a name with dots stands in quotes: [domains."{table[-1]}.{name}"]'
    return document.problem(place, message, hint)


def _key_hint(name: str, section: Section) -> str:
    known = [
        key for s in SECTIONS if s.place == section.place for key in keys_of(s.table)
    ]
    near = get_close_matches(name.lower(), known, n=1, cutoff=0.8)
    elsewhere = [s.heading for s in SECTIONS if s.heading and name in keys_of(s.table)]
    if elsewhere and not near:
        return f'"{name}" belongs to {" or ".join(elsewhere)}'
    return did_you_mean(name, known)
