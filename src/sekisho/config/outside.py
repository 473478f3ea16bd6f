"""What the configuration takes from outside: paths, secrets and lists in files.

A secret is read here and stays hidden from here on. Mistakes in a list that stands in
a file of its own are reported with that file's lines.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from hmac import compare_digest
from pathlib import Path
from typing import Annotated, Any, cast

from pydantic import PlainValidator, TypeAdapter, ValidationInfo

from sekisho.config.fields import STRICT, Many, Pattern, choice, text
from sekisho.config.problems import Problem, wrong
from sekisho.model.address import AddressError, AddressPattern, parse_pattern
from sekisho.model.rules import RecipientCheck

MAX_FILE_BYTES = 16 * 1024 * 1024
"""Of the configuration and of each list that it names."""

MAX_SECRET_BYTES = 64 * 1024

# Only after a space: # may stand in a local part.
_COMMENT = re.compile(r"(?:^|\s)#.*")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a value may refer to outside the file.

    Attributes:
        folder: The configuration's, from which relative paths start.
        env: The environment.
        problems: Where mistakes in other files are reported.

    """

    folder: Path
    env: Mapping[str, str]
    problems: list[Problem] = field(default_factory=list[Problem])


def surroundings(info: ValidationInfo) -> Surroundings:
    """Take the surroundings that the loader handed to pydantic."""
    given = info.context
    if not isinstance(given, Surroundings):
        raise TypeError("a configuration is read by load_config")
    return given


class Secret:
    """A text that is never shown: not by repr, not by str, not in an error."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Give the text, to the one place that sends it."""
        return self._text

    def __eq__(self, other: object) -> bool:
        # So that a configuration that was read again is seen to be the same.
        return isinstance(other, Secret) and compare_digest(
            self._text.encode(), other._text.encode()
        )

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return "Secret(…)"


@dataclass(frozen=True, slots=True)
class Recipients:
    """Which mailboxes an own domain has; see `sekisho.model.rules.OwnDomain`."""

    check: RecipientCheck = RecipientCheck.CALLOUT
    addresses: frozenset[tuple[str, str]] = frozenset()
    patterns: tuple[AddressPattern, ...] = ()


def read_path(value: object, info: ValidationInfo) -> Path:
    """Read a path; a relative one starts at the configuration's folder."""
    given = text(value, "a path in quotes")
    if not given or "\0" in given:
        raise wrong(f"{given!r} is no path")
    return (surroundings(info).folder / given).absolute()


def _referred(value: object, keys: tuple[str, ...]) -> tuple[str, str]:
    """Take ``{ file = "…" }`` or ``{ env = "…" }`` apart; empty where it is neither."""
    if isinstance(value, dict):
        match list(cast("dict[str, object]", value).items()):
            case [(key, str(name))] if key in keys and name:
                return key, name
            case _:
                pass
    return "", ""


def _file_bytes(path: Path, limit: int) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise wrong(f'the file "{path}" cannot be read: {error.strerror}') from error
    if len(data) > limit:
        raise wrong(f'the file "{path}" is larger than {limit} octets')
    return data


def read_secret(value: object, info: ValidationInfo) -> Secret:
    """Read a secret, from where it is said to be.

    One line end at the end of a file is not part of it.
    """
    outside = surroundings(info)
    if isinstance(value, str):
        secret = value
    else:
        match _referred(value, ("file", "env")):
            case ("file", name):
                raw = _file_bytes(outside.folder / name, MAX_SECRET_BYTES)
                secret = raw.decode("utf-8", "replace").removesuffix("\n")
                secret = secret.removesuffix("\r")
            case ("env", name):
                secret = outside.env.get(name, "")
                if not secret:
                    raise wrong(f'the variable "{name}" is not set, or is empty')
            case _:
                raise wrong(
                    "must be a secret",
                    'a text, { file = "…" } or { env = "…" }',
                )
    if not secret or "\0" in secret or "\ufffd" in secret:
        raise wrong("the secret is empty, or is no UTF-8 text")
    return Secret(secret)


def read_recipients(value: object, info: ValidationInfo) -> Recipients:
    """Read ``"callout"``, ``"any"``, a list, or ``{ file = "…" }``."""
    if isinstance(value, str):
        return Recipients(RecipientCheck(choice("callout", "any")(value)))
    if isinstance(value, list):
        return _listed(_PATTERNS.validate_python(value, context=info.context))
    _, name = _referred(value, ("file",))
    if name:
        return _listed(_patterns_of_file(name, surroundings(info)))
    raise wrong(
        "must say which recipients there are",
        '"callout", "any", a list of addresses, or { file = "…" }',
    )


def _patterns_of_file(name: str, outside: Surroundings) -> tuple[AddressPattern, ...]:
    raw = _file_bytes(outside.folder / name, MAX_FILE_BYTES)
    patterns: list[AddressPattern] = []
    for number, line in enumerate(raw.decode("utf-8-sig", "replace").split("\n"), 1):
        if not (entry := _COMMENT.sub("", line).strip()):
            continue
        try:
            patterns.append(parse_pattern(entry))
        except AddressError as error:
            shown = str(outside.folder / name)
            message = f"{entry!r}: {error}"
            outside.problems.append(Problem(shown, number, "", message))
    return tuple(patterns)


def _listed(patterns: tuple[AddressPattern, ...]) -> Recipients:
    single = [p for p in patterns if p.local_part != "*"]
    return Recipients(
        RecipientCheck.LISTED,
        frozenset((p.local_part, p.domain) for p in single),
        tuple(p for p in patterns if p.local_part == "*"),
    )


FilePath = Annotated[Path, PlainValidator(read_path)]
SecretText = Annotated[Secret, PlainValidator(read_secret)]
RecipientsOf = Annotated[Recipients, PlainValidator(read_recipients)]

_PATTERNS: TypeAdapter[Any] = TypeAdapter(Many[Pattern], config=STRICT)
