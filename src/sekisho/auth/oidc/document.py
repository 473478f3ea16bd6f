"""JSON objects read so that nobody can read them otherwise.

Of two members by one name some programs take the first and some the last; a provider
that checked one and a service that uses the other would disagree about who somebody
is. So there is no second member, no ``NaN``, and nothing but UTF-8.
"""

import json
from collections.abc import Mapping
from typing import NoReturn, cast

Object = Mapping[str, object]


class DocumentError(ValueError):
    """It is no JSON object; the message does not show what it is."""


def read_object(octets: bytes) -> Object:
    """Read a JSON object.

    Raises:
        DocumentError: It is none, or not clearly one.

    """
    try:
        text = octets.decode("utf-8")
        read = json.loads(text, object_pairs_hook=_members, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        # The decoder's own error may quote the text.
        raise DocumentError("it is no JSON, or not clearly so") from None
    if not isinstance(read, dict):
        raise DocumentError("it is no JSON object")
    return cast("Object", read)


def _members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise DocumentError("a member stands there twice")
    return members


def _no_constant(_text: str) -> NoReturn:
    raise DocumentError("it holds a number that is none")
